//! Tasks that want a worker, and workers that have room.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::ops::Bound;
use std::sync::Arc;

use smallvec::SmallVec;

use super::Step;
use super::entry::{CopyId, Needs, Output, TaskId};
use super::line::Binding;
use super::node::{Candidate, NodePolicy};
use super::plan::DagPolicy;
use super::queue::{Key, Lane, LaneId, QueuePolicy};
use super::state::{Alarm, Hold, Task, Turn};
use super::workers::{Walk, Worker};
use crate::contract::Duration;
use crate::scheduler::trust::{Draw, Fixed, Identity};
use crate::settings::Bytes;

/// So many tasks of a lane in a row may have had all workers with room before the rest of the lane is left for later: a
/// crowd of tasks that one worker cannot take twice must not cost time at each of its answers.
const MISSES_MAX: u32 = 256;
/// So many workers in a row may be refused a task.
const REFUSALS_MAX: usize = 64;
/// So often a worker draws a spot-check for which the hub knows no answer before it is passed over.
const DRAWS_MAX: u32 = 64;
/// Counts days for daily quotas.
const DAY: u64 = 86_400_000_000_000;

/// Those that the node policy compares: often there are few.
type Candidates = SmallVec<[Candidate; 4]>;

/// How far through a lane a look has come.
#[derive(Default)]
struct Cursor {
    after: Option<(Key, TaskId)>,
    misses: u32,
}

impl Step<'_> {
    /// Afterwards, no queued task could be taken by a worker with room.
    pub(super) fn dispatch(&mut self) {
        if self.rules.hub.queue == QueuePolicy::Districloud {
            self.turn_window();
        }
        // Where tasks are bound at once, a worker that has room would take them all if it were asked first.
        let is_push = self.rules.hub.binding == Binding::Push;
        loop {
            if (is_push || self.roomy.is_empty())
                && let Some((_, id)) = self.wanting.pop_first()
            {
                let lane = self.state.tasks.get(&id).and_then(|task| self.state.queue.lane(task.lane));
                if lane.is_some_and(|lane| !lane.is_blocked) {
                    self.place(id, None);
                }
            } else if self.roomy.is_empty() {
                return;
            } else {
                let roomy = mem::take(&mut self.roomy);
                self.fill(&roomy);
            }
        }
    }

    /// DistriCloud's first and third step.
    fn turn_window(&mut self) {
        let state = &mut *self.state;
        let pass = state.queue.window.pass(state.now, self.rules.hub.active);
        if let Some((id, task)) = pass.out.and_then(|id| Some((id, state.tasks.get(&id)?))) {
            state.queue.remove(task.lane, task.key, id);
        }
        for id in pass.into {
            if let Some(task) = state.tasks.get(&id).filter(|task| task.is_wanting) {
                state.queue.push(task.lane, task.key, id);
                self.wanting.insert((task.key, id));
            }
        }
    }

    /// Gives queued tasks, the next one first, to workers that may have room.
    fn fill(&mut self, roomy: &BTreeSet<Identity>) {
        let mut cursors: BTreeMap<LaneId, Cursor> = BTreeMap::new();
        let is_push = self.rules.hub.binding == Binding::Push;
        loop {
            let (queued, bound) = (self.next_for(roomy, &cursors), self.next_in_line(roomy));
            let goes_first = |(place, _): &((Key, TaskId), Identity)| {
                is_push || queued.is_none_or(|(_, next)| *place < next)
            };
            if let Some(((_, id), who)) = bound.filter(goes_first) {
                self.advance(id, who);
                continue;
            }
            let Some((lane, next)) = queued else { break };
            let placed = self.place(next.1, Some(roomy));
            let cursor = cursors.entry(lane).or_default();
            cursor.after = Some(next);
            cursor.misses = if placed { 0 } else { cursor.misses + 1 };
            if !placed {
                self.pass_over(lane, roomy, cursor);
            }
        }
        // There is room left for these, but only for tasks that are new to who has it.
        let open = self.state.queue.busy().filter(|(_, lane)| self.has_room(roomy, lane));
        for lane in open.map(|(id, _)| id).collect::<Vec<_>>() {
            self.state.queue.block(lane, false);
        }
    }

    /// The next task after the cursors for which one of these workers has room.
    fn next_for(
        &self,
        roomy: &BTreeSet<Identity>,
        cursors: &BTreeMap<LaneId, Cursor>,
    ) -> Option<(LaneId, (Key, TaskId))> {
        let idle = |who: &Identity| self.state.workers.worker(*who).is_some_and(|it| it.free_cores > 0);
        if self.rules.hub.binding == Binding::Late && !roomy.iter().any(idle) {
            return None;
        }
        let nexts = self.state.queue.busy().filter_map(|(id, lane)| {
            let next = match cursors.get(&id) {
                Some(cursor) if cursor.misses >= MISSES_MAX => None,
                Some(Cursor { after: Some(after), .. }) => {
                    lane.queue.range((Bound::Excluded(*after), Bound::Unbounded)).next()
                }
                _ => lane.queue.first(),
            }?;
            self.has_room(roomy, lane).then_some((*next, id))
        });
        nexts.min().map(|(next, lane)| (lane, next))
    }

    /// Goes on over tasks that each of these workers with room has or had: asking the node policy costs more. Policies that
    /// draw are asked all the same.
    fn pass_over(&self, id: LaneId, roomy: &BTreeSet<Identity>, cursor: &mut Cursor) {
        let is_drawn = matches!(self.rules.hub.node, NodePolicy::Random | NodePolicy::PowerOfD);
        let Some(lane) = self.state.queue.lane(id).filter(|_| !is_drawn) else { return };
        let open = roomy.iter().filter(|who| self.fits(**who, lane));
        let had: Option<Vec<&BTreeSet<TaskId>>> = open.map(|who| self.state.seats.get(who)).collect();
        let (Some(had), Some(after)) = (had.filter(|had| !had.is_empty()), cursor.after) else { return };
        for next in lane.queue.range((Bound::Excluded(after), Bound::Unbounded)) {
            if cursor.misses >= MISSES_MAX || !had.iter().all(|tasks| tasks.contains(&next.1)) {
                return;
            }
            cursor.after = Some(*next);
            cursor.misses += 1;
        }
    }

    fn has_room(&self, roomy: &BTreeSet<Identity>, lane: &Lane) -> bool {
        roomy.iter().any(|who| self.fits(*who, lane))
    }

    /// Whether a worker may be chosen for tasks of this lane.
    fn fits(&self, who: Identity, lane: &Lane) -> bool {
        let worker = self.state.workers.worker(who);
        worker.is_some_and(|worker| self.accepts(worker, &lane.shape.needs))
            && self.is_trusted(who, lane.shape.trust)
    }

    /// Whether a worker may be chosen for a task of these needs.
    fn accepts(&self, worker: &Worker, needs: &Needs) -> bool {
        match self.rules.hub.binding {
            Binding::Late => worker.has_room(needs),
            Binding::Push => worker.could_take(needs),
        }
    }

    pub(super) fn is_trusted(&self, who: Identity, least: Fixed) -> bool {
        least == Fixed::ZERO || self.state.book.standing(who).trust >= least
    }

    /// Whether a worker has or had an undecided task.
    pub(super) fn is_seated(&self, who: Identity, id: TaskId) -> bool {
        self.state.seats.get(&who).is_some_and(|tasks| tasks.contains(&id))
    }

    /// Gives a task to workers, of these if they are named, until it wants no more or there are none. True if it was given
    /// to somebody.
    fn place(&mut self, id: TaskId, among: Option<&BTreeSet<Identity>>) -> bool {
        let (mut refusals, mut placed) = (0, false);
        while let Some(task) =
            self.state.tasks.get(&id).filter(|task| task.is_wanting && task.stage.is_ready())
        {
            let (needs, lane) = (task.spec.needs.clone(), task.lane);
            let earliest = task.is_ranked && self.rules.hub.dag == DagPolicy::DynamicList;
            let (candidates, is_full) = self.candidates(id, among);
            let Self { rules, state, dice, .. } = self;
            let chosen = if earliest {
                let end = |it: &Candidate| it.delay(&needs) + it.transfer + it.takes;
                candidates.iter().min_by_key(|it| (end(it), it.who)).map(|it| it.who)
            } else {
                rules.hub.node.choose(&needs, &candidates, rules.hub.choices, state.workers.last, dice)
            };
            let Some(who) = chosen else {
                if among.is_none() && is_full {
                    state.queue.block(lane, true);
                }
                break;
            };
            let is_taken = match self.rules.hub.binding {
                Binding::Late => self.give(id, who),
                Binding::Push => self.bind(id, who),
            };
            match is_taken {
                true => {
                    self.state.workers.last = Some(who);
                    placed = true;
                }
                false if refusals >= REFUSALS_MAX => break,
                false => {
                    refusals += 1;
                    self.refused.insert((id, who));
                }
            }
        }
        placed
    }

    /// Who may take a task, as many as are compared; and whether nobody has room, not even who had it before.
    fn candidates(&mut self, id: TaskId, among: Option<&BTreeSet<Identity>>) -> (Candidates, bool) {
        let walk = self.walk();
        let Some(task) = self.state.tasks.get(&id) else { return (Candidates::new(), false) };
        let workers = &self.state.workers;
        let needs = &task.spec.needs;
        let named = among.into_iter().flatten().filter_map(|who| Some((*who, workers.worker(*who)?)));
        let named = named.filter(|(_, worker)| self.accepts(worker, needs));
        let is_push = self.rules.hub.binding == Binding::Push;
        let roomy = among.is_none().then(|| workers.with_room(needs, walk));
        let others = (among.is_none() && is_push).then(|| workers.without_room(needs, walk));
        let all = roomy.into_iter().flatten().chain(others.into_iter().flatten());
        let mut is_full = true;
        let found = named.chain(all).filter(|(who, _)| {
            let is_trusted = self.is_trusted(*who, task.spec.trust);
            is_full &= !is_trusted;
            is_trusted
                && !self.is_seated(*who, id)
                && !task.is_promised(*who)
                && !self.refused.contains(&(id, *who))
        });
        let found = found.take(self.rules.hub.candidates as usize);
        let found = found.map(|(who, worker)| self.candidate(task, who, worker)).collect();
        (found, is_full)
    }

    /// Where to look first: where the policy's choice is likely to be.
    fn walk(&mut self) -> Walk {
        let workers = &self.state.workers;
        match self.rules.hub.node {
            NodePolicy::Districloud | NodePolicy::BestFit => Walk::Tight,
            NodePolicy::ShortestQueue
            | NodePolicy::LeastLoaded
            | NodePolicy::Spread
            | NodePolicy::Locality => Walk::Loose,
            NodePolicy::Random | NodePolicy::PowerOfD => {
                let last = match self.rules.hub.binding {
                    Binding::Late => workers.highest(),
                    Binding::Push => workers.last_name(),
                };
                let names = last.map_or(0, |who| who.0.saturating_add(1));
                Walk::From(Identity(self.dice.below(names)))
            }
            NodePolicy::RoundRobin => {
                Walk::From(Identity(workers.last.map_or(0, |last| last.0.saturating_add(1))))
            }
        }
    }

    fn candidate(&self, task: &Task, who: Identity, worker: &Worker) -> Candidate {
        let is_listed = task.is_ranked && self.rules.hub.dag == DagPolicy::DynamicList;
        let transfer = match self.rules.hub.node {
            NodePolicy::Locality => worker.receives(self.missing_bytes(task, who)),
            _ if is_listed => worker.receives(self.missing_bytes(task, who)),
            _ => Duration::ZERO,
        };
        Candidate {
            who,
            cores: worker.capacity.cores,
            free_cores: u64::from(worker.free_cores).saturating_sub(worker.line_cores) as u32,
            taken_cores: u64::from(worker.capacity.cores.saturating_sub(worker.free_cores))
                + worker.line_cores,
            ram: worker.capacity.ram,
            free_ram: Bytes(worker.free_ram.saturating_sub(worker.line_ram)),
            copies: (worker.copies.len() + worker.line.len()) as u32,
            trust: self.state.book.standing(who).trust,
            occupied: worker.occupied(),
            transfer,
            takes: worker.takes(task.spec.work),
        }
    }

    /// What a worker must be sent: the input, and what others made for the task.
    fn missing_bytes(&self, task: &Task, who: Identity) -> u64 {
        let is_there = |giver: &TaskId| {
            let accepted = self.state.tasks.get(giver).and_then(|giver| giver.votes.accepted());
            accepted.is_some_and(|accepted| accepted.answer == who)
        };
        let others = task.givers.iter().filter(|(giver, _)| !is_there(giver)).map(|(_, data)| data.0);
        others.fold(task.spec.input.0, u64::saturating_add)
    }

    /// Gives a worker a task, or a spot-check in its place; false if it gets neither.
    pub(super) fn give(&mut self, id: TaskId, who: Identity) -> bool {
        for _ in 0..DRAWS_MAX {
            let (rules, state) = (self.rules, &mut *self.state);
            let Some(task) = state.tasks.get_mut(&id) else { return false };
            let policy = rules.policy(task.spec.validation);
            let day = state.now.0 / DAY;
            match policy.draw(&mut state.book, &mut task.votes, who, day, &mut self.dice) {
                Draw::Refused(_) => return false,
                Draw::SpotCheck => {
                    self.learn(id);
                    if self.spot_check(who) {
                        return true;
                    }
                }
                Draw::Work => {
                    self.hand_out(id, who);
                    return true;
                }
            }
        }
        false
    }

    fn hand_out(&mut self, id: TaskId, who: Identity) {
        let data = self.state.tasks.get(&id).map_or(0, |task| self.missing_bytes(task, who));
        let state = &mut *self.state;
        let Some(task) = state.tasks.get_mut(&id) else { return };
        let (attempt, needs, work) = (task.attempt, task.spec.needs.clone(), task.spec.work);
        let bytes = data.saturating_add(task.spec.output.0);
        let data = Bytes(data);
        task.live += 1;
        task.extra = task.extra.saturating_sub(1);
        state.seats.entry(who).or_default().insert(id);
        if self.rules.hub.queue == QueuePolicy::Fair {
            state.queue.shares.advance(u128::try_from(task.key.policy()).unwrap_or_default());
        }
        let planned = task.place.as_ref().is_some_and(|place| place.worker == who);
        let call = Arc::clone(&task.spec.call);
        let turn =
            Turn { task: id, attempt, worker: who, needs, work, call, data, hold: Hold::Live, right: None };
        let copy = self.start(turn, bytes);
        if let Some(task) = self.state.tasks.get_mut(&id) {
            task.copies.push(copy);
        }
        self.unbind(id, who);
        self.weigh(id);
        if planned {
            self.unplan(id);
        }
    }

    /// A turn begins; its worker has room for it.
    pub(super) fn start(&mut self, turn: Turn, bytes: u64) -> CopyId {
        let (hub, state) = (&self.rules.hub, &mut *self.state);
        let copy = CopyId(state.next_copy);
        state.next_copy += 1;
        let (worker, task) = (turn.worker, turn.task);
        let (call, work, data) = (Arc::clone(&turn.call), turn.work, turn.data);
        let takes = |it: &Worker| it.takes(turn.work) + it.receives(bytes);
        let expected = state.workers.worker(worker).map_or(Duration::ZERO, takes);
        let lease = state.now + hub.lease.max(expected * u64::from(hub.lease_times));
        state.alarms.insert((lease, Alarm::Lease(copy)));
        if hub.stragglers > 0 && turn.right.is_none() {
            let late = state.now + expected * u64::from(hub.stragglers);
            state.alarms.insert((late, Alarm::Straggler(copy)));
        }
        let has_room = state.workers.reserve(worker, copy, &turn.needs, turn.work);
        debug_assert!(has_room, "{worker:?} was chosen without room");
        state.copies.insert(copy, turn);
        self.outputs.push(Output::Assign { worker, task, copy, call, work, data, lease });
        copy
    }
}
