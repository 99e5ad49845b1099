//! The independent model of the policies: workers drawn uniformly, one task after the other, no timing.

use super::*;
use crate::contract::{Dice, Keys, Life, NodeId};

/// Attempts at one task before the model gives it up.
const ATTEMPTS_MAX: u32 = 100;
/// So many tasks are a day.
const DAY: u64 = 50;

/// A pool of workers, the first of which are saboteurs.
pub(super) struct Model {
    pub(super) parameters: Parameters,
    pub(super) workers: u64,
    pub(super) saboteurs: u64,
    pub(super) saboteur: Saboteur,
    pub(super) tasks: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) accepted: u64,
    pub(super) wrong: u64,
    /// Work and spot-checks, also of attempts that failed.
    pub(super) jobs: u64,
    pub(super) blacklisted: u64,
    /// Honest ones among them.
    pub(super) wronged: u64,
}

impl Model {
    pub(super) fn run(&self, seed: u64) -> Outcome {
        let policy = Policy::new(&self.parameters);
        let (keys, mut book) = (Keys::from_seed(seed), policy.book());
        let mut outcome = Outcome::default();
        for task in 0..self.tasks {
            let mut dice = Dice::new(&keys, NodeId(0), Life(0), task);
            for _ in 0..ATTEMPTS_MAX {
                if let Some(is_right) = self.attempt(&policy, &mut book, task, &mut dice, &mut outcome.jobs) {
                    outcome.accepted += 1;
                    outcome.wrong += u64::from(!is_right);
                    break;
                }
            }
        }
        for (who, _) in book.standings().filter(|(_, standing)| standing.blacklisted) {
            outcome.blacklisted += 1;
            outcome.wronged += u64::from(who.0 >= self.saboteurs);
        }
        outcome
    }

    /// Whether the accepted answer is right; none if the task failed.
    fn attempt(
        &self,
        policy: &Policy,
        book: &mut TrustBook,
        task: u64,
        dice: &mut Dice<'_>,
        jobs: &mut u64,
    ) -> Option<bool> {
        let comparator = Comparator::of(&self.parameters);
        let right = task.to_string();
        let mut votes = Votes::default();
        loop {
            let more = match policy.verdict(book, &votes, &comparator) {
                Verdict::Accept(accepted) => {
                    policy.settle(book, &mut votes, accepted, &comparator);
                    return Some(votes.answer(accepted.answer) == Some(&comparator.read(right.as_bytes())));
                }
                Verdict::Fail(_) => return None,
                Verdict::Ask(more) => more,
            };
            let mut asked = Vec::new();
            while asked.len() < more as usize {
                let who = Identity(dice.below(self.workers));
                match policy.draw(book, &mut votes, who, task / DAY, dice) {
                    Draw::Work => asked.push(who),
                    Draw::SpotCheck => {
                        *jobs += 1;
                        let is_right = self.answer(who, right.as_bytes(), dice) == right.as_bytes();
                        policy.check(book, who, is_right);
                    }
                    Draw::Refused(Refused::Seated | Refused::Blacklisted | Refused::Quota) => {}
                    Draw::Refused(refused) => panic!("{refused} though more were asked for"),
                }
            }
            for who in asked {
                *jobs += 1;
                let answer = comparator.read(&self.answer(who, right.as_bytes(), dice));
                votes.record(who, answer).expect("it was asked and has not answered");
            }
        }
    }

    fn answer(&self, who: Identity, right: &[u8], dice: &mut Dice<'_>) -> Vec<u8> {
        if who.0 >= self.saboteurs {
            return right.to_vec();
        }
        let moment = Moment { me: who, nth: 0, is_distrusted: false };
        self.saboteur.answer(right, moment, dice).answer.unwrap_or_default()
    }
}

/// Mean and standard deviation of the seeds.
pub(super) fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}
