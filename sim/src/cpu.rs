//! The CPU of a node, on which the jobs of its protocol run: cores, a speed, and which of several jobs have a core.
//!
//! What is rounded: a job's span on a core of its own, cost by speed, up to a nanosecond; and the moment at which a job
//! leaves, as every time in a world: whoever shares keeps its share until that nanosecond is over. Under processor sharing
//! virtual time is rounded up to 2^-64 ns at every event of the CPU, and begins anew after an idle time. So nothing is done
//! late, what ends at once on paper ends at once here, and two jobs change places, or one leaves a nanosecond early, only
//! where the exact times differ by less than 2^-64 ns for every event in between.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use seedbed_core::choice;
use seedbed_core::contract::Duration;
use seedbed_core::scheduler::dag::Speed;

/// What CPU a node has. By default one core of speed one, first come, first served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CpuModel {
    /// How many jobs can run at full speed at the same time. Without a core none is ever done.
    pub cores: u32,
    /// How much CPU time a core gives a job in a span of world time.
    pub speed: Speed,
    /// Which jobs run when there are more of them than cores.
    pub discipline: Discipline,
}

choice! {
    /// Which jobs run when there are more of them than cores.
    pub enum Discipline {
        /// A job has one core to itself until it is done; others wait in the order in which they came.
        FirstCome,
        /// All run, and have equal shares of the cores; no job has more than one.
        ProcessorSharing,
    }
}

impl Default for CpuModel {
    fn default() -> Self {
        Self { cores: 1, speed: Speed::ONE, discipline: Discipline::FirstCome }
    }
}

impl CpuModel {
    /// How long a job of this cost takes on a core of its own, in nanoseconds, rounded up; [`NEVER`] for one that is never
    /// done.
    pub(crate) fn span(&self, cost: Duration) -> u64 {
        let time = if self.cores == 0 { None } else { self.speed.time(cost) };
        time.map_or(NEVER, Duration::as_nanos)
    }
}

/// Later than everything that happens.
const NEVER: u64 = u64::MAX;

/// What a CPU has to do in one life of its node.
#[derive(Clone, Debug)]
pub(crate) enum Cpu<J> {
    FirstCome(Cores),
    Sharing(Sharing<J>),
}

impl<J> Cpu<J> {
    pub(crate) fn new(model: CpuModel) -> Self {
        match model.discipline {
            Discipline::FirstCome => Self::FirstCome(Cores::new(model.cores)),
            Discipline::ProcessorSharing => Self::Sharing(Sharing::new(model.cores)),
        }
    }
}

/// Cores that take jobs in the order in which they come: when one is done is known as soon as it is there.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    cores: usize,
    /// Until when each is busy: as many as ever were at the same time.
    busy: BinaryHeap<Reverse<u64>>,
}

impl Cores {
    fn new(cores: u32) -> Self {
        Self { cores: cores as usize, busy: BinaryHeap::new() }
    }

    /// A job comes; gives the time at which it is done.
    pub(crate) fn add(&mut self, now: u64, span: u64) -> u64 {
        let is_full = self.busy.len() >= self.cores;
        let is_next = |first: &Reverse<u64>| is_full || first.0 <= now;
        let free = if self.busy.peek().is_some_and(is_next) { self.busy.pop() } else { None };
        let done = free.map_or(now, |Reverse(at)| at.max(now)).saturating_add(span);
        self.busy.push(Reverse(done));
        done
    }
}

/// Cores that all jobs share (Kleinrock, "Time-shared Systems: A Theoretical Treatment", J. ACM 14(2), 1967). Virtual time
/// is what a job has got that was there all along, so that a job's end stands in virtual time as soon as it is there,
/// whoever comes and goes (Parekh and Gallager, "A Generalized Processor Sharing Approach to Flow Control", IEEE/ACM Trans.
/// Networking 1(3), 1993): nothing is done to the others when one does.
#[derive(Clone, Debug)]
pub(crate) struct Sharing<J> {
    cores: u64,
    jobs: BinaryHeap<Share<J>>,
    /// How many jobs ever came.
    came: u64,
    /// Virtual time in 2^-64 ns. It never runs faster than the world's.
    virtual_time: u128,
    /// When it was that, in world time.
    since: u64,
    /// When the earliest queue entry comes up; [`NEVER`] without one.
    entry: u64,
}

/// A job that has a share.
#[derive(Clone, Debug)]
struct Share<J> {
    /// In virtual time.
    end: u128,
    /// Which of all jobs it is.
    nth: u64,
    job: J,
}

impl<J> Sharing<J> {
    fn new(cores: u32) -> Self {
        Self {
            cores: u64::from(cores.max(1)),
            jobs: BinaryHeap::new(),
            came: 0,
            virtual_time: 0,
            since: 0,
            entry: NEVER,
        }
    }

    /// A job comes.
    pub(crate) fn add(&mut self, now: u64, span: u64, job: J) {
        if self.jobs.is_empty() {
            (self.virtual_time, self.since) = (0, now);
        }
        self.go_on(now);
        let end = self.virtual_time.saturating_add(u128::from(span) << 64);
        self.jobs.push(Share { end, nth: self.came, job });
        self.came += 1;
    }

    /// A queue entry has come up. False if another took over.
    pub(crate) fn come_up(&mut self, now: u64) -> bool {
        let is_live = self.entry <= now;
        if is_live {
            self.entry = NEVER;
            self.go_on(now);
        }
        is_live
    }

    /// The next job that is done by the time of the last call, first the one that would have been done first.
    pub(crate) fn pop(&mut self) -> Option<J> {
        let first = self.jobs.peek()?;
        if first.end > self.virtual_time {
            return None;
        }
        self.jobs.pop().map(|share| share.job)
    }

    /// When a new queue entry has to come up, if one is needed: when the next job is done. Others may come until then, and
    /// make it later.
    pub(crate) fn next_entry(&mut self) -> Option<u64> {
        let first = self.jobs.peek()?;
        let at = self.since.saturating_add(self.wait(first.end.saturating_sub(self.virtual_time)));
        let is_earlier = at < self.entry;
        self.entry = self.entry.min(at);
        is_earlier.then_some(at)
    }

    /// Virtual time runs on until `now`: by a core's share, and at most as fast as the world's. Rounded up.
    fn go_on(&mut self, now: u64) {
        let jobs = self.jobs.len() as u128;
        let given = u128::from(now.saturating_sub(self.since)) * self.used();
        self.since = now;
        if let (Some(whole), Some(rest)) = (given.checked_div(jobs), given.checked_rem(jobs)) {
            self.virtual_time = self.virtual_time.saturating_add((whole << 64) + (rest << 64).div_ceil(jobs));
        }
    }

    /// The least number of nanoseconds in which [`go_on`](Self::go_on) passes so much virtual time: `ceil(x * used * 2^64 /
    /// jobs) >= left` if and only if `x > (left - 1) * jobs / (used * 2^64)`.
    fn wait(&self, left: u128) -> u64 {
        let Some(left) = left.checked_sub(1) else { return 0 };
        let jobs = self.jobs.len() as u128;
        let (whole, rest) = (left >> 64, left & u128::from(u64::MAX));
        let due = (whole * jobs).saturating_add((rest * jobs) >> 64) / self.used();
        u64::try_from(due).unwrap_or(NEVER).saturating_add(1)
    }

    /// How many cores have something to do: at least one if there are jobs.
    fn used(&self) -> u128 {
        u128::from(self.cores).min(self.jobs.len() as u128)
    }
}

/// The greatest is done first.
impl<J> Ord for Share<J> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.end, other.nth).cmp(&(self.end, self.nth))
    }
}
impl<J> PartialOrd for Share<J> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<J> PartialEq for Share<J> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl<J> Eq for Share<J> {}
