//! What a run of the cloud comes to.

use std::collections::BTreeMap;

use super::board::{Board, Member};
use super::messages::{Notice, TaskId};
use super::parameters::Rule;
use super::published::Published;
use super::task::Task;
use super::{Config, DistriCloud, HUB, Hub};
use crate::contract::{Bar, Duration, Ending, Findings, NodeId, Observation, Probe, Time, View};

/// Takes times, compares what was believed with what is right, and looks for tasks that nobody looks at.
#[derive(Clone, Debug)]
pub struct DistriCloudProbe {
    rule: Rule,
    malicious: Vec<NodeId>,
    nodes: u32,
    /// How long a task may rest though somebody could have it: two passes of orchestration.
    patience: Duration,
    /// What is on the board, by what was told of it.
    tasks: BTreeMap<TaskId, Seen>,
    submitted: u64,
    /// How many answers each node gave that counted.
    answers: BTreeMap<NodeId, u64>,
    /// What each node works on, and since when.
    working: BTreeMap<NodeId, (TaskId, Time)>,
    first: Option<Time>,
    last: Option<Time>,
}

/// What was told of a task.
#[derive(Clone, Copy, Debug)]
struct Seen {
    submitted: Time,
    /// When something happened to it last.
    touched: Time,
}

type Sight<'a> = &'a dyn View<DistriCloud>;

/// What is counted, from zero.
const COUNTS: [&str; 12] = [
    "validated",
    "failed_validations",
    "purged",
    "accepted_wrong",
    "assigned",
    "deleted",
    "late",
    "inactive",
    "to_busy",
    "passed_over",
    "too_small",
    "stuck",
];

impl Probe<DistriCloud> for DistriCloudProbe {
    fn new(config: &Config, nodes: u32) -> Self {
        Self {
            rule: config.parameters.rule,
            malicious: config.members().filter(|&node| config.is_malicious(node)).collect(),
            nodes: nodes.saturating_sub(1),
            patience: config.parameters.orchestration * 2,
            tasks: BTreeMap::new(),
            submitted: 0,
            answers: config.members().map(|node| (node, 0)).collect(),
            working: BTreeMap::new(),
            first: None,
            last: None,
        }
    }

    fn observe(&mut self, what: Observation<'_, DistriCloud>, view: Sight<'_>, findings: &mut Findings) {
        match what {
            Observation::Notice { node, notice } => self.noticed(node, notice, view, findings),
            Observation::Up { node, .. } if node != HUB => findings.lanes(node, 1),
            Observation::Down { node } => self.rest(node, Ending::Lost, view.now(), findings),
            Observation::End => self.finish(view, findings),
            _ => {}
        }
    }

    fn holds(&self, condition: &str, view: Sight<'_>) -> bool {
        match condition {
            "board-empty" => board(view).is_some_and(|board| board.tasks().next().is_none()),
            _ => true,
        }
    }
}

impl DistriCloudProbe {
    fn noticed(&mut self, node: NodeId, notice: &Notice, view: Sight<'_>, findings: &mut Findings) {
        let now = view.now();
        match *notice {
            Notice::Submitted(task) => {
                self.submitted += 1;
                self.tasks.insert(task, Seen { submitted: now, touched: now });
            }
            Notice::Assigned(task, to) => {
                self.touch(task, now);
                look_at_choice(task, to, view, findings);
            }
            Notice::Deleted(task, _) => {
                self.touch(task, now);
                findings.add("deleted", 1.0);
            }
            Notice::Answered(task, by) => {
                self.touch(task, now);
                *self.answers.entry(by).or_default() += 1;
                self.first = self.first.or(Some(now));
                findings.sample("wait_s", now.since(Time::ZERO).as_secs_f64());
            }
            Notice::Late(..) => findings.add("late", 1.0),
            Notice::Validated { task, output, support } => {
                findings.add("validated", 1.0);
                findings.sample("support", support.value());
                self.last = Some(now);
                if let Some(seen) = self.tasks.remove(&task) {
                    findings.sample("response_s", now.since(seen.submitted).as_secs_f64());
                }
                if output != task.right() {
                    findings.add("accepted_wrong", 1.0);
                    findings.violation("only-right-answers", now, || {
                        format!("task {} is valid with a wrong answer", task.0)
                    });
                }
            }
            Notice::Failed(task) => {
                self.touch(task, now);
                findings.add("failed_validations", 1.0);
            }
            Notice::Purged(task) => {
                self.tasks.remove(&task);
                findings.add("purged", 1.0);
            }
            Notice::Inactive(_) => findings.add("inactive", 1.0),
            Notice::Began(task) => {
                self.working.insert(node, (task, now));
            }
            Notice::Ended(_) => self.rest(node, Ending::Done, now, findings),
        }
    }

    fn touch(&mut self, task: TaskId, now: Time) {
        if let Some(seen) = self.tasks.get_mut(&task) {
            seen.touched = now;
        }
    }

    /// A node works no longer.
    fn rest(&mut self, node: NodeId, end: Ending, to: Time, findings: &mut Findings) {
        let Some((task, from)) = self.working.remove(&node) else { return };
        let group = if self.malicious.contains(&node) { "malicious" } else { "honest" };
        findings.span(node, "working", from, to);
        let (label, group) = (format!("task {}", task.0), group.into());
        findings.bar(Bar { node, lane: 0, from, to, label, group, end });
    }

    fn finish(&mut self, view: Sight<'_>, findings: &mut Findings) {
        COUNTS.iter().for_each(|metric| findings.add(metric, 0.0));
        for node in self.working.keys().copied().collect::<Vec<_>>() {
            self.rest(node, Ending::Running, view.now(), findings);
        }
        findings.number("submitted", self.submitted as f64);
        findings.number("open", self.tasks.len() as f64);
        if let Some(board) = board(view) {
            self.look_for_stuck(board, view, findings);
            self.trust(board, findings);
        }
        self.shares(findings);
        self.compare(findings);
    }

    /// Tasks that all who have them have answered, that have not ended, and that nobody is given though somebody could.
    fn look_for_stuck(&self, board: &Board, view: Sight<'_>, findings: &mut Findings) {
        let rests = |id: &TaskId| {
            self.tasks.get(id).is_some_and(|seen| view.now().since(seen.touched) > self.patience)
        };
        let is_stuck = |id: &TaskId, task: &Task| {
            let answers = task.answers();
            let is_answered = answers > 0 && answers == task.assignments.len();
            rests(id) && is_answered && (task.wanting() == 0 || board.candidates(task).next().is_some())
        };
        let stuck: Vec<TaskId> =
            board.tasks().filter(|(id, task)| is_stuck(id, task)).map(|(id, _)| id).collect();
        findings.number("stuck", stuck.len() as f64);
        if let Some(TaskId(first)) = stuck.first() {
            findings.violation("no-stuck-task", view.now(), || {
                format!(
                    "{} tasks, such as {first}, are answered by all who have them, and never end",
                    stuck.len()
                )
            });
        }
    }

    fn trust(&self, board: &Board, findings: &mut Findings) {
        let mean = |malicious: bool| {
            let of = board.members().map(|(node, _)| node);
            let trusts: Vec<f64> = of
                .filter(|node| self.malicious.contains(node) == malicious)
                .map(|node| board.trust(node).value())
                .collect();
            (!trusts.is_empty()).then(|| trusts.iter().sum::<f64>() / trusts.len() as f64)
        };
        if let Some(trust) = mean(false) {
            findings.number("trust_honest", trust);
        }
        if let Some(trust) = mean(true) {
            findings.number("trust_malicious", trust);
        }
    }

    /// How evenly nodes worked (Jain), and how long all of it took.
    fn shares(&self, findings: &mut Findings) {
        let (mut sum, mut squares) = (0.0, 0.0);
        for answers in self.answers.values().map(|&answers| answers as f64) {
            findings.sample("node_answers", answers);
            sum += answers;
            squares += answers * answers;
        }
        if squares > 0.0 {
            findings.number("jain", sum * sum / (self.answers.len() as f64 * squares));
        }
        let validated = self.submitted.saturating_sub(self.tasks.len() as u64);
        if validated > 0 {
            findings.number("jobs_per_task", sum / validated as f64);
        }
        if let Some(first) = self.first {
            findings.number("wait_min_s", first.since(Time::ZERO).as_secs_f64());
        }
        if let Some(last) = self.last {
            findings.number("makespan_s", last.since(Time::ZERO).as_secs_f64());
        }
        if let Some(supports) = findings.samples.get("support") {
            findings.number("score", 10.0 * supports.iter().sum::<f64>() / supports.len() as f64);
        }
    }

    /// The published figures, and how ours stand to their mean.
    fn compare(&self, findings: &mut Findings) {
        let Some([first, second]) = Published::of(self.nodes, self.submitted, self.rule) else { return };
        findings.number("published_65_min_s", first.min_s);
        findings.number("published_65_mean_s", first.mean_s);
        findings.number("published_65_max_s", first.max_s);
        findings.number("published_66_min_s", second.min_s);
        findings.number("published_66_mean_s", second.mean_s);
        findings.number("published_66_max_s", second.max_s);
        let Some(waits) = findings.samples.get("wait_s").filter(|waits| !waits.is_empty()) else { return };
        let mean = waits.iter().sum::<f64>() / waits.len() as f64;
        let max = waits.iter().copied().fold(0.0, f64::max);
        findings.number("mean_to_published", 2.0 * mean / (first.mean_s + second.mean_s));
        findings.number("max_to_published", 2.0 * max / (first.max_s + second.max_s));
    }
}

/// What is to be said of a choice of the hub: was the node busy, was a better one passed over?
fn look_at_choice(id: TaskId, chosen: NodeId, view: Sight<'_>, findings: &mut Findings) {
    findings.add("assigned", 1.0);
    let is_busy = view.state(chosen).and_then(DistriCloud::node).is_some_and(|node| node.working().is_some());
    findings.add("to_busy", f64::from(u8::from(is_busy)));
    let Some(board) = board(view) else { return };
    let member = board.members().find(|(node, _)| *node == chosen).map(|(_, member)| member);
    let (Some(task), Some(member)) = (board.task(id), member) else { return };
    let misfit = |member: &Member| task.misfit(member.cpu, member.ram);
    let rest = || board.candidates(task).map(|(_, member)| member);
    let is_passed_over = rest().any(|other| misfit(other) < misfit(member));
    let is_needlessly_small = !task.fits(member) && rest().any(|other| task.fits(other));
    findings.add("passed_over", f64::from(u8::from(is_passed_over)));
    findings.add("too_small", f64::from(u8::from(is_needlessly_small)));
}

fn board<'a>(view: Sight<'a>) -> Option<&'a Board> {
    view.state(HUB)?.hub().map(Hub::board)
}
