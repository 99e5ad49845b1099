//! Processes that this program started, perhaps long ago: found again, told to stop, never mistaken for others.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A process, and when it started: its number alone may mean another one by now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Process {
    pid: Pid,
    /// In ticks since the machine started; 0 where that cannot be known.
    started: u64,
}

impl Process {
    /// The running process of this number.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        let started = started(pid)?;
        Some(Self { pid, started })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether it still runs. One that has ended and waits to be buried does not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        started(self.pid) == Some(self.started)
    }

    /// Asks it to stop. It may have ended already.
    pub fn ask_to_stop(&self) {
        self.send(Signal::TERM);
    }

    /// Ends it at once.
    pub fn kill(&self) {
        self.send(Signal::KILL);
    }

    fn send(&self, signal: Signal) {
        if self.is_alive() {
            // It may have ended since.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Waits until it has ended, at most so long; says whether it has.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while self.is_alive() {
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }

    /// What a file says, if it says anything.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        std::fs::read_to_string(path).ok()?.parse().ok()
    }
}

/// Between two looks at a process that is no child of this one.
const LOOK: Duration = Duration::from_millis(5);

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid(), self.started)
    }
}

/// This text names no process.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected the number of a process and its start")]
pub struct NoProcess;

impl FromStr for Process {
    type Err = NoProcess;
    fn from_str(text: &str) -> Result<Self, NoProcess> {
        let (pid, started) = text.trim().split_once(' ').ok_or(NoProcess)?;
        let pid = pid.parse().ok().filter(|&pid| pid > 0).and_then(Pid::from_raw).ok_or(NoProcess)?;
        Ok(Self { pid, started: started.parse().map_err(|_| NoProcess)? })
    }
}

/// When a process started; none if there is none, or only what is left of it.
#[cfg(target_os = "linux")]
fn started(pid: Pid) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // proc_pid_stat(5): the second field is a name in parentheses, which may hold anything; the state follows.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let is_dead = matches!(fields.next()?, "Z" | "X" | "x");
    let ticks = fields.nth(18)?.parse().ok()?;
    (!is_dead).then_some(ticks)
}

/// Without `/proc` there is only its number.
#[cfg(not(target_os = "linux"))]
fn started(pid: Pid) -> Option<u64> {
    rustix::process::test_kill_process(pid).is_ok().then_some(0)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_itself_and_no_other() {
        let me = Process::of(std::process::id()).unwrap();
        assert!(me.is_alive());
        assert_eq!(me.to_string().parse(), Ok(me));
        let another = Process { started: me.started + 1, ..me };
        assert!(cfg!(not(target_os = "linux")) || !another.is_alive());
        for text in ["", "1", "x 1", "0 1", "-3 1", "1 x"] {
            assert_eq!(text.parse::<Process>(), Err(NoProcess), "{text}");
        }
    }

    #[test]
    fn a_process_that_has_ended_is_dead_before_it_is_buried() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(process.is_alive());
        process.kill();
        assert!(process.wait(Duration::from_secs(10)) || cfg!(not(target_os = "linux")));
        assert!(!child.wait().unwrap().success());
        assert!(!process.is_alive());
        process.ask_to_stop();
    }
}
