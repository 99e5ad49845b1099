//! What `[[check]]` asks is looked at when it should be, and what clients do adds up.

use std::path::Path;
use std::sync::Arc;

use seedbed_core::contract::{
    Check, Context, Dice, Duration, Input, InputOf, Never, NodeId, Observation, Probe, Protocol, Subject,
    Turn, View,
};
use seedbed_core::settings;
use seedbed_scenarios::run::{Experiment, Options, Outcome, Registry, Request};
use serde::Serialize;

settings! {
    /// When a lamp changes.
    pub struct Parameters {
        /// It goes on or off so often.
        pub every: Duration = Duration::from_secs(1);
    }
}

/// A lamp that blinks: dark at first.
#[derive(Clone, Serialize)]
struct Lamp {
    #[serde(skip)]
    parameters: Arc<Parameters>,
    is_lit: bool,
}

impl Protocol for Lamp {
    const VERSION: u16 = 1;
    type Config = Parameters;
    type Message = Never;
    type Timer = ();
    type Command = u64;
    type Reply = bool;
    type Record = Never;
    type Notice = Never;
    type Job = Never;
    type Outcome = Never;

    fn boot(parameters: &Arc<Parameters>, _: NodeId) -> Self {
        Self { parameters: parameters.clone(), is_lit: false }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Start { .. } => cx.set((), self.parameters.every),
            Input::Timer { .. } => {
                self.is_lit = !self.is_lit;
                cx.set((), self.parameters.every);
            }
            Input::Command { id, .. } => cx.reply(id, self.is_lit),
            _ => {}
        }
    }
}

impl Subject for Lamp {
    type Settings = Parameters;
    type Load = ();
    type Probe = Eye;
    const ABOUT: &'static str = "a lamp that blinks";

    fn config(parameters: &Parameters, _: u32) -> Result<Parameters, String> {
        Ok(parameters.clone())
    }
    fn conditions() -> Vec<Check> {
        vec![Check { name: "lit", about: "node 0 is lit" }]
    }
    fn command(_: &(), Turn { number, .. }: Turn, _: &mut Dice<'_>) -> Option<u64> {
        Some(number)
    }
}

#[derive(Clone)]
struct Eye;

impl Probe<Lamp> for Eye {
    fn new(_: &Parameters, _: u32) -> Self {
        Self
    }
    fn observe(
        &mut self,
        _: Observation<'_, Lamp>,
        _: &dyn View<Lamp>,
        _: &mut seedbed_core::contract::Findings,
    ) {
    }
    fn holds(&self, _: &str, view: &dyn View<Lamp>) -> bool {
        view.state(NodeId(0)).is_some_and(|lamp| lamp.is_lit)
    }
}

/// What the first point comes to with seed 0.
fn outcome(name: &str, text: &str) -> Outcome {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
    std::fs::write(&path, text).expect("a file of the test");
    let registry = Registry::ours().with::<Lamp>("lamp");
    let experiment = Experiment::load(&path, &registry, Request::default());
    let experiment = experiment.unwrap_or_else(|report| panic!("{report}"));
    experiment.points[0].ready.run(0, Options::default())
}

/// When a check is broken in a run of a lamp that changes every second, in seconds.
fn broken(name: &str, more: &str) -> Option<f64> {
    let text = format!("protocol = \"lamp\"\nrun = {{ duration = \"5500ms\", heal = \"3s\" }}\n{more}");
    let broken = outcome(name, &text).broken;
    assert!(broken.len() < 2, "it is told once");
    broken.first().map(|broken| broken.at.expect("a time").0 as f64 / 1e9)
}

#[test]
fn always_is_looked_at_from_its_beginning_and_after_every_event() {
    for (name, from, seen) in [
        ("dark at first", "0s", Some(0.000_000_001)),
        ("lit by an event of the same moment", "1s", Some(2.0)),
        ("between two events", "2500ms", Some(2.500_000_001)),
        ("lit between two events", "3500ms", Some(4.0)),
        ("while healed", "5s", Some(6.0)),
        ("after the end", "9s", None),
    ] {
        assert_eq!(
            broken(name, &format!("[[check]]\nalways = \"lit\"\nfrom = \"{from}\"\n")),
            seen,
            "{name}"
        );
    }
}

#[test]
fn eventually_is_looked_at_once_everything_is_healed() {
    let check = |within: &str| format!("[[check]]\neventually = \"lit\"\nwithin = \"{within}\"\n");
    let slow = "params.every = \"1900ms\"\n"; // lit from 1.9 to 3.8, and again from 5.7
    assert_eq!(broken("at once", &check("1ns")), None);
    assert_eq!(broken("in time", &format!("{slow}{}", check("200ms"))), None);
    assert_eq!(broken("too late", &format!("{slow}{}", check("199ms"))), Some(5.699));
    // What lasts for ever ends with healing: the lamp of a crashed node is lit a second after it starts again.
    let crash = "[[fault]]\nkind = \"crash\"\nat = \"1500ms\"\ntarget = \"0\"\n";
    assert_eq!(broken("back in time", &format!("{crash}{}", check("1s"))), None);
    assert_eq!(broken("back too late", &format!("{crash}{}", check("999ms"))), Some(6.499));
}

#[test]
fn the_longest_run_goes_on_to_its_end() {
    let text = "protocol = \"lamp\"\nrun = { duration = \"365d\", heal = \"365d\", ties = \"keyed\" }\n\
                params.every = \"1d\"\n[workload]\nkind = \"constant\"\nevery = \"10d\"\n";
    let numbers = outcome("longest", text).findings.numbers;
    assert_eq!((numbers["commands"], numbers["answered"]), (72.0, 72.0));
}

#[test]
fn every_command_is_answered_or_has_failed() {
    let clients = |more: &str| {
        let text = format!(
            "protocol = \"lamp\"\nrun.duration = \"60s\"\ncluster.nodes = 3\n[[fault]]\nkind = \"crash\"\n\
             every = {{ law = \"exponential\", mean = \"3s\" }}\nlasts = \"2s\"\ntarget = \"random\"\n[[fault]]\n\
             kind = \"pause\"\nevery = \"7s\"\nlasts = \"4s\"\ntarget = \"0\"\n[workload]\n{more}\n"
        );
        let numbers = outcome("clients", &text).findings.numbers;
        let [commands, answered, failed] = ["commands", "answered", "failed"].map(|name| numbers[name]);
        assert_eq!(commands, answered + failed, "{more}");
        (commands, failed)
    };
    let law = "access = { law = \"uniform\", from = \"0s\", to = \"3s\" }\nloss = 0.1\ntimeout = \"2s\"";
    let (commands, failed) = clients(&format!("kind = \"constant\"\nevery = \"100ms\"\nto = \"0\"\n{law}"));
    assert!(commands == 599.0 && (100.0..599.0).contains(&failed), "{commands} {failed}");
    let (commands, failed) = clients(&format!("kind = \"closed\"\nclients = 5\nto = \"random\"\n{law}"));
    // A client asks after a second of thinking and at most two of waiting: 5 x 60 / 3 and more.
    assert!((100.0..300.0).contains(&commands) && failed > 0.0, "{commands} {failed}");
    // A Poisson process of 600 expected commands: five standard deviations are 122.
    let (commands, _) = clients("kind = \"poisson\"\nevery = \"100ms\"");
    assert!((commands - 600.0).abs() < 122.0, "{commands}");
    let (commands, failed) = clients("kind = \"constant\"\nevery = \"1s\"\ncount = 7\nto = \"except(all)\"");
    assert_eq!((commands, failed), (7.0, 7.0), "with nobody to ask");
    let times = Path::new(env!("CARGO_TARGET_TMPDIR")).join("times.txt");
    std::fs::write(times, "# seconds\n0\n0.5\n0.5\n\n59.5\n61\n").expect("a file of the test");
    let (commands, _) = clients("kind = \"trace\"\nfile = \"times.txt\"\nstart = \"100ms\"");
    assert_eq!(commands, 4.0, "the fifth comes after the end");
}
