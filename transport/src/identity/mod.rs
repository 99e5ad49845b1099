//! Who is who: keys, the roster of members, and the handshake in which strangers are refused.
//!
//! A node's identity is its ed25519 key. Which keys are whose stands in the [`Roster`], which links ask in every
//! handshake, and which tells them when a live connection must end.

mod arrival;
mod base32;
mod errand;
mod join;
mod key;
mod registrar;
mod roster;
mod statement;
mod tls;
mod token;

pub use arrival::{Arrival, Entrance};
pub use errand::{Caller, Done, Errand};
pub use join::{Denied, JoinError, REQUEST_MAX, REQUEST_TIME, Welcome, join};
pub use key::{KeyFileError, NotAKey, PublicKey, SecretKey};
pub use registrar::{Node, Registrar, RegistrarError, SETTINGS_MAX, remember};
pub use roster::{ADDRESS_MAX, Changes, KEYS_MAX, MEMBERS_MAX, Member, Roster, Unacceptable, Validity};
pub use statement::{FIRST_JOINED, Refused, Signed, Statement, node_for};
pub use tls::{
    ALPN_JOIN, ALPN_PEER, ALPN_ROSTER, Trust, client_config, dialling, nobody, peer_key, server_config,
    serving,
};
pub use token::{CLUSTER_MAX, Grant, LIFETIME_MAX, NotAToken, Token, TokenId};
