//! `seedbed node` as a service meets it: what it is given, how it stops, and what it says of damage.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::bed::{Bed, within};

/// A cluster of one that has run and is down: its files, for one test each.
fn rested(name: &str) -> Bed {
    let bed = Bed::up(name, &["--set", "nodes=1"]);
    bed.leader(&[0], |_, _| true);
    let down = bed.seedbed(["down", "--dir", "five"]);
    assert_eq!(down.code, Some(0), "{down:?}");
    bed
}

#[test]
fn a_node_stops_when_it_is_asked() {
    let mut bed = rested("stops");
    let node = bed.spawn(["node", "five/n0/NODE.toml", "--record", "tape"], "log");
    within("a leader", || bed.status(0).filter(|status| status["role"] == "leader"));
    bed.child(node).ask_to_stop();
    assert_eq!(bed.end(node), Some(0), "{}", bed.read("log"));
    let log = bed.read("log");
    assert!(log.contains("n0 of five runs raft, epoch 1, life 1") && log.ends_with("stopped\n"), "{log}");
    let again = bed.seedbed(["replay", "tape", "--node", "0"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.out.contains("life 1: effects identical"), "{again:?}");
}

#[test]
fn a_node_runs_once() {
    let mut bed = rested("once");
    bed.spawn(["node", "five/n0/NODE.toml"], "log");
    within("a leader", || bed.status(0).filter(|status| status["role"] == "leader"));
    let second = bed.seedbed(["node", "five/n0/NODE.toml"]);
    assert_eq!(second.code, Some(2), "{second:?}");
    assert!(second.err.contains("in use by another process"), "{second:?}");
}

#[test]
fn a_damaged_store_is_named_and_never_starts_empty() {
    let bed = rested("damage");
    let segment = bed.path("five/n0/data/store/log/000000000001.log");
    let mut bytes = fs::read(&segment).expect("a segment of the log");
    bytes[..64].fill(0x5a);
    fs::write(&segment, bytes).expect("a segment of the log");
    let told = bed.seedbed(["node", "five/n0/NODE.toml"]);
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(told.err.contains("is damaged") && told.err.contains("000000000001.log"), "{told:?}");
    assert!(told.err.contains("join as a new node"), "{told:?}");
    let up = bed.seedbed(["up", "five.toml", "--dir", "five", "--detach", "--set", "nodes=1"]);
    assert_eq!(up.code, Some(2), "{up:?}");
    assert!(up.err.contains("n0 ended with code 2") && up.err.contains("is damaged"), "{up:?}");
    fs::remove_dir_all(bed.path("five/n0/data/store")).expect("the store");
    let told = bed.seedbed(["node", "five/n0/NODE.toml"]);
    assert_eq!(told.code, Some(2), "a store that is gone is no first start: {told:?}");
}

#[test]
fn a_key_that_others_can_read_or_that_is_anothers_is_refused() {
    let bed = rested("keys");
    let key = bed.path("five/n0/key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("permissions");
    let told = bed.seedbed(["node", "five/n0/NODE.toml"]);
    assert_eq!((told.code, told.err.contains("chmod 600")), (Some(2), true), "{told:?}");
    fs::remove_file(&key).expect("the key");
    seedbed_transport::identity::SecretKey::generate().unwrap().save(&key).unwrap();
    let told = bed.seedbed(["node", "five/n0/NODE.toml"]);
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(
        told.err.contains("the key in key is none of node 0") && told.err.contains("NODE.toml:"),
        "{told:?}"
    );
}

#[test]
fn a_wrong_file_is_shown_where_it_is_wrong() {
    let bed = rested("files");
    let right = bed.read("five/n0/NODE.toml");
    for (from, to, told) in [
        ("epoch = 1", "epohc = 1", "did you mean `epoch`?"),
        ("listen = \"127.0.0.1:", "listen = \"127.0.0.1;", "an address such as"),
        ("[params]", "[[params]]", "wrong type"),
    ] {
        bed.write("five/n0/NODE.toml", &right.replacen(from, to, 1));
        let wrong = bed.seedbed(["node", "five/n0/NODE.toml"]);
        assert_eq!(wrong.code, Some(2), "{wrong:?}");
        assert!(wrong.err.contains("NODE.toml:") && wrong.err.contains(told), "{wrong:?}");
    }
}
