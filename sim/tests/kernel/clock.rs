//! Clocks: arbitrary origins, rates of their own, wall clocks that jump; and timers that follow them.

use proptest::prelude::*;
use seedbed_core::contract::{CommandId, Duration, Input, NodeId, Time};
use seedbed_sim::clock::{Clocks, WALL_START};
use seedbed_sim::fault::{Action, Schedule};
use seedbed_sim::{Loss, Setup};

use crate::puppet::{MS, at, begin, constant, plain, run, timed};
use crate::statistics::pinned;

const ZERO: NodeId = NodeId(0);
const SECOND: u64 = 1_000 * MS;

fn drift(ppb: i64) -> Action {
    Action::ClockDrift { node: ZERO, ppb }
}

#[test]
fn every_life_has_an_origin_of_its_own() {
    let faults = (1..20).flat_map(|life| {
        let crash = Action::Crash { node: ZERO, loss: Loss::Nothing };
        [timed(10 * life, crash), timed(10 * life, Action::Restart { node: ZERO })]
    });
    let (_, log) = run(plain(3), faults.collect(), at(500), |_, input, cx| {
        if matches!(input, Input::Start { .. }) {
            cx.notify(cx.now.0);
        }
    });
    let mut origins: Vec<u64> = (0..3).flat_map(|node| log.notices(node)).map(|(at, now)| now - at).collect();
    let count = origins.len();
    origins.sort_unstable();
    origins.dedup();
    assert_eq!((count, origins.len()), (22, 22));
    // Drawn from 13 days: not all in the first or the last.
    assert!(origins[0] < 1 << 48 && origins[21] > 3 << 48, "{origins:?}");
}

#[test]
fn timers_run_at_their_nodes_rate() {
    for (ppb, expected) in [
        (0, 60 * SECOND),
        (100_000_000, 54_545_454_546),
        (-100_000_000, 66_666_666_667),
        // Beyond 10 % nothing is believed.
        (900_000_000, 54_545_454_546),
    ] {
        let (mut world, mut log) = begin(plain(1), |_, input, cx| match input {
            Input::Command { .. } => {
                cx.notify(cx.now.0);
                cx.set(0, Duration::from_secs(60));
            }
            Input::Timer { .. } => cx.notify(cx.now.0),
            _ => {}
        });
        world.act(drift(ppb), &mut log);
        world.command(Time::ZERO, ZERO, CommandId(0), 0);
        world.run_until(at(100_000), &mut log);
        let [(begun, began), (ended, over)] = log.notices(0)[..] else { panic!("{log:?}") };
        assert_eq!(ended - begun, expected);
        assert!(
            (60 * SECOND..=60 * SECOND + 1).contains(&(over - began)),
            "by its own clock: {}",
            over - began
        );
    }
}

proptest! {
    #![proptest_config(pinned(128))]

    /// However the rate changes meanwhile: by its own clock a timer never runs out early, and at most a few
    /// nanoseconds late, the whole numbers lost at each change.
    #[test]
    fn a_timer_follows_every_change_of_rate(
        changes in prop::collection::vec((0..20_000_u64, -100_000_000..=100_000_000_i64), 0..8),
        span in 1..15 * SECOND,
        set_at in 0..5_000_u64,
    ) {
        let late = changes.len() as u64 + 1;
        let (mut world, mut log) = begin(plain(1), move |_, input, cx| match input {
            Input::Command { command, .. } => {
                cx.notify(cx.now.0);
                cx.set(0, Duration::from_nanos(command));
                // Set after, due before: each has its own deadline.
                cx.set(1, Duration::from_nanos(command / 2));
            }
            Input::Timer { timer: 0 } => cx.notify(cx.now.0),
            _ => {}
        });
        world.set_faults(Schedule::concrete(changes.iter().map(|&(ms, ppb)| timed(ms, drift(ppb))).collect()));
        world.command(at(set_at), ZERO, CommandId(0), span);
        world.run_until(at(100_000), &mut log);
        let notices = log.notices(0);
        prop_assert_eq!(notices.len(), 2);
        let passed = notices[1].1 - notices[0].1;
        prop_assert!((span..=span + late).contains(&passed), "{} instead of {}", passed, span);
    }

    /// A clock never stands still or goes back, and wall and steady clock run at the same rate.
    #[test]
    fn a_steady_clock_rises(
        changes in prop::collection::vec((0..2_000_u64, -100_000_000..=100_000_000_i64), 0..8),
    ) {
        let (mut world, mut log) = begin(plain(1), |_, input, cx| {
            if !matches!(input, Input::Start { .. }) {
                cx.notify(cx.now.0);
                cx.notify(cx.wall.0);
            }
        });
        world.set_faults(Schedule::concrete(changes.iter().map(|&(ms, ppb)| timed(ms, drift(ppb))).collect()));
        (0..200).for_each(|k| world.command(at(10 * k), ZERO, CommandId(k), 0));
        world.run_until(at(3_000), &mut log);
        let notices: Vec<u64> = log.notices(0).iter().map(|(_, notice)| *notice).collect();
        for pair in notices.chunks_exact(2).collect::<Vec<_>>().windows(2) {
            let (steady, wall) = (pair[1][0] - pair[0][0], pair[1][1] - pair[0][1]);
            prop_assert!((9 * MS - 1..=11 * MS + 1).contains(&steady));
            prop_assert_eq!(steady, wall);
        }
    }
}

#[test]
fn a_jump_moves_the_wall_clock_and_nothing_else() {
    let faults = vec![
        timed(10, Action::ClockJump { node: ZERO, by: 3_600 * SECOND as i64 }),
        timed(30, Action::ClockJump { node: ZERO, by: -7_200 * SECOND as i64 }),
    ];
    let (mut world, mut log) = begin(plain(1), |_, input, cx| match input {
        Input::Start { .. } => cx.set(0, Duration::from_millis(20)),
        _ => {
            cx.notify(cx.now.0);
            cx.notify(cx.wall.0);
        }
    });
    world.set_faults(Schedule::concrete(faults));
    world.command(at(5), ZERO, CommandId(0), 0);
    world.command(at(35), ZERO, CommandId(0), 0);
    world.run_until(at(50), &mut log);
    let found = log.notices(0);
    let (times, origin) = ([5 * MS, 20 * MS, 35 * MS], found[0].1 - 5 * MS);
    for (pair, (time, ahead)) in found.chunks_exact(2).zip(times.into_iter().zip([0, 3_600_i64, -3_600])) {
        assert_eq!(pair[0], (time, origin + time), "the timer fires in time and the steady clock goes on");
        assert_eq!(pair[1].1, (WALL_START + time).saturating_add_signed(ahead * SECOND as i64));
    }
}

#[test]
fn skew_and_drift_are_drawn_for_each_node_within_their_bounds() {
    let clocks = Clocks { skew: Some(constant(250)), drift_ppb: 1_000_000, slack: None };
    let (mut world, mut log) = begin(Setup { clocks, ..plain(40) }, |_, input, cx| {
        if matches!(input, Input::Command { .. }) {
            cx.notify(cx.now.0);
            cx.notify(cx.wall.0);
        }
    });
    for node in 0..40 {
        world.command(at(0), NodeId(node), CommandId(0), 0);
        world.command(at(10_000), NodeId(node), CommandId(0), 0);
    }
    world.run_until(at(10_001), &mut log);
    let ahead: Vec<(i64, i64)> = (0..40)
        .map(|node| {
            let [first, wall, second, _] = log.notices(node)[..] else { panic!("four notices of {node}") };
            let drift = (second.1 - first.1) as i64 - 10_000 * MS as i64;
            (wall.1 as i64 - WALL_START as i64, drift)
        })
        .collect();
    assert!(ahead.iter().all(|(skew, drift)| skew.abs() == 250 * MS as i64 && drift.abs() <= 10 * MS as i64));
    for sign in [1, -1] {
        assert!(ahead.iter().filter(|(skew, _)| skew.signum() == sign).count() > 8);
        assert!(ahead.iter().filter(|(_, drift)| drift * sign > 2 * MS as i64).count() > 5);
    }
}

#[test]
fn healing_brings_clocks_back_to_the_true_rate() {
    let (mut world, mut log) = begin(plain(1), |_, input, cx| match input {
        Input::Start { .. } => cx.set(0, Duration::from_secs(20)),
        _ => cx.notify(cx.now.0),
    });
    world.act(drift(100_000_000), &mut log);
    world.command(at(10_000), ZERO, CommandId(0), 0);
    world.run_until(at(10_001), &mut log);
    world.heal(&mut log);
    world.command(at(11_001), ZERO, CommandId(0), 0);
    world.run_until(at(30_000), &mut log);
    // After 10.001 s the clock has shown 11.0011 s; the 8.9989 s that are left of the timer pass at the true rate.
    let times: Vec<u64> = log.notices(0).iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [10_000 * MS, 11_001 * MS, 18_999_900_000]);
}

#[test]
fn timers_run_out_late_by_their_slack() {
    let clocks = Clocks { slack: Some(constant(3)), ..Clocks::default() };
    let setup = Setup { clocks, ..plain(1) };
    let (_, log) = run(setup, Vec::new(), at(500), |_, input, cx| match input {
        Input::Start { .. } => cx.set(0, Duration::from_millis(20)),
        Input::Timer { .. } => {
            cx.notify(0);
            cx.set(0, Duration::from_millis(20));
        }
        _ => {}
    });
    let times: Vec<u64> = log.notices(0).iter().map(|(at, _)| at / MS).collect();
    assert_eq!(times[..3], [23, 46, 69]);
}
