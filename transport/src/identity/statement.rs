//! What members tell each other about members, signed: who was let in, and whose key is replaced by which.
//!
//! A statement holds for ever and can be passed on by anybody. Every member keeps all of them, and tells them to whom
//! it is connected with; so those hear of it that were away.

use ring::digest::{SHA256, digest};
use seedbed_core::contract::NodeId;
use serde::{Deserialize, Serialize};

use super::roster::State;
use super::{ADDRESS_MAX, Member, PublicKey, SecretKey, Unacceptable, Validity, base32};

/// Something about a member.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Statement {
    /// It belongs from now on, without a vote. Said by any member.
    Admission {
        /// To this cluster.
        cluster: String,
        /// As [`node_for`] its key.
        node: NodeId,
        /// Its key.
        key: PublicKey,
        /// Where it listens.
        address: String,
    },
    /// It has a new key. Said with the old one.
    Rotation {
        /// In this cluster.
        cluster: String,
        /// Whose key.
        node: NodeId,
        /// The new one.
        key: PublicKey,
        /// Rises with every change of this node's key.
        epoch: u64,
        /// When the old one ends, in seconds since 1970.
        until: u64,
    },
}

/// A statement, and who vouches for it.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Signed {
    /// What is said.
    pub statement: Statement,
    /// With which key.
    pub by: PublicKey,
    #[serde(with = "base32::text")]
    signature: [u8; 64],
}

/// Nothing else that is signed begins like this.
const CONTEXT: &[u8] = b"seedbed statement 1\0";

impl Statement {
    /// Says it.
    #[must_use]
    pub fn sign(self, key: &SecretKey) -> Signed {
        let signature = key.sign(&self.bytes());
        Signed { statement: self, by: key.public(), signature }
    }

    pub(super) fn is_admission(&self) -> bool {
        matches!(self, Self::Admission { .. })
    }

    fn cluster(&self) -> &str {
        match self {
            Self::Admission { cluster, .. } | Self::Rotation { cluster, .. } => cluster,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        // Into memory, and without anything that postcard cannot write.
        postcard::to_extend(self, CONTEXT.to_vec()).unwrap_or_default()
    }
}

impl Signed {
    /// Whether the key that it names has signed it, for this cluster. Whether that key counts is another question.
    #[must_use]
    pub fn is_genuine(&self, cluster: &str) -> bool {
        self.statement.cluster() == cluster && self.by.has_signed(&self.statement.bytes(), &self.signature)
    }
}

/// The name of a node that joins: its key decides, above all that voters are called.
#[must_use]
pub fn node_for(key: &PublicKey) -> NodeId {
    let hash = digest(&SHA256, &[b"seedbed node 1\0", &key.0[..]].concat());
    let first = hash.as_ref().iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte));
    NodeId(FIRST_JOINED + first % (u32::MAX - FIRST_JOINED))
}

/// The names of nodes that joined begin here.
pub const FIRST_JOINED: u32 = 1 << 16;

impl State {
    /// Acts on a genuine statement. Says whether it was news.
    pub(super) fn hear(&mut self, said: &Signed, now: u64) -> Result<bool, Refused> {
        let speaker = self.find(&said.by, now).map(|(node, _)| node).ok_or(Refused::Stranger)?;
        match &said.statement {
            Statement::Admission { node, key, address, .. } => {
                let known = self.member(*node);
                if known.is_some_and(|member| member.keys.iter().any(|validity| validity.key == *key)) {
                    return Ok(false);
                }
                if known.is_some() || *node != node_for(key) || !self.is_fresh(key) {
                    return Err(Refused::Taken);
                }
                if address.len() > ADDRESS_MAX {
                    return Err(Refused::Full);
                }
                Ok(self.insert(Member::new(*node, address.clone(), false, *key))?)
            }
            Statement::Rotation { node, key, epoch, until, .. } => {
                let member = self.member(*node).filter(|_| speaker == *node).ok_or(Refused::Stranger)?;
                if *epoch <= member.epoch {
                    return Err(Refused::Old);
                }
                if !self.is_fresh(key) && !member.keys.iter().any(|validity| validity.key == *key) {
                    return Err(Refused::Taken);
                }
                let mut member = member.clone();
                member.epoch = *epoch;
                member
                    .keys
                    .retain(|validity| validity.key != *key && validity.until.is_none_or(|end| now < end));
                for old in &mut member.keys {
                    old.until = Some(old.until.map_or(*until, |end| end.min(*until)));
                }
                member.keys.push(Validity { key: *key, until: None });
                Ok(self.insert(member)?)
            }
        }
    }
}

/// Why a statement is not acted on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// The signature is wrong, or it is about another cluster.
    #[error("the statement is forged, or for another cluster")]
    Forged,
    /// Whoever says it may not.
    #[error("whoever says it has no say in it")]
    Stranger,
    /// There is a later one.
    #[error("the statement is out of date")]
    Old,
    /// The name or the key is another's, or the key was revoked.
    #[error("the name or the key is not free")]
    Taken,
    /// There is no room for more members, keys or statements.
    #[error("there is no room for more")]
    Full,
    /// The disk failed: it is forgotten with this life.
    #[error("it cannot be kept on disk")]
    Unkept,
}

impl From<Unacceptable> for Refused {
    fn from(error: Unacceptable) -> Self {
        match error {
            Unacceptable::Taken => Self::Taken,
            Unacceptable::TooMuch => Self::Full,
        }
    }
}
