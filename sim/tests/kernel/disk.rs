//! Disks: what is promised survives, what is refused never leaves, and time passes as the model says.

use std::collections::BTreeSet;

use proptest::prelude::*;
use seedbed_core::contract::{CommandId, Context, Duration, Input, InputOf, NodeId, Time, View};
use seedbed_sim::fault::{Action, Schedule};
use seedbed_sim::law::Law;
use seedbed_sim::{DiskModel, Down, Loss, Setup, World};

use crate::puppet::{
    Log, MS, Message, Puppet, Seen, at, begin, constant, ms, plain, run, share, timed, uniform,
};
use crate::statistics::{four_sigma, pinned};

const ZERO: NodeId = NodeId(0);

/// A write takes 1 ms, a sync 10 ms on top.
fn slow() -> DiskModel {
    DiskModel { write: Some(constant(1)), sync: Some(constant(10)), ..DiskModel::default() }
}

fn on(disk: DiskModel) -> Setup {
    Setup { disk, ..plain(2) }
}

/// Node 0 keeps each command's number: it persists it, then says so to node 1 and to the client.
fn keeper(puppet: &mut Puppet, input: InputOf<Puppet>, cx: &mut Context<'_, Puppet>) {
    match input {
        Input::Start { log } => puppet.numbers = log,
        Input::Command { id, command } => {
            cx.persist(command);
            cx.send(NodeId(1), Message::new(command));
            cx.reply(id, command);
            cx.send_now(NodeId(1), Message::new(1_000_000 + command));
        }
        Input::Message { message, .. } => cx.notify(message.number),
        Input::Full { record } => cx.notify(2_000_000 + record),
        _ => {}
    }
}

fn ask(world: &mut World<Puppet>, ms: u64, number: u64) {
    world.command(at(ms), ZERO, CommandId(number), number);
}

/// The log that node 0 started its present life with.
fn kept(world: &World<Puppet>) -> Vec<u64> {
    world.state(ZERO).map(|puppet| puppet.numbers.clone()).unwrap_or_default()
}

#[test]
fn what_promises_waits_and_what_does_not_goes_at_once() {
    let (mut world, mut log) = begin(on(slow()), keeper);
    ask(&mut world, 5, 1);
    world.run_until(at(100), &mut log);
    assert_eq!(log.delivered(1), [(6 * MS, 1_000_001), (17 * MS, 1)]);
    assert_eq!(log.replies(), [(16 * MS, 1)]);
}

#[test]
fn one_sync_covers_all_that_waited_for_it() {
    let (mut world, mut log) = begin(on(slow()), keeper);
    // The first begins a sync at once; the other nine come while it runs and share the next.
    (0..10).for_each(|number| ask(&mut world, 5 + number, number));
    world.run_until(at(100), &mut log);
    assert_eq!(world.tally().syncs, 2);
    let times: Vec<u64> = log.replies().iter().map(|(at, _)| at / MS).collect();
    assert_eq!(times, [16, 27, 27, 27, 27, 27, 27, 27, 27, 27]);
    let order: Vec<u64> = log.replies().iter().map(|(_, id)| *id).collect();
    assert_eq!(order, (0..10).collect::<Vec<_>>());
}

#[test]
fn without_laws_a_disk_is_instant() {
    let (mut world, mut log) = begin(on(DiskModel::default()), keeper);
    ask(&mut world, 5, 1);
    world.run_until(at(100), &mut log);
    assert_eq!(log.replies(), [(5 * MS, 1)]);
    assert_eq!(log.delivered(1), [(6 * MS, 1), (6 * MS, 1_000_001)]);
}

#[test]
fn throughput_costs_time_for_every_byte() {
    // A record below 128 takes one byte and a frame of eight: 9 ms at 1,000 bytes a second.
    let (mut world, mut log) =
        begin(on(DiskModel { throughput: Some(1_000), ..DiskModel::default() }), keeper);
    ask(&mut world, 5, 1);
    world.run_until(at(100), &mut log);
    assert_eq!(log.replies(), [(14 * MS, 1)]);
}

#[derive(Clone, Copy, Debug)]
struct Fall {
    after_us: u64,
    down_us: u64,
    loss: Loss,
}

fn falls() -> impl Strategy<Value = Vec<Fall>> {
    let loss = prop_oneof![
        3 => Just(Loss::Unsynced),
        3 => Just(Loss::Torn),
        1 => Just(Loss::Nothing),
        1 => Just(Loss::Everything),
    ];
    let fall = (0..60_000_u64, 1..20_000_u64, loss).prop_map(|(after_us, down_us, loss)| Fall {
        after_us,
        down_us,
        loss,
    });
    prop::collection::vec(fall, 1..12)
}

proptest! {
    #![proptest_config(pinned(96))]

    /// Whatever the disk and whenever the node falls: it finds a prefix of what it wrote, which holds everything
    /// that it had promised to a client or to another node, unless the disk itself is gone.
    #[test]
    fn what_was_promised_is_found(
        falls in falls(),
        seed in 0..1_000_u64,
        write_us in 1..3_000_u64,
        sync_us in 1..15_000_u64,
        has_throughput in any::<bool>(),
        is_blocking in any::<bool>(),
        costs in any::<bool>(),
        stalls in prop::collection::vec((0..300_u64, 1..40_u64), 0..4),
        pauses in prop::collection::vec((0..300_u64, 1..40_u64), 0..4),
    ) {
        let disk = DiskModel {
            write: Some(Law::exponential(Duration::from_micros(write_us)).unwrap()),
            sync: Some(uniform(sync_us / 2, sync_us)),
            throughput: has_throughput.then_some(20_000),
            is_blocking,
            ..DiskModel::default()
        };
        let step_cost = costs.then(|| uniform(1, 500));
        let (mut world, mut log) = begin(Setup { seed, step_cost, ..on(disk) }, keeper);
        let stalls = stalls.iter().map(|&(from, lasts)| {
            timed(from, Action::DiskStall { node: ZERO, lasts: ms(lasts) })
        });
        let pauses = pauses.iter().flat_map(|&(from, lasts)| {
            let (pause, resume) = (Action::Pause { node: ZERO }, Action::Resume { node: ZERO });
            [timed(from, pause), timed(from + lasts, resume)]
        });
        world.set_faults(Schedule::concrete(stalls.chain(pauses).collect()));
        (0..1_000).for_each(|number| world.command(Time(number * 700_000), ZERO, CommandId(number), number));
        // What is in the log for certain: never takes a lost number back.
        let mut floor: Vec<u64> = Vec::new();
        for fall in falls {
            world.run_until(world.now() + Duration::from_micros(fall.after_us), &mut log);
            world.act(Action::Crash { node: ZERO, loss: fall.loss }, &mut log);
            world.run_until(world.now() + Duration::from_micros(fall.down_us), &mut log);
            let written: Vec<u64> = handled(&log);
            world.act(Action::Restart { node: ZERO }, &mut log);
            let found = kept(&world);
            if fall.loss == Loss::Everything {
                prop_assert!(found.is_empty());
                log = Log::default();
                floor.clear();
                continue;
            }
            prop_assert!(found.starts_with(&floor), "what was found once is there for ever");
            let fresh = &found[floor.len()..];
            let in_this_life: Vec<u64> =
                written.into_iter().filter(|number| floor.last().is_none_or(|last| number > last)).collect();
            prop_assert!(in_this_life.starts_with(fresh), "{:?} is no prefix of {:?}", fresh, in_this_life);
            for (_, promised) in log.replies().into_iter().chain(log.delivered(1)) {
                prop_assert!(promised >= 1_000_000 || found.contains(&promised), "{} is lost", promised);
            }
            if fall.loss == Loss::Nothing {
                prop_assert_eq!(fresh.len(), in_this_life.len());
            }
            floor = found;
            log = Log::default();
        }
    }
}

/// The commands whose records were written, whether or not they became durable.
fn handled(log: &Log) -> Vec<u64> {
    let sent_now = |seen: &Seen| match *seen {
        Seen::Sent { number, .. } if number >= 1_000_000 => Some(number - 1_000_000),
        _ => None,
    };
    log.pick(sent_now).into_iter().map(|(_, number)| number).collect()
}

#[test]
fn a_torn_tail_keeps_any_part_of_what_was_not_synced() {
    let mut left = [0; 9];
    for seed in 0..200 {
        let (mut world, mut log) = begin(Setup { seed, ..on(slow()) }, keeper);
        (0..8).for_each(|number| ask(&mut world, 5, number));
        world.run_until(at(10), &mut log);
        world.act(Action::Crash { node: ZERO, loss: Loss::Torn }, &mut log);
        world.act(Action::Restart { node: ZERO }, &mut log);
        let found = kept(&world);
        assert_eq!(found, (0..found.len() as u64).collect::<Vec<_>>());
        left[found.len()] += 1;
    }
    // 200 draws of nine: 22 each, plus or minus four standard deviations of 4.4.
    assert!(left.iter().all(|&count| (5..41).contains(&count)), "{left:?}");
}

#[test]
fn a_failed_sync_ends_the_life_and_keeps_no_promise() {
    let (mut world, mut log) = begin(on(slow()), keeper);
    ask(&mut world, 5, 1);
    ask(&mut world, 50, 2);
    world.run_until(at(30), &mut log);
    world.act(Action::DiskError { node: ZERO }, &mut log);
    world.run_until(at(100), &mut log);
    let downs = log.pick(|seen| if let Seen::Down { why, .. } = *seen { Some(why) } else { None });
    assert_eq!(downs, [(61 * MS, Down::SyncFailed)]);
    assert_eq!((log.replies(), world.tally().halts), (vec![(16 * MS, 1)], 1));
    world.act(Action::Restart { node: ZERO }, &mut log);
    assert_eq!(kept(&world), [1]);
}

#[test]
fn syncs_fail_as_often_as_was_said_until_all_is_healed() {
    let (p, rounds) = (0.2, 2_000);
    let setup = on(DiskModel { sync_error: share(p), ..DiskModel::default() });
    let (mut world, mut log) = begin(setup, keeper);
    for number in 0..rounds {
        ask(&mut world, 2 * number, number);
        world.run_until(at(2 * number + 1), &mut log);
        world.act(Action::Restart { node: ZERO }, &mut log);
    }
    let failed = world.tally().halts as f64 / rounds as f64;
    assert!((failed - p).abs() < four_sigma(p, rounds as f64), "{failed}");
    world.heal(&mut log);
    (0..500).for_each(|number| ask(&mut world, 5_000 + number, number));
    let halts = world.tally().halts;
    world.run_until(at(6_000), &mut log);
    assert_eq!(world.tally().halts, halts);
}

#[test]
fn a_stall_delays_and_healing_ends_it() {
    for heals in [false, true] {
        let (mut world, mut log) = begin(on(slow()), keeper);
        (1..=3).for_each(|number| ask(&mut world, 5 * number, number));
        world.run_until(at(8), &mut log);
        world.act(Action::DiskStall { node: ZERO, lasts: ms(100) }, &mut log);
        world.act(Action::DiskStall { node: ZERO, lasts: ms(20) }, &mut log);
        world.run_until(at(50), &mut log);
        assert_eq!(log.replies(), [], "the longer of two stalls counts");
        if heals {
            world.heal(&mut log);
        }
        world.run_until(at(200), &mut log);
        let end = if heals { 50 } else { 108 };
        assert_eq!(log.replies(), [(end * MS, 1), ((end + 11) * MS, 2), ((end + 11) * MS, 3)]);
    }
}

#[test]
fn a_stall_for_ever_ends_only_by_healing_even_for_a_sync_that_would_fail() {
    let (mut world, mut log) = begin(on(slow()), keeper);
    ask(&mut world, 5, 1);
    world.act(Action::DiskError { node: ZERO }, &mut log);
    world.act(Action::DiskStall { node: ZERO, lasts: Duration::MAX }, &mut log);
    world.run_until(at(100_000), &mut log);
    assert_eq!(log.replies(), []);
    world.heal(&mut log);
    world.run_until(at(100_100), &mut log);
    assert_eq!(log.replies(), [(100_000 * MS, 1)]);
    assert_eq!(world.tally().halts, 0);
}

#[test]
fn a_blocking_disk_takes_no_input_while_it_syncs() {
    let (mut world, mut log) = begin(on(DiskModel { is_blocking: true, ..slow() }), keeper);
    (1..=3).for_each(|number| ask(&mut world, 5 + number, number));
    world.run_until(at(100), &mut log);
    assert_eq!(log.replies(), [(17 * MS, 1), (28 * MS, 2), (39 * MS, 3)]);
}

#[test]
fn a_pause_over_a_blocking_sync_ends() {
    let (mut world, mut log) = begin(on(DiskModel { is_blocking: true, ..slow() }), keeper);
    (1..=2).for_each(|number| ask(&mut world, 5 + number, number));
    world.run_until(at(10), &mut log);
    world.act(Action::Pause { node: ZERO }, &mut log);
    world.run_until(at(50), &mut log);
    assert_eq!(log.replies(), [], "the disk is done, but the node does not know");
    world.act(Action::Resume { node: ZERO }, &mut log);
    world.run_until(at(100), &mut log);
    assert_eq!(log.replies(), [(50 * MS, 1), (61 * MS, 2)]);
    // What was synced during the pause is on the disk.
    world.act(Action::Crash { node: ZERO, loss: Loss::Unsynced }, &mut log);
    world.act(Action::Restart { node: ZERO }, &mut log);
    assert_eq!(kept(&world), [1, 2]);
}

#[test]
fn a_full_disk_is_heard_first_and_nothing_promised_leaves() {
    let faults = vec![
        timed(10, Action::DiskFull { node: ZERO, full: true }),
        timed(30, Action::DiskFull { node: ZERO, full: false }),
    ];
    // A node that answers from memory: it would confirm a number that it failed to keep, were it not told at once.
    let from_memory = |puppet: &mut Puppet, input: InputOf<Puppet>, cx: &mut Context<'_, Puppet>| match input
    {
        Input::Command { id, command } => {
            if !puppet.numbers.contains(&command) {
                puppet.numbers.push(command);
                cx.persist(command);
            }
            cx.reply(id, command);
            cx.send(NodeId(1), Message::new(command));
        }
        Input::Full { record } => {
            puppet.numbers.retain(|number| *number != record);
            cx.notify(record);
        }
        _ => {}
    };
    for disk in [DiskModel::default(), slow(), DiskModel { is_blocking: true, ..slow() }] {
        let (mut world, mut log) = begin(on(disk), from_memory);
        world.set_faults(Schedule::concrete(faults.clone()));
        // Both at the same moment: the second finds the first refused.
        (0..2).for_each(|id| world.command(at(20), ZERO, CommandId(id), 7));
        world.command(at(40), ZERO, CommandId(2), 7);
        world.run_until(at(100), &mut log);
        assert_eq!(log.notices(0), [(20 * MS, 7), (20 * MS, 7)]);
        let answered: Vec<u64> = log.replies().iter().map(|(_, id)| *id).collect();
        assert_eq!(answered, [2]);
        assert_eq!(log.delivered(1).len(), 1);
    }
}

#[test]
fn capacity_is_used_by_what_is_there_and_by_nothing_else() {
    // A small number takes 9 bytes: four fit.
    let disk = DiskModel { capacity: Some(40), ..slow() };
    let (mut world, mut log) = begin(on(disk), |puppet, input, cx| match input {
        Input::Start { log } => puppet.numbers = log,
        Input::Command { command: 99, .. } => cx.checkpoint(vec![9]),
        Input::Command { id, command } => {
            cx.persist(command);
            cx.reply(id, command);
        }
        Input::Full { record } => cx.notify(record),
        _ => {}
    });
    let mut round = |from: u64, crashes: bool| {
        (0..6).for_each(|number| ask(&mut world, from, number));
        world.run_until(at(from + 5), &mut log);
        if crashes {
            world.act(Action::Crash { node: ZERO, loss: Loss::Unsynced }, &mut log);
            world.act(Action::Restart { node: ZERO }, &mut log);
        }
        world.run_until(at(from + 50), &mut log);
        let refused = log.notices(0).len();
        log = Log::default();
        refused
    };
    // Whatever is lost in a crash makes room again, however often.
    for again in 0..5 {
        assert_eq!(round(100 * again, true), 2, "round {again}");
    }
    assert_eq!(round(1_000, false), 2);
    assert_eq!(round(1_100, false), 6, "it is full");
    world.command(at(1_200), ZERO, CommandId(0), 99);
    world.run_until(at(1_250), &mut log);
    (0..6).for_each(|number| ask(&mut world, 1_300, number));
    world.run_until(at(1_400), &mut log);
    assert_eq!(log.notices(0).len(), 3, "the checkpoint left one record");
}

#[test]
fn a_checkpoint_is_there_or_not() {
    let mut seen = BTreeSet::new();
    for crash_us in (24_000..50_000).step_by(500) {
        let (mut world, mut log) = begin(on(slow()), |puppet, input, cx| match input {
            Input::Start { log } => puppet.numbers = log,
            Input::Command { command: 9, id } => {
                cx.checkpoint(vec![100, 101]);
                cx.persist(102);
                cx.reply(id, 9);
            }
            Input::Command { command, .. } => cx.persist(command),
            _ => {}
        });
        (1..=3).for_each(|number| ask(&mut world, 1, number));
        ask(&mut world, 25, 9);
        world.run_until(Time(crash_us * 1_000), &mut log);
        let loss = if crash_us % 1_000 == 0 { Loss::Torn } else { Loss::Unsynced };
        world.act(Action::Crash { node: ZERO, loss }, &mut log);
        world.act(Action::Restart { node: ZERO }, &mut log);
        let found = kept(&world);
        if !log.replies().is_empty() {
            assert_eq!(found, [100, 101, 102]);
        }
        seen.insert(found);
    }
    let all: Vec<Vec<u64>> = seen.into_iter().collect();
    // With the tail torn, the record after the checkpoint may be missing, never half of the checkpoint.
    assert!(
        all.iter().all(|log| [&[1, 2, 3][..], &[100, 101], &[100, 101, 102]].contains(&&log[..])),
        "{all:?}"
    );
    assert_eq!(all.len(), 3);
}

#[test]
fn a_rotten_log_halts_the_node_at_its_next_start() {
    let faults = vec![
        timed(50, Action::DiskRot { node: ZERO }),
        timed(60, Action::Crash { node: ZERO, loss: Loss::Nothing }),
        timed(70, Action::Restart { node: ZERO }),
    ];
    let (mut world, mut log) = begin(on(slow()), keeper);
    world.set_faults(Schedule::concrete(faults));
    ask(&mut world, 5, 1);
    ask(&mut world, 55, 2);
    ask(&mut world, 80, 3);
    world.run_until(at(100), &mut log);
    let downs = log.pick(|seen| if let Seen::Down { why, .. } = *seen { Some(why) } else { None });
    assert_eq!(downs, [(60 * MS, Down::Crash), (70 * MS, Down::LogDamaged)]);
    assert_eq!(log.pick(|seen| matches!(seen, Seen::Refused { .. }).then_some(())).len(), 1);
    world.heal(&mut log);
    assert_eq!(kept(&world), [1, 2]);
}

#[test]
fn an_empty_log_cannot_rot() {
    let faults = vec![
        timed(5, Action::DiskRot { node: ZERO }),
        timed(6, Action::Crash { node: ZERO, loss: Loss::Nothing }),
        timed(7, Action::Restart { node: ZERO }),
    ];
    let (world, _) = run(plain(1), faults, at(10), keeper);
    assert_eq!((world.tally().halts, world.tally().crashes), (0, 1));
}
