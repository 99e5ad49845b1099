//! Gateway and storage nodes in a world without delay: the published numbers and each published flaw.

mod bed;

use std::collections::VecDeque;
use std::sync::Arc;

use bed::Bed;
use proptest::prelude::*;
use seedbed_core::chunks::*;
use seedbed_core::contract::{
    Blob, BlobInput, CommandId, Context, Dice, Duration, Effect, Input, InputOf, Keys, Life, NodeId,
    Protocol, Subject, Tag, Time,
};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn upload(name: &str, length: u64) -> Command {
    Command::Upload { name: name.into(), seed: length, length }
}

fn download(name: &str) -> Command {
    Command::Download { name: name.into() }
}

fn refused(refusal: Refusal) -> Option<Reply> {
    Some(Reply::Refused(refusal))
}

/// A bed in which every node has been heard.
fn bed(nodes: u32, parameters: Parameters) -> Bed {
    let mut bed = Bed::new(nodes, parameters);
    bed.run(secs(1));
    bed
}

fn places(bed: &Bed, name: &str) -> Vec<u32> {
    let filed = bed.gateway().catalogue().file(name).expect("is stored");
    filed.file.chunks.iter().map(|placed| placed.node.0).collect()
}

#[test]
fn a_status_page_shows_files_nodes_and_chunks() {
    let mut bed = bed(4, Parameters::default());
    bed.ask(upload("a", 3));
    assert_eq!(bed.state(0).facts(), [("files", "1".into()), ("nodes online", "3 of 3".into())]);
    assert_eq!(bed.state(1).facts(), [("chunks", "1".into())]);
}

#[test]
fn files_are_cut_and_placed_as_published() {
    let mut bed = bed(8, Parameters::default());
    let published = [(1, 1), (2, 1), (3, 3), (4, 4), (5, 5), (6, 3), (7, 4), (3_000_000, 3), (3_000_001, 4)];
    for (length, chunks) in published {
        let name = length.to_string();
        assert_eq!(bed.ask(upload(&name, length)), Some(Reply::Uploaded { chunks }), "length {length}");
        let nodes: Vec<_> = (1..=chunks).collect();
        assert_eq!(places(&bed, &name), nodes, "always from the first node");
    }
    assert_eq!(bed.ask(upload("empty", 0)), refused(Refusal::EmptyFile));
    assert!((6..8).all(|node| bed.storage(node).chunks().count() == 0), "nodes beyond the fifth get nothing");
}

#[test]
fn without_the_flaws_files_have_three_chunks_and_take_turns() {
    let mut bed =
        bed(8, Parameters { uneven_split: false, first_nodes_first: false, ..Parameters::default() });
    for (name, nodes) in [("a", [1, 2, 3]), ("b", [2, 3, 4]), ("c", [3, 4, 5])] {
        assert_eq!(bed.ask(upload(name, 1000)), Some(Reply::Uploaded { chunks: 3 }));
        assert_eq!(places(&bed, name), nodes);
    }
}

#[test]
fn what_was_stored_comes_back() {
    let mut bed = bed(5, Parameters::default());
    for (name, length) in [("real", 1001), ("synthetic", 10_000_000_000_u64)] {
        let digest = digest(&blobs(length, length, true));
        assert_eq!(bed.ask(upload(name, length)), Some(Reply::Uploaded { chunks: 4 }));
        assert_eq!(bed.ask(download(name)), Some(Reply::Downloaded { length, digest }));
        let Some(Reply::About { file, .. }) = bed.ask(Command::Stat { name: name.into() }) else { panic!() };
        assert_eq!((file.length, file.digest, file.chunks.len()), (length, digest, 4));
    }
    let names = |after: &str, names: &[&str]| {
        let names = names.iter().map(|&name| name.into()).collect();
        (Command::List { after: after.into() }, Some(Reply::Files { names, more: false }))
    };
    for (list, files) in [names("", &["real", "synthetic"]), names("real", &["synthetic"]), names("z", &[])] {
        assert_eq!(bed.ask(list), files);
    }
    let nodes = (1..5).map(|node| (NodeId(node), true)).collect();
    assert_eq!(bed.ask(Command::Nodes), Some(Reply::Nodes(nodes)));
}

#[test]
fn what_cannot_be_done_is_refused() {
    let mut alone = Bed::new(3, Parameters::default());
    alone.crash(1);
    alone.crash(2);
    alone.run(secs(200));
    assert_eq!(alone.ask(upload("a", 3)), refused(Refusal::NoNodes));

    let mut bed =
        bed(3, Parameters { file_max: seedbed_core::settings::Bytes(1000), ..Parameters::default() });
    assert_eq!(bed.ask(upload("", 3)), refused(Refusal::BadName));
    assert_eq!(bed.ask(upload(&"x".repeat(NAME_MAX + 1), 3)), refused(Refusal::BadName));
    assert_eq!(bed.ask(upload("a", 1001)), refused(Refusal::TooLong));
    assert_eq!(bed.ask(upload("a", 1000)), Some(Reply::Uploaded { chunks: 4 }));
    assert_eq!(bed.ask(upload("a", 999)), refused(Refusal::NameTaken));
    assert_eq!(bed.ask(download("b")), refused(Refusal::NotFound));
    assert_eq!(bed.ask_node(1, download("a")), refused(Refusal::NotTheGateway));
}

/// Published: 60 to 90 s, as the monitor looks every 30 s for nodes silent for more than 60 s. That counts from the
/// last heartbeat, which may itself be 30 s before the crash.
#[test]
fn a_crash_is_detected_60_to_90_seconds_after_the_last_heartbeat() {
    for crash in 0..60 {
        let mut bed = Bed::new(3, Parameters::default());
        bed.run(secs(40));
        bed.restart(1); // from now on its heartbeats come at 40, 70, 100 s, the monitor looks at 30, 60, 90 s
        bed.run(secs(20 + crash));
        bed.crash(1);
        let crashed = bed.now();
        bed.run(secs(200));
        let found = bed.notices.iter().find_map(|(at, _, notice)| match notice {
            Notice::Offline { node: NodeId(1), silence } => Some((*at, *silence)),
            _ => None,
        });
        let (at, silence) = found.expect("detected");
        assert!(silence > secs(60) && silence <= secs(90), "{silence} of silence");
        let since = at.since(crashed);
        assert!(since > secs(30) && since <= secs(90), "{since} after the crash");
    }
}

#[test]
fn a_restart_loses_chunks_silently() {
    for wipe_on_restart in [true, false] {
        let mut bed = bed(5, Parameters { wipe_on_restart, ..Parameters::default() });
        bed.ask(upload("a", 1000));
        bed.crash(2);
        bed.run(secs(5));
        bed.restart(2);
        bed.run(secs(100));
        assert!(bed.gateway().catalogue().is_online(NodeId(2)), "the gateway has not noticed");
        assert_eq!(places(&bed, "a"), [1, 2, 3, 4], "and counts on its chunk");
        let back = bed.ask(download("a"));
        match wipe_on_restart {
            true => assert_eq!((back, bed.disk(2).blobs.len()), (refused(Refusal::Gone), 0)),
            false => assert!(matches!(back, Some(Reply::Downloaded { length: 1000, .. })), "{back:?}"),
        }
    }
}

#[test]
fn a_dead_node_fails_downloads_in_time() {
    let mut bed = bed(5, Parameters::default());
    bed.ask(upload("a", 1000));
    bed.crash(3);
    let asked = bed.now();
    assert_eq!(bed.ask(download("a")), refused(Refusal::TimedOut));
    assert_eq!(bed.now().since(asked), secs(10));
    bed.run(secs(100));
    let asked = bed.now();
    assert_eq!(bed.ask(download("a")), refused(Refusal::Offline));
    assert_eq!(bed.now(), asked, "once it is marked offline, nobody waits");
}

#[test]
fn a_partly_failed_upload_leaves_orphans() {
    for leave_orphans in [true, false] {
        let mut bed = bed(5, Parameters { leave_orphans, ..Parameters::default() });
        bed.crash(4);
        assert_eq!(bed.ask(upload("a", 1000)), refused(Refusal::TimedOut));
        bed.run(secs(1));
        assert!(bed.gateway().catalogue().file("a").is_none());
        let left: Vec<_> = (1..4).map(|node| bed.disk(node).blobs.len()).collect();
        assert_eq!(left, if leave_orphans { [1, 1, 1] } else { [0, 0, 0] });
    }
}

#[test]
fn chunks_that_two_files_share_stay_with_the_second() {
    let mut bed = bed(5, Parameters { leave_orphans: false, ..Parameters::default() });
    let copy = |name: &str| Command::Upload { name: name.into(), seed: 7, length: 1000 };
    assert!(matches!(bed.ask(copy("one")), Some(Reply::Uploaded { .. })));
    bed.crash(4);
    assert_eq!(bed.ask(copy("two")), refused(Refusal::TimedOut));
    bed.restart(4);
    bed.run(secs(1));
    assert!((1..4).all(|node| bed.storage(node).chunks().count() == 1));
}

#[test]
fn a_restarted_gateway_knows_its_files_and_forgets_its_requests() {
    let mut bed = bed(5, Parameters { wipe_on_restart: false, ..Parameters::default() });
    bed.ask(upload("a", 1000));
    let before = bed.gateway().catalogue().clone();
    bed.crash(1);
    let hanging = bed.command(0, download("a"));
    bed.run(secs(1));
    bed.crash(0);
    bed.run(secs(1));
    bed.restart(0);
    bed.restart(1);
    bed.run(secs(60));
    assert_eq!(bed.gateway().catalogue(), &before);
    assert_eq!(bed.replies.get(&hanging), None);
    assert!(matches!(bed.ask(download("a")), Some(Reply::Downloaded { .. })));
}

#[test]
fn logs_are_replaced_by_shorter_ones() {
    let mut bed = bed(3, Parameters { leave_orphans: false, ..Parameters::default() });
    bed.ask(upload("kept", 10));
    for round in 0..100 {
        bed.restart(2);
        bed.run(secs(1));
        bed.crash(2);
        assert_eq!(bed.ask(upload(&round.to_string(), 1000 + round)), refused(Refusal::TimedOut));
        bed.run(secs(100));
    }
    let (catalogue, records) = (bed.gateway().catalogue().clone(), bed.disk(0).log.len());
    assert_eq!((catalogue.files().count(), bed.storage(1).chunks().count()), (1, 2));
    assert!(records < 80, "{records} records for 1 file and 2 nodes");
    let records = bed.disk(1).log.len();
    assert!(records < 80, "{records} records for 2 chunks");
    bed.restart(0);
    assert_eq!(bed.gateway().catalogue(), &catalogue);
}

#[test]
fn a_full_disk_is_a_refusal() {
    let mut bed = bed(5, Parameters::default());
    bed.disk_mut(2).room = 0;
    assert_eq!(bed.ask(upload("a", 1000)), refused(Refusal::NoRoom));
    assert_eq!(bed.storage(2).chunks().count(), 0);
    bed.disk_mut(2).room = u64::MAX;
    assert_eq!(bed.ask(upload("a", 1000)), Some(Reply::Uploaded { chunks: 4 }));
}

#[test]
fn bit_rot_is_found_when_the_chunk_is_read() {
    let mut bed = bed(5, Parameters::default());
    bed.ask(upload("a", 1000));
    bed.disk_mut(1).damaged = bed.storage(1).chunks().collect();
    assert_eq!(bed.ask(download("a")), refused(Refusal::Gone));
    assert_eq!(bed.storage(1).chunks().count(), 0, "and it no longer believes that it has it");
}

/// What a node may find on its doorstep, in any state.
fn input() -> impl Strategy<Value = InputOf<Chunks>> {
    let id = || (0..3u8).prop_map(|id| Blob::new([id]).id());
    let part = || (0..4u64, 0..6u32).prop_map(|(request, index)| Part { request, index });
    let blob = || {
        (0..3u8, any::<bool>()).prop_map(|(id, real)| match real {
            true => Blob::new([id]),
            false => Blob::synthetic(Blob::new([id]).id(), u64::from(id) << 60),
        })
    };
    let name = || prop_oneof!["[ab]{0,2}", Just("x".repeat(NAME_MAX + 1))];
    let node = || prop_oneof![0..6u32, Just(u32::MAX)].prop_map(NodeId);
    let message = prop_oneof![
        Just(Message::Heartbeat),
        part().prop_map(|part| Message::Store { part }),
        (part(), id()).prop_map(|(part, id)| Message::Stored { part, id }),
        part().prop_map(|part| Message::Unstored { part }),
        (part(), id()).prop_map(|(part, id)| Message::Fetch { part, id }),
        part().prop_map(|part| Message::Fetched { part }),
        part().prop_map(|part| Message::Gone { part }),
        (part(), id()).prop_map(|(part, id)| Message::Drop { part, id }),
    ];
    let command = prop_oneof![
        (name(), any::<u64>(), prop_oneof![0..10u64, Just(u64::MAX), Just(1 << 20)])
            .prop_map(|(name, seed, length)| Command::Upload { name, seed, length }),
        name().prop_map(|name| Command::Download { name }),
        name().prop_map(|name| Command::Stat { name }),
        name().prop_map(|after| Command::List { after }),
        Just(Command::Nodes),
    ];
    let file = (id(), 0..3usize, node(), any::<u64>()).prop_map(|(id, count, node, length)| File {
        length,
        digest: id,
        chunks: vec![Placed { node, id, length }; count],
    });
    let entry = prop_oneof![
        node().prop_map(|node| Entry::Joined { node }),
        node().prop_map(|node| Entry::Left { node }),
        (name(), file).prop_map(|(name, file)| Entry::Filed { name, file, by: CommandId(1) }),
    ];
    let record = || {
        prop_oneof![
            (any::<u64>(), entry.clone()).prop_map(|(at, entry)| Record::Entry { at: Time(at), entry }),
            (part(), id(), any::<u64>()).prop_map(|(part, id, length)| Record::Kept { part, id, length }),
            (part(), id()).prop_map(|(part, id)| Record::Dropped { part, id }),
        ]
    };
    let timer =
        prop_oneof![Just(Timer::Heartbeat), Just(Timer::Monitor), (0..4u64).prop_map(Timer::Deadline),];
    let tag = Tag(0);
    let news = prop_oneof![
        id().prop_map(move |id| BlobInput::Stored { tag, id }),
        id().prop_map(move |id| BlobInput::Refused { tag, id }),
        id().prop_map(move |id| BlobInput::Missing { tag, id }),
        id().prop_map(move |id| BlobInput::Damaged { tag, id }),
        blob().prop_map(move |blob| BlobInput::Loaded { tag, blob }),
    ];
    prop_oneof![
        1 => prop::collection::vec(record(), 0..8).prop_map(|log| Input::Start { log }),
        8 => (node(), message, prop::option::of(blob()))
            .prop_map(|(from, message, blob)| Input::Message { from, message, blob }),
        2 => timer.prop_map(|timer| Input::Timer { timer }),
        4 => (any::<u64>(), command).prop_map(|(id, command)| Input::Command { id: CommandId(id), command }),
        4 => news.prop_map(Input::Blob),
        2 => (id(), id()).prop_map(|(id, outcome)| Input::Ran { job: Job::Hash { id, length: 1 }, outcome }),
        1 => record().prop_map(|record| Input::Full { record }),
        1 => (node(), any::<bool>()).prop_map(|(peer, up)| Input::Link { peer, up }),
    ]
}

proptest! {
    #[test]
    fn no_input_in_any_state_panics(
        me in 0..2u32,
        wipe_on_restart: bool,
        leave_orphans: bool,
        inputs in prop::collection::vec((input(), 0..100_000_000_000u64), 0..60),
    ) {
        let parameters = Parameters { wipe_on_restart, leave_orphans, ..Parameters::default() };
        let config = Arc::new(Config { parameters, nodes: 5 });
        let mut node = Chunks::boot(&config, NodeId(me));
        let (keys, mut now) = (Keys::from_seed(1), Time(0));
        let mut requests = Vec::new();
        for (ordinal, (mut input, pause)) in (0..).zip(inputs) {
            now += Duration::from_nanos(pause);
            // Requests have random numbers: most answers are to name one that was made.
            if let Input::Message { message, .. } = &mut input
                && let Some(part) = part_of(message)
                && let Some(&request) = requests.get(part.request as usize)
            {
                part.request = request;
            }
            let dice = Dice::new(&keys, NodeId(me), Life(0), ordinal);
            let mut effects = VecDeque::new();
            node.step(input, &mut Context::new(now, now, NodeId(me), dice, &mut effects));
            // Garbage makes no torrent: at most one effect per chunk and request, and a few.
            prop_assert!(effects.len() <= 64, "{effects:?}");
            for effect in &mut effects {
                if let Effect::Send { message, .. } = effect {
                    requests.extend(part_of(message).map(|part| part.request));
                }
            }
        }
    }
}

fn part_of(message: &mut Message) -> Option<&mut Part> {
    match message {
        Message::Heartbeat => None,
        Message::Store { part }
        | Message::Stored { part, .. }
        | Message::Unstored { part }
        | Message::Fetch { part, .. }
        | Message::Fetched { part }
        | Message::Gone { part }
        | Message::Drop { part, .. } => Some(part),
    }
}

#[test]
fn time_starts_where_it_likes() {
    let mut early = Bed::new(4, Parameters::default());
    let mut late = Bed::new(4, Parameters::default()).with_origin(Time(u64::MAX / 2));
    for bed in [&mut early, &mut late] {
        bed.restart(0);
        bed.run(secs(40));
        bed.ask(upload("a", 1000));
        bed.crash(2);
        bed.run(secs(200));
    }
    assert_eq!(early.gateway().catalogue(), late.gateway().catalogue());
    assert!(!late.gateway().catalogue().is_online(NodeId(2)));
}
