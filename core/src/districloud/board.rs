//! What the hub knows: tasks, nodes, trust.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use super::draw;
use super::messages::{Notice, Refusal, Spec, TaskId};
use super::parameters::{Config, Parameters};
use super::task::{Output, State, Task};
use super::{OVERLAP_MAX, TASKS_MAX};
use crate::contract::{Dice, Duration, NodeId, Time};
use crate::scheduler::trust::{Answer, Comparator, Draw, Fixed, TrustBook, Verdict, Votes};

/// Tasks, nodes, trust. What it says to observers is returned, in order.
#[derive(Clone, Debug, Serialize)]
pub struct Board {
    #[serde(skip)]
    pub(super) config: Arc<Config>,
    pub(super) members: BTreeMap<NodeId, Member>,
    pub(super) tasks: BTreeMap<TaskId, Task>,
    pub(super) book: TrustBook,
    next: u64,
}

/// A node, as the hub has it.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    /// Its cores.
    pub cpu: u32,
    /// Its memory.
    pub ram: u32,
    /// Its last heartbeat; before the first, the beginning.
    pub heard: Time,
    /// Whether there was a heartbeat.
    pub has_been_heard: bool,
    /// Whether it may be given tasks.
    pub active: bool,
    /// Its assignments without an answer, the oldest first.
    pub queue: VecDeque<TaskId>,
}

impl Board {
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self {
            config: Arc::clone(config),
            members: BTreeMap::new(),
            tasks: BTreeMap::new(),
            book: config.policy.book(),
            next: 0,
        }
    }

    /// Registers all nodes, with capacities and trust as drawn.
    pub(super) fn open(&mut self, now: Time, dice: &mut Dice<'_>) {
        let config = Arc::clone(&self.config);
        let Parameters { trust, malicious_trust, .. } = config.parameters;
        for node in config.members() {
            let (cpu, ram) = draw::capacity(dice);
            let drawn = draw::trust(dice);
            let set = if config.is_malicious(node) { malicious_trust.or(trust) } else { trust };
            config.policy.introduce(&mut self.book, node.into(), set.map_or(drawn, Fixed::of));
            let queue = VecDeque::new();
            let member = Member { cpu, ram, heard: now, has_been_heard: false, active: true, queue };
            self.members.insert(node, member);
        }
    }

    /// The tasks on the board, in the order in which they came.
    pub fn tasks(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.tasks.iter().map(|(id, task)| (*id, task))
    }

    /// A task on the board.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(&id)
    }

    /// The nodes.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (NodeId, &Member)> {
        self.members.iter().map(|(node, member)| (*node, member))
    }

    /// How far a node is trusted.
    #[must_use]
    pub fn trust(&self, node: NodeId) -> Fixed {
        self.book.standing(node.into()).trust
    }

    /// Who may be given a task: active nodes that are trusted enough and do not have it.
    pub fn candidates<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = (NodeId, &'a Member)> {
        self.members().filter(|(node, member)| {
            member.active && self.trust(*node) >= task.required && !task.assignments.contains_key(node)
        })
    }

    /// A client wants something done.
    ///
    /// # Errors
    /// If there are too many tasks, or it wants no node, or too many.
    pub(super) fn submit(
        &mut self,
        spec: Spec,
        now: Time,
        dice: &mut Dice<'_>,
    ) -> Result<(TaskId, Notice), Refusal> {
        if !(1..=OVERLAP_MAX).contains(&spec.overlap) {
            return Err(Refusal::Overlap);
        }
        if self.tasks.len() >= TASKS_MAX {
            return Err(Refusal::Full);
        }
        let trusts: Vec<Fixed> = self.members.keys().map(|&node| self.trust(node)).collect();
        let required = spec.trust.unwrap_or_else(|| draw::required(&trusts, spec.overlap, dice));
        let (state, assignments) = (State::Pending, BTreeMap::new());
        let task = Task { spec, required, created: now, state, stale: 0, assignments };
        let id = TaskId(self.next);
        self.next += 1;
        self.tasks.insert(id, task);
        Ok((id, Notice::Submitted(id)))
    }

    pub(super) fn hear(&mut self, node: NodeId, now: Time) {
        if let Some(member) = self.members.get_mut(&node) {
            (member.heard, member.has_been_heard, member.active) = (now, true, true);
        }
    }

    /// What a node is to do next, and how long that takes.
    #[must_use]
    pub fn work(&self, node: NodeId) -> Option<(TaskId, Duration)> {
        let id = *self.members.get(&node)?.queue.front()?;
        Some((id, self.tasks.get(&id)?.spec.work))
    }

    /// Whoever was silent for too long loses its assignments.
    pub(super) fn look(&mut self, now: Time) -> Vec<Notice> {
        let limit = self.config.parameters.inactive_after;
        let mut told = Vec::new();
        for (&node, member) in &mut self.members {
            if !member.active || now.since(member.heard) <= limit {
                continue;
            }
            member.active = false;
            told.push(Notice::Inactive(node));
            for id in member.queue.drain(..) {
                let Some(task) = self.tasks.get_mut(&id) else { continue };
                task.assignments.remove(&node);
                let nobody_has_it = task.assignments.is_empty();
                task.state = if nobody_has_it { State::InQueue } else { State::InProgress };
                told.push(Notice::Deleted(id, node));
            }
        }
        told
    }

    /// A node hands in an answer.
    pub(super) fn answer(
        &mut self,
        id: TaskId,
        node: NodeId,
        output: Output,
        dice: &mut Dice<'_>,
    ) -> Vec<Notice> {
        let assignment = self.tasks.get_mut(&id).and_then(|task| task.assignments.get_mut(&node));
        let Some(assignment @ None) = assignment else { return vec![Notice::Late(id, node)] };
        *assignment = Some(output);
        if let Some(member) = self.members.get_mut(&node) {
            member.queue.retain(|&open| open != id);
        }
        let mut told = vec![Notice::Answered(id, node)];
        told.extend(self.complete(id, dice));
        told
    }

    /// A task is complete when all who have it have answered; the flaw is that they may be too few.
    fn complete(&mut self, id: TaskId, dice: &mut Dice<'_>) -> Option<Notice> {
        let is_enough = self.config.parameters.short_completion;
        let task = self.tasks.get_mut(&id)?;
        let is_answered = task.answers() == task.assignments.len();
        if !is_answered || !(is_enough || task.wanting() == 0) {
            return None;
        }
        task.state = State::Completed;
        self.validate(id, dice)
    }

    /// Asks the trust policy. If answers are missing it asks for more, which nobody hears.
    fn validate(&mut self, id: TaskId, dice: &mut Dice<'_>) -> Option<Notice> {
        const COMPARATOR: Comparator = Comparator::Exact;
        let config = Arc::clone(&self.config);
        let task = self.tasks.get_mut(&id)?;
        let mut votes = Votes::new(Some(task.spec.overlap));
        for (&node, output) in &task.assignments {
            let drawn = config.policy.draw(&mut self.book, &mut votes, node.into(), 0, dice);
            let answer = match output.flatten() {
                Some(output) => COMPARATOR.read(&output.to_le_bytes()),
                None => Answer::Nothing,
            };
            if drawn == Draw::Work {
                let _ = votes.record(node.into(), answer); // It was asked just now.
            }
        }
        match config.policy.verdict(&self.book, &votes, &COMPARATOR) {
            Verdict::Ask(_) => None,
            Verdict::Fail(_) => {
                task.state = State::Failed;
                Some(Notice::Failed(id))
            }
            Verdict::Accept(accepted) => {
                config.policy.settle(&mut self.book, &mut votes, accepted, &COMPARATOR);
                let believed = task.assignments.iter().find(|(node, _)| accepted.answer == (**node).into());
                let output = believed.and_then(|(_, output)| output.flatten()).unwrap_or_default();
                self.tasks.remove(&id);
                Some(Notice::Validated { task: id, output, support: accepted.confidence })
            }
        }
    }
}
