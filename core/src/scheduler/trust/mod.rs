//! Whom to believe: policies of validation, and the trust that nodes earn or lose by them.
//!
//! A task is given to some workers. What they answer is kept in [`Votes`], one seat for each worker. A [`Policy`] looks at
//! the votes and at the [`TrustBook`] and says whether an answer is accepted, whether more copies are wanted, or that it
//! gives up; once an answer is accepted, everybody who answered is judged by it, the late ones too. A [`Comparator`] says
//! which answers are the same.
//!
//! All of it is meant for a hub that is a [`Machine`](crate::contract::Machine): votes and book are plain values in fixed
//! point, a policy is a pure function of them and of the dice of the entry. A hub does this, for each task:
//!
//! ```text
//! loop over Policy::verdict
//!     Ask(n)  -> pick n workers; Policy::draw for each: work, a spot-check in place of it, or refused
//!     Accept  -> Policy::settle; once more for each answer that comes later, as that is judged, too
//!     Fail    -> give up, or begin again with Votes::new
//! an answer comes        -> Votes::record, or Policy::check if it was a spot-check
//! a lease runs out       -> Policy::lapse; the worker keeps its seat, so its late answer is compared
//! a worker is found out  -> ask for the verdict of all open tasks again: its votes count no more
//! nobody is left to ask  -> spot-checks for those who voted, if Policy::learns_from_checks; or wait for newcomers
//! ```
//!
//! What is accepted stays so, even if a worker that spoke for it is found out later. And no policy can tell a newcomer from
//! a saboteur under a new name: the bound of `credibility` holds while at most `prior` of those who come are saboteurs.
//!
//! [`Saboteur`] is who it is all for. [`formulas`] are what the papers expect, for charts and tests.
//!
//! Sources: the thesis "Components for a Decentralized Cloud" (Dragos) for `districloud`; Sarmenta, "Sabotage-tolerance
//! mechanisms for volunteer computing systems" (2001), for `m-first` and `credibility`; the code of BOINC's scheduler and
//! validator for `boinc-adaptive`; Jøsang and Ismail, "The beta reputation system" (2002), for `beta-reputation`.

mod answer;
mod book;
mod fixed;
pub mod formulas;
mod parameters;
mod policy;
mod saboteur;
#[cfg(test)]
mod tests;
mod votes;

pub use answer::{ANSWER_BYTES_MAX, Answer, Comparator, Decimal, Group, NUMBERS_MAX, Tolerance};
pub use book::{Identity, Standing, TrustBook};
pub use fixed::Fixed;
pub use parameters::{Comparison, Parameters, Validation};
pub use policy::{Draw, Judgement, Policy, Reason, Refused, Verdict};
pub use saboteur::{Conduct, Moment, Saboteur};
pub use votes::{Accepted, Misplaced, Seat, Votes};
