//! Each policy's rule, case by case.

use super::*;
use crate::contract::{Dice, Keys, Life, NodeId};
use crate::settings::{Node, Probability, Span, Table, Value, read};

const EXACT: Comparator = Comparator::Exact;

/// A hub with one open task.
struct Hub {
    policy: Policy,
    book: TrustBook,
    votes: Votes,
    draws: u64,
}

impl Hub {
    fn new(parameters: &Parameters) -> Self {
        let policy = Policy::new(parameters);
        Self { book: policy.book(), policy, votes: Votes::default(), draws: 0 }
    }

    fn open(&mut self, overlap: Option<u32>) {
        self.votes = Votes::new(overlap);
    }

    fn draw_on(&mut self, day: u64, who: u64) -> Draw {
        let keys = Keys::from_seed(5);
        let mut dice = Dice::new(&keys, NodeId(0), Life(0), self.draws);
        self.draws += 1;
        self.policy.draw(&mut self.book, &mut self.votes, Identity(who), day, &mut dice)
    }

    fn draw(&mut self, who: u64) -> Draw {
        self.draw_on(0, who)
    }

    fn answer(&mut self, who: u64, text: &str) {
        self.votes.record(Identity(who), EXACT.read(text.as_bytes())).expect("it was asked");
    }

    /// Asks a worker and takes its answer.
    fn vote(&mut self, who: u64, text: &str) {
        assert_eq!(self.draw(who), Draw::Work);
        self.answer(who, text);
    }

    fn verdict(&self) -> Verdict {
        self.policy.verdict(&self.book, &self.votes, &EXACT)
    }

    /// The accepted answer's worker and the confidence in billionths; judges all by it.
    fn settle(&mut self) -> (u64, u64, Vec<(u64, Judgement)>) {
        let Verdict::Accept(accepted) = self.verdict() else { panic!("{:?}", self.verdict()) };
        let judged = self.policy.settle(&mut self.book, &mut self.votes, accepted, &EXACT);
        let judged = judged.into_iter().map(|(who, judgement)| (who.0, judgement)).collect();
        (accepted.answer.0, accepted.confidence.0, judged)
    }

    fn standing(&self, who: u64) -> &Standing {
        self.book.standing(Identity(who))
    }
}

fn without_spot_checks() -> Parameters {
    Parameters { spot_checks: Probability::NEVER, ..named(Validation::Credibility) }
}

#[test]
fn policies_go_by_name_and_what_cannot_work_is_refused() {
    let table = |entries: &[(&str, Value)]| {
        let mut table = Table::default();
        for (at, (key, value)) in (0..).zip(entries) {
            let span = Span { source: 0, start: at, end: at };
            table.insert(key, span, Node { span, value: value.clone() });
        }
        read::<Parameters>(&Node::unwritten(Value::Table(table))).map_err(|problems| problems.to_string())
    };
    let names =
        ["none", "districloud", "m-first", "quorum", "boinc-adaptive", "credibility", "beta-reputation"];
    for (name, validation) in names.into_iter().zip(Validation::ALL) {
        let parameters = table(&[("validation", Value::Text(name.into()))]);
        assert_eq!(parameters.map(|parameters| parameters.validation), Ok(*validation));
    }
    let tolerance = [("compare", Value::Text("tolerance".into())), ("absolute", Value::Text("0.25".into()))];
    let comparator = table(&tolerance).map(|parameters| Comparator::of(&parameters));
    assert!(
        comparator
            .is_ok_and(|comparator| comparator.agree(&comparator.read(b"1"), &comparator.read(b"1.25")))
    );
    for (key, value) in [
        ("validation", Value::Text("trust-me".into())),
        ("trust", Value::Number(0.5)),
        ("highest", Value::Number(4.5)),
        ("confidence", Value::Number(1.0)),
        ("matches", Value::Integer(0)),
        ("absolute", Value::Text("1e-3".into())),
    ] {
        assert!(table(&[(key, value)]).is_err(), "{key}");
    }
    let crowded = [
        ("validation", Value::Text("m-first".into())),
        ("matches", Value::Integer(5)),
        ("copies", Value::Integer(4)),
    ];
    assert!(table(&crowded).is_err_and(|problems| problems.contains("copies")));
}

#[test]
fn the_verdict_of_a_new_task_is_how_many_copies_to_issue_first() {
    let first = [1, 3, 2, 3, 1, 1, 1];
    for (validation, copies) in Validation::ALL.iter().zip(first) {
        let mut hub = Hub::new(&named(*validation));
        assert_eq!(hub.verdict(), Verdict::Ask(copies), "{validation}");
        // Only a fixed overlap is for a task to choose; what is out is not asked for again.
        hub.open(Some(5));
        let own = if matches!(validation, Validation::Districloud | Validation::Quorum) { 5 } else { copies };
        assert_eq!(hub.verdict(), Verdict::Ask(own), "{validation}");
    }
}

/// DistriCloud's experiment E1: five nodes, two honest ones at trust 7, three malicious at trust 3: 14 / 23 = 0.6087 is at
/// least 0.6, so it is validated, with a score of 6.087.
#[test]
fn districloud_validates_what_two_trusted_nodes_say_against_three_others() {
    let mut hub = Hub::new(&Parameters { overlap: 5, ..named(Validation::Districloud) });
    for (who, trust, text) in [(0, 7.0, "a"), (1, 7.0, "a"), (2, 3.0, "b"), (3, 3.0, "b"), (4, 3.0, "b")] {
        assert!(hub.policy.introduce(&mut hub.book, Identity(who), Fixed::of(trust)));
        assert!(matches!(hub.verdict(), Verdict::Ask(more) if u64::from(more) == 5 - who));
        hub.vote(who, text);
    }
    let (answer, confidence, judged) = hub.settle();
    assert_eq!((answer, confidence), (0, 14 * 1_000_000_000 / 23));
    assert_eq!(
        format!("{:.4} {:.3}", Fixed(confidence).value(), Fixed(confidence).value() * 10.0),
        "0.6087 6.087"
    );
    let (yes, no) = (Judgement::Confirmed, Judgement::Refuted);
    assert_eq!(judged, [(0, yes), (1, yes), (2, no), (3, no), (4, no)]);
    let trusts: Vec<f64> = (0..5).map(|who| hub.standing(who).trust.value()).collect();
    assert_eq!(trusts, [7.1, 7.1, 2.8, 2.8, 2.8]);
}

#[test]
fn districloud_waits_for_all_and_a_failed_task_changes_no_trust() {
    let mut hub = Hub::new(&Parameters { overlap: 3, ..named(Validation::Districloud) });
    hub.vote(0, "a");
    hub.vote(1, "a");
    assert_eq!(hub.draw(2), Draw::Work);
    assert_eq!(hub.verdict(), Verdict::Ask(0));
    // Empty outputs fill a place and are not counted.
    hub.answer(2, "");
    assert_eq!(hub.settle().1, 1_000_000_000);
    assert_eq!(hub.standing(2).trust, Fixed::of(4.8));

    let before = hub.book.clone();
    hub.open(Some(2));
    hub.vote(3, "a");
    hub.vote(4, "b");
    assert_eq!(hub.verdict(), Verdict::Fail(Reason::Divided));
    hub.open(Some(1));
    hub.vote(3, "");
    assert_eq!(hub.verdict(), Verdict::Fail(Reason::Silent));
    assert!([0, 1, 2, 3, 4].iter().all(|who| hub.standing(*who) == before.standing(Identity(*who))));

    // Exactly 0.6 is enough: three of five that are trusted alike.
    hub.open(Some(5));
    for (who, text) in [(5, "a"), (6, "a"), (7, "b"), (8, "a"), (9, "b")] {
        hub.vote(who, text);
    }
    assert_eq!(hub.settle().1, 600_000_000);
    // Who runs a task alone is rewarded, too.
    hub.open(Some(1));
    hub.vote(10, "lie");
    assert_eq!(hub.settle().2, [(10, Judgement::Confirmed)]);
    assert_eq!(hub.standing(10).trust, Fixed::of(5.1));
}

#[test]
fn m_first_ends_with_the_first_answer_that_m_give() {
    let mut hub = Hub::new(&Parameters { matches: 3, ..named(Validation::MFirst) });
    for (who, text, asked) in [(0, "a", 2), (1, "b", 2), (2, "b", 1), (3, "a", 1)] {
        hub.vote(who, text);
        assert_eq!(hub.verdict(), Verdict::Ask(asked));
    }
    hub.vote(4, "b");
    let (yes, no) = (Judgement::Confirmed, Judgement::Refuted);
    assert_eq!(hub.settle().2, [(0, no), (1, yes), (2, yes), (3, no), (4, yes)]);
}

#[test]
fn a_late_answer_is_compared_and_nobody_is_judged_or_asked_twice() {
    let mut hub = Hub::new(&Parameters { overlap: 3, ..named(Validation::Quorum) });
    for who in 0..3 {
        assert_eq!(hub.draw(who), Draw::Work);
        assert_eq!(hub.draw(who), Draw::Refused(Refused::Seated));
    }
    hub.policy.lapse(&mut hub.book, &mut hub.votes, Identity(0));
    hub.policy.lapse(&mut hub.book, &mut hub.votes, Identity(0));
    assert_eq!((hub.standing(0).lapses, hub.verdict()), (1, Verdict::Ask(1)));
    assert_eq!(hub.draw(0), Draw::Refused(Refused::Seated));
    hub.answer(1, "a");
    hub.answer(2, "a");
    let (accepted, confidence, judged) = hub.settle();
    assert_eq!((confidence, judged.len()), (1_000_000_000, 2));
    assert_eq!(hub.draw(3), Draw::Refused(Refused::Closed));

    hub.answer(0, "b");
    assert_eq!(hub.votes.record(Identity(0), EXACT.read(b"a")), Err(Misplaced::Again));
    assert_eq!(hub.votes.record(Identity(9), EXACT.read(b"a")), Err(Misplaced::NotAsked));
    assert_eq!(hub.settle(), (accepted, confidence, vec![(0, Judgement::Refuted)]));
    assert_eq!(hub.settle().2, []);
    assert_eq!((hub.standing(0).invalid, hub.standing(1).valid), (1, 1));
}

#[test]
fn a_quorum_is_more_than_half_of_the_overlap() {
    let mut hub = Hub::new(&Parameters { overlap: 4, ..named(Validation::Quorum) });
    for (who, text) in [(0, "a"), (1, "b"), (2, "a")] {
        hub.vote(who, text);
        assert_eq!(hub.verdict(), Verdict::Ask(3 - who as u32));
    }
    hub.vote(3, "b");
    assert_eq!(hub.verdict(), Verdict::Fail(Reason::Divided));
    hub.open(Some(1));
    hub.vote(0, "a");
    // One's own word is no evidence for oneself.
    assert_eq!(hub.settle().2, [(0, Judgement::Unconfirmed)]);
    assert_eq!((hub.standing(0).trust, hub.standing(0).streak), (Fixed::of(5.0), 0));
    // Nothing is no answer: others are asked, as long as there are any.
    let mut hub = Hub::new(&Parameters { overlap: 1, copies: 2, ..named(Validation::Quorum) });
    hub.vote(0, "");
    assert_eq!(hub.verdict(), Verdict::Ask(1));
    hub.vote(1, "");
    assert_eq!(hub.verdict(), Verdict::Fail(Reason::Exhausted));
    assert_eq!(hub.draw(2), Draw::Refused(Refused::Closed));
}

#[test]
fn boinc_replicates_jobs_of_hosts_that_were_not_right_ten_times_in_a_row() {
    let mut hub = Hub::new(&named(Validation::BoincAdaptive));
    for round in 0..10 {
        assert_eq!(hub.standing(0).streak, round);
        hub.open(None);
        hub.vote(0, "a");
        assert_eq!(hub.verdict(), Verdict::Ask(1));
        hub.vote(1, "a");
        hub.settle();
    }
    // From now on, one time in ten: 100 of 1,000 with a standard deviation of 9.5; 5 of them either way.
    let mut replicated = 0;
    for day in 0..1000 {
        hub.open(None);
        assert_eq!(hub.draw_on(day, 0), Draw::Work);
        hub.answer(0, "a");
        match hub.verdict() {
            Verdict::Ask(1) => replicated += 1,
            _ => assert_eq!(hub.settle().2, [(0, Judgement::Unconfirmed)]),
        }
    }
    assert!((53..=147).contains(&replicated), "{replicated}");
    assert_eq!(hub.standing(0).streak, 10);

    // A newcomer that takes over raises the copies to the quorum.
    hub.open(None);
    while hub.votes.need != Some(1) {
        hub.open(None);
        assert_eq!(hub.draw_on(2000 + hub.draws, 0), Draw::Work);
    }
    hub.policy.lapse(&mut hub.book, &mut hub.votes, Identity(0));
    assert_eq!((hub.standing(0).streak, hub.verdict()), (0, Verdict::Ask(1)));
    hub.vote(2, "a");
    assert_eq!(hub.verdict(), Verdict::Ask(1));
}

#[test]
fn the_daily_quota_follows_what_a_host_returns_and_never_falls_below_one() {
    let mut hub = Hub::new(&Parameters { quota: 3, ..named(Validation::BoincAdaptive) });
    for _ in 0..3 {
        hub.open(None);
        hub.vote(0, "a");
    }
    hub.open(None);
    assert_eq!(hub.draw_on(0, 0), Draw::Refused(Refused::Quota));
    for day in 1..6 {
        hub.open(None);
        assert_eq!(hub.draw_on(day, 0), Draw::Work);
        hub.policy.lapse(&mut hub.book, &mut hub.votes, Identity(0));
    }
    assert_eq!(hub.standing(0).quota, 1);
    hub.open(None);
    assert_eq!(hub.draw_on(6, 0), Draw::Work);
    hub.answer(0, "a");
    hub.vote(1, "a");
    hub.vote(2, "b");
    hub.settle();
    assert_eq!([0, 1, 2].map(|who| hub.standing(who).quota), [2, 4, 2]);
}

#[test]
fn credibility_asks_until_enough_credible_workers_agree() {
    let mut hub = Hub::new(&without_spot_checks());
    // At f = 0.2, {.8, .8, .8} is .9846, {.8 x 4} is .9961.
    for who in 0..3 {
        hub.vote(who, "a");
        assert_eq!(hub.verdict(), Verdict::Ask(1));
    }
    hub.vote(3, "a");
    assert_eq!(hub.settle().1, 256 * 1_000_000_000 / 257);
    // After ten spot-checks, a worker is credible enough alone: .99080.
    for _ in 0..10 {
        hub.policy.check(&mut hub.book, Identity(0), true);
    }
    hub.open(None);
    hub.vote(0, "a");
    assert_eq!(hub.settle().2, [(0, Judgement::Unconfirmed)]);
    assert_eq!(hub.policy.rating(hub.standing(0)), Fixed(990_803_014));
}

#[test]
fn who_fails_a_spot_check_is_out_and_its_votes_count_no_more() {
    let mut hub = Hub::new(&without_spot_checks());
    for (who, text) in [(0, "lie"), (1, "a"), (2, "lie"), (3, "a")] {
        hub.vote(who, text);
    }
    for who in [0, 2] {
        hub.policy.check(&mut hub.book, Identity(who), false);
    }
    assert_eq!(hub.verdict(), Verdict::Ask(1));
    hub.vote(4, "a");
    hub.vote(5, "a");
    assert_eq!(hub.settle().1, 256 * 1_000_000_000 / 257);
    hub.open(None);
    assert_eq!(hub.draw(0), Draw::Refused(Refused::Blacklisted));
    assert_eq!(hub.policy.rating(hub.standing(0)), Fixed::ZERO);
    // Under a new name it is a newcomer.
    assert_eq!(hub.standing(100), hub.policy.book().standing(Identity(0)));

    let mut hub = Hub::new(&Parameters { blacklist: false, ..without_spot_checks() });
    hub.vote(0, "a");
    for right in [true, true, true, true] {
        hub.policy.check(&mut hub.book, Identity(0), right);
    }
    assert_eq!(hub.policy.rating(hub.standing(0)), Fixed::of(0.95));
    hub.policy.check(&mut hub.book, Identity(0), false);
    assert_eq!(hub.policy.rating(hub.standing(0)), Fixed::of(0.8));
    hub.open(None);
    assert_eq!(hub.draw(0), Draw::Work);
}

#[test]
fn neither_who_dissents_nor_who_was_found_out_confirms_an_answer() {
    let mut hub = Hub::new(&without_spot_checks());
    assert_eq!(hub.draw(0), Draw::Work);
    (0..60).for_each(|_| hub.policy.check(&mut hub.book, Identity(0), true));
    // Odds of 652 against 4.
    hub.open(None);
    hub.vote(1, "lie");
    hub.vote(0, "a");
    assert_eq!(hub.settle().2, [(0, Judgement::Unconfirmed), (1, Judgement::Refuted)]);

    hub.open(None);
    hub.vote(2, "a");
    hub.policy.check(&mut hub.book, Identity(2), false);
    hub.vote(0, "a");
    assert_eq!(hub.settle().2, [(0, Judgement::Unconfirmed), (2, Judgement::Unconfirmed)]);
}

#[test]
fn where_nobody_is_left_to_ask_spot_checks_decide() {
    let mut hub = Hub::new(&without_spot_checks());
    for (who, text) in [(0, "a"), (1, "a"), (2, "a"), (3, "lie")] {
        hub.vote(who, text);
    }
    // {.8, .8, .8} against {.8} is 64 / 69.
    assert_eq!(hub.verdict(), Verdict::Ask(1));
    assert!(hub.policy.learns_from_checks());
    let mut rounds = 0;
    while hub.verdict() == Verdict::Ask(1) {
        (0..4).for_each(|who| hub.policy.check(&mut hub.book, Identity(who), true));
        rounds += 1;
    }
    // A liar that passes them all is outvoted: 9.87^3 against 9.87 is 0.9889, 20.7^3 against 20.7 is 0.9977.
    assert_eq!((rounds, hub.settle().0), (2, 0));
    assert_eq!(hub.standing(3).invalid, 1);
}

/// 200 of 2,000 with a standard deviation of 13.4: 5 of them either way.
#[test]
fn spot_checks_come_at_their_rate_and_take_no_seat() {
    let mut hub = Hub::new(&named(Validation::Credibility));
    let mut checks = 0;
    for who in 0..2000 {
        hub.open(None);
        let draw = hub.draw(who);
        checks += u32::from(draw == Draw::SpotCheck);
        assert_eq!(hub.votes.seats().count(), usize::from(draw == Draw::Work));
    }
    assert!((133..=267).contains(&checks), "{checks}");
}

#[test]
fn reputation_needs_weight_and_fades() {
    let mut hub = Hub::new(&Parameters { audits: Probability::NEVER, ..named(Validation::BetaReputation) });
    hub.vote(0, "a");
    assert_eq!(hub.verdict(), Verdict::Ask(1));
    hub.vote(1, "a");
    assert_eq!(hub.settle().1, 1_000_000_000);
    // (1 + 1) / (1 + 2).
    assert_eq!(hub.standing(0).reputation(), Fixed(666_666_666));
    let mut rounds = 1;
    while hub.standing(0).reputation() < Fixed::of(0.95) {
        hub.open(None);
        hub.vote(0, "a");
        hub.vote(1, "a");
        hub.settle();
        rounds += 1;
    }
    // As `formulas` has it: 24 right answers, each leaving 0.98 of what was before.
    let (good, bad) = formulas::beta_evidence(0.98, &vec![true; rounds]);
    let expected = formulas::beta_reputation(good, bad);
    assert!((hub.standing(0).reputation().value() - expected).abs() < 1e-6);
    assert!(formulas::beta_reputation(formulas::beta_evidence(0.98, &vec![true; rounds - 1]).0, 0.0) < 0.95);
    // Alone it is believed, and earns nothing by it.
    let before = hub.standing(0).reputation();
    hub.open(None);
    hub.vote(0, "lie");
    assert_eq!(hub.settle().2, [(0, Judgement::Unconfirmed)]);
    assert_eq!(hub.standing(0).reputation(), before);

    let mut hub = Hub::new(&Parameters {
        audits: Probability::ALWAYS,
        weight: 0.0,
        ..named(Validation::BetaReputation)
    });
    hub.vote(0, "a");
    assert_eq!(hub.verdict(), Verdict::Ask(1));
}

#[test]
fn a_full_book_gives_newcomers_no_work() {
    let mut hub = Hub::new(&Parameters { identities: 2, ..named(Validation::None) });
    for (who, draw) in [(0, Draw::Work), (1, Draw::Work), (2, Draw::Refused(Refused::Full)), (1, Draw::Work)]
    {
        hub.open(None);
        assert_eq!(hub.draw(who), draw);
    }
    assert!(!hub.policy.introduce(&mut hub.book, Identity(2), Fixed::ONE));
    assert_eq!(hub.book.standings().count(), 2);
}
