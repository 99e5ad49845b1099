//! What happens in a life: inputs in turn, pauses, nonsense from peers, time-outs, bounds.

use std::sync::Arc;
use std::time::Duration as Span;

use seedbed_core::contract::frame::{self, Header};
use seedbed_core::contract::{Duration, Input, Lane, Life, Members, NodeId};
use seedbed_transport::clock::Skew;
use seedbed_transport::host::{CommandError, Ended};

use crate::bed::{Net, Shelf, soon};
use crate::puppet::{Act, Lived, ME, Message, PEER, Seen, setup};

/// How long commands wait that nobody answers, and that others must be answered in.
const A_WHILE: Span = Span::from_millis(500);
const HEADER: Header = Header { protocol: 0, life: Life(0), ordinal: 0 };

#[tokio::test]
async fn a_life_begins_with_its_log_and_its_members() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let members = Members { epoch: 3, voters: Arc::new([ME, PEER]), others: Arc::new([]) };
    for log in [vec![], vec![7], vec![7, 7]] {
        let mut with = setup();
        with.members = Some(members.clone());
        let mut node = Lived::new(with, &net, &shelf);
        node.ask([Act::Persist(7), Act::Reply(0)]).await;
        for input in [Input::Start { log }, Input::Members(members.clone())] {
            match node.seen().await {
                Seen::Input(_, seen) => assert_eq!(seen, input),
                other => panic!("{other:?}"),
            }
        }
        let later = Members { epoch: 4, ..members.clone() };
        node.handle.members(later.clone());
        node.input(|_, input| (input == Input::Members(later.clone())).then_some(())).await;
        soon(node.handle.stop()).await;
    }
}

#[tokio::test]
async fn a_log_that_does_not_decode_ends_the_life_before_it_begins() {
    let (net, shelf) = (Net::default(), Shelf::default());
    shelf.keep(&[&[7], &[0x80]]);
    let node = Lived::new(setup(), &net, &shelf);
    let ended = soon(node.handle.ended()).await;
    assert!(matches!(ended, Ended::Undecodable { place: 1 }), "{ended}");
    assert_eq!(node.handle.command(vec![]).await, Err(CommandError::Ended));
    assert!(matches!(soon(node.handle.stop()).await, Ended::Undecodable { .. }));
}

#[tokio::test]
async fn a_node_hears_itself_without_the_link() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut node = Lived::new(setup(), &net, &shelf);
    node.ask([Act::SendNow(ME, 1), Act::Persist(0), Act::Send(ME, 2), Act::SendNow(ME, 3), Act::Reply(0)])
        .await;
    let said = |_, input| match input {
        Input::Message { from: ME, message: Message::Say(word), .. } => Some(word),
        _ => None,
    };
    assert_eq!([node.input(said).await, node.input(said).await, node.input(said).await], [1, 3, 2]);
}

#[tokio::test]
async fn a_panic_ends_the_life_with_its_words() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut node = Lived::new(setup(), &net, &shelf);
    assert_eq!(node.handle.command(vec![Act::Panic]).await, Err(CommandError::Ended));
    assert_eq!(soon(node.handle.ended()).await.to_string(), "panicked: as told");
    while node.seen().await != Seen::Down(ME, Life(0)) {}
}

#[tokio::test]
async fn a_paused_node_takes_nothing_in_and_a_resumed_one_all_that_waited() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut with = setup();
    with.knobs.command = A_WHILE;
    let mut node = Lived::new(with, &net, &shelf);
    node.handle.pause();
    Lived::tell(&net, [Act::Set(1, Duration::ZERO), Act::SendNow(ME, 1)]);
    assert_eq!(node.handle.command(vec![Act::ReplyNow(1)]).await, Err(CommandError::TimedOut));
    assert_eq!(node.handle.counters().received, 0);
    node.handle.resume();
    node.input(|_, input| matches!(input, Input::Timer { timer: 1 }).then_some(())).await;
    assert_eq!(node.ask([Act::ReplyNow(2)]).await, 2);
    // Whoever asked while it was paused has given up: it was never asked.
    assert_eq!(node.handle.counters().commands, 1);
    node.handle.pause();
    assert!(matches!(soon(node.handle.stop()).await, Ended::Stopped));
}

#[tokio::test]
async fn who_sends_nonsense_is_hung_up_on_and_the_node_lives() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut peer = net.join(PEER);
    let node = Lived::new(setup(), &net, &shelf);
    let mut good = Vec::new();
    frame::encode(HEADER, &Message::Say(1), &mut good).unwrap();
    let mut wrong = good.clone();
    frame::seal(HEADER, frame::KIND_MESSAGE, &[9], &mut wrong).unwrap();
    wrong.extend_from_slice(&good);
    let damaged: Vec<u8> = good.iter().map(|byte| byte ^ 1).collect();
    for bytes in [wrong, damaged, vec![0; 100], vec![1, 2, 3]] {
        net.inject(PEER, ME, Lane::Control, bytes);
        peer.gone(ME).await;
    }
    assert_eq!(node.ask([Act::ReplyNow(4)]).await, 4);
    let counters = node.handle.counters();
    // Of the first ones, what came before the nonsense was taken, and nothing after it.
    assert_eq!((counters.bad_frames, counters.received), (4, 1));
}

#[tokio::test]
async fn a_forged_blob_is_nonsense() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut peer = net.join(PEER);
    let node = Lived::new(setup(), &net, &shelf);
    let blob = seedbed_core::contract::Blob::new(*b"what it is");
    let forged = seedbed_core::contract::Blob::claimed(blob.id(), *b"what it's not");
    let mut bytes = Vec::new();
    frame::encode_with(HEADER, &Message::Say(1), Some(&forged), &mut bytes).unwrap();
    net.inject(PEER, ME, Lane::Bulk, bytes);
    peer.gone(ME).await;
    let mut bytes = Vec::new();
    frame::encode_with(HEADER, &Message::Say(1), Some(&blob), &mut bytes).unwrap();
    net.inject(PEER, ME, Lane::Bulk, bytes);
    let mut node = node;
    let came = node.input(|_, input| match input {
        Input::Message { blob, .. } => Some(blob),
        _ => None,
    });
    assert_eq!(came.await, Some(blob));
}

#[tokio::test]
async fn what_is_unknown_is_counted_and_skipped() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut node = Lived::new(setup(), &net, &shelf);
    let mut bytes = Vec::new();
    frame::seal(HEADER, 9, b"from a newer version", &mut bytes).unwrap();
    frame::encode(Header { protocol: 5, ..HEADER }, &Message::Say(1), &mut bytes).unwrap();
    frame::encode(HEADER, &Message::Say(2), &mut bytes).unwrap();
    net.inject(PEER, ME, Lane::Control, bytes);
    let said = node.input(|_, input| match input {
        Input::Message { message, .. } => Some(message),
        _ => None,
    });
    assert_eq!(said.await, Message::Say(2));
    node.ask([Act::ReplyNow(0)]).await;
    let counters = node.handle.counters();
    assert_eq!((counters.unknown_frames, counters.bad_frames), (2, 0));
}

#[tokio::test]
async fn a_frame_longer_than_its_lane_takes_is_dropped_and_counted() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut with = setup();
    with.knobs.control_frame_max = frame::HEADER_SIZE + 2;
    let node = Lived::new(with, &net, &shelf);
    let mut peer = net.join(PEER);
    node.ask([
        Act::SendNow(PEER, 1 << 40),
        Act::SendNow(PEER, 1),
        Act::SendNow(NodeId(9), 1),
        Act::ReplyNow(0),
    ])
    .await;
    let (_, header, message) = peer.hear::<crate::puppet::Puppet>().await;
    assert_eq!((header.ordinal & 0xff_ffff, message), (1, Message::Say(1)));
    let counters = node.handle.counters();
    assert_eq!((counters.too_long, counters.unconnected, counters.sent), (1, 1, 1));
}

#[tokio::test]
async fn no_timer_runs_out_early_and_they_run_out_in_order() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut node = Lived::new(setup(), &net, &shelf);
    let timers = [(3, 30), (1, 5), (2, 20), (4, 0)];
    let acts = timers.map(|(timer, millis)| Act::Set(timer, Duration::from_millis(millis)));
    Lived::tell(&net, acts);
    let begun =
        node.input(|moment, input| matches!(input, Input::Message { .. }).then_some(moment.now)).await;
    let fired = |moment: seedbed_transport::host::Moment, input| match input {
        Input::Timer { timer } => Some((timer, moment.now.since(begun))),
        _ => None,
    };
    for (timer, millis) in [(4, 0), (1, 5), (2, 20), (3, 30)] {
        let (which, after) = node.input(fired).await;
        assert_eq!(which, timer);
        assert!(after >= Duration::from_millis(millis), "{timer} after {after}");
    }
}

#[tokio::test]
async fn clocks_are_as_wrong_as_an_experiment_wants_them() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let hour = 3_600_000_000_000;
    let mut with = setup();
    with.skew = Skew { wall: hour, drift_ppb: 0 };
    let mut node = Lived::new(with, &net, &shelf);
    let (start, late) = node.input(|moment, _| Some((moment.now, moment.wall))).await;
    let machine =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    assert!(late.0 > machine && late.0 - hour as u64 <= machine);
    node.handle.jump(-hour);
    // 10 % slow is the most that a clock can be.
    node.handle.drift(i64::MIN);
    node.ask([Act::ReplyNow(0)]).await;
    let asked = node.input(|moment, input| matches!(input, Input::Command { .. }).then_some(moment)).await;
    assert!(asked.now > start && asked.wall < late);
}

#[tokio::test]
async fn commands_wait_for_room_and_none_is_lost() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut with = setup();
    with.knobs.inbox_max = 4;
    let node = Lived::new(with, &net, &shelf);
    node.handle.pause();
    let asked: Vec<_> = (0..100)
        .map(|word| {
            let handle = node.handle.clone();
            tokio::spawn(async move { handle.command(vec![Act::ReplyNow(word)]).await })
        })
        .collect();
    node.handle.resume();
    for (word, asked) in asked.into_iter().enumerate() {
        assert_eq!(soon(asked).await.unwrap(), Ok(word as u64));
    }
}

#[tokio::test]
async fn a_slow_disk_slows_its_node_down() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut with = setup();
    with.knobs.unsynced_max = 1024;
    with.knobs.command = A_WHILE;
    let mut node = Lived::new(with, &net, &shelf);
    shelf.hold(true);
    for number in 0..1000 {
        Lived::tell(&net, [Act::Persist(number)]);
    }
    shelf.syncing().await;
    // Not even a command gets through.
    assert_eq!(node.handle.command(vec![Act::ReplyNow(1)]).await, Err(CommandError::TimedOut));
    assert!(node.handle.counters().written <= 1024 / 64 + 1, "{:?}", node.handle.counters());
    shelf.hold(false);
    let mut messages = 0;
    while messages < 1000 {
        messages += node.input(|_, input| matches!(input, Input::Message { .. }).then_some(1)).await;
    }
    assert_eq!(node.ask([Act::ReplyNow(2)]).await, 2);
}

#[tokio::test]
async fn a_disk_that_was_behind_with_anything_lets_its_node_go_on() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut with = setup();
    with.knobs.unsynced_max = 100;
    let node = Lived::new(with, &net, &shelf);
    let blob = seedbed_core::contract::Blob::new(*b"a blob");
    for act in [Act::Persist(1), Act::Store(blob.clone()), Act::Load(blob.id()), Act::Drop(blob.id())] {
        for number in 0..20 {
            let acts: Vec<Act> = std::iter::repeat_n(act.clone(), 5).chain([Act::ReplyNow(number)]).collect();
            assert_eq!(node.ask(acts).await, number);
        }
    }
}

#[tokio::test]
async fn a_command_that_nobody_answers_times_out_and_is_forgotten() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let mut with = setup();
    with.knobs.command = A_WHILE;
    let node = Lived::new(with, &net, &shelf);
    assert_eq!(node.handle.command(vec![]).await, Err(CommandError::TimedOut));
    assert_eq!(node.handle.command(vec![Act::ReplyNow(1)]).await, Ok(1));
    let counters = node.handle.counters();
    assert_eq!((counters.commands, counters.replies), (2, 1));
}
