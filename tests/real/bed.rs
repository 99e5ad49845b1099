//! A cluster in a folder of its own. Whatever becomes of a test, no process outlives it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use seedbed::scenarios::deploy::{Home, NodePlan, Process};
use seedbed::scenarios::run::Registry;
use serde_json::{Value, json};
use ureq::Agent;

/// Longer than anything here takes, on a machine that has much else to do.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Five voters with time-outs that a busy machine keeps to.
pub(crate) const FIVE: &str = r#"
name = "five"
protocol = "raft"
nodes = 5

[params]
heartbeat = "20ms"
timeout_min = "150ms"
timeout_max = "300ms"
pre_vote = true
check_quorum = true
stickiness = true
"#;

/// A folder for one test, and the processes that run there.
pub(crate) struct Bed {
    folder: PathBuf,
    /// What its cluster is called, and the folder where that lives.
    cluster: &'static str,
    /// Started by the test itself.
    children: Vec<Child>,
    /// One test at a time: they measure no time, but they are in a hurry.
    _turn: File,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Bed {
    pub(crate) fn new(name: &str) -> Self {
        let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let turn = File::create(base.join("real.turn")).expect("a file to wait at");
        turn.lock().expect("a turn");
        let folder = base.join(format!("real-{name}"));
        end_all(&folder);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder for the test");
        Self { folder, cluster: "five", children: Vec::new(), _turn: turn }
    }

    /// With five voters, running.
    pub(crate) fn up(name: &str, more: &[&str]) -> Self {
        Self::up_with(name, "five", FIVE, more)
    }

    /// With this cluster, running.
    pub(crate) fn up_with(name: &str, cluster: &'static str, file: &str, more: &[&str]) -> Self {
        let mut bed = Self::new(name);
        bed.cluster = cluster;
        let path = format!("{cluster}.toml");
        bed.write(&path, file);
        let told = bed.seedbed(["up", &path, "--dir", cluster, "--detach"].iter().chain(more));
        assert_eq!(told.code, Some(0), "{told:?}");
        bed
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file of the test");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn home(&self) -> Home {
        Home::at(self.path(self.cluster))
    }

    /// The command, not started yet.
    pub(crate) fn command<S: AsRef<str>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seedbed"));
        for argument in arguments {
            command.arg(argument.as_ref());
        }
        command.current_dir(&self.folder).stdin(Stdio::null()).env("NO_COLOR", "1");
        command
    }

    /// The command, to its end, which must come.
    pub(crate) fn seedbed<S: AsRef<str>>(&self, arguments: impl IntoIterator<Item = S>) -> Told {
        let mut command = self.command(arguments);
        finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts"))
    }

    /// Starts a command that goes on; its number is to be given to [`Self::child`].
    pub(crate) fn spawn<S: AsRef<str>>(
        &mut self,
        arguments: impl IntoIterator<Item = S>,
        out: &str,
    ) -> usize {
        let out = File::options().create(true).append(true).open(self.path(out)).expect("a file of the test");
        let err = out.try_clone().expect("a file of the test");
        let child = self.command(arguments).stdout(out).stderr(err).spawn().expect("the command starts");
        self.children.push(child);
        self.children.len() - 1
    }

    pub(crate) fn child(&self, number: usize) -> Process {
        Process::of(self.children[number].id()).expect("it runs")
    }

    /// Waits for a command that goes on to end.
    pub(crate) fn end(&mut self, number: usize) -> Option<i32> {
        let child = &mut self.children[number];
        let ended = within("the end of a command", || child.try_wait().expect("a child"));
        ended.code()
    }

    pub(crate) fn nodes(&self) -> Vec<NodePlan> {
        self.home().nodes(&Registry::ours()).expect("the files of the nodes")
    }

    /// A file of a node.
    fn seat(&self, node: u32, name: &str) -> PathBuf {
        self.path(&format!("{}/n{node}/{name}", self.cluster))
    }

    pub(crate) fn process(&self, node: u32) -> Option<Process> {
        Process::read(&self.seat(node, "pid")).filter(Process::is_alive)
    }

    /// Starts a node that was killed.
    pub(crate) fn restart(&mut self, node: u32) {
        let file = self.seat(node, "NODE.toml");
        let number =
            self.spawn(["node", &file.display().to_string()], &format!("{}/n{node}/log", self.cluster));
        let process = self.child(number);
        fs::write(self.seat(node, "pid"), process.to_string()).expect("a file of the test");
    }

    /// Kills a node with SIGKILL.
    pub(crate) fn kill(&mut self, node: u32) {
        let process = self.process(node).unwrap_or_else(|| panic!("n{node} does not run"));
        process.kill();
        assert!(process.wait(LIMIT), "n{node} cannot be killed");
        // Those that the test has started itself are its own to bury.
        self.children.iter_mut().for_each(|child| drop(child.try_wait()));
    }

    pub(crate) fn ask(&self, node: u32, path: &str) -> Option<Value> {
        self.ask_at(&self.api(node)?, path)
    }

    pub(crate) fn ask_at(&self, api: &str, path: &str) -> Option<Value> {
        serde_json::from_str(&read(api, path)?).ok()
    }

    pub(crate) fn text(&self, node: u32, path: &str) -> Option<String> {
        read(&self.api(node)?, path)
    }

    pub(crate) fn token(&self) -> String {
        self.read(&format!("{}/token", self.cluster)).trim().to_owned()
    }

    pub(crate) fn api(&self, node: u32) -> Option<String> {
        let plan = NodePlan::load(&self.seat(node, "NODE.toml"), &Registry::ours()).ok()?;
        plan.file.api.listen.map(|api| api.to_string())
    }

    pub(crate) fn status(&self, node: u32) -> Option<Value> {
        self.ask(node, "/api/v1/status")
    }

    /// Cuts a node off from these, or heals all its cuts if there are none.
    pub(crate) fn cut(&self, node: u32, peers: &[u32]) {
        let cuts: Vec<Value> = peers.iter().map(|peer| json!({ "peer": peer })).collect();
        let body = json!({ "heal_all": true, "cut": cuts });
        let url = format!("http://{}/api/v1/faults", self.api(node).expect("a door"));
        let token = format!("Bearer {}", self.token());
        let request =
            agent().post(url).header("Authorization", token).header("Content-Type", "application/json");
        request.send(body.to_string()).expect("the fault route takes it");
    }

    /// Who leads, and in which term, once all of these agree on it and `is_wanted` says yes.
    pub(crate) fn leader(&self, among: &[u32], is_wanted: impl Fn(u32, u64) -> bool) -> (u32, u64) {
        within("a leader that all agree on", || {
            let views: Vec<Value> = among.iter().filter_map(|node| self.status(*node)).collect();
            let view = |status: &Value| {
                let leader = status["facts"]["leader"].as_str()?.strip_prefix('n')?.parse().ok()?;
                let term = status["facts"]["term"].as_str()?.parse().ok()?;
                Some((leader, term))
            };
            let found: Vec<Option<(u32, u64)>> = views.iter().map(view).collect();
            let (leader, term) = (*found.first()?)?;
            let agree =
                found.len() == among.len() && found.iter().all(|other| *other == Some((leader, term)));
            let leads = |status: &Value| status["node"] == leader && status["role"] == "leader";
            (agree && views.iter().any(leads) && is_wanted(leader, term)).then_some((leader, term))
        })
    }

    /// What all nodes have ever told: by node, in order.
    pub(crate) fn events(&self) -> BTreeMap<u32, Vec<Value>> {
        let mut events = BTreeMap::new();
        for node in self.nodes() {
            let index = *node.file.node;
            let data = format!("{}/n{index}/data", self.cluster);
            let mut lines = self.read(&format!("{data}/events.jsonl.old"));
            lines += &self.read(&format!("{data}/events.jsonl"));
            let told = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            events.insert(index, told);
        }
        events
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        end_all(&self.folder);
        if thread::panicking() {
            eprintln!("what is left is in {}", self.folder.display());
        } else {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Ends whatever was started with a file of this folder: its name stands in the arguments.
fn end_all(folder: &Path) {
    let Ok(processes) = fs::read_dir("/proc") else { return };
    for entry in processes.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Some(process) = Process::of(pid) else { continue };
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut arguments = arguments.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let is_ours = |argument: &str| Path::new(argument).starts_with(folder);
        let is_node = arguments.clone().nth(1).is_some_and(|verb| verb == "node");
        // The folder is named by its whole path, which no other process has.
        let home = || fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder);
        if is_node && (arguments.any(|argument| is_ours(&argument)) || home()) {
            process.kill();
        }
    }
}

/// Waits until something is there, and fails if it does not come.
#[track_caller]
pub(crate) fn within<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(LOOK);
    }
}

fn finish(mut child: Child) -> Told {
    let read = |mut pipe: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut text = String::new();
            let _ = pipe.read_to_string(&mut text);
            text
        })
    };
    let out = read(Box::new(child.stdout.take().expect("a pipe")));
    let err = read(Box::new(child.stderr.take().expect("a pipe")));
    let end = Instant::now() + LIMIT;
    let code = loop {
        match child.try_wait().expect("a child") {
            Some(status) => break status.code(),
            None if Instant::now() >= end => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("a command does not end");
            }
            None => thread::sleep(LOOK),
        }
    };
    Told { code, out: out.join().unwrap_or_default(), err: err.join().unwrap_or_default() }
}

fn read(api: &str, path: &str) -> Option<String> {
    agent().get(format!("http://{api}{path}")).call().ok()?.body_mut().read_to_string().ok()
}

fn agent() -> Agent {
    Agent::config_builder().proxy(None).timeout_global(Some(Duration::from_secs(2))).build().into()
}
