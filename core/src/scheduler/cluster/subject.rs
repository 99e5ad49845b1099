//! A hub and its workers as a subject of experiments.

use super::messages::{Command, Job, Outcome, Reply};
use super::{Cluster, ClusterProbe, Config, Load, Parameters};
use crate::contract::{Answer, Check, Dice, Duration, Metric, Store, Subject, Turn};
use crate::scheduler::call::stand_in;

impl Subject for Cluster {
    type Settings = Parameters;
    type Load = Load;
    type Probe = ClusterProbe;
    const ABOUT: &'static str =
        "a hub that gives tasks to workers and decides which of their answers to believe";
    const TELLS_RECORDS: bool = false;

    fn config(parameters: &Parameters, nodes: u32) -> Result<Config, String> {
        Config::new(parameters, nodes)
    }

    fn metrics() -> Vec<Metric> {
        super::probe::metrics()
    }

    fn checks() -> Vec<Check> {
        super::probe::checks()
    }

    fn conditions() -> Vec<Check> {
        vec![
            Check { name: "all-done", about: "every task that was taken has ended" },
            Check { name: "all-validated", about: "every task that was taken is validated" },
        ]
    }

    fn roles() -> &'static [&'static str] {
        &["hub", "worker", "saboteur"]
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        if let Some(shell) = self.hub() {
            let hub = shell.hub();
            return vec![
                ("workers", hub.worker_count().to_string()),
                ("tasks open", hub.open().to_string()),
                ("tasks validated", hub.ended().validated.to_string()),
                ("tasks failed", hub.ended().failed.to_string()),
            ];
        }
        let Some(worker) = self.worker() else { return Vec::new() };
        vec![
            ("cores", worker.capacity().cores.to_string()),
            ("working at", worker.running().to_string()),
            ("welcome", worker.is_welcome().to_string()),
        ]
    }

    fn caveats() -> &'static [&'static str] {
        &[
            "There is one hub. While it is down nothing is taken, given out or accepted; workers go on with what they have.",
            "A submission whose answer was lost may have been taken: who sends it again has its tasks twice.",
            "In a simulation every service is a stand-in: it takes the task's work in time, and its right answer follows from its argument.",
            "What tasks hand over takes the time of its bytes by the rate of the worker; it does not share a link with other data.",
        ]
    }

    fn command(load: &Load, turn: Turn, dice: &mut Dice<'_>) -> Option<Command> {
        load.command(turn, dice)
    }

    fn supply(
        load: &mut Load,
        read: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<(), (&'static str, String)> {
        load.supply(read)
    }

    fn answer(reply: &Reply) -> Answer {
        match reply {
            Reply::Refused(_) => Answer::Failed,
            _ => Answer::Done,
        }
    }

    fn cores(config: &Config, node: crate::contract::NodeId) -> Option<(u32, f64)> {
        let spec = config.worker(node);
        (node != super::HUB).then(|| (spec.cores_to.unwrap_or(spec.cores), spec.speed))
    }

    fn cost(_: &Config, job: &Job) -> Duration {
        job.work
    }

    fn perform(_: &Config, job: &Job, _: &dyn Store) -> Option<Outcome> {
        Some(Outcome::Answered(stand_in(&job.call.argument).into()))
    }
}
