//! What is known of one task: who was asked, what they said, what was accepted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use smallvec::SmallVec;

use super::answer::Answer;
use super::book::Identity;
use super::fixed::Fixed;

/// A worker's place in a task. It has one at most, and keeps it: nobody votes twice.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Seat {
    /// It has the task.
    Asked,
    /// It had the task for too long, or failed. Its answer still counts if it comes.
    Lapsed,
    /// It answered.
    Answered {
        /// What.
        answer: Answer,
        /// Whether it was judged by the accepted answer: that is done once.
        judged: bool,
    },
}

/// An answer that is accepted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Accepted {
    /// Whose it is: all that agree with it are valid.
    pub answer: Identity,
    /// How much speaks for it, of 1: the share of trust, reputation or votes, or the probability that it is right.
    /// DistriCloud's score is ten times this.
    pub confidence: Fixed,
}

/// The votes on one task.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Votes {
    pub(super) overlap: Option<u32>,
    /// How many answers the draws ask for, once somebody was asked.
    pub(super) need: Option<u32>,
    pub(super) seats: Seats,
    pub(super) accepted: Option<Accepted>,
}

/// The seats of a task, by worker in ascending order. There are few. They are encoded as a map.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(from = "BTreeMap<Identity, Seat>")]
pub(super) struct Seats(SmallVec<[(Identity, Seat); 2]>);

impl Seats {
    fn find(&self, who: Identity) -> Result<usize, usize> {
        self.0.binary_search_by_key(&who, |(who, _)| *who)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains(&self, who: Identity) -> bool {
        self.find(who).is_ok()
    }

    fn get(&self, who: Identity) -> Option<&Seat> {
        self.find(who).ok().map(|at| &self.0[at].1)
    }

    pub(super) fn get_mut(&mut self, who: Identity) -> Option<&mut Seat> {
        self.find(who).ok().map(|at| &mut self.0[at].1)
    }

    /// A worker has one seat at most.
    pub(super) fn insert(&mut self, who: Identity, seat: Seat) {
        match self.find(who) {
            Ok(at) => self.0[at].1 = seat,
            Err(at) => self.0.insert(at, (who, seat)),
        }
    }

    fn remove(&mut self, who: Identity) {
        if let Ok(at) = self.find(who) {
            self.0.remove(at);
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Identity, &mut Seat)> {
        self.0.iter_mut().map(|(who, seat)| (*who, seat))
    }
}

impl From<BTreeMap<Identity, Seat>> for Seats {
    fn from(seats: BTreeMap<Identity, Seat>) -> Self {
        Self(seats.into_iter().collect())
    }
}

impl Serialize for Seats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(who, seat)| (who, seat)))
    }
}

/// Why an answer is not taken.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
pub enum Misplaced {
    /// The worker was not asked.
    #[error("the worker does not have this task")]
    NotAsked,
    /// The worker has answered.
    #[error("the worker has answered this task before")]
    Again,
}

impl Votes {
    /// Of a task that wants this overlap; without one, that of the policy.
    #[must_use]
    pub fn new(overlap: Option<u32>) -> Self {
        Self { overlap, ..Self::default() }
    }

    /// Takes down a worker's answer.
    ///
    /// # Errors
    /// If it was not asked, or has answered before; nothing is changed then.
    pub fn record(&mut self, who: Identity, answer: Answer) -> Result<(), Misplaced> {
        match self.seats.get_mut(who) {
            None => Err(Misplaced::NotAsked),
            Some(Seat::Answered { .. }) => Err(Misplaced::Again),
            Some(seat) => {
                *seat = Seat::Answered { answer, judged: false };
                Ok(())
            }
        }
    }

    /// Takes down the right answer, which the hub has computed itself.
    pub(in crate::scheduler) fn know(&mut self, answer: Answer) {
        self.seats.insert(Identity::HUB, Seat::Answered { answer, judged: true });
    }

    /// Forgets that a worker was asked: a mistake, for those who plant one.
    pub(in crate::scheduler) fn vacate(&mut self, who: Identity) {
        self.seats.remove(who);
    }

    /// Who was asked, in ascending order, and what came of it.
    pub fn seats(&self) -> impl Iterator<Item = (Identity, &Seat)> {
        self.seats.0.iter().map(|(who, seat)| (*who, seat))
    }

    /// What a worker answered, if it did.
    #[must_use]
    pub fn answer(&self, who: Identity) -> Option<&Answer> {
        match self.seats.get(who) {
            Some(Seat::Answered { answer, .. }) => Some(answer),
            _ => None,
        }
    }

    /// What was accepted, if the task is decided.
    #[must_use]
    pub const fn accepted(&self) -> Option<Accepted> {
        self.accepted
    }
}
