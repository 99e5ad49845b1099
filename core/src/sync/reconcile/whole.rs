//! The methods that do not look for differences.

use serde::Serialize;

use super::session::{Outcome, Refusal};
use super::turn::{Next, Reconciler, Turn};
use super::wire::Reader;

/// Distri's: the state with the strictly higher version replaces the other. Updates below it are lost, and equal versions
/// never converge, unless both sides break ties.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Overwrite;

impl Overwrite {
    /// What tells equal versions apart.
    fn tie(turn: &Turn<'_>) -> u64 {
        if turn.options.break_ties { turn.key.fingerprint(&turn.set.total()) } else { 0 }
    }
}

impl Reconciler for Overwrite {
    fn hello(&mut self, turn: &mut Turn<'_>) {
        turn.out.extend(turn.options.db_version.to_le_bytes());
        turn.out.extend(Self::tie(turn).to_le_bytes());
    }

    fn lead(&mut self, turn: &mut Turn<'_>, hello: &mut Reader<'_>) -> Result<Next, Refusal> {
        self.hello(turn);
        self.receive(turn, hello)
    }

    fn receive(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal> {
        let mine = (turn.options.db_version, Self::tie(turn));
        let theirs = (body.word()?, body.word()?);
        turn.step.give_all = mine > theirs;
        turn.step.replace = (mine < theirs).then_some(theirs.0);
        Ok(Next::Close(if mine == theirs { Outcome::Equal } else { Outcome::Unchecked }))
    }
}

/// Each side hands over everything.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FullMerge;

impl Reconciler for FullMerge {
    fn lead(&mut self, turn: &mut Turn<'_>, _hello: &mut Reader<'_>) -> Result<Next, Refusal> {
        turn.step.give_all = true;
        turn.counters.items += turn.set.len() as u64;
        Ok(Next::Close(Outcome::Unchecked))
    }

    fn receive(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal> {
        self.lead(turn, body)
    }
}
