//! What every link keeps, whatever carries it: order within a lane, loss at disconnect, back-pressure, limits, close.

mod ground;

use std::sync::Arc;
use std::time::Duration;

use ground::{Ground, config, introduce, ordinals};
use seedbed_core::contract::frame::{self, Header};
use seedbed_core::contract::{Lane, Life, NodeId};
use seedbed_transport::link::memory::Net;
use seedbed_transport::link::tls::Tls;
use seedbed_transport::link::{Count, Ended, Event, Incoming, Link, Refusal, Refused, StreamLink};
use tokio::net::TcpListener;

macro_rules! on_every_carrier {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test] async fn $test() { super::$test(super::Ground::Memory(super::Net::default())).await })*
        }
        mod tcp {
            $(#[tokio::test] async fn $test() { super::$test(super::Ground::Tcp).await })*
        }
        mod tls {
            $(#[tokio::test] async fn $test() { super::$test(super::Ground::Tls).await })*
        }
        mod calm {
            $(#[tokio::test] async fn $test() { super::$test(super::Ground::Calm(super::Net::default())).await })*
        }
    };
}

on_every_carrier! {
    order_holds_within_each_lane
    what_waits_at_a_disconnect_is_lost
    a_peer_that_does_not_read_fills_the_outbox_and_no_more
    bulk_that_is_not_let_go_stops_bulk_alone
    a_frame_too_long_for_its_lane_is_not_sent
    a_frame_too_long_for_its_receiver_ends_the_connection
    what_was_sent_before_a_close_arrives
    a_wrong_cluster_protocol_or_version_is_refused_and_both_are_told
    a_stranger_is_refused
    who_is_hung_up_on_may_come_again
    a_removed_peer_is_gone_until_it_is_added_again
    frames_of_unknown_kinds_are_skipped_and_counted
    silence_is_filled_with_pings
    a_peer_that_starts_anew_replaces_its_old_connections
}

async fn order_holds_within_each_lane(ground: Ground) {
    const FRAMES: u64 = 5_000;
    let (mut a, mut b) = ground.pair(config(0), config(1)).await;
    let sending = async {
        let mut next = [0; 2];
        while next != [FRAMES; 2] {
            for (lane, next) in [Lane::Control, Lane::Bulk].into_iter().zip(&mut next) {
                let batch = 1 + *next % 7;
                for _ in 0..batch {
                    let ordinal = *next;
                    let mut write = |out: &mut Vec<u8>| ground::put(ordinal, &[7; 100], out);
                    if *next < FRAMES && a.link.send(NodeId(1), lane, &mut write).is_ok() {
                        *next += 1;
                    }
                }
                a.link.flush();
            }
            tokio::task::yield_now().await;
        }
    };
    let receiving = async {
        let mut heard = [0; 2];
        while heard != [FRAMES; 2] {
            let frames = b.next_frames().await;
            assert_eq!(frames.from, NodeId(0));
            for ordinal in ordinals(&frames.bytes) {
                assert_eq!(ordinal, heard[frames.lane as usize]);
                heard[frames.lane as usize] += 1;
            }
        }
    };
    tokio::join!(sending, receiving);
}

async fn what_waits_at_a_disconnect_is_lost(ground: Ground) {
    let (mut a, b) = ground.pair(config(0), config(1)).await;
    // `b` never reads: most of this waits.
    let mut ordinal = 0;
    while a.say(1, Lane::Bulk, ordinal, &[0; 100 << 10]).is_ok() {
        ordinal += 1;
        tokio::task::yield_now().await;
    }
    drop(b);
    a.expect_down(NodeId(1)).await;
    assert_eq!(a.say(1, Lane::Control, 0, b""), Err(Refused::Unconnected));

    let mut config = config(1);
    config.life = Life(1);
    let mut b = ground.start(config).await;
    introduce(&a, NodeId(0), &b, NodeId(1));
    a.expect_up(NodeId(1)).await;
    a.say(1, Lane::Bulk, 1_000_000, b"").unwrap();
    assert_eq!(ordinals(&b.next_frames().await.bytes), [1_000_000]);
    assert!(a.link.counters().of(Count::BytesLost) > 100 << 10);
}

async fn a_peer_that_does_not_read_fills_the_outbox_and_no_more(ground: Ground) {
    let (mut a, mut b) = ground.pair(config(0), config(1)).await;
    let limit = config(0).knobs.outbox_max as u64;
    // Full for good: not only until the next write.
    let (mut sent, mut refused_in_a_row) = (0, 0);
    while refused_in_a_row < 100 {
        match a.say(1, Lane::Control, sent, &[0; 4 << 10]) {
            Ok(()) => (sent, refused_in_a_row) = (sent + 1, 0),
            Err(refused) => {
                assert_eq!(refused, Refused::Full);
                refused_in_a_row += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        tokio::task::yield_now().await;
    }
    let (waits, written) = (sent * (4 << 10), a.link.counters().of(Count::BytesSent));
    assert!(waits - written.min(waits) <= limit + (256 << 10), "{waits} {written}");
    assert!(a.link.counters().of(Count::DroppedFull) >= 100);
    // And all of it arrives once the peer reads.
    let mut expected = 0;
    while expected < sent {
        for ordinal in ordinals(&b.next_frames().await.bytes) {
            assert_eq!(ordinal, expected);
            expected += 1;
        }
    }
    a.say(1, Lane::Control, sent, b"").unwrap();
}

async fn bulk_that_is_not_let_go_stops_bulk_alone(ground: Ground) {
    let (mut a, mut b) = ground.pair(config(0), config(1)).await;
    let mut ordinal = 0;
    while a.say(1, Lane::Bulk, ordinal, &[0; 60 << 10]).is_ok() {
        ordinal += 1;
        tokio::task::yield_now().await;
    }
    let held = [b.next_frames().await, b.next_frames().await];
    assert!(held.iter().all(|frames| frames.lane == Lane::Bulk && frames.bytes.len() > 60 << 10));
    for round in 0..100 {
        a.say(1, Lane::Control, round, b"ping").unwrap();
        let frames = b.next_frames().await;
        assert_eq!((frames.lane, ordinals(&frames.bytes)), (Lane::Control, vec![round]));
        b.say(0, Lane::Control, round, b"pong").unwrap();
        assert_eq!(ordinals(&a.next_frames().await.bytes), [round]);
    }
    // A part holds the credit of the whole.
    let [first, second] = held;
    let part = first.part(0..10);
    drop(first);
    assert!(tokio::time::timeout(Duration::from_millis(50), b.link.receive()).await.is_err());
    drop((part, second));
    for expected in 2..ordinal {
        assert_eq!(ordinals(&b.next_frames().await.bytes), [expected]);
    }
}

async fn a_frame_too_long_for_its_lane_is_not_sent(ground: Ground) {
    let (mut a, mut b) = ground.pair(config(0), config(1)).await;
    let longest = config(0).knobs.control_frame_max - frame::HEADER_SIZE;
    assert_eq!(a.say(1, Lane::Control, 0, &vec![0; longest + 1]), Err(Refused::TooLong));
    a.say(1, Lane::Control, 1, &vec![0; longest]).unwrap();
    a.say(1, Lane::Bulk, 2, &vec![0; longest + 1]).unwrap();
    let mut heard = [ordinals(&b.next_frames().await.bytes), ordinals(&b.next_frames().await.bytes)];
    heard.sort();
    assert_eq!(heard, [[1], [2]]);
    assert_eq!(a.link.counters().of(Count::DroppedTooLong), 1);
    // Half a frame is none.
    let refused = a.link.send(NodeId(1), Lane::Control, &mut |out| {
        ground::put(3, b"body", out);
        out.pop();
    });
    assert_eq!(refused, Err(Refused::TooLong));
}

async fn a_frame_too_long_for_its_receiver_ends_the_connection(ground: Ground) {
    let mut strict = config(1);
    strict.knobs.control_frame_max = 1 << 10;
    let (mut a, mut b) = ground.pair(config(0), strict).await;
    a.say(1, Lane::Control, 0, &[0; 2 << 10]).unwrap();
    b.expect_down(NodeId(0)).await;
    b.expect_up(NodeId(0)).await;
    assert_eq!(b.link.counters().of(Count::BadLengths), 1);
    a.expect_down(NodeId(1)).await;
    a.expect_up(NodeId(1)).await;
    a.say(1, Lane::Control, 1, b"").unwrap();
    assert_eq!(ordinals(&b.next_frames().await.bytes), [1]);
}

async fn what_was_sent_before_a_close_arrives(ground: Ground) {
    const FRAMES: u64 = 40;
    let (mut a, mut b) = ground.pair(config(0), config(1)).await;
    for ordinal in 0..FRAMES {
        a.say(1, Lane::Control, ordinal, &[0; 4 << 10]).unwrap();
        a.say(1, Lane::Bulk, ordinal, &[0; 4 << 10]).unwrap();
    }
    let reading = async {
        let (mut heard, mut is_up) = ([0; 2], true);
        while heard != [FRAMES; 2] || is_up {
            match b.next().await {
                Incoming::Frames(frames) => {
                    heard[frames.lane as usize] += ordinals(&frames.bytes).len() as u64;
                }
                Incoming::Down(_) => is_up = false,
                Incoming::Up(_) => panic!("it was up"),
            }
        }
        assert_eq!(b.say(0, Lane::Control, 0, b""), Err(Refused::Unconnected));
    };
    tokio::join!(a.link.close(), reading);
}

async fn a_wrong_cluster_protocol_or_version_is_refused_and_both_are_told(ground: Ground) {
    let ours = config(0);
    let mut theirs = [config(1), config(1), config(1)];
    theirs[0].cluster = "other".into();
    theirs[1].protocol = "shout".into();
    theirs[2].version = 2;
    // In the words of the one who listens.
    let whys = [Refusal::Cluster("other".into()), Refusal::Protocol("shout".into()), Refusal::Version(2)];
    for (theirs, why) in theirs.into_iter().zip(whys) {
        let (a, b) = (ground.start(ours.clone()).await, ground.start(theirs).await);
        introduce(&a, NodeId(0), &b, NodeId(1));
        a.until_told(|event| matches!(event, Event::RefusedBy { why: told, .. } if *told == why)).await;
        b.until_told(|event| matches!(event, Event::Refused { why: told, .. } if *told == why)).await;
        assert!(b.link.counters().of(Count::Refused) > 0);
        assert_eq!(a.link.counters().of(Count::Connected) + b.link.counters().of(Count::Connected), 0);
    }
}

async fn a_stranger_is_refused(ground: Ground) {
    let (a, b) = (ground.start(config(0)).await, ground.start(config(1)).await);
    a.link.peers().insert(NodeId(1), Some(b.address.clone()));
    let why = Refusal::Stranger(NodeId(0));
    a.until_told(|event| matches!(event, Event::RefusedBy { why: told, .. } if *told == why)).await;
    b.until_told(|event| matches!(event, Event::Refused { why: told, .. } if *told == why)).await;
}

async fn who_is_hung_up_on_may_come_again(ground: Ground) {
    let (mut a, mut b) = ground.pair(config(0), config(1)).await;
    b.link.hang_up(NodeId(0));
    for _ in 0..2 {
        b.until_told(|event| matches!(event, Event::Ended { why: Ended::HungUp, .. })).await;
    }
    a.expect_down(NodeId(1)).await;
    a.expect_up(NodeId(1)).await;
    assert_eq!(b.link.counters().of(Count::HungUp), 2);
    a.say(1, Lane::Control, 5, b"").unwrap();
    assert_eq!(ordinals(&b.next_frames().await.bytes), [5]);
}

async fn a_removed_peer_is_gone_until_it_is_added_again(ground: Ground) {
    let (mut a, mut b) = ground.pair(config(0), config(1)).await;
    a.link.peers().remove(NodeId(1));
    a.expect_down(NodeId(1)).await;
    b.expect_down(NodeId(0)).await;
    assert_eq!(a.say(1, Lane::Control, 0, b""), Err(Refused::Unconnected));
    assert_eq!(a.link.peers().nodes(), []);
    introduce(&a, NodeId(0), &b, NodeId(1));
    a.expect_up(NodeId(1)).await;
    a.say(1, Lane::Control, 1, b"").unwrap();
    assert_eq!(ordinals(&b.next_frames().await.bytes), [1]);
}

async fn frames_of_unknown_kinds_are_skipped_and_counted(ground: Ground) {
    let (mut a, mut b) = ground.pair(config(0), config(1)).await;
    let header = Header { protocol: 0, life: Life(0), ordinal: 9 };
    let write = &mut |out: &mut Vec<u8>| {
        ground::put(1, b"before", out);
        frame::seal(header, 200, b"from the future", out).unwrap();
        ground::put(2, b"after", out);
    };
    a.link.send(NodeId(1), Lane::Control, write).unwrap();
    a.link.flush();
    let mut heard = Vec::new();
    while heard.len() < 2 {
        heard.extend(ordinals(&b.next_frames().await.bytes));
    }
    assert_eq!(heard, [1, 2]);
    assert_eq!(b.link.counters().of(Count::UnknownKinds), 1);
}

async fn silence_is_filled_with_pings(ground: Ground) {
    let mut brief = [config(0), config(1)];
    for config in &mut brief {
        config.knobs.ping = Duration::from_millis(20);
        config.knobs.dead = Duration::from_millis(2_000);
    }
    let [a, b] = brief;
    let (mut a, mut b) = ground.pair(a, b).await;
    let before = b.link.counters().of(Count::BytesReceived);
    let heard = async {
        while b.link.counters().of(Count::BytesReceived) < before + 10 * frame::HEADER_SIZE as u64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(ground::PATIENCE, heard).await.expect("no pings");
    a.say(1, Lane::Control, 3, b"").unwrap();
    match b.next().await {
        Incoming::Frames(frames) => assert_eq!(ordinals(&frames.bytes), [3]),
        other => panic!("{other:?}"),
    }
}

async fn a_peer_that_starts_anew_replaces_its_old_connections(ground: Ground) {
    let (a, mut b) = ground.pair(config(0), config(1)).await;
    // The old one is still there, as if its machine had vanished without a word.
    let mut config = config(0);
    config.life = Life(1);
    let mut anew = ground.start(config).await;
    introduce(&anew, NodeId(0), &b, NodeId(1));
    anew.expect_up(NodeId(1)).await;
    b.expect_down(NodeId(0)).await;
    b.expect_up(NodeId(0)).await;
    assert!(b.link.counters().of(Count::Replaced) >= 1);
    drop(a);
    // Whatever the old one did, in the end the new one is heard.
    let heard = async {
        loop {
            let _ = anew.say(1, Lane::Control, 77, b"new");
            if let Ok(Some(Incoming::Frames(frames))) =
                tokio::time::timeout(Duration::from_millis(20), b.link.receive()).await
            {
                break assert!(ordinals(&frames.bytes).iter().all(|&ordinal| ordinal == 77));
            }
        }
    };
    tokio::time::timeout(ground::PATIENCE, heard).await.expect("not heard");
}

#[tokio::test]
async fn a_revoked_key_loses_its_live_connections_and_does_not_come_back() {
    let (mut a, mut b) = Ground::Tls.pair(config(0), config(1)).await;
    b.roster.revoke(&ground::key(0).public());
    b.expect_down(NodeId(0)).await;
    a.expect_down(NodeId(1)).await;
    b.until_told(|event| matches!(event, Event::Ended { why: Ended::Revoked, .. })).await;
    // It dials again, and is refused in the handshake.
    b.until_told(|event| matches!(event, Event::Failed { .. })).await;
    a.until_told(|event| matches!(event, Event::Failed { .. })).await;
    assert_eq!(b.link.counters().of(Count::Connected), 2);
    assert_eq!(b.link.counters().of(Count::Revoked), 2);
}

#[tokio::test]
async fn a_member_that_claims_to_be_another_is_refused() {
    let (c, honest) = (Ground::Tls.start(config(3)).await, Ground::Tls.start(config(1)).await);
    // It has the key of node 0 and says that it is node 2.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tls = Tls::new(listener, ground::key(0), honest.roster.clone()).unwrap();
    let liar = StreamLink::start(config(2), tls, Arc::new(()));
    liar.peers().insert(NodeId(3), Some(c.address.clone()));
    c.link.peers().insert(NodeId(2), None);
    let why = Refusal::NotThatNode(NodeId(2));
    c.until_told(|event| matches!(event, Event::Refused { why: told, .. } if *told == why)).await;
    assert_eq!(c.link.counters().of(Count::Connected), 0);
}
