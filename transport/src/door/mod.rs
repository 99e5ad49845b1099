//! The HTTP door of a node: what it is, what happens to it, what it counts, and a way to ask it things.
//!
//! Reads are open on loopback, where the door stands by default. Whatever changes state needs the bearer token. A door
//! elsewhere needs the token for reads, too; only `/`, `/healthz` and `/readyz`, which tell nothing of the node, do without.
//! A request must be addressed to an IP address, to `localhost` or to a name that the door was given, so that a page of
//! someone else's cannot reach it through a name of its own (DNS rebinding); there is no CORS. All that waits
//! has a bound: see [`Limits`].

mod app;
pub mod events;
mod guard;
mod hosted;
mod keys;
mod lanes;
mod metrics;
mod node;
mod openapi;
mod problem;
mod resources;
mod route;
mod routes;
mod server;
mod stream;
mod timely;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

pub use app::Payload;
pub use hosted::{About, Hosted};
pub use keys::{Keys, MemberList, MemberStatus, OVERLAP, Revoke, Revoked, Rotate, Rotated};
pub use lanes::{LaneStatus, Lanes};
pub use node::{
    BoxFuture, Cut, DiskStatus, Failure, Faults, Figure, FigureKind, LinkStatus, Node, Status, Way,
};
pub use problem::Problem;
pub use resources::{Desk, Front, Resources, Served};
pub use route::{Access, Answer, Body, Operation, Parameter, Place, Route};
pub use server::{Door, DoorError};

/// Where a door stands and who may come in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// Who knows it may change state; without it nobody may.
    pub token: Option<Token>,
    /// Names, beside IP addresses and `localhost`, that requests may be addressed to.
    pub names: Vec<String>,
    /// Its bounds.
    pub limits: Limits,
}

impl Settings {
    /// A door that listens there, open for reads if that is on loopback.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, token: None, names: Vec::new(), limits: Limits::default() }
    }

    /// The same with a token.
    #[must_use]
    pub fn with_token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }
}

/// What the holder of a token must show. Only its hash is kept.
#[derive(Clone)]
pub struct Token(blake3::Hash);

/// The shortest token that is accepted, in bytes.
pub const TOKEN_MIN: usize = 16;

impl Token {
    /// From what a token file holds; spaces around it do not count. None if it is too short to be a secret, or holds
    /// what cannot be sent in a header.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_fit = text.len() >= TOKEN_MIN && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_fit.then(|| Self(blake3::hash(text.as_bytes())))
    }

    /// Whether this is the token: hashes are compared, in constant time, so nothing is learnt from how long it takes.
    fn is(&self, shown: &[u8]) -> bool {
        self.0 == blake3::hash(shown)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The bounds of a door. The defaults are meant to be kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The longest body of a request, in bytes, where its operation says nothing else.
    pub body_max: usize,
    /// Bytes of longer bodies at once: further ones wait.
    pub bodies_max: usize,
    /// The longest head of a request, in bytes: at least 8 KiB.
    pub head_max: usize,
    /// The most header fields of a request.
    pub headers_max: usize,
    /// Connections at once; who comes later is turned away.
    pub connections_max: usize,
    /// Event streams at once; further ones are refused.
    pub streams_max: usize,
    /// The head of a request must be complete after this time; also how long an idle connection is kept.
    pub head: Duration,
    /// A request must be complete after this time.
    pub request: Duration,
    /// A node must have answered a command after this time.
    pub command: Duration,
    /// A client that takes nothing for this time is gone.
    pub write: Duration,
    /// The time between signs of life in an event stream.
    pub heartbeat: Duration,
    /// How long requests may take to end when the door closes.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_max: 64 << 10,
            bodies_max: 64 << 20,
            head_max: 16 << 10,
            headers_max: 64,
            connections_max: 256,
            streams_max: 64,
            head: Duration::from_secs(10),
            request: Duration::from_secs(15),
            command: Duration::from_secs(10),
            write: Duration::from_secs(30),
            heartbeat: Duration::from_secs(10),
            grace: Duration::from_secs(5),
        }
    }
}
