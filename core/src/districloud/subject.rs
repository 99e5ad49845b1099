//! The cloud as a subject of experiments.

use super::{Command, Config, DistriCloud, DistriCloudProbe, Load, Parameters, Reply, draw};
use crate::contract::{Answer, Check, Dice, Metric, Subject, Turn};

impl Subject for DistriCloud {
    type Settings = Parameters;
    type Load = Load;
    type Probe = DistriCloudProbe;
    const ABOUT: &'static str =
        "cloud of a hub and nodes: tasks given away by fit and trust, answers believed by trust";

    fn config(parameters: &Parameters, nodes: u32) -> Result<Config, String> {
        if nodes < 2 {
            return Err("needs 2 nodes or more: the hub, and nodes that work".into());
        }
        if parameters.malicious >= nodes {
            return Err(format!(
                "`malicious` = {} is more than there are nodes beside the hub",
                parameters.malicious
            ));
        }
        Ok(Config::new(parameters, nodes))
    }

    fn metrics() -> Vec<Metric> {
        let metric = Metric::number;
        let mut metrics = vec![
            metric("submitted", "", "tasks that clients submitted"),
            metric("validated", "", "tasks that ended with an answer"),
            metric("failed_validations", "", "times that no answer to a task had enough trust behind it"),
            metric("purged", "", "tasks given up because no node was found for them"),
            metric("open", "", "tasks that had not ended in the end"),
            metric(
                "stuck",
                "",
                "of these, answered by all who have them, and given to nobody though somebody could have them",
            ),
            metric("accepted_wrong", "", "tasks that ended with a wrong answer"),
            Metric::samples("support", "ratio", "share of trust behind the answer that was believed"),
            metric("score", "", "trust of results: ten times that share, on average"),
            Metric::samples("wait_s", "s", "from the start of the run until an assignment was answered"),
            metric("wait_min_s", "s", "until the first was"),
            Metric::samples("response_s", "s", "from the submission of a task until its end with an answer"),
            metric("makespan_s", "s", "from the start of the run until the last task ended with an answer"),
            Metric::samples("node_answers", "", "answers of each node"),
            metric("jain", "ratio", "how evenly these are spread: 1 if all nodes gave as many"),
            metric("jobs_per_task", "ratio", "answers for each task that ended"),
            metric("trust_honest", "", "mean trust of honest nodes in the end"),
            metric("trust_malicious", "", "mean trust of malicious nodes in the end"),
        ];
        metrics.extend(choices());
        metrics.extend(published());
        metrics
    }

    fn checks() -> Vec<Check> {
        let check = |name, about| Check { name, about };
        vec![
            check(
                "no-stuck-task",
                "a task that all who have it have answered ends, or is given to others, if there are any",
            ),
            check("only-right-answers", "no task ends with a wrong answer"),
        ]
    }

    fn conditions() -> Vec<Check> {
        vec![Check { name: "board-empty", about: "every task has ended" }]
    }

    fn roles() -> &'static [&'static str] {
        &["hub", "node"]
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Hub(hub) => {
                let active = hub.board().members().filter(|(_, member)| member.active).count();
                vec![
                    ("tasks", hub.board().tasks().count().to_string()),
                    ("nodes active", format!("{active} of {}", hub.board().members().len())),
                ]
            }
            Self::Node(node) => {
                vec![("works on", node.working().map_or_else(|| "nothing".into(), |task| task.0.to_string()))]
            }
        }
    }

    fn caveats() -> &'static [&'static str] {
        &[
            "Nothing looks at capacity: a node may get any number of tasks, and tasks that it is too small for.",
            "A task whose silent node lost its assignment may be complete without enough answers, and stuck for ever.",
            "Who is caught in less than a third of its lies gains trust by lying.",
            "A node that works longer than the hub's patience loses its task, and its answer is thrown away.",
            "The hub is a single point of failure, and a crash of it is not modelled: it would forget everything.",
        ]
    }

    fn command(load: &Load, turn: Turn, dice: &mut Dice<'_>) -> Option<Command> {
        (turn.nth < load.tasks).then(|| Command::Submit(draw::spec(load, dice)))
    }

    fn answer(reply: &Reply) -> Answer {
        match reply {
            Reply::Submitted(_) => Answer::Done,
            Reply::Refused(_) => Answer::Failed,
        }
    }
}

/// What is said of assignments.
fn choices() -> [Metric; 7] {
    let metric = Metric::number;
    [
        metric("assigned", "", "assignments that the hub made"),
        metric("to_busy", "", "of these, to nodes that were working"),
        metric("passed_over", "", "of these, though another node fitted better"),
        metric("too_small", "", "of these, to a node that was too small, though another was large enough"),
        metric("deleted", "", "assignments taken away from silent nodes"),
        metric("late", "", "answers of nodes that had lost their assignment"),
        metric("inactive", "", "times that the hub took a node for gone"),
    ]
}

/// Those that stand beside ours.
fn published() -> [Metric; 8] {
    let metric = Metric::number;
    [
        metric(
            "published_65_min_s",
            "s",
            "least wait in figure 6.5, by the same rule with as many nodes and tasks",
        ),
        metric("published_65_mean_s", "s", "average wait there"),
        metric("published_65_max_s", "s", "longest wait there"),
        metric("published_66_min_s", "s", "least wait in figure 6.6"),
        metric("published_66_mean_s", "s", "average wait there"),
        metric("published_66_max_s", "s", "longest wait there"),
        metric("mean_to_published", "ratio", "our average wait to the mean of both published"),
        metric("max_to_published", "ratio", "our longest wait to the mean of both published"),
    ]
}
