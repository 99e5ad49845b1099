//! Collections: their names, their schemas, and how two replicas' views of one merge.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::pointer::is_within;
use super::{Pointer, Refusal, Stamp};

/// The name of the field that shows a document's name.
pub(super) const ID_FIELD: &str = "_id";
const NAME_BYTES_MAX: usize = 64;

/// The name of a collection: 1 to 64 letters, digits, `-`, `_` and `.` of ASCII, the first of them no dot.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(Arc<str>);

impl Name {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let is_fine = (1..=NAME_BYTES_MAX).contains(&text.len())
            && !text.starts_with('.')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        let refusal = Refusal::BadName { bytes_max: NAME_BYTES_MAX as u32, is_field: false };
        if is_fine { Ok(Self(text.into())) } else { Err(refusal) }
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What becomes of a document that is deleted here and updated there, neither knowing of the other.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Deletes {
    /// It is gone, whatever the clocks say.
    #[default]
    Win,
    /// The whole document stays. Until it is collected, its tombstone keeps the fields.
    YieldToUpdates,
}

/// How concurrent writes to a field merge. A field that the schema does not name is last-writer-wins.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum FieldKind {
    /// All of them are kept, until a write that has seen them takes their place.
    MultiValue,
    /// They add up. A counter has six decimals and a range of about 9.2e12 for each replica's part.
    Counter,
    /// A set of values: an element added here and removed there stays.
    Set,
}

impl FieldKind {
    /// What may be written to such a field.
    pub(super) const fn takes(self) -> &'static str {
        match self {
            Self::MultiValue => "it takes a scalar or an array",
            Self::Counter => "it takes a number of at most six decimals, or {\"$add\": number}",
            Self::Set => "it takes an array, or {\"$add\": [..], \"$remove\": [..]}",
        }
    }
}

impl fmt::Display for FieldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MultiValue => "multi-value",
            Self::Counter => "counter",
            Self::Set => "set",
        })
    }
}

/// How the documents of a collection merge.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "(Deletes, Vec<(Pointer, FieldKind)>)", into = "(Deletes, Vec<(Pointer, FieldKind)>)")]
pub struct Schema {
    deletes: Deletes,
    fields: BTreeMap<Pointer, FieldKind>,
}

impl Schema {
    /// A schema with these kinds of fields.
    ///
    /// # Errors
    /// If a field is named twice, is the root or `_id`, or is below another one that is named.
    pub fn new(
        deletes: Deletes,
        fields: impl IntoIterator<Item = (Pointer, FieldKind)>,
    ) -> Result<Self, Refusal> {
        let mut kinds: BTreeMap<Pointer, FieldKind> = BTreeMap::new();
        for (path, kind) in fields {
            let is_root = path.path().is_empty();
            let is_id = path.path().strip_prefix(super::pointer::MARK) == Some(ID_FIELD);
            if is_root || is_id || kinds.insert(path.clone(), kind).is_some() {
                return Err(Refusal::BadSchema(path));
            }
        }
        // In sorted paths, what is below a path follows it directly.
        let nested =
            kinds.keys().zip(kinds.keys().skip(1)).find(|(above, path)| is_within(path.path(), above.path()));
        match nested {
            Some((_, path)) => Err(Refusal::BadSchema(path.clone())),
            None => Ok(Self { deletes, fields: kinds }),
        }
    }

    /// What becomes of concurrent deletions and updates.
    #[must_use]
    pub const fn deletes(&self) -> Deletes {
        self.deletes
    }

    /// The fields that are not last-writer-wins.
    pub fn fields(&self) -> impl Iterator<Item = (&Pointer, FieldKind)> {
        self.fields.iter().map(|(path, kind)| (path, *kind))
    }

    /// The kind of the field at a path in the form of registers.
    pub(super) fn kind(&self, path: &str) -> Option<FieldKind> {
        if self.fields.is_empty() { None } else { self.fields.get(path).copied() }
    }
}

impl TryFrom<(Deletes, Vec<(Pointer, FieldKind)>)> for Schema {
    type Error = Refusal;

    fn try_from((deletes, fields): (Deletes, Vec<(Pointer, FieldKind)>)) -> Result<Self, Refusal> {
        Self::new(deletes, fields)
    }
}

impl From<Schema> for (Deletes, Vec<(Pointer, FieldKind)>) {
    fn from(schema: Schema) -> Self {
        (schema.deletes, schema.fields.into_iter().collect())
    }
}

/// What replicas tell each other of a collection besides its documents.
///
/// A collection lives in *epochs*: a deletion begins the next one, and what belongs to an earlier epoch is gone, written
/// concurrently or not. Those who create it in one epoch create the same collection; the latest schema counts.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct CollectionState {
    /// The stamp of the deletion that it follows; zero in its first epoch.
    pub epoch: Stamp,
    /// When it was created in this epoch, and how; none while it is deleted.
    pub created: Option<(Stamp, Schema)>,
}

impl CollectionState {
    /// Takes in another replica's view. Whether this one changed.
    pub fn join(&mut self, other: &Self) -> bool {
        let changed = (other.epoch, &other.created) > (self.epoch, &self.created);
        if changed {
            self.clone_from(other);
        }
        changed
    }

    /// The latest stamp in it.
    #[must_use]
    pub fn version(&self) -> Stamp {
        self.created.as_ref().map_or(self.epoch, |(stamp, _)| self.epoch.max(*stamp))
    }
}
