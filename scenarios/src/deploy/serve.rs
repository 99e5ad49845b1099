//! One node as a process: its key, its peers, its store, its link, its host, its door, until it is asked to stop.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use seedbed_core::contract::{Life, NodeId, Subject};
use seedbed_core::settings::Problem;
use seedbed_transport::door::events::{EventLog, Observer};
use seedbed_transport::door::{self, Door, DoorError, Lanes, Resources, Settings, Token};
use seedbed_transport::host::{self, Ended, Handle, Services, Setup};
use seedbed_transport::identity::{
    Arrival, Caller, Done, KeyFileError, Node, Registrar, RegistrarError, SecretKey,
};
use seedbed_transport::link::tls::Tls;
use seedbed_transport::link::weather::{Calm, Cuts, Weather};
use seedbed_transport::link::{Config, Event, Events, Freight, Link, Peers, StreamLink};
use seedbed_transport::recording::{About, Recorder};
use seedbed_transport::store::log::{Log as StoreLog, Options};
use seedbed_transport::store::{Opened, StoreError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::epoch::{EpochError, Epochs};
use super::keyring::{KeyFiles, Keyring};
use super::log::Log;
use super::{Address, NodePlan};
use crate::format::Report;

/// Runs a node until it is asked to stop: see [`Entry::host`](crate::run::Entry::host).
pub struct Hosted(Box<dyn FnOnce() -> Result<(), ServeError> + Send>);

impl std::fmt::Debug for Hosted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hosted(..)")
    }
}

impl Hosted {
    /// A node of this protocol, ready to be run.
    pub(crate) fn new<P: Subject>(
        config: P::Config,
        about: About,
        resources: Option<Resources<P>>,
        services: Services<P>,
        plan: &NodePlan,
    ) -> Self {
        let plan = plan.clone();
        Self(Box::new(move || run::<P>(config, about, resources, services, &plan)))
    }

    /// Runs it, until SIGINT or SIGTERM stops it in good order. A second signal ends the process at once.
    ///
    /// # Errors
    /// What kept it from starting, or how its life ended otherwise.
    pub fn serve(self) -> Result<(), ServeError> {
        (self.0)()
    }
}

/// Why a node does not run, or runs no more.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its file does not fit to its key.
    #[error(transparent)]
    Wrong(#[from] Report),
    /// Its key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// Its store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it knows of who joined.
    #[error(transparent)]
    Registrar(#[from] RegistrarError),
    /// It would go back in time.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// Its door.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// Its token file holds no token.
    #[error("{} holds no token: 16 or more letters and digits on one line", .0.display())]
    Token(PathBuf),
    /// It cannot listen for its peers.
    #[error("cannot listen at {address}: {error}")]
    Listen {
        /// Where.
        address: Address,
        /// What the system says.
        error: io::Error,
    },
    /// The system refuses.
    #[error("{}: {error}", path.display())]
    Failed {
        /// What was to be read or written.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The system does not give what a program needs.
    #[error("cannot run: {0}")]
    System(String),
    /// Its life ended by itself.
    #[error("the node's life is over: {0}")]
    Life(Ended),
}

impl ServeError {
    /// Whether it lived, and ended otherwise than it should: what it was given could be used.
    #[must_use]
    pub const fn is_end_of_life(&self) -> bool {
        matches!(self, Self::Life(ended) if !matches!(ended, Ended::Undecodable { .. }))
    }
}

/// The longest file of events; there may be two.
const EVENTS_FILE_MAX: u64 = 16 << 20;

fn run<P: Subject>(
    config: P::Config,
    about: About,
    resources: Option<Resources<P>>,
    services: Services<P>,
    plan: &NodePlan,
) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| ServeError::System(error.to_string()))?;
    runtime.block_on(live::<P>(config, about, resources, services, plan))
}

async fn live<P: Subject>(
    config: P::Config,
    about: About,
    resources: Option<Resources<P>>,
    services: Services<P>,
    plan: &NodePlan,
) -> Result<(), ServeError> {
    let log = Log::new(plan.file.log);
    let mut stop = Stop::listen().map_err(|error| ServeError::System(error.to_string()))?;
    let Running { handle, door, tasks, freight: _freight } =
        start::<P>(config, about, resources, services, plan, &log).await?;
    let ended = tokio::select! {
        ended = handle.ended() => ended,
        () = stop.asked() => {
            log.info("stopping");
            tokio::select! {
                ended = handle.stop() => ended,
                () = stop.asked() => {
                    log.warn("stopped at once");
                    handle.kill();
                    handle.ended().await
                }
            }
        }
    };
    tasks.iter().for_each(JoinHandle::abort);
    if let Some(door) = door {
        door.close().await;
    }
    match ended {
        Ended::Stopped | Ended::Killed => {
            log.info("stopped");
            Ok(())
        }
        ended => Err(ServeError::Life(ended)),
    }
}

/// A node that lives.
struct Running<P: Subject> {
    handle: Handle<P>,
    door: Option<Door>,
    tasks: Vec<JoinHandle<()>>,
    /// Carries the bulk lanes as long as it is held.
    freight: Freight,
}

/// Puts a node together, from its key to its door.
async fn start<P: Subject>(
    config: P::Config,
    about: About,
    resources: Option<Resources<P>>,
    services: Services<P>,
    plan: &NodePlan,
    log: &Log,
) -> Result<Running<P>, ServeError> {
    let (file, knobs, me) = (&plan.file, plan.file.limits.knobs(), NodeId(*plan.file.node));
    let files = KeyFiles::at(plan.path(&file.key));
    let data = plan.path(&file.data);
    fs::create_dir_all(&data).map_err(|error| ServeError::Failed { path: data.clone(), error })?;
    let epochs = Epochs::check(&data, file)?;
    let (registrar, next) = registrar(plan, &files, &data)?;
    let key = registrar.key();
    let roster = registrar.roster().clone();
    let options = Options { create: !epochs.is_known(), ..Options::default() };
    let opened = StoreLog::open(&data.join("store"), options)?;
    epochs.remember()?;
    let settings = door_settings(plan).await?;
    let listener = listen(&file.listen).await?;
    let freight = Freight::start().map_err(|error| ServeError::System(error.to_string()))?;
    let life = opened.life;
    let link = Config {
        me,
        life,
        // Nodes of different epochs count different voters: they must not talk.
        cluster: format!("{} (epoch {})", *file.cluster, file.epoch),
        protocol: file.protocol.value.clone(),
        version: P::VERSION,
        knobs: knobs.clone(),
        freight: freight.handle(),
    };
    let tls =
        Tls::new(listener, key, roster.clone()).map_err(|error| ServeError::System(error.to_string()))?;
    let tls = tls.with_others(errands(registrar.clone(), log.clone()));
    let lanes = Lanes::default();
    let keyring = Keyring::new(files, registrar.clone(), tls.entrance(), log.clone(), next);
    let link = StreamLink::start(link, tls, Arc::new(Gossip::new(log.clone(), lanes.clone())));
    let (peers, counters, cuts) = (link.peers(), link.counters(), file.faults.then(Cuts::default));
    let events_path = data.join("events.jsonl");
    let events = EventLog::open(&events_path, EVENTS_FILE_MAX);
    let events = events.map_err(|error| ServeError::Failed { path: events_path, error })?;
    let (observer, observed) = Observer::new(events.clone());
    let recorder = file.record.as_ref().map(|dir| record(&plan.path(dir), me, life, about)).transpose()?;
    let setup = Setup::new(me, Arc::new(config));
    let setup = Setup { members: Some(roster.membership()), knobs, services, ..setup };
    let handle: Handle<P> = match &cuts {
        None => begin(setup, link, opened, (observer, recorder)),
        Some(cuts) => {
            let link = Weather::new(link, Calm, cuts.clone());
            begin(
                setup,
                link.map_err(|error| ServeError::System(error.to_string()))?,
                opened,
                (observer, recorder),
            )
        }
    };
    let tasks = vec![
        tokio::spawn(follow(registrar.clone(), peers.clone(), handle.clone())),
        tokio::spawn(async move { registrar.spread().await }),
    ];
    let face = door::Hosted {
        about: door::About {
            node: me,
            name: file.name.clone().unwrap_or_else(|| me.to_string()),
            cluster: file.cluster.value.clone(),
            protocol: file.protocol.value.clone(),
        },
        handle: handle.clone(),
        observed,
        events,
        lanes,
        counters: Some(counters),
        cuts,
        keys: Some(Box::new(keyring)),
        resources,
    };
    let door = match settings {
        Some(settings) => Some(Door::open(settings, Arc::new(face)).await?),
        None => None,
    };
    log.info(format_args!(
        "n{} of {} runs {}, epoch {}, life {}; it listens at {}{}",
        me.0,
        *file.cluster,
        *file.protocol,
        file.epoch,
        life.0,
        file.listen,
        door.as_ref().map_or_else(String::new, |door| format!(", its door is http://{}", door.address())),
    ));
    Ok(Running { handle, door, tasks, freight })
}

/// Lets link and node know who belongs, now and whenever that changes.
async fn follow<P: Subject>(registrar: Registrar, peers: Peers, handle: Handle<P>) {
    let mut changes = registrar.roster().changes();
    loop {
        let members = registrar.roster().members();
        for gone in peers.nodes().into_iter().filter(|peer| members.iter().all(|member| member.node != *peer))
        {
            peers.remove(gone);
        }
        for member in members {
            peers.insert(member.node, Some(member.address));
        }
        handle.members(registrar.roster().membership());
        changes.next().await;
    }
}

/// Sees to those who come and do not speak as a peer.
fn errands<IO: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    registrar: Registrar,
    log: Log,
) -> impl Fn(Arrival<IO>) + Send + Sync {
    move |arrival| {
        let Arrival::Errand(errand) = arrival else { return };
        let (registrar, log) = (registrar.clone(), log.clone());
        tokio::spawn(async move {
            let who = errand.who();
            match (registrar.run(errand).await, who) {
                (Ok(Done::Joined(node)), _) => log.info(format_args!("{node} has joined")),
                (Ok(Done::Heard(0)), _) => {}
                (Ok(Done::Heard(news)), _) => log.info(format_args!("heard {news} news of members")),
                (Err(error), Caller::Joiner(key)) => {
                    log.warn(format_args!("{key:?} has not joined: {error}"))
                }
                (Err(error), Caller::Member(node, _)) => {
                    log.debug(format_args!("no news from {node}: {error}"))
                }
            }
        });
    }
}

/// Begins the life, with as few who look on as there are.
fn begin<P: Subject>(
    setup: Setup<P>,
    link: impl Link,
    opened: Opened<StoreLog>,
    (observer, recorder): (Observer, Option<Recorder>),
) -> Handle<P> {
    match recorder {
        None => host::start(setup, link, opened, observer),
        Some(recorder) => host::start(setup, link, opened, (observer, recorder)),
    }
}

fn record(dir: &Path, me: NodeId, life: Life, about: About) -> Result<Recorder, ServeError> {
    Recorder::create(dir, me, life, about).map_err(|error| ServeError::Failed { path: dir.into(), error })
}

/// Who belongs: as the file has it, and as was heard since; and the key that is to replace the node's, if that was begun.
/// The key must be one of this node's own.
fn registrar(
    plan: &NodePlan,
    files: &KeyFiles,
    data: &Path,
) -> Result<(Registrar, Option<SecretKey>), ServeError> {
    let key = files.load()?;
    let members = plan.members();
    let mine = members.iter().find(|member| member.node.0 == *plan.file.node);
    let is_mine = mine.is_some_and(|mine| mine.keys.iter().any(|validity| validity.key == key.public()));
    let this = Node {
        cluster: plan.file.cluster.value.clone(),
        node: NodeId(*plan.file.node),
        key: key.clone(),
        members,
        settings: plan.file.shared(),
    };
    let registrar = Registrar::open(this, &data.join("roster.json"))?;
    let (node, next) = (registrar.node(), files.next(&registrar)?);
    // A key may have been changed since the file was written.
    let is_mine = is_mine || next.is_some() || registrar.roster().node_of(&key.public()) == Some(node);
    if !is_mine {
        let message = format!("the key in {} is none of node {}", plan.file.key, *plan.file.node);
        let problem = Problem::new(plan.file.node.span, message);
        let problem = problem.help(format!("its public key is {}", key.public()));
        return Err(plan.report(problem.into()).into());
    }
    Ok((registrar, next))
}

async fn listen(address: &Address) -> Result<TcpListener, ServeError> {
    let listener = TcpListener::bind(address.to_string()).await;
    listener.map_err(|error| ServeError::Listen { address: address.clone(), error })
}

async fn door_settings(plan: &NodePlan) -> Result<Option<Settings>, ServeError> {
    let Some(address) = &plan.file.api.listen else { return Ok(None) };
    let unresolved = |error| ServeError::Listen { address: address.clone(), error };
    let found = tokio::net::lookup_host(address.to_string()).await.map_err(unresolved)?.next();
    let socket = found.ok_or_else(|| unresolved(io::Error::other("no such host")))?;
    let mut settings = Settings::new(socket);
    settings.names.push(address.host().into());
    if let Some(name) = &plan.file.api.token {
        settings = settings.with_token(token(&plan.path(name))?);
    }
    Ok(Some(settings))
}

fn token(path: &Path) -> Result<Token, ServeError> {
    let text = fs::read_to_string(path).map_err(|error| ServeError::Failed { path: path.into(), error })?;
    Token::new(&text).ok_or_else(|| ServeError::Token(path.into()))
}

/// Requests to stop.
struct Stop {
    signals: [tokio::signal::unix::Signal; 2],
}

impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self { signals: [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?] })
    }

    /// Returns at the next one.
    async fn asked(&mut self) {
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Writes down what the link tells. That a peer cannot be reached is said once, not at each attempt.
struct Gossip {
    log: Log,
    /// For the door.
    lanes: Lanes,
    unreachable: Mutex<BTreeMap<NodeId, String>>,
}

impl Gossip {
    fn new(log: Log, lanes: Lanes) -> Self {
        Self { log, lanes, unreachable: Mutex::default() }
    }
}

impl Events for Gossip {
    fn tell(&self, event: Event) {
        self.lanes.tell(event.clone());
        let mut unreachable = self.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        match &event {
            Event::Unreachable { peer, error } => match unreachable.insert(*peer, error.clone()) {
                Some(before) if before == *error => self.log.debug(event),
                _ => self.log.info(event),
            },
            Event::Connected { peer, .. } => {
                unreachable.remove(peer);
                self.log.info(event);
            }
            Event::Ended { .. } => self.log.info(event),
            Event::Failed { .. }
            | Event::TurnedAway { .. }
            | Event::Refused { .. }
            | Event::RefusedBy { .. } => {
                self.log.warn(event);
            }
        }
    }
}
