//! The workers that are there, and what room they have.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::entry::{Capacity, CopyId, Needs, Spec, TaskId};
use super::health::Rhythm;
use super::queue::Key;
use crate::contract::{Duration, Time};
use crate::scheduler::trust::Identity;

/// A worker that is there.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Worker {
    pub(super) capacity: Capacity,
    pub(super) free_cores: u32,
    pub(super) free_ram: u64,
    pub(super) heard: Time,
    pub(super) rhythm: Rhythm,
    /// When its silence is looked for next.
    pub(super) listen_at: Time,
    /// What takes up room.
    pub(super) copies: BTreeSet<CopyId>,
    /// The work of those, at speed one.
    pub(super) backlog: Duration,
    /// It was found out: it gets nothing.
    pub(super) is_barred: bool,
    /// Tasks that wait for room here.
    pub(super) line: BTreeSet<(Key, TaskId)>,
    /// What those will take up.
    pub(super) line_cores: u64,
    pub(super) line_ram: u64,
    pub(super) line_work: Duration,
}

impl Worker {
    pub(super) fn new(capacity: Capacity, heard: Time, is_barred: bool) -> Self {
        let (free_cores, free_ram) = (capacity.cores, capacity.ram.0);
        Self {
            capacity,
            free_cores,
            free_ram,
            heard,
            rhythm: Rhythm::new(heard),
            listen_at: heard,
            copies: BTreeSet::new(),
            backlog: Duration::ZERO,
            is_barred,
            line: BTreeSet::new(),
            line_cores: 0,
            line_ram: 0,
            line_work: Duration::ZERO,
        }
    }

    /// Whether it could take a task of these needs if it were idle.
    pub(super) fn could_take(&self, needs: &Needs) -> bool {
        let has = |tag| self.capacity.tags.binary_search(tag).is_ok();
        !self.is_barred
            && self.capacity.cores >= needs.cores
            && self.capacity.ram >= needs.ram
            && needs.tags.iter().all(has)
    }

    /// Whether it can take one now.
    pub(super) fn has_room(&self, needs: &Needs) -> bool {
        self.free_cores >= needs.cores && self.free_ram >= needs.ram.0 && self.could_take(needs)
    }

    /// How long work takes here that has one core.
    pub(super) fn takes(&self, work: Duration) -> Duration {
        self.capacity.takes(work)
    }

    /// How long data takes to come here.
    pub(super) fn receives(&self, bytes: u64) -> Duration {
        self.capacity.receives(bytes)
    }

    /// The work that it has or that waits here, shared by its cores.
    pub(super) fn occupied(&self) -> Duration {
        Duration::from_nanos(
            self.takes(self.backlog + self.line_work).as_nanos() / u64::from(self.capacity.cores.max(1)),
        )
    }
}

/// All workers that are there, by their name and by their room.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Workers {
    all: BTreeMap<Identity, Worker>,
    /// Those with a free core, by how many of them.
    by_room: BTreeSet<(u32, Identity)>,
    with_room: BTreeSet<Identity>,
    /// Whom the node policy chose last.
    pub(super) last: Option<Identity>,
}

/// In which order to look for room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Walk {
    /// The fewest free cores first.
    Tight,
    /// The most free cores first.
    Loose,
    /// From this worker on, and around.
    From(Identity),
}

impl Workers {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn worker(&self, who: Identity) -> Option<&Worker> {
        self.all.get(&who)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Identity, &Worker)> {
        self.all.iter().map(|(who, worker)| (*who, worker))
    }

    pub(super) fn insert(&mut self, who: Identity, worker: Worker) {
        self.index(who, worker.free_cores, !worker.is_barred);
        self.all.insert(who, worker);
    }

    pub(super) fn remove(&mut self, who: Identity) -> Option<Worker> {
        let worker = self.all.remove(&who)?;
        self.index(who, worker.free_cores, false);
        Some(worker)
    }

    fn index(&mut self, who: Identity, free_cores: u32, is_in: bool) {
        if is_in && free_cores > 0 {
            self.by_room.insert((free_cores, who));
            self.with_room.insert(who);
        } else {
            self.by_room.remove(&(free_cores, who));
            self.with_room.remove(&who);
        }
    }

    /// A worker has another number of free cores than before.
    fn move_over(&mut self, who: Identity, before: u32) {
        let Some(worker) = self.all.get(&who).filter(|worker| !worker.is_barred) else { return };
        let after = worker.free_cores;
        if before == after {
            return;
        }
        self.by_room.remove(&(before, who));
        if after > 0 {
            self.by_room.insert((after, who));
        }
        match (before, after) {
            (0, _) => _ = self.with_room.insert(who),
            (_, 0) => _ = self.with_room.remove(&who),
            _ => {}
        }
    }

    /// A worker said something. False if it is not there.
    pub(super) fn hear(&mut self, who: Identity, at: Time) -> bool {
        self.all.get_mut(&who).map(|worker| worker.heard = at).is_some()
    }

    /// A heartbeat came.
    pub(super) fn beat(&mut self, who: Identity, at: Time, window: u32) {
        if let Some(worker) = self.all.get_mut(&who) {
            worker.rhythm.beat(at, window);
        }
    }

    /// When its silence is looked for next.
    pub(super) fn listen(&mut self, who: Identity, at: Time) {
        if let Some(worker) = self.all.get_mut(&who) {
            worker.listen_at = at;
        }
    }

    /// A worker gets nothing any more.
    pub(super) fn bar(&mut self, who: Identity) {
        if let Some(worker) = self.all.get_mut(&who) {
            worker.is_barred = true;
            let free_cores = worker.free_cores;
            self.index(who, free_cores, false);
        }
    }

    /// Takes up room for a copy. False, and nothing happens, if there is not enough.
    pub(super) fn reserve(&mut self, who: Identity, copy: CopyId, needs: &Needs, work: Duration) -> bool {
        let Some(worker) = self.all.get_mut(&who).filter(|worker| worker.has_room(needs)) else {
            return false;
        };
        let before = worker.free_cores;
        worker.free_cores -= needs.cores;
        worker.free_ram -= needs.ram.0;
        worker.backlog += work;
        worker.copies.insert(copy);
        self.move_over(who, before);
        true
    }

    /// Gives back the room of a copy. False, and nothing happens, if it took up none.
    pub(super) fn release(&mut self, who: Identity, copy: CopyId, needs: &Needs, work: Duration) -> bool {
        let Some(worker) = self.all.get_mut(&who) else { return false };
        if !worker.copies.remove(&copy) {
            return false;
        }
        let before = worker.free_cores;
        worker.free_cores = worker.free_cores.saturating_add(needs.cores).min(worker.capacity.cores);
        worker.free_ram = worker.free_ram.saturating_add(needs.ram.0).min(worker.capacity.ram.0);
        worker.backlog = worker.backlog.saturating_sub(work);
        self.move_over(who, before);
        true
    }

    /// A task waits at a worker. False, and nothing happens, if the worker is not there.
    pub(super) fn line_up(&mut self, who: Identity, place: (Key, TaskId), spec: &Spec) -> bool {
        let Some(worker) = self.all.get_mut(&who) else { return false };
        worker.line.insert(place);
        worker.line_cores += u64::from(spec.needs.cores);
        worker.line_ram = worker.line_ram.saturating_add(spec.needs.ram.0);
        worker.line_work += spec.work;
        true
    }

    /// A task waits there no more.
    pub(super) fn step_out(&mut self, who: Identity, place: (Key, TaskId), spec: &Spec) {
        let Some(worker) = self.all.get_mut(&who).filter(|worker| worker.line.contains(&place)) else {
            return;
        };
        worker.line.remove(&place);
        worker.line_cores = worker.line_cores.saturating_sub(spec.needs.cores.into());
        worker.line_ram = worker.line_ram.saturating_sub(spec.needs.ram.0);
        worker.line_work = worker.line_work.saturating_sub(spec.work);
    }

    /// Those with a free core, the one with the most first.
    pub(super) fn idlest(&self) -> impl Iterator<Item = (Identity, &Worker)> {
        self.by_room.iter().rev().filter_map(|(_, who)| Some((*who, self.all.get(who)?)))
    }

    /// Those with room for these needs.
    pub(super) fn with_room(&self, needs: &Needs, walk: Walk) -> impl Iterator<Item = (Identity, &Worker)> {
        let enough = (needs.cores.max(1), Identity(0));
        let (tight, loose, around) = match walk {
            Walk::Tight => (Some(self.by_room.range(enough..)), None, None),
            Walk::Loose => (None, Some(self.by_room.range(enough..).rev()), None),
            Walk::From(first) => {
                let after = self.with_room.range(first..);
                let before = self.with_room.range((Bound::Unbounded, Bound::Excluded(first)));
                (None, None, Some(after.chain(before)))
            }
        };
        let by_room = tight.into_iter().flatten().chain(loose.into_iter().flatten()).map(|(_, who)| who);
        let all = by_room.chain(around.into_iter().flatten());
        let found = all.filter_map(|who| Some((*who, self.all.get(who)?)));
        found.filter(|(_, worker)| worker.has_room(needs))
    }

    /// Those that could take a task of these needs and have no room for it, from some worker on, and around.
    pub(super) fn without_room(
        &self,
        needs: &Needs,
        walk: Walk,
    ) -> impl Iterator<Item = (Identity, &Worker)> {
        let first = match walk {
            Walk::From(first) => first,
            Walk::Tight | Walk::Loose => Identity(self.last.map_or(0, |last| last.0.saturating_add(1))),
        };
        let all = self.all.range(first..).chain(self.all.range(..first));
        let found = all.filter(|(_, worker)| worker.could_take(needs) && !worker.has_room(needs));
        found.map(|(who, worker)| (*who, worker))
    }

    /// The highest name of a worker with room, to draw one below it.
    pub(super) fn highest(&self) -> Option<Identity> {
        self.with_room.last().copied()
    }

    /// The highest name of all.
    pub(super) fn last_name(&self) -> Option<Identity> {
        self.all.keys().next_back().copied()
    }

    /// Whether the indexes say what the workers are.
    pub(super) fn is_sound(&self) -> bool {
        let open = || self.all.iter().filter(|(_, worker)| !worker.is_barred && worker.free_cores > 0);
        open().map(|(who, worker)| (worker.free_cores, *who)).collect::<BTreeSet<_>>() == self.by_room
            && open().map(|(who, _)| who).eq(&self.with_room)
    }
}
