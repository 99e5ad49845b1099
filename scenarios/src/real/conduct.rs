//! One real run, from the first moment to the last.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::{Duration as Span, Instant};

use seedbed_core::contract::{
    Answer, CommandId, Duration, Keys, Life, NodeId, Observation, Protocol, Purpose, Subject, Time,
};
use seedbed_sim::DiskModel;
use seedbed_sim::fault::Schedule;
use seedbed_transport::Knobs;
use seedbed_transport::clock::Skew;
use seedbed_transport::host::{Ended, Handle};
use seedbed_transport::store::StoreError;
use seedbed_transport::store::faulty::Settings;

use super::air::Air;
use super::cluster::{Cluster, Due, Phase};
use super::life::{Disk, Lives, is_damage, table};
use super::links::Links;
use super::refuse::CORES_MAX;
use super::watcher::{Step, Told};
use crate::run::{Clients, Conditions, Failure, Observer, Outcome, Owed, Prepared, caught};

/// What is told about a life of a node.
pub(super) struct News<P: Protocol> {
    pub(super) node: NodeId,
    pub(super) life: Life,
    pub(super) at: Instant,
    pub(super) event: Event<P>,
}

/// What can happen to a node.
pub(super) enum Event<P: Protocol> {
    /// It lives.
    Up,
    /// This handles its life.
    Begun(Handle<P>, Disk),
    /// It took a step.
    Step(Box<Step<P>>),
    /// The disk has what stands before these.
    Kept(Vec<Told<P>>),
    /// A command was answered.
    Answered(CommandId, Answer),
    /// Its life is over, and its store is closed.
    Ended(Ended),
    /// Its store could not be opened.
    Unopened(StoreError),
    /// The machine lacks what it needs.
    Unequipped(String),
}

/// Runs a scenario at one point with one seed, in real time; stores lie below `scratch`.
pub(crate) fn run<P: Subject>(prepared: &Prepared<P>, seed: u64, scratch: &Path) -> Outcome {
    let failed = |owed, at, message| Some(Failure { owed, at, message });
    let mut play = match Play::new(prepared, seed, scratch) {
        Ok(play) => play,
        Err(error) => {
            let failure = failed(Owed::Machine, None, error.to_string());
            return Outcome { failure, ..Outcome::default() };
        }
    };
    if let Err(message) = caught(|| play.play()) {
        play.failure = failed(Owed::NoPanic, Some(play.cluster.elapsed()), message);
    }
    play.outcome()
}

/// A run under way.
struct Play<'a, P: Subject> {
    prepared: &'a Prepared<P>,
    cluster: Cluster<P>,
    observer: Observer<P>,
    conditions: Conditions<'a>,
    faults: Schedule,
    news: Receiver<News<P>>,
    events: u64,
    healed: Option<Time>,
    failure: Option<Failure>,
}

/// Nodes find each other again sooner than they would in earnest: in a simulation nobody has to. Nor does anybody give up a
/// command or a job there.
fn knobs() -> Knobs {
    Knobs {
        reconnect_min: Span::from_millis(20),
        reconnect_max: Span::from_millis(100),
        command: Span::from_secs(86_400),
        job: Span::from_secs(86_400),
        ..Knobs::default()
    }
}

/// How disks behave: at least as slow as the scenario's.
fn disk(model: &DiskModel) -> Settings {
    Settings {
        write: table(model.write.as_ref()),
        sync: table(model.sync.as_ref()),
        throughput: model.throughput,
        capacity: model.capacity,
        sync_error: model.sync_error,
        seed: 0,
    }
}

/// How long the threads of a run that is over may take to end.
const SHUTDOWN: Span = Span::from_secs(5);

impl<'a, P: Subject> Play<'a, P> {
    fn new(prepared: &'a Prepared<P>, seed: u64, scratch: &Path) -> std::io::Result<Self> {
        let (plan, keys) = (&prepared.plan, Keys::from_seed(seed));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let folder = (0..).map(|number| scratch.join(format!("run-{number}")));
        let folder = folder.map(|path| (std::fs::create_dir(&path), path));
        let made = |(created, _): &(std::io::Result<()>, _)| {
            !created.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists)
        };
        let Some((created, folder)) = folder.into_iter().find(made) else {
            return Err(std::io::ErrorKind::AlreadyExists.into());
        };
        created?;
        let (nodes, names) = (plan.setup.nodes, plan.setup.names.clone());
        let links = Arc::new(runtime.block_on(Links::new(nodes))?);
        let (tell, news) = channel();
        let lives = Lives {
            runtime,
            folder,
            config: prepared.config.clone(),
            keys: keys.clone(),
            key: Keys::run_key(seed),
            began: Instant::now(),
            air: Air::new(plan.setup.network.clone()),
            hints: plan.setup.hints,
            links,
            news: tell,
            knobs: knobs(),
            services: prepared.services.clone(),
            // What a file says is checked; what a protocol says of its nodes may be more than there are threads for.
            cores: plan.setup.cpus.iter().map(|cpu| cpu.cores.min(CORES_MAX) as usize).collect(),
            disk: disk(&plan.setup.disk),
        };
        let skew = |node| {
            let clock = plan.setup.clocks.clock(&keys, NodeId(node)).unwrap_or_default();
            Skew { wall: clock.skew, drift_ppb: clock.drift_ppb }
        };
        Ok(Self {
            prepared,
            cluster: Cluster::new(lives, names, (0..nodes).map(skew).collect()),
            observer: Observer::new(prepared, &keys),
            conditions: Conditions::new(plan),
            faults: Schedule::new(plan.generators.clone(), &keys),
            news,
            events: 0,
            healed: None,
            failure: None,
        })
    }

    fn play(&mut self) {
        let plan = &self.prepared.plan;
        self.start();
        let healing = Time::ZERO + plan.duration;
        for from in self.conditions.beginnings().into_iter().filter(|from| *from < healing) {
            self.until(from + Duration::from_nanos(1));
            self.look();
        }
        self.until(healing);
        if !plan.heal.is_zero() && self.failure.is_none() {
            let now = self.cluster.elapsed();
            self.healed = Some(now);
            self.faults.clear();
            self.cluster.heal(&mut self.observer);
            self.observer.observe(Observation::Healed, &self.cluster);
            self.conditions.heal(now);
            self.look();
            self.until(now + plan.heal);
        }
        self.observer.observe(Observation::End, &self.cluster);
    }

    /// Nodes begin their first lives when the scenario says so.
    fn start(&mut self) {
        let setup = &self.prepared.plan.setup;
        let roll = self.cluster.lives.keys.roll(Purpose::Layout).clone();
        self.cluster.lives.began = Instant::now();
        for node in 0..setup.nodes {
            let delay = setup.start.as_ref().map_or(0, |law| law.draw(roll.at(u64::from(node), 1)));
            self.cluster.schedule(Time(delay), Due::Start(NodeId(node)));
        }
    }

    fn look(&mut self) {
        self.conditions.look(&self.observer.probe, &self.cluster);
    }

    /// Goes on until `limit`, or until it cannot.
    fn until(&mut self, limit: Time) {
        while self.failure.is_none() {
            // What has happened is known before anything new is done.
            match self.news.try_recv() {
                Ok(news) => {
                    self.take(news);
                    continue;
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
            }
            self.cluster.advance(Instant::now());
            let now = self.cluster.elapsed();
            let clients = self.observer.clients.as_ref().map_or(Time::MAX, Clients::next);
            let next = self.faults.next().min(self.cluster.next()).min(clients);
            if next < limit && next <= now {
                self.act(clients);
                self.look();
            } else if now >= limit {
                return;
            } else {
                let left = Span::from_nanos(next.min(limit).since(now).as_nanos());
                match self.news.recv_timeout(left) {
                    Ok(news) => self.take(news),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
                }
            }
        }
    }

    /// Does what is due: faults strike first, then clients act, as in a simulation.
    fn act(&mut self, clients: Time) {
        self.count();
        let now = self.cluster.elapsed();
        if self.faults.next() <= now {
            for action in self.faults.pop(&self.cluster, &self.cluster.lives.keys) {
                self.cluster.act(action, &mut self.observer);
            }
        } else if clients <= now
            && let Some(mut all) = self.observer.clients.take()
        {
            all.act(&self.prepared.load, &mut self.cluster);
            self.observer.clients = Some(all);
        } else {
            match self.cluster.pop() {
                Some(Due::Start(node)) if self.cluster.members[node.0 as usize].next_life == 0 => {
                    self.cluster.begin_life(node);
                }
                Some(Due::Command { node, id, command }) => self.command(node, id, command),
                Some(Due::Start(_)) | None => {}
            }
        }
    }

    /// A command reaches a node's door.
    fn command(&mut self, node: NodeId, id: CommandId, command: P::Command) {
        let lives = &self.cluster.lives;
        if let Some(Phase::Up { life, handle, .. }) =
            self.cluster.members.get(node.0 as usize).map(|member| &member.phase)
        {
            let (life, handle, news): (_, _, Sender<News<P>>) = (*life, handle.clone(), lives.news.clone());
            lives.runtime.spawn(async move {
                // Without an answer its client waits in vain.
                if let Ok(reply) = handle.command(command).await {
                    let event = Event::Answered(id, P::answer(&reply));
                    let _ = news.send(News { node, life, at: Instant::now(), event });
                }
            });
        } else if let Some(clients) = &mut self.observer.clients {
            clients.refused(&lives.keys, id, self.cluster.elapsed());
        }
    }

    fn take(&mut self, news: News<P>) {
        self.count();
        let News { node, life, at, event } = news;
        self.cluster.advance(at);
        match event {
            Event::Up => {
                self.cluster.up(node, life);
                self.observer.observe(Observation::Up { node, life }, &self.cluster);
            }
            Event::Begun(handle, disk) => self.cluster.begun(node, life, handle, disk),
            Event::Step(step) if self.cluster.lives(node, life) => self.step(node, at, *step),
            Event::Kept(told) if self.cluster.lives(node, life) => self.tell(node, told),
            // It comes from a life that is over.
            Event::Step(_) | Event::Kept(_) => {}
            Event::Answered(id, answer) => {
                if let Some(clients) = &mut self.observer.clients {
                    let now = seedbed_core::contract::View::<P>::now(&self.cluster);
                    clients.replied(&self.cluster.lives.keys, id, answer, now);
                }
            }
            Event::Ended(end) => {
                if self.cluster.ended(node, &mut self.observer) {
                    match self.cluster.trouble(node, &end) {
                        None => self.cluster.tally.halts += 1,
                        Some(message) => {
                            let is_panic = matches!(end, Ended::Panicked(_));
                            let owed = if is_panic { Owed::NoPanic } else { Owed::Machine };
                            self.fail(owed, format!("{node}: {message}"));
                        }
                    }
                }
            }
            Event::Unopened(error) if is_damage(&error) => {
                self.cluster.tally.halts += 1;
                self.cluster.ended(node, &mut self.observer);
            }
            Event::Unopened(error) => self.fail(Owed::Machine, format!("{node}: {error}")),
            Event::Unequipped(message) => self.fail(Owed::Machine, format!("{node}: {message}")),
        }
        self.look();
    }

    fn step(&mut self, node: NodeId, at: Instant, step: Step<P>) {
        let Step { state, clock, is_message, command, told } = step;
        self.cluster.delivered += u64::from(is_message);
        self.tell(node, command.into_iter().collect());
        let now = Time(at.saturating_duration_since(self.cluster.lives.began).as_nanos() as u64);
        let member = &mut self.cluster.members[node.0 as usize];
        (member.state, member.clock) = (Some(state), (clock, now));
        self.tell(node, told);
    }

    fn tell(&mut self, node: NodeId, all: Vec<Told<P>>) {
        for told in &all {
            let what = match told {
                Told::Notice(notice) => Observation::Notice { node, notice },
                Told::Sent(to, message) => {
                    self.cluster.sent += 1;
                    Observation::Sent { from: node, to: *to, message }
                }
                Told::Command(id, command) => Observation::Command { node, id: *id, command },
                Told::Reply(id, reply) => Observation::Reply { node, id: *id, reply },
            };
            self.observer.observe(what, &self.cluster);
        }
    }

    fn count(&mut self) {
        self.events += 1;
        let events_max = self.prepared.plan.events_max;
        if self.events > events_max {
            let message = format!("ended after {events_max} events: see `run.events_max`");
            self.fail(Owed::BoundedRun, message);
        }
    }

    fn fail(&mut self, owed: Owed, message: String) {
        let at = Some(self.cluster.elapsed());
        self.failure.get_or_insert(Failure { owed, at, message });
    }

    fn outcome(mut self) -> Outcome {
        self.cluster.kill_all();
        let end = self.cluster.elapsed();
        let (traffic, tally) = (self.cluster.traffic(), self.cluster.tally);
        let Cluster { lives: Lives { runtime, folder, .. }, trace, .. } = self.cluster;
        runtime.shutdown_timeout(SHUTDOWN);
        // Whoever cannot remove it will find it among the temporary files.
        let _ = std::fs::remove_dir_all(folder);
        let mut findings = self.observer.finish(traffic, tally);
        // Nobody has counted them.
        findings.numbers.remove("records_lost");
        Outcome {
            digest: None,
            findings,
            broken: self.conditions.finish(self.failure.is_none()),
            faults: trace,
            healed: self.healed,
            end,
            failure: self.failure,
        }
    }
}
