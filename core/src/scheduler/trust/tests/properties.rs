//! What holds of every policy, whatever workers do.

use proptest::prelude::*;

use super::model::{Model, moments};
use super::*;
use crate::contract::{Dice, Keys, Life, NodeId};
use crate::settings::Probability;

const WORKERS: u64 = 8;

/// Something that happens to a hub with one open task.
#[derive(Clone, Debug)]
enum Event {
    Draw(u64),
    Answer(u64, u8),
    Lapse(u64),
    Check(u64, bool),
    Look,
    Open(Option<u32>),
}

fn event() -> impl Strategy<Value = Event> {
    let who = 0..WORKERS;
    prop_oneof![
        4 => who.clone().prop_map(Event::Draw),
        // 0 is nothing.
        4 => (who.clone(), 0_u8..4).prop_map(|(who, answer)| Event::Answer(who, answer)),
        1 => who.clone().prop_map(Event::Lapse),
        1 => (who, any::<bool>()).prop_map(|(who, right)| Event::Check(who, right)),
        3 => Just(Event::Look),
        1 => prop::option::of(0_u32..100).prop_map(Event::Open),
    ]
}

fn parameters() -> impl Strategy<Value = Parameters> {
    let validation = prop::sample::select(Validation::ALL);
    (validation, 1_u32..6, 1_u32..8, 0_u32..=10, any::<bool>()).prop_map(
        |(validation, several, copies, tenths, blacklist)| Parameters {
            overlap: several,
            matches: several,
            quorum: several,
            copies,
            quota: several,
            threshold: Probability::of(f64::from(tenths) / 10.0),
            memory: Probability::of(f64::from(tenths) / 10.0),
            blacklist,
            prior: Probability::of(f64::from(tenths) * 0.09),
            gain: 3.0,
            loss: 4.0,
            ..named(validation)
        },
    )
}

fn assert_in_range(policy: &Policy, standing: &Standing) {
    assert!((Fixed::of(1.0)..=Fixed::of(10.0)).contains(&standing.trust));
    assert!(standing.quota >= 1 && policy.rating(standing) <= Fixed::ONE);
    assert!(standing.reputation() > Fixed::ZERO && standing.reputation() < Fixed::ONE);
    assert!(!standing.blacklisted || standing.passed == 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn numbers_stay_in_range_nobody_votes_twice_and_what_is_decided_stays(
        parameters in parameters(),
        events in prop::collection::vec(event(), 1..120),
        seed in 0_u64..1000,
    ) {
        let (policy, comparator, keys) = (Policy::new(&parameters), Comparator::Exact, Keys::from_seed(seed));
        let (mut book, mut votes) = (policy.book(), Votes::default());
        let (mut judged, mut decided) = (Vec::new(), None);
        for (at, event) in (0..).zip(events) {
            let before = votes.clone();
            match event {
                Event::Draw(who) => {
                    let mut dice = Dice::new(&keys, NodeId(0), Life(0), at);
                    let draw = policy.draw(&mut book, &mut votes, Identity(who), at / 16, &mut dice);
                    let seats = |votes: &Votes| votes.seats().count();
                    prop_assert_eq!(seats(&votes) - seats(&before), usize::from(draw == Draw::Work));
                    prop_assert!(draw == Draw::Work || votes == before);
                    prop_assert!(seats(&votes) <= parameters.copies as usize);
                }
                Event::Answer(who, answer) => {
                    let asked = before.seats().any(|(other, seat)| {
                        other.0 == who && !matches!(seat, Seat::Answered { .. })
                    });
                    let bytes = vec![answer; usize::from(answer > 0)];
                    let taken = votes.record(Identity(who), comparator.read(&bytes));
                    prop_assert_eq!(taken.is_ok(), asked);
                }
                Event::Lapse(who) => policy.lapse(&mut book, &mut votes, Identity(who)),
                Event::Check(who, right) => policy.check(&mut book, Identity(who), right),
                Event::Open(overlap) => {
                    votes = Votes::new(overlap);
                    (judged, decided) = (Vec::new(), None);
                }
                Event::Look => match policy.verdict(&book, &votes, &comparator) {
                    Verdict::Accept(accepted) => {
                        prop_assert_eq!(*decided.get_or_insert(accepted), accepted);
                        prop_assert!(accepted.confidence <= Fixed::ONE);
                        prop_assert!(votes.answer(accepted.answer).is_some_and(|answer| *answer != Answer::Nothing));
                        for (who, _) in policy.settle(&mut book, &mut votes, accepted, &comparator) {
                            prop_assert!(!judged.contains(&who));
                            judged.push(who);
                        }
                    }
                    Verdict::Ask(more) => {
                        prop_assert_eq!(decided, None);
                        let waits = votes.seats().any(|(_, seat)| *seat == Seat::Asked);
                        prop_assert!(more > 0 || waits);
                        prop_assert!(votes.seats().count() + more as usize <= parameters.copies as usize);
                    }
                    Verdict::Fail(_) => prop_assert_eq!(decided, None),
                },
            }
            book.standings().for_each(|(_, standing)| assert_in_range(&policy, standing));
        }
        let bytes = postcard::to_allocvec(&(&book, &votes)).expect("it encodes");
        prop_assert_eq!(postcard::from_bytes(&bytes), Ok((book, votes)));
    }

    /// What `districloud` and `quorum` promise: the same answer and the same book in every order.
    #[test]
    fn of_a_fixed_overlap_the_order_of_answers_decides_nothing(
        (answers, order) in prop::collection::vec(0_u8..3, 1..8).prop_flat_map(|answers| {
            let order: Vec<usize> = (0..answers.len()).collect();
            (Just(answers), Just(order).prop_shuffle())
        }),
        trusts in prop::collection::vec(10_u32..=100, 8),
        is_quorum in any::<bool>(),
    ) {
        let validation = if is_quorum { Validation::Quorum } else { Validation::Districloud };
        let policy = Policy::new(&named(validation));
        let (keys, comparator) = (Keys::from_seed(1), Comparator::Exact);
        let end = |order: &mut dyn Iterator<Item = usize>| {
            let mut book = policy.book();
            let mut votes = Votes::new(Some(answers.len() as u32));
            for (who, tenths) in (0..).map(Identity).zip(&trusts).take(answers.len()) {
                policy.introduce(&mut book, who, Fixed::of(f64::from(*tenths) / 10.0));
                let mut dice = Dice::new(&keys, NodeId(0), Life(0), 0);
                assert_eq!(policy.draw(&mut book, &mut votes, who, 0, &mut dice), Draw::Work);
            }
            let mut end = None;
            for at in order {
                votes.record(Identity(at as u64), comparator.read(&[answers[at]])).expect("it was asked");
                if let Verdict::Accept(accepted) = policy.verdict(&book, &votes, &comparator) {
                    policy.settle(&mut book, &mut votes, accepted, &comparator);
                    end = votes.answer(accepted.answer).cloned();
                }
            }
            let failed = matches!(policy.verdict(&book, &votes, &comparator), Verdict::Fail(_));
            (end, failed, book)
        };
        let (in_order, shuffled) = (end(&mut (0..answers.len())), end(&mut order.iter().copied()));
        prop_assert!(in_order.0.is_some() != in_order.1);
        prop_assert_eq!(in_order, shuffled);
    }

    /// Fixed point against the formulas in floats, for any workers with any number of spot-checks.
    #[test]
    fn the_credibility_of_an_answer_is_that_of_the_formula(
        groups in prop::collection::vec(prop::collection::vec(0_u32..6, 1..4), 1..4),
        percent in 5_u32..45,
        blacklist in any::<bool>(),
    ) {
        let prior = f64::from(percent) / 100.0;
        let parameters = Parameters {
            prior: Probability::of(prior),
            confidence: Probability::of(0.5),
            spot_checks: Probability::NEVER,
            blacklist,
            ..named(Validation::Credibility)
        };
        let (policy, comparator, keys) = (Policy::new(&parameters), Comparator::Exact, Keys::from_seed(1));
        let (mut book, mut votes, mut who) = (policy.book(), Votes::default(), 0);
        for (answer, group) in (1..).zip(&groups) {
            for passed in group {
                let mut dice = Dice::new(&keys, NodeId(0), Life(0), 0);
                assert_eq!(policy.draw(&mut book, &mut votes, Identity(who), 0, &mut dice), Draw::Work);
                (0..*passed).for_each(|_| policy.check(&mut book, Identity(who), true));
                votes.record(Identity(who), comparator.read(&[answer])).expect("it was asked");
                who += 1;
            }
        }
        let credibilities: Vec<Vec<f64>> = groups
            .iter()
            .map(|group| group.iter().map(|passed| {
                formulas::credibility(prior, *passed, blacklist).max(1.0 - prior)
            }).collect())
            .collect();
        let slices: Vec<&[f64]> = credibilities.iter().map(Vec::as_slice).collect();
        let best = formulas::group_credibilities(&slices).into_iter().fold(0.0, f64::max);
        match policy.verdict(&book, &votes, &comparator) {
            Verdict::Accept(accepted) => prop_assert!((accepted.confidence.value() - best).abs() < 1e-6),
            _ => prop_assert!(best < 0.5 + 1e-6),
        }
    }
}

#[test]
fn with_honest_workers_every_policy_accepts_right_answers_only() {
    for validation in Validation::ALL {
        let saboteur = Saboteur::Independent { rate: Probability::ALWAYS };
        let model =
            Model { parameters: named(*validation), workers: 20, saboteurs: 0, saboteur, tasks: 1000 };
        let outcome = model.run(1);
        assert_eq!((outcome.accepted, outcome.wrong, outcome.blacklisted), (1000, 0, 0), "{validation}");
    }
}

/// With and without a blacklist, for each fraction of saboteurs and rate of sabotage: the mean of 20 independent seeds is
/// below the bound by so many standard errors that a policy just at the bound would pass with a probability of 0.0001 at
/// most (Student's t with 19 degrees of freedom is 4.590). The standard error is that of the seeds, and at least that of
/// independent errors at the bound, so that seeds without any error prove no more than they can.
#[test]
fn credibility_keeps_the_accepted_error_below_its_bound() {
    const SEEDS: u64 = 20;
    const TASKS: u64 = 500;
    const T: f64 = 4.590;
    for percent in [5, 20, 35, 45] {
        for (sabotage, blacklist) in [0.02, 0.1, 0.3, 1.0].into_iter().flat_map(|s| [(s, true), (s, false)]) {
            let prior = Probability::of(percent as f64 / 100.0);
            let parameters = Parameters { prior, blacklist, ..named(Validation::Credibility) };
            let bound = 1.0 - parameters.confidence.value();
            let saboteur = Saboteur::Colluding { rate: Probability::of(sabotage), ring: 0 };
            let model = Model { parameters, workers: 100, saboteurs: percent, saboteur, tasks: TASKS };
            let outcomes: Vec<_> = (0..SEEDS).map(|seed| model.run(100 + seed)).collect();
            assert!(outcomes.iter().all(|outcome| outcome.accepted == TASKS));
            let errors: Vec<f64> =
                outcomes.iter().map(|outcome| outcome.wrong as f64 / TASKS as f64).collect();
            let (mean, deviation) = moments(&errors);
            let least = (bound * (1.0 - bound) / TASKS as f64).sqrt();
            let standard_error = deviation.max(least) / (SEEDS as f64).sqrt();
            let cell = format!("f {percent} %, s {sabotage}, blacklist {blacklist}");
            assert!(mean + T * standard_error < bound, "{cell}: {mean}, standard error {standard_error}");
        }
    }
}
