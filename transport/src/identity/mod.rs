//! Who is who: keys, the roster of members, and the handshake in which strangers are refused.
//!
//! A node's identity is its ed25519 key. Which keys are whose stands in the [`Roster`], which links ask in every
//! handshake, and which tells them when a live connection must end.

mod arrival;
mod base32;
mod key;
mod roster;
mod tls;

pub use arrival::{Arrival, Entrance};
pub use key::{KeyFileError, NotAKey, PublicKey, SecretKey};
pub use roster::{ADDRESS_MAX, Changes, MEMBERS_MAX, Member, Roster, Unacceptable, Validity};
pub use tls::{
    ALPN_JOIN, ALPN_PEER, Trust, client_config, dialling, nobody, peer_key, server_config, serving,
};
