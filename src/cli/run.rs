//! `seedbed run`: every point with every seed, then tables, charts and a page.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use seedbed_scenarios::run::{Engine, Experiment, Registry, Request, Results, Seeds, run_all};
#[cfg(feature = "real")]
use seedbed_scenarios::{real::Scratch, run::run_all_real};

use super::folder::{self, Folder};
use super::progress::Progress;
use super::{Done, Verdict, assignment, print, program, scenarios};

/// Run scenarios: all points of their sweeps with all seeds, over all cores.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed run scenarios/quickstart.toml
  seedbed run scenarios/quickstart.toml --seeds 5..25 --jobs 1 --set params.raft.pre_vote=false
  seedbed run scenarios/[a-z]*.toml --quick")]
pub(super) struct Run {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How many seeds (N: 0 to N-1) or which (A..B, without B); otherwise what the file says.
    #[arg(long, value_name = "N|A..B")]
    seeds: Option<Seeds>,
    /// How many runs at once; otherwise one per core, and one alone on the real engine. What is simulated does not depend
    /// on it.
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=JOBS_MAX))]
    jobs: Option<u16>,
    /// Set a key of the scenario, or choose one value of an axis of its sweep.
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// Write the results exactly here instead of results/SCENARIO/TIME.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What runs it.
    #[arg(long, value_enum, default_value_t = Chosen::Sim)]
    engine: Chosen,
    /// Use the small sizes of the file's [quick] table.
    #[arg(long)]
    quick: bool,
}

/// The most runs at once: more threads than any machine has cores only cost memory.
const JOBS_MAX: i64 = 1024;

/// What runs a scenario.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Chosen {
    /// The simulator.
    Sim,
    /// Real sockets, disks and clocks, on this machine.
    #[cfg(feature = "real")]
    Real,
}

impl From<Chosen> for Engine {
    fn from(chosen: Chosen) -> Self {
        match chosen {
            Chosen::Sim => Self::Sim,
            #[cfg(feature = "real")]
            Chosen::Real => Self::Real,
        }
    }
}

impl Run {
    pub(super) fn execute(&self, registry: &Registry) -> Done {
        let request = Request {
            sets: self.set.clone(),
            is_quick: self.quick,
            seeds: self.seeds.clone(),
            engine: self.engine.into(),
            program: program(),
        };
        // All files are read before anything runs or is written.
        let load = |file: &PathBuf| Experiment::load(file, registry, request.clone());
        let experiments = scenarios(&self.files).map(load).collect::<Result<Vec<_>, _>>()?;
        if self.out.is_some() && experiments.len() > 1 {
            bail!("--out takes the results of one scenario, but there are several");
        }
        let usual = if Engine::from(self.engine) == Engine::Sim { 0 } else { 1 };
        let threads = self.jobs.map_or(usual, usize::from);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let mut verdict = Verdict::Holds;
        for experiment in &experiments {
            if self.run(experiment, &pool)? == Verdict::Violated {
                verdict = Verdict::Violated;
            }
        }
        Ok(verdict)
    }

    fn run(&self, experiment: &Experiment, pool: &rayon::ThreadPool) -> Done {
        let folder = Folder::create(&experiment.name(), self.out.as_deref())?;
        let runs = experiment.points.len() * (experiment.seeds.end - experiment.seeds.start) as usize;
        let progress = Progress::new(&experiment.name(), runs, "runs");
        let began = Instant::now();
        let Results { tables, tally } = run_on(experiment, pool, &|done| progress.at(done))?;
        progress.finish();
        let ran = began.elapsed();
        let path = folder.path();
        tables.write(path).with_context(|| format!("cannot write the results to {}", path.display()))?;
        let rendered = seedbed_reports::render(path)?;
        folder.note_run(experiment, pool.current_num_threads(), ran)?;
        print(&rendered.terminal(folder::width()))?;
        let shown = folder.shown();
        print(&format!(
            "{runs} run{} in {}; results in {}\n  {}\n",
            if runs == 1 { "" } else { "s" },
            seconds(ran),
            shown.display(),
            shown.join("report.html").display()
        ))?;
        let holds = tally.broken_runs == 0 && tally.broken_checks == 0;
        Ok(if holds { Verdict::Holds } else { Verdict::Violated })
    }
}

/// Runs everything on the engine that was asked for.
fn run_on(
    experiment: &Experiment,
    pool: &rayon::ThreadPool,
    progress: &(dyn Fn(usize) + Sync),
) -> anyhow::Result<Results> {
    match experiment.request.engine {
        Engine::Sim => Ok(pool.install(|| run_all(experiment, progress))),
        #[cfg(feature = "real")]
        Engine::Real => {
            let scratch = Scratch::new().context("cannot create a temporary folder")?;
            scratch.remove_on_interrupt()?;
            Ok(pool.install(|| run_all_real(experiment, &scratch, progress)))
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
