//! Nodes begin and end, disks finish, faults strike.

use seedbed_core::contract::{Duration, Input, Life, NodeId, Protocol, Purpose, Time};

use super::{Other, World, number};
use crate::clock::{self, Clock};
use crate::disk::{Loss, Promise};
use crate::fault::{Action, Schedule, Timed};
use crate::network::NodeSet;
use crate::slot::{Held, LIVES_MAX, Timers};
use crate::watch::{Down, Watch};

impl<P: Protocol> World<P> {
    /// A node that is down starts: its first life, or the next.
    pub(super) fn begin_life(&mut self, node: NodeId, watch: &mut impl Watch<P>) {
        let slot = &self.slots[node.0 as usize];
        if slot.is_up || slot.life == LIVES_MAX {
            return;
        }
        let is_first = slot.steps == 0 && slot.life == 0;
        let life = if is_first { Life(0) } else { Life(slot.life().0 + 1) };
        if self.rare_of(node).and_then(|rare| rare.disk.as_ref()).is_some_and(|disk| disk.is_rotten) {
            self.tally.halts += 1;
            return watch.down(self, node, Down::LogDamaged);
        }
        let origin = clock::origin(&self.keys, node, life.0);
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
        self.slot(node).is_up = false;
        self.slot(node).timers = Timers::default();
        self.digest.fold(self.now, !u64::from(node.0));
        if self.rare_of(node).is_some() {
            let draw = self.keys.roll(Purpose::Disk).at(u64::from(node.0), !self.now);
            let rare = self.rare(node);
            rare.gated.clear();
            rare.inbox.clear();
            rare.held = Held::default();
            rare.jobs_until = 0;
            if let Some(disk) = &mut rare.disk {
                let before = disk.written;
                disk.crash(loss, draw);
                let lost = before.saturating_sub(disk.durable);
                self.tally.records_lost += lost;
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

    /// A sync is over: what waited for it goes.
    pub(super) fn synced(&mut self, node: NodeId, upto: u64, fails: bool, watch: &mut impl Watch<P>) {
        if !self.slots[node.0 as usize].is_up {
            return;
        }
        let now = self.now;
        let life = self.slots[node.0 as usize].life;
        match self.rare(node).disk.as_ref() {
            Some(disk) if disk.syncing == Some(upto) && disk.stalled_until > now => {
                // A stall began meanwhile.
                let later = disk.stalled_until;
                return self.other(later, node, Other::Synced { life, upto, fails });
            }
            Some(disk) if disk.syncing == Some(upto) => {}
            _ => return,
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
        let durable = disk.durable;
        rare.held.syncing = false;
        self.tally.syncs += 1;
        self.begin_sync(node);
        while let Some(gated) = {
            let gated = &mut self.rare(node).gated;
            if gated.front().is_some_and(|gated| gated.needs <= durable) { gated.pop_front() } else { None }
        } {
            match gated.what {
                Promise::Send { to, ordinal, message, blob } => {
                    self.transmit(node, to, ordinal, 0, message, blob, watch);
                }
                Promise::Reply { id, reply } => self.answer(node, id, &reply, watch),
            }
        }
        self.release(node, watch);
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
                    self.release(*node, watch);
                }
            }
            Action::Disturb { number, from, to, how } => {
                let set = |nodes: &[NodeId]| nodes.iter().copied().collect::<NodeSet>();
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
        let roll = self.keys.roll(Purpose::Disk).clone();
        let rare = self.rare(node);
        let disk = rare.disk.get_or_insert_default();
        match action {
            Action::DiskStall { lasts, .. } => {
                disk.stalled_until = disk.stalled_until.max(now.saturating_add(lasts.as_nanos()));
            }
            Action::DiskFull { full, .. } => disk.is_full = *full,
            Action::DiskError { .. } => disk.fails_next = true,
            Action::DiskRot { .. } => {
                disk.is_rotten = disk.len() > 0;
                let count = disk.blobs.len() as u64;
                let pick = roll.at(u64::from(node.0), !now) % count.max(1);
                if let Some(stored) = disk.blobs.values_mut().nth(pick as usize) {
                    stored.is_damaged = true;
                }
            }
            Action::ClockJump { by, .. } => {
                let clock = rare.clock.get_or_insert_with(Clock::default);
                clock.skew = clock.skew.saturating_add(*by);
            }
            Action::ClockDrift { ppb, .. } => {
                rare.clock.get_or_insert_with(Clock::default).set_drift(now, *ppb);
            }
            _ => {}
        }
    }

    /// Ends every fault: nothing more strikes, links and disks are whole, clocks run true, every node is up. Begins
    /// the phase in which liveness is owed.
    pub fn heal(&mut self, watch: &mut impl Watch<P>) {
        self.faults.clear();
        self.network.calm_all();
        for node in (0..self.setup.nodes).map(NodeId) {
            if self.rare_of(node).is_some() {
                let (now, life) = (self.now, self.slots[node.0 as usize].life);
                let rare = self.rare(node);
                if let Some(clock) = &mut rare.clock {
                    clock.set_drift(now, 0);
                }
                if let Some(disk) = &mut rare.disk {
                    (disk.is_full, disk.fails_next, disk.is_rotten) = (false, false, false);
                    disk.stalled_until = 0;
                    disk.busy_until = disk.busy_until.min(now);
                    if let Some(upto) = disk.syncing {
                        self.other(now, node, Other::Synced { life, upto, fails: false });
                    }
                }
                let rare = self.rare(node);
                if rare.held.paused {
                    self.act(Action::Resume { node }, watch);
                }
            }
            if !self.slots[node.0 as usize].is_up {
                self.act(Action::Restart { node }, watch);
            }
        }
    }

    /// How long ago the world began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Time(self.now).since(Time::ZERO)
    }
}
