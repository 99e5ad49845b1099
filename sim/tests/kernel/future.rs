//! Taking one fault away changes nothing outside its causal future.
//!
//! A run with a fault and a run without it are compared node by node, event by event. A watch follows the fault's
//! influence in each: from the node it struck, or the messages that met it, along every message. A message that is not
//! sent is influence, too, so both runs are made again until they agree on when each node was reached. A node is
//! untouched as long as no influence has reached it in either run; until then, its events must be the same, to the nanosecond. That a
//! message was dropped is no event: nobody is told.

use std::collections::BTreeSet;

use seedbed_core::contract::{CommandId, Life, NodeId, Time};
use seedbed_sim::clock::Clocks;
use seedbed_sim::fault::{Action, Generator, Kind, Schedule, Selector, Timed, When};
use seedbed_sim::network::Disturbance;
use seedbed_sim::{Down, Loss, Setup, Watch, World};

use crate::busy::{self, END, RING};
use crate::puppet::{Log, MS, Message, Puppet, Seen, constant, ms, share};

/// What is taken away.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// Something that strikes a node at this time.
    Node(NodeId),
    /// Something that strikes what one node sends to another, and what is on its way.
    Link(NodeId, NodeId),
}

/// When it strikes, or not.
const STRIKES: u64 = 600 * MS;

/// Follows the influence.
struct Follow {
    log: Log,
    origin: Origin,
    /// Until when each node is untouched.
    untouched: Vec<u64>,
    /// Messages that carry influence, by their unguessable numbers.
    carriers: BTreeSet<u64>,
}

impl Follow {
    fn new(origin: Origin, untouched: &[u64]) -> Self {
        Self { log: Log::default(), origin, untouched: untouched.to_vec(), carriers: BTreeSet::new() }
    }

    fn touch(&mut self, node: NodeId, at: u64) {
        let until = &mut self.untouched[node.0 as usize];
        *until = at.min(*until);
    }
}

impl Watch<Puppet> for Follow {
    fn sent(&mut self, world: &World<Puppet>, from: NodeId, to: NodeId, nth: u64, message: &Message) {
        let now = world.now().0;
        let meets_it = match self.origin {
            Origin::Node(_) => false,
            Origin::Link(source, target) => (from, to) == (source, target),
        };
        if meets_it || self.untouched[from.0 as usize] <= now {
            self.carriers.insert(message.number);
        }
        self.log.sent(world, from, to, nth, message);
    }
    fn delivered(&mut self, world: &World<Puppet>, from: NodeId, to: NodeId, message: &Message) {
        // What arrived before the fault was not met by it.
        if world.now().0 >= STRIKES && self.carriers.contains(&message.number) {
            self.touch(to, world.now().0);
        }
        Watch::delivered(&mut self.log, world, from, to, message);
    }
    fn timer(&mut self, world: &World<Puppet>, node: NodeId, timer: &u32) {
        self.log.timer(world, node, timer);
    }
    fn notice(&mut self, world: &World<Puppet>, node: NodeId, notice: &u64) {
        self.log.notice(world, node, notice);
    }
    fn reply(&mut self, world: &World<Puppet>, node: NodeId, id: CommandId, reply: &u64) {
        self.log.reply(world, node, id, reply);
    }
    fn up(&mut self, world: &World<Puppet>, node: NodeId, life: Life) {
        self.log.up(world, node, life);
    }
    fn down(&mut self, world: &World<Puppet>, node: NodeId, why: Down) {
        self.log.down(world, node, why);
    }
}

/// The run with or without the fault, under other faults of all kinds, which keep theirs.
fn run(fault: Option<Generator>, origin: Origin, untouched: &[u64], seed: u64) -> Follow {
    // Hints would tell everyone of a crash, and be influence; drawn nodes depend on who is up.
    let setup = Setup { hints: None, clocks: Clocks::default(), ..busy::setup(seed) };
    let stays = |generator: &Generator| {
        let text = format!("{generator:?}");
        !["Random", "Minority", "Fraction"].iter().any(|drawn| text.contains(drawn))
    };
    let faults = busy::faults().into_iter().filter(stays).chain(fault).collect();
    let (mut world, _) = busy::world(setup, faults);
    let mut follow = Follow::new(origin, untouched);
    world.run_until(END, &mut follow);
    follow
}

/// Both runs, knowing until when each node is untouched in either.
fn both(origin: Origin, strikes: u64, run: impl Fn(bool, &[u64]) -> Follow) -> (Follow, Follow, Vec<u64>) {
    let mut untouched = vec![u64::MAX; RING as usize];
    if let Origin::Node(node) = origin {
        untouched[node.0 as usize] = strikes;
    }
    loop {
        let (with, without) = (run(true, &untouched), run(false, &untouched));
        let now: Vec<u64> =
            with.untouched.iter().zip(&without.untouched).map(|(one, other)| *one.min(other)).collect();
        if now == untouched {
            return (with, without, untouched);
        }
        untouched = now;
    }
}

/// The events of one node before a time.
fn history(follow: &Follow, node: u32, until: u64) -> Vec<&(u64, Seen)> {
    let of_node = |seen: &Seen| seen.node() == Some(NodeId(node));
    follow.log.0.iter().filter(|(at, seen)| *at < until && of_node(seen)).collect()
}

/// Counts the events of untouched nodes: those that differ, and those that could, being after the fault.
fn compare(with: &Follow, without: &Follow, untouched: &[u64], strikes: u64) -> (usize, usize) {
    let (mut changed, mut after) = (0, 0);
    for (node, &until) in (0..RING).zip(untouched) {
        let (one, other) = (history(with, node, until), history(without, node, until));
        changed += one.len().abs_diff(other.len());
        changed += one.iter().zip(&other).filter(|(one, other)| one != other).count();
        after += one.iter().filter(|(at, _)| *at >= strikes).count();
    }
    (changed, after)
}

fn assert_only_the_future_changes(name: &str, kind: Kind, origin: Origin) {
    for seed in 0..3 {
        let (with, without, untouched) = both(origin, STRIKES, |has_fault, untouched| {
            let when = When::At(vec![Time(STRIKES)]);
            let fault = Generator { kind: kind.clone(), when, lasts: Some(constant(150)) };
            run(has_fault.then_some(fault), origin, untouched, seed)
        });
        let (changed, after) = compare(&with, &without, &untouched, STRIKES);
        assert_eq!(changed, 0, "{name}, seed {seed}: events outside its future changed");
        assert!(after > 30, "{name}, seed {seed}: only {after} events could show a change");
        assert_ne!(with.log, without.log, "{name}, seed {seed}: it changed nothing at all");
    }
}

#[test]
fn taking_a_fault_away_changes_only_its_future() {
    let two = || Selector::Index(2);
    let node = Origin::Node(NodeId(2));
    for (name, kind) in [
        ("crash", Kind::Crash(two(), Loss::Torn)),
        ("pause", Kind::Pause(two())),
        ("stall", Kind::DiskStall(two())),
        ("full", Kind::DiskFull(two())),
        ("error", Kind::DiskError(two())),
        ("drift", Kind::ClockDrift(two(), 90_000_000)),
    ] {
        assert_only_the_future_changes(name, kind, node);
    }
    let link = Origin::Link(NodeId(2), NodeId(3));
    for (name, how) in [
        ("cut", Disturbance::Cut),
        ("loss", Disturbance::Loss(share(0.9))),
        ("delay", Disturbance::Delay(ms(30))),
    ] {
        let kind = Kind::Links(two(), Selector::Index(3), false, how);
        assert_only_the_future_changes(name, kind, link);
    }
}

/// The same for a fault of a concrete list, with all that was drawn in the first run kept.
#[test]
fn taking_a_fault_out_of_a_list_changes_only_its_future() {
    let (first, _) = busy::ended(Setup { hints: None, ..busy::setup(8) }, busy::faults());
    let list = first.fault_trace().to_vec();
    let taken = list.iter().position(|timed| {
        timed.at > Time(STRIKES) && matches!(timed.action, Action::Pause { node } if node == NodeId(4))
    });
    let taken = taken.expect("node 4 is paused at some time");
    let mut shorter = list.clone();
    let Timed { at: strikes, .. } = shorter.remove(taken);
    let origin = Origin::Node(NodeId(4));
    let (with, without, untouched) = both(origin, strikes.0, |has_fault, untouched| {
        let (mut world, _) = busy::world(Setup { hints: None, ..busy::setup(8) }, Vec::new());
        world.set_faults(Schedule::concrete(if has_fault { list.clone() } else { shorter.clone() }));
        let mut follow = Follow::new(origin, untouched);
        world.run_until(END, &mut follow);
        follow
    });
    let (changed, after) = compare(&with, &without, &untouched, strikes.0);
    assert_eq!(changed, 0, "events outside its future changed");
    assert!(after > 30, "only {after} events could show a change");
    assert_ne!(with.log, without.log);
}
