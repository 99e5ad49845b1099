//! What readers see of changes.

use super::*;

/// Where the feed of changes stands.
fn place(net: &mut Net, node: usize) -> String {
    let read = Command::ReadChanges { collection: name(), after: None, limit: 0 };
    let Reply::Changes { next, .. } = net.ask(node, read) else { panic!("a feed") };
    next
}

#[test]
fn a_token_of_the_feed_outlives_its_replica_but_not_its_disk() {
    let mut net = Net::new(1, &parameters(Method::Range));
    net.put(A, 1, "{}");
    let after = Some(place(&mut net, A));
    net.delete(A, 1);
    net.round(A);
    assert_eq!(net.nodes[A].store().count("documents"), (0, 0), "its tombstone went");
    let read = Command::ReadChanges { collection: name(), after, limit: 0 };
    let told = net.ask(A, read.clone());
    assert!(matches!(&told, Reply::Changes { documents, .. }
        if documents.len() == 1 && documents[0].id == DocumentId::numbered(1) && documents[0].document.is_none()));
    net.restart(A);
    assert_eq!(net.ask(A, read.clone()), told);
    net.with(A, |replica, cx| replica.checkpoint(cx));
    net.restart(A);
    assert_eq!(net.ask(A, read.clone()), told);
    net.logs[A].clear();
    net.restart(A);
    (1..9).for_each(|id| net.put(A, id, "{}"));
    assert_eq!(net.ask(A, read), Reply::Refused(Refusal::StaleToken));
}

#[test]
fn the_feed_of_a_replica_that_overwrites_begins_anew_with_each_database() {
    let mut net = Net::new(2, &parameters(Method::Overwrite));
    net.put(B, 2, "{}");
    let after = Some(place(&mut net, B));
    net.put(A, 1, "{}");
    net.put(A, 1, "{}");
    net.sync(A, B);
    assert!(net.holds(B, 1) && !net.holds(B, 2));
    for _ in 0..2 {
        let read = Command::ReadChanges { collection: name(), after: after.clone(), limit: 0 };
        assert_eq!(net.ask(B, read), Reply::Refused(Refusal::StaleToken));
        let now = Some(place(&mut net, B));
        let read = Command::ReadChanges { collection: name(), after: now, limit: 0 };
        assert!(matches!(net.ask(B, read), Reply::Changes { documents, .. } if documents.is_empty()));
        net.restart(B);
    }
}

#[test]
fn readers_see_all_values_of_a_field_that_keeps_them() {
    let mut net = Net::new(2, &Parameters::default());
    let notes: Name = "notes".parse().unwrap();
    let path: crate::sync::Pointer = "/tag".parse().unwrap();
    let kind = crate::sync::FieldKind::MultiValue;
    let schema = crate::sync::Schema::new(crate::sync::Deletes::Win, [(path.clone(), kind)]).unwrap();
    net.ask(A, Command::CreateCollection { collection: notes.clone(), schema });
    let (collection, id) = (notes, DocumentId::numbered(1));
    let document = Json::parse("{}").unwrap();
    net.ask(A, Command::PutDocument { collection: collection.clone(), id, document, expected: None });
    net.deliver(&mut |_, message| Some(message));
    for (node, text) in [(A, r#"{"tag":"a"}"#), (B, r#"{"tag":"b"}"#)] {
        let patch = Json::parse(text).unwrap();
        let update = Command::UpdateDocument { collection: collection.clone(), id, patch, expected: None };
        assert!(matches!(net.ask(node, update), Reply::Written { is_new: false, .. }));
    }
    net.deliver(&mut |_, message| Some(message));
    for node in [A, B] {
        let get = Command::GetDocument { collection: collection.clone(), id };
        let Reply::Document(found) = net.ask(node, get) else { panic!("a document") };
        let shown = found.document.as_ref().unwrap().value()["tag"].clone();
        let values: Vec<_> = found.siblings[&path].iter().map(Json::value).collect();
        assert_eq!((values.len(), &values[0]), (2, &shown));
        assert!(values.contains(&"a".into()) && values.contains(&"b".into()));
        let read = Command::ReadCollection { collection: collection.clone(), query: Default::default() };
        assert!(matches!(net.ask(node, read), Reply::Documents { documents, .. } if documents[0] == found));
        let read = Command::ReadChanges { collection: collection.clone(), after: None, limit: 0 };
        assert!(matches!(net.ask(node, read), Reply::Changes { documents, .. } if documents[0] == found));
    }
}
