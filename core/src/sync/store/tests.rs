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
fn a_merge_that_could_not_be_told_on_is_refused_on_both_sides() {
    let (mut one, mut other) = (wary(0), wary(1));
    let body = |field: char| json(&format!(r#"{{"{field}":"{}"}}"#, "x".repeat(350)));
    one.put(BOOKS, id(1), &body('a'), None, wall(1)).unwrap();
    tell(&one, &mut other);
    let ones = one.update(BOOKS, id(1), &body('b'), None, wall(2)).unwrap().record;
    let others = other.update(BOOKS, id(1), &body('c'), None, wall(2)).unwrap().record;
    for (store, record) in [(&mut one, &others), (&mut other, &ones)] {
        let before = store.clone();
        let refused = store.apply(change(record), wall(2));
        assert!(matches!(refused, Err(Refusal::StateTooLarge { bytes_max: 1_000, .. })), "{refused:?}");
        assert_eq!(*store, before);
    }
    // Put anew, it is small again, and all agree.
    let anew = one.put(BOOKS, id(1), &body('d'), None, wall(3)).unwrap().record;
    other.apply(change(&anew), wall(3)).unwrap();
    tell(&other, &mut one);
    assert_eq!(one.state(BOOKS, id(1)), other.state(BOOKS, id(1)));
}

#[test]
fn a_document_of_too_many_writers_is_refused() {
    let mut store = wary(0);
    let mut told = |writer: u32| {
        let put = wary(writer).put(BOOKS, id(1), &json("{}"), None, wall(writer.into())).unwrap();
        store.apply(change(&put.record), wall(0)).map(|record| record.is_some())
    };
    for writer in 1..=5 {
        assert_eq!(told(writer), Ok(true));
    }
    assert_eq!(told(6), Err(Refusal::TooManyWriters(5)));
    assert_eq!(told(5), Ok(false));
}

#[test]
fn collections_that_others_tell_of_are_bounded() {
    let mut store = wary(0);
    let created = Some((Stamp { time: 1, node: NodeId(1) }, Schema::default()));
    let state = CollectionState { epoch: Stamp::ZERO, created };
    let tell = |store: &mut Store, nth: u32| {
        let change = Change::Collection { name: name(&format!("c{nth}")), state: state.clone() };
        store.apply(&change, wall(0)).map(|record| record.is_some())
    };
    for nth in 1..3 {
        assert_eq!(tell(&mut store, nth), Ok(true));
    }
    assert_eq!(tell(&mut store, 3), Err(Refusal::TooManyCollections(3)));
    assert_eq!(tell(&mut store, 2), Ok(false), "what is known is still heard of");
    assert_eq!(store.collections().count(), 3);
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

#[test]
fn the_feed_tells_the_latest_change_of_each_document() {
    let mut store = store(0);
    for number in 0..5 {
        store.add(BOOKS, id(number), &json("{}"), wall(1)).unwrap();
    }
    let first = store.changes(BOOKS, None, 3).unwrap();
    assert_eq!(first.changes.iter().map(|change| change.id).collect::<Vec<_>>(), [id(0), id(1), id(2)]);
    store.update(BOOKS, id(3), &json(r#"{"a":1}"#), None, wall(2)).unwrap();
    store.delete(BOOKS, id(0), None, wall(3)).unwrap();
    let rest = store.changes(BOOKS, Some(&first.next), 0).unwrap();
    let told: Vec<_> = rest.changes.iter().map(|change| (change.id, change.state.is_some())).collect();
    assert_eq!(told, [(id(4), true), (id(3), true), (id(0), false)]);
    assert_eq!(store.changes(BOOKS, Some(&rest.changes[0].token), 0).unwrap().changes, rest.changes[1..]);
    let end = store.changes(BOOKS, Some(&rest.next), 0).unwrap();
    assert_eq!((end.changes.len(), &end.next), (0, &rest.next));
    let mut other = self::store(1);
    tell(&store, &mut other);
    assert_eq!(other.changes(BOOKS, Some(&rest.next), 0), Err(Refusal::StaleToken));
    store.delete_collection(BOOKS, wall(4)).unwrap();
    store.create_collection(&name(BOOKS), Schema::default(), wall(5)).unwrap();
    assert_eq!(store.changes(BOOKS, Some(&rest.next), 0), Err(Refusal::StaleToken));
}

/// What a reader keeps who has read all from the beginning, and then goes on from a token.
fn go_on(
    store: &Store,
    after: &str,
    mut kept: BTreeSet<DocumentId>,
) -> Result<BTreeSet<DocumentId>, Refusal> {
    for change in store.changes(BOOKS, Some(after), 0)?.changes {
        match change.state {
            Some(_) => kept.insert(change.id),
            None => kept.remove(&change.id),
        };
    }
    Ok(kept)
}

#[test]
fn the_feed_tells_deletions_whose_tombstones_went_or_refuses_the_token() {
    let mut store = store(0);
    for number in 0..6 {
        store.add(BOOKS, id(number), &json("{}"), wall(1)).unwrap();
    }
    let page = store.find(BOOKS, &Query::default()).unwrap().changes;
    let read = store.changes(BOOKS, None, 0).unwrap();
    let first = store.changes(BOOKS, None, 1).unwrap().next;
    let all: BTreeSet<_> = (0..6).map(id).collect();
    let gone = |store: &mut Store, number| {
        store.delete(BOOKS, id(number), None, wall(2)).unwrap();
        assert!(store.collect(BOOKS, &[id(number)]).unwrap().is_some());
    };
    gone(&mut store, 0);
    gone(&mut store, 3);
    let left: BTreeSet<_> = [1, 2, 4, 5].map(id).into();
    for token in [&page, &read.next, &first] {
        assert_eq!(go_on(&store, token, all.clone()).as_ref(), Ok(&left));
    }
    // Who begins now is told only what is there; who is in the middle of it goes on, whatever is forgotten.
    let fresh = store.changes(BOOKS, None, 2).unwrap();
    assert!(store.changes(BOOKS, None, 0).unwrap().changes.iter().all(|change| change.state.is_some()));
    // Back again: no deletion any more.
    store.add(BOOKS, id(3), &json("{}"), wall(3)).unwrap();
    let back: BTreeSet<_> = [1, 2, 3, 4, 5].map(id).into();
    assert_eq!(go_on(&store, &page, all.clone()), Ok(back.clone()));
    // Two are remembered: of the third, the oldest is forgotten.
    gone(&mut store, 1);
    gone(&mut store, 2);
    for token in [&page, &read.next, &first] {
        assert_eq!(go_on(&store, token, all.clone()), Err(Refusal::StaleToken));
    }
    let kept: BTreeSet<_> = fresh.changes.iter().map(|change| change.id).collect();
    assert_eq!(kept, [1, 2].map(id).into());
    assert_eq!(go_on(&store, &fresh.next, kept), Ok([3, 4, 5].map(id).into()));
    let anew = store.changes(BOOKS, None, 1).unwrap().next;
    assert_eq!(go_on(&store, &anew, BTreeSet::from([id(4)])), Ok([3, 4, 5].map(id).into()));
}

#[test]
fn a_replica_that_lost_its_disk_does_not_know_its_old_tokens() {
    let mut lost = store(0);
    let mut other = store(1);
    lost.begin(1);
    let mut anew = lost.emptied();
    anew.begin(2);
    for number in 0..3 {
        lost.add(BOOKS, id(number), &json("{}"), wall(1)).unwrap();
    }
    let (page, feed) = (lost.find(BOOKS, &Query::default()).unwrap(), lost.changes(BOOKS, None, 0).unwrap());
    tell(&lost, &mut other);
    other.delete(BOOKS, id(0), None, wall(2)).unwrap();
    other.collect(BOOKS, &[id(0)]).unwrap();
    (3..9).for_each(|number| drop(other.add(BOOKS, id(number), &json("{}"), wall(3)).unwrap()));
    tell(&other, &mut anew);
    assert!(anew.arrivals() > lost.arrivals());
    for token in [&page.changes, &feed.next] {
        assert_eq!(anew.changes(BOOKS, Some(token), 0), Err(Refusal::StaleToken));
    }
    // Nor a token from further on than it is itself.
    let (mut ahead, behind) = (store(0), store(0));
    ahead.add(BOOKS, id(1), &json("{}"), wall(1)).unwrap();
    let token = ahead.changes(BOOKS, None, 0).unwrap().next;
    assert_eq!(behind.changes(BOOKS, Some(&token), 0), Err(Refusal::StaleToken));
}

#[test]
fn a_token_that_is_not_ours_is_refused() {
    let mut store = store(0);
    for number in 0..5 {
        store.add(BOOKS, id(number), &json("{}"), wall(1)).unwrap();
    }
    let query = Query { limit: 2, ..Query::default() };
    let token = store.find(BOOKS, &query).unwrap().next.unwrap();
    assert!(store.find(BOOKS, &Query { after: Some(token.clone()), ..query.clone() }).is_ok());
    let other = Query { descending: true, after: Some(token.clone()), ..query.clone() };
    assert_eq!(store.find(BOOKS, &other), Err(Refusal::BadToken));
    assert_eq!(store.changes(BOOKS, Some(&token), 1), Err(Refusal::BadToken));
    for at in 0..token.len() {
        let mut hostile = token.clone().into_bytes();
        hostile[at] = if hostile[at] == b'A' { b'B' } else { b'A' };
        let after = Some(String::from_utf8(hostile).unwrap());
        assert_eq!(store.find(BOOKS, &Query { after, ..query.clone() }), Err(Refusal::BadToken));
    }
    for hostile in [String::new(), "%".to_owned(), "A".repeat(100_000)] {
        assert_eq!(
            store.find(BOOKS, &Query { after: Some(hostile), ..query.clone() }),
            Err(Refusal::BadToken)
        );
    }
    let filter = Filter { path: "/a".parse().unwrap(), test: Test::StartsWith(String::new()) };
    let many = Query { filters: vec![filter; 33], ..query };
    assert_eq!(store.find(BOOKS, &many), Err(Refusal::TooManyFilters { filters_max: 32 }));
}

#[test]
fn what_is_beyond_a_limit_is_refused_and_changes_nothing() {
    let limits = Limits {
        document_bytes: 100,
        depth: 2,
        fields: 3,
        field_name_bytes: 5,
        collections: 2,
        filters: 1,
        ..Limits::default()
    };
    let mut store = Store::new(NodeId(0), limits);
    let pointer = |text: &str| text.parse::<Pointer>().unwrap();
    let counted = Schema::new(Deletes::Win, [(pointer("/c"), FieldKind::Counter)]).unwrap();
    store.create_collection(&name(BOOKS), counted, wall(1)).unwrap();
    store.create_collection(&name("more"), Schema::default(), wall(1)).unwrap();
    store.add(BOOKS, id(1), &json(r#"{"a":1}"#), wall(1)).unwrap();
    store.delete_collection("more", wall(1)).unwrap();
    let before = store.clone();
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(100));
    for (text, refusal) in [
        ("[1]", Refusal::NotAnObject),
        (&*long, Refusal::TooLarge { bytes: 108, bytes_max: 100 }),
        (r#"{"a":{"b":[1]}}"#, Refusal::TooDeep { depth: 3, depth_max: 2 }),
        (r#"{"b":1,"d":2,"e":3,"f":4}"#, Refusal::TooManyFields { fields: 4, fields_max: 3 }),
        (r#"{"abcdef":1}"#, Refusal::BadName { bytes_max: 5, is_field: true }),
        (r#"{"_id":1}"#, Refusal::BadId),
        (r#"{"c":"x"}"#, Refusal::WrongKind { path: pointer("/c"), kind: FieldKind::Counter }),
    ] {
        let body = json(text);
        assert_eq!(store.add(BOOKS, id(2), &body, wall(9)), Err(refusal.clone()), "add {text}");
        assert_eq!(store.put(BOOKS, id(1), &body, None, wall(9)), Err(refusal.clone()), "put {text}");
        let updated = store.update(BOOKS, id(1), &body, None, wall(9));
        // One more field was there.
        let is_alike = matches!(
            (&updated, &refusal),
            (Err(Refusal::TooManyFields { fields: 5, .. }), Refusal::TooManyFields { .. })
        );
        assert!(is_alike || updated == Err(refusal), "update {text}: {updated:?}");
        assert_eq!(store, before, "{text}");
    }
    // A collection that was deleted counts, and can be created anew.
    let third = store.create_collection(&name("third"), Schema::default(), wall(9));
    assert_eq!(third, Err(Refusal::TooManyCollections(2)));
    let filter = |path: &str| Filter { path: pointer(path), test: Test::StartsWith(String::new()) };
    let filters = vec![filter("/a"), filter("/b")];
    let found = store.find(BOOKS, &Query { filters, ..Query::default() });
    assert_eq!(found, Err(Refusal::TooManyFilters { filters_max: 1 }));
    assert_eq!(store, before);
    assert!(store.create_collection(&name("more"), Schema::default(), wall(9)).is_ok());
}

#[test]
fn a_schema_that_contradicts_itself_is_refused() {
    let schema = |paths: &[&str]| {
        Schema::new(Deletes::Win, paths.iter().map(|path| (path.parse().unwrap(), FieldKind::Set)))
    };
    for (paths, wrong) in
        [(&["/a", "/a"][..], "/a"), (&["/a", "/a/b"], "/a/b"), (&[""], ""), (&["/_id"], "/_id")]
    {
        assert_eq!(schema(paths), Err(Refusal::BadSchema(wrong.parse().unwrap())), "{paths:?}");
    }
    assert!(schema(&["/a/b", "/ab", "/a/c"]).is_ok());
    for text in ["", ".a", "a b", "a/b", "\u{e4}", &"x".repeat(65)] {
        assert!(matches!(text.parse::<Name>(), Err(Refusal::BadName { is_field: false, .. })), "{text}");
    }
}

/// Filters on any path, the name included; all of them must hold.
#[test]
fn filters_look_at_any_path_and_all_of_them_hold() {
    let mut store = store(0);
    for number in 0..20 {
        let text = format!(r#"{{"n":{number},"d":{{"x":{{"y":"{}{number:02}"}}}}}}"#, ["p", "q"][number % 2]);
        store.add(BOOKS, id(number as u32), &json(&text), wall(1)).unwrap();
    }
    let filter = |path: &str, test: Test| Filter { path: path.parse().unwrap(), test };
    let found = |filters: Vec<Filter>| -> Vec<u64> {
        let query = Query {
            filters,
            order: Order::Field("/n".parse().unwrap()),
            descending: true,
            ..Query::default()
        };
        let page = store.find(BOOKS, &query).unwrap();
        page.documents.iter().map(|found| found.body().value()["n"].as_u64().unwrap()).collect()
    };
    let starts = |path: &str, text: &str| filter(path, Test::StartsWith(text.to_owned()));
    let within = |path: &str, from: &str, to: &str| {
        filter(path, Test::Within(Bound::Included(json(from)), Bound::Excluded(json(to))))
    };
    assert_eq!(found(vec![starts("/d/x/y", "q0"), within("/n", "3", "9")]), [7, 5, 3]);
    assert_eq!(found(vec![within("/d/x/y", "\"p04\"", "\"p08\"")]), [6, 4]);
    assert_eq!(found(vec![filter("/d/x", Test::Equals(json(r#"{"y":"p02"}"#)))]), [2]);
    assert_eq!(found(vec![filter("/_id", Test::Equals(json(&format!("\"{}\"", id(11)))))]), [11]);
    assert_eq!(found(vec![starts("/_id", &id(0).to_string()[..8])]).len(), 20);
    assert!(found(vec![starts("/n", "1")]).is_empty(), "a number begins with nothing");
    assert!(found(vec![filter("/none", Test::Within(Bound::Unbounded, Bound::Unbounded))]).is_empty());
}

/// One of few documents, so that values collide.
fn body() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec![
        "null",
        "true",
        "1",
        "1.5",
        "2",
        "-3",
        "\"a\"",
        "\"ab\"",
        "\"b\"",
        "[1]",
        "{}",
        "{\"c\":1}",
    ]);
    (value.clone(), value).prop_map(|(one, other)| format!(r#"{{"a":{one},"b":{{"c":{other}}}}}"#))
}

fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::Id),
        Just(Order::Written),
        Just(Order::Field("/b/c".parse().unwrap())),
        Just(Order::Field("/a".parse().unwrap()))
    ]
}

proptest! {
    #![proptest_config(cases(600))]

    /// Whatever is inserted, changed or deleted elsewhere while pages are read: what is there all the time is on exactly one.
    #[test]
    fn pages_are_the_whole(
        bodies in proptest::collection::vec(body(), 1..40),
        order in orders(), descending: bool, limit in 1..6_u32,
        meanwhile in proptest::collection::vec((0..80_u32, 0..3_u8, body()), 0..30),
    ) {
        let mut store = store(0);
        let mut steady: BTreeSet<DocumentId> = BTreeSet::new();
        for (number, text) in bodies.iter().enumerate() {
            let id = id(number as u32 * 2);
            store.add(BOOKS, id, &json(text), wall(number as u64 % 3)).unwrap();
            steady.insert(id);
        }
        let mut meanwhile = meanwhile.into_iter();
        let mut query = Query { order, descending, limit, ..Query::default() };
        let mut seen = Vec::new();
        loop {
            let page = store.find(BOOKS, &query).unwrap();
            prop_assert!(page.documents.len() <= limit as usize);
            seen.extend(page.documents.iter().map(|found| found.id));
            let Some(next) = page.next else { break };
            query.after = Some(next);
            if let Some((number, what, text)) = meanwhile.next() {
                let id = id(number);
                let done = match what {
                    0 => store.put(BOOKS, id, &json(&text), None, wall(1)),
                    1 => store.update(BOOKS, id, &json(&text), None, wall(1)),
                    _ => store.delete(BOOKS, id, None, wall(1)),
                };
                if done.is_ok() {
                    steady.remove(&id);
                }
            }
        }
        let unique: BTreeSet<_> = seen.iter().copied().collect();
        prop_assert_eq!(unique.len(), seen.len(), "a document is on two pages");
        prop_assert!(steady.is_subset(&unique));
    }

    /// Filters and orders against a model that looks at whole bodies.
    #[test]
    fn a_query_finds_what_a_plain_search_finds(
        bodies in proptest::collection::vec(body(), 0..40), order in orders(), descending: bool, which in 0..6_u8, bound in body(),
    ) {
        let mut store = store(0);
        let mut model: BTreeMap<DocumentId, serde_json::Value> = BTreeMap::new();
        for (number, text) in bodies.iter().enumerate() {
            store.add(BOOKS, id(number as u32), &json(text), wall(1)).unwrap();
            model.insert(id(number as u32), json(text).value());
        }
        let bound = json(&bound).value()["a"].clone();
        let text = json(&bound.to_string());
        let test = match which {
            0 => Test::Equals(text),
            1 => Test::Within(Bound::Included(text), Bound::Unbounded),
            2 => Test::Within(Bound::Excluded(text.clone()), Bound::Unbounded),
            3 => Test::Within(Bound::Unbounded, Bound::Included(text)),
            4 => Test::Within(Bound::Unbounded, Bound::Excluded(text)),
            _ => Test::StartsWith("a".to_owned()),
        };
        let holds = |value: &serde_json::Value| {
            let order = match (value, &bound) {
                (serde_json::Value::Number(one), serde_json::Value::Number(other)) => one.as_f64().partial_cmp(&other.as_f64()),
                (serde_json::Value::String(one), serde_json::Value::String(other)) => Some(one.cmp(other)),
                (one, other) if one == other => Some(std::cmp::Ordering::Equal),
                (serde_json::Value::Object(_), serde_json::Value::Object(_)) => {
                    Some(value.to_string().cmp(&bound.to_string()))
                }
                _ => None,
            };
            match which {
                0 => order.is_some_and(|order| order.is_eq()) ,
                1 => order.is_some_and(|order| order.is_ge()),
                2 => order.is_some_and(|order| order.is_gt()),
                3 => order.is_some_and(|order| order.is_le()),
                4 => order.is_some_and(|order| order.is_lt()),
                _ => value.as_str().is_some_and(|value| value.starts_with('a')),
            }
        };
        let expected: BTreeSet<DocumentId> =
            model.iter().filter(|(_, value)| holds(&value["b"]["c"])).map(|(id, _)| *id).collect();
        let filters = vec![Filter { path: "/b/c".parse().unwrap(), test }];
        let page = store.find(BOOKS, &Query { filters, order: order.clone(), descending, ..Query::default() }).unwrap();
        let found: Vec<DocumentId> = page.documents.iter().map(|found| found.id).collect();
        prop_assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), expected);
        if let Order::Id | Order::Written = order {
            prop_assert!(found.is_sorted_by(|one, next| (one < next) != descending));
        } else {
            let numbers = page.documents.iter().filter_map(|found| {
                let value = found.body().value();
                let value = if order == Order::Field("/a".parse().unwrap()) { &value["a"] } else { &value["b"]["c"] };
                value.as_f64()
            });
            prop_assert!(numbers.collect::<Vec<_>>().is_sorted_by(|one, next| one == next || (one < next) != descending));
        }
    }

    /// A store comes back from its log, from a snapshot and the log after it, and from its bytes; and two stores that were
    /// told all hold the same.
    #[test]
    fn a_log_brings_the_store_back(
        steps in proptest::collection::vec((0..2_usize, 0..7_u8, 0..6_u32, body(), 0..9_u64), 1..40), cut in 0..40_usize,
    ) {
        let mut stores = [store(0), store(1)];
        let mut replayed = stores.clone();
        let mut restored = stores.clone();
        for (nth, (at, what, number, text, millis)) in steps.into_iter().enumerate() {
            if nth == cut {
                restored = [0, 1].map(|at| {
                    let mut fresh = Store::new(NodeId(at as u32), *stores[at].limits());
                    stores[at].snapshot().for_each(|record| fresh.restore(&record));
                    fresh
                });
            }
            let (id, wall) = (id(number), wall(millis));
            let [one, other] = &mut stores;
            let (here, there) = if at == 0 { (one, other) } else { (other, one) };
            let record = match what {
                0 => here.add(BOOKS, id, &json(&text), wall).ok().map(|done| done.record),
                1 => here.update(BOOKS, id, &json(&text), None, wall).ok().map(|done| done.record),
                2 => here.delete(BOOKS, id, None, wall).ok().map(|done| done.record),
                3 => {
                    let state = there.state(BOOKS, id).cloned();
                    let epoch = there.collections[BOOKS].state.epoch;
                    let told = state.map(|state| Change::Document { collection: name(BOOKS), epoch, id, state });
                    told.and_then(|told| here.apply(&told, wall).ok().flatten())
                }
                4 => here.collect(BOOKS, &[id]).ok().flatten(),
                5 if number == 0 => here.delete_collection(BOOKS, wall).ok(),
                _ => here.create_collection(&name(BOOKS), Schema::default(), wall).ok(),
            };
            if let Some(record) = record {
                let record: Record = postcard::from_bytes(&postcard::to_allocvec(&record).unwrap()).unwrap();
                replayed[at].restore(&record);
                restored[at].restore(&record);
            }
        }
        prop_assert_eq!(&stores, &replayed);
        prop_assert_eq!(&stores, &restored);
        let bytes = postcard::to_allocvec(&stores[0]).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<Store>(&bytes).unwrap(), &stores[0]);
        let [one, other] = &mut stores;
        tell(one, other);
        tell(other, one);
        prop_assert!(one.collection_states().eq(other.collection_states()));
        prop_assert!(one.entries(BOOKS).eq(other.entries(BOOKS)));
        prop_assert_eq!(one.seen(BOOKS), other.seen(BOOKS));
        let writes = |store: &Store| -> BTreeSet<_> { (0..2).flat_map(|node| store.written_since(BOOKS, NodeId(node), 0).collect::<Vec<_>>()).collect() };
        let expected: BTreeSet<_> = one.entries(BOOKS).flat_map(|(id, state)| state.seen().iter().map(|stamp| (stamp, id)).collect::<Vec<_>>()).collect();
        prop_assert_eq!(writes(one), expected);
    }

    /// Every acknowledged write is held by whoever was told all, or was superseded.
    #[test]
    fn acknowledged_writes_are_held(
        steps in proptest::collection::vec((0..3_usize, 0..5_u8, 0..3_u32, body(), 0..9_u64), 1..40),
    ) {
        let mut stores = [store(0), store(1), store(2)];
        let mut receipts = Vec::new();
        for (at, what, number, text, millis) in steps {
            let (id, wall) = (id(number), wall(millis));
            let done = match what {
                0 => stores[at].put(BOOKS, id, &json(&text), None, wall),
                1 | 2 => stores[at].update(BOOKS, id, &json(&text), None, wall),
                3 => stores[at].delete(BOOKS, id, None, wall),
                _ => {
                    let from = stores[(at + 1) % 3].clone();
                    tell(&from, &mut stores[at]);
                    continue;
                }
            };
            receipts.extend(done.ok().and_then(|done| done.receipt()));
        }
        let [one, two, mut three] = stores;
        receipts.iter().filter(|receipt| one.holds(receipt) == Some(false)).for_each(|receipt| {
            assert_ne!(receipt.stamp.node, NodeId(0), "a store holds what it acknowledged");
        });
        tell(&one, &mut three);
        tell(&two, &mut three);
        for receipt in receipts {
            prop_assert_eq!(three.holds(&receipt), Some(true), "{:?}", receipt);
        }
    }
}
