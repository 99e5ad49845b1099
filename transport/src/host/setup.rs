//! How a life begins.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use ring::rand::{SecureRandom, SystemRandom};
use seedbed_core::contract::{Keys, Members, NodeId, Protocol, Subject};
use tokio::sync::{mpsc, watch};

use super::disk::Disk;
use super::gate::Gate;
use super::handle::{Ended, Handle};
use super::jobs::{Jobs, Limits, Services};
use super::node::{Inlets, Node, Watcher};
use super::timers::Timers;
use super::{Counters, Watch};
use crate::Knobs;
use crate::clock::{Alarm, Clock, Skew};
use crate::link::Link;
use crate::store::{Opened, Store};

/// What a host is to know of its node.
pub struct Setup<P: Protocol> {
    /// Which node it is.
    pub me: NodeId,
    /// The protocol's configuration.
    pub config: Arc<P::Config>,
    /// Who belongs to the system, if that is to be told when the life begins.
    pub members: Option<Members>,
    /// Limits and times.
    pub knobs: Knobs,
    /// The run key of this life: its draws follow from it. Drawn from the operating system if none is given.
    pub key: Option<[u8; 32]>,
    /// Who does its jobs.
    pub services: Services<P>,
    /// How its clocks are wrong.
    pub skew: Skew,
}

impl<P: Subject> Setup<P> {
    /// A node with its protocol's own services, the default knobs, a key from the operating system and true clocks.
    #[must_use]
    pub fn new(me: NodeId, config: Arc<P::Config>) -> Self {
        let (knobs, services, skew) = (Knobs::default(), Services::registered(), Skew::default());
        Self { me, config, members: None, knobs, key: None, services, skew }
    }
}

impl<P: Protocol> std::fmt::Debug for Setup<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No configuration, which need not be printable, and no key, which is a secret.
        f.debug_struct("Setup").field("me", &self.me).field("knobs", &self.knobs).finish_non_exhaustive()
    }
}

/// Begins a life of a node. What is wrong at the start ends it at once: see [`Handle::ended`].
///
/// # Panics
/// Outside a tokio runtime.
pub fn start<P: Protocol, S: Store>(
    setup: Setup<P>,
    link: impl Link,
    opened: Opened<S>,
    watch: impl Watch<P>,
) -> Handle<P> {
    let (control, controls) = mpsc::unbounded_channel();
    let (ask, asks) = mpsc::channel(setup.knobs.inbox_max.max(1));
    let (ended, is_ended) = watch::channel(None);
    let counters = Arc::new(Mutex::new(Counters::default()));
    let inlets = Inlets { controls, asks, _control: control.clone(), _ask: ask.clone() };
    let handle = Handle::new(control, ask, Arc::clone(&counters), is_ended, setup.knobs.command);
    match equip(setup, link, opened, watch, inlets, counters) {
        Err(end) => drop(ended.send(Some(end))),
        Ok((node, log, closed)) => {
            let task = tokio::spawn(node.live(log));
            handle.attach(task.abort_handle());
            tokio::spawn(async move {
                let end = task.await.unwrap_or_else(Ended::from_join);
                // The store is closed before anybody hears that the life is over, so that the next may open it.
                let _ = closed.await;
                let _ = ended.send(Some(end));
            });
        }
    }
    handle
}

type Equipped<P, L, W> = (Node<P, L, W>, Vec<<P as Protocol>::Record>, tokio::sync::oneshot::Receiver<()>);

/// Puts together what a node needs.
fn equip<P: Protocol, S: Store, L: Link, W: Watch<P>>(
    setup: Setup<P>,
    link: L,
    opened: Opened<S>,
    mut watch: W,
    inlets: Inlets<P>,
    shared: Arc<Mutex<Counters>>,
) -> Result<Equipped<P, L, W>, Ended> {
    let Setup { me, config, members, knobs, key, services, skew } = setup;
    let Opened { store, log, life } = opened;
    let log = log
        .iter()
        .enumerate()
        .map(|(place, (_, record))| postcard::from_bytes(record).map_err(|_| Ended::Undecodable { place }))
        .collect::<Result<Vec<P::Record>, _>>()?;
    let key = key.map_or_else(draw_key, Ok)?;
    let keys = Keys::new(key);
    let alarm = Alarm::new().map_err(|error| Ended::Equipment(Arc::new(error)))?;
    let (disk, closed) = Disk::new(store).map_err(|error| Ended::Equipment(Arc::new(error)))?;
    let limits = Limits { running: knobs.jobs_max, waiting: knobs.jobs_waiting_max, time: knobs.job };
    watch.up(me, life, &key);
    let node = Node {
        link,
        state: P::boot(&config, me),
        me,
        life,
        clock: Clock::new(&keys, me, life, skew),
        keys,
        members,
        knobs,
        steps: 0,
        now: seedbed_core::contract::Time::ZERO,
        effects: VecDeque::new(),
        timers: Timers::default(),
        turned: seedbed_core::contract::Time::ZERO,
        overdue: seedbed_core::contract::Time::ZERO,
        alarm,
        gate: Gate::default(),
        disk,
        own: VecDeque::new(),
        asked: HashMap::new(),
        asked_max: 0,
        commands: 0,
        jobs: Jobs::new(services, config, limits),
        counters: Counters::default(),
        shared,
        inlets,
        is_paused: false,
        watch: Watcher::new(watch, me, life),
    };
    Ok((node, log, closed))
}

fn draw_key() -> Result<[u8; 32], Ended> {
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key).map_err(|_| {
        Ended::Equipment(Arc::new(std::io::Error::other("the operating system gives no random bytes")))
    })?;
    Ok(key)
}
