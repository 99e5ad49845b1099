//! The hello: both ends of a connection say who they are and what they speak before anything else.
//!
//! Who dials speaks first. Who hears something that does not fit answers with the reason, so that both ends can log it.

use bytes::{Buf, BytesMut};
use seedbed_core::contract::{Lane, Life, NodeId};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::control::{self, HELLO, OWN_MAX, REFUSE};

/// The version of everything between two links: the frame, the hello, kinds of their own, credits. Since 2 a frame's check
/// covers its header alone.
const LINK_VERSION: u16 = 2;

/// What a node says first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Hello {
    pub(super) cluster: String,
    pub(super) protocol: String,
    pub(super) version: u16,
    pub(super) node: NodeId,
    pub(super) life: Life,
    pub(super) lane: Lane,
    /// Bulk frames that it takes before it has to give credits.
    pub(super) credits: u32,
}

/// Why a hello is refused, in the words of who refuses.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
pub enum Refusal {
    /// The ends of the connection speak different versions.
    #[error("links of version {0} only")]
    Link(u16),
    /// It belongs elsewhere.
    #[error("this is cluster `{0}`")]
    Cluster(String),
    /// It runs something else.
    #[error("this cluster runs `{0}`")]
    Protocol(String),
    /// It runs another version.
    #[error("this cluster runs version {0} of the protocol")]
    Version(u16),
    /// It is not who it claims to be, or not who was dialled.
    #[error("{0} has another key, or was not dialled")]
    NotThatNode(NodeId),
    /// No such node belongs to the cluster.
    #[error("{0} is not a member")]
    Stranger(NodeId),
    /// It means another lane.
    #[error("another lane was meant")]
    Lane,
    /// That is no hello.
    #[error("no hello")]
    Nonsense,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Failure {
    /// The network or the handshake failed.
    Io(std::io::Error),
    /// It took too long.
    Late,
    /// What the other end said does not fit.
    Refused(Refusal),
    /// The other end says that what we said does not fit.
    RefusedBy(Refusal),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Speaks first. `spare` holds what came after the hello.
pub(super) async fn dial<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    me: &Hello,
    peer: NodeId,
    spare: &mut BytesMut,
) -> Result<Hello, Failure> {
    say(stream, me).await?;
    let other = match hear(stream, spare).await? {
        Heard::Hello(other) => other,
        Heard::Refusal(why) => return Err(Failure::RefusedBy(why)),
        Heard::Other(why) => return refuse(stream, why).await,
    };
    let why = match differs(me, &other) {
        None if other.node != peer => Some(Refusal::NotThatNode(other.node)),
        None if other.lane != me.lane => Some(Refusal::Lane),
        differs => differs,
    };
    match why {
        Some(why) => refuse(stream, why).await,
        None => Ok(other),
    }
}

/// Speaks second. `proved` is who the other end has proved to be, if it has; `knows` tells who is a peer. The lane is the
/// dialler's choice.
pub(super) async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    me: &Hello,
    proved: Option<NodeId>,
    knows: impl Fn(NodeId) -> bool,
    spare: &mut BytesMut,
) -> Result<Hello, Failure> {
    let other = match hear(stream, spare).await? {
        Heard::Hello(other) => other,
        Heard::Refusal(why) => return Err(Failure::RefusedBy(why)),
        Heard::Other(why) => return refuse(stream, why).await,
    };
    let why = match differs(me, &other) {
        None if proved.is_some_and(|node| node != other.node) => Some(Refusal::NotThatNode(other.node)),
        None if other.node == me.node || !knows(other.node) => Some(Refusal::Stranger(other.node)),
        differs => differs,
    };
    if let Some(why) = why {
        return refuse(stream, why).await;
    }
    say(stream, &Hello { lane: other.lane, ..me.clone() }).await?;
    Ok(other)
}

fn differs(me: &Hello, other: &Hello) -> Option<Refusal> {
    if other.cluster != me.cluster {
        Some(Refusal::Cluster(me.cluster.clone()))
    } else if other.protocol != me.protocol {
        Some(Refusal::Protocol(me.protocol.clone()))
    } else if other.version != me.version {
        Some(Refusal::Version(me.version))
    } else {
        None
    }
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, me: &Hello) -> Result<(), Failure> {
    let body = postcard::to_extend(me, LINK_VERSION.to_le_bytes().to_vec()).unwrap_or_default();
    write(stream, HELLO, &body).await
}

async fn refuse<S: AsyncWrite + Unpin>(stream: &mut S, why: Refusal) -> Result<Hello, Failure> {
    let body = postcard::to_extend(&why, Vec::new()).unwrap_or_default();
    // The reason counts, even if it cannot be told any more.
    if write(stream, REFUSE, &body).await.is_ok() {
        let _ = stream.shutdown().await;
    }
    Err(Failure::Refused(why))
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, kind: u8, body: &[u8]) -> Result<(), Failure> {
    let mut out = Vec::new();
    control::push(kind, body, &mut out);
    stream.write_all(&out).await?;
    Ok(stream.flush().await?)
}

enum Heard {
    Hello(Hello),
    Refusal(Refusal),
    Other(Refusal),
}

async fn hear<S: AsyncRead + Unpin>(stream: &mut S, spare: &mut BytesMut) -> Result<Heard, Failure> {
    while spare.len() < 4 {
        read(stream, spare).await?;
    }
    let length = u32::from_le_bytes([spare[0], spare[1], spare[2], spare[3]]) as usize;
    if length > OWN_MAX - 4 {
        return Ok(Heard::Other(Refusal::Nonsense));
    }
    while spare.len() < 4 + length {
        read(stream, spare).await?;
    }
    let heard = control::open(spare).map(|sealed| understand(sealed.kind, sealed.body));
    spare.advance(4 + length);
    Ok(heard.unwrap_or(Heard::Other(Refusal::Nonsense)))
}

fn understand(kind: u8, body: &[u8]) -> Heard {
    let nonsense = Heard::Other(Refusal::Nonsense);
    match kind {
        HELLO => match body.split_first_chunk() {
            Some((version, _)) if u16::from_le_bytes(*version) != LINK_VERSION => {
                Heard::Other(Refusal::Link(LINK_VERSION))
            }
            Some((_, rest)) => postcard::from_bytes(rest).map_or(nonsense, Heard::Hello),
            None => nonsense,
        },
        REFUSE => refusal(body).map_or(nonsense, Heard::Refusal),
        _ => nonsense,
    }
}

/// What a [`REFUSE`] says.
pub(super) fn refusal(body: &[u8]) -> Option<Refusal> {
    postcard::from_bytes(body).ok()
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S, spare: &mut BytesMut) -> Result<(), Failure> {
    spare.reserve(OWN_MAX);
    match stream.read_buf(spare).await? {
        0 => Err(Failure::Io(std::io::ErrorKind::UnexpectedEof.into())),
        _ => Ok(()),
    }
}
