//! What is too much, and changes nothing.

use super::*;

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
