//! Short connections on which something is said about members, beside the lasting ones of peers: a stranger asks to
//! join, or a member tells what it has heard and hears what the other has.
//!
//! What a node learns, it tells every other member, until each has heard it: so all come to know the same, those too
//! that were away. Statements are signed, and count whoever passes them on. That keys are revoked is no statement, because
//! it must hold when the key of whoever said it is long gone: it is believed if a member that votes says so here.

use std::fmt;
use std::io;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use seedbed_core::contract::NodeId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::server::TlsStream;

use super::{
    ALPN_ROSTER, JoinError, Member, PublicKey, Refused, Registrar, SecretKey, Signed, Trust, dialling,
    nobody, peer_key,
};

/// Somebody wants something about members: [`Registrar::run`] sees to it.
pub struct Errand<IO> {
    pub(super) who: Caller,
    pub(super) stream: TlsStream<IO>,
}

/// Who comes on an errand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Caller {
    /// A stranger with this key, who wants to join.
    Joiner(PublicKey),
    /// A member with this key, who wants to tell and to hear.
    Member(NodeId, PublicKey),
}

/// What an errand has come to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Done {
    /// This node has been let in.
    Joined(NodeId),
    /// So many statements were news to this node.
    Heard(usize),
}

/// What one member tells another: all that it knows of members, beside its configuration.
#[derive(Debug, Deserialize, Serialize)]
struct News {
    /// Revocations are heeded after them: what a key said before counts.
    statements: Vec<Signed>,
    revoked: Vec<PublicKey>,
}

/// Errands at once, of members and of strangers each; who comes later is turned away.
pub(super) const ERRANDS_MAX: usize = 16;
/// The longest frame with news: all that a node keeps.
const NEWS_SIZE_MAX: usize = 2 << 20;
/// An errand to another member takes no longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Members that are told at once.
const TELLING_MAX: usize = 8;
/// The pauses before members are told that could not be reached.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

impl<IO> Errand<IO> {
    /// Who it is.
    #[must_use]
    pub fn who(&self) -> Caller {
        self.who
    }
}

impl<IO> fmt::Debug for Errand<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Errand").field(&self.who).finish()
    }
}

impl Registrar {
    /// Sees to an errand, within a few seconds. Nothing of it holds up other connections: give it a task of its own.
    ///
    /// # Errors
    /// If it comes to nothing.
    pub async fn run<IO: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut errand: Errand<IO>,
    ) -> Result<Done, JoinError> {
        let Ok(_place) = self.places(errand.who).try_acquire() else {
            return Err(io::Error::other("too many errands at once").into());
        };
        match errand.who {
            Caller::Joiner(key) => self.welcome(key, &mut errand.stream).await.map(Done::Joined),
            Caller::Member(_, key) => {
                let exchange = async {
                    let told = read_frame(&mut errand.stream, NEWS_SIZE_MAX).await?;
                    if self.roster().node_of(&key).is_none() {
                        return Err(io::Error::other("the key was lost meanwhile"));
                    }
                    let heard = self.hear(&key, told).await;
                    if heard == Err(Refused::Unkept) {
                        // Who gets no answer tells again.
                        return Err(io::Error::other(Refused::Unkept));
                    }
                    write_frame(&mut errand.stream, &self.news(), NEWS_SIZE_MAX).await?;
                    errand.stream.shutdown().await?;
                    heard.map_err(io::Error::other)
                };
                Ok(timeout(PATIENCE, exchange).await.map_err(io::Error::from)?.map(Done::Heard)?)
            }
        }
    }

    /// Tells every other member what this node has heard, and hears what they have: now, and whenever there is news.
    /// Never returns.
    pub async fn spread(&self) {
        let mut changes = self.roster().changes();
        let mut pause = PAUSE.0;
        loop {
            let telling = self.behind().into_iter().map(|node| async move {
                // Before it is known what there is to tell, so that nothing that comes meanwhile is taken for told.
                let version = self.roster().version();
                if self.tell(node).await.is_ok() {
                    self.note_told(node, version);
                }
            });
            stream::iter(telling.collect::<Vec<_>>())
                .buffer_unordered(TELLING_MAX)
                .for_each(async |()| {})
                .await;
            let again = async {
                match self.behind().is_empty() {
                    true => std::future::pending().await,
                    false => tokio::time::sleep(pause).await,
                }
            };
            tokio::select! {
                () = changes.next() => pause = PAUSE.0,
                () = again => pause = (pause * 2).min(PAUSE.1),
            }
        }
    }

    /// Tells one member, and hears it: with the key that is to come if the member takes no other.
    async fn tell(&self, node: NodeId) -> io::Result<usize> {
        let told = self.tell_with(&self.key(), node).await;
        match (told, self.next_key()) {
            (Err(_), Some(next)) => self.tell_with(&next, node).await,
            (told, _) => told,
        }
    }

    async fn tell_with(&self, key: &SecretKey, node: NodeId) -> io::Result<usize> {
        let Some(Member { address, .. }) = self.roster().member(node) else { return Ok(0) };
        let trust = Trust::Member(self.roster().clone(), node);
        let config = dialling(key, trust, ALPN_ROSTER).map_err(io::Error::other)?;
        let exchange = async {
            let stream = TcpStream::connect(&address).await?;
            let mut stream = TlsConnector::from(config).connect(nobody(), stream).await?;
            let key = peer_key(stream.get_ref().1).ok_or_else(|| io::Error::other("no key was shown"))?;
            write_frame(&mut stream, &self.news(), NEWS_SIZE_MAX).await?;
            io::Result::Ok((key, read_frame::<News>(&mut stream, NEWS_SIZE_MAX).await?))
        };
        let (key, told) = timeout(PATIENCE, exchange).await.map_err(io::Error::from)??;
        // What is refused here would be refused again.
        Ok(self.hear(&key, told).await.unwrap_or(0))
    }

    fn news(&self) -> News {
        News { statements: self.statements(), revoked: self.roster().revoked() }
    }

    /// The member with this key has told this. Returns how much of it was news, once that is durable.
    async fn hear(&self, from: &PublicKey, told: News) -> Result<usize, Refused> {
        let News { mut statements, mut revoked } = told;
        let from = self.roster().node_of(from).and_then(|node| self.roster().member(node));
        if !from.is_some_and(|member| member.votes) {
            revoked.clear();
        }
        self.forget_known(&mut statements, &mut revoked);
        if statements.is_empty() && revoked.is_empty() {
            return Ok(0);
        }
        let registrar = self.clone();
        let hear = move || {
            let learnt = registrar.learn(statements);
            // Whatever becomes of statements: who is revoked is out.
            let heeded = registrar.revoke(&revoked);
            Ok(learnt? + heeded?)
        };
        tokio::task::spawn_blocking(hear).await.unwrap_or(Err(Refused::Unkept))
    }
}

pub(super) async fn write_frame<W: AsyncWrite + Unpin>(
    writer: &mut W,
    body: &impl Serialize,
    size_max: usize,
) -> io::Result<()> {
    let mut bytes = postcard::to_extend(body, vec![0; 4]).map_err(io::Error::other)?;
    let size = bytes.len() - 4;
    let length = u32::try_from(size).ok().filter(|_| size <= size_max);
    let length = length.ok_or_else(|| io::Error::other("too much to say"))?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    writer.write_all(&bytes).await?;
    writer.flush().await
}

/// A length, a u32, little-endian, and a body in postcard. The length is checked before anything is allocated.
pub(super) async fn read_frame<T: DeserializeOwned>(
    reader: &mut (impl AsyncRead + Unpin),
    size_max: usize,
) -> io::Result<T> {
    let size = reader.read_u32_le().await? as usize;
    if size > size_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the frame is too long"));
    }
    let mut body = vec![0; size];
    reader.read_exact(&mut body).await?;
    match postcard::take_from_bytes(&body) {
        Ok((value, [])) => Ok(value),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the frame does not decode")),
    }
}
