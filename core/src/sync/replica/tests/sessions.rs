//! Sessions: how many there are, what they hold, and how they end.

use super::*;

#[test]
fn who_stops_in_the_middle_is_forgotten() {
    for &method in Method::ALL {
        let mut net = Net::new(3, &parameters(method));
        (0..50).for_each(|id| net.put(A, id, r#"{"a":1}"#));
        for stops in 0..8 {
            let mut left = stops;
            net.sync_through(A, B, &mut |_, message| {
                left -= 1;
                (left > 0).then_some(message)
            });
        }
        for _ in 0..5 {
            for node in [A, B] {
                for session in net.timers[node].clone() {
                    net.step(node, Input::Timer { timer: Timer::Answer(session) });
                }
            }
            net.queue.clear();
        }
        assert!(net.nodes.iter().all(|node| node.exchanges.is_empty()), "{method:?}");
        assert!(net.timers.iter().all(BTreeSet::is_empty), "{method:?}");
        net.sync(A, B);
        assert!((0..50).all(|id| net.holds(B, id)), "{method:?}");
    }
}

#[test]
fn a_session_holds_one_batch_at_a_time() {
    let mut net = Net::new(2, &parameters(Method::Range));
    let text = format!(r#"{{"text":"{}"}}"#, "x".repeat(50_000));
    (0..40).for_each(|id| net.put(A, id, &text));
    let (mut batches, mut under_way) = (0, 0);
    net.sync_through(A, B, &mut |_, message| {
        match &message {
            Message::Documents { documents, .. } => {
                let bytes: usize = documents.iter().map(|(_, state)| state.as_bytes().len()).sum();
                assert!(bytes <= BATCH_BYTES);
                batches += usize::from(!documents.is_empty());
                under_way += usize::from(!documents.is_empty());
                assert!(under_way <= 1);
            }
            Message::Taken { .. } => under_way = 0,
            _ => {}
        }
        Some(message)
    });
    assert!((0..40).all(|id| net.holds(B, id)));
    assert_eq!(batches, 8, "forty documents of 50 kB");
}

#[test]
fn sessions_are_few() {
    let few = Parameters { sessions: 2, ..parameters(Method::Range) };
    let mut net = Net::new(6, &few);
    (1..6).for_each(|node| net.put(node, node as u64, r#"{"a":1}"#));
    for node in 1..6 {
        net.with(node, |replica, cx| replica.open(NodeId(0), name(), cx));
    }
    let mut closed = 0;
    while let Some((from, to, message)) = net.queue.pop_front() {
        closed += usize::from(matches!(message, Message::Closed { .. }));
        net.step(to, Input::Message { from: NodeId(from as u32), message, blob: None });
        assert!(net.nodes[0].exchanges.len() <= 2);
    }
    assert!(closed >= 1);
}

#[test]
fn a_peer_that_says_nothing_more_takes_half_of_the_sessions() {
    let names: Vec<String> = (0..20).map(|nth| format!("c{nth:02}")).collect();
    let many = Parameters { collections: names.clone(), ..parameters(Method::Range) };
    let mut net = Net::new(3, &many);
    let open = |net: &mut Net, from: usize| {
        for name in &names {
            let (collection, id): (Name, _) = (name.parse().unwrap(), DocumentId::numbered(from as u64));
            let document = Json::parse("{}").unwrap();
            let put = Command::PutDocument { collection: collection.clone(), id, document, expected: None };
            assert!(matches!(net.ask(from, put), Reply::Written { .. }));
            net.with(from, |replica, cx| replica.open(NodeId(A as u32), collection, cx));
        }
        while let Some((from, to, message)) = net.queue.pop_front() {
            if to == A {
                net.step(A, Input::Message { from: NodeId(from as u32), message, blob: None });
            }
        }
    };
    let held = |net: &Net, by: usize| {
        net.nodes[A].exchanges.keys().filter(|id| id.opener == NodeId(by as u32)).count()
    };
    let sessions = many.sessions as usize;
    open(&mut net, LIAR);
    assert_eq!(held(&net, LIAR), sessions / 2);
    open(&mut net, B);
    assert_eq!(held(&net, B), sessions - 1 - sessions / 2);
    // One is left for this replica; and it leaves one to others.
    net.step(A, Input::Timer { timer: Timer::Round });
    assert_eq!(held(&net, A), 1);
    let mut net = Net::new(3, &many);
    net.step(A, Input::Timer { timer: Timer::Round });
    assert_eq!(held(&net, A), sessions / 2);
}

#[test]
fn one_of_two_sessions_between_the_same_goes_on() {
    let mut net = Net::new(2, &parameters(Method::Range));
    net.put(A, 1, r#"{"a":1}"#);
    net.put(B, 2, r#"{"b":1}"#);
    net.with(A, |replica, cx| replica.open(NodeId(1), name(), cx));
    net.with(B, |replica, cx| replica.open(NodeId(0), name(), cx));
    net.deliver(&mut |_, message| Some(message));
    assert!(net.holds(A, 2) && net.holds(B, 1));
    assert!(net.nodes.iter().all(|node| node.exchanges.is_empty()));
}

#[test]
fn a_replica_that_overwrites_does_not_merge_and_the_other_way_round() {
    let mut net = Net::new(2, &parameters(Method::Range));
    net.nodes[B].config = Arc::new(Replica::config(&parameters(Method::Overwrite), 2).unwrap());
    net.put(A, 1, r#"{"a":1}"#);
    net.put(B, 2, r#"{"b":1}"#);
    net.sync(A, B);
    net.sync(B, A);
    assert!(net.holds(A, 1) && net.holds(B, 2) && !net.holds(A, 2) && !net.holds(B, 1));
    assert!(net.notices.iter().any(|(_, notice)| matches!(notice, Notice::Refused { .. })));
}

#[test]
fn a_full_disk_makes_a_replica_deaf_until_all_of_it_is_written() {
    let mut net = Net::new(2, &parameters(Method::Range));
    net.put(A, 1, r#"{"a":1}"#);
    let record = net.logs[A].pop().unwrap();
    net.step(A, Input::Full { record });
    let get = Command::GetDocument { collection: name(), id: DocumentId::numbered(1) };
    assert_eq!(net.ask(A, get.clone()), Reply::Refused(Refusal::NoRoom));
    net.sync(B, A);
    assert!(!net.holds(B, 1));
    net.step(A, Input::Timer { timer: Timer::Save });
    assert!(matches!(net.ask(A, get), Reply::Document(_)));
    net.restart(A);
    assert!(net.holds(A, 1));
}

#[test]
fn a_replica_whose_disk_is_full_begins_no_rounds() {
    let mut net = Net::new(2, &parameters(Method::Range));
    net.put(A, 1, "{}");
    let record = net.logs[A].pop().unwrap();
    net.step(A, Input::Full { record });
    net.step(A, Input::Timer { timer: Timer::Round });
    assert!(net.queue.is_empty() && net.nodes[A].exchanges.is_empty());
}

/// Ever more empty batches are no reason to go on.
#[test]
fn a_peer_that_hands_over_nothing_for_ever_is_given_up() {
    let mut net = Net::new(2, &parameters(Method::Range));
    net.put(B, 1, "{}");
    net.with(A, |replica, cx| replica.open(NodeId(1), name(), cx));
    let session = *net.nodes[A].exchanges.keys().next().unwrap();
    net.queue.clear();
    for number in 0..4 {
        let message = Message::Documents { session, number, documents: Vec::new(), last: false };
        net.step(A, Input::Message { from: NodeId(1), message, blob: None });
        net.step(A, Input::Timer { timer: Timer::Answer(session) });
    }
    assert!(net.nodes[A].exchanges.is_empty());
}

#[test]
fn whoever_opened_them_one_peer_has_half_of_the_sessions() {
    let mut net = Net::new(3, &Parameters { sessions: 4, ..parameters(Method::Range) });
    let changes = (0..9).map(|number| {
        let created = Some((Stamp { time: 1, node: NodeId(1) }, crate::sync::Schema::default()));
        let state = crate::sync::CollectionState { epoch: Stamp::ZERO, created };
        Change::Collection { name: format!("c{number}").parse().unwrap(), state }
    });
    let message = Message::Push { changes: changes.collect() };
    net.step(A, Input::Message { from: NodeId(1), message, blob: None });
    assert_eq!(net.nodes[A].exchanges.len(), 2);
    // The others are not kept waiting by one that does not answer.
    net.round(A);
    net.round(A);
    net.round(A);
    let of = |peer| net.nodes[A].exchanges.values().filter(|exchange| exchange.peer == NodeId(peer)).count();
    assert!(of(1) <= 2, "{}", of(1));
    let asked_other = net
        .notices
        .iter()
        .any(|(node, notice)| *node == A && matches!(notice, Notice::Reconciled { peer: NodeId(2), .. }));
    assert!(asked_other);
}

#[test]
fn who_belongs_no_more_has_no_session() {
    let mut net = Net::new(3, &parameters(Method::Range));
    for peer in [1, 2] {
        net.with(A, |replica, cx| replica.open(NodeId(peer), name(), cx));
    }
    let members = Members { epoch: 2, voters: [NodeId(0), NodeId(2)].into(), others: [].into() };
    net.step(A, Input::Members(members));
    assert!(net.nodes[A].exchanges.values().all(|exchange| exchange.peer == NodeId(2)));
}
