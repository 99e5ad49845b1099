//! The same setup and seed give the same history, whatever is done around it; a world is a value.

use std::collections::BTreeSet;

use proptest::prelude::*;
use seedbed_core::contract::{Input, NodeId};
use seedbed_sim::Setup;
use seedbed_sim::fault::{Action, Generator, Schedule};
use seedbed_sim::network::Link;
use seedbed_sim::network::Traffic;

use crate::busy::{self, END, RING};
use crate::puppet::{Log, Message, Seen, at, begin, constant, joined};
use crate::statistics::pinned;

#[test]
fn in_the_busy_world_everything_happens() {
    let (world, log) = busy::ended(busy::setup(1), busy::faults());
    let Traffic { delivered, lost, cut, overflowed, unheard, duplicated, .. } = world.traffic();
    let counts = [delivered, lost, cut, overflowed, unheard, duplicated];
    assert!(counts.iter().all(|&count| count > 0), "{:?}", world.traffic());
    let tally = world.tally();
    assert!(tally.crashes > 5 && tally.syncs > 100 && tally.records_lost > 0 && tally.halts > 0, "{tally:?}");
    let kinds: BTreeSet<&str> = world.fault_trace().iter().map(|timed| timed.action.kind()).collect();
    assert_eq!(kinds.len(), 14, "{kinds:?}");
    assert!(log.replies().len() > 50 && log.notices(0).len() > 50);
}

proptest! {
    #![proptest_config(pinned(48))]

    /// A clone taken after any event has the same future, and another one under another key.
    #[test]
    fn a_clone_has_the_same_future(seed in 0..1_000_u64, events in 0..6_000_usize) {
        let (mut world, mut log) = busy::world(busy::setup(seed), busy::faults());
        for _ in 0..events {
            world.advance(END, &mut log);
        }
        let (mut clone, mut clones_log) = (world.clone(), log.clone());
        let mut branch = world.clone();
        branch.reseed(seed ^ 1);
        prop_assert_eq!(clone.digest(), world.digest());
        // One after the other: nothing is shared behind their backs.
        clone.run_until(END, &mut clones_log);
        branch.run_until(END, &mut Log::default());
        let is_over = world.now() == END;
        world.run_until(END, &mut log);
        prop_assert_eq!(clone.digest(), world.digest());
        prop_assert_eq!(clone.traffic(), world.traffic());
        prop_assert_eq!(clone.fault_trace(), world.fault_trace());
        prop_assert_eq!(clones_log, log);
        prop_assert!(is_over || branch.digest() != world.digest());
    }
}

#[test]
fn repeated_and_shuffled_seeds_give_the_same_digests() {
    let digest = |seed| busy::ended(busy::setup(seed), busy::faults()).0.digest();
    let in_order: Vec<u64> = (0..8).map(digest).collect();
    for seed in [5, 2, 7, 7, 0, 3, 6, 1, 4] {
        assert_eq!(digest(seed), in_order[seed as usize], "seed {seed}");
    }
    let mut distinct = in_order.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), in_order.len());
}

#[test]
fn bytes_and_values_make_the_same_history() {
    for seed in 0..4 {
        let run =
            |is_wire| busy::ended(Setup { is_wire, is_audit: true, ..busy::setup(seed) }, busy::faults());
        let ((value, value_log), (wire, wire_log)) = (run(false), run(true));
        assert_eq!(value.digest(), wire.digest());
        assert_eq!(value.traffic(), wire.traffic());
        assert_eq!(value_log, wire_log);
    }
}

#[test]
fn the_concrete_list_of_faults_replays_the_run() {
    for seed in 0..4 {
        let (first, log) = busy::ended(busy::setup(seed), busy::faults());
        let (mut again, mut again_log) = busy::world(busy::setup(seed), Vec::new());
        again.set_faults(Schedule::concrete(first.fault_trace().to_vec()));
        again.run_until(END, &mut again_log);
        assert_eq!(again.digest(), first.digest(), "seed {seed}");
        assert_eq!(again.fault_trace(), first.fault_trace());
        assert_eq!(again_log, log);
    }
}

#[test]
fn a_healed_run_is_replayed_too() {
    let healed = |faults: Option<Schedule>| {
        let (mut world, mut log) = busy::world(busy::setup(3), busy::faults());
        faults.into_iter().for_each(|faults| world.set_faults(faults));
        world.run_until(at(700), &mut log);
        world.heal(&mut log);
        world.run_until(END, &mut log);
        (world.digest(), world.fault_trace().to_vec())
    };
    let (digest, trace) = healed(None);
    assert_eq!(healed(Some(Schedule::concrete(trace.clone()))), (digest, trace));
}

/// The events of the ring must not change at all.
#[test]
fn an_idle_node_changes_no_draw_of_the_others() {
    // Whom a draw may pick depends on who is there; hints tell of the new node.
    let is_fixed = |generator: &Generator| {
        let text = format!("{generator:?}");
        !["Random", "Minority", "Fraction"].iter().any(|drawn| text.contains(drawn))
    };
    let faults = || busy::faults().into_iter().filter(is_fixed);
    let history = |nodes| {
        let setup = Setup { nodes, hints: None, ..busy::setup(2) };
        let (_, log) = busy::ended(setup, faults().collect());
        let ring = |seen: &Seen| seen.node().is_some_and(|node| node.0 < RING);
        log.0.into_iter().filter(|(_, seen)| ring(seen)).collect::<Vec<_>>()
    };
    let (alone, beside) = (history(RING), history(RING + 3));
    let changed = alone.iter().zip(&beside).filter(|(one, other)| one != other).count();
    assert!(alone.len() > 3_000, "{}", alone.len());
    assert_eq!((changed, alone.len()), (0, beside.len()));
}

/// Who is drawn, when one more stands by, is as before or the new one.
#[test]
fn a_draw_of_nodes_is_disturbed_by_a_new_node_only_where_it_is_drawn() {
    let crashed = |nodes| {
        let faults = busy::faults().into_iter().take(1).collect();
        let (world, _) = busy::ended(Setup { nodes, hints: None, ..busy::setup(4) }, faults);
        let crash = |action: &Action| matches!(action, Action::Crash { .. });
        let trace = world.fault_trace().iter().filter(|timed| crash(&timed.action));
        trace.filter_map(|timed| Some((timed.at, timed.action.node()?))).collect::<Vec<_>>()
    };
    let (alone, beside) = (crashed(RING), crashed(RING + 1));
    assert!(alone.len() == beside.len() && alone.len() > 3);
    for (one, other) in alone.iter().zip(&beside) {
        assert!(one == other || other.1 == NodeId(RING), "{one:?} became {other:?}");
    }
}

/// Ten nodes send to one, all at the same moment.
#[test]
fn shuffled_ties_differ_between_seeds_and_agree_within_one() {
    let order = |seed, shuffles_ties| {
        let setup = Setup { shuffles_ties, ..joined(11, seed, Link::new(constant(1))) };
        let (mut world, mut log) = begin(setup, |puppet, input, cx| {
            if puppet.me != NodeId(0) && matches!(input, Input::Start { .. }) {
                cx.send(NodeId(0), Message::new(u64::from(puppet.me.0)));
            }
        });
        world.run_until(at(5), &mut log);
        let order: Vec<u64> = log.delivered(0).iter().map(|(_, number)| *number).collect();
        (order, world.digest())
    };
    let inserted: Vec<u64> = (1..=10).collect();
    assert_eq!(order(1, false).0, inserted);
    let orders: BTreeSet<_> = (0..20).map(|seed| order(seed, true).0).collect();
    assert!(orders.len() > 15, "{} orders of 20 seeds", orders.len());
    for mut shuffled in orders {
        shuffled.sort_unstable();
        assert_eq!(shuffled, inserted);
    }
    assert!((0..20).all(|seed| order(seed, true) == order(seed, true)));
}

#[test]
fn shuffled_ties_do_not_reverse_time() {
    for seed in 0..3 {
        let run = || busy::ended(Setup { shuffles_ties: true, ..busy::setup(seed) }, busy::faults());
        let ((one, log), (other, _)) = (run(), run());
        assert_eq!(one.digest(), other.digest());
        assert!(log.0.is_sorted_by_key(|(at, _)| *at));
        assert_ne!(one.digest(), busy::ended(busy::setup(seed), busy::faults()).0.digest());
    }
}
