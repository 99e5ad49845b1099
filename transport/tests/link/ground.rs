//! What the tests of links stand on: links over each carrier, and frames to send.

use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use seedbed_core::contract::frame::{self, Header, KIND_MESSAGE};
use seedbed_core::contract::{Lane, Life, NodeId};
use seedbed_transport::Knobs;
use seedbed_transport::identity::{Member, Roster, SecretKey};
use seedbed_transport::link::memory::Net;
use seedbed_transport::link::tcp::Tcp;
use seedbed_transport::link::tls::Tls;
use seedbed_transport::link::weather::{Cuts, Weather};
use seedbed_transport::link::{Config, Event, Frames, Incoming, Link, Refused, StreamLink};
use tokio::net::TcpListener;

/// What carries the streams.
#[derive(Clone)]
pub(crate) enum Ground {
    Memory(Net),
    Tcp,
    Tls,
    /// In memory, under a sky that leaves everything as it is.
    Calm(Net),
}

/// A link, where it listens, and what it has told.
pub(crate) struct Node {
    pub(crate) link: AnyLink,
    pub(crate) address: String,
    /// Whom it trusts, over TLS.
    pub(crate) roster: Roster,
    pub(crate) told: Arc<Mutex<Vec<Event>>>,
}

/// A link as it is, or under a calm sky.
pub(crate) enum AnyLink {
    Plain(StreamLink),
    Calm(Box<Weather<StreamLink>>),
}

impl Deref for AnyLink {
    type Target = StreamLink;
    fn deref(&self) -> &StreamLink {
        match self {
            Self::Plain(link) => link,
            Self::Calm(weather) => weather.link(),
        }
    }
}

impl Link for AnyLink {
    fn send(&mut self, to: NodeId, lane: Lane, write: &mut dyn FnMut(&mut Vec<u8>)) -> Result<(), Refused> {
        match self {
            Self::Plain(link) => link.send(to, lane, write),
            Self::Calm(weather) => weather.send(to, lane, write),
        }
    }
    fn flush(&mut self) {
        match self {
            Self::Plain(link) => link.flush(),
            Self::Calm(weather) => weather.flush(),
        }
    }
    async fn receive(&mut self) -> Option<Incoming> {
        match self {
            Self::Plain(link) => link.receive().await,
            Self::Calm(weather) => weather.receive().await,
        }
    }
    fn hang_up(&mut self, peer: NodeId) {
        match self {
            Self::Plain(link) => link.hang_up(peer),
            Self::Calm(weather) => weather.hang_up(peer),
        }
    }
    async fn close(self) {
        match self {
            Self::Plain(link) => link.close().await,
            Self::Calm(weather) => weather.close().await,
        }
    }
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Limits small enough to be reached, times short enough to be waited for.
pub(crate) fn knobs() -> Knobs {
    Knobs {
        control_frame_max: 8 << 10,
        bulk_frame_max: 256 << 10,
        outbox_max: 512 << 10,
        reconnect_min: Duration::from_millis(5),
        reconnect_max: Duration::from_millis(50),
        ..Knobs::default()
    }
}

pub(crate) fn config(me: u32) -> Config {
    Config {
        me: NodeId(me),
        life: Life(0),
        cluster: "test".into(),
        protocol: "talk".into(),
        version: 1,
        knobs: knobs(),
        freight: None,
    }
}

impl Ground {
    /// Starts one link, which knows no peers yet.
    pub(crate) async fn start(&self, config: Config) -> Node {
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = Arc::clone(&told);
        let roster = Roster::new((0..4).map(member)).unwrap();
        let events = Arc::new(move |event| telling.lock().unwrap().push(event));
        let (link, address) = match self {
            Self::Memory(net) | Self::Calm(net) => {
                let address = config.me.to_string();
                (net.join(config, [], events), address)
            }
            Self::Tls => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap().to_string();
                let tls = Tls::new(listener, key(config.me.0), roster.clone()).unwrap();
                (StreamLink::start(config, tls, events), address)
            }
            Self::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap().to_string();
                (StreamLink::start(config, Tcp::new(listener), events), address)
            }
        };
        let link = match self {
            Self::Calm(_) => AnyLink::Calm(Box::new(Weather::calm(link, Cuts::default()))),
            _ => AnyLink::Plain(link),
        };
        Node { link, address, roster, told }
    }

    /// Two links that have found each other.
    pub(crate) async fn pair(&self, a: Config, b: Config) -> (Node, Node) {
        let (mut a, mut b) = (self.start(a).await, self.start(b).await);
        introduce(&a, NodeId(0), &b, NodeId(1));
        a.expect_up(NodeId(1)).await;
        b.expect_up(NodeId(0)).await;
        (a, b)
    }
}

/// The key of a node.
pub(crate) fn key(node: u32) -> SecretKey {
    SecretKey::from_seed([node as u8; 32]).unwrap()
}

fn member(node: u32) -> Member {
    Member::new(NodeId(node), "", true, key(node).public())
}

/// Tells two links of each other.
pub(crate) fn introduce(a: &Node, a_id: NodeId, b: &Node, b_id: NodeId) {
    b.link.peers().insert(a_id, Some(a.address.clone()));
    a.link.peers().insert(b_id, Some(b.address.clone()));
}

impl Node {
    pub(crate) async fn next(&mut self) -> Incoming {
        tokio::time::timeout(PATIENCE, self.link.receive()).await.expect("nothing comes").expect("closed")
    }

    /// The next frames; news of connections are passed over.
    pub(crate) async fn next_frames(&mut self) -> Frames {
        loop {
            if let Incoming::Frames(frames) = self.next().await {
                return frames;
            }
        }
    }

    pub(crate) async fn expect_up(&mut self, peer: NodeId) {
        while !matches!(self.next().await, Incoming::Up(up) if up == peer) {}
    }

    pub(crate) async fn expect_down(&mut self, peer: NodeId) {
        while !matches!(self.next().await, Incoming::Down(down) if down == peer) {}
    }

    /// Sends one frame and flushes.
    pub(crate) fn say(&mut self, to: u32, lane: Lane, ordinal: u64, body: &[u8]) -> Result<(), Refused> {
        let sent = self.link.send(NodeId(to), lane, &mut |out| put(ordinal, body, out));
        self.link.flush();
        sent
    }

    /// Waits until an event has been told.
    pub(crate) async fn until_told(&self, what: impl Fn(&Event) -> bool) {
        let told = async {
            while !self.told.lock().unwrap().iter().any(&what) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, told).await.is_err() {
            panic!("not told; only {:?}", self.told.lock().unwrap());
        }
    }
}

/// Appends a frame.
pub(crate) fn put(ordinal: u64, body: &[u8], out: &mut Vec<u8>) {
    frame::seal(Header { protocol: 0, life: Life(0), ordinal }, KIND_MESSAGE, body, out).unwrap();
}

/// The ordinals of frames.
pub(crate) fn ordinals(bytes: &Bytes) -> Vec<u64> {
    let (mut at, mut ordinals) = (0, Vec::new());
    while at < bytes.len() {
        let sealed = frame::open(&bytes[at..]).expect("whole frames only");
        ordinals.push(sealed.header.ordinal);
        at += sealed.size;
    }
    ordinals
}
