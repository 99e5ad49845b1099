//! What the papers expect of redundancy and trust, as functions of a saboteur's numbers: for charts and tests. In floats,
//! because they decide nothing; the policies have fixed point of their own.
//!
//! Everywhere: `saboteurs` is their fraction f, `sabotage` the rate s at which one lies, `phi` = f s the chance that an
//! answer is wrong.

use std::f64::consts::E;

/// The chance that m-first voting accepts the wrong answer of saboteurs who agree on one (Sarmenta 2001):
/// sum over j = m..2m-1 of C(2m-1, j) phi^j (1-phi)^(2m-1-j).
#[must_use]
pub fn m_first_error(m: u32, phi: f64) -> f64 {
    let Some(votes) = last_vote(m) else { return 0.0 };
    (m..=votes).map(|wrong| choose(votes, wrong) * power(phi, wrong) * power(1.0 - phi, votes - wrong)).sum()
}

/// The jobs that m-first voting takes for one task: it ends with the vote n that is the m-th of either kind.
#[must_use]
pub fn m_first_jobs(m: u32, phi: f64) -> f64 {
    let Some(votes) = last_vote(m) else { return 0.0 };
    let ends = |last: u32| {
        let (ways, others) = (choose(last - 1, m - 1), last - m);
        let wrong_wins = power(phi, m) * power(1.0 - phi, others);
        let right_wins = power(1.0 - phi, m) * power(phi, others);
        f64::from(last) * ways * (wrong_wins + right_wins)
    };
    (m..=votes).map(ends).sum()
}

/// The share of wrong answers after `jobs` jobs of each worker with spot-checks at the rate `checks` and a blacklist
/// (Sarmenta 2001): s f (1 - q s)^n / ((1 - f) + f (1 - q s)^n).
#[must_use]
pub fn spot_check_error(saboteurs: f64, sabotage: f64, checks: f64, jobs: u32) -> f64 {
    let left = saboteurs * power(1.0 - checks * sabotage, jobs);
    sabotage * left / ((1.0 - saboteurs) + left)
}

/// What [`spot_check_error`] stays below at every sabotage rate: f / (1 - f) / (q n e).
#[must_use]
pub fn spot_check_error_max(saboteurs: f64, checks: f64, jobs: u32) -> f64 {
    saboteurs / (1.0 - saboteurs) / (checks * f64::from(jobs) * E)
}

/// How probably an answer is right of a worker that has passed so many spot-checks (Sarmenta 2001): 1 - f if none; else
/// 1 - f / (1 - f) / (k e) if who fails one is blacklisted, 1 - f / k if not.
#[must_use]
pub fn credibility(saboteurs: f64, passed: u32, is_blacklisting: bool) -> f64 {
    match (passed, is_blacklisting) {
        (0, _) => 1.0 - saboteurs,
        (passed, true) => 1.0 - saboteurs / (1.0 - saboteurs) / (f64::from(passed) * E),
        (passed, false) => 1.0 - saboteurs / f64::from(passed),
    }
}

/// How probably each group of equal answers is the right one, given the credibilities of its workers (Sarmenta 2001):
/// Pg_a prod over i != a of Pb_i / (prod of all Pb + sum over j of Pg_j prod over i != j of Pb_i).
#[must_use]
pub fn group_credibilities(groups: &[&[f64]]) -> Vec<f64> {
    let good: Vec<f64> = groups.iter().map(|group| group.iter().product()).collect();
    let bad: Vec<f64> = groups.iter().map(|group| group.iter().map(|one| 1.0 - one).product()).collect();
    let alone = |a: usize| {
        let others = bad.iter().enumerate().filter(|(i, _)| *i != a).map(|(_, bad)| bad);
        good[a] * others.product::<f64>()
    };
    let each: Vec<f64> = (0..groups.len()).map(alone).collect();
    let all = bad.iter().product::<f64>() + each.iter().sum::<f64>();
    each.into_iter().map(|one| one / all).collect()
}

/// EigenTrust (Kamvar, Schlosser, Garcia-Molina 2003): t' = (1 - a) C^T t + a p, from t = p, so many rounds. C has
/// max(s, 0) over its row's sum; who trusts nobody trusts those that are trusted from the start.
///
/// `local[i][j]` is how content i is with j, `pretrusted` sums up to 1. What is missing in a short row is 0.
#[must_use]
pub fn eigentrust(local: &[Vec<f64>], pretrusted: &[f64], pull: f64, rounds: u32) -> Vec<f64> {
    let peers = pretrusted.len();
    let normal = |i: usize| {
        let row = local.get(i).map_or(&[][..], Vec::as_slice);
        let row: Vec<f64> = (0..peers).map(|j| row.get(j).map_or(0.0, |trust| trust.max(0.0))).collect();
        match row.iter().sum::<f64>() {
            sum if sum > 0.0 => row.iter().map(|trust| trust / sum).collect(),
            _ => pretrusted.to_vec(),
        }
    };
    let rows: Vec<Vec<f64>> = (0..peers).map(normal).collect();
    let next = |trust: Vec<f64>| -> Vec<f64> {
        let heard = |j: usize| rows.iter().zip(&trust).map(|(row, trust)| row[j] * trust).sum::<f64>();
        (0..peers).map(|j| (1.0 - pull) * heard(j) + pull * pretrusted[j]).collect()
    };
    (0..rounds).fold(pretrusted.to_vec(), |trust, _| next(trust))
}

/// The beta reputation of who was right `good` times and wrong `bad` times (Jøsang, Ismail 2002):
/// (r + 1) / (r + s + 2).
#[must_use]
pub fn beta_reputation(good: f64, bad: f64) -> f64 {
    (good + 1.0) / (good + bad + 2.0)
}

/// The evidence r and s after a list of judgements, the oldest first, when each new one leaves `memory` of the old.
#[must_use]
pub fn beta_evidence(memory: f64, judgements: &[bool]) -> (f64, f64) {
    judgements.iter().fold((0.0, 0.0), |(good, bad), is_right| {
        let one = |is_new| if is_new { 1.0 } else { 0.0 };
        (good * memory + one(*is_right), bad * memory + one(!is_right))
    })
}

/// The number of the vote with which an m-first vote has ended: 2m - 1.
fn last_vote(m: u32) -> Option<u32> {
    m.checked_mul(2)?.checked_sub(1)
}

/// C(n, k).
fn choose(n: u32, k: u32) -> f64 {
    (1..=k.min(n)).map(|i| f64::from(n - k.min(n) + i) / f64::from(i)).product()
}

/// The same on every machine, which `powi` is not.
fn power(base: f64, exponent: u32) -> f64 {
    let (mut result, mut square, mut left) = (1.0, base, exponent);
    while left > 0 {
        if left % 2 == 1 {
            result *= square;
        }
        square *= square;
        left /= 2;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(ours: f64, listed: f64, half_a_digit: f64) {
        assert!((ours - listed).abs() <= half_a_digit, "{ours} is not {listed}");
    }

    /// The project's reference on scheduling, "Redundancy and trust", as computed from Sarmenta 2001.
    #[test]
    fn m_first_has_the_listed_errors_and_jobs() {
        near(m_first_error(2, 0.1), 0.0280, 0.000_05);
        near(m_first_error(2, 0.35), 0.28175, 0.000_005);
        near(m_first_error(3, 0.2), 0.05792, 0.000_005);
        near(m_first_jobs(2, 0.1), 2.18, 0.005);
        assert_eq!([m_first_error(1, 0.3), m_first_jobs(1, 0.3), m_first_error(0, 0.3)], [0.3, 1.0, 0.0]);
    }

    /// The same reference.
    #[test]
    fn credibilities_have_the_listed_values() {
        let listed = [
            (0, 0.8),
            (1, 0.90803),
            (2, 0.95402),
            (5, 0.98161),
            (10, 0.99080),
            (50, 0.99816),
            (100, 0.99908),
        ];
        for (passed, value) in listed {
            near(credibility(0.2, passed, true), value, 0.000_005);
        }
        // 1 - f / k.
        near(credibility(0.2, 4, false), 0.95, 1e-12);
        near(credibility(0.2, 0, false), 0.8, 1e-12);
    }

    /// The same reference.
    #[test]
    fn groups_have_the_listed_values() {
        near(group_credibilities(&[&[0.8, 0.8]])[0], 0.94118, 0.000_005);
        let split = group_credibilities(&[&[0.8], &[0.8]]);
        near(split[0], 0.44444, 0.000_005);
        near(split[1], 0.44444, 0.000_005);
        let two_to_one = group_credibilities(&[&[0.8, 0.8], &[0.8]]);
        near(two_to_one[0], 0.76190, 0.000_005);
        near(two_to_one[1], 0.19048, 0.000_005);
    }

    #[test]
    fn spot_checks_keep_the_error_below_its_bound_at_every_sabotage_rate() {
        // By hand: 1 * .2 * .9 / (.8 + .2 * .9).
        near(spot_check_error(0.2, 1.0, 0.1, 1), 0.18 / 0.98, 1e-12);
        near(spot_check_error(0.2, 0.5, 0.1, 0), 0.1, 1e-12);
        let mut closest: f64 = 0.0;
        for (saboteurs, jobs) in [(0.05, 50), (0.2, 200), (0.35, 1000), (0.45, 10)] {
            let most = spot_check_error_max(saboteurs, 0.1, jobs);
            for percent in 1..=100 {
                let error = spot_check_error(saboteurs, f64::from(percent) / 100.0, 0.1, jobs);
                assert!(error < most);
                closest = closest.max(error / most);
            }
        }
        assert!(closest > 0.9, "a bound that is far off says little: {closest}");
    }

    #[test]
    fn eigentrust_has_the_fixed_points_found_by_hand() {
        // Two that trust each other, the first pretrusted, a = 1/2: t1 = t2/2 + 1/2, t2 = t1/2.
        let pair = eigentrust(&[vec![0.0, 3.0], vec![7.0, 0.0]], &[1.0, 0.0], 0.5, 100);
        near(pair[0], 2.0 / 3.0, 1e-12);
        near(pair[1], 1.0 / 3.0, 1e-12);
        // Bad opinions count as none, and who has none follows the pretrusted ones; a = 1/5: t1 = .2 + .8 (t2 + t3) = 1 - .8 t1.
        let three = eigentrust(&[vec![0.0, 1.0, -5.0], vec![1.0], vec![]], &[1.0, 0.0, 0.0], 0.2, 200);
        near(three[0], 1.0 / 1.8, 1e-12);
        near(three[1], 0.8 / 1.8, 1e-12);
        assert_eq!(three[2], 0.0);
        assert!(eigentrust(&[], &[], 0.2, 3).is_empty());
    }

    /// The worked values follow from the definitions of Jøsang and Ismail 2002, sections 2 and 4.
    #[test]
    fn beta_reputation_weighs_and_forgets() {
        assert_eq!(beta_reputation(0.0, 0.0), 0.5);
        assert_eq!(beta_reputation(8.0, 2.0), 0.75);
        assert_eq!(beta_evidence(1.0, &[true, true, false]), (2.0, 1.0));
        assert_eq!(beta_evidence(0.5, &[true, true, false]), (0.75, 1.0));
        // With forgetting, evidence never exceeds 1 / (1 - memory).
        near(beta_evidence(0.98, &[true; 2000]).0, 50.0, 1e-9);
    }
}
