//! `digest`: one side lists all its ids and hashes, the other answers what differs.
//!
//! The hashes are eight bytes under the session's key, drawn afresh: this is what other methods fall back to.

use std::collections::BTreeSet;

use serde::Serialize;

use super::entry::Key;
use super::session::Refusal;
use super::turn::{Next, Reconciler, Turn, Wanted};
use super::wire::{Reader, put_varint};
use crate::sync::DocumentId;

/// Entries in one list.
const LIST_MAX: usize = 1 << 15;
/// Bytes of an entry in a list.
const ITEM_SIZE: usize = 24;

type Item = (DocumentId, u64);

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Digest {
    leads: bool,
    /// What is done.
    cursor: Key,
    /// The list under way: its end, and what is in it.
    upper: Option<Key>,
    sent: Vec<DocumentId>,
    theirs: BTreeSet<Item>,
}

fn put_items(out: &mut Vec<u8>, items: &[Item]) {
    put_varint(out, items.len() as u64);
    for (id, short) in items {
        out.extend(id.0);
        out.extend(short.to_le_bytes());
    }
}

fn items(body: &mut Reader<'_>) -> Result<Vec<Item>, Refusal> {
    let count = body.count(LIST_MAX as u64)?;
    let bytes = body.bytes(count * ITEM_SIZE)?;
    bytes
        .as_chunks::<ITEM_SIZE>()
        .0
        .iter()
        .map(|item| {
            let mut item = Reader(item);
            Ok((DocumentId(item.array()?), item.word()?))
        })
        .collect()
}

impl Digest {
    /// Up to as many entries as a list holds, and where the next one stands.
    fn list(
        turn: &mut Turn<'_>,
        from: Key,
        to: Option<Key>,
        skip: &BTreeSet<Item>,
    ) -> (Vec<Item>, Option<Key>) {
        let (mut items, mut next, mut seen) = (Vec::new(), None, 0);
        let key = turn.key;
        turn.set.range(from, to, |at, entry| {
            let item = (entry.id, key.entry(&entry));
            seen += 1;
            if items.len() == LIST_MAX {
                next = Some(at);
                return false;
            }
            if !skip.contains(&item) {
                items.push(item);
            }
            true
        });
        turn.counters.items += seen;
        (items, next)
    }

    /// The leader's next list.
    fn tell(&mut self, turn: &mut Turn<'_>) {
        let (items, next) = Self::list(turn, self.cursor, None, &BTreeSet::new());
        turn.out.push(u8::from(next.is_some()));
        if let Some(next) = next {
            turn.out.extend(next.prefix.to_le_bytes());
            turn.out.extend(next.id.to_le_bytes());
        }
        put_items(&mut turn.out, &items);
        self.upper = next;
        self.sent = items.into_iter().map(|(id, _)| id).collect();
    }

    /// The other side's answer to a list: what it lacks, then what it has besides.
    fn answer(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal> {
        let mut lacking = Vec::new();
        if !body.is_empty() {
            self.upper = match body.byte()? {
                0 => None,
                1 => Some(Key { prefix: body.word()?, id: u128::from_le_bytes(body.array()?) }),
                _ => return Err(Refusal::Malformed),
            };
            let listed = items(body)?;
            lacking = vec![0; listed.len().div_ceil(8)];
            for (nth, &(id, short)) in listed.iter().enumerate() {
                let same = turn.set.entry(id).is_some_and(|entry| turn.key.entry(&entry) == short);
                if !same {
                    lacking[nth / 8] |= 1 << (nth % 8);
                    turn.step.want.push(Wanted::Document(id));
                }
            }
            self.theirs = listed.into_iter().collect();
        }
        let (extras, rest) = Self::list(turn, self.cursor, self.upper, &self.theirs);
        turn.out.push(u8::from(rest.is_some()));
        put_varint(&mut turn.out, lacking.len() as u64);
        turn.out.extend(lacking);
        put_items(&mut turn.out, &extras);
        for (id, _) in extras {
            if let Some(entry) = turn.set.entry(id) {
                turn.give(&entry);
            }
        }
        let is_end = rest.is_none() && self.upper.is_none();
        self.cursor = rest.or(self.upper).unwrap_or(self.cursor);
        Ok(if is_end { Next::Last } else { Next::Ask })
    }

    /// The leader takes an answer.
    fn take(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal> {
        let goes_on = body.byte()? != 0;
        let count = body.count(LIST_MAX as u64 / 8)?;
        for (nth, byte) in body.bytes(count)?.iter().enumerate() {
            for bit in (0..8).filter(|bit| byte >> bit & 1 == 1) {
                let id = self.sent.get(nth * 8 + bit).ok_or(Refusal::Malformed)?;
                if let Some(entry) = turn.set.entry(*id) {
                    turn.give(&entry);
                }
            }
        }
        turn.step.want.extend(items(body)?.into_iter().map(|(id, _)| Wanted::Document(id)));
        if goes_on {
            return Ok(Next::Ask);
        }
        let Some(upper) = self.upper else { return Ok(Next::Done) };
        self.cursor = upper;
        self.tell(turn);
        Ok(Next::Ask)
    }
}

impl Reconciler for Digest {
    fn lead(&mut self, turn: &mut Turn<'_>, _hello: &mut Reader<'_>) -> Result<Next, Refusal> {
        self.leads = true;
        self.tell(turn);
        Ok(Next::Ask)
    }

    fn receive(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal> {
        if self.leads { self.take(turn, body) } else { self.answer(turn, body) }
    }
}
