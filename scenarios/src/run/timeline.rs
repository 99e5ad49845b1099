//! What the nodes of one run were and which faults lasted when, for timelines.

use std::collections::BTreeMap;

use seedbed_core::contract::{Ending, NodeId};
use seedbed_reports as reports;
use seedbed_sim::fault::Action;

use super::execute::Outcome;
use super::experiment::seconds;
use crate::scenario::Cluster;

/// The timeline of one run.
pub(super) struct Timeline<'a> {
    pub(super) point: u32,
    pub(super) seed: u64,
    pub(super) cluster: &'a Cluster,
    /// The most stretches, and the most faults, that are kept.
    pub(super) rows_max: usize,
}

impl Timeline<'_> {
    pub(super) fn spans(&self, outcome: &Outcome) -> Vec<reports::Span> {
        let spans = outcome.findings.spans.iter().take(self.rows_max);
        spans
            .map(|span| reports::Span {
                point: self.point,
                seed: self.seed,
                lane: self.cluster.name(span.node),
                state: span.state.into(),
                from_s: seconds(span.from),
                to_s: seconds(span.to),
            })
            .collect()
    }

    /// What ran where: as much as there is room for.
    pub(super) fn bars(&self, outcome: &Outcome, bars_max: usize) -> Vec<reports::Bar> {
        let bars = outcome.findings.bars.iter().take(bars_max);
        bars.map(|bar| reports::Bar {
            point: self.point,
            seed: self.seed,
            node: self.cluster.name(bar.node),
            lane: bar.lane,
            from_s: seconds(bar.from),
            to_s: seconds(bar.to),
            label: bar.label.clone(),
            group: bar.group.clone(),
            end: ending(bar.end),
        })
        .collect()
    }

    /// The nodes on which something could run, as they were told of.
    pub(super) fn bar_nodes(&self, outcome: &Outcome, nodes_max: usize) -> Vec<reports::BarNode> {
        let mut nodes: Vec<_> = outcome.findings.bar_nodes.iter().collect();
        nodes.sort_by_key(|(_, node)| node.place);
        let nodes = nodes.into_iter().take(nodes_max);
        nodes
            .map(|(id, node)| reports::BarNode {
                point: self.point,
                seed: self.seed,
                node: self.cluster.name(*id),
                lanes: node.lanes,
                bars: node.bars,
            })
            .collect()
    }

    /// How numbers change over time: of more than `changes_max` changes every second, third, ... is kept.
    pub(super) fn series(&self, outcome: &Outcome, changes_max: usize) -> Vec<reports::Series> {
        let mut rows = Vec::new();
        for (name, changes) in &outcome.findings.series {
            let step = changes.len().div_ceil(changes_max).max(1);
            let kept = changes.iter().step_by(step).filter(|(_, value)| value.is_finite());
            rows.extend(kept.map(|&(at, value)| reports::Series {
                point: self.point,
                seed: self.seed,
                name: (*name).into(),
                t_s: seconds(at),
                value,
            }));
        }
        rows
    }

    pub(super) fn faults(&self, outcome: &Outcome) -> Vec<reports::Fault> {
        let mut rows: Vec<reports::Fault> = Vec::new();
        let mut open: BTreeMap<Open, Vec<usize>> = BTreeMap::new();
        // Whatever still lasts is healed then.
        let end = seconds(outcome.healed.unwrap_or(outcome.end));
        for timed in outcome.faults.iter().take(self.rows_max) {
            let at = seconds(timed.at);
            let (begins, ends) = meaning(&timed.action);
            for row in ends.and_then(|ends| open.remove(&ends)).into_iter().flatten() {
                rows[row].to_s = at;
            }
            let is_end_only = begins.is_none() && ends.is_some();
            if is_end_only {
                continue;
            }
            let until = match (&timed.action, begins) {
                (Action::DiskStall { lasts, .. }, _) => (at + lasts.as_secs_f64()).min(end),
                (_, Some(_)) => end,
                _ => at,
            };
            if let Some(begins) = begins {
                open.entry(begins).or_default().push(rows.len());
            }
            rows.push(reports::Fault {
                point: self.point,
                seed: self.seed,
                kind: timed.action.kind().into(),
                target: self.target(&timed.action),
                from_s: at,
                to_s: until,
            });
        }
        rows
    }

    fn target(&self, action: &Action) -> String {
        match action {
            Action::Disturb { from, to, .. } => format!("{} to {}", self.names(from), self.names(to)),
            action => action.node().map_or_else(String::new, |node| self.cluster.name(node)),
        }
    }

    fn names(&self, nodes: &[NodeId]) -> String {
        if nodes.len() > 1 && nodes.len() == self.cluster.nodes as usize {
            return "all".into();
        }
        let shown: Vec<String> = nodes.iter().take(5).map(|node| self.cluster.name(*node)).collect();
        let more = if nodes.len() > 5 { format!("+{}", nodes.len() - 5) } else { String::new() };
        format!("{}{more}", shown.join("+"))
    }
}

fn ending(end: Ending) -> reports::Ending {
    match end {
        Ending::Done => reports::Ending::Done,
        Ending::Failed => reports::Ending::Failed,
        Ending::Lost => reports::Ending::Lost,
        Ending::Stopped => reports::Ending::Stopped,
        Ending::Running => reports::Ending::Running,
    }
}

/// What a fault that lasts is known by until it ends.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Open {
    Crash(NodeId),
    Pause(NodeId),
    Links(u64),
    Full(NodeId),
    Drift(NodeId),
}

/// What an action begins and what it ends.
fn meaning(action: &Action) -> (Option<Open>, Option<Open>) {
    match *action {
        Action::Crash { node, .. } => (Some(Open::Crash(node)), None),
        Action::Restart { node } => (None, Some(Open::Crash(node))),
        Action::Pause { node } => (Some(Open::Pause(node)), None),
        Action::Resume { node } => (None, Some(Open::Pause(node))),
        Action::Disturb { number, .. } => (Some(Open::Links(number)), None),
        Action::Calm { number } => (None, Some(Open::Links(number))),
        Action::DiskFull { node, full: true } => (Some(Open::Full(node)), None),
        Action::DiskFull { node, full: false } => (None, Some(Open::Full(node))),
        Action::ClockDrift { node, ppb: 0 } => (None, Some(Open::Drift(node))),
        Action::ClockDrift { node, .. } => (Some(Open::Drift(node)), None),
        Action::DiskStall { .. }
        | Action::DiskError { .. }
        | Action::DiskRot { .. }
        | Action::ClockJump { .. } => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use seedbed_sim::Loss;
    use seedbed_sim::fault::Timed;

    use seedbed_core::contract::Time;

    use super::*;

    #[test]
    fn a_fault_lasts_until_it_is_ended_or_healed_or_the_run_is_over() {
        let at = |secs: u64| Time(secs * 1_000_000_000);
        let timed = |secs, action| Timed { at: at(secs), action };
        let crash = |node| Action::Crash { node: NodeId(node), loss: Loss::Unsynced };
        let outcome = Outcome {
            faults: vec![
                timed(1, crash(0)),
                timed(2, crash(1)),
                timed(3, Action::Restart { node: NodeId(0) }),
                timed(4, Action::ClockJump { node: NodeId(2), by: 5 }),
            ],
            end: at(10),
            ..Outcome::default()
        };
        let lasted = |outcome: &Outcome| -> Vec<_> {
            let timeline = Timeline { point: 0, seed: 0, cluster: &Cluster::default(), rows_max: 100 };
            timeline.faults(outcome).into_iter().map(|row| (row.kind, row.from_s, row.to_s)).collect()
        };
        let expected = |end| {
            let kinds = [("crash", 1.0, 3.0), ("crash", 2.0, end), ("clock-jump", 4.0, 4.0)];
            kinds.map(|(kind, from, to)| (kind.to_owned(), from, to))
        };
        assert_eq!(lasted(&outcome), expected(10.0));
        assert_eq!(lasted(&Outcome { healed: Some(at(8)), ..outcome }), expected(8.0));
    }
}
