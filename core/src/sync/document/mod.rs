//! One document as a value that merges: join is idempotent, commutative and associative.
//!
//! A document is a map from path to register. The leaves of objects are registers: scalars, and arrays as a whole. An object
//! has a register of its own that says that it is one. A value covers what is older below its path; so an object that is
//! replaced by a scalar, and one that comes back, are resolved by their stamps, and of an object that was taken away only
//! stays what was written later. Ties go to the later node name, then to the greater hash.
//!
//! Fields of the collection's schema: *multi-value* and *set* keep dots (writer, time) that vanish where a later writer has
//! seen them and did away with them, the document's vector of what it has seen being the context (dotted version vectors;
//! Preguica et al. 2010, and the optimised observed-remove set of Bieniusa et al. 2012). A *counter* is the sum of one
//! contribution per replica; a null takes away those that are older than itself.
//!
//! Where deletions win, a document lives in *epochs*, named by the stamp that began them. A deletion begins one, and so does
//! a put where nothing is: of two epochs the later wins as a whole, whatever was written in the earlier. So a put is not lost
//! to the tombstone of an earlier life, not even if its writer no longer knew of it.
//!
//! Where deletions yield to updates there is one epoch. A deletion notes what it has seen, and the document is there as long
//! as it holds a write that no deletion has seen.

mod encoding;
mod fixed;
mod patch;
mod register;
mod render;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::encoding::{Head, Parts};
use self::patch::Write;
use self::register::{Content, Register, merge};
use super::pointer::is_within;
use super::{Deletes, DocumentId, Limits, Pointer, Refusal, Schema, Stamp, VersionVector};
use crate::contract::Json;

/// All that a replica knows of a document, alive or deleted, as canonical bytes: equal states are equal bytes.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct DocumentState(Arc<[u8]>);

/// Whose rules a write follows, and what it becomes.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'s> {
    /// The document's name.
    pub id: DocumentId,
    /// How its fields merge.
    pub schema: &'s Schema,
    /// What is too much.
    pub limits: &'s Limits,
    /// When, and by whom. It must exceed all that the writer has seen, or the write may be lost.
    pub stamp: Stamp,
}

impl DocumentState {
    /// A new document, or a new content of an old one, which it takes the place of as a whole.
    ///
    /// # Errors
    /// If `body` is no object, is beyond a limit, or does not fit the schema.
    pub fn put(old: Option<&Self>, body: &Json, writing: &Writing<'_>) -> Result<Self, Refusal> {
        let text = check_text(body, writing.limits)?;
        let mut parts = old.map(Self::parts).unwrap_or_default();
        if !parts.is_alive() && writing.schema.deletes() == Deletes::Win {
            parts.begin(writing.stamp);
        }
        let mut write = writing.over(&[], true);
        write.writes.push(Register::new("", writing.stamp, Content::Object));
        write.members(&mut String::new(), 0..0, text)?;
        let writes = write.writes;
        // The root's new stamp covers all that was there.
        let nothing = VersionVector::default();
        parts.registers = merge((parts.registers, &nothing), (writes, &nothing));
        parts.finish(writing)
    }

    /// Applies a merge patch (RFC 7396).
    ///
    /// # Errors
    /// If the document is deleted, or the patch is no object, leads beyond a limit, or does not fit the schema.
    pub fn patch(&self, patch: &Json, writing: &Writing<'_>) -> Result<Self, Refusal> {
        let text = check_text(patch, writing.limits)?;
        let mut parts = self.parts();
        if !parts.is_alive() {
            return Err(Refusal::NoSuchDocument);
        }
        let mut write = writing.over(&parts.registers, false);
        write.members(&mut String::new(), 0..parts.registers.len(), text)?;
        let Write { writes, dropped, .. } = write;
        let kept = parts.registers.into_iter().enumerate().filter(|(nth, _)| !dropped.contains(nth));
        let kept = kept.map(|(_, register)| register).collect();
        let nothing = VersionVector::default();
        parts.registers = merge((kept, &nothing), (writes, &nothing));
        parts.finish(writing)
    }

    /// Deletes the document.
    ///
    /// # Errors
    /// If it is deleted already.
    pub fn delete(&self, writing: &Writing<'_>) -> Result<Self, Refusal> {
        let mut parts = self.parts();
        if !parts.is_alive() {
            return Err(Refusal::NoSuchDocument);
        }
        parts.seen.add(writing.stamp);
        match writing.schema.deletes() {
            Deletes::YieldToUpdates => parts.deleted = parts.seen.clone(),
            Deletes::Win => parts.begin(writing.stamp),
        }
        Ok(parts.state())
    }

    /// Takes in another replica's state of the same document. Whether this one changed.
    pub fn join(&mut self, other: &Self) -> bool {
        if self == other {
            return false;
        }
        let joined = Parts::join(self.parts(), other.parts()).state();
        let changed = joined != *self;
        *self = joined;
        changed
    }

    /// Whether a merged state can be told on.
    ///
    /// # Errors
    /// If it is longer, or has seen more writers, than `limits` allow.
    pub fn check_merged(&self, limits: &Limits) -> Result<(), Refusal> {
        self.check_size(limits.merged_state_bytes)?;
        // A writer takes two bytes at least: small states need no closer look.
        let writers_max = limits.merged_writers;
        let may_be_many = self.0.len() as u64 / 2 > u64::from(writers_max);
        if may_be_many && self.seen().len() as u64 > u64::from(writers_max) {
            return Err(Refusal::TooManyWriters(writers_max));
        }
        Ok(())
    }

    fn check_size(&self, bytes_max: u32) -> Result<(), Refusal> {
        let bytes = self.0.len() as u64;
        if bytes > u64::from(bytes_max) { Err(Refusal::StateTooLarge { bytes, bytes_max }) } else { Ok(()) }
    }

    /// The greatest stamp of all writes that it has taken in. Two states of one version may still differ: their hash tells.
    #[must_use]
    pub fn version(&self) -> Stamp {
        self.seen().latest()
    }

    /// Every write that it has taken in, whatever became of it.
    #[must_use]
    pub fn seen(&self) -> VersionVector {
        Head::decode(&self.0).map(|head| head.seen).unwrap_or_default()
    }

    /// When this life of the document began; of a tombstone, the deletion. [`Stamp::ZERO`] where deletions yield to updates.
    #[must_use]
    pub fn epoch(&self) -> Stamp {
        Head::decode(&self.0).map(|head| head.epoch).unwrap_or_default()
    }

    /// When the document was last put as a whole; [`Stamp::ZERO`] if it is deleted.
    #[must_use]
    pub fn put_at(&self) -> Stamp {
        let parts = self.parts();
        let root = parts.registers.iter().find(|register| register.path.is_empty());
        root.map(|register| register.stamp).unwrap_or_default()
    }

    /// Whether the document is there, not a tombstone.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Head::decode(&self.0).is_some_and(|head| !head.is_empty && !is_deleted(&head.deleted, &head.seen))
    }

    /// The document as a reader sees it, with its `_id`; `None` if it is deleted.
    #[must_use]
    pub fn body(&self, id: DocumentId) -> Option<Json> {
        let parts = self.parts();
        parts.is_alive().then(|| render::body(&parts.registers, id))
    }

    /// The canonical text of the value at a path; `None` if there is none, or the document is deleted.
    #[must_use]
    pub(super) fn value(&self, path: &Pointer) -> Option<String> {
        let parts = self.parts();
        parts.is_alive().then(|| render::value(&parts.registers, path.path())).flatten()
    }

    /// The fields that were written concurrently and keep several values, the one that the body shows first.
    #[must_use]
    pub fn siblings(&self) -> Vec<(Pointer, Vec<Json>)> {
        let parts = self.parts();
        if parts.is_alive() { render::siblings(&parts.registers) } else { Vec::new() }
    }

    /// BLAKE3 of the state: equal exactly if the states are.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.0).as_bytes()
    }

    /// The state as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A state from outside; `None` unless it is in canonical form.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let parts = Parts::decode(bytes)?;
        (parts.is_sound() && parts.encode() == bytes).then(|| Self(bytes.into()))
    }

    /// The paths whose registers the write of this stamp made, as far as no later one has taken their place.
    #[must_use]
    pub fn written_at(&self, stamp: Stamp) -> Vec<Pointer> {
        let parts = self.parts();
        let mut paths: Vec<Pointer> = parts
            .registers
            .iter()
            .filter(|register| register.stamp == stamp)
            .map(|register| Pointer::from_path(&register.path))
            .collect();
        paths.dedup();
        paths
    }

    /// The latest write of a value at a path or above it.
    #[must_use]
    pub fn written_last(&self, path: &Pointer) -> Stamp {
        let parts = self.parts();
        let registers = parts.registers.iter();
        let above =
            registers.filter(|register| register.is_value() && is_within(path.path(), &register.path));
        above.map(|register| register.stamp).max().unwrap_or_default()
    }

    /// Whether a write to `path` of this stamp, made in `epoch`, is in here or was superseded by a later one: the version of
    /// the path is at least the write's.
    #[must_use]
    pub fn holds(&self, schema: &Schema, epoch: Stamp, path: &Pointer, stamp: Stamp) -> bool {
        let parts = self.parts();
        if parts.epoch != epoch {
            return parts.epoch > epoch;
        }
        let path = path.path();
        // Dots and contributions leave no register behind: what was seen tells of them.
        let is_causal = schema.kind(path).is_some();
        let covers = |register: &Register<'_>| {
            register.is_value() && is_within(path, &register.path) && register.stamp >= stamp
        };
        // A document that was collected and put anew does not remember what it had seen.
        self.put_at() >= stamp
            || parts.seen.covers(stamp) && (is_causal || parts.registers.iter().any(covers))
    }

    fn parts(&self) -> Parts<'_> {
        // Only what was encoded here, or checked when it came in, is ever inside.
        Parts::decode(&self.0).unwrap_or_default()
    }
}

impl<'s> Writing<'s> {
    fn over<'a>(&self, before: &'s [Register<'a>], null_is_value: bool) -> Write<'a, 's> {
        let &Self { id, schema, limits, stamp } = self;
        Write {
            id,
            schema,
            limits,
            stamp,
            before,
            null_is_value,
            writes: Vec::with_capacity(16),
            dropped: Default::default(),
        }
    }
}

/// A body or patch within the limits of the text alone.
fn check_text<'j>(body: &'j Json, limits: &Limits) -> Result<&'j str, Refusal> {
    let text = body.as_str();
    let (depth, bytes) = (body.depth() as u32, text.len() as u64);
    match () {
        () if !text.starts_with('{') => Err(Refusal::NotAnObject),
        () if bytes > u64::from(limits.document_bytes) => {
            Err(Refusal::TooLarge { bytes, bytes_max: limits.document_bytes })
        }
        () if depth > limits.depth => Err(Refusal::TooDeep { depth, depth_max: limits.depth }),
        () => Ok(text),
    }
}

fn is_deleted(deleted: &VersionVector, seen: &VersionVector) -> bool {
    !deleted.is_empty() && deleted.includes(seen)
}

impl<'a> Parts<'a> {
    fn is_alive(&self) -> bool {
        !self.registers.is_empty() && !is_deleted(&self.deleted, &self.seen)
    }

    fn join(one: Self, other: Self) -> Self {
        let mut seen = one.seen.clone();
        seen.join(&other.seen);
        if one.epoch != other.epoch {
            return Self { seen, ..if one.epoch > other.epoch { one } else { other } };
        }
        let mut deleted = one.deleted;
        deleted.join(&other.deleted);
        let registers = merge((one.registers, &one.seen), (other.registers, &other.seen));
        Self { epoch: one.epoch, seen, deleted, registers }
    }

    /// Begins an epoch with nothing in it. A clock that has not seen the last one cannot.
    fn begin(&mut self, stamp: Stamp) {
        if stamp > self.epoch {
            *self = Self { epoch: stamp, seen: std::mem::take(&mut self.seen), ..Self::default() };
        }
    }

    /// The state after a write, if it is within the limits.
    fn finish(mut self, writing: &Writing<'_>) -> Result<DocumentState, Refusal> {
        let Limits { document_bytes, fields: fields_max, state_bytes, .. } = *writing.limits;
        self.seen.add(writing.stamp);
        let fields = self.registers.len().saturating_sub(1) as u64;
        if fields > u64::from(fields_max) {
            return Err(Refusal::TooManyFields { fields, fields_max });
        }
        let state = self.state();
        state.check_size(state_bytes)?;
        // Text is at most six times as long as what it says (escaped controls): small states need no closer look.
        if state.0.len() as u64 * 6 + 64 > u64::from(document_bytes) {
            let bytes = render::body(&self.registers, writing.id).as_str().len() as u64;
            if bytes > u64::from(document_bytes) {
                return Err(Refusal::TooLarge { bytes, bytes_max: document_bytes });
            }
        }
        Ok(state)
    }

    fn state(&self) -> DocumentState {
        DocumentState(self.encode().into())
    }
}

impl fmt::Debug for DocumentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().fmt(f)
    }
}

impl Serialize for DocumentState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for DocumentState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = bytes::Bytes::deserialize(deserializer)?;
        Self::from_bytes(&bytes)
            .ok_or_else(|| serde::de::Error::custom("no document state in canonical form"))
    }
}
