//! A store by itself, and stores that tell each other.

mod feed;
mod limits;
mod properties;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use proptest::prelude::*;

use super::*;
use crate::sync::testing::cases;
use crate::sync::{Deletes, FieldKind};

const BOOKS: &str = "books";

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn id(number: u32) -> DocumentId {
    let mut bytes = [0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    DocumentId(bytes)
}

fn wall(millis: u64) -> Time {
    Time(millis * 1_000_000)
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn store(node: u32) -> Store {
    let mut store = Store::new(NodeId(node), Limits { page: 50, deletions: 2, ..Limits::default() });
    store.create_collection(&name(BOOKS), Schema::default(), wall(0)).unwrap();
    store
}

fn change(record: &Record) -> &Change {
    match record {
        Record::Changed { change, .. } => change,
        other => panic!("{other:?}"),
    }
}

/// All that `from` knows, told to `to`.
fn tell(from: &Store, to: &mut Store) {
    for record in from.snapshot() {
        if let Record::Changed { change, .. } = record {
            to.apply(&change, wall(0)).unwrap();
        }
    }
}

/// A store that takes little from others.
fn wary(node: u32) -> Store {
    let limits =
        Limits { merged_state_bytes: 1_000, merged_writers: 5, merged_collections: 3, ..Limits::default() };
    let mut store = Store::new(NodeId(node), limits);
    store.create_collection(&name(BOOKS), Schema::default(), wall(0)).unwrap();
    store
}

#[test]
fn a_document_is_added_read_updated_and_deleted() {
    let mut store = store(0);
    let added = store.add(BOOKS, id(1), &json(r#"{"title":"Emma","year":1815}"#), wall(5)).unwrap();
    let found = store.get(BOOKS, id(1)).unwrap();
    assert_eq!(found.body(), json(&format!(r#"{{"_id":"{}","title":"Emma","year":1815}}"#, id(1))));
    assert_eq!((found.state.version(), added.stamp.millis()), (added.stamp, 5));
    let read = found.state.hash();
    store.update(BOOKS, id(1), &json(r#"{"year":1816}"#), Some(&read), wall(6)).unwrap();
    let before = store.clone();
    assert_eq!(store.update(BOOKS, id(1), &json("{}"), Some(&read), wall(7)), Err(Refusal::HasChanged));
    assert_eq!(store.put(BOOKS, id(1), &json("{}"), Some(&read), wall(7)), Err(Refusal::HasChanged));
    assert_eq!(store.delete(BOOKS, id(1), Some(&read), wall(7)), Err(Refusal::HasChanged));
    assert_eq!(store.add(BOOKS, id(1), &json("{}"), wall(7)), Err(Refusal::DocumentExists));
    assert_eq!(store.add(BOOKS, id(2), &json(r#"{"_id":7}"#), wall(7)), Err(Refusal::BadId));
    assert_eq!(store.update(BOOKS, id(2), &json("{}"), None, wall(7)), Err(Refusal::NoSuchDocument));
    assert_eq!(store.get("none", id(1)), Err(Refusal::NoSuchCollection));
    assert_eq!(store, before, "a refusal changes nothing");
    let named = store.add(BOOKS, id(3), &json(&format!(r#"{{"_id":"{}"}}"#, id(9))), wall(8)).unwrap();
    assert_eq!(named.id, id(9));
    store.delete(BOOKS, id(1), None, wall(9)).unwrap();
    assert_eq!(store.get(BOOKS, id(1)), Err(Refusal::NoSuchDocument));
    assert_eq!(store.tombstones(BOOKS).map(|(_, id)| id).collect::<Vec<_>>(), [id(1)]);
}

#[test]
fn documents_that_match_are_deleted() {
    let mut store = store(0);
    for number in 0..4 {
        store
            .add(BOOKS, id(number), &json(&format!(r#"{{"n":{},"x":[1.0]}}"#, number % 2)), wall(1))
            .unwrap();
    }
    assert_eq!(store.delete_matching(BOOKS, &json(r#"{"n":1}"#), wall(2)), Ok(vec![]));
    assert_eq!(store.delete_matching(BOOKS, &json("[1]"), wall(2)), Err(Refusal::NotAnObject));
    let gone: Vec<_> = store
        .delete_matching(BOOKS, &json(r#"{"x":[1],"n":1}"#), wall(2))
        .unwrap()
        .iter()
        .map(|done| done.id)
        .collect();
    assert_eq!(gone, [id(1), id(3)]);
    let one = json(&format!(r#"{{"_id":"{}","n":0,"x":[1]}}"#, id(2)));
    assert_eq!(store.delete_matching(BOOKS, &one, wall(2)).unwrap().len(), 1);
    assert_eq!(store.count(BOOKS), (4, 3));
}

#[test]
fn a_collection_that_is_created_anew_has_nothing_of_the_old_one() {
    let (mut one, mut other) = (store(0), store(1));
    tell(&one, &mut other);
    other.add(BOOKS, id(1), &json("{}"), wall(900)).unwrap();
    one.delete_collection(BOOKS, wall(10)).unwrap();
    assert_eq!(one.add(BOOKS, id(2), &json("{}"), wall(11)), Err(Refusal::NoSuchCollection));
    let schema = Schema::new(Deletes::YieldToUpdates, []).unwrap();
    one.create_collection(&name(BOOKS), schema.clone(), wall(12)).unwrap();
    assert_eq!(one.create_collection(&name(BOOKS), schema.clone(), wall(12)), Err(Refusal::CollectionExists));
    let fresh = one.add(BOOKS, id(3), &json("{}"), wall(13)).unwrap();
    assert_eq!(
        other.apply(change(&fresh.record), wall(14)),
        Err(Refusal::NoSuchCollection),
        "its epoch is not known yet"
    );
    tell(&other, &mut one);
    tell(&one, &mut other);
    for store in [&one, &other] {
        assert_eq!(store.entries(BOOKS).map(|(id, _)| id).collect::<Vec<_>>(), [id(3)]);
        assert_eq!(store.collections().map(|(_, schema)| schema).collect::<Vec<_>>(), [&schema]);
    }
}

#[test]
fn a_write_exceeds_all_that_its_writer_has_read() {
    let (mut ahead, mut behind) = (store(0), store(1));
    tell(&ahead, &mut behind);
    let first = ahead.add(BOOKS, id(1), &json(r#"{"a":1}"#), wall(50_000)).unwrap();
    behind.apply(change(&first.record), wall(10)).unwrap();
    let second = behind.update(BOOKS, id(1), &json(r#"{"a":2}"#), None, wall(11)).unwrap();
    assert!(second.stamp > first.stamp);
    let later = ahead.add(BOOKS, id(2), &json("{}"), wall(100_000)).unwrap();
    let before = behind.clone();
    assert!(matches!(behind.apply(change(&later.record), wall(12)), Err(Refusal::Clock(_))));
    assert_eq!(behind, before);
    // The flaw: the same reader's write is lost.
    let mut flawed = Store::new(NodeId(2), Limits::default()).with_own_clock();
    flawed.create_collection(&name(BOOKS), Schema::default(), wall(0)).unwrap();
    flawed.apply(change(&first.record), wall(11)).unwrap();
    let lost = flawed.update(BOOKS, id(1), &json(r#"{"a":3}"#), None, wall(12)).unwrap();
    assert_eq!(flawed.get(BOOKS, id(1)).unwrap().body().value()["a"], 1);
    assert!(lost.stamp < first.stamp);
}

#[test]
fn a_tombstone_taken_out_too_early_lets_the_document_come_back() {
    let (mut one, mut other) = (store(0), store(1));
    tell(&one, &mut other);
    let added = one.add(BOOKS, id(1), &json("{}"), wall(1)).unwrap();
    other.apply(change(&added.record), wall(1)).unwrap();
    one.delete(BOOKS, id(1), None, wall(2)).unwrap();
    tell(&other, &mut one);
    assert_eq!(one.count(BOOKS), (1, 1), "the tombstone holds");
    assert_eq!(
        one.collect(BOOKS, &[id(1), id(2)])
            .unwrap()
            .map(|record| matches!(record, Record::Collected { ids, .. } if ids == [id(1)])),
        Some(true)
    );
    assert_eq!(one.collect(BOOKS, &[id(1)]), Ok(None));
    assert_eq!(one.count(BOOKS), (0, 0));
    tell(&other, &mut one);
    assert!(one.get(BOOKS, id(1)).is_ok());
    assert_eq!(one.collect(BOOKS, &[id(1)]), Ok(None), "what is alive is not collected");
}
