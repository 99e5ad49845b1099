//! The feed of changes and its tokens.

use super::*;

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
