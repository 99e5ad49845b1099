//! A Gantt chart from a scenario: a probe that tells of bars, the tables of the run that is shown, and no others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seedbed_core::contract::{
    Bar, Context, Duration, Ending, Findings, Input, InputOf, Lanes, Never, NodeId, Observation, Probe,
    Protocol, Subject, Time, View, Wire,
};
use seedbed_core::settings;
use seedbed_reports as reports;
use seedbed_scenarios::run::{Experiment, Options, Registry, Request, run_all};
use serde::{Deserialize, Serialize};

settings! {
    /// How nodes work.
    pub struct Parameters {
        /// How long a job takes.
        pub takes: Duration = Duration::from_millis(400);
    }
}

/// What a node tells: it has begun a job, or done it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
enum Work {
    Begun,
    Done,
}
impl Wire for Work {}

/// Works without rest.
#[derive(Clone, Serialize)]
struct Mill {
    #[serde(skip)]
    parameters: Arc<Parameters>,
}

impl Protocol for Mill {
    const VERSION: u16 = 1;
    type Config = Parameters;
    type Message = Never;
    type Timer = ();
    type Command = Never;
    type Reply = Never;
    type Record = Never;
    type Notice = Work;
    type Job = Never;
    type Outcome = Never;

    fn boot(parameters: &Arc<Parameters>, _: NodeId) -> Self {
        Self { parameters: parameters.clone() }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        if let Input::Timer { .. } = input {
            cx.notify(Work::Done);
        }
        cx.notify(Work::Begun);
        cx.set((), self.parameters.takes);
    }
}

impl Subject for Mill {
    type Settings = Parameters;
    type Load = ();
    type Probe = Foreman;
    const ABOUT: &'static str = "works without rest";

    fn config(parameters: &Parameters, _: u32) -> Result<Parameters, String> {
        Ok(parameters.clone())
    }
}

/// Knows what each node works at, and since when.
#[derive(Clone)]
struct Foreman {
    lanes: Lanes,
    open: Vec<Option<(u32, Time)>>,
}

impl Foreman {
    fn ended(&mut self, node: NodeId, end: Ending, now: Time, findings: &mut Findings) {
        let Some((lane, from)) = self.open[node.0 as usize].take() else { return };
        self.lanes.free(node, &[lane]);
        findings.bar(Bar { node, lane, from, to: now, label: "grind".into(), group: format!("{node}"), end });
    }
}

impl Probe<Mill> for Foreman {
    fn new(_: &Parameters, nodes: u32) -> Self {
        Self { lanes: Lanes::default(), open: vec![None; nodes as usize] }
    }

    fn observe(&mut self, what: Observation<'_, Mill>, view: &dyn View<Mill>, findings: &mut Findings) {
        let now = view.now();
        match what {
            Observation::Up { node, .. } => findings.lanes(node, 2),
            Observation::Notice { node, notice: Work::Begun } => {
                let lane = self.lanes.take(node, 1)[0];
                self.open[node.0 as usize] = Some((lane, now));
            }
            Observation::Notice { node, notice: Work::Done } => self.ended(node, Ending::Done, now, findings),
            Observation::Down { node } => self.ended(node, Ending::Lost, now, findings),
            Observation::End => {
                (0..view.nodes()).for_each(|node| self.ended(NodeId(node), Ending::Running, now, findings))
            }
            _ => {}
        }
    }
}

const SCENARIO: &str = r#"
protocol = "mill"
run = { duration = "3s", seeds = 3 }
cluster = { nodes = 3, names = ["ada", "bob", "eve"] }
[[sweep]]
key = "params.takes"
name = "takes"
values = ["500ms", "300ms"]
[[fault]]
kind = "crash"
target = "bob"
at = "700ms"
lasts = "1s"
"#;
const CHART: &str = "[[chart]]\nname = \"who\"\nkind = \"gantt\"\nonly = { takes = \"300ms\" }\n";

fn load(name: &str, text: &str) -> Result<Experiment, String> {
    let path: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gantt-{name}.toml"));
    std::fs::write(&path, text).expect("a file of the test");
    let registry = Registry::ours().with::<Mill>("mill");
    Experiment::load(&path, &registry, Request::default()).map_err(|report| report.to_string())
}

#[test]
fn bars_of_the_run_that_is_shown_are_kept() {
    let experiment = load("kept", &format!("{SCENARIO}{CHART}")).unwrap_or_else(|report| panic!("{report}"));
    let tables = run_all(&experiment, &|_| {}).tables;
    assert!(tables.bars.iter().all(|bar| (bar.point, bar.seed) == (1, 0)));
    let ends = |node: &str| -> Vec<(f64, f64, reports::Ending)> {
        let bars = tables.bars.iter().filter(|bar| bar.node == node);
        bars.map(|bar| (bar.from_s, bar.to_s, bar.end)).collect()
    };
    assert_eq!(ends("ada").len(), 10, "nine or ten done, and one under way");
    assert_eq!(ends("bob")[2], (0.6, 0.7, reports::Ending::Lost));
    assert_eq!(ends("bob")[3], (1.7, 2.0, reports::Ending::Done), "it was down for a second");
    let nodes: Vec<_> = tables.bar_nodes.iter().map(|row| (row.node.as_str(), row.lanes)).collect();
    assert_eq!(nodes, [("ada", 2), ("bob", 2), ("eve", 2)]);
    let counted: u64 = tables.bar_nodes.iter().map(|row| row.bars).sum();
    assert_eq!(counted, tables.bars.len() as u64);
    let drawn = reports::draw(&tables, &tables.charts[0]).expect("it can be drawn").svg;
    for part in ["takes 300ms, seed 0", "ada", "grind", "node down or paused", "lost with its node or lease"]
    {
        assert!(drawn.contains(part), "{part}");
    }
}

#[test]
fn no_chart_no_bars() {
    let experiment = load("none", SCENARIO).unwrap_or_else(|report| panic!("{report}"));
    let tables = run_all(&experiment, &|_| {}).tables;
    assert!(tables.bars.is_empty() && tables.bar_nodes.is_empty());
    let point = &experiment.points[0];
    let outcome = point.ready.run(2, Options::default());
    let drawn = experiment.gantt(point, 2, &outcome).expect("it can be drawn").expect("there are bars");
    assert!(drawn.svg.contains("takes 500ms, seed 2"), "any run can be drawn by itself");
}

#[test]
fn what_a_gantt_chart_does_not_take_is_refused() {
    for (key, expected) in
        [("group = \"takes\"", "`only` says which"), ("x = \"takes\"", "neither `x` nor `y`")]
    {
        let text = format!("{SCENARIO}[[chart]]\nname = \"who\"\nkind = \"gantt\"\n{key}\n");
        let report = load("refused", &text).err().unwrap_or_default();
        assert!(report.contains(expected), "{report}");
    }
}
