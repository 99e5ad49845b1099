//! `replay FOLDER --node K`: a real node's lives, lived again by the command.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use seedbed::contract::{NodeId, Protocol, Subject};
use seedbed::election::Command;
use seedbed::election::raft::{Parameters, Raft};
use seedbed_transport::Knobs;
use seedbed_transport::host::{Setup, start};
use seedbed_transport::link::{Config, memory::Net};
use seedbed_transport::recording::{About, Recorder};
use seedbed_transport::store::memory::Memory;

use crate::bed::Bed;

const ABOUT: &str = "timeout_min = \"30ms\"\ntimeout_max = \"50ms\"\nheartbeat = \"10ms\"";

/// Two lives of a node that is alone and leads.
#[tokio::main(flavor = "current_thread")]
async fn record(dir: &Path, protocol: &str, params: &str) {
    let parameters = Parameters::default();
    let (net, disk) = (Net::default(), Memory::new());
    for _ in 0..2 {
        let config = Arc::new(Raft::config(&parameters, 1).unwrap());
        let opened = disk.open();
        let link = Config {
            me: NodeId(0),
            life: opened.life,
            cluster: "alone".into(),
            protocol: protocol.into(),
            version: Raft::VERSION,
            knobs: Knobs::default(),
            freight: None,
        };
        let about = About { protocol: protocol.into(), nodes: 1, params: params.into() };
        let recorder = Recorder::create(dir, NodeId(0), opened.life, about).unwrap();
        let node =
            start(Setup::<Raft>::new(NodeId(0), config), net.join(link, [], Arc::new(())), opened, recorder);
        for command in [Command::WhoLeads, Command::Campaign, Command::WhoLeads] {
            node.command(command).await.unwrap();
        }
        node.stop().await;
    }
}

#[test]
fn a_recorded_node_does_the_same_again() {
    let bed = Bed::new("recorded");
    record(&bed.path("recordings"), "raft", "");
    let told = bed.seedbed(["replay", "recordings", "--node", "0"]);
    assert_eq!((told.code, told.err.as_str()), (0, ""));
    let lines: Vec<&str> = told.out.lines().collect();
    assert_eq!(lines[0], "raft node 0 of 1");
    for (life, line) in lines[1..].iter().enumerate() {
        let count = line.strip_prefix(&format!("life {life}: effects identical ")).unwrap();
        let (same, all) = count.split_once('/').unwrap();
        assert!(same == all && all.parse::<u32>().unwrap() >= 4, "{line}");
    }
    assert_eq!(lines.len(), 3);
}

#[test]
fn the_first_difference_is_shown_and_tells_the_exit_code() {
    let bed = Bed::new("recorded-difference");
    record(&bed.path("recordings"), "raft", ABOUT);
    let told = bed.seedbed(["replay", "recordings", "--node", "0"]);
    assert_eq!((told.code, told.err.as_str()), (1, ""));
    assert!(told.out.contains("life 0: effects identical 0/"), "{}", told.out);
    for part in ["  first difference at step 0\n", "\n  input     Start", "\n  recorded  ", "\n  replayed  "]
    {
        assert!(told.out.contains(part), "{part:?} in {}", told.out);
    }
}

#[test]
fn a_recording_that_cannot_be_used_is_refused() {
    let bed = Bed::new("recorded-wrong");
    let refused = |arguments: &[&str], reason: &str| {
        let told = bed.seedbed(arguments.iter().copied());
        assert_eq!((told.code, told.out.as_str()), (2, ""), "{}", told.err);
        assert!(told.err.contains(reason), "{reason:?} in {}", told.err);
    };
    refused(&["replay", "nowhere", "--node", "0"], "error: cannot read nowhere");
    record(&bed.path("other"), "chess", "");
    refused(
        &["replay", "other", "--node", "0"],
        "recorded with the protocol chess; this program knows bully",
    );
    refused(&["replay", "other", "--node", "7"], "other has no recording of node 7, but of 0");
    refused(&["replay", "other", "--node", "0", "--seed", "1"], "cannot be used with");
    refused(&["replay", "other"], "--seed <S>");
    record(&bed.path("wrong"), "raft", "timeout_min = \"soon\"");
    refused(&["replay", "wrong", "--node", "0"], "its parameters are wrong");
    fs::write(bed.path("wrong").join("node-0.life-0.rec"), "seedrec1").unwrap();
    refused(&["replay", "wrong", "--node", "0"], "does not say what it is of");
}
