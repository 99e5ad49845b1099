//! Runs that come to no proper end: a protocol that panics, and one that never stops talking. Each is a violation with
//! the seed and the command that shows it again; the other runs go on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seedbed_core::contract::{Context, Duration, Input, InputOf, Never, NodeId, Protocol, Subject, Wire};
use seedbed_core::settings;
use seedbed_scenarios::run::{Experiment, Options, Owed, Registry, Request, Seeds, run_all};
use serde::{Deserialize, Serialize};

settings! {
    /// How a node fails.
    pub struct Parameters {
        /// A node panics when it has drawn one of six.
        pub panics: bool = false;
        /// Every message is answered by so many.
        pub answers: u32 = 1, in 0..=10;
    }
}

/// A message without content.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
struct Hello;
impl Wire for Hello {}

#[derive(Clone, Serialize)]
struct Bomb {
    #[serde(skip)]
    parameters: Arc<Parameters>,
    me: NodeId,
}

impl Protocol for Bomb {
    const VERSION: u16 = 1;
    type Config = Parameters;
    type Message = Hello;
    type Timer = ();
    type Command = Never;
    type Reply = Never;
    type Record = Never;
    type Notice = Never;
    type Job = Never;
    type Outcome = Never;

    fn boot(parameters: &Arc<Parameters>, me: NodeId) -> Self {
        Self { parameters: parameters.clone(), me }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Start { .. } => cx.set((), Duration::from_secs(1)),
            Input::Timer { .. } => {
                assert!(!self.parameters.panics || cx.dice.below(6) != 0, "node {} drew a one", self.me);
                cx.send_now(NodeId(1 - self.me.0), Hello);
            }
            Input::Message { from, .. } => {
                (0..self.parameters.answers).for_each(|_| cx.send_now(from, Hello))
            }
            _ => {}
        }
    }
}

impl Subject for Bomb {
    type Settings = Parameters;
    type Load = ();
    type Probe = ();
    const ABOUT: &'static str = "fails as it is told";

    fn config(parameters: &Parameters, _: u32) -> Result<Parameters, String> {
        Ok(parameters.clone())
    }
}

fn scenario(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
    std::fs::write(&path, format!("protocol = \"bomb\"\ncluster.nodes = 2\n{text}"))
        .expect("a file of the test");
    path
}

fn load(path: &Path, sets: &[(&str, &str)], seeds: std::ops::Range<u64>) -> Experiment {
    let sets = sets.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let request = Request { sets, seeds: Some(Seeds(seeds)), ..Request::default() };
    let registry = Registry::ours().with::<Bomb>("bomb");
    Experiment::load(path, &registry, request).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn a_panic_is_a_violation_and_the_other_runs_go_on() {
    let path = scenario("panics", "run.duration = \"2s\"\nnetwork.loss = 1.0\nparams.panics = true\n");
    let results = run_all(&load(&path, &[], 0..40), &|_| {});
    // Two throws of a die per run: 11 of 36 runs end early. 40 runs: 12.2, give or take five times 2.9.
    let broken = results.tally.broken_runs;
    assert!((1..=26).contains(&broken), "{broken}");
    assert_eq!((results.tally.runs, results.tables.violations.len()), (40, broken));
    let check = results.tables.checks.iter().find(|check| check.name == "no-panic").expect("it is listed");
    assert_eq!((check.holds, check.violated), (40 - broken as u64, broken as u64));
    for violation in &results.tables.violations {
        assert_eq!((violation.check.as_str(), violation.at_s), ("no-panic", Some(1.0)));
        assert!(violation.message.contains("drew a one, at ") && violation.message.contains("failures.rs"));
        assert!(violation.command.contains(&format!("panics.toml --seed {} --log -", violation.seed)));
        let experiment = load(&path, &[], violation.seed..violation.seed + 1);
        let outcome = experiment.points[0].ready.run(violation.seed, Options::default());
        assert_eq!(outcome.failure.as_ref().map(|failure| failure.owed), Some(Owed::NoPanic));
        let run = results.tables.runs.iter().find(|run| run.seed == violation.seed).expect("its run");
        assert_eq!(Some(run.digest.clone()), outcome.digest.map(|digest| format!("{digest:016x}")));
        let judged = experiment.judge(&experiment.points[0], &outcome);
        assert!(!judged.holds() && judged.to_string().contains("\u{2717} no-panic"), "{judged}");
    }
}

#[test]
fn a_storm_is_ended() {
    let path =
        scenario("storms", "run.duration = \"1h\"\n[[sweep]]\nkey = \"params.answers\"\nvalues = [1, 2]\n");
    let experiment = load(&path, &[("run.events_max", "200000")], 0..1);
    let results = run_all(&experiment, &|_| {});
    let told: Vec<_> = results.tables.violations.iter().map(|violation| &violation.message).collect();
    // One answer for each message goes on for an hour; two double with every millisecond.
    assert_eq!(told, ["ended after 200000 events: see `run.events_max`"; 2]);
    assert_eq!(results.tables.checks[0].name, "bounded-run");
    assert!(
        results.tables.violations[1]
            .command
            .ends_with("--set run.events_max=200000 --set params.answers=2 --log -")
    );
    let calm = load(&path, &[("params.answers", "0")], 0..3);
    assert_eq!(run_all(&calm, &|_| {}).tally.broken_runs, 0);
}
