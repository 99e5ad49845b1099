//! `seedbed up`: a cluster of real processes on this machine.

mod door;
mod fleet;
mod view;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use seedbed_scenarios::deploy::{ClusterPlan, Home, HomeError, Seat, Signals};
use seedbed_scenarios::run::Registry;

use super::{Done, Verdict, assignment, print};
pub(super) use door::Doors;
pub(super) use fleet::STOP;
use fleet::{Fleet, ending};
use view::{Row, View};

/// Run a cluster: a process for each node on this machine, with keys and addresses made on the way.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed up scenarios/clusters/elections.toml
  seedbed up scenarios/clusters/elections.toml --detach
  seedbed down scenarios/clusters/elections.toml")]
pub(super) struct Up {
    /// The file that describes the cluster.
    file: PathBuf,
    /// The folder for keys, data and logs; otherwise .seedbed/NAME.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Return once all nodes are ready, and let them run; `seedbed down` stops them.
    #[arg(long)]
    detach: bool,
    /// Start nodes that end again.
    #[arg(long, conflicts_with = "detach")]
    restart: bool,
    /// Set a key of the file.
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

/// How long the nodes may take to be ready.
const READY: Duration = Duration::from_secs(30);
/// Between two looks at a cluster.
const LOOK: Duration = Duration::from_millis(100);
/// Between two questions whether nodes are ready.
const ASK: Duration = Duration::from_millis(20);
/// The lines of a log that are shown when a node has ended.
const LAST_WORDS: usize = 10;

impl Up {
    pub(super) fn execute(&self, registry: &Registry) -> Done {
        let plan = ClusterPlan::load(&self.file, &self.set, registry)?;
        let home = Home::at(self.dir.clone().unwrap_or_else(|| usual_home(&plan.name)));
        // Heard from now on, so that no node is left behind.
        let signals = Signals::listen().context("cannot listen for signals")?;
        let _lock = home.lock()?;
        home.refuse_running()?;
        let seats = home.settle(&plan, registry).map_err(told)?;
        let fleet = Fleet::start(seats)?;
        let head = format!(
            "{}: {} nodes of {}, epoch {}, in {}",
            plan.name,
            *plan.file.nodes,
            *plan.file.protocol,
            *plan.file.epoch,
            home.path().display()
        );
        match self.detach {
            true => detach(fleet, &Doors::of(&home), &signals, &head),
            false => self.watch(fleet, &Doors::of(&home), &signals, &head),
        }
    }

    /// Shows the cluster until somebody wants it to stop, or there is nothing left to show.
    fn watch(&self, mut fleet: Fleet, doors: &Doors, signals: &Signals, head: &str) -> Done {
        let seats: Vec<Seat> = fleet.members.iter().map(|member| member.seat.clone()).collect();
        let (seen, mut view) = (watch_doors(&seats, doors), View::new());
        view.say(&format!("{head}; Ctrl-C stops it"));
        let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
        while !signals.wait(LOOK) {
            for (index, status) in fleet.look() {
                view.say(&format!("n{index} {}{}", ending(status), last_line(&seats, index)));
            }
            if self.restart {
                for index in fleet.restart()? {
                    view.say(&format!("n{index} starts again"));
                }
            } else if fleet.is_over() {
                view.say("no node runs any more");
                let is_clean =
                    fleet.members.iter().all(|member| member.ended.is_some_and(|ended| ended.success()));
                return Ok(if is_clean { Verdict::Holds } else { Verdict::Violated });
            }
            rows.extend(seen.try_iter().map(|row| (row.node, row)));
            let row = |member: &fleet::Member| {
                let last = rows.get(&member.seat.index).cloned().unwrap_or_default();
                let role = member.ended.map_or(last.role.clone(), ending);
                let links = last.links.filter(|_| member.ended.is_none());
                Row { node: member.seat.index, role, links, ..last }
            };
            view.show(&fleet.members.iter().map(row).collect::<Vec<_>>());
        }
        view.say("stopping");
        stop(fleet, signals);
        Ok(Verdict::Holds)
    }
}

/// Where the cluster of this name lives if nobody says otherwise.
pub(super) fn usual_home(name: &str) -> PathBuf {
    Path::new(".seedbed").join(name)
}

/// What is wrong in a file is shown where it is wrong.
pub(super) fn told(error: HomeError) -> anyhow::Error {
    match error {
        HomeError::Wrong(report) => report.into(),
        other => other.into(),
    }
}

/// Waits until all are ready, and lets them run.
fn detach(mut fleet: Fleet, doors: &Doors, signals: &Signals, head: &str) -> Done {
    let end = Instant::now() + READY;
    let mut waiting: Vec<Seat> = fleet.members.iter().map(|member| member.seat.clone()).collect();
    while !waiting.is_empty() {
        if let Some((index, status)) = fleet.look().first() {
            let words = last_words(&fleet.members[*index as usize].seat);
            let code = status.code();
            stop(fleet, signals);
            match code {
                Some(1) => {
                    super::tell(&anyhow::anyhow!(
                        "n{index} {}; its log ends with:\n{words}",
                        ending(*status)
                    ));
                    return Ok(Verdict::Violated);
                }
                _ => bail!("n{index} {}; its log ends with:\n{words}", ending(*status)),
            }
        }
        waiting.retain(|seat| !doors.is_ready(&seat.api));
        if Instant::now() >= end {
            let late = waiting.iter().map(|seat| format!("n{}", seat.index)).collect::<Vec<_>>().join(", ");
            stop(fleet, signals);
            bail!("not ready after {} s: {late}", READY.as_secs());
        }
        if signals.wait(if waiting.is_empty() { Duration::ZERO } else { ASK }) {
            stop(fleet, signals);
            bail!("interrupted; everything is stopped again");
        }
    }
    let mut text = format!("{head}\n");
    for member in &fleet.members {
        text += &format!("n{}  http://{}\n", member.seat.index, member.seat.api);
    }
    fleet.let_go();
    print(&text)?;
    Ok(Verdict::Holds)
}

/// Stops all; a second signal kills those that are left.
fn stop(fleet: Fleet, signals: &Signals) {
    for index in fleet.stop(|| signals.wait(Duration::ZERO)) {
        super::tell(&anyhow::anyhow!("n{index} did not stop and was killed"));
    }
}

/// Looks at all nodes now and then.
fn watch_doors(seats: &[Seat], doors: &Doors) -> Receiver<Row> {
    let (said, heard) = channel();
    for seat in seats {
        let (seat, said, doors) = (seat.clone(), said.clone(), doors.clone());
        std::thread::spawn(move || {
            loop {
                if let Some(row) = doors.row(&seat)
                    && said.send(row).is_err()
                {
                    return;
                }
                std::thread::sleep(LOOK);
            }
        });
    }
    heard
}

/// What a node's log ends with, if it says anything.
fn last_line(seats: &[Seat], index: u32) -> String {
    let words = seats.iter().find(|seat| seat.index == index).map(last_words).unwrap_or_default();
    match words.lines().last().map(str::trim) {
        None | Some("") => String::new(),
        Some(line) => format!("; its last line: {line}"),
    }
}

/// The end of a node's log.
fn last_words(seat: &Seat) -> String {
    let text = fs::read(seat.log_path()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
}

/// Which cluster a command means: that of a folder, or of a file.
pub(super) fn home_of(file: Option<&Path>, dir: Option<&Path>, registry: &Registry) -> Result<Home> {
    match (dir, file) {
        (Some(dir), _) => Ok(Home::at(dir)),
        (None, Some(file)) => Ok(Home::at(usual_home(&ClusterPlan::load(file, &[], registry)?.name))),
        (None, None) => bail!("which cluster? Name its file, or its folder with --dir"),
    }
}
