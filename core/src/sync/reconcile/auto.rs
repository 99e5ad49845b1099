//! `auto`: a probe, then the method that is expected to cost least.
//!
//! The side that leads tells what it knows of every writer, how many entries it has, the bytes of a [`probe`], and
//! fingerprints of all but its last few entries, because differences are often recent. The opener chooses.

use serde::Serialize;

use super::delta;
use super::digest::Digest;
use super::entry::{Aggregate, Key};
use super::knowledge::Knowledge;
use super::probe;
use super::range::{Bounds, Range, place_before};
use super::riblt::Riblt;
use super::session::{Method, Outcome, Refusal};
use super::turn::{Next, Reconciler, Turn};
use super::wire::{Reader, put_varint};

/// The ends of the order that are looked at apart, in entries.
const ENDS: [u64; 4] = [128, 1_024, 4_096, 16_384];
/// Bytes of a request for cells and the answers around it, as measured.
const OVERHEAD: u64 = 150;

/// One side.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Auto {
    leads: bool,
    /// What is spoken after the choice.
    inner: Option<Inner>,
}

#[derive(Clone, Debug, Serialize)]
enum Inner {
    Digest(Digest),
    Range(Range),
    Riblt(Riblt),
}

impl Inner {
    fn reconciler(&mut self) -> &mut dyn Reconciler {
        match self {
            Self::Digest(inner) => inner,
            Self::Range(inner) => inner,
            Self::Riblt(inner) => inner,
        }
    }
}

/// What is known before the choice.
struct Estimate {
    differences: u64,
    mine: u64,
    theirs: u64,
    /// Everything before is the same, and so many entries follow.
    end: (Key, u64),
}

impl Estimate {
    /// Bytes of `riblt`: cells, and shorts of the half that is asked for.
    fn riblt(&self) -> u64 {
        OVERHEAD + self.differences * 20
    }

    fn digest(&self) -> u64 {
        OVERHEAD + self.mine * 24 + self.differences * 12
    }

    /// Bytes of `range` among the entries at the end that may differ.
    fn range(&self) -> u64 {
        let (span, differences) = (self.end.1, self.differences);
        let apart = span / differences.max(1);
        if apart <= 16 {
            return OVERHEAD + span * 9 + differences * 5;
        }
        // Two steps in the neighbourhood of each difference, and one more for each factor of sixteen beyond it.
        let steps = (apart / 256).checked_ilog(16).map_or(0, |steps| u64::from(steps) + 1);
        OVERHEAD + differences * (270 + steps * 190)
    }

    fn cheapest(&self) -> Method {
        // Little in common: lists would say what is handed over anyway.
        if self.mine == 0 || self.theirs == 0 || self.differences >= (self.mine + self.theirs) / 10 * 9 {
            return Method::FullMerge;
        }
        let costs =
            [(self.riblt(), Method::Riblt), (self.range(), Method::Range), (self.digest(), Method::Digest)];
        costs.into_iter().min_by_key(|(bytes, _)| *bytes).map_or(Method::Range, |(_, method)| method)
    }
}

impl Auto {
    fn put_ends(turn: &mut Turn<'_>) {
        let count = turn.set.len() as u64;
        put_varint(&mut turn.out, count);
        // From the longest end to the shortest: places ascend.
        let mut bounds = Bounds::new(turn.set.order());
        for end in ENDS.into_iter().rev() {
            let place = count.checked_sub(end).and_then(|rank| place_before(turn, rank)).unwrap_or(Key::MIN);
            bounds.put(&mut turn.out, 0, Some(place));
            let before = turn.set.aggregate(Key::MIN, Some(place));
            turn.out.extend(turn.key.fingerprint(&before).to_le_bytes());
        }
    }

    fn read_estimate(turn: &Turn<'_>, body: &mut Reader<'_>) -> Result<Estimate, Refusal> {
        let mine = turn.set.len() as u64;
        // No index holds more.
        let theirs = body.varint()?.min(u64::from(u32::MAX));
        let mut bounds = Bounds::new(turn.set.order());
        let mut end = (Key::MIN, mine.max(theirs));
        for _ in ENDS {
            let (_, Some(place)) = bounds.read(body)? else { return Err(Refusal::Malformed) };
            let before = turn.set.aggregate(Key::MIN, Some(place));
            if turn.key.fingerprint(&before) == body.word()? && before.count > 0 {
                end = (place, mine - before.count);
            }
        }
        Ok(Estimate { differences: probe::read(turn, body)?, mine, theirs, end })
    }

    /// The opener's choice.
    fn choose(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal> {
        let theirs = delta::read_knowledge(body)?;
        let estimate = Self::read_estimate(turn, body)?;
        if let Some(theirs) = theirs
            && let Some(mine) = delta::trusted(turn).filter(|mine| *mine != theirs)
            && self.try_delta(turn, theirs, &mine)
        {
            return Ok(Next::Ask);
        }
        let method = estimate.cheapest();
        turn.out.push(method as u8);
        match method {
            Method::FullMerge => {
                turn.step.give_all = true;
                Ok(Next::Close(Outcome::Unchecked))
            }
            Method::Riblt => {
                let mut riblt = Riblt::default();
                let next = riblt.begin(turn, estimate.differences);
                self.inner = Some(Inner::Riblt(riblt));
                Ok(next)
            }
            Method::Digest => self.hand_over(turn, Inner::Digest(Digest::default())),
            _ => self.hand_over(turn, Inner::Range(Range::starting_at(estimate.end.0))),
        }
    }

    fn hand_over(&mut self, turn: &mut Turn<'_>, inner: Inner) -> Result<Next, Refusal> {
        self.inner.insert(inner).reconciler().lead(turn, &mut Reader(&[]))
    }

    /// Gives what the peer's knowledge lacks, and tells this side's.
    fn try_delta(&mut self, turn: &mut Turn<'_>, theirs: Knowledge, mine: &Knowledge) -> bool {
        if !delta::give(turn, theirs) {
            turn.step.give.clear();
            turn.given = Aggregate::default();
            return false;
        }
        turn.out.push(Method::Delta as u8);
        mine.write(&mut turn.out);
        true
    }

    /// The other side follows.
    fn follow(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal> {
        let inner = match Method::read(body)? {
            Method::FullMerge => {
                turn.step.give_all = true;
                return Ok(Next::Close(Outcome::Unchecked));
            }
            Method::Delta => {
                let knowledge = Knowledge::read(body)?;
                let close = Next::Close(Outcome::Unchecked);
                return Ok(if delta::give(turn, knowledge) { close } else { Next::Restart(Method::Range) });
            }
            Method::Riblt => Inner::Riblt(Riblt::serving(turn)),
            Method::Digest => Inner::Digest(Digest::default()),
            Method::Range => Inner::Range(Range::starting_at(Key::MIN)),
            _ => return Err(Refusal::Malformed),
        };
        self.inner.insert(inner).reconciler().receive(turn, body)
    }
}

impl Reconciler for Auto {
    fn lead(&mut self, turn: &mut Turn<'_>, _hello: &mut Reader<'_>) -> Result<Next, Refusal> {
        self.leads = true;
        delta::put_knowledge(turn, delta::trusted(turn).as_ref());
        Self::put_ends(turn);
        probe::put(turn);
        Ok(Next::Ask)
    }

    fn receive(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal> {
        if let Some(inner) = &mut self.inner {
            return inner.reconciler().receive(turn, body);
        }
        if self.leads {
            return self.follow(turn, body);
        }
        // After a delta, the other side closes without a word.
        if body.is_empty() { Ok(Next::Close(Outcome::Unchecked)) } else { self.choose(turn, body) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::session::Options;
    use super::super::set::Order;
    use super::super::tests::{KEY, entry, set_of};
    use super::super::turn::{Counters, Step};
    use super::*;

    #[test]
    fn a_peer_that_claims_more_entries_than_there_can_be_is_answered() {
        let entries: Vec<_> = (0..10).map(|id| entry(id, 1, 0)).collect();
        let set = set_of(Order::Time, &entries);
        let mut turn = Turn {
            set: &set,
            key: KEY.session(1),
            options: Options::default(),
            out: Vec::new(),
            step: Step::default(),
            given: Aggregate::default(),
            counters: Counters::default(),
        };
        Auto::put_ends(&mut turn);
        probe::put(&mut turn);
        let mut lie = Vec::new();
        put_varint(&mut lie, u64::MAX);
        // The honest count, 10, is one byte.
        lie.extend_from_slice(&turn.out[1..]);
        let estimate = Auto::read_estimate(&turn, &mut Reader(&lie)).unwrap();
        assert_ne!(estimate.cheapest(), Method::FullMerge);
        assert_eq!(estimate.theirs, u64::from(u32::MAX));
    }
}
