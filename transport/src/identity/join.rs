//! How a machine joins a running cluster with one pasted line.
//!
//! It dials the node that issued its token, with the key that will be its own, accepts no other server than the one
//! that the token names, and speaks [`ALPN_JOIN`] only. It sends one frame and gets one:
//!
//! ```text
//! length u32 | Request         proof = HMAC(secret of the token, exporter of the connection || its key)
//! length u32 | Ok(Welcome) or Err(Denied)
//! ```
//! The proof is worth nothing on another connection or for another key. Lengths are little-endian, bodies postcard.

use std::io;
use std::time::Duration;

use rustls::ConnectionCommon;
use seedbed_core::contract::NodeId;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::server::TlsStream;

use super::errand::{read_frame, write_frame};
use super::token::Grant;
use super::{
    ALPN_JOIN, Member, PublicKey, Refused, Registrar, SecretKey, Signed, Token, Trust, dialling, nobody,
};

/// The longest frame that a joiner may send, without its length.
pub const REQUEST_MAX: usize = 1 << 10;
/// The time in which that frame must have come, and in which the answer must have been taken.
pub const REQUEST_TIME: Duration = Duration::from_secs(5);
/// The longest answer.
const ANSWER_MAX: usize = 4 << 20;
/// How long a joiner waits for each step of the server's.
const PATIENCE: Duration = Duration::from_secs(10);
const EXPORTER: &[u8] = b"EXPORTER-seedbed-join-1";

/// What a joiner says.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Request {
    /// Its token, without the secret.
    pub(super) grant: Grant,
    /// Where it will listen.
    pub(super) listen: String,
    pub(super) proof: [u8; 32],
}

/// What a new member gets to know.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Welcome {
    /// What it is called from now on.
    pub node: NodeId,
    /// The members as the server's configuration has them.
    pub members: Vec<Member>,
    /// What was said of members since, its own admission included.
    pub statements: Vec<Signed>,
    /// Keys that were revoked.
    pub revoked: Vec<PublicKey>,
    /// What else it needs to know.
    pub settings: String,
}

/// Why a joiner is not let in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
pub enum Denied {
    /// The token is for another cluster.
    #[error("the token is for another cluster")]
    OtherCluster,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// It was altered, or this node did not issue it with the key that it has now.
    #[error("this node did not issue the token, or it was altered")]
    Forged,
    /// Somebody has joined with it.
    #[error("the token has been used")]
    Used,
    /// The key is a member's or was revoked, or the name that it leads to is taken: another key will do.
    #[error("the key, or the name that it leads to, is not free: make a new key")]
    Taken,
    /// There is no room for more members or tokens.
    #[error("there is no room for more members")]
    Full,
    /// The request makes no sense.
    #[error("the request is malformed")]
    Malformed,
    /// The server could not keep what it would have promised.
    #[error("the node could not write down the admission")]
    Failed,
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Taken | Refused::Old => Self::Taken,
            Refused::Full => Self::Full,
            Refused::Stranger | Refused::Forged | Refused::Unkept => Self::Failed,
        }
    }
}

/// Why joining failed.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The server said no.
    #[error("refused: {0}")]
    Denied(#[from] Denied),
    /// The connection failed. That a server has another key than the token says shows here, too.
    #[error("{0}")]
    Failed(#[from] io::Error),
}

/// Joins: `listen` is where others will find this machine.
///
/// # Errors
/// If the server cannot be reached, is not the one that the token names, or says no.
pub async fn join(token: &Token, key: &SecretKey, listen: &str) -> Result<Welcome, JoinError> {
    let trust = Trust::Keys([token.server].into());
    let config = dialling(key, trust, ALPN_JOIN).map_err(io::Error::other)?;
    let connect = async {
        let stream = TcpStream::connect(&token.address).await?;
        let connected = TlsConnector::from(config).connect(nobody(), stream).await;
        connected.map_err(|error| match error.kind() {
            // What TLS has to say comes as this.
            io::ErrorKind::InvalidData => io::Error::other(format!(
                "no node with the key that the token names answers there ({error}); if it has a new key since, make a \
                 new token"
            )),
            _ => error,
        })
    };
    let mut stream = timeout(PATIENCE, connect).await.map_err(io::Error::from)??;
    let proof = token.proof(&exporter(stream.get_ref().1)?, &key.public());
    let request = Request { grant: token.grant.clone(), listen: listen.into(), proof };
    let exchange = async {
        write_frame(&mut stream, &request, REQUEST_MAX).await?;
        read_frame::<Result<Welcome, Denied>>(&mut stream, ANSWER_MAX).await
    };
    Ok(timeout(PATIENCE, exchange).await.map_err(io::Error::from)???)
}

impl Registrar {
    /// Hears what a joiner has to say, within [`REQUEST_TIME`], answers, and hangs up. Says who has become a member.
    pub(super) async fn welcome<IO: AsyncRead + AsyncWrite + Unpin>(
        &self,
        joiner: PublicKey,
        stream: &mut TlsStream<IO>,
    ) -> Result<NodeId, JoinError> {
        let exporter = exporter(stream.get_ref().1)?;
        let read = timeout(REQUEST_TIME, read_frame::<Request>(stream, REQUEST_MAX)).await;
        let answer = match read.map_err(io::Error::from)? {
            Ok(request) => {
                let registrar = self.clone();
                let admit = move || registrar.admit(joiner, request, &exporter);
                tokio::task::spawn_blocking(admit).await.unwrap_or(Err(Denied::Failed))
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(Denied::Malformed),
            Err(error) => return Err(error.into()),
        };
        let write = async {
            write_frame(stream, &answer, ANSWER_MAX).await?;
            stream.shutdown().await
        };
        let written = timeout(REQUEST_TIME, write).await.map_err(io::Error::from);
        // Who has been let in is a member, whether it has heard the answer or not.
        let node = answer.map(|welcome| welcome.node)?;
        let _ = written;
        Ok(node)
    }
}

fn exporter<Data>(connection: &ConnectionCommon<Data>) -> io::Result<[u8; 32]> {
    connection.export_keying_material([0; 32], EXPORTER, None).map_err(io::Error::other)
}
