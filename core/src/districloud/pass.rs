//! One orchestration pass: which tasks become active, and who gets them.

use std::cmp::Reverse;
use std::sync::Arc;

use super::board::{Board, Member};
use super::messages::{Notice, TaskId};
use super::parameters::{Parameters, Rule};
use super::task::{State, Task};
use crate::contract::{Dice, NodeId, Time};

/// A task for which no node was found so often is given up.
const STALE_MAX: u32 = 50;

impl Board {
    /// The steps of a pass, in their order.
    pub(super) fn pass(&mut self, now: Time, dice: &mut Dice<'_>) -> Vec<Notice> {
        self.reorder(now);
        self.give_up_stale();
        self.admit(now);
        let mut told = self.assign(dice);
        self.retry();
        told.extend(self.purge());
        told
    }

    /// The least of the queued tasks gives way to the greatest of the pending ones, if that is enough more.
    pub(super) fn reorder(&mut self, now: Time) {
        let of = |state| self.tasks().filter(move |(_, task)| task.state == state);
        let key = |(id, task): &(TaskId, &Task)| (task.priority(now), Reverse(*id));
        let low = of(State::InQueue).min_by_key(key);
        let high = of(State::Pending).max_by_key(key);
        let (Some((low, least)), Some((high, greatest))) = (low, high) else { return };
        if least.gives_way(now, greatest.priority(now)) {
            self.move_to(low, State::Pending);
            self.move_to(high, State::InQueue);
        }
    }

    pub(super) fn give_up_stale(&mut self) {
        for task in self.tasks.values_mut() {
            if task.state == State::InQueue && task.stale >= STALE_MAX {
                task.state = State::Failed;
            }
        }
    }

    /// Pending tasks fill the active queue: the oldest, or those of the highest priority.
    pub(super) fn admit(&mut self, now: Time) {
        let Parameters { active, rule, .. } = self.config.parameters;
        let taken = self.tasks.values().filter(|task| task.is_active()).count();
        let room = (active as usize).saturating_sub(taken);
        if room == 0 {
            return;
        }
        let waiting = self.tasks().filter(|(_, task)| task.state == State::Pending);
        let mut waiting: Vec<(Reverse<i128>, TaskId)> = match rule {
            Rule::Fifo => waiting.map(|(id, _)| (Reverse(0), id)).collect(),
            _ => waiting.map(|(id, task)| (Reverse(task.priority(now)), id)).collect(),
        };
        waiting.sort_unstable();
        for (_, id) in waiting.into_iter().take(room) {
            self.move_to(id, State::InQueue);
        }
    }

    /// Active tasks are given to as many nodes as they still want. Nothing looks at capacity, nor (but for our own rules) at
    /// what a node has to do already.
    pub(super) fn assign(&mut self, dice: &mut Dice<'_>) -> Vec<Notice> {
        let wanting = self.tasks().filter(|(_, task)| task.is_active() && task.wanting() > 0);
        let wanting: Vec<TaskId> = wanting.map(|(id, _)| id).collect();
        let mut told = Vec::new();
        for id in wanting {
            let chosen = self.chosen(&self.tasks[&id], dice);
            let is_stale = chosen.is_empty() && self.candidates(&self.tasks[&id]).next().is_none();
            let Some(task) = self.tasks.get_mut(&id) else { continue };
            task.stale = task.stale.saturating_add(u32::from(is_stale));
            for node in chosen {
                task.state = State::InProgress;
                task.assignments.insert(node, None);
                if let Some(member) = self.members.get_mut(&node) {
                    member.queue.push_back(id);
                }
                told.push(Notice::Assigned(id, node));
            }
        }
        told
    }

    /// Which nodes get a task, of those that may.
    fn chosen(&self, task: &Task, dice: &mut Dice<'_>) -> Vec<NodeId> {
        let config = Arc::clone(&self.config);
        let Parameters { rule, oldest_heartbeat, blind_fit, .. } = config.parameters;
        let mut candidates: Vec<(NodeId, &Member)> = self.candidates(task).collect();
        let queue = |(node, member): &(NodeId, &Member)| (member.queue.len(), self.trust(*node));
        match rule {
            Rule::Custom => candidates.sort_by_key(|(node, member)| {
                let (cpu, ram) = self.free(member);
                let is_too_small = !blind_fit && !task.fits(member);
                (is_too_small, task.misfit(cpu, ram), Reverse(self.trust(*node)))
            }),
            Rule::Fifo if oldest_heartbeat => candidates.sort_by_key(|(_, member)| member.heard),
            Rule::Fifo => candidates.sort_by_key(|(_, member)| Reverse(member.heard)),
            Rule::Random => dice.shuffle(&mut candidates),
            Rule::ShortestQueue => candidates.sort_by_key(queue),
            Rule::LateBinding => {
                candidates.retain(|(_, member)| member.queue.is_empty());
                candidates.sort_by_key(queue);
            }
        }
        candidates.into_iter().take(task.wanting()).map(|(node, _)| node).collect()
    }

    /// What the scheduler takes to be free at a node: it has no queue of its own, and works on one task at a time.
    fn free(&self, member: &Member) -> (u32, u32) {
        let is_unread = self.config.parameters.unread_capacity && member.has_been_heard;
        if is_unread { (0, 0) } else { (member.cpu, member.ram) }
    }

    /// What failed begins again, as often as it takes: a failed validation does not make it stale.
    pub(super) fn retry(&mut self) {
        for task in self.tasks.values_mut() {
            if task.state == State::Failed && task.stale < STALE_MAX {
                task.assignments.clear();
                task.state = State::Pending;
            }
        }
    }

    pub(super) fn purge(&mut self) -> Vec<Notice> {
        let gone =
            self.tasks.extract_if(.., |_, task| task.state == State::Failed && task.stale >= STALE_MAX);
        gone.map(|(id, _)| Notice::Purged(id)).collect()
    }

    fn move_to(&mut self, id: TaskId, state: State) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.state = state;
        }
    }
}
