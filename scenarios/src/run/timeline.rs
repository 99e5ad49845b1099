//! What the nodes of one run were and which faults lasted when, for timelines.

use std::collections::BTreeMap;

use seedbed_core::contract::NodeId;
use seedbed_reports as reports;
use seedbed_sim::fault::Action;

use super::execute::Outcome;
use super::experiment::seconds;
use crate::scenario::Cluster;

/// The most stretches and faults of a run that are kept.
const ROWS_MAX: usize = 20_000;

pub(super) fn spans(point: u32, seed: u64, cluster: &Cluster, outcome: &Outcome) -> Vec<reports::Span> {
    let spans = outcome.findings.spans.iter().take(ROWS_MAX);
    spans
        .map(|span| reports::Span {
            point,
            seed,
            lane: cluster.name(span.node),
            state: span.state.into(),
            from_s: seconds(span.from),
            to_s: seconds(span.to),
        })
        .collect()
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

pub(super) fn faults(point: u32, seed: u64, cluster: &Cluster, outcome: &Outcome) -> Vec<reports::Fault> {
    let mut rows: Vec<reports::Fault> = Vec::new();
    let mut open: BTreeMap<Open, Vec<usize>> = BTreeMap::new();
    let end = seconds(outcome.end);
    for timed in outcome.faults.iter().take(ROWS_MAX) {
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
        let target = match &timed.action {
            Action::Disturb { from, to, .. } => format!("{} to {}", names(cluster, from), names(cluster, to)),
            action => action.node().map_or_else(String::new, |node| cluster.name(node)),
        };
        rows.push(reports::Fault {
            point,
            seed,
            kind: timed.action.kind().into(),
            target,
            from_s: at,
            to_s: until,
        });
    }
    rows
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

fn names(cluster: &Cluster, nodes: &[NodeId]) -> String {
    let shown: Vec<String> = nodes.iter().take(5).map(|node| cluster.name(*node)).collect();
    let more = if nodes.len() > 5 { format!("+{}", nodes.len() - 5) } else { String::new() };
    format!("{}{more}", shown.join("+"))
}

#[cfg(test)]
mod tests {
    use seedbed_sim::Loss;
    use seedbed_sim::fault::Timed;

    use seedbed_core::contract::Time;

    use super::*;

    #[test]
    fn a_fault_lasts_until_it_is_ended_or_the_run_is_over() {
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
        let lasted: Vec<_> = faults(0, 0, &Cluster::default(), &outcome)
            .into_iter()
            .map(|row| (row.kind, row.from_s, row.to_s))
            .collect();
        let expected = [("crash", 1.0, 3.0), ("crash", 2.0, 10.0), ("clock-jump", 4.0, 4.0)];
        assert_eq!(lasted, expected.map(|(kind, from, to)| (kind.to_owned(), from, to)));
    }
}
