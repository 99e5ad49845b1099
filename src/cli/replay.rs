//! `seedbed replay`: one run again, event by event.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use seedbed_reports::Drawing;
use seedbed_scenarios::run::{Engine, EventLog, Experiment, Options, Registry, Request, Seeds, read_faults};
use seedbed_sim::fault::Timed;

use super::{Done, Verdict, assignment, print, program};

/// Run one point of a scenario with one seed again, and show every event; or live the recorded lives of a node again.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed replay scenarios/quickstart.toml --seed 3 --set protocol=raft --log - | less
  seedbed replay scenarios/quickstart.toml --seed 3 --set protocol=raft --save-faults faults.jsonl
  seedbed replay scenarios/quickstart.toml --seed 3 --set protocol=raft --faults faults.jsonl
  seedbed replay recordings/ --node 0")]
pub(super) struct Replay {
    /// The scenario file, or a folder of recordings.
    #[arg(value_name = "FILE|FOLDER")]
    file: PathBuf,
    /// The seed.
    #[arg(long, value_name = "S", required_unless_present = "node", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// The node whose recorded lives are lived again: does it do the same, effect by effect?
    #[arg(long, value_name = "K", conflicts_with_all = OF_A_RUN)]
    node: Option<u32>,
    /// Set a key of the scenario, or choose the value of an axis of its sweep.
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// Use the small sizes of the file's [quick] table.
    #[arg(long)]
    quick: bool,
    /// Let exactly these faults strike, one per line in JSON, instead of the scenario's.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Write the faults that struck, as --faults reads them.
    #[arg(long, value_name = "FILE")]
    save_faults: Option<PathBuf>,
    /// Write every event in a line, to a file or (-) to standard output.
    #[arg(long, value_name = "-|PATH")]
    log: Option<PathBuf>,
    /// Draw what ran on which core when: an SVG, or a PNG if the name ends so.
    #[arg(long, value_name = "PATH")]
    gantt: Option<PathBuf>,
    /// Let the digest take in the contents of messages, too: it differs from the usual one.
    #[arg(long)]
    audit: bool,
}

/// What only the run of a scenario can use.
const OF_A_RUN: [&str; 8] = ["seed", "set", "quick", "faults", "save_faults", "log", "gantt", "audit"];

impl Replay {
    pub(super) fn execute(&self, registry: &Registry) -> Done {
        match (self.node, self.seed) {
            (Some(node), _) => recorded(&self.file, node, registry),
            (None, Some(seed)) => self.run(seed, registry),
            (None, None) => bail!("give a seed, or a node"),
        }
    }

    fn run(&self, seed: u64, registry: &Registry) -> Done {
        let seeds = Some(Seeds(seed..seed.saturating_add(1)));
        let (sets, is_quick, engine) = (self.set.clone(), self.quick, Engine::Sim);
        let request = Request { sets, is_quick, seeds, engine, program: program() };
        let experiment = Experiment::load(&self.file, registry, request)?;
        let [point] = experiment.points.as_slice() else {
            bail!("{}", choose(&experiment));
        };
        self.gantt.as_deref().map(check_gantt).transpose()?;
        let nodes = point.scenario.cluster.nodes;
        let faults = self.faults.as_deref().map(|path| read_faults(path, nodes)).transpose()?;
        let mut log = self.log.as_deref().map(open_log).transpose()?;
        let options = Options { faults, log: log.as_mut(), audit: self.audit };
        let outcome = point.ready.run(seed, options);
        match log.map_or(Ok(0), EventLog::finish) {
            // Its reader has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            written => drop(written.context("cannot write the log")?),
        }
        if let Some(path) = &self.save_faults {
            save_faults(path, &outcome.faults)?;
        }
        if let Some(path) = &self.gantt {
            let drawn = experiment.gantt(point, seed, &outcome)?;
            save_gantt(path, drawn.with_context(|| no_bars(&point.scenario.protocol))?)?;
        }
        let judged = experiment.judge(point, &outcome);
        print(&judged.to_string())?;
        Ok(if judged.holds() { Verdict::Holds } else { Verdict::Violated })
    }
}

#[cfg(feature = "real")]
fn recorded(dir: &Path, node: u32, registry: &Registry) -> Done {
    super::recorded::replay(dir, node, registry)
}

#[cfg(not(feature = "real"))]
fn recorded(_: &Path, _: u32, _: &Registry) -> Done {
    bail!("this build knows simulations only: recordings need the feature `real`")
}

/// What to say when the sweep has not been narrowed to one point.
fn choose(experiment: &Experiment) -> String {
    let mut text =
        format!("{} has {} points; choose one:", experiment.path.display(), experiment.points.len());
    for axis in &experiment.axes {
        let mut labels: Vec<&str> = Vec::new();
        let all = experiment.points.iter().flat_map(|point| &point.labels);
        for (_, label) in all.filter(|(name, _)| name == axis) {
            if !labels.contains(&label.as_str()) {
                labels.push(label);
            }
        }
        let shown = labels.iter().take(12).copied().collect::<Vec<_>>().join(" | ");
        let more = if labels.len() > 12 { " | ..." } else { "" };
        text.push_str(&format!("\n  --set {axis}={shown}{more}"));
    }
    text
}

fn open_log(path: &Path) -> anyhow::Result<EventLog> {
    let out: Box<dyn Write> = if path == Path::new("-") {
        Box::new(BufWriter::new(std::io::stdout()))
    } else {
        Box::new(BufWriter::new(
            File::create(path).with_context(|| format!("cannot write the log to {}", path.display()))?,
        ))
    };
    Ok(EventLog::new(out))
}

/// A folder that is not there is told before anything runs.
fn check_gantt(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) || path.is_dir() {
        bail!(
            "cannot write the Gantt chart to {}: it must be a file in a folder that exists",
            path.display()
        );
    }
    Ok(())
}

fn no_bars(protocol: &str) -> String {
    format!("there is no Gantt chart: `{protocol}` tells nothing of what runs on the cores of its nodes")
}

fn save_gantt(path: &Path, drawn: Drawing) -> anyhow::Result<()> {
    let is_png = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
    let bytes = if is_png { drawn.png } else { drawn.svg.into_bytes() };
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn save_faults(path: &Path, faults: &[Timed]) -> anyhow::Result<()> {
    let mut text = String::new();
    for fault in faults {
        text.push_str(&serde_json::to_string(fault)?);
        text.push('\n');
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
