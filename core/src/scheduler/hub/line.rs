//! Tasks that wait for one worker, until it has room.
//!
//! The hub keeps the line, not the worker: what waits can go to another at once if the worker is lost or found out.
//! A task that waits has no seat in the votes yet, nor a lease: if the worker goes, it goes back to the queue as if nothing
//! had been. Who is first in a worker's line goes first, and nobody in the line goes before it.

use std::collections::BTreeSet;

use super::Step;
use super::entry::TaskId;
use super::queue::{Key, QueuePolicy};
use super::state::Task;
use super::window::{Member, weight};
use crate::choice;
use crate::scheduler::trust::Identity;

choice! {
    /// When a task is given to a worker for good.
    pub enum Binding {
        /// When a worker has room: the node policy chooses among those that have. Only a planned task waits for one worker.
        Late,
        /// At once: the node policy chooses among all that could take it, and it waits for that one's room, first come, first
        /// served. It is sent when there is room.
        Push,
    }
}

impl Task {
    /// How many workers it wants that are still to be found.
    pub(super) fn free(&self) -> u32 {
        let is_held = self.place.as_ref().is_some_and(|place| !self.is_bound(place.worker));
        self.wanted.saturating_sub(self.bound.len() as u32 + u32::from(is_held))
    }

    /// Whether it waits at a worker.
    pub(super) fn is_bound(&self, who: Identity) -> bool {
        self.bound.iter().any(|(other, _)| *other == who)
    }

    /// Whether a worker is spoken for: it waits there, or is to.
    pub(super) fn is_promised(&self, who: Identity) -> bool {
        self.is_bound(who) || self.place.as_ref().is_some_and(|place| place.worker == who)
    }
}

impl Step<'_> {
    /// A task wants so many more workers.
    pub(super) fn want(&mut self, id: TaskId, wanted: u32) {
        let Some(task) = self.state.tasks.get_mut(&id) else { return };
        task.wanted = wanted;
        let too_many = task.bound.iter().skip(wanted as usize).rev().map(|(who, _)| *who);
        for who in too_many.collect::<Vec<_>>() {
            self.unbind(id, who);
        }
        self.requeue(id);
    }

    /// Puts a task into the queue, or takes it out, as it wants.
    pub(super) fn requeue(&mut self, id: TaskId) {
        let state = &mut *self.state;
        let Some(task) = state.tasks.get_mut(&id) else { return };
        let wants = task.free() > 0;
        if std::mem::replace(&mut task.is_wanting, wants) == wants {
            return;
        }
        if !wants {
            return state.queue.remove(task.lane, task.key, id);
        }
        let is_windowed = self.rules.hub.queue == QueuePolicy::Districloud;
        let member = || Member {
            submitted: task.submitted,
            weight: weight(&task.spec.needs),
            stale: 0,
            in_progress: task.live > 0,
        };
        if !is_windowed || state.queue.window.enter(id, member()) {
            state.queue.push(task.lane, task.key, id);
            self.wanting.insert((task.key, id));
        }
    }

    /// A task waits at a worker.
    pub(super) fn bind(&mut self, id: TaskId, who: Identity) -> bool {
        let state = &mut *self.state;
        let Some(task) = state.tasks.get_mut(&id) else { return false };
        if task.bound.len() >= task.wanted as usize || task.is_bound(who) {
            return false;
        }
        let place = match self.rules.hub.binding {
            Binding::Late => task.key,
            Binding::Push => state.queue.next_place(),
        };
        if !state.workers.line_up(who, (place, id), &task.spec) {
            return false;
        }
        task.bound.push((who, place));
        self.roomy.insert(who);
        self.requeue(id);
        true
    }

    /// A task waits at a worker no more. It is not put into the queue again by this alone.
    pub(super) fn unbind(&mut self, id: TaskId, who: Identity) {
        let state = &mut *self.state;
        let Some(task) = state.tasks.get_mut(&id) else { return };
        let Some(at) = task.bound.iter().position(|(other, _)| *other == who) else { return };
        let (_, place) = task.bound.remove(at);
        state.workers.step_out(who, (place, id), &task.spec);
        // Who was behind it may be the first now.
        self.roomy.insert(who);
    }

    /// Of those that are first in the lines of these workers, and for which there is room, the next one.
    pub(super) fn next_in_line(&self, roomy: &BTreeSet<Identity>) -> Option<((Key, TaskId), Identity)> {
        let first = |who: &Identity| {
            let worker = self.state.workers.worker(*who)?;
            let first = worker.line.first()?;
            let task = self.state.tasks.get(&first.1)?;
            worker.has_room(&task.spec.needs).then_some((*first, *who))
        };
        roomy.iter().filter_map(first).min()
    }

    /// The first in a worker's line gets room, or leaves the line if it may not have the worker.
    pub(super) fn advance(&mut self, id: TaskId, who: Identity) {
        let Some(task) = self.state.tasks.get(&id) else { return };
        let may = self.is_trusted(who, task.spec.trust) && !self.is_seated(who, id);
        if may && self.give(id, who) {
            return;
        }
        self.refused.insert((id, who));
        self.leave_line(id, who);
    }

    /// A task does not wait for a worker any more, nor is it planned there.
    pub(super) fn leave_line(&mut self, id: TaskId, who: Identity) {
        self.unbind(id, who);
        let task = self.state.tasks.get(&id);
        match task.and_then(|task| task.place.as_ref()).is_some_and(|place| place.worker == who) {
            true => self.unplan(id),
            false => self.requeue(id),
        }
    }

    /// A worker is gone, or gets nothing any more: nothing waits there.
    pub(super) fn clear_line(&mut self, who: Identity, line: &BTreeSet<(Key, TaskId)>) {
        for (_, id) in line {
            let id = *id;
            self.unbind(id, who);
            self.requeue(id);
        }
        self.unplan_all(who);
    }
}
