//! Who wrote what, in order: the index behind `delta`, and what a replica knows of each writer.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Refusal;
use super::wire::{Reader, put_varint};
use crate::contract::NodeId;
use crate::sync::Stamp;

/// Writers that a message may name.
pub const WRITERS_MAX: usize = 4_096;
/// Writes out of order that a message may list, over all writers.
pub(super) const EXTRAS_MAX: usize = 256;

/// What a replica has of every writer: all up to a time, and single writes beyond.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Knowledge {
    /// All writes of a node up to this time were seen.
    pub through: BTreeMap<NodeId, u64>,
    /// Writes seen beyond that.
    pub extras: BTreeSet<(NodeId, u64)>,
}

impl Knowledge {
    /// Whether a write was seen.
    #[must_use]
    pub fn covers(&self, stamp: Stamp) -> bool {
        self.through.get(&stamp.node).is_some_and(|&through| stamp.time <= through)
            || self.extras.contains(&(stamp.node, stamp.time))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, self.through.len() as u64);
        for (node, through) in &self.through {
            put_varint(out, u64::from(node.0));
            put_varint(out, *through);
        }
        put_varint(out, self.extras.len() as u64);
        for (node, time) in &self.extras {
            put_varint(out, u64::from(node.0));
            // Relative to what is before it: out of order is seldom far.
            put_varint(out, time.wrapping_sub(self.through.get(node).copied().unwrap_or(0)));
        }
    }

    pub(super) fn read(body: &mut Reader<'_>) -> Result<Self, Refusal> {
        let mut knowledge = Self::default();
        for _ in 0..body.count(WRITERS_MAX as u64)? {
            let node = body.node()?;
            knowledge.through.insert(node, body.varint()?);
        }
        for _ in 0..body.count(EXTRAS_MAX as u64)? {
            let node = body.node()?;
            let before = knowledge.through.get(&node).copied().unwrap_or(0);
            knowledge.extras.insert((node, before.wrapping_add(body.varint()?)));
        }
        Ok(knowledge)
    }
}

/// A chunk of this length is split.
const CHUNK_MAX: usize = 128;

/// The slots of entries by writer and time: sorted chunks, because nearly every write comes at the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Writes {
    chunks: BTreeMap<(NodeId, u64, u32), Chunk>,
}

#[derive(Clone, Debug, Default)]
struct Chunk {
    times: Vec<u64>,
    slots: Vec<u32>,
}

impl Writes {
    pub(super) fn insert(&mut self, stamp: Stamp, slot: u32) {
        let at = (stamp.node, stamp.time, slot);
        let before = self.chunks.range_mut(..=at).next_back().filter(|(first, _)| first.0 == stamp.node);
        let Some((_, chunk)) = before else {
            self.chunks.insert(at, Chunk { times: vec![stamp.time], slots: vec![slot] });
            return;
        };
        let place = chunk.place(stamp.time, slot);
        if chunk.times.len() == chunk.times.capacity() {
            chunk.times.reserve_exact(CHUNK_MAX / 8);
            chunk.slots.reserve_exact(CHUNK_MAX / 8);
        }
        chunk.times.insert(place, stamp.time);
        chunk.slots.insert(place, slot);
        if chunk.times.len() == CHUNK_MAX {
            let from = if place == CHUNK_MAX - 1 { CHUNK_MAX - 1 } else { CHUNK_MAX / 2 };
            let right = Chunk { times: chunk.times.split_off(from), slots: chunk.slots.split_off(from) };
            self.chunks.insert((stamp.node, right.times[0], right.slots[0]), right);
        }
    }

    pub(super) fn remove(&mut self, stamp: Stamp, slot: u32) {
        let at = (stamp.node, stamp.time, slot);
        let Some((&first, chunk)) = self.chunks.range_mut(..=at).next_back() else { return };
        let place = chunk.place(stamp.time, slot);
        if first.0 != stamp.node || chunk.slots.get(place) != Some(&slot) || chunk.times[place] != stamp.time
        {
            return;
        }
        chunk.times.remove(place);
        chunk.slots.remove(place);
        if chunk.times.is_empty() {
            self.chunks.remove(&first);
        }
    }

    /// Whether anything of this node is here.
    pub(super) fn has(&self, node: NodeId) -> bool {
        self.chunks.range((node, 0, 0)..=(node, u64::MAX, u32::MAX)).next().is_some()
    }

    /// The writers there are.
    pub(super) fn writers(&self) -> impl Iterator<Item = NodeId> + '_ {
        let mut next = self.chunks.keys().next().map(|first| first.0);
        std::iter::from_fn(move || {
            let node = next?;
            let after = node.0.checked_add(1).map(NodeId);
            next =
                after.and_then(|after| self.chunks.range((after, 0, 0)..).next()).map(|(first, _)| first.0);
            Some(node)
        })
    }

    /// What a node wrote after a time, in order.
    pub(super) fn after(&self, node: NodeId, time: u64) -> impl Iterator<Item = (u64, u32)> + '_ {
        let from = self.chunks.range(..=(node, time, u32::MAX)).next_back().map(|(first, _)| *first);
        let from = from.filter(|first| first.0 == node).unwrap_or((node, 0, 0));
        let chunks = self.chunks.range(from..=(node, u64::MAX, u32::MAX));
        chunks
            .flat_map(|(_, chunk)| chunk.times.iter().copied().zip(chunk.slots.iter().copied()))
            .skip_while(move |&(at, _)| at <= time)
    }
}

impl Chunk {
    fn place(&self, time: u64, slot: u32) -> usize {
        let mut place = self.times.partition_point(|&other| other < time);
        while place < self.times.len() && self.times[place] == time && self.slots[place] < slot {
            place += 1;
        }
        place
    }
}
