//! What members are told unasked.

use super::*;

#[test]
fn many_collections_are_told_in_several_messages() {
    let mut net = Net::new(2, &Parameters { collections: Vec::new(), ..parameters(Method::Range) });
    for nth in 0..20 {
        let field = format!("/{}", "n".repeat(64 << 10)).parse().unwrap();
        let fields = [(field, crate::sync::FieldKind::Counter)];
        let schema = crate::sync::Schema::new(crate::sync::Deletes::Win, fields).unwrap();
        let create = Command::CreateCollection { collection: format!("c{nth}").parse().unwrap(), schema };
        assert!(!matches!(net.ask(A, create), Reply::Refused(_)));
    }
    net.with(A, |replica, cx| replica.greet(NodeId(B as u32), 0, cx));
    assert_eq!(net.queue.len(), 2);
    for (_, _, message) in &net.queue {
        assert!(postcard::to_allocvec(message).unwrap().len() <= (1 << 20) + 16);
    }
    net.deliver(&mut |_, message| Some(message));
    assert_eq!(net.nodes[B].store().collections().count(), 20);
}

#[test]
fn a_member_without_collections_hears_of_the_first() {
    let mut net = Net::new(2, &Parameters { collections: Vec::new(), push: 1, ..parameters(Method::Range) });
    let create = Command::CreateCollection { collection: name(), schema: crate::sync::Schema::default() };
    assert!(!matches!(net.ask(A, create), Reply::Refused(_)));
    net.put(A, 1, r#"{"a":1}"#);
    // What was told at once is lost.
    net.queue.clear();
    net.round(A);
    net.round(A);
    assert!(net.holds(B, 1));
}

#[test]
fn many_documents_are_written_in_order_and_told_in_messages_of_bounded_size() {
    let mut net = Net::new(2, &Parameters { push: 1, ..Parameters::default() });
    let long = format!("{{\"text\":\"{}\"}}", ".".repeat(100_000));
    let named = |id| Some(DocumentId::numbered(id));
    let texts = [(named(1), "{\"a\":1}"), (None, "[]"), (named(1), "{\"a\":2}"), (None, "{}")];
    let long = (2..8).map(|id| (named(id), long.as_str()));
    let documents: Vec<_> =
        texts.into_iter().chain(long).map(|(id, text)| (id, Json::parse(text).unwrap())).collect();
    let count = documents.len();
    let reply = net.ask(0, Command::WriteDocuments { collection: name(), documents });
    let Reply::WrittenEach(each) = reply else { panic!("{reply:?}") };
    assert_eq!((each.len(), each[0].as_ref().ok().copied()), (count, named(1)));
    assert!(matches!(each[1], Err(Refusal::NotAnObject)) && each[2..].iter().all(Result::is_ok));
    let records = net.logs[0].len();
    assert!(records >= count - 1, "{records} records");
    net.tell();
    let sizes: Vec<u64> = net.queue.iter().map(|(_, _, message)| message.size()).collect();
    assert!(sizes.len() > 1 && sizes.iter().all(|size| *size < 512 << 10), "{sizes:?}");
    net.deliver(&mut |_, message| Some(message));
    let body =
        |node: usize| net.nodes[node].store().get("documents", DocumentId::numbered(1)).unwrap().body();
    assert_eq!(body(1), body(0));
    assert!(body(0).as_str().contains("\"a\":2") && (2..8).all(|id| net.holds(1, id)));
    let nowhere = Command::WriteDocuments {
        collection: "nowhere".parse().unwrap(),
        documents: vec![(None, Json::parse("{}").unwrap())],
    };
    assert_eq!(net.ask(0, nowhere), Reply::Refused(Refusal::NoSuchCollection));
}

#[test]
fn writes_of_a_moment_are_told_together_and_only_as_they_are_then() {
    let mut net = Net::new(2, &Parameters { push: 1, ..Parameters::default() });
    for (id, text) in [(1, "{}"), (2, "{}"), (1, r#"{"a":1}"#)] {
        net.put(A, id, text);
    }
    assert!(net.queue.is_empty());
    net.tell();
    let told: Vec<&Message> = net.queue.iter().map(|(_, _, message)| message).collect();
    let [Message::Push { changes }] = told[..] else { panic!("{told:?}") };
    assert_eq!(changes.len(), 2);
    net.deliver(&mut |_, message| Some(message));
    let body = net.nodes[B].store().get("documents", DocumentId::numbered(1)).unwrap().body();
    assert!(body.as_str().contains(r#""a":1"#));
}

#[test]
fn many_writes_do_not_wait_for_the_moment_to_end() {
    let mut net = Net::new(2, &Parameters { push: 1, ..Parameters::default() });
    for id in 0..1_000 {
        assert!(net.queue.is_empty());
        net.put(A, id, "{}");
    }
    assert!(!net.queue.is_empty() && net.tellers.is_empty());
    net.deliver(&mut |_, message| Some(message));
    assert_eq!(net.nodes[B].store().count("documents").0, 1_000);
}

#[test]
fn what_was_missed_is_found_as_soon_as_there_is_a_connection() {
    let mut net = Net::new(2, &Parameters { collections: Vec::new(), ..Parameters::default() });
    let notes: Name = "notes".parse().unwrap();
    net.ask(A, Command::CreateCollection { collection: notes.clone(), schema: Default::default() });
    let (id, document) = (DocumentId::numbered(1), Json::parse("{}").unwrap());
    net.ask(A, Command::PutDocument { collection: notes.clone(), id, document, expected: None });
    // Nobody hears of it, nor of what is asked next.
    net.deliver(&mut |_, _| None);
    net.with(A, |replica, cx| replica.open(NodeId(1), notes.clone(), cx));
    net.queue.clear();
    for (node, peer) in [(A, B), (B, A)] {
        net.step(node, Input::Link { peer: NodeId(peer as u32), up: true });
    }
    net.deliver(&mut |_, message| Some(message));
    assert!(net.nodes[B].store().state("notes", id).is_some());
    assert!(net.nodes.iter().all(|node| node.exchanges.is_empty()));
}

#[test]
fn sessions_end_with_their_connection() {
    let mut net = Net::new(3, &parameters(Method::Range));
    for peer in [1, 2] {
        net.with(A, |replica, cx| replica.open(NodeId(peer), name(), cx));
    }
    net.step(A, Input::Link { peer: NodeId(1), up: false });
    let peers: Vec<NodeId> = net.nodes[A].exchanges.values().map(|exchange| exchange.peer).collect();
    assert_eq!((peers, net.timers[A].len()), (vec![NodeId(2)], 1));
    // A stranger's connection means nothing.
    net.queue.clear();
    net.step(A, Input::Link { peer: NodeId(7), up: true });
    assert!(net.queue.is_empty());
}

/// What is sent waits for what was persisted before it, and for nothing else.
#[test]
fn nobody_is_told_of_what_is_not_on_its_way_to_the_disk() {
    let mut net = Net::new(2, &Parameters { push: 1, ..Parameters::default() });
    let create =
        Command::CreateCollection { collection: "notes".parse().unwrap(), schema: Default::default() };
    let many = (0..1_000).map(|id| (Some(DocumentId::numbered(id)), Json::parse("{}").unwrap())).collect();
    for command in [create, Command::WriteDocuments { collection: name(), documents: many }] {
        let mut effects = VecDeque::new();
        let dice = Dice::new(&net.keys, NodeId(0), Life(0), 1_000);
        let mut cx = Context::new(Time(1), Time(TODAY), NodeId(0), dice, &mut effects);
        net.nodes[A].step(Input::Command { id: CommandId(1), command }, &mut cx);
        let last = effects.iter().rposition(|effect| matches!(effect, Effect::Persist { .. })).unwrap();
        let sent = effects.iter().position(|effect| matches!(effect, Effect::Send { .. })).unwrap();
        assert!(last < sent, "persisted at {last}, sent at {sent}");
    }
}
