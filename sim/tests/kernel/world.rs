//! Nodes: starts, crashes, pauses, steps that take time, inboxes, hints; and what is freed when.

use std::sync::Arc;

use seedbed_core::contract::{
    Blob, BlobId, CommandId, Context, Duration, Input, InputOf, NodeId, Time, View,
};
use seedbed_sim::fault::{Action, Schedule};
use seedbed_sim::network::{Disturbance, Link};
use seedbed_sim::{DiskModel, Drop, Loss, Setup, World};

use crate::puppet::{
    Log, MS, Message, Puppet, Seen, at, begin, constant, joined, ms, plain, run, timed, uniform,
};
use crate::statistics::{KOLMOGOROV, kolmogorov_smirnov};

const ZERO: NodeId = NodeId(0);
const ONE: NodeId = NodeId(1);

fn crash(node: NodeId) -> Action {
    Action::Crash { node, loss: Loss::Unsynced }
}

/// Node 0 sends the number of each command to node 1 and answers; node 1 notifies.
fn relay(puppet: &mut Puppet, input: InputOf<Puppet>, cx: &mut Context<'_, Puppet>) {
    match input {
        Input::Command { id, .. } => {
            cx.send(ONE, Message::new(id.0));
            cx.notify(id.0);
            cx.reply(id, 0);
            cx.set(id.0 as u32, ms(1));
        }
        Input::Message { message, .. } => {
            puppet.numbers.push(message.number);
            cx.notify(message.number);
        }
        _ => {}
    }
}

fn ask(world: &mut World<Puppet>, ms: u64, number: u64) {
    world.command(at(ms), ZERO, CommandId(number), number);
}

#[test]
fn what_a_step_does_happens_when_it_is_over() {
    let setup = Setup { step_cost: Some(constant(10)), ..plain(2) };
    let (mut world, mut log) = begin(setup, relay);
    // Both start until 10 ms. Then one command after another; the second waits for the first.
    ask(&mut world, 20, 1);
    ask(&mut world, 22, 2);
    world.run_until(at(100), &mut log);
    assert_eq!(log.notices(0), [(30 * MS, 1), (40 * MS, 2)]);
    assert_eq!(log.replies(), [(30 * MS, 1), (40 * MS, 2)]);
    assert_eq!(log.delivered(1), [(31 * MS, 1), (41 * MS, 2)]);
    // The timer of the first is due at 31 ms, while the second is computed.
    let timers = log.pick(|seen| matches!(seen, Seen::Timer { .. }).then_some(()));
    assert_eq!(timers.iter().map(|(at, ())| at / MS).collect::<Vec<_>>(), [40, 50]);
}

#[test]
fn a_crash_in_the_middle_of_a_step_undoes_it() {
    let disk = DiskModel { write: Some(constant(2)), ..DiskModel::default() };
    let setup = Setup { step_cost: Some(constant(10)), disk, ..plain(2) };
    let keep = |puppet: &mut Puppet, input: InputOf<Puppet>, cx: &mut Context<'_, Puppet>| match input {
        Input::Start { log } => puppet.numbers = log,
        Input::Command { id, .. } => {
            cx.persist(id.0);
            cx.send(ONE, Message::new(id.0));
            cx.send_now(ONE, Message::new(100 + id.0));
        }
        _ => {}
    };
    for (crashes_at, sent, kept) in [(29, 0, false), (31, 1, false), (33, 2, true)] {
        let (mut world, mut log) = begin(setup.clone(), keep);
        ask(&mut world, 20, 1);
        world.run_until(at(crashes_at), &mut log);
        world.act(crash(ZERO), &mut log);
        world.act(Action::Restart { node: ZERO }, &mut log);
        assert_eq!(!world.state(ZERO).unwrap().numbers.is_empty(), kept);
        world.run_until(at(100), &mut log);
        assert_eq!(log.delivered(1).len(), sent, "crash at {crashes_at} ms");
    }
}

#[test]
fn a_step_that_is_paused_is_over_when_the_node_goes_on() {
    let (mut world, mut log) = begin(Setup { step_cost: Some(constant(10)), ..plain(2) }, relay);
    (1..=2).for_each(|number| ask(&mut world, 20, number));
    world.run_until(at(25), &mut log);
    world.act(Action::Pause { node: ZERO }, &mut log);
    world.run_until(at(60), &mut log);
    assert_eq!(log.notices(0), []);
    world.act(Action::Resume { node: ZERO }, &mut log);
    world.run_until(at(100), &mut log);
    assert_eq!(log.notices(0), [(60 * MS, 1), (70 * MS, 2)]);
}

#[test]
fn a_paused_node_takes_everything_later_and_in_order() {
    let (mut world, mut log) = begin(plain(2), |_, input, cx| match input {
        Input::Start { .. } => {
            cx.set(0, ms(12));
            cx.set(1, ms(14));
            cx.set(2, ms(40));
        }
        Input::Timer { timer } => cx.notify(1_000 + u64::from(timer)),
        // What comes before a timer that is due can still cancel it, or set it anew.
        Input::Command { command: 13, .. } => {
            cx.cancel(1);
            cx.set(2, ms(1));
            cx.notify(13);
        }
        Input::Command { command, .. } => cx.notify(command),
        _ => {}
    });
    world.act(Action::Pause { node: ZERO }, &mut log);
    [11, 13, 15].into_iter().for_each(|number| ask(&mut world, number, number));
    ask(&mut world, 60, 60);
    world.run_until(at(50), &mut log);
    assert_eq!(log.notices(0), []);
    world.act(Action::Resume { node: ZERO }, &mut log);
    world.run_until(at(100), &mut log);
    let expected = [(50, 11), (50, 1_000), (50, 13), (50, 15), (51, 1_002), (60, 60)];
    assert_eq!(log.notices(0), expected.map(|(at, notice)| (at * MS, notice)));
}

#[test]
fn an_inbox_is_bounded_for_others_and_keeps_the_nodes_own() {
    const FLOOD: u64 = 70_000;
    const ROOM: u64 = 1 << 16;
    let (mut world, mut log) = begin(plain(2), |puppet, input, cx| match input {
        Input::Start { .. } if puppet.me == ZERO => {
            (0..FLOOD).for_each(|number| cx.send(ONE, Message::new(number)));
        }
        Input::Start { .. } => cx.set(0, ms(5)),
        Input::Timer { .. } => cx.notify(77),
        _ => puppet.numbers.push(0),
    });
    world.act(Action::Pause { node: ONE }, &mut log);
    world.command(at(4), ONE, CommandId(9), 0);
    world.run_until(at(10), &mut log);
    assert_eq!(world.traffic().unheard, FLOOD - ROOM);
    let refused = log.pick(|seen| if let Seen::Refused { id, .. } = *seen { Some(id) } else { None });
    assert_eq!(refused, [(4 * MS, 9)]);
    world.act(Action::Resume { node: ONE }, &mut log);
    assert_eq!(world.state(ONE).unwrap().numbers.len() as u64, ROOM);
    assert_eq!(log.notices(1), [(10 * MS, 77)], "its timer found room");
}

#[test]
fn what_waits_at_a_node_that_falls_is_counted() {
    let (mut world, mut log) = begin(plain(2), relay);
    world.act(Action::Pause { node: ONE }, &mut log);
    (0..5).for_each(|number| ask(&mut world, 1, number));
    world.command(at(3), ONE, CommandId(50), 0);
    world.run_until(at(10), &mut log);
    world.act(crash(ONE), &mut log);
    assert_eq!(world.traffic().unheard, 5);
    assert_eq!(log.drops(), vec![(10 * MS, Drop::Down); 5]);
    assert_eq!(log.pick(|seen| matches!(seen, Seen::Refused { .. }).then_some(())).len(), 1);
    // A pause does not outlive the life that was paused.
    world.act(Action::Restart { node: ONE }, &mut log);
    ask(&mut world, 20, 6);
    world.run_until(at(30), &mut log);
    assert_eq!(log.notices(1), [(21 * MS, 6)]);
}

#[test]
fn timers_and_waits_of_one_life_mean_nothing_to_the_next() {
    let disk = DiskModel { sync: Some(constant(20)), ..DiskModel::default() };
    let (mut world, mut log) = begin(Setup { disk, ..plain(1) }, |_, input, cx| match input {
        Input::Start { .. } => {
            cx.set(0, ms(30));
            cx.notify(cx.now.0 % 2);
        }
        Input::Command { id, .. } => {
            cx.persist(1);
            cx.reply(id, 1);
            cx.run(25 * MS);
            cx.store(Blob::synthetic(BlobId([1; 32]), 1));
        }
        Input::Timer { .. } => cx.notify(5),
        Input::Ran { .. } => cx.notify(6),
        Input::Blob(_) => cx.notify(7),
        _ => {}
    });
    ask(&mut world, 5, 1);
    world.run_until(at(10), &mut log);
    world.act(crash(ZERO), &mut log);
    world.run_until(at(20), &mut log);
    world.act(Action::Restart { node: ZERO }, &mut log);
    world.run_until(at(100), &mut log);
    let late: Vec<_> = log.notices(0).into_iter().filter(|(_, notice)| *notice > 1).collect();
    assert_eq!(late, [(50 * MS, 5)]);
    assert_eq!(log.replies(), []);
}

#[test]
fn nodes_start_late_by_their_law_and_only_once() {
    let setup = Setup { start: Some(uniform(0, 1_000_000)), ..plain(2_000) };
    let (mut world, mut log) = begin(setup, |_, _, _| {});
    // One is started by hand, and stopped again before its time comes.
    world.act(Action::Restart { node: ZERO }, &mut log);
    world.act(crash(ZERO), &mut log);
    world.run_until(at(1_001), &mut log);
    let mut ups: Vec<u64> = log
        .pick(|seen| matches!(seen, Seen::Up { node, .. } if *node != ZERO).then_some(()))
        .iter()
        .map(|(at, ())| *at)
        .collect();
    ups.sort_unstable();
    assert_eq!(ups.len(), 1_999);
    let statistic = kolmogorov_smirnov(&ups, |nanos| nanos / 1e9);
    assert!(statistic < KOLMOGOROV, "{statistic}");
    assert!(!world.is_up(ZERO));
}

#[test]
fn hints_tell_all_others_after_a_while() {
    let setup = Setup { hints: Some(ms(5)), ..plain(3) };
    let faults = vec![timed(10, crash(ONE)), timed(20, Action::Restart { node: ONE })];
    let (_, log) = run(setup, faults, at(50), |_, input, cx| {
        if let Input::Link { peer, up } = input {
            cx.notify(10 * u64::from(peer.0) + u64::from(up));
        }
    });
    let found: Vec<_> = log.notices(0).into_iter().filter(|(at, _)| *at > 5 * MS).collect();
    assert_eq!(found, [(15 * MS, 10), (25 * MS, 11)]);
    assert_eq!(log.notices(0).len(), 4, "and of the beginnings of both others");
    assert_eq!(log.notices(1), [(5 * MS, 1), (5 * MS, 21)], "nobody is told of itself, or told when down");
}

#[test]
fn jobs_take_their_time_one_after_another() {
    let (mut world, mut log) = begin(plain(1), |_, input, cx| match input {
        Input::Command { .. } => [4, 2].into_iter().for_each(|job| cx.run(job * MS)),
        Input::Ran { job, outcome } => {
            assert_eq!(job, outcome);
            cx.notify(outcome / MS);
        }
        _ => {}
    });
    ask(&mut world, 1, 0);
    ask(&mut world, 3, 0);
    world.run_until(at(100), &mut log);
    assert_eq!(log.notices(0), [(5 * MS, 4), (7 * MS, 2), (11 * MS, 4), (13 * MS, 2)]);
}

#[test]
fn healing_brings_everyone_back() {
    let (mut world, mut log) = begin(plain(4), relay);
    let all: Vec<NodeId> = (0..4).map(NodeId).collect();
    world.act(crash(NodeId(2)), &mut log);
    world.act(Action::Pause { node: NodeId(3) }, &mut log);
    world.act(Action::Disturb { number: 1, from: all.clone(), to: all, how: Disturbance::Cut }, &mut log);
    world.set_faults(Schedule::concrete(vec![timed(50, crash(ZERO))]));
    world.run_until(at(10), &mut log);
    world.heal(&mut log);
    ask(&mut world, 60, 1);
    world.run_until(at(100), &mut log);
    assert!((0..4).all(|node| world.is_up(NodeId(node))));
    assert_eq!(log.notices(1), [(61 * MS, 1)]);
}

#[test]
fn the_end_of_time_is_not_reached() {
    let (mut world, mut log) = begin(plain(2), relay);
    ask(&mut world, 5, 1);
    world.run_until(Time::MAX, &mut log);
    assert_eq!(world.now(), at(6), "it stands where the last event was");
    assert!(world.clock(ZERO) > Time::ZERO);
}

/// Every node sends its freight around, keeps some and lets some wait, then falls.
#[test]
fn what_nodes_and_messages_hold_is_freed() {
    let freight: Arc<str> = "freight".into();
    let held = freight.clone();
    let act = move |puppet: &mut Puppet, input: InputOf<Puppet>, cx: &mut Context<'_, Puppet>| {
        let message = |number| Message { freight: Some(held.clone()), ..Message::new(number) };
        match input {
            Input::Start { .. } => {
                (0..50).for_each(|number| cx.send(NodeId(1 - puppet.me.0), message(number)));
                cx.persist(1);
                (0..50).for_each(|number| cx.send(NodeId(1 - puppet.me.0), message(number)));
            }
            Input::Message { message, .. } => puppet.freight.extend(message.freight),
            _ => {}
        }
    };
    let count = || Arc::strong_count(&freight);
    let disk = DiskModel { sync: Some(constant(1_000)), ..DiskModel::default() };
    let setup = Setup { disk, ..joined(2, 1, Link::new(uniform(1_000, 100_000))) };
    let (mut world, mut log) = begin(setup, act);
    // Ours and the one of the strings; under way and waiting for the disk.
    assert_eq!(count(), 2 + 200);
    let clone = world.clone();
    assert_eq!(count(), 2 + 400);
    drop(clone);
    assert_eq!(count(), 2 + 200);
    world.run_until(at(50), &mut log);
    assert_eq!(count(), 2 + 200, "some are kept by nodes now");
    world.act(Action::Pause { node: ONE }, &mut log);
    world.run_until(at(80), &mut log);
    world.act(crash(ONE), &mut log);
    let under_way = 2 + 100 + 50 - log.delivered(1).len() - log.drops().len();
    assert!(!log.drops().is_empty() && under_way > 2);
    assert_eq!(count(), under_way, "the memory of the fallen, its inbox and its promises are gone");
    world.act(crash(ZERO), &mut log);
    world.run_until(at(2_000), &mut log);
    assert_eq!(count(), 2, "nothing is under way and nobody is up");
    world.act(Action::Restart { node: ZERO }, &mut log);
    assert_eq!(count(), 2 + 100);
    drop(world);
    assert_eq!(count(), 1);
}

#[test]
fn an_idle_node_is_small() {
    assert!(World::<Puppet>::node_size() <= 256, "{}", World::<Puppet>::node_size());
}

#[test]
fn a_thousand_lives_go_by() {
    let (mut world, mut log) = begin(plain(1), |_, input, cx| {
        if matches!(input, Input::Start { .. }) {
            cx.set(0, Duration::from_secs(1));
        }
    });
    // A life is numbered in 16 bits: after that many it is over for good.
    for _ in 0..66_000 {
        world.act(crash(ZERO), &mut log);
        world.act(Action::Restart { node: ZERO }, &mut ());
        log = Log::default();
    }
    world.run_until(at(5_000), &mut log);
    assert!(!world.is_up(ZERO));
    assert_eq!(world.tally().crashes, 65_536);
}
