//! What a hub remembers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::entry::{CopyId, Needs, Spec, TaskId, UserId};
use super::plan::Place;
use super::queue::{Key, LaneId, Queue};
use super::stage::Stage;
use super::tasks::Tasks;
use super::workers::Workers;
use crate::contract::{Duration, Time};
use crate::scheduler::call::Call;
use crate::scheduler::trust::{Answer, Identity, TrustBook, Votes};
use crate::settings::Bytes;

/// All that a hub knows: a value that can be stored, and taken up again by [`Hub::resume`](super::Hub::resume).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct State {
    /// When the latest entry was written.
    pub(super) now: Time,
    pub(super) book: TrustBook,
    pub(super) tasks: Tasks,
    pub(super) copies: BTreeMap<CopyId, Turn>,
    pub(super) workers: Workers,
    pub(super) queue: Queue,
    pub(super) alarms: BTreeSet<(Time, Alarm)>,
    /// By worker, the undecided tasks in whose votes it has a seat.
    pub(super) seats: BTreeMap<Identity, BTreeSet<TaskId>>,
    /// By worker, the tasks that are planned there and were not given to it yet.
    pub(super) planned: BTreeMap<Identity, BTreeSet<TaskId>>,
    /// Tasks whose answers are known, for spot-checks.
    pub(super) bank: VecDeque<Known>,
    /// What the hub is computing itself.
    pub(super) lesson: Option<Lesson>,
    /// How many spot-checks were given since it last knew a new answer.
    pub(super) checks_since: u32,
    /// Tasks that are done, in the order in which they were.
    pub(super) done: VecDeque<TaskId>,
    /// How many are not.
    pub(super) open: u32,
    /// How many are validated, failed and cancelled, forgotten ones too.
    pub(super) ended: [u64; 3],
    /// By user, how many of those are its.
    pub(super) users: BTreeMap<UserId, u32>,
    pub(super) next_task: u64,
    pub(super) next_copy: u64,
}

/// A task and what became of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Task {
    pub(super) spec: Spec,
    pub(super) user: UserId,
    pub(super) submitted: Time,
    pub(super) stage: Stage,
    pub(super) lane: LaneId,
    /// Given when it became ready, or when its workflow was planned.
    pub(super) key: Key,
    /// A policy for workflows gave it its key.
    pub(super) is_ranked: bool,
    /// Where it is planned, until it goes there or the plan does not hold.
    pub(super) place: Option<Box<Place>>,
    /// How many of those it depends on are not validated.
    pub(super) missing: u32,
    /// Those it depends on, with how much each hands over.
    pub(super) givers: Vec<(TaskId, Bytes)>,
    pub(super) takers: Vec<TaskId>,
    /// Attempts that failed.
    pub(super) attempt: u32,
    pub(super) votes: Votes,
    /// How many more workers it wants.
    pub(super) wanted: u32,
    /// Where it waits for room, with its place in the line there.
    pub(super) bound: Vec<(Identity, Key)>,
    /// Some of them are still to be found: it is in the queue.
    pub(super) is_wanting: bool,
    /// How many more than its policy asks for, because a copy straggles.
    pub(super) extra: u32,
    /// Copies under a lease.
    pub(super) live: u32,
    /// All copies that are known of any attempt.
    pub(super) copies: SmallVec<[CopyId; 2]>,
    /// Whether a copy of this attempt was lost with its worker.
    pub(super) has_lost: bool,
    /// How often in this attempt its patience was spent on spot-checks of those who voted.
    pub(super) checks: u32,
}

/// What a copy is to the hub. All but `Gone` take up room at their worker.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Hold {
    /// Under a lease.
    Live,
    /// The lease ran out. Its answer still counts.
    Lapsed,
    /// It was told to stop.
    Revoked,
    /// Lost with its worker. Its answer still counts, too.
    Gone,
}

/// One worker's turn, known by the name of the copy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Turn {
    pub(super) task: TaskId,
    pub(super) attempt: u32,
    pub(super) worker: Identity,
    pub(super) needs: Needs,
    pub(super) work: Duration,
    pub(super) call: Arc<Call>,
    /// What must come to the worker first.
    pub(super) data: Bytes,
    pub(super) hold: Hold,
    /// Of a spot-check, the right answer.
    pub(super) right: Option<Answer>,
}

/// A task whose answer is known.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Known {
    pub(super) task: TaskId,
    pub(super) needs: Needs,
    pub(super) work: Duration,
    pub(super) call: Arc<Call>,
    pub(super) data: Bytes,
    pub(super) answer: Answer,
}

/// A task that the hub computes itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Lesson {
    pub(super) copy: CopyId,
    pub(super) task: TaskId,
    pub(super) attempt: u32,
    pub(super) needs: Needs,
    pub(super) work: Duration,
    pub(super) call: Arc<Call>,
    pub(super) data: Bytes,
}

/// What is to happen when time has passed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) enum Alarm {
    /// A copy's lease is over.
    Lease(CopyId),
    /// A copy takes long.
    Straggler(CopyId),
    /// A worker was silent, if it was not heard since.
    Silence(Identity),
    /// A task has rested.
    Rest(TaskId),
    /// A task was not given to the worker that was planned for it.
    Plan(TaskId),
    /// A task may have nobody who could take it, if it is still in this attempt.
    Patience(TaskId, u32),
    /// The hub's own computing takes too long.
    Lesson(CopyId),
}

impl State {
    pub(super) fn new(book: TrustBook) -> Self {
        Self {
            now: Time::ZERO,
            book,
            tasks: Tasks::default(),
            copies: BTreeMap::new(),
            workers: Workers::default(),
            queue: Queue::default(),
            alarms: BTreeSet::new(),
            seats: BTreeMap::new(),
            planned: BTreeMap::new(),
            bank: VecDeque::new(),
            lesson: None,
            checks_since: 0,
            done: VecDeque::new(),
            open: 0,
            ended: [0; 3],
            users: BTreeMap::new(),
            next_task: 0,
            next_copy: 0,
        }
    }
}
