//! Registers: what a document is made of, and how two sets of them become one.
//!
//! Registers stand in the order of (path, slot). At every path there is at most one *value*, a last-writer-wins register; it
//! covers all that stands below its path, or beside it in another slot, and has an older stamp. The other slots are for
//! fields of the collection's schema: contributions to a counter, siblings of a multi-value, elements of a set.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::super::pointer::is_within;
use super::super::{Stamp, VersionVector};

/// One place of a document, what was written there last, and when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Register<'a> {
    pub(super) path: Cow<'a, str>,
    pub(super) stamp: Stamp,
    pub(super) content: Content<'a>,
}

/// What a register holds. Texts are canonical JSON.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Content<'a> {
    /// A value that was taken away.
    Removed,
    /// An object, whose members are registers of their own.
    Object,
    /// A scalar, or an array as a whole.
    Leaf(Cow<'a, str>),
    /// That a set is here, even if it is empty.
    Set,
    /// The sum that one replica added to a counter, in millionths.
    Contribution(i64),
    /// One of the values that were written concurrently. Its stamp is its dot.
    Sibling(Cow<'a, str>),
    /// An element of a set. Its stamp is its dot: an element that was added twice concurrently has two.
    Element(Cow<'a, str>),
}

impl<'a> Register<'a> {
    pub(super) fn new(path: &str, stamp: Stamp, content: Content<'a>) -> Self {
        Self { path: Cow::Owned(path.to_owned()), stamp, content }
    }

    /// Whether this is the value of its path, which covers older ones.
    pub(super) fn is_value(&self) -> bool {
        self.content.slot() == 0
    }

    /// Whether causality decides over it, not its stamp: it is gone where it was seen and is not there.
    fn is_dot(&self) -> bool {
        matches!(self.content, Content::Sibling(_) | Content::Element(_))
    }

    /// Whether a reader sees something here, unless it is covered.
    pub(super) fn is_visible(&self) -> bool {
        self.content != Content::Removed
    }

    /// The order of registers: those that are equal here are one place.
    pub(super) fn place(&self, other: &Self) -> Ordering {
        self.path.cmp(&other.path).then_with(|| self.content.slot().cmp(&other.content.slot())).then_with(
            || match (&self.content, &other.content) {
                (Content::Contribution(_), Content::Contribution(_)) => {
                    self.stamp.node.cmp(&other.stamp.node)
                }
                (Content::Sibling(one), Content::Sibling(two))
                | (Content::Element(one), Content::Element(two)) => {
                    self.stamp.cmp(&other.stamp).then_with(|| one.cmp(two))
                }
                _ => Ordering::Equal,
            },
        )
    }

    /// Of two registers at one place, whether `self` stays: the later; of equal stamps, which only a faulty writer makes, the
    /// one with the greater hash.
    fn outlasts(&self, other: &Self) -> bool {
        self.stamp.cmp(&other.stamp).then_with(|| {
            if self.content == other.content {
                Ordering::Equal
            } else {
                self.content.hash().cmp(&other.content.hash())
            }
        }) != Ordering::Less
    }
}

impl Content<'_> {
    fn slot(&self) -> u8 {
        match self {
            Content::Removed | Content::Object | Content::Leaf(_) => 0,
            Content::Set => 1,
            Content::Contribution(_) => 2,
            Content::Sibling(_) => 3,
            Content::Element(_) => 4,
        }
    }

    /// The JSON in it, if it holds any.
    pub(super) fn text(&self) -> &str {
        match self {
            Content::Leaf(text) | Content::Sibling(text) | Content::Element(text) => text,
            Content::Removed | Content::Object | Content::Set | Content::Contribution(_) => "",
        }
    }

    fn hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        match self {
            Content::Removed => hasher.update(b"removed"),
            Content::Object => hasher.update(b"{}"),
            Content::Set => hasher.update(b"set"),
            Content::Contribution(sum) => hasher.update(&sum.to_le_bytes()),
            Content::Leaf(text) | Content::Sibling(text) | Content::Element(text) => {
                hasher.update(text.as_bytes())
            }
        };
        *hasher.finalize().as_bytes()
    }
}

/// The registers of two states in one: at each place the later; a dot that one side has and the other has seen, but no longer
/// has, is gone.
pub(super) fn merge<'a>(
    (ones, one_seen): (Vec<Register<'a>>, &VersionVector),
    (others, other_seen): (Vec<Register<'a>>, &VersionVector),
) -> Vec<Register<'a>> {
    let mut merged = Vec::with_capacity(ones.len().max(others.len()));
    let (mut ones, mut others) = (ones.into_iter().peekable(), others.into_iter().peekable());
    loop {
        let order = match (ones.peek(), others.peek()) {
            (Some(one), Some(other)) => one.place(other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        match order {
            Ordering::Equal => {
                if let (Some(one), Some(other)) = (ones.next(), others.next()) {
                    merged.push(if one.outlasts(&other) { one } else { other });
                }
            }
            Ordering::Less => {
                merged.extend(ones.next().filter(|one| !(one.is_dot() && other_seen.covers(one.stamp))))
            }
            Ordering::Greater => {
                merged
                    .extend(others.next().filter(|other| !(other.is_dot() && one_seen.covers(other.stamp))));
            }
        }
    }
    uncovered(merged)
}

/// Leaves out what a later value above it, or at its own path in another slot, has covered. Nothing brings it back: whatever
/// takes the place of what covers it is later still.
fn uncovered(registers: Vec<Register<'_>>) -> Vec<Register<'_>> {
    if registers.iter().all(|register| register.stamp == registers[0].stamp) {
        return registers;
    }
    let mut kept: Vec<Register<'_>> = Vec::with_capacity(registers.len());
    // The values above where we are: their place among the kept, and the latest stamp down to them.
    let mut above: Vec<(usize, Stamp)> = Vec::new();
    for register in registers {
        while above.last().is_some_and(|&(at, _)| !is_within(&register.path, &kept[at].path)) {
            above.pop();
        }
        let cover = above.last().map_or(Stamp::ZERO, |&(_, stamp)| stamp);
        if register.stamp < cover {
            continue;
        }
        if register.is_value() {
            above.push((kept.len(), cover.max(register.stamp)));
        }
        kept.push(register);
    }
    kept
}
