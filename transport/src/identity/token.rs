//! The line that lets a new machine in, once.
//!
//! The secret of a token is computed from its name, its end and the cluster, with a key that only the issuing node
//! can derive. So that node need not remember what it issued, a token that was altered has the wrong secret, and only
//! the tokens that were used must be kept, until they end.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::{ADDRESS_MAX, PublicKey, SecretKey, base32, key, roster};

/// What a new machine must know to join. Anyone who has it can use it: it never shows in a log.
#[derive(Clone, Eq, PartialEq)]
pub struct Token {
    /// The key of the node that issued it; the joiner speaks with no other.
    pub server: PublicKey,
    /// Where that node listens: host and port.
    pub address: String,
    /// What it is.
    pub grant: Grant,
    secret: [u8; SECRET_SIZE],
}

/// A token without its secret.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Grant {
    /// Tells it from all others.
    pub id: TokenId,
    /// It is good before this time, in seconds since 1970.
    pub until: u64,
    /// For which cluster.
    pub cluster: String,
}

/// Tells one token from all others.
#[derive(Clone, Copy, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct TokenId(#[serde(with = "base32::text")] pub(super) [u8; 16]);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32::encode(&self.0))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The longest name of a cluster, in bytes.
pub const CLUSTER_MAX: usize = 64;
/// No token lives longer.
pub const LIFETIME_MAX: Duration = Duration::from_secs(7 * 86_400);

const SECRET_SIZE: usize = 16;
const CHECKSUM_SIZE: usize = 4;
/// What every token begins with, and its version.
const PREFIX: &str = "seedbed1-";

impl Token {
    /// A new one, for one machine.
    ///
    /// # Errors
    /// If the address or the name of the cluster is too long, or the system has no randomness to give.
    pub fn issue(
        key: &SecretKey,
        address: impl Into<String>,
        cluster: impl Into<String>,
        lifetime: Duration,
    ) -> io::Result<Self> {
        let (address, cluster) = (address.into(), cluster.into());
        if address.len() > ADDRESS_MAX || cluster.len() > CLUSTER_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the address or the cluster's name is too long",
            ));
        }
        let id = TokenId(key::random()?);
        let until = roster::now() + lifetime.min(LIFETIME_MAX).as_secs();
        let grant = Grant { id, until, cluster };
        let secret = grant.secret(key);
        Ok(Self { server: key.public(), address, grant, secret })
    }

    /// Shows that whoever has `key` knows this token, on the connection with this exporter value and on no other.
    pub(super) fn proof(&self, exporter: &[u8; 32], key: &PublicKey) -> [u8; 32] {
        let tag = hmac::sign(&proof_key(&self.secret), &proven(exporter, key));
        let mut proof = [0; 32];
        proof.copy_from_slice(tag.as_ref());
        proof
    }
}

impl Grant {
    /// What makes a token of it, if `key` is the issuer's.
    fn secret(&self, key: &SecretKey) -> [u8; SECRET_SIZE] {
        // Of fixed length but for the last, so that no two grants look the same.
        let text = [&self.id.0[..], &self.until.to_le_bytes(), self.cluster.as_bytes()].concat();
        let tag = hmac::sign(&key.derive("seedbed join token 1"), &text);
        let mut secret = [0; SECRET_SIZE];
        secret.copy_from_slice(&tag.as_ref()[..SECRET_SIZE]);
        secret
    }

    /// Whether `joiner` has shown on this connection that it knows the token, as issued with `key`.
    pub(super) fn is_proven(
        &self,
        key: &SecretKey,
        exporter: &[u8; 32],
        joiner: &PublicKey,
        proof: &[u8; 32],
    ) -> bool {
        hmac::verify(&proof_key(&self.secret(key)), &proven(exporter, joiner), proof).is_ok()
    }
}

fn proof_key(secret: &[u8; SECRET_SIZE]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

fn proven(exporter: &[u8; 32], key: &PublicKey) -> Vec<u8> {
    [&exporter[..], &key.0[..]].concat()
}

/// The line to paste.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [&self.server.0[..], &self.grant.id.0, &self.secret].concat();
        bytes.extend_from_slice(&self.grant.until.to_le_bytes());
        for text in [&self.grant.cluster, &self.address] {
            bytes.push(u8::try_from(text.len()).map_err(|_| fmt::Error)?);
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(&checksum(&bytes));
        write!(f, "{PREFIX}{}", base32::encode(&bytes))
    }
}

impl FromStr for Token {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let bytes = text.trim().strip_prefix(PREFIX).and_then(base32::decode).ok_or(NotAToken)?;
        let (body, sum) = bytes.split_last_chunk::<CHECKSUM_SIZE>().ok_or(NotAToken)?;
        if checksum(body) != *sum {
            return Err(NotAToken);
        }
        let (server, rest) = body.split_first_chunk().ok_or(NotAToken)?;
        let (id, rest) = rest.split_first_chunk().ok_or(NotAToken)?;
        let (secret, rest) = rest.split_first_chunk().ok_or(NotAToken)?;
        let (until, rest) = rest.split_first_chunk().ok_or(NotAToken)?;
        let (cluster, rest) =
            short_text(rest).filter(|(text, _)| text.len() <= CLUSTER_MAX).ok_or(NotAToken)?;
        let (address, rest) =
            short_text(rest).filter(|(text, _)| text.len() <= ADDRESS_MAX).ok_or(NotAToken)?;
        let grant = Grant { id: TokenId(*id), until: u64::from_le_bytes(*until), cluster };
        let token = Self { server: PublicKey(*server), address, grant, secret: *secret };
        rest.is_empty().then_some(token).ok_or(NotAToken)
    }
}

/// A text with its length in one byte before it, and what follows.
fn short_text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((String::from_utf8(text.to_vec()).ok()?, rest))
}

/// Against slips of who copies it; who alters it on purpose fails for want of the secret.
fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_SIZE] {
    let mut sum = [0; CHECKSUM_SIZE];
    sum.copy_from_slice(&digest(&SHA256, bytes).as_ref()[..CHECKSUM_SIZE]);
    sum
}

/// Shows all but the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("server", &self.server)
            .field("address", &self.address)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}

/// This text is no token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this is no join token, or not the whole of one: copy the line as `seedbed token new` printed it")]
pub struct NotAToken;

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> (SecretKey, Token) {
        let key = SecretKey::from_seed([3; 32]).unwrap();
        let token = Token::issue(&key, "127.0.0.1:7100", "elections", Duration::from_secs(60)).unwrap();
        (key, token)
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let (_, token) = token();
        let line = token.to_string();
        assert_eq!(line.parse(), Ok(token));
        assert!(line.len() < 200 && !line.contains(char::is_whitespace), "{line}");
    }

    #[test]
    fn a_slip_is_noticed() {
        let line = token().1.to_string();
        for at in 0..line.len() {
            let other = if &line[at..=at] == "a" { "b" } else { "a" };
            let wrong = format!("{}{other}{}", &line[..at], &line[at + 1..]);
            assert_eq!(wrong.parse::<Token>(), Err(NotAToken), "at {at}");
            assert_eq!(line[..at].parse::<Token>(), Err(NotAToken), "cut at {at}");
        }
    }

    #[test]
    fn a_proof_holds_for_one_token_one_connection_and_one_key() {
        let (key, token) = token();
        let (here, me) = ([1; 32], PublicKey([2; 32]));
        let proof = token.proof(&here, &me);
        let is_proven = |grant: &Grant, exporter, joiner| grant.is_proven(&key, &exporter, &joiner, &proof);
        assert!(is_proven(&token.grant, here, me));
        assert!(!is_proven(&token.grant, [9; 32], me) && !is_proven(&token.grant, here, PublicKey([9; 32])));
        let later = Grant { until: token.grant.until + 1, ..token.grant.clone() };
        let elsewhere = Grant { cluster: "other".into(), ..token.grant.clone() };
        let another = Grant { id: TokenId([0; 16]), ..token.grant.clone() };
        for altered in [later, elsewhere, another] {
            assert!(!is_proven(&altered, here, me), "{altered:?}");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let (_, token) = token();
        let shown = format!("{token:?} {token:#?}");
        assert!(!shown.contains(&base32::encode(&token.secret)), "{shown}");
        assert!(!shown.contains(&format!("{:?}", token.secret)), "{shown}");
    }
}
