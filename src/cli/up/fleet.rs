//! The processes of a cluster: started, watched, stopped.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use seedbed_scenarios::deploy::{Process, Seat};

/// The allocator reads it when a process begins. A node is small: pages of 2 MiB, each hardly used, would be most of the
/// memory that it takes.
const HUGE_PAGES: &str = "MIMALLOC_ALLOW_THP";

/// The nodes of a cluster, each a process. Those that still run are killed when this is dropped, unless they were let go.
#[derive(Debug)]
pub(in crate::cli) struct Fleet {
    program: PathBuf,
    pub(super) members: Vec<Member>,
}

/// One node.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) seat: Seat,
    child: Option<Child>,
    /// How its last process ended.
    pub(super) ended: Option<ExitStatus>,
    started: Instant,
}

/// How long a node may take to stop before it is killed: more than it needs to say goodbye to its peers.
pub(in crate::cli) const STOP: Duration = Duration::from_secs(10);
/// A node that ends is started again after this time, so that one that cannot run does not keep the machine busy.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at processes that are to end.
const LOOK: Duration = Duration::from_millis(5);

impl Fleet {
    /// Starts all nodes.
    pub(super) fn start(seats: Vec<Seat>) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find the program that this is")?;
        let mut fleet = Self { program, members: Vec::new() };
        for seat in seats {
            let mut member = Member { seat, child: None, ended: None, started: Instant::now() };
            member.start(&fleet.program)?;
            fleet.members.push(member);
        }
        Ok(fleet)
    }

    /// Looks who has ended since the last time: their numbers, and how.
    pub(super) fn look(&mut self) -> Vec<(u32, ExitStatus)> {
        self.members.iter_mut().filter_map(Member::look).collect()
    }

    /// Starts those that have ended again; their numbers.
    pub(super) fn restart(&mut self) -> Result<Vec<u32>> {
        let mut restarted = Vec::new();
        for member in &mut self.members {
            if member.child.is_none() && member.started.elapsed() >= PAUSE {
                member.start(&self.program)?;
                restarted.push(member.seat.index);
            }
        }
        Ok(restarted)
    }

    /// Whether none runs any more.
    pub(super) fn is_over(&self) -> bool {
        self.members.iter().all(|member| member.child.is_none())
    }

    /// Asks all to stop and waits for them, but not for ever; `hurry` says that nobody wants to wait any more. The numbers
    /// of those that had to be killed.
    pub(super) fn stop(mut self, mut hurry: impl FnMut() -> bool) -> Vec<u32> {
        let running = self.members.iter().filter_map(Member::process);
        running.for_each(|process| process.ask_to_stop());
        let end = Instant::now() + STOP;
        while !self.is_over() && Instant::now() < end && !hurry() {
            self.look();
            std::thread::sleep(LOOK);
        }
        self.kill()
    }

    /// Lets the nodes run on when this program ends.
    pub(super) fn let_go(mut self) {
        self.members.clear();
    }

    /// Kills those that still run; their numbers.
    fn kill(&mut self) -> Vec<u32> {
        let running = self.members.iter_mut().filter(|member| member.child.is_some());
        running.map(|member| member.kill()).collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Member {
    fn start(&mut self, program: &std::path::Path) -> Result<()> {
        let path = self.seat.log_path();
        let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let log = log.with_context(|| format!("cannot write {}", path.display()))?;
        // A group of its own: Ctrl-C is for this program, which stops its nodes itself.
        let mut command = Command::new(program);
        command.arg("node").arg(self.seat.node_path()).stdin(Stdio::null()).stdout(Stdio::null());
        if std::env::var_os(HUGE_PAGES).is_none() {
            command.env(HUGE_PAGES, "0");
        }
        let child = command.stderr(log).process_group(0).spawn();
        let child = child.with_context(|| format!("cannot start {}", program.display()))?;
        let process = Process::of(child.id());
        (self.child, self.ended, self.started) = (Some(child), None, Instant::now());
        process.map_or(Ok(()), |process| self.seat.note_process(&process)).map_err(Into::into)
    }

    fn process(&self) -> Option<Process> {
        self.child.as_ref().and_then(|child| Process::of(child.id()))
    }

    fn look(&mut self) -> Option<(u32, ExitStatus)> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        self.bury(status);
        Some((self.seat.index, status))
    }

    fn kill(&mut self) -> u32 {
        if let Some(mut child) = self.child.take() {
            // It may have ended since; it is buried in any case.
            let _ = child.kill();
            if let Ok(status) = child.wait() {
                self.bury(status);
            }
        }
        self.seat.index
    }

    fn bury(&mut self, status: ExitStatus) {
        (self.child, self.ended) = (None, Some(status));
        self.seat.forget_process();
    }
}

/// How a process ended, in words.
pub(super) fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "stopped".into(),
        (Some(code), _) => format!("ended with code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended".into(),
    }
}
