//! A promise leaves after it is kept, or not at all.

use std::time::Duration;

use proptest::prelude::*;
use seedbed_core::contract::frame::Header;
use seedbed_core::contract::{Input, Life};
use seedbed_transport::host::{CommandError, Ended};

use crate::bed::{Net, Shelf, Wires, soon};
use crate::puppet::{Act, Lived, ME, Message, PEER, Puppet, Seen, setup};

async fn hear(peer: &mut Wires) -> u64 {
    match peer.hear::<Puppet>().await {
        (ME, _, Message::Say(word)) => word,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_promises_waits_for_the_disk_and_what_does_not_overtakes() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut peer = net.join(PEER);
    let node = Lived::new(setup(), &net, &shelf);
    shelf.hold(true);
    let acts = [Act::Persist(7), Act::Send(PEER, 1), Act::SendNow(PEER, 2), Act::Reply(3)];
    let handle = node.handle.clone();
    let reply = tokio::spawn(async move { handle.command(acts.into()).await });
    assert_eq!(hear(&mut peer).await, 2);
    assert_eq!(node.ask([Act::ReplyNow(4)]).await, 4);
    assert!(!reply.is_finished());
    assert!(shelf.records::<Puppet>().is_empty());
    shelf.hold(false);
    assert_eq!(hear(&mut peer).await, 1);
    assert_eq!(shelf.records::<Puppet>(), [7]);
    assert_eq!(soon(reply).await.unwrap(), Ok(3));
}

#[tokio::test]
async fn a_frame_tells_the_life_the_step_and_the_place_in_it() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut peer = net.join(PEER);
    for life in 0..2 {
        let mut node = Lived::new(setup(), &net, &shelf);
        for _ in 0..2 {
            node.ask([Act::Send(PEER, 1), Act::SendNow(PEER, 2), Act::ReplyNow(0)]).await;
            let step =
                node.input(|moment, input| matches!(input, Input::Command { .. }).then_some(moment.step));
            let step = step.await;
            for nth in 0..2 {
                let (_, header, _) = peer.hear::<Puppet>().await;
                assert_eq!(header, Header { protocol: 0, life: Life(life), ordinal: step << 24 | nth });
            }
        }
        soon(node.handle.stop()).await;
    }
}

#[tokio::test]
async fn one_sync_covers_all_that_was_written_while_the_last_one_ran() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut peer = net.join(PEER);
    let node = Lived::new(setup(), &net, &shelf);
    shelf.hold(true);
    Lived::tell(&net, [Act::Persist(0), Act::Send(PEER, 0)]);
    shelf.syncing().await;
    for number in 1..100 {
        Lived::tell(&net, [Act::Persist(number), Act::Send(PEER, number)]);
    }
    // It has taken them all.
    assert_eq!(node.ask([Act::ReplyNow(5)]).await, 5);
    while node.handle.counters().written < 100 {
        tokio::task::yield_now().await;
    }
    shelf.hold(false);
    for number in 0..100 {
        assert_eq!(hear(&mut peer).await, number);
    }
    assert_eq!(shelf.records::<Puppet>(), (0..100).collect::<Vec<u64>>());
    assert!(shelf.syncs() <= 3, "{}", shelf.syncs());
}

#[tokio::test]
async fn watchers_learn_what_is_durable() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut node = Lived::new(setup(), &net, &shelf);
    node.ask([Act::Persist(1), Act::Reply(0)]).await;
    let step = node.input(|moment, input| matches!(input, Input::Command { .. }).then_some(moment.step));
    let step = step.await;
    loop {
        match node.seen().await {
            Seen::Durable(upto) => break assert!(upto >= step),
            other => assert!(matches!(other, Seen::Input(..))),
        }
    }
}

#[tokio::test]
async fn a_full_disk_refuses_a_record_and_what_was_to_be_sent_after_it() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut peer = net.join(PEER);
    let mut with = setup();
    with.knobs.command = Duration::from_millis(200);
    let mut node = Lived::new(with, &net, &shelf);
    shelf.fill(true);
    let acts = [
        Act::Persist(1),
        Act::Send(PEER, 1),
        Act::SendNow(PEER, 2),
        Act::Persist(2),
        Act::Checkpoint(vec![3]),
        Act::Reply(3),
    ];
    assert_eq!(node.handle.command(acts.into()).await, Err(CommandError::TimedOut));
    let refused = node.input(|_, input| match input {
        Input::Full { record } => Some(record),
        _ => None,
    });
    assert_eq!(refused.await, 1);
    shelf.fill(false);
    Lived::tell(&net, [Act::Persist(4), Act::Send(PEER, 4)]);
    assert_eq!([hear(&mut peer).await, hear(&mut peer).await], [2, 4]);
    assert_eq!(shelf.records::<Puppet>(), [4]);
    assert_eq!(node.handle.counters().refused, 3);
}

#[tokio::test]
async fn every_step_hears_of_its_first_refused_record_before_anything_else() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut peer = net.join(PEER);
    let mut node = Lived::new(setup(), &net, &shelf);
    shelf.hold(true);
    Lived::tell(&net, [Act::Persist(1), Act::Send(PEER, 1)]);
    shelf.syncing().await;
    Lived::tell(&net, [Act::Persist(2), Act::Persist(3), Act::Send(PEER, 2)]);
    Lived::tell(&net, [Act::Send(PEER, 3), Act::Checkpoint(vec![4, 5]), Act::Reply(1)]);
    while node.handle.counters().written < 4 {
        tokio::task::yield_now().await;
    }
    shelf.fill(true);
    shelf.hold(false);
    assert_eq!(hear(&mut peer).await, 1);
    let full = |_, input| match input {
        Input::Full { record } => Some(record),
        _ => None,
    };
    assert_eq!([node.input(full).await, node.input(full).await], [2, 4]);
    shelf.fill(false);
    node.ask([Act::Persist(6), Act::Send(PEER, 6), Act::Reply(0)]).await;
    assert_eq!(hear(&mut peer).await, 6);
    assert_eq!(shelf.records::<Puppet>(), [1, 6]);
}

#[tokio::test]
async fn a_failed_sync_ends_the_life_and_nothing_that_waited_leaves() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut peer = net.join(PEER);
    let mut node = Lived::new(setup(), &net, &shelf);
    shelf.fail();
    let acts = [Act::SendNow(PEER, 1), Act::Persist(1), Act::Send(PEER, 2), Act::Reply(3)];
    assert_eq!(node.handle.command(acts.into()).await, Err(CommandError::Ended));
    let ended = soon(node.handle.ended()).await;
    assert!(matches!(&ended, Ended::Disk(_)), "{ended}");
    assert_eq!(ended.to_string(), "shelf: bad sector");
    assert_eq!(hear(&mut peer).await, 1);
    peer.gone(ME).await;
    while node.seen().await != Seen::Down(ME, Life(0)) {}
    assert!(shelf.records::<Puppet>().is_empty());
}

#[tokio::test]
async fn a_killed_node_sends_nothing_more_and_its_disk_keeps_what_was_synced() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut peer = net.join(PEER);
    let node = Lived::new(setup(), &net, &shelf);
    node.ask([Act::Persist(1), Act::Reply(0)]).await;
    shelf.hold(true);
    Lived::tell(&net, [Act::Persist(2), Act::Send(PEER, 2)]);
    shelf.syncing().await;
    node.handle.kill();
    peer.gone(ME).await;
    shelf.hold(false);
    assert!(matches!(soon(node.handle.ended()).await, Ended::Killed));
    let mut next = Lived::new(setup(), &net, &shelf);
    let log = next.input(|moment, input| match input {
        Input::Start { log } => Some((moment.life, log)),
        _ => None,
    });
    // The sync was under way: its record may be there. What was sent after it never left.
    assert_eq!(log.await, (Life(1), vec![1, 2]));
    next.ask([Act::Send(PEER, 9), Act::ReplyNow(0)]).await;
    assert_eq!(hear(&mut peer).await, 9);
}

#[tokio::test]
async fn a_node_that_stops_keeps_its_promises_first() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut peer = net.join(PEER);
    let node = Lived::new(setup(), &net, &shelf);
    shelf.hold(true);
    Lived::tell(&net, [Act::Persist(1), Act::Send(PEER, 1)]);
    shelf.syncing().await;
    let handle = node.handle.clone();
    let stopped = tokio::spawn(async move { handle.stop().await });
    shelf.hold(false);
    assert_eq!(hear(&mut peer).await, 1);
    peer.gone(ME).await;
    assert!(matches!(soon(stopped).await.unwrap(), Ended::Stopped));
    assert_eq!(node.handle.command(vec![]).await, Err(CommandError::Ended));
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..100_u64).prop_map(Act::Persist),
        (0..100_u64).prop_map(|word| Act::Send(PEER, word)),
        (0..100_u64).prop_map(|word| Act::SendNow(PEER, 1000 + word)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a node does in whatever steps, and whenever the disk is slow: a promise that is heard stands behind
    /// everything persisted before it, and promises are heard in order.
    #[test]
    fn promises_are_kept_in_order(steps in proptest::collection::vec((proptest::collection::vec(act(), 0..6), any::<bool>()), 1..12)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let (net, shelf) = (Net::default(), Shelf::default());
            let mut peer = net.join(PEER);
            let _node = Lived::new(setup(), &net, &shelf);
            let (mut persisted, mut promised) = (0, Vec::new());
            for (acts, is_held) in &steps {
                shelf.hold(*is_held);
                for act in acts {
                    match act {
                        Act::Persist(_) => persisted += 1,
                        Act::Send(_, word) => promised.push((*word, persisted)),
                        _ => {}
                    }
                }
                Lived::tell(&net, acts.clone());
            }
            shelf.hold(false);
            for (word, persisted) in promised {
                let heard = loop {
                    let heard = hear(&mut peer).await;
                    if heard < 1000 {
                        break heard;
                    }
                };
                assert_eq!(heard, word);
                assert!(shelf.records::<Puppet>().len() >= persisted);
            }
        });
    }
}
