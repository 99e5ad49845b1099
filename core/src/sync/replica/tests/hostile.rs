//! What a member may say without harm to the others.

use serde::de::DeserializeOwned;

use super::*;

#[test]
fn what_a_liar_knows_of_others_harms_nobody() {
    for method in [Method::Delta, Method::Range, Method::Auto] {
        let mut net = Net::new(3, &parameters(method));
        net.put(B, 1, r#"{"b":1}"#);
        // It claims to know all that B will have written within a minute.
        let future = (TODAY / 1_000_000 + 60_000) << 16;
        let lie = |node: usize, message: Message| match message {
            Message::Open { session, collection, epoch, catalogue, mut knows, body } if node == LIAR => {
                knows.push((NodeId(B as u32), future));
                Some(Message::Open { session, collection, epoch, catalogue, knows, body })
            }
            other => Some(other),
        };
        for _ in 0..3 {
            net.sync_through(LIAR, A, &mut lie.clone());
        }
        net.put(B, 2, r#"{"b":2}"#);
        // By version vectors A may miss it once; then it doubts them.
        for _ in 0..3 {
            net.sync(A, B);
        }
        assert!(net.holds(A, 1) && net.holds(A, 2), "{method:?}");
    }
}

#[test]
fn writers_that_nobody_knows_are_not_remembered() {
    let mut net = Net::new(3, &parameters(Method::Range));
    net.put(B, 1, r#"{"b":1}"#);
    let crowd = |node: usize, message: Message| match message {
        Message::Open { session, collection, epoch, catalogue, mut knows, body } if node == LIAR => {
            knows.extend((100..4_000).map(|stranger| (NodeId(stranger), 1)));
            Some(Message::Open { session, collection, epoch, catalogue, knows, body })
        }
        other => Some(other),
    };
    net.sync(B, A);
    net.sync_through(LIAR, A, &mut crowd.clone());
    assert!(net.holds(LIAR, 1), "the session went well");
    let known = net.nodes[A].entries(&name()).unwrap().through().count();
    assert!(known <= 3, "{known} writers");
}

#[test]
fn who_knows_of_more_writers_than_there_can_be_is_refused() {
    let mut net = Net::new(3, &parameters(Method::Range));
    net.put(LIAR, 1, r#"{"a":1}"#);
    let mut invent = |node: usize, message: Message| match message {
        Message::Open { session, collection, epoch, catalogue, body, .. } if node == LIAR => {
            let knows = (1_000..5_097).map(|node| (NodeId(node), 1)).collect();
            Some(Message::Open { session, collection, epoch, catalogue, knows, body })
        }
        other => Some(other),
    };
    net.sync_through(LIAR, A, &mut invent);
    assert!(net.notices.iter().any(|(node, notice)| *node == A && matches!(notice, Notice::Refused { .. })));
    assert!(!net.holds(A, 1) && net.nodes.iter().all(|node| node.exchanges.is_empty()));
}

/// A message with some of its bytes changed, if it still is one; within what is packed, too.
fn garbled(message: &Message, seed: u64) -> Option<Message> {
    match message {
        Message::Push { changes } if seed.is_multiple_of(2) => {
            Some(Message::Push { changes: damaged(changes, seed)? })
        }
        Message::Documents { session, number, documents, last } if seed.is_multiple_of(2) => {
            let documents = damaged(documents, seed)?;
            Some(Message::Documents { session: *session, number: *number, documents, last: *last })
        }
        _ => damaged(message, seed),
    }
}

fn damaged<T: Serialize + DeserializeOwned>(value: &T, seed: u64) -> Option<T> {
    let mut bytes = postcard::to_allocvec(value).ok()?;
    let mut draw = seed;
    for _ in 0..=seed % 3 {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = (draw >> 33) as usize % bytes.len();
        bytes[at] = (draw >> 20) as u8;
    }
    postcard::from_bytes(&bytes).ok()
}

proptest! {
    #![proptest_config(cases(64))]

    /// Whatever one member says: nobody panics, nobody holds sessions for ever, and the honest ones get what they wrote. (What
    /// they wrote: a member may write what it likes, so documents that it garbles prove nothing.)
    #[test]
    fn nonsense_harms_nobody(
        method in prop::sample::select(Method::ALL.iter().copied().filter(|method| *method != Method::Overwrite).collect::<Vec<_>>()),
        writes in prop::collection::vec((0..3_usize, 0..20_u64), 1..40),
        seed in any::<u64>(),
        forges in any::<bool>(),
    ) {
        let mut net = Net::new(3, &parameters(method));
        for (nth, (node, id)) in writes.iter().enumerate() {
            net.put(*node, *id + 100 * *node as u64, r#"{"a":1}"#);
            let mut draw = seed.wrapping_add(nth as u64);
            let mut garble = |node: usize, message: Message| {
                draw = draw.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(3);
                let is_content = matches!(message, Message::Documents { .. } | Message::Push { .. });
                if node == LIAR && (forges || !is_content) { garbled(&message, draw >> 8) } else { Some(message) }
            };
            net.sync_through(LIAR, nth % 2, &mut garble);
            net.sync_through(nth % 2, LIAR, &mut garble);
        }
        for _ in 0..5 {
            for node in [A, B] {
                for session in net.timers[node].clone() {
                    net.step(node, Input::Timer { timer: Timer::Answer(session) });
                }
            }
            net.queue.clear();
        }
        prop_assert!(net.nodes[..2].iter().all(|node| node.exchanges.is_empty()));
        for _ in 0..3 {
            net.sync(A, B);
        }
        if forges {
            return Ok(());
        }
        let written: BTreeSet<u64> =
            writes.iter().filter(|(node, _)| *node != LIAR).map(|(node, id)| *id + 100 * *node as u64).collect();
        for id in written {
            prop_assert!(net.holds(A, id) && net.holds(B, id), "{}", id);
        }
    }
}
