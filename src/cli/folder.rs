//! Where results go: `results/SCENARIO/TIME` with a link `latest` beside it, or exactly where the user says.

use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use seedbed_scenarios::run::Experiment;
use serde_json::json;

/// What differs when a run is repeated.
const NOTE: &str = "run.json";

/// The folder of one run.
pub(super) struct Folder {
    path: PathBuf,
    /// The link that leads to it, if there is one.
    latest: Option<PathBuf>,
    began: SystemTime,
}

impl Folder {
    /// Creates the folder, and moves the link.
    pub(super) fn create(scenario: &str, out: Option<&Path>) -> Result<Self> {
        let began = SystemTime::now();
        let (path, latest) = match out {
            Some(out) => (out.to_path_buf(), None),
            None => {
                let home = Path::new("results").join(scenario);
                (free(&home, began), Some(home.join("latest")))
            }
        };
        std::fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        // Better now than after an hour of runs.
        File::create(path.join(NOTE)).with_context(|| format!("cannot write to {}", path.display()))?;
        let latest = latest.filter(|latest| link(&path, latest).is_ok());
        Ok(Self { path, latest, began })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path to show: the link where there is one.
    pub(super) fn shown(&self) -> &Path {
        self.latest.as_deref().unwrap_or(&self.path)
    }

    /// Writes `run.json`: what differs when a run is repeated.
    pub(super) fn note_run(&self, experiment: &Experiment, jobs: usize, ran: Duration) -> Result<()> {
        let runs = experiment.points.len() as u64 * (experiment.seeds.end - experiment.seeds.start);
        self.note(json!({
            "seconds": ran.as_secs_f64(),
            "runs": runs,
            "runs_per_second": runs as f64 / ran.as_secs_f64().max(1e-9),
            "engine": experiment.request.engine.name(),
            "jobs": jobs,
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "processor_name": fact("/proc/cpuinfo", "model name"),
            "memory": fact("/proc/meminfo", "MemTotal"),
            "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
            "system": std::env::consts::OS,
            "processor": std::env::consts::ARCH,
            "build": if cfg!(debug_assertions) { "debug" } else { "release" },
            "version": env!("CARGO_PKG_VERSION"),
            "model": seedbed_sim::MODEL_VERSION,
        }))
    }

    /// Writes `run.json` with the time at which this began.
    pub(super) fn note(&self, mut note: serde_json::Value) -> Result<()> {
        note["began"] = humantime::format_rfc3339_seconds(self.began).to_string().into();
        let path = self.path.join(NOTE);
        std::fs::write(&path, format!("{note:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// What the system says of itself under this name, where it says something.
fn fact(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

/// A folder named by the time that does not exist yet.
fn free(home: &Path, began: SystemTime) -> PathBuf {
    let time = humantime::format_rfc3339_seconds(began).to_string().replace(':', "-");
    let named = |number: u32| home.join(if number == 1 { time.clone() } else { format!("{time}-{number}") });
    (1..).map(named).find(|path| !path.exists()).unwrap_or_else(|| named(1))
}

/// Lets `latest` lead to `path`, whatever it led to before. Not every system has links, and nothing depends on it.
fn link(path: &Path, latest: &Path) -> std::io::Result<()> {
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    if latest.is_symlink() {
        std::fs::remove_file(latest)?;
    }
    #[cfg(unix)]
    return std::os::unix::fs::symlink(name, latest);
    #[cfg(not(unix))]
    return std::os::windows::fs::symlink_dir(name, latest);
}

/// The columns of the terminal, or of a page where there is none.
pub(super) fn width() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let asked = || std::io::stdout().is_terminal().then(|| console::Term::stdout().size().1 as usize);
    told.or_else(asked).filter(|width| (40..=400).contains(width)).unwrap_or(120)
}
