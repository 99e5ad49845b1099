//! What workers do: who has which core, how busy they are, and whether more is on one than it has.

use std::collections::BTreeMap;

use super::super::Cluster;
use super::super::messages::How;
use super::Seen;
use crate::contract::{Bar, Duration, Ending, Findings, Lanes, NodeId, Time};
use crate::scheduler::hub::{CopyId, Hub, TaskId};

/// What a worker is doing.
#[derive(Clone, Debug)]
struct Running {
    task: Option<TaskId>,
    cores: u32,
    ram: u64,
    from: Time,
    lanes: Vec<u32>,
    label: String,
    group: String,
}

/// CPU time that went to a copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) task: Option<TaskId>,
    pub(super) time: Duration,
}

/// All workers of a run.
#[derive(Clone, Debug)]
pub(super) struct Machines {
    running: BTreeMap<(NodeId, CopyId), Running>,
    lanes: Lanes,
    /// Cores of workers that are up.
    cores: BTreeMap<NodeId, u32>,
    /// All of those, and those that work.
    all: u64,
    busy: u64,
    /// Core-seconds of work, and of being there.
    worked: f64,
    there: f64,
    since: Time,
}

impl Machines {
    pub(super) fn new() -> Self {
        Self {
            running: BTreeMap::new(),
            lanes: Lanes::default(),
            cores: BTreeMap::new(),
            all: 0,
            busy: 0,
            worked: 0.0,
            there: 0.0,
            since: Time::ZERO,
        }
    }

    /// Adds up what was done since the last change.
    fn pass(&mut self, now: Time) {
        let seconds = now.since(self.since).as_secs_f64();
        self.worked += self.busy as f64 * seconds;
        self.there += self.all as f64 * seconds;
        self.since = now;
    }

    fn show(&self, now: Time, findings: &mut Findings) {
        if self.all > 0 {
            findings.series("utilisation_now", now, self.busy as f64 / self.all as f64);
        }
    }

    pub(super) fn began(
        &mut self,
        node: NodeId,
        copy: CopyId,
        hub: Option<&Hub>,
        view: Seen<'_>,
        findings: &mut Findings,
    ) {
        let now = view.now();
        self.pass(now);
        let Some(worker) = view.state(node).and_then(Cluster::worker) else { return };
        let capacity = worker.capacity();
        let before = self.cores.insert(node, capacity.cores).unwrap_or_default();
        self.all = self.all + u64::from(capacity.cores) - u64::from(before);
        findings.lanes(node, capacity.cores);
        let task = hub.and_then(|hub| hub.task_of(copy));
        let it = task.and_then(|(id, _)| Some((id, hub?.task(id)?)));
        let running = Running {
            task: task.filter(|(_, is_check)| !is_check).map(|(id, _)| id),
            cores: it.map_or(1, |(_, it)| it.spec.needs.cores),
            ram: it.map_or(0, |(_, it)| it.spec.needs.ram.0),
            from: now,
            lanes: self.lanes.take(node, it.map_or(1, |(_, it)| it.spec.needs.cores)),
            label: it.map_or_else(String::new, |(_, it)| it.spec.name.clone()),
            group: it.map_or_else(String::new, |(_, it)| format!("user {}", it.user.0)),
        };
        self.busy += u64::from(running.cores);
        self.running.insert((node, copy), running);
        let mine = self.running.range((node, CopyId(0))..=(node, CopyId(u64::MAX)));
        let (cores, ram) = mine.fold((0_u64, 0_u64), |(cores, ram), (_, running)| {
            (cores + u64::from(running.cores), ram.saturating_add(running.ram))
        });
        if cores > u64::from(capacity.cores) || ram > capacity.ram.0 {
            findings.violation("capacity-is-respected", now, || {
                let (has, bytes) = (capacity.cores, capacity.ram.0);
                format!("{node} works with {cores} cores and {ram} bytes, and has {has} and {bytes}")
            });
        }
        self.show(now, findings);
    }

    /// A worker is through with a copy; none if it was not at it.
    pub(super) fn ended(
        &mut self,
        node: NodeId,
        copy: CopyId,
        how: Option<How>,
        now: Time,
        findings: &mut Findings,
    ) -> Option<Spent> {
        self.pass(now);
        let running = self.running.remove(&(node, copy))?;
        self.busy = self.busy.saturating_sub(running.cores.into());
        self.lanes.free(node, &running.lanes);
        let end = match how {
            None => Ending::Lost,
            Some(How::Answered) => Ending::Done,
            Some(How::Failed) => Ending::Failed,
            Some(How::Stopped) => Ending::Stopped,
        };
        bars(node, &running, now, end, findings);
        self.show(now, findings);
        Some(Spent { task: running.task, time: now.since(running.from) })
    }

    /// A worker is down, and what it was at is lost.
    pub(super) fn down(&mut self, node: NodeId, now: Time, findings: &mut Findings) -> Vec<Spent> {
        let mine = self.running.range((node, CopyId(0))..=(node, CopyId(u64::MAX)));
        let copies: Vec<CopyId> = mine.map(|((_, copy), _)| *copy).collect();
        let lost =
            copies.into_iter().filter_map(|copy| self.ended(node, copy, None, now, findings)).collect();
        self.pass(now);
        self.all -= u64::from(self.cores.remove(&node).unwrap_or_default());
        lost
    }

    pub(super) fn finish(&mut self, now: Time, findings: &mut Findings) {
        self.pass(now);
        for ((node, _), running) in &self.running {
            bars(*node, running, now, Ending::Running, findings);
        }
        if self.there > 0.0 {
            findings.number("utilisation", self.worked / self.there);
        }
    }
}

fn bars(node: NodeId, running: &Running, to: Time, end: Ending, findings: &mut Findings) {
    for lane in &running.lanes {
        findings.bar(Bar {
            node,
            lane: *lane,
            from: running.from,
            to,
            label: running.label.clone(),
            group: running.group.clone(),
            end,
        });
    }
}
