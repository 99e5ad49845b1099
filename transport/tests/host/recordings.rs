//! A recorded life can be lived again, and nothing that a recording says can do harm.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use seedbed_core::contract::{Duration, Input, Life, NodeId, Protocol, Subject};
use seedbed_core::election::raft::{Parameters, Raft};
use seedbed_transport::host::{Ended, Setup, start};
use seedbed_transport::recording::{About, Recorder, RecordingError, Verdict, about, replay};

use crate::bed::{Net, Scratch, Shelf, soon};
use crate::elections::Cluster;
use crate::puppet::{Act, Lived, ME, PEER, Puppet, setup};

fn raft() -> About {
    About { protocol: "raft".into(), nodes: 3, params: String::new() }
}

fn configured(parameters: Parameters) -> impl Fn(&About) -> Result<<Raft as Protocol>::Config, String> {
    move |about| Raft::config(&parameters, about.nodes)
}

/// Three nodes elect a leader twice; all their lives are recorded.
async fn record(dir: &Path) {
    let mut cluster = Cluster::recorded(3, dir, raft());
    let (leader, _) = cluster.leader().await;
    cluster.restart(leader).await;
    cluster.leader().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_lives_are_lived_again_to_the_last_effect() {
    let scratch = Scratch::new("lives");
    record(scratch.path()).await;
    let mut lives = 0;
    for node in (0..3).map(NodeId) {
        assert_eq!(about(scratch.path(), node).unwrap(), raft());
        for (number, replayed) in replay::<Raft>(scratch.path(), node, configured(Parameters::default()))
            .unwrap()
            .iter()
            .enumerate()
        {
            assert_eq!(replayed.life, Life(number as u32));
            assert!(replayed.is_identical() && !replayed.is_torn, "{replayed:?}");
            assert!(replayed.steps > 3 && replayed.same == replayed.steps, "{replayed:?}");
            lives += 1;
        }
    }
    assert_eq!(lives, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_configuration_makes_a_difference_at_a_step_that_is_named() {
    let scratch = Scratch::new("difference");
    record(scratch.path()).await;
    let slower = Parameters { timeout_max: Duration::from_secs(9), ..Parameters::default() };
    let replayed = replay::<Raft>(scratch.path(), NodeId(0), configured(slower)).unwrap();
    match &replayed[0].verdict {
        Verdict::Differs(difference) => {
            assert_eq!(difference.step, 0);
            assert_ne!(difference.recorded, difference.replayed);
            assert!(difference.input.starts_with("Start"), "{}", difference.input);
            assert!(difference.effects.contains("SetTimer"), "{}", difference.effects);
        }
        other => panic!("{other:?}"),
    }
    assert!(!replayed[0].is_identical());
    assert!(replayed[0].same == 0 && replayed[0].steps > 3, "{replayed:?}");
}

fn recorder(scratch: &Scratch, shelf_life: u32) -> Recorder {
    let about = About { protocol: "puppet".into(), nodes: 2, params: String::new() };
    Recorder::create(scratch.path(), ME, Life(shelf_life), about).unwrap()
}

fn replayed(dir: &Path) -> Result<Vec<seedbed_transport::recording::Replayed>, RecordingError> {
    replay::<Puppet>(dir, ME, |_| Ok(()))
}

#[tokio::test]
async fn the_input_that_made_a_node_panic_is_found_again() {
    let (scratch, net, shelf) = (Scratch::new("panic"), Net::default(), Shelf::default());
    let node = start(setup(), net.join(ME), shelf.open(), recorder(&scratch, 0));
    let ended = soon(async {
        let _ = node.command(vec![Act::Send(PEER, 1), Act::Panic]).await;
        node.ended().await
    });
    assert!(matches!(ended.await, Ended::Panicked(message) if message == "as told"));
    let replayed = replayed(scratch.path()).unwrap();
    match &replayed[0].verdict {
        Verdict::Panicked { step: 1, input, message, is_new: false } => {
            assert!(input.contains("Panic") && message == "as told", "{input}: {message}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((replayed[0].steps, replayed[0].is_identical(), replayed[0].is_torn), (1, true, false));
}

#[tokio::test]
async fn a_recording_is_never_written_over_and_nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("twice");
    let first = recorder(&scratch, 0);
    let about = About::default();
    let again = Recorder::create(scratch.path(), ME, Life(0), about).unwrap_err();
    assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
    let file = scratch.path().join("node-0.life-0.rec");
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!format!("{first:?}").contains("key"));
}

/// A recording of a puppet: its bytes.
async fn bytes() -> Vec<u8> {
    let (scratch, net, shelf) = (Scratch::new("bytes"), Net::default(), Shelf::default());
    let node = start(setup(), net.join(ME), shelf.open(), recorder(&scratch, 0));
    for word in 0..20 {
        let acts = vec![Act::Persist(word), Act::Send(PEER, word), Act::Reply(word)];
        soon(node.command(acts)).await.unwrap();
    }
    soon(node.stop()).await;
    std::fs::read(scratch.path().join("node-0.life-0.rec")).unwrap()
}

fn with_bytes(scratch: &Scratch, bytes: &[u8]) -> PathBuf {
    let path = scratch.path().join("node-0.life-0.rec");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn a_torn_recording_is_lived_again_up_to_its_end() {
    let (whole, scratch) = (bytes().await, Scratch::new("torn"));
    with_bytes(&scratch, &whole);
    let all = replayed(scratch.path()).unwrap().remove(0);
    assert!(all.is_identical() && !all.is_torn && all.steps >= 21);
    let (mut torn, mut unusable, mut steps) = (0, 0, 0);
    for length in 0..whole.len() {
        with_bytes(&scratch, &whole[..length]);
        match replayed(scratch.path()) {
            Ok(replayed) => {
                assert!(replayed[0].is_identical(), "{replayed:?}");
                assert!(replayed[0].steps >= steps);
                (steps, torn) = (replayed[0].steps, torn + u32::from(replayed[0].is_torn));
            }
            Err(RecordingError::Unusable { .. }) => unusable += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(torn > 100 && unusable > 8 && steps == all.steps, "{torn} {unusable} {steps}");
}

#[tokio::test]
async fn a_recording_that_is_damaged_before_its_end_is_not_called_the_same() {
    let (whole, scratch) = (bytes().await, Scratch::new("damaged"));
    // After what marks the format, each entry has its length in four bytes and its checksum in four.
    let mut ends = vec![8];
    while let Some(length) = whole.get(ends[ends.len() - 1]..).and_then(|rest| rest.first_chunk()) {
        ends.push(ends[ends.len() - 1] + 8 + u32::from_le_bytes(*length) as usize);
    }
    let entry = &ends[ends.len() / 2..][..2];
    for place in entry[0]..entry[1] {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        with_bytes(&scratch, &bytes);
        let damaged = replayed(scratch.path()).unwrap().remove(0);
        assert!(damaged.is_damaged() && !damaged.is_identical(), "{place}: {damaged:?}");
        assert!(0 < damaged.same && damaged.same < damaged.steps, "{place}: {damaged:?}");
    }
}

#[test]
fn what_is_no_recording_is_refused_with_a_reason() {
    let scratch = Scratch::new("none");
    let told = |dir: &Path| replayed(dir).unwrap_err().to_string();
    assert!(told(&scratch.path().join("nowhere")).starts_with("cannot read "));
    assert!(told(scratch.path()).ends_with(" has no recording of node 0"));
    std::fs::write(scratch.path().join("node-7.life-0.rec"), "").unwrap();
    assert!(told(scratch.path()).ends_with(" has no recording of node 0, but of 7"));
    with_bytes(&scratch, b"seedrec2 and more");
    assert!(told(scratch.path()).ends_with("node-0.life-0.rec: is no recording of this format"));
    with_bytes(&scratch, b"seedrec1");
    assert!(told(scratch.path()).ends_with("does not say what it is of"));
}

#[test]
fn no_mutated_recording_does_harm() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (whole, scratch) = (runtime.block_on(bytes()), Scratch::new("mutated"));
    let config = ProptestConfig::with_cases(400);
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..8);
    proptest!(config, |(changes in changes)| {
        let mut bytes = whole.clone();
        for (place, byte, is_sealed) in changes {
            let place = 8 + place.index(bytes.len() - 8);
            bytes[place] = byte;
            if is_sealed {
                seal(&mut bytes);
            }
        }
        with_bytes(&scratch, &bytes);
        if let Ok(replayed) = replayed(scratch.path()) {
            prop_assert_eq!(replayed.len(), 1);
            prop_assert!(replayed[0].same <= replayed[0].steps);
        }
    });
}

/// Gives every entry the checksum of what it says now, so that mutations get past it.
fn seal(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(header) = bytes.get(at..at + 8) {
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let Some(entry) = bytes.get(at + 8..at + 8 + length) else { return };
        let checksum = crc32c::crc32c(entry).to_le_bytes();
        bytes[at + 4..at + 8].copy_from_slice(&checksum);
        at += 8 + length;
    }
}

#[tokio::test]
async fn a_node_waits_for_its_recorder_and_loses_nothing() {
    // Many steps at once, faster than any file: every one is there.
    let (scratch, net, shelf) = (Scratch::new("many"), Net::default(), Shelf::default());
    let recorder = recorder(&scratch, 0);
    let meter = recorder.meter();
    let mut node = Lived::watched(setup(), &net, &shelf, recorder);
    for number in 0..20_000 {
        Lived::tell(&net, [Act::SendNow(PEER, number)]);
    }
    node.handle.command(vec![Act::ReplyNow(0)]).await.unwrap();
    let mut messages = 0;
    while messages < 20_000 {
        messages += node.input(|_, input| matches!(input, Input::Message { .. }).then_some(1)).await;
    }
    soon(node.handle.stop()).await;
    let replayed = replayed(scratch.path()).unwrap().remove(0);
    assert!(replayed.is_identical() && replayed.steps >= 20_002, "{replayed:?}");
    assert!(meter.bytes() > 20_000 * 20 && meter.error().is_none());
}

/// Lives of a node whose setup is the default one.
#[tokio::test]
async fn a_key_is_drawn_anew_for_each_life_and_recorded() {
    let (scratch, net, shelf) = (Scratch::new("keys"), Net::default(), Shelf::default());
    let config = Arc::new(Raft::config(&Parameters::default(), 1).unwrap());
    for life in 0..2 {
        let about = About { protocol: "raft".into(), nodes: 1, params: String::new() };
        let recorder = Recorder::create(scratch.path(), ME, Life(life), about).unwrap();
        let node = start(Setup::<Raft>::new(ME, Arc::clone(&config)), net.join(ME), shelf.open(), recorder);
        soon(node.stop()).await;
    }
    let head =
        |life| std::fs::read(scratch.path().join(format!("node-0.life-{life}.rec"))).unwrap()[8..80].to_vec();
    assert_ne!(head(0), head(1));
    let replayed = replay::<Raft>(scratch.path(), ME, configured(Parameters::default())).unwrap();
    assert!(replayed.len() == 2 && replayed.iter().all(|life| life.is_identical()));
}
