//! How connections begin: accepting, dialling, and dialling again.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use seedbed_core::contract::{Lane, NodeId};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::connection;
use super::counters::Count;
use super::events::{Ended, Event};
use super::hello::{self, Failure, Hello};
use super::peers::Peer;
use super::stream::{Carrier, Session, Shared, Stage};
use crate::Knobs;

/// Held by every task of a link; the link has ended when all are dropped.
type Running = mpsc::Sender<()>;

/// Starts to accept connections, and to dial peers.
pub(super) fn start<C: Carrier>(
    shared: Arc<Shared>,
    carrier: Arc<C>,
    new_peers: mpsc::UnboundedReceiver<Arc<Peer>>,
    running: Running,
) {
    tokio::spawn(accept(Arc::clone(&shared), Arc::clone(&carrier), running.clone()));
    tokio::spawn(dial_all(shared, carrier, new_peers, running));
}

impl Shared {
    /// Returns once the link is so far with its end.
    pub(super) async fn until(&self, stage: Stage) {
        // If nobody holds the link any more, everything ends.
        let _ = self.stage.clone().wait_for(|now| *now >= stage).await;
    }

    /// Runs what belongs to a lane where that lane runs.
    fn spawn(&self, lane: Lane, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        match &self.config.freight {
            Some(freight) if lane == Lane::Bulk => freight.spawn(task),
            _ => tokio::spawn(task),
        }
    }

    fn hello(&self, lane: Lane) -> Hello {
        let config = &self.config;
        Hello {
            cluster: config.cluster.clone(),
            protocol: config.protocol.clone(),
            version: config.version,
            node: config.me,
            life: config.life,
            lane,
            credits: config.knobs.bulk_credits,
        }
    }

    fn report(&self, other: String, failure: Failure) {
        let late = || String::from("it took too long");
        let event = match failure {
            Failure::Io(error) => Event::Failed { other, error: error.to_string() },
            Failure::Late => Event::Failed { other, error: late() },
            Failure::Refused(why) => Event::Refused { other, why },
            Failure::RefusedBy(why) => Event::RefusedBy { other, why },
        };
        self.counters.one(match event {
            Event::Refused { .. } => Count::Refused,
            _ => Count::HandshakesFailed,
        });
        self.events.tell(event);
    }
}

/// A connection after its hello.
struct Greeted<S> {
    session: Session<S>,
    peer: Arc<Peer>,
    hello: Hello,
    /// What came behind the hello.
    spare: BytesMut,
}

async fn accept<C: Carrier>(shared: Arc<Shared>, carrier: Arc<C>, running: Running) {
    let places = Arc::new(Semaphore::new(shared.config.knobs.handshakes_max));
    loop {
        let accepted = tokio::select! {
            () = shared.until(Stage::Closing) => return,
            accepted = carrier.accept() => accepted,
        };
        let Ok((raw, from)) = accepted else {
            // Out of files, perhaps: that may pass.
            tokio::time::sleep(shared.config.knobs.reconnect_min).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            shared.counters.one(Count::TurnedAway);
            shared.events.tell(Event::TurnedAway { other: from });
            continue;
        };
        let (shared, carrier, running) = (Arc::clone(&shared), Arc::clone(&carrier), running.clone());
        tokio::spawn(async move {
            let _running = running;
            let greeted = tokio::select! {
                () = shared.until(Stage::Closing) => return,
                greeted = greet(&shared, &*carrier, raw) => greeted,
            };
            drop(place);
            match greeted {
                Ok(Some(greeted)) => {
                    let lane = greeted.hello.lane;
                    let carried = Arc::clone(&shared);
                    // It fails only if the runtime is shut down, and with it the link.
                    let _ = shared.spawn(lane, async move { carry(&carried, greeted).await }).await;
                }
                Ok(None) => {}
                Err(failure) => shared.report(from, failure),
            }
        });
    }
}

async fn greet<C: Carrier>(
    shared: &Shared,
    carrier: &C,
    raw: C::Raw,
) -> Result<Option<Greeted<C::Stream>>, Failure> {
    let knobs = &shared.config.knobs;
    let Some(mut session) = within(knobs.handshake, carrier.greet(raw)).await? else { return Ok(None) };
    let mut spare = BytesMut::new();
    let knows = |node: NodeId| shared.peers.find(node).is_some();
    // The lane is the dialler's choice.
    let me = shared.hello(Lane::Control);
    let answer = hello::answer(&mut session.stream, &me, session.peer, knows, &mut spare);
    let hello = within(knobs.hello, answer).await?;
    let gone = || Failure::Refused(hello::Refusal::Stranger(hello.node));
    let peer = shared.peers.find(hello.node).ok_or_else(gone)?;
    Ok(Some(Greeted { session, peer, hello, spare }))
}

/// Dials those peers for whom this is the lower node.
async fn dial_all<C: Carrier>(
    shared: Arc<Shared>,
    carrier: Arc<C>,
    mut new_peers: mpsc::UnboundedReceiver<Arc<Peer>>,
    running: Running,
) {
    loop {
        let peer = tokio::select! {
            () = shared.until(Stage::Closing) => return,
            Some(peer) = new_peers.recv() => peer,
        };
        if peer.node < shared.config.me {
            continue;
        }
        for lane in [Lane::Control, Lane::Bulk] {
            let (shared, carrier) = (Arc::clone(&shared), Arc::clone(&carrier));
            let (peer, running) = (Arc::clone(&peer), running.clone());
            let link = Arc::clone(&shared);
            link.spawn(lane, async move {
                let _running = running;
                dial_on(&shared, &*carrier, &peer, lane).await;
            });
        }
    }
}

/// Returns once the link closes, or the peer is none any more.
async fn is_over(shared: &Shared, peer: &Peer, lane: Lane) {
    let mut turns = peer.lane(lane).turns.subscribe();
    tokio::select! {
        () = shared.until(Stage::Closing) => {}
        _ = turns.wait_for(|turn| turn.why == Ended::Removed) => {}
    }
}

/// Keeps one lane of a peer connected, as long as it is one.
async fn dial_on<C: Carrier>(shared: &Shared, carrier: &C, peer: &Arc<Peer>, lane: Lane) {
    let mut addresses = peer.address.subscribe();
    let mut pause = Pause::new(&shared.config.knobs);
    loop {
        let address = tokio::select! {
            () = is_over(shared, peer, lane) => return,
            // The other end may have dialled, too.
            address = async {
                drop(peer.lane(lane).seat.lock().await);
                addresses.wait_for(Option::is_some).await.ok().and_then(|address| address.clone())
            } => address,
        };
        let Some(address) = address else { return };
        let greeted = tokio::select! {
            () = is_over(shared, peer, lane) => return,
            greeted = dial(shared, carrier, peer, &address, lane) => greeted,
        };
        match greeted {
            Ok(greeted) => {
                let since = Instant::now();
                carry(shared, greeted).await;
                pause.after(since.elapsed());
            }
            Err(None) => {}
            Err(Some(failure)) => shared.report(format!("{} at {address}", peer.node), failure),
        }
        tokio::select! {
            () = is_over(shared, peer, lane) => return,
            () = pause.wait() => {}
        }
    }
}

/// Connects once. No failure is told that has been reported already.
async fn dial<C: Carrier>(
    shared: &Shared,
    carrier: &C,
    peer: &Arc<Peer>,
    address: &str,
    lane: Lane,
) -> Result<Greeted<C::Stream>, Option<Failure>> {
    let knobs = &shared.config.knobs;
    let mut session = match within(knobs.handshake, carrier.dial(peer.node, address)).await {
        Ok(session) => session,
        // What TLS has to say comes as this.
        Err(Failure::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(Some(Failure::Io(error)));
        }
        Err(failure) => {
            let error = match failure {
                Failure::Io(error) => error.to_string(),
                _ => "it took too long".into(),
            };
            shared.counters.one(Count::DialsFailed);
            shared.events.tell(Event::Unreachable { peer: peer.node, error });
            return Err(None);
        }
    };
    let mut spare = BytesMut::new();
    let me = shared.hello(lane);
    let dialled = hello::dial(&mut session.stream, &me, peer.node, &mut spare);
    let hello = within(knobs.hello, dialled).await?;
    Ok(Greeted { session, peer: Arc::clone(peer), hello, spare })
}

/// Carries frames, once it is this connection's turn. The newest of a lane replaces all others.
async fn carry<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin>(
    shared: &Shared,
    greeted: Greeted<S>,
) {
    let Greeted { session, peer, hello, spare } = greeted;
    let lane = peer.lane(hello.lane);
    let Some(number) = lane.next_turn(Ended::Replaced) else { return };
    let _seat = tokio::select! {
        () = shared.until(Stage::Closing) => return,
        seat = lane.seat.lock() => seat,
    };
    let turns = lane.turns.subscribe();
    if turns.borrow().number == number {
        connection::run(shared, &peer, &hello, session, spare, turns).await;
    }
}

async fn within<T, E: Into<Failure>>(
    limit: Duration,
    what: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    match timeout(limit, what).await {
        Ok(outcome) => outcome.map_err(Into::into),
        Err(_) => Err(Failure::Late),
    }
}

/// The pause before dialling again: longer each time, and never the same for two.
struct Pause<'a> {
    knobs: &'a Knobs,
    next: Duration,
}

impl<'a> Pause<'a> {
    fn new(knobs: &'a Knobs) -> Self {
        Self { knobs, next: knobs.reconnect_min }
    }

    /// A connection was up for so long.
    fn after(&mut self, up: Duration) {
        if up >= self.knobs.reconnect_reset {
            self.next = self.knobs.reconnect_min;
        }
    }

    async fn wait(&mut self) {
        // Hashers differ by chance, and that is chance enough here.
        let jitter = 0.8 + 0.4 * (RandomState::new().hash_one(()) as f64 / u64::MAX as f64);
        let pause = self.next.mul_f64(jitter);
        self.next = self.next.mul_f64(1.6).min(self.knobs.reconnect_max);
        tokio::time::sleep(pause).await;
    }
}
