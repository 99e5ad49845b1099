//! `delta`: each side says what it knows of every writer, and is given the rest.
//!
//! The cost depends on the number of replicas alone. It finds what is known to be missing: whether knowledge was right shows at
//! the root of the next session.

use serde::Serialize;

use super::entry::Aggregate;
use super::knowledge::Knowledge;
use super::session::{Method, Outcome, Refusal};
use super::turn::{Next, Reconciler, Turn};
use super::wire::Reader;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Delta;

/// What this side may say of its knowledge: nothing if it was found to be wrong.
pub(super) fn trusted(turn: &Turn<'_>) -> Option<Knowledge> {
    turn.options.trust_delta.then(|| turn.set.knowledge()).flatten()
}

/// Writes what this side knows, or that it cannot.
pub(super) fn put_knowledge(turn: &mut Turn<'_>, knowledge: Option<&Knowledge>) {
    turn.out.push(u8::from(knowledge.is_some()));
    if let Some(knowledge) = knowledge {
        knowledge.write(&mut turn.out);
    }
}

pub(super) fn read_knowledge(body: &mut Reader<'_>) -> Result<Option<Knowledge>, Refusal> {
    match body.byte()? {
        0 => Ok(None),
        1 => Knowledge::read(body).map(Some),
        _ => Err(Refusal::Malformed),
    }
}

/// Finds what a peer with this knowledge lacks. False if that cannot be told.
pub(super) fn give(turn: &mut Turn<'_>, peer: Knowledge) -> bool {
    let Some(unknown) = turn.set.unknown_to(&peer) else { return false };
    turn.counters.items += unknown.len() as u64;
    for entry in unknown.into_iter().filter_map(|id| turn.set.entry(id)) {
        turn.give(&entry);
    }
    turn.step.peer = Some(peer);
    true
}

impl Reconciler for Delta {
    fn hello(&mut self, turn: &mut Turn<'_>) {
        put_knowledge(turn, trusted(turn).as_ref());
    }

    fn lead(&mut self, turn: &mut Turn<'_>, hello: &mut Reader<'_>) -> Result<Next, Refusal> {
        let (Some(mine), Some(theirs)) = (trusted(turn), read_knowledge(hello)?) else {
            return Ok(Next::Restart(Method::Range));
        };
        // The roots differ, and yet nobody lacks anything: then somebody is wrong.
        if mine == theirs || !give(turn, theirs) {
            turn.step.give.clear();
            turn.given = Aggregate::default();
            return Ok(Next::Restart(Method::Range));
        }
        put_knowledge(turn, Some(&mine));
        Ok(Next::Ask)
    }

    fn receive(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal> {
        if body.is_empty() {
            return Ok(Next::Close(Outcome::Unchecked));
        }
        let Some(theirs) = read_knowledge(body)? else { return Err(Refusal::Malformed) };
        if !give(turn, theirs) {
            return Ok(Next::Restart(Method::Range));
        }
        Ok(Next::Close(Outcome::Unchecked))
    }
}
