//! Deletions: when tombstones go, and what comes back.

use super::*;

#[test]
fn tombstones_go_when_everybody_has_them_and_stay_gone() {
    for &method in Method::ALL.iter().filter(|method| **method != Method::Overwrite) {
        let mut net = Net::new(3, &parameters(method));
        net.put(A, 1, r#"{"a":1}"#);
        net.sync(A, B);
        let old = net.nodes[B].store().state("documents", DocumentId::numbered(1)).unwrap().clone();
        net.sync(B, 2);
        net.delete(2, 1);
        for _ in 0..20 {
            assert!(!(0..3).all(|node| net.holds(node, 1)));
            (0..3).for_each(|node| net.round(node));
        }
        assert!(is_clean(&net), "{method:?}");
        // A message that was very long on its way, before and after a new life.
        for node in [A, B, 2] {
            let change = Change::Document {
                collection: name(),
                epoch: Stamp::ZERO,
                id: DocumentId::numbered(1),
                state: old.clone(),
            };
            let push = || Message::Push { changes: vec![change.clone()] };
            let from = NodeId((node as u32 + 1) % 3);
            net.step(node, Input::Message { from, message: push(), blob: None });
            assert!(!net.holds(node, 1), "{method:?}");
            net.restart(node);
            net.step(node, Input::Message { from, message: push(), blob: None });
            assert!(!net.holds(node, 1), "{method:?}, in a new life");
        }
        // And the name can be used again.
        net.put(B, 1, r#"{"b":1}"#);
        net.sync(B, A);
        assert!(net.holds(A, 1));
    }
}

#[test]
fn tombstones_that_go_by_time_bring_the_dead_back() {
    let ttl = Parameters {
        tombstones: Tombstones::Ttl,
        ttl: Duration::from_millis(50),
        ..parameters(Method::Range)
    };
    let mut net = Net::new(2, &ttl);
    net.put(A, 1, r#"{"a":1}"#);
    net.sync(A, B);
    net.delete(A, 1);
    net.now += 1_000_000_000;
    net.with(A, |replica, cx| replica.collect(cx));
    net.sync(A, B);
    assert!(net.holds(A, 1) && net.holds(B, 1));
}

#[test]
fn who_lost_its_disk_gets_back_what_it_wrote() {
    for method in [Method::Delta, Method::Range, Method::Auto] {
        let mut net = Net::new(3, &parameters(method));
        net.put(A, 1, r#"{"a":1}"#);
        (0..6).for_each(|nth| net.round(nth % 3));
        assert!(net.holds(B, 1) && net.holds(2, 1));
        net.logs[A].clear();
        net.restart(A);
        // A write of the new life says nothing of those of the old one.
        net.put(A, 2, r#"{"a":2}"#);
        (0..20).for_each(|nth| net.round(nth % 3));
        assert!((0..3).all(|node| net.holds(node, 1) && net.holds(node, 2)), "{method:?}");
    }
}
