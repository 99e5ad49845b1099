//! Nodes begin and end, disks finish, faults strike.

use std::collections::VecDeque;
use std::sync::Arc;

use seedbed_core::contract::{Duration, Input, Life, NodeId, Protocol, Purpose, Time};

use super::{Body, Event, NOBODY, Other, World, number};
use crate::clock::{Clock, Origin};
use crate::disk::{Done, Loss};
use crate::fault::{Action, Schedule, Timed};
use crate::network::NodeSet;
use crate::slot::{Held, LIVES_MAX};
use crate::timers::Timers;
use crate::watch::{Down, Watch};

impl<P: Protocol> World<P> {
    /// A node that is down starts: its first life, or the next.
    pub(super) fn begin_life(&mut self, node: NodeId, watch: &mut impl Watch<P>) {
        let slot = &self.slots[node.0 as usize];
        if slot.is_up || slot.life == LIVES_MAX {
            return;
        }
        let life = if slot.has_lived() { Life(slot.life().0 + 1) } else { Life(0) };
        if self.rare_of(node).and_then(|rare| rare.disk.as_ref()).is_some_and(|disk| disk.is_rotten) {
            self.tally.halts += 1;
            return watch.down(self, node, Down::LogDamaged);
        }
        let origin = Origin::new(&self.keys, node, life.0);
        let state = P::boot(&self.config, node);
        let slot = self.slot(node);
        (slot.state, slot.life, slot.is_up, slot.origin) = (state, number(life), true, origin);
        (slot.steps, slot.timers) = (0, Timers::default());
        let log =
            self.rare_of(node).and_then(|rare| rare.disk.as_ref()).map_or_else(Vec::new, |disk| disk.log());
        self.digest.fold(self.now, u64::from(node.0) << 32 | u64::from(life.0));
        watch.up(self, node, life);
        self.hint(node, true);
        self.step(node, Input::Start { log }, watch);
    }

    /// A node stops: its memory is gone, and of its disk what `loss` says.
    fn end_life(&mut self, node: NodeId, loss: Loss, why: Down, watch: &mut impl Watch<P>) {
        if !self.slots[node.0 as usize].is_up {
            return;
        }
        // Its memory is freed at once, not when it starts again.
        let state = P::boot(&self.config, node);
        let slot = self.slot(node);
        (slot.state, slot.timers, slot.is_up) = (state, Timers::default(), false);
        self.digest.fold(self.now, !u64::from(node.0));
        if self.rare_of(node).is_some() {
            let draw = self.keys.roll(Purpose::Disk).at(u64::from(node.0), !self.now);
            let measures = self.setup.disk.capacity.is_some();
            let rare = self.rare(node);
            rare.gated = VecDeque::new();
            rare.computed = VecDeque::new();
            rare.held = Held::default();
            rare.cpu = None;
            let inbox = std::mem::take(&mut rare.inbox);
            if let Some(disk) = &mut rare.disk {
                let before = disk.written;
                disk.crash(loss, draw, measures);
                let lost = before.saturating_sub(disk.durable);
                self.tally.records_lost += lost;
            }
            for Event { route, body } in inbox {
                self.abandon(node, route.source(), &body, watch);
            }
        }
        self.tally.crashes += u64::from(why == Down::Crash);
        self.tally.halts += u64::from(why != Down::Crash);
        watch.down(self, node, why);
        self.hint(node, false);
    }

    /// Tells all others, in a while, that a node came or went.
    fn hint(&mut self, peer: NodeId, up: bool) {
        let Some(after) = self.setup.hints else { return };
        for node in (0..self.setup.nodes).map(NodeId).filter(|&node| node != peer) {
            self.other(self.now.saturating_add(after.as_nanos()), node, Other::Link { peer, up });
        }
    }

    /// A sync is over: what waited for it goes, once its node notices.
    pub(super) fn synced(&mut self, node: NodeId, upto: u64, fails: bool, watch: &mut impl Watch<P>) {
        if self.rare(node).disk.as_ref().is_none_or(|disk| disk.syncing != Some(upto)) {
            return;
        }
        if fails {
            // What the device still has of the tail is unknown: nothing of it is relied upon.
            return self.end_life(node, Loss::Unsynced, Down::SyncFailed, watch);
        }
        let measures = self.setup.disk.capacity.is_some();
        let rare = self.rare(node);
        let Some(disk) = rare.disk.as_mut() else { return };
        disk.commit(upto, measures);
        disk.syncing = None;
        rare.held.syncing = false;
        self.tally.syncs += 1;
        self.begin_sync(node);
        self.go_on(node, watch);
    }

    /// A node takes up what waited, unless it is paused or computes.
    fn go_on(&mut self, node: NodeId, watch: &mut impl Watch<P>) {
        let held = self.rare(node).held;
        if held.computing {
            self.finish_step(node, watch);
        } else if !held.paused {
            self.keep_promises(node, watch);
            self.release(node, watch);
        }
    }

    /// The next fault strikes.
    #[cold]
    pub(super) fn strike(&mut self, watch: &mut impl Watch<P>) {
        let mut faults: Schedule = std::mem::take(&mut self.faults);
        let actions = faults.pop(&*self, &self.keys);
        self.faults = faults;
        for action in actions {
            self.act(action, watch);
        }
    }

    /// Does one thing that a fault does.
    pub fn act(&mut self, action: Action, watch: &mut impl Watch<P>) {
        if action.node().is_some_and(|node| node.0 >= self.setup.nodes) {
            return;
        }
        self.trace.push(Timed { at: Time(self.now), action: action.clone() });
        self.digest.encode(&action);
        match &action {
            Action::Crash { node, loss } => self.end_life(*node, *loss, Down::Crash, watch),
            Action::Restart { node } => self.begin_life(*node, watch),
            Action::Pause { node } => {
                if self.slots[node.0 as usize].is_up {
                    self.rare(*node).held.paused = true;
                }
            }
            Action::Resume { node } => {
                if self.rare_of(*node).is_some_and(|rare| rare.held.paused) {
                    self.rare(*node).held.paused = false;
                    self.go_on(*node, watch);
                }
            }
            Action::Disturb { number, from, to, how } => {
                // A list from outside may name any node: a set is as large as its largest member.
                let is_here = |node: &NodeId| node.0 < self.setup.nodes;
                let set = |nodes: &[NodeId]| nodes.iter().copied().filter(is_here).collect::<NodeSet>();
                self.network.disturb(*number, set(from), set(to), *how);
            }
            Action::Calm { number } => {
                self.network.calm(*number);
            }
            _ => self.act_on_device(&action),
        }
        watch.fault(self, &action);
    }

    fn act_on_device(&mut self, action: &Action) {
        let now = self.now;
        let Some(node) = action.node() else { return };
        match action {
            Action::DiskStall { lasts, .. } => {
                let end = now.saturating_add(lasts.as_nanos());
                let disk = self.disk(node);
                disk.stalled_until = disk.stalled_until.max(end);
                self.other(end, node, Other::Unstalled);
            }
            Action::DiskFull { full, .. } => self.disk(node).is_full = *full,
            Action::DiskError { .. } => self.disk(node).fails_next = true,
            Action::DiskRot { .. } => {
                let draw = self.keys.roll(Purpose::Disk).at(u64::from(node.0), !now);
                self.disk(node).rot(draw);
            }
            Action::ClockJump { by, .. } => {
                let clock = self.rare(node).clock.get_or_insert_with(Clock::default);
                clock.skew = clock.skew.saturating_add(*by);
            }
            Action::ClockDrift { ppb, .. } => self.set_drift(node, *ppb),
            _ => {}
        }
    }

    /// A clock runs at another rate from now on, and so do the timers that are set.
    fn set_drift(&mut self, node: NodeId, ppb: i64) {
        let now = self.now;
        let clock = self.rare(node).clock.get_or_insert_with(Clock::default);
        let before = *clock;
        clock.set_drift(now, ppb);
        let after = *clock;
        let left = |deadline: u64| before.steady(deadline, 0).since(before.steady(now, 0));
        let moved = |deadline: u64| now.saturating_add(after.world_time(left(deadline)));
        for (index, at) in self.slot(node).timers.move_all(|at| if at <= now { at } else { moved(at) }) {
            self.push(at, node, NOBODY, Body::Timer { index });
        }
    }

    /// Ends every fault: nothing more strikes, links and disks are whole, no sync fails any more, clocks run at the
    /// true rate, every node is up. What was lost stays lost. Begins the phase in which liveness is owed.
    pub fn heal(&mut self, watch: &mut impl Watch<P>) {
        self.faults.clear();
        self.network.calm_all();
        Arc::make_mut(&mut self.setup).disk.sync_error = 0;
        for node in (0..self.setup.nodes).map(NodeId) {
            if let Some(rare) = self.rare_of(node) {
                let (drifts, is_paused) = (rare.clock.is_some(), rare.held.paused);
                if drifts {
                    self.set_drift(node, 0);
                }
                self.heal_disk(node);
                if is_paused {
                    self.act(Action::Resume { node }, watch);
                }
            }
            if !self.slots[node.0 as usize].is_up {
                self.act(Action::Restart { node }, watch);
            }
        }
    }

    fn heal_disk(&mut self, node: NodeId) {
        let (now, life) = (self.now, self.slots[node.0 as usize].life);
        let Some(disk) = self.rare(node).disk.as_mut() else { return };
        (disk.is_full, disk.fails_next, disk.is_rotten) = (false, false, false);
        disk.stalled_until = 0;
        // A sync that runs ends now, and well: the end that was drawn for it finds nothing to do.
        disk.stalled.retain(|done| !matches!(done, Done::Sync { .. }));
        if let Some(upto) = disk.syncing {
            let done = Done::Sync { upto, fails: false };
            self.other(now, node, Other::Disk { life, done });
        }
        self.other(now, node, Other::Unstalled);
    }

    /// How long ago the world began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Time(self.now).since(Time::ZERO)
    }
}
