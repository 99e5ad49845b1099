//! Blobs: stored, loaded, dropped, refused, rotten; in the order of the effects.

use seedbed_core::contract::{Blob, BlobId, BlobInput, CommandId, Context, Duration, Input, InputOf, NodeId};
use seedbed_sim::fault::Action;
use seedbed_sim::{DiskModel, Loss, Setup, World};

use crate::puppet::{Log, MS, Puppet, at, begin, constant, ms, plain};

const ZERO: NodeId = NodeId(0);
const STORE: u64 = 100;
const LOAD: u64 = 200;
const DROP: u64 = 300;

const STORED: u64 = 1_000;
const LOADED: u64 = 2_000;
const MISSING: u64 = 3_000;
const DAMAGED: u64 = 4_000;
const REFUSED: u64 = 5_000;

fn blob(name: u64) -> Blob {
    Blob::synthetic(BlobId([name as u8; 32]), 10)
}

/// A command's hundreds say what to do, the rest with which blob; several in one command are done in one step, the last
/// digits first. News become notices.
fn store(_: &mut Puppet, input: InputOf<Puppet>, cx: &mut Context<'_, Puppet>) {
    match input {
        Input::Command { mut command, .. } => {
            while command > 0 {
                let name = command % 100;
                match command % 1_000 - name {
                    STORE => cx.store(blob(name)),
                    LOAD => cx.load(blob(name).id()),
                    _ => cx.drop_blob(blob(name).id()),
                }
                command /= 1_000;
            }
        }
        Input::Blob(news) => cx.notify(match news {
            BlobInput::Stored { id, .. } => STORED + u64::from(id.0[0]),
            BlobInput::Loaded { blob, .. } => LOADED + u64::from(blob.id().0[0]),
            BlobInput::Missing { id, .. } => MISSING + u64::from(id.0[0]),
            BlobInput::Damaged { id, .. } => DAMAGED + u64::from(id.0[0]),
            BlobInput::Refused { id, .. } => REFUSED + u64::from(id.0[0]),
        }),
        _ => {}
    }
}

fn world(capacity: Option<u64>) -> (World<Puppet>, Log) {
    let disk =
        DiskModel { write: Some(constant(1)), sync: Some(constant(10)), capacity, ..DiskModel::default() };
    begin(Setup { disk, ..plain(1) }, store)
}

/// Commands at times in milliseconds; gives the notices with theirs.
fn told(world: &mut World<Puppet>, log: &mut Log, commands: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let before = log.notices(0).len();
    for &(ms, command) in commands {
        world.command(at(ms), ZERO, CommandId(0), command);
    }
    world.run_until(world.now().max(at(commands[commands.len() - 1].0)) + ms(200), log);
    log.notices(0)[before..].iter().map(|(at, notice)| (at / MS, *notice)).collect()
}

#[test]
fn blobs_take_their_time_and_their_turn() {
    let (mut world, mut log) = world(None);
    // A store takes write and sync, a load a write's time; the device does one after another.
    let found = told(&mut world, &mut log, &[(5, STORE + 1), (5, LOAD + 1), (5, LOAD + 2), (100, LOAD + 1)]);
    assert_eq!(found, [(16, STORED + 1), (17, LOADED + 1), (18, MISSING + 2), (101, LOADED + 1)]);
}

#[test]
fn effects_on_a_blob_keep_their_order() {
    let (mut world, mut log) = world(None);
    // One step: store, load, drop, load. The drop takes the blob although it is still being written.
    let command = (((LOAD + 1) * 1_000 + DROP + 1) * 1_000 + LOAD + 1) * 1_000 + STORE + 1;
    let found = told(&mut world, &mut log, &[(5, command), (100, LOAD + 1)]);
    assert_eq!(found, [(16, STORED + 1), (17, LOADED + 1), (18, MISSING + 1), (101, MISSING + 1)]);
}

#[test]
fn a_blob_survives_a_crash_once_it_is_stored() {
    for (crash, loss, survives) in [
        (10, Loss::Unsynced, false),
        (10, Loss::Nothing, true),
        (15, Loss::Torn, false),
        (17, Loss::Unsynced, true),
        (17, Loss::Everything, false),
    ] {
        let (mut world, mut log) = world(None);
        world.command(at(5), ZERO, CommandId(0), STORE + 1);
        world.run_until(at(crash), &mut log);
        world.act(Action::Crash { node: ZERO, loss }, &mut log);
        world.act(Action::Restart { node: ZERO }, &mut log);
        let found = told(&mut world, &mut log, &[(50, LOAD + 1)]);
        let expected = if survives { LOADED } else { MISSING } + 1;
        assert_eq!(found.last(), Some(&(51, expected)), "{loss:?} at {crash} ms");
    }
}

#[test]
fn capacity_counts_what_is_being_written_and_forgets_what_is_lost() {
    let (mut world, mut log) = world(Some(35));
    let all = [(5, STORE + 1), (5, STORE + 2), (5, STORE + 3), (5, STORE + 4), (6, STORE + 1)];
    let found = told(&mut world, &mut log, &all);
    let expected = [(5, REFUSED + 4), (16, STORED + 1), (27, STORED + 2), (38, STORED + 3), (49, STORED + 1)];
    assert_eq!(found, expected, "a blob that is there takes no room twice");
    let found = told(&mut world, &mut log, &[(300, (STORE + 4) * 1_000 + DROP + 2), (400, STORE + 5)]);
    assert_eq!(found, [(311, STORED + 4), (400, REFUSED + 5)], "a drop makes room at once");
    for round in 0..5 {
        world.command(world.now(), ZERO, CommandId(0), (STORE + 6) * 1_000 + DROP + 4);
        world.run_until(world.now() + ms(1), &mut log);
        world.act(Action::Crash { node: ZERO, loss: Loss::Unsynced }, &mut log);
        world.act(Action::Restart { node: ZERO }, &mut log);
        assert!(log.notices(0).iter().all(|(_, notice)| *notice != REFUSED + 6), "round {round}");
    }
}

#[test]
fn a_full_disk_refuses_blobs() {
    let (mut world, mut log) = world(None);
    world.act(Action::DiskFull { node: ZERO, full: true }, &mut log);
    assert_eq!(told(&mut world, &mut log, &[(5, STORE + 1)]), [(5, REFUSED + 1)]);
}

#[test]
fn a_rotten_blob_is_seen_and_can_be_stored_anew() {
    let (mut world, mut log) = world(None);
    assert_eq!(told(&mut world, &mut log, &[(5, STORE + 1)]), [(16, STORED + 1)]);
    world.act(Action::DiskRot { node: ZERO }, &mut log);
    let found = told(&mut world, &mut log, &[(300, LOAD + 1), (310, STORE + 1), (350, LOAD + 1)]);
    assert_eq!(found, [(301, DAMAGED + 1), (321, STORED + 1), (351, LOADED + 1)]);
}

#[test]
fn a_stall_holds_blobs_back_and_healing_lets_them_go() {
    for heals in [false, true] {
        let (mut world, mut log) = world(None);
        world.command(at(5), ZERO, CommandId(0), STORE + 1);
        world.command(at(8), ZERO, CommandId(0), LOAD + 2);
        world.run_until(at(7), &mut log);
        let lasts = if heals { Duration::MAX } else { ms(100) };
        world.act(Action::DiskStall { node: ZERO, lasts }, &mut log);
        world.run_until(at(60), &mut log);
        assert_eq!(log.notices(0), []);
        if heals {
            world.heal(&mut log);
        }
        world.run_until(at(200), &mut log);
        let end = if heals { 60 } else { 107 } * MS;
        assert_eq!(log.notices(0), [(end, STORED + 1), (end, MISSING + 2)]);
    }
}

#[test]
fn what_ends_with_a_stall_comes_after_what_it_held_back() {
    let (mut world, mut log) = world(None);
    // The store is done at 16 ms, the load at 17 ms, when the stall ends, too.
    world.command(at(5), ZERO, CommandId(0), (LOAD + 2) * 1_000 + STORE + 1);
    world.run_until(at(7), &mut log);
    world.act(Action::DiskStall { node: ZERO, lasts: ms(10) }, &mut log);
    world.run_until(at(200), &mut log);
    assert_eq!(log.notices(0), [(17 * MS, STORED + 1), (17 * MS, MISSING + 2)]);
}

#[test]
fn news_of_blobs_waits_for_a_paused_node() {
    let (mut world, mut log) = world(None);
    world.command(at(5), ZERO, CommandId(0), STORE + 1);
    world.run_until(at(7), &mut log);
    world.act(Action::Pause { node: ZERO }, &mut log);
    world.run_until(at(50), &mut log);
    assert_eq!(log.notices(0), []);
    world.act(Action::Resume { node: ZERO }, &mut log);
    assert_eq!(log.notices(0), [(50 * MS, STORED + 1)]);
}
