//! A document's state as bytes: one form for each state, in one allocation.
//!
//! `epoch, seen beyond the stamps, deleted, stamps, registers`, as postcard encodes them. A register names its stamp by its
//! place in the sorted list of stamps, so a document whose fields were written together holds one stamp. What was seen is
//! told only as far as the stamps do not tell it; and the epoch costs a byte where it is the first of them, as it is until the
//! document is put again.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::super::pointer::MARK;
use super::super::{Stamp, VersionVector};
use super::register::{Content, Register, merge};
use crate::contract::{DEPTH_MAX, Json, NodeId};

/// A state, taken apart.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Parts<'a> {
    /// Where deletions win, when this life of the document began; of a tombstone, the deletion.
    pub(super) epoch: Stamp,
    /// Every write that was taken in, whatever became of it.
    pub(super) seen: VersionVector,
    /// What deletions had seen, where updates win.
    pub(super) deleted: VersionVector,
    pub(super) registers: Vec<Register<'a>>,
}

#[derive(Deserialize, Serialize)]
struct Layout<'a> {
    epoch: Epoch,
    seen_beyond: VersionVector,
    deleted: VersionVector,
    stamps: Vec<(NodeId, u64)>,
    #[serde(borrow)]
    registers: Vec<(&'a str, u32, Slot<'a>)>,
}

#[derive(Deserialize, Serialize)]
enum Epoch {
    Zero,
    At(NodeId, u64),
    /// The first of the stamps.
    First,
}

impl Epoch {
    fn of(epoch: Stamp, stamps: &[Stamp]) -> Self {
        match stamps.first() {
            _ if epoch == Stamp::ZERO => Self::Zero,
            Some(first) if epoch == *first => Self::First,
            _ => Self::At(epoch.node, epoch.time),
        }
    }

    fn stamp(&self, stamps: &[(NodeId, u64)]) -> Option<Stamp> {
        let (node, time) = match *self {
            Self::Zero => return Some(Stamp::ZERO),
            Self::At(node, time) => (node, time),
            Self::First => *stamps.first()?,
        };
        Some(Stamp { time, node })
    }
}

#[derive(Deserialize, Serialize)]
enum Slot<'a> {
    Removed,
    Object,
    Leaf(&'a str),
    Set,
    Contribution(i64),
    Sibling(&'a str),
    Element(&'a str),
}

/// What stands before the registers, and whether there are any.
pub(super) struct Head {
    pub(super) epoch: Stamp,
    pub(super) seen: VersionVector,
    pub(super) deleted: VersionVector,
    pub(super) is_empty: bool,
}

impl Head {
    /// Reads the head alone.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        type Front = (Epoch, VersionVector, VersionVector, Vec<(NodeId, u64)>);
        let ((epoch, seen_beyond, deleted, stamps), rest): (Front, _) =
            postcard::take_from_bytes(bytes).ok()?;
        let stamp = |(node, time)| Stamp { time, node };
        let epoch = epoch.stamp(&stamps)?;
        let mut seen = implied(epoch, &deleted, stamps.into_iter().map(stamp));
        seen.join(&seen_beyond);
        Some(Self { epoch, seen, deleted, is_empty: rest.first() == Some(&0) })
    }
}

impl<'a> Parts<'a> {
    /// Takes a state apart that was encoded here.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let layout: Layout<'a> = postcard::from_bytes(bytes).ok()?;
        let stamp = |(node, time)| Stamp { time, node };
        let epoch = layout.epoch.stamp(&layout.stamps)?;
        let mut seen = implied(epoch, &layout.deleted, layout.stamps.iter().copied().map(stamp));
        seen.join(&layout.seen_beyond);
        let mut registers = Vec::with_capacity(layout.registers.len());
        for (path, nth, slot) in layout.registers {
            let stamp = layout.stamps.get(nth as usize).copied().map(stamp)?;
            let content = match slot {
                Slot::Removed => Content::Removed,
                Slot::Object => Content::Object,
                Slot::Leaf(text) => Content::Leaf(Cow::Borrowed(text)),
                Slot::Set => Content::Set,
                Slot::Contribution(sum) => Content::Contribution(sum),
                Slot::Sibling(text) => Content::Sibling(Cow::Borrowed(text)),
                Slot::Element(text) => Content::Element(Cow::Borrowed(text)),
            };
            registers.push(Register { path: Cow::Borrowed(path), stamp, content });
        }
        Some(Self { epoch, seen, deleted: layout.deleted, registers })
    }

    /// The one form of this state.
    pub(super) fn encode(&self) -> Vec<u8> {
        let stamps = self.stamps();
        let mut implied = implied(self.epoch, &self.deleted, stamps.iter().copied());
        let seen_beyond = self.seen.iter().filter(|stamp| !implied.covers(*stamp)).collect();
        implied.join(&self.seen);
        debug_assert_eq!(implied, self.seen, "a state has seen all that it holds");
        let registers = self.registers.iter().map(|register| {
            let nth = stamps.binary_search(&register.stamp).unwrap_or_default();
            (&*register.path, nth as u32, Slot::from(&register.content))
        });
        let layout = Layout {
            epoch: Epoch::of(self.epoch, &stamps),
            seen_beyond,
            deleted: self.deleted.clone(),
            registers: registers.collect(),
            stamps: stamps.iter().map(|stamp| (stamp.node, stamp.time)).collect(),
        };
        let register = |register: &Register<'_>| 4 + register.path.len() + register.content.text().len();
        let room = 64 + self.registers.iter().map(register).sum::<usize>();
        // Writing to memory fails only if there is none.
        postcard::to_extend(&layout, Vec::with_capacity(room)).unwrap_or_default()
    }

    /// The stamps of all registers, sorted.
    fn stamps(&self) -> Vec<Stamp> {
        let mut stamps: Vec<Stamp> = Vec::with_capacity(4);
        for register in &self.registers {
            if stamps.last() != Some(&register.stamp) {
                stamps.push(register.stamp);
            }
        }
        stamps.sort_unstable();
        stamps.dedup();
        stamps
    }

    /// Whether registers from outside are such as this replica could have made: in order, none covered, canonical values, a
    /// document's root above all.
    pub(super) fn is_sound(&self) -> bool {
        let mut registers = self.registers.iter();
        let rooted =
            registers.next().is_none_or(|root| root.path.is_empty() && root.content == Content::Object);
        rooted
            && registers.all(|register| register.path.starts_with(MARK))
            && self.registers.iter().all(is_sound)
            && self.registers.is_sorted_by(|one, next| one.place(next).is_lt())
            && merge((self.registers.clone(), &self.seen), (Vec::new(), &VersionVector::default()))
                == self.registers
            && self.seen.includes(&self.deleted)
    }
}

/// Whether one register's value is canonical, and not too deep where it stands.
fn is_sound(register: &Register<'_>) -> bool {
    let above = register.path.matches(MARK).count();
    let (text, may_be_object) = match &register.content {
        Content::Leaf(text) | Content::Sibling(text) => (text, false),
        Content::Element(text) => (text, true),
        // A reader goes down a path part by part.
        Content::Removed | Content::Object | Content::Set | Content::Contribution(_) => {
            return above < DEPTH_MAX;
        }
    };
    (may_be_object || !text.starts_with('{'))
        && Json::parse(text).is_ok_and(|json| json.as_str() == text && above + json.depth() < DEPTH_MAX)
}

impl<'a> From<&'a Content<'_>> for Slot<'a> {
    fn from(content: &'a Content<'_>) -> Self {
        match content {
            Content::Removed => Self::Removed,
            Content::Object => Self::Object,
            Content::Leaf(text) => Self::Leaf(text),
            Content::Set => Self::Set,
            Content::Contribution(sum) => Self::Contribution(*sum),
            Content::Sibling(text) => Self::Sibling(text),
            Content::Element(text) => Self::Element(text),
        }
    }
}

/// What must have been seen, given what is there.
fn implied(epoch: Stamp, deleted: &VersionVector, stamps: impl Iterator<Item = Stamp>) -> VersionVector {
    let mut implied: VersionVector = stamps.chain([epoch]).collect();
    implied.join(deleted);
    implied
}
