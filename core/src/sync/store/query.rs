//! Reading collections: filters, orders, pages, and the feed of changes.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::deletions::Deletion;
use super::shelf::{Entry, Shelf};
use super::{Found, Store, token};
use crate::contract::{Json, NodeId};
use crate::sync::collection::ID_FIELD;
use crate::sync::pointer::MARK;
use crate::sync::text::{compare, is_one_type, push_string, string};
use crate::sync::{DocumentId, DocumentState, Pointer, Refusal, Stamp};

/// What a reader asks of a collection.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Query {
    /// All of them must hold.
    pub filters: Vec<Filter>,
    /// In which order.
    pub order: Order,
    /// Whether the order runs backwards.
    pub descending: bool,
    /// Documents of a page; 0, or more than the store's limit, stands for that limit.
    pub limit: u32,
    /// The token of the page before.
    pub after: Option<String>,
}

/// An order of documents. What is equal in it stands in the order of names.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Order {
    /// By name, which is about the order of making.
    #[default]
    Id,
    /// By the latest write.
    Written,
    /// By the value at a path: null and what is missing, false, true, numbers, strings, arrays, objects. Of strings the first
    /// 256 bytes count; arrays and objects that are longer count as empty ones. It looks at all documents.
    Field(Pointer),
}

/// A condition on the value at a path. A document without a value there does not fulfil it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Filter {
    /// Which value: `/_id` is the document's name.
    pub path: Pointer,
    /// What is asked of it.
    pub test: Test,
}

/// What is asked of a value.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Test {
    /// It equals this one.
    Equals(Json),
    /// It is of the same type as the bounds, and between them.
    Within(Bound<Json>, Bound<Json>),
    /// It is a string that begins so.
    StartsWith(String),
}

/// A part of what was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    /// Documents, in order.
    pub documents: Vec<Found>,
    /// The token of the next page, if there is more.
    ///
    /// By name, every document that is there all the time is on exactly one page. By another order, documents that changed
    /// since the first page are left out, lest they be on two: the feed from [`changes`](Self::changes) on tells of them, or
    /// refuses the token if it no longer knows all that was deleted.
    pub next: Option<String>,
    /// The place in the feed of changes at which the first page was read.
    pub changes: String,
}

/// A part of what has happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Feed {
    /// The latest change of each document, in the order in which this replica took them in.
    pub changes: Vec<Happened>,
    /// Where to go on, also if there is nothing yet.
    pub next: String,
}

/// The latest change of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Happened {
    /// The document's name.
    pub id: DocumentId,
    /// The hash of its state.
    pub hash: [u8; 32],
    /// Its latest write.
    pub stamp: Stamp,
    /// Its state; none if it was deleted.
    pub state: Option<DocumentState>,
    /// Where to go on behind it.
    pub token: String,
}

/// The place in the order at which a page ends.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Key {
    Id,
    Written(Stamp),
    Field(String),
}

/// What a page's token says.
#[derive(Deserialize, Serialize)]
struct Position {
    /// The query's hash: a token of another query fits nothing.
    query: u64,
    snapshot: Snapshot,
    key: Key,
    id: DocumentId,
}

/// The moment of the first page: exact on the replica that gave it, by stamp on another.
#[derive(Clone, Copy, Deserialize, Serialize)]
struct Snapshot {
    replica: NodeId,
    incarnation: u32,
    arrival: u64,
    stamp: Stamp,
}

/// What a feed's token says.
#[derive(Deserialize, Serialize)]
struct Place {
    replica: NodeId,
    incarnation: u32,
    epoch: Stamp,
    /// Up to which change the reader has been told.
    arrival: u64,
    /// At which change it began, with nothing: what was deleted before it has never had.
    began: u64,
}

impl Place {
    /// The first change whose deletions the reader must not miss is the one behind this.
    fn had(&self) -> u64 {
        self.arrival.max(self.began)
    }
}

/// Bytes of the states of a page, or of changes told at once: one that is larger comes alone.
const PAGE_BYTES: usize = 4 << 20;

impl Store {
    /// One page of a query.
    ///
    /// # Errors
    /// If there is no such collection, the query is beyond a limit, or the token is not one of this query.
    pub fn find(&self, name: &str, query: &Query) -> Result<Page, Refusal> {
        let (state, shelf) = self.shelf(name)?;
        let filters_max = self.limits.filters;
        if query.filters.len() > filters_max as usize {
            return Err(Refusal::TooManyFilters { filters_max });
        }
        let hash = hash((name, state.epoch, &query.filters, &query.order, query.descending));
        let position: Option<Position> = query.after.as_deref().map(token::open).transpose()?;
        if position
            .as_ref()
            .is_some_and(|position| position.query != hash || !query.order.fits(&position.key))
        {
            return Err(Refusal::BadToken);
        }
        let (replica, incarnation) = (self.node, self.incarnation);
        let stamp = self.clock.latest(self.node);
        let now = Snapshot { replica, incarnation, arrival: self.arrivals, stamp };
        let snapshot = position.as_ref().map_or(now, |position| position.snapshot);
        let asked =
            if query.limit == 0 { self.limits.page } else { query.limit.min(self.limits.page) } as usize;
        let is_wanted = |id: DocumentId, entry: &Entry| {
            let is_old = query.order == Order::Id || position.is_none() || self.is_before(snapshot, entry);
            is_old
                && entry.state.is_alive()
                && query.filters.iter().all(|filter| filter.holds(id, &entry.state))
        };
        let after = position.as_ref().map(|position| (&position.key, position.id));
        let mut hits = query.order.hits(shelf, after, query.descending, asked + 1, is_wanted);
        let sizes = hits.iter().map(|(_, _, entry)| entry.state.as_bytes().len());
        let fitting = fitting(sizes).min(asked);
        let more = hits.len() > fitting;
        hits.truncate(fitting);
        let next = hits
            .last()
            .filter(|_| more)
            .map(|(key, id, _)| token::seal(&Position { query: hash, snapshot, key: key.clone(), id: *id }));
        let documents =
            hits.into_iter().map(|(_, id, entry)| Found { id, state: entry.state.clone() }).collect();
        let Snapshot { replica, incarnation, arrival, .. } = snapshot;
        let place = Place { replica, incarnation, epoch: state.epoch, arrival, began: arrival };
        Ok(Page { documents, next, changes: token::seal(&place) })
    }

    /// Whether a document has not changed since the first page.
    fn is_before(&self, snapshot: Snapshot, entry: &Entry) -> bool {
        if (snapshot.replica, snapshot.incarnation) == (self.node, self.incarnation) {
            entry.arrival <= snapshot.arrival
        } else {
            entry.state.version() <= snapshot.stamp
        }
    }

    /// What has changed since `after` was given, or ever. Deletions are told to whoever may have had the document.
    ///
    /// # Errors
    /// If there is no such collection, the token is none of a feed, is one of another replica or of what this one had before it
    /// lost its disk, is of the collection before it was deleted, or is so old that deletions since then are forgotten.
    pub fn changes(&self, name: &str, after: Option<&str>, limit: u32) -> Result<Feed, Refusal> {
        let (collection, shelf) = self.shelf(name)?;
        let (replica, incarnation, epoch) = (self.node, self.incarnation, collection.epoch);
        let start = Place { replica, incarnation, epoch, arrival: 0, began: self.arrivals };
        let place: Place = after.map_or(Ok(start), token::open)?;
        let is_ours = (place.replica, place.incarnation, place.epoch) == (replica, incarnation, epoch);
        let is_known = (shelf.deletions().since()..=self.arrivals).contains(&place.had());
        if !is_ours || !is_known {
            return Err(Refusal::StaleToken);
        }
        let asked = if limit == 0 { self.limits.page } else { limit.min(self.limits.page) } as usize;
        let token = |arrival| token::seal(&Place { arrival, ..place });
        let here = shelf.arrived_after(place.arrival).take(asked);
        let here = here.map(|(id, entry)| (entry.arrival, Latest::Here(id, entry)));
        let gone = shelf.deletions().after(place.had()).take(asked);
        let gone = gone.map(|(arrival, deletion)| (arrival, Latest::Gone(deletion)));
        let mut found: Vec<(u64, Latest<'_>)> = here.chain(gone).collect();
        found.sort_unstable_by_key(|(arrival, _)| *arrival);
        found.truncate(asked);
        let fitting = fitting(found.iter().map(|(_, latest)| latest.size()));
        let fitted = found.into_iter().take(fitting);
        let changes: Vec<Happened> =
            fitted.map(|(arrival, latest)| latest.happened(token(arrival))).collect();
        let next = changes.last().map_or_else(|| token(place.arrival), |last| last.token.clone());
        Ok(Feed { changes, next })
    }
}

/// What the feed tells of.
enum Latest<'s> {
    /// A document or tombstone.
    Here(DocumentId, &'s Entry),
    /// A tombstone that went.
    Gone(&'s Deletion),
}

impl Latest<'_> {
    fn size(&self) -> usize {
        match self {
            Self::Here(_, entry) => entry.state.as_bytes().len(),
            Self::Gone(_) => size_of::<Deletion>(),
        }
    }

    fn happened(&self, token: String) -> Happened {
        match *self {
            Self::Here(id, Entry { state, .. }) => {
                let (hash, stamp) = (state.hash(), state.version());
                Happened { id, hash, stamp, state: state.is_alive().then(|| state.clone()), token }
            }
            Self::Gone(&Deletion { id, stamp, hash }) => Happened { id, hash, stamp, state: None, token },
        }
    }
}

/// How many of these fit into a page: one does always.
fn fitting(sizes: impl Iterator<Item = usize>) -> usize {
    let mut bytes = 0usize;
    let fits = |size: &usize| {
        let is_first = bytes == 0;
        bytes = bytes.saturating_add(*size);
        is_first || bytes <= PAGE_BYTES
    };
    sizes.take_while(fits).count()
}

impl Order {
    fn fits(&self, key: &Key) -> bool {
        matches!(
            (self, key),
            (Self::Id, Key::Id) | (Self::Written, Key::Written(_)) | (Self::Field(_), Key::Field(_))
        )
    }

    /// The first documents beyond a place that are wanted.
    fn hits<'s>(
        &self,
        shelf: &'s Shelf,
        after: Option<(&Key, DocumentId)>,
        descending: bool,
        count: usize,
        is_wanted: impl Fn(DocumentId, &Entry) -> bool,
    ) -> Vec<(Key, DocumentId, &'s Entry)> {
        match self {
            Self::Id => {
                let found = shelf.by_id(after.map(|(_, id)| id), descending);
                found
                    .filter(|(id, entry)| is_wanted(*id, entry))
                    .take(count)
                    .map(|(id, entry)| (Key::Id, id, entry))
                    .collect()
            }
            Self::Written => {
                let after = after.and_then(|(key, id)| match key {
                    Key::Written(stamp) => Some((*stamp, id)),
                    _ => None,
                });
                let found =
                    shelf.by_version(after, descending).filter(|(_, id, entry)| is_wanted(*id, entry));
                found.take(count).map(|(stamp, id, entry)| (Key::Written(stamp), id, entry)).collect()
            }
            Self::Field(path) => by_field(path, shelf, after, descending, count, is_wanted),
        }
    }
}

/// Looks at all documents, and keeps the first ones.
fn by_field<'s>(
    path: &Pointer,
    shelf: &'s Shelf,
    after: Option<(&Key, DocumentId)>,
    descending: bool,
    count: usize,
    is_wanted: impl Fn(DocumentId, &Entry) -> bool,
) -> Vec<(Key, DocumentId, &'s Entry)> {
    let mut first: BTreeMap<Ranked, &Entry> = BTreeMap::new();
    let after = after.and_then(|(key, id)| match key {
        Key::Field(text) => Some(Ranked { text: text.clone(), id, descending }),
        _ => None,
    });
    for (id, entry) in shelf.by_id(None, false).filter(|(id, entry)| is_wanted(*id, entry)) {
        let ranked = Ranked { text: sort_key(path, id, &entry.state), id, descending };
        let is_beyond = after.as_ref().is_none_or(|after| ranked > *after);
        let is_early = first.len() < count || first.last_key_value().is_some_and(|(last, _)| ranked < *last);
        if is_beyond && is_early {
            first.insert(ranked, entry);
            if first.len() > count {
                first.pop_last();
            }
        }
    }
    first.into_iter().map(|(ranked, entry)| (Key::Field(ranked.text), ranked.id, entry)).collect()
}

/// A document's place in the order of a field.
#[derive(Eq, PartialEq)]
struct Ranked {
    text: String,
    id: DocumentId,
    descending: bool,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = compare(&self.text, &other.text).then_with(|| self.id.cmp(&other.id));
        if self.descending { order.reverse() } else { order }
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The text by which a document is sorted: short enough for a token.
fn sort_key(path: &Pointer, id: DocumentId, state: &DocumentState) -> String {
    const BYTES: usize = 256;
    let text = value(path, id, state).unwrap_or_else(|| "null".to_owned());
    match text.as_bytes() {
        _ if text.len() <= BYTES => text,
        [b'[', ..] => "[]".to_owned(),
        [b'{', ..] => "{}".to_owned(),
        _ => {
            let whole = string(&text).unwrap_or_default();
            let mut start = String::new();
            push_string(&mut start, &whole[..whole.floor_char_boundary(BYTES)]);
            start
        }
    }
}

impl Filter {
    fn holds(&self, id: DocumentId, state: &DocumentState) -> bool {
        let Some(value) = value(&self.path, id, state) else { return false };
        match &self.test {
            Test::Equals(wanted) => value == wanted.as_str(),
            Test::Within(from, to) => {
                let above = match from {
                    Bound::Unbounded => true,
                    Bound::Included(from) => {
                        is_one_type(&value, from.as_str()) && compare(&value, from.as_str()).is_ge()
                    }
                    Bound::Excluded(from) => {
                        is_one_type(&value, from.as_str()) && compare(&value, from.as_str()).is_gt()
                    }
                };
                above
                    && match to {
                        Bound::Unbounded => true,
                        Bound::Included(to) => {
                            is_one_type(&value, to.as_str()) && compare(&value, to.as_str()).is_le()
                        }
                        Bound::Excluded(to) => {
                            is_one_type(&value, to.as_str()) && compare(&value, to.as_str()).is_lt()
                        }
                    }
            }
            Test::StartsWith(start) => string(&value).is_some_and(|value| value.starts_with(start)),
        }
    }
}

/// The value at a path as canonical text.
fn value(path: &Pointer, id: DocumentId, state: &DocumentState) -> Option<String> {
    match path.path().strip_prefix(MARK) {
        Some(ID_FIELD) => state.is_alive().then(|| format!("\"{id}\"")),
        Some(_) => state.value(path),
        None => state.body(id).map(|body| body.as_str().to_owned()),
    }
}

fn hash(content: impl Serialize) -> u64 {
    let bytes = postcard::to_allocvec(&content).unwrap_or_default();
    let hash = blake3::hash(&bytes);
    hash.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes)
}
