//! How long five processes are without a leader when it is killed, and whether they keep it under load:
//! `failover_harness kill [--kills N] [--seedbed PROGRAM]`, `failover_harness load [--minutes M]`.
//!
//! Both start the cluster of `scenarios/clusters/elections.toml` in a temporary folder with `seedbed up --restart`.
//! *kill* is over a leader's SIGKILL, from just before the signal until another node's event stream tells that it leads a
//! later term; the next one dies once the killed one has come back and all agree. *load* runs the same election in nodes
//! that fill both lanes to all their peers; they are processes of this very program.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use seedbed::scenarios::deploy::{Home, Process, Signals};
use seedbed::scenarios::run::Registry;
use seedbed_benches::loaded::{BLOB_SIZE, FRAME_SIZE, LoadedRaft};
use serde_json::Value;
use ureq::Agent;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

const CLUSTER: &str = include_str!("../scenarios/clusters/elections.toml");
const PROTOCOL: &str = "protocol = \"raft\"";
const LOADED: &str = "loaded-raft";
/// What does not happen within this time does not happen.
const LIMIT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// The flood has begun everywhere, and who leads is settled.
const WARM_UP: Duration = Duration::from_secs(5);
/// Between two lines of progress.
const REPORT: Duration = Duration::from_secs(60);
const MIB: f64 = (1 << 20) as f64;

#[derive(Parser)]
enum Arguments {
    /// Kill the leader again and again.
    Kill {
        #[arg(long, default_value_t = 40)]
        kills: usize,
        /// Otherwise the one beside this program, or in the folder above.
        #[arg(long)]
        seedbed: Option<PathBuf>,
    },
    /// Fill both lanes of all pairs, and count elections.
    Load {
        #[arg(long, default_value_t = 10.0)]
        minutes: f64,
    },
}

fn main() -> ExitCode {
    // As `up` starts it, and as this program starts `up`.
    if std::env::args().nth(1).is_some_and(|verb| verb == "node" || verb == "up") {
        return seedbed::cli().protocol::<LoadedRaft>(LOADED).run();
    }
    let done = match Arguments::parse() {
        Arguments::Kill { kills, seedbed } => kill(kills, seedbed),
        Arguments::Load { minutes } => load(Duration::from_secs_f64(minutes * 60.0)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Kills leaders.
fn kill(kills: usize, program: Option<PathBuf>) -> Fallible<bool> {
    let program = program.map_or_else(beside, Ok)?;
    let cluster = Cluster::start(&program, CLUSTER)?;
    let (mut leader, first) = cluster.leader()?;
    let (mut term, mut times) = (first, Vec::new());
    for number in 1..=kills {
        // What was told before is of no interest.
        cluster.told.try_iter().for_each(drop);
        let start = Instant::now();
        cluster.process(leader)?.kill();
        let (node, later, at) = cluster.next_leader(term)?;
        times.push(at.duration_since(start).as_secs_f64() * 1e3);
        eprintln!(
            "{number}: n{leader} killed in term {term}, n{node} leads {later} after {:.1} ms",
            times[number - 1]
        );
        (leader, term) = cluster.leader()?;
    }
    times.sort_by(f64::total_cmp);
    let quantile =
        |share: f64| times[((times.len() as f64 * share).ceil() as usize).clamp(1, times.len()) - 1];
    println!(
        "| time without a leader, ms | kills | median | p90 | longest | terms |\n|---|---:|---:|---:|---:|---:|"
    );
    println!(
        "| five processes, SIGKILL of the leader | {} | {:.0} | {:.0} | {:.0} | {} |",
        times.len(),
        quantile(0.5),
        quantile(0.9),
        quantile(1.0),
        term - first
    );
    Ok(true)
}

/// Keeps the lanes full, and looks whether anybody else wants to lead. Says whether nobody did.
fn load(time: Duration) -> Fallible<bool> {
    assert!(CLUSTER.contains(PROTOCOL), "the cluster runs raft");
    let text = CLUSTER.replace(PROTOCOL, &format!("protocol = \"{LOADED}\""));
    let cluster = Cluster::start(&std::env::current_exe()?, &text)?;
    cluster.leader()?;
    cluster.pause(WARM_UP)?;
    let (leader, first) = cluster.leader()?;
    cluster.told.try_iter().for_each(drop);
    let (start, before) = (Instant::now(), cluster.taken()?);
    while start.elapsed() < time {
        cluster.pause(REPORT.min(time.saturating_sub(start.elapsed())))?;
        let taken = cluster.taken()?;
        eprintln!(
            "{:.0} s: {} small messages, {} blobs",
            start.elapsed().as_secs_f64(),
            taken[0] - before[0],
            taken[1] - before[1]
        );
    }
    let (seconds, after) = (start.elapsed().as_secs_f64(), cluster.taken()?);
    let mut notices: BTreeMap<String, usize> = BTreeMap::new();
    for Told { node, event, at } in cluster.told.try_iter() {
        if let Some(notice) = event["what"].as_object().filter(|_| event["kind"] == "notice") {
            eprintln!("{:.1} s: n{node}: {}", at.duration_since(start).as_secs_f64(), event["what"]);
            notice.keys().for_each(|kind| *notices.entry(kind.clone()).or_default() += 1);
        }
    }
    let (now, last) = cluster.leader()?;
    let rate = |lane: usize| (after[lane] - before[lane]) as f64 / seconds;
    let of = |kind: &str| notices.get(kind).copied().unwrap_or(0);
    println!("| {seconds:.0} s of full load, all 20 directions | messages/s | MiB/s |\n|---|---:|---:|");
    println!("| control lane, {FRAME_SIZE} B | {:.0} | {:.1} |", rate(0), rate(0) * FRAME_SIZE as f64 / MIB);
    println!(
        "| bulk lane, {} MiB | {:.0} | {:.0} |",
        BLOB_SIZE >> 20,
        rate(1),
        rate(1) * BLOB_SIZE as f64 / MIB
    );
    println!(
        "\nElections: {}. Terms: {}. Polls whether one could win: {}. n{leader} led, n{now} leads.",
        of("Campaigning"),
        last - first,
        of("Polling")
    );
    Ok(of("Campaigning") == 0 && last == first)
}

/// The command, where cargo builds it: examples lie one folder deeper.
fn beside() -> Fallible<PathBuf> {
    let me = std::env::current_exe()?;
    let found =
        me.ancestors().skip(1).take(2).map(|folder| folder.join("seedbed")).find(|path| path.exists());
    found.ok_or_else(|| "no `seedbed` beside this program: build it, or name it with --seedbed".into())
}

/// Five processes in a temporary folder, until it is dropped.
struct Cluster {
    folder: PathBuf,
    up: Child,
    doors: Vec<String>,
    agent: Agent,
    told: Receiver<Told>,
    signals: Signals,
}

/// What a node has told, and when that was heard.
struct Told {
    node: u32,
    event: Value,
    at: Instant,
}

impl Cluster {
    fn start(program: &Path, text: &str) -> Fallible<Self> {
        let signals = Signals::listen()?;
        let folder = std::env::temp_dir().join(format!("seedbed-failover-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("elections.toml"), text)?;
        let up = Command::new(program)
            .args(["up", "elections.toml", "--dir", "nodes", "--restart"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let up = match up {
            Ok(up) => up,
            Err(error) => {
                fs::remove_dir_all(&folder)?;
                return Err(format!("{}: {error}", program.display()).into());
            }
        };
        let agent = Agent::config_builder().proxy(None).timeout_connect(Some(LIMIT)).build().into();
        let (said, told) = channel();
        let mut cluster = Self { folder, up, doors: Vec::new(), agent, told, signals };
        cluster.find_doors()?;
        for (node, door) in (0..).zip(cluster.doors.clone()) {
            let (said, agent) = (said.clone(), cluster.agent.clone());
            thread::spawn(move || listen(node, &door, &agent, &said));
        }
        Ok(cluster)
    }

    fn find_doors(&mut self) -> Fallible<()> {
        let registry = Registry::ours().with::<LoadedRaft>(LOADED);
        let home = Home::at(self.folder.join("nodes"));
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.up.try_wait()? {
                return Err(format!("`seedbed up` has ended: {status}").into());
            }
            if home.running().is_ok_and(|running| running.len() == 5) {
                let doors = home.nodes(&registry)?.into_iter().filter_map(|node| node.file.api.listen);
                self.doors = doors.map(|door| door.to_string()).collect();
                return Ok(());
            }
            self.look(end, "five processes")?;
        }
    }

    fn process(&self, node: u32) -> Fallible<Process> {
        let path = self.folder.join(format!("nodes/n{node}/pid"));
        Process::read(&path).ok_or_else(|| format!("n{node} does not run").into())
    }

    /// Who leads in which term, once all five agree.
    fn leader(&self) -> Fallible<(u32, u64)> {
        let end = Instant::now() + LIMIT;
        loop {
            let views: Vec<_> = (0..self.doors.len()).map(|node| self.view(node)).collect();
            if let Some(view @ Some(agreed)) = views.first()
                && views.iter().all(|other| other == view)
            {
                return Ok(*agreed);
            }
            self.look(end, "a leader that all agree on")?;
        }
    }

    fn view(&self, node: usize) -> Option<(u32, u64)> {
        let status = self.status(node)?;
        let leader = status["facts"]["leader"].as_str()?.strip_prefix('n')?.parse().ok()?;
        Some((leader, status["facts"]["term"].as_str()?.parse().ok()?))
    }

    fn status(&self, node: usize) -> Option<Value> {
        let url = format!("http://{}/api/v1/status", self.doors[node]);
        let text = self.agent.get(url).call().ok()?.body_mut().read_to_string().ok()?;
        serde_json::from_str(&text).ok()
    }

    /// The first to tell that it leads a later term than this one.
    fn next_leader(&self, term: u64) -> Fallible<(u32, u64, Instant)> {
        let end = Instant::now() + LIMIT;
        loop {
            let told = self.told.recv_timeout(end.saturating_duration_since(Instant::now()));
            let Told { node, event, at } = told.map_err(|_| "nobody leads any more")?;
            let later = event["what"]["Leading"]["term"].as_u64().filter(|later| *later > term);
            if let Some(later) = later.filter(|_| event["kind"] == "notice") {
                return Ok((node, later, at));
            }
        }
    }

    /// Small messages and blobs that all nodes have taken.
    fn taken(&self) -> Fallible<[u64; 2]> {
        let (mut taken, token) = ([0; 2], fs::read_to_string(self.folder.join("nodes/token"))?);
        for node in 0..self.doors.len() {
            let request = self.agent.post(format!("http://{}/api/v1/commands", self.doors[node]));
            let request = request.header("Content-Type", "application/json");
            let request = request.header("Authorization", format!("Bearer {}", token.trim()));
            let text = request.send("null")?.body_mut().read_to_string()?;
            let counts: [u64; 2] = serde_json::from_str(&text)?;
            taken.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        Ok(taken)
    }

    fn look(&self, end: Instant, what: &str) -> Fallible<()> {
        if Instant::now() >= end {
            return Err(format!("waited in vain for {what}").into());
        }
        self.pause(LOOK)
    }

    fn pause(&self, time: Duration) -> Fallible<()> {
        if self.signals.wait(time) { Err("interrupted".into()) } else { Ok(()) }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(up) = Process::of(self.up.id()) {
            up.ask_to_stop();
        }
        let _ = self.up.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Passes on what a node tells, in all its lives.
fn listen(node: u32, door: &str, agent: &Agent, said: &Sender<Told>) {
    loop {
        let stream = agent.get(format!("http://{door}/api/v1/events")).call();
        let lines =
            stream.into_iter().flat_map(|answer| BufReader::new(answer.into_body().into_reader()).lines());
        for line in lines.map_while(Result::ok) {
            let event = line.strip_prefix("data:").and_then(|data| serde_json::from_str(data.trim()).ok());
            if let Some(event) = event
                && said.send(Told { node, event, at: Instant::now() }).is_err()
            {
                return;
            }
        }
        thread::sleep(LOOK);
    }
}
