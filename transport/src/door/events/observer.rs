//! Looks on while a node runs: keeps what is seen of it for whoever asks, and tells its log what has happened.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use seedbed_core::contract::{Effect, EffectOf, Input, InputOf, Life, Members, NodeId, Subject, Time};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{EventLog, Happening, Kind};
use crate::host::{Moment, Watch};

/// Records that wait for the disk before they are told; of more, the oldest are not told.
const RECORDS_WAITING_MAX: usize = 4096;
/// Peers whose links are remembered.
const PEERS_MAX: usize = 4096;

/// What was last seen of a node: shared by its observer and whoever asks.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    sight: Arc<Mutex<Sight>>,
    durable: watch::Sender<u64>,
}

/// What can be seen of a node from outside.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Whether it is up: a life has begun and is not over.
    pub up: bool,
    /// The life that it lives, or the last one.
    pub life: Life,
    /// Steps of this life.
    pub steps: u64,
    /// When this life began; none before the first.
    pub since: Option<(SystemTime, Instant)>,
    /// What it is at the moment.
    pub role: &'static str,
    /// What else it tells of itself, in its own order.
    pub facts: Vec<(&'static str, String)>,
    /// Who belongs to the system, as far as it was told.
    pub members: Option<Members>,
    /// Whether each peer seems reachable.
    pub links: BTreeMap<NodeId, bool>,
    /// Records that it had when this life began.
    pub recovered: u64,
    /// Records that it has written in this life.
    pub written: u64,
    /// How often it has replaced its log by a shorter one in this life.
    pub checkpoints: u64,
    /// Records that were durable before they could be told, because too many waited.
    pub untold: u64,
}

impl Observed {
    /// What was last seen.
    #[must_use]
    pub fn sight(&self) -> Sight {
        self.lock().clone()
    }

    /// Whether the node is up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.lock().up
    }

    /// The last step of this life of which everything is on disk, now and whenever that changes.
    #[must_use]
    pub fn durable(&self) -> watch::Receiver<u64> {
        self.durable.subscribe()
    }

    /// How long this life has lasted.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        let sight = self.lock();
        sight.since.filter(|_| sight.up).map_or(Duration::ZERO, |(_, began)| began.elapsed())
    }

    /// A panic elsewhere leaves nothing half done that matters here.
    fn lock(&self) -> MutexGuard<'_, Sight> {
        self.sight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches a node for the door. A record is told when it is on disk, not before: what was lost with a crash has
/// never been said to anyone, so nobody may hold it against the node.
#[derive(Debug)]
pub struct Observer {
    log: EventLog,
    observed: Observed,
    /// The first moment of this life, by its steady clock.
    began: Time,
    last: Option<Moment>,
    /// Whether this life has not taken a step yet.
    is_new: bool,
    role: &'static str,
    /// Not on disk yet.
    records: VecDeque<(u64, Happening)>,
}

impl Observer {
    /// Tells this log; what it sees of the node can be asked from the other value.
    #[must_use]
    pub fn new(log: EventLog) -> (Self, Observed) {
        let observed = Observed::default();
        let observer = Self {
            log,
            observed: observed.clone(),
            began: Time::ZERO,
            last: None,
            is_new: false,
            role: "",
            records: VecDeque::new(),
        };
        (observer, observed)
    }

    fn happening(&self, moment: Moment, kind: Kind, what: Value) -> Happening {
        let Moment { node, life, step, now, wall } = moment;
        let wall = SystemTime::UNIX_EPOCH + Duration::from_nanos(wall.0);
        let wall = humantime::format_rfc3339_nanos(wall).to_string();
        Happening { node, life, step, wall, steady_ns: now.since(self.began).as_nanos(), kind, what }
    }

    fn tell(&self, moment: Moment, kind: Kind, what: Value) {
        self.log.append(self.happening(moment, kind, what));
    }

    fn tell_when_durable(&mut self, moment: Moment, kind: Kind, what: Value) {
        if self.records.len() == RECORDS_WAITING_MAX {
            self.records.pop_front();
            self.observed.lock().untold += 1;
        }
        let happening = self.happening(moment, kind, what);
        self.records.push_back((moment.step, happening));
    }

    fn start(&mut self, moment: Moment, records: usize) {
        (self.began, self.role, self.is_new) = (moment.now, "", true);
        self.records.clear();
        let mut sight = self.observed.lock();
        let untold = sight.untold;
        *sight = Sight {
            up: true,
            life: moment.life,
            since: Some((SystemTime::now(), Instant::now())),
            recovered: records as u64,
            untold,
            ..Sight::default()
        };
        drop(sight);
        self.tell(moment, Kind::Start, json!({ "records": records }));
    }

    fn link(&self, moment: Moment, peer: NodeId, up: bool) {
        let mut sight = self.observed.lock();
        let news = sight.links.get(&peer) != Some(&up);
        if news && sight.links.len() < PEERS_MAX {
            sight.links.insert(peer, up);
        }
        drop(sight);
        if news {
            self.tell(moment, Kind::Link, json!({ "peer": peer, "up": up }));
        }
    }

    /// The disk has refused a record, and with it what its step wrote after it; null if records are not told.
    fn full(&mut self, moment: Moment, record: Value) {
        let held = |(_, Happening { what, .. }): &(u64, Happening)| {
            *what == record || what["records"].as_array().is_some_and(|records| records.contains(&record))
        };
        if let Some(place) = self.records.iter().position(held) {
            let step = self.records[place].0;
            let lost = self.records.iter().skip(place).take_while(|(wrote, _)| *wrote == step).count();
            self.records.drain(place..place + lost);
        }
        self.tell(moment, Kind::Full, record);
    }

    fn members(&self, moment: Moment, members: &Members) {
        let mut sight = self.observed.lock();
        let news = sight.members.as_ref() != Some(members);
        sight.members = Some(members.clone());
        drop(sight);
        if news {
            self.tell(moment, Kind::Members, value(members));
        }
    }
}

impl<P: Subject> Watch<P> for Observer {
    fn input(&mut self, moment: Moment, input: &InputOf<P>) {
        self.last = Some(moment);
        match input {
            Input::Start { log } => self.start(moment, log.len()),
            Input::Members(members) => self.members(moment, members),
            Input::Link { peer, up } => self.link(moment, *peer, *up),
            Input::Full { record } if P::TELLS_RECORDS => self.full(moment, value(record)),
            Input::Full { .. } => self.full(moment, Value::Null),
            _ => {}
        }
    }

    fn stepped(&mut self, moment: Moment, state: &P, effects: &VecDeque<EffectOf<P>>) {
        let (mut is_news, mut written, mut checkpoints) = (std::mem::take(&mut self.is_new), 0, 0);
        let mut told = Vec::new();
        for effect in effects {
            match effect {
                Effect::Notify { notice } => told.push(self.happening(moment, Kind::Notice, value(notice))),
                Effect::Persist { record, .. } => {
                    written += 1;
                    if P::TELLS_RECORDS {
                        self.tell_when_durable(moment, Kind::Record, value(record));
                    }
                }
                Effect::Checkpoint { records, .. } => {
                    checkpoints += 1;
                    let records = if P::TELLS_RECORDS { value(records) } else { records.len().into() };
                    self.tell_when_durable(moment, Kind::Checkpoint, json!({ "records": records }));
                }
                _ => continue,
            }
            is_news = true;
        }
        let role = state.role();
        if role != self.role {
            told.push(self.happening(moment, Kind::Role, json!({ "from": self.role, "to": role })));
            self.role = role;
            is_news = true;
        }
        if !told.is_empty() {
            self.log.append_all(told);
        }
        let mut sight = self.observed.lock();
        sight.steps += 1;
        sight.written += written;
        sight.checkpoints += checkpoints;
        // What a node tells of itself changes with what it writes down or gives notice of.
        if is_news {
            (sight.role, sight.facts) = (role, state.facts());
        }
    }

    fn durable(&mut self, step: u64) {
        let are_durable = self.records.iter().take_while(|(wrote, _)| *wrote <= step).count();
        if are_durable > 0 {
            self.log.append_all(self.records.drain(..are_durable).map(|(_, happening)| happening));
        }
        self.observed.durable.send_replace(step);
    }

    fn down(&mut self, node: NodeId, life: Life) {
        self.observed.lock().up = false;
        self.records.clear();
        if let Some(moment) = self.last.take() {
            self.tell(Moment { node, life, ..moment }, Kind::Stop, Value::Null);
        }
    }
}

/// As JSON; what JSON cannot say, in the words of a programmer.
pub(in crate::door) fn value<T: Serialize + std::fmt::Debug>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_else(|_| Value::String(format!("{value:?}")))
}
