//! The nodes of a real run as probes, faults and clients see them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration as Span, Instant};

use seedbed_core::contract::{
    CommandId, Keys, Life, NodeId, Observation, Protocol, Purpose, Subject, Time, View,
};
use seedbed_sim::fault::{Action, Scene, Timed};
use seedbed_sim::network::{NodeSet, Traffic};
use seedbed_sim::{Loss, Tally};
use seedbed_transport::clock::Skew;
use seedbed_transport::host::{Ended, Handle};
use seedbed_transport::store;

use super::air::Air;
use super::life::{Disk, Lives};
use crate::run::{Observer, Stage};

/// The nodes of a real run.
pub(super) struct Cluster<P: Subject> {
    pub(super) lives: Lives<P>,
    pub(super) members: Vec<Member<P>>,
    names: Vec<String>,
    regions: Vec<String>,
    air: Air,
    now: Time,
    /// What is to be done when: starts of nodes, and commands on their way.
    agenda: BTreeMap<(Time, u64), Due<P>>,
    order: u64,
    pub(super) trace: Vec<Timed>,
    pub(super) tally: Tally,
    pub(super) sent: u64,
    pub(super) delivered: u64,
}

/// One node.
pub(super) struct Member<P: Protocol> {
    /// As its last step left it, unless it is down.
    pub(super) state: Option<P>,
    pub(super) phase: Phase<P>,
    /// What its steady clock showed at a moment of the run.
    pub(super) clock: (Time, Time),
    pub(super) skew: Skew,
    pub(super) is_paused: bool,
    /// Until when its disk does nothing, and whether it is full: it stays so from life to life.
    stalled_until: Option<Instant>,
    is_full: bool,
    /// Whether a sync may fail without being the machine's fault.
    may_fail: bool,
    /// The number of its next life.
    pub(super) next_life: u32,
}

/// Where a node is between two lives.
pub(super) enum Phase<P: Protocol> {
    Down,
    /// Its store is opened and its link made. If it is doomed, it is killed as soon as it lives.
    Starting {
        doomed: bool,
    },
    Up {
        life: Life,
        handle: Handle<P>,
        disk: Disk,
    },
    /// It was killed, but its store is not closed yet.
    Ending {
        restart: bool,
    },
}

/// Something to be done at a time.
pub(super) enum Due<P: Protocol> {
    Start(NodeId),
    Command { node: NodeId, id: CommandId, command: P::Command },
}

impl<P: Subject> Cluster<P> {
    pub(super) fn new(lives: Lives<P>, names: Vec<String>, skews: Vec<Skew>) -> Self {
        let members = skews.into_iter().map(|skew| Member {
            state: None,
            phase: Phase::Down,
            clock: (Time::ZERO, Time::ZERO),
            skew,
            is_paused: false,
            stalled_until: None,
            is_full: false,
            may_fail: false,
            next_life: 0,
        });
        let members: Vec<_> = members.collect();
        let air = lives.air.clone();
        let nodes = 0..members.len() as u32;
        let regions =
            air.network(|network| nodes.map(|node| network.region(NodeId(node)).to_owned()).collect());
        Self {
            lives,
            members,
            names,
            regions,
            air,
            now: Time::ZERO,
            agenda: BTreeMap::new(),
            order: 0,
            trace: Vec::new(),
            tally: Tally::default(),
            sent: 0,
            delivered: 0,
        }
    }

    /// How long the run has lasted, by the machine's clock.
    pub(super) fn elapsed(&self) -> Time {
        self.time(Instant::now())
    }

    fn time(&self, at: Instant) -> Time {
        Time(at.saturating_duration_since(self.lives.began).as_nanos() as u64)
    }

    /// Something happened then: the run's clock stands there now, unless it has gone further.
    pub(super) fn advance(&mut self, at: Instant) {
        self.now = self.now.max(self.time(at));
    }

    pub(super) fn schedule(&mut self, at: Time, due: Due<P>) {
        self.order += 1;
        self.agenda.insert((at, self.order), due);
    }

    /// When something is to be done next.
    pub(super) fn next(&self) -> Time {
        self.agenda.first_key_value().map_or(Time::MAX, |((at, _), _)| *at)
    }

    /// Takes what is to be done by now.
    pub(super) fn pop(&mut self) -> Option<Due<P>> {
        let first = self.agenda.first_entry().filter(|first| first.key().0 <= self.now)?;
        Some(first.remove())
    }

    /// A node that is down starts, as soon as its last life has let go of its store.
    pub(super) fn begin_life(&mut self, node: NodeId) {
        let peers = self.company(node);
        let Some(member) = self.members.get_mut(node.0 as usize) else { return };
        match &mut member.phase {
            Phase::Down => {
                member.phase = Phase::Starting { doomed: false };
                self.lives.begin(node, member.next_life, member.skew, peers);
            }
            Phase::Ending { restart } => *restart = true,
            Phase::Starting { doomed } => *doomed = false,
            Phase::Up { .. } => {}
        }
    }

    /// The other nodes that live, or are about to.
    fn company(&self, node: NodeId) -> BTreeSet<NodeId> {
        let here = |phase: &Phase<P>| matches!(phase, Phase::Up { .. } | Phase::Starting { doomed: false });
        let begun = (0..).map(NodeId).zip(&self.members).filter(|(_, member)| here(&member.phase));
        let due = self
            .agenda
            .iter()
            .take_while(|((at, _), _)| *at <= self.now)
            .filter_map(|(_, due)| if let Due::Start(node) = due { Some(*node) } else { None });
        begun.map(|(node, _)| node).chain(due).filter(|other| *other != node).collect()
    }

    /// A node lives.
    pub(super) fn up(&mut self, node: NodeId, life: Life) {
        let state = P::boot(&self.lives.config, node);
        if let Some(member) = self.members.get_mut(node.0 as usize) {
            member.state = Some(state);
            member.next_life = life.0.saturating_add(1);
        }
    }

    /// What a node's new life is handled by.
    pub(super) fn begun(&mut self, node: NodeId, life: Life, handle: Handle<P>, disk: Disk) {
        let Some(member) = self.members.get_mut(node.0 as usize) else { return };
        disk.fill(member.is_full);
        member.stalled_until.into_iter().for_each(|until| disk.stall(until));
        if matches!(member.phase, Phase::Starting { doomed: true }) {
            handle.kill();
            let _ = disk.crash(store::Loss::Unsynced);
            member.phase = Phase::Ending { restart: false };
        } else {
            member.phase = Phase::Up { life, handle, disk };
        }
    }

    /// Whether this is the life that a node lives.
    pub(super) fn lives(&self, node: NodeId, life: Life) -> bool {
        self.members
            .get(node.0 as usize)
            .is_some_and(|member| member.state.is_some() && member.next_life == life.0.saturating_add(1))
    }

    /// A life has ended, and its store is closed. Says whether that was unexpected.
    pub(super) fn ended(&mut self, node: NodeId, observer: &mut Observer<P>) -> bool {
        let Some(member) = self.members.get_mut(node.0 as usize) else { return false };
        match std::mem::replace(&mut member.phase, Phase::Down) {
            Phase::Ending { restart } => {
                if restart {
                    self.begin_life(node);
                }
                false
            }
            last => {
                if let Phase::Up { disk, .. } = last {
                    // It is closed, so that the next life can open it.
                    let _ = disk.crash(store::Loss::Unsynced);
                }
                self.gone(node, observer);
                true
            }
        }
    }

    /// Why a life ended that nobody ended; nothing if its disk failed because it had to.
    pub(super) fn trouble(&self, node: NodeId, end: &Ended) -> Option<String> {
        let may_fail = self.members.get(node.0 as usize).is_some_and(|member| member.may_fail);
        match end {
            Ended::Disk(_) if may_fail || self.lives.disk.sync_error > 0 => None,
            other => Some(other.to_string()),
        }
    }

    fn gone(&mut self, node: NodeId, observer: &mut Observer<P>) {
        let Some(member) = self.members.get_mut(node.0 as usize) else { return };
        member.is_paused = false;
        if member.state.take().is_some() {
            observer.observe(Observation::Down { node }, self);
        }
    }

    fn crash(&mut self, node: NodeId, loss: Loss, observer: &mut Observer<P>) {
        let draw = self.lives.keys.roll(Purpose::Disk).at(u64::from(node.0), !self.now.0);
        let store = self.lives.store(node);
        let Some(member) = self.members.get_mut(node.0 as usize) else { return };
        match &mut member.phase {
            Phase::Up { handle, disk, .. } => {
                handle.kill();
                // What cannot be written is lost, as in any crash.
                let _ = disk.crash(match loss {
                    Loss::Unsynced | Loss::Everything => store::Loss::Unsynced,
                    Loss::Torn => store::Loss::Torn(draw),
                    Loss::Nothing => store::Loss::Nothing,
                });
                if loss == Loss::Everything {
                    let _ = std::fs::remove_dir_all(store);
                }
                member.phase = Phase::Ending { restart: false };
            }
            Phase::Starting { doomed } => *doomed = true,
            Phase::Ending { restart } => return *restart = false,
            Phase::Down => return,
        }
        self.tally.crashes += 1;
        self.gone(node, observer);
    }

    /// Does one thing that a fault does.
    pub(super) fn act(&mut self, action: Action, observer: &mut Observer<P>) {
        self.trace.push(Timed { at: self.now, action: action.clone() });
        match &action {
            Action::Crash { node, loss } => self.crash(*node, *loss, observer),
            Action::Restart { node } => self.begin_life(*node),
            Action::Pause { node } => self.pause(*node, true),
            Action::Resume { node } => self.pause(*node, false),
            Action::Disturb { number, from, to, how } => {
                let nodes = self.members.len() as u32;
                let set =
                    |all: &[NodeId]| all.iter().copied().filter(|node| node.0 < nodes).collect::<NodeSet>();
                self.air.network(|network| network.disturb(*number, set(from), set(to), *how));
                observer.observe(Observation::Links, self);
            }
            Action::Calm { number } => {
                self.air.network(|network| network.calm(*number));
                observer.observe(Observation::Links, self);
            }
            Action::ClockJump { node, by } => {
                if let Some(member) = self.members.get_mut(node.0 as usize) {
                    member.skew.wall = member.skew.wall.saturating_add(*by);
                    if let Phase::Up { handle, .. } = &member.phase {
                        handle.jump(*by);
                    }
                }
            }
            Action::ClockDrift { node, ppb } => self.drift(*node, *ppb),
            Action::DiskStall { node, lasts } => {
                let end = Instant::now().checked_add(Span::from_nanos(lasts.as_nanos()));
                self.at_disk(*node, |member| member.stalled_until = member.stalled_until.max(end));
            }
            Action::DiskFull { node, full } => self.at_disk(*node, |member| member.is_full = *full),
            Action::DiskError { node } => {
                let Some(member) = self.members.get_mut(node.0 as usize) else { return };
                if let Phase::Up { disk, .. } = &member.phase {
                    member.may_fail = true;
                    disk.fail_next_sync();
                }
            }
            // Refused before the run.
            Action::DiskRot { .. } => {}
        }
    }

    /// Changes how a node's disk behaves, in this life and later ones.
    fn at_disk(&mut self, node: NodeId, change: impl FnOnce(&mut Member<P>)) {
        let Some(member) = self.members.get_mut(node.0 as usize) else { return };
        change(member);
        if let Phase::Up { disk, .. } = &member.phase {
            disk.fill(member.is_full);
            match member.stalled_until {
                Some(until) => disk.stall(until),
                None => disk.resume(),
            }
        }
    }

    fn pause(&mut self, node: NodeId, is_paused: bool) {
        let Some(member) = self.members.get_mut(node.0 as usize) else { return };
        if let Phase::Up { handle, .. } = &member.phase {
            member.is_paused = is_paused;
            if is_paused { handle.pause() } else { handle.resume() }
        }
    }

    fn drift(&mut self, node: NodeId, ppb: i64) {
        if let Some(member) = self.members.get_mut(node.0 as usize) {
            member.skew.drift_ppb = ppb;
            if let Phase::Up { handle, .. } = &member.phase {
                handle.drift(ppb);
            }
        }
    }

    /// Ends every fault, as in a simulation: links are whole, clocks run at the true rate, every node is up.
    pub(super) fn heal(&mut self, observer: &mut Observer<P>) {
        self.air.network(|network| network.calm_all());
        self.lives.disk.sync_error = 0;
        for node in (0..self.members.len() as u32).map(NodeId) {
            self.drift(node, 0);
            self.at_disk(node, |member| (member.is_full, member.stalled_until) = (false, None));
            if let Phase::Up { disk, .. } = &self.members[node.0 as usize].phase {
                disk.heal();
            }
            if self.members[node.0 as usize].is_paused {
                self.act(Action::Resume { node }, observer);
            }
            if self.state(node).is_none() {
                self.act(Action::Restart { node }, observer);
            }
        }
    }

    /// What the network did. What came to nobody is what was sent, and neither came nor was lost.
    pub(super) fn traffic(&self) -> Traffic {
        let counted = self.air.traffic();
        let known = self.delivered + counted.lost + counted.cut + counted.overflowed + counted.damaged;
        let unheard = (self.sent + counted.duplicated).saturating_sub(known);
        Traffic { sent: self.sent, delivered: self.delivered, unheard, ..counted }
    }

    /// Ends all lives.
    pub(super) fn kill_all(&mut self) {
        for member in &self.members {
            if let Phase::Up { handle, .. } = &member.phase {
                handle.kill();
            }
        }
    }
}

impl<P: Subject> View<P> for Cluster<P> {
    fn now(&self) -> Time {
        self.now
    }
    fn nodes(&self) -> u32 {
        self.members.len() as u32
    }
    fn state(&self, node: NodeId) -> Option<&P> {
        self.members.get(node.0 as usize)?.state.as_ref()
    }
    fn clock(&self, node: NodeId) -> Time {
        let (clock, then) = self.members.get(node.0 as usize).map_or((self.now, self.now), |node| node.clock);
        clock + self.now.since(then)
    }
    fn linked(&self, from: NodeId, to: NodeId) -> bool {
        self.air.network(|network| network.is_linked(from, to))
    }
}

impl<P: Subject> Scene for Cluster<P> {
    fn nodes(&self) -> u32 {
        self.members.len() as u32
    }
    fn is_up(&self, node: NodeId) -> bool {
        self.state(node).is_some()
    }
    fn role(&self, node: NodeId) -> &'static str {
        self.state(node).map_or("", Protocol::role)
    }
    fn name(&self, node: NodeId) -> &str {
        self.names.get(node.0 as usize).map_or("", String::as_str)
    }
    fn region(&self, node: NodeId) -> &str {
        self.regions.get(node.0 as usize).map_or("", String::as_str)
    }
}

impl<P: Subject> Stage<P> for Cluster<P> {
    fn now(&self) -> Time {
        self.now
    }
    fn keys(&self) -> &Keys {
        &self.lives.keys
    }
    fn command(&mut self, at: Time, node: NodeId, id: CommandId, command: P::Command) {
        self.schedule(at, Due::Command { node, id, command });
    }
}
