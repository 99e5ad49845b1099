//! Who belongs: node by node, with its keys and where it is to be found.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use seedbed_core::contract::{Members, NodeId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::PublicKey;

/// The members of a cluster, shared by everything in a process that must know them. Clones are the same roster.
#[derive(Clone)]
pub struct Roster(Arc<watch::Sender<State>>);

/// A node that belongs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Member {
    /// Its name.
    pub node: NodeId,
    /// Where it listens: host and port.
    pub address: String,
    /// Whether its vote counts.
    pub votes: bool,
    /// Rises with every change of its key.
    pub epoch: u64,
    /// What it may identify itself by. More than one while one replaces the other.
    pub keys: Vec<Validity>,
}

/// A key, and how long it is good for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Validity {
    /// The key.
    pub key: PublicKey,
    /// Good before this time, in seconds since 1970; without it, until it is revoked.
    pub until: Option<u64>,
}

#[derive(Default)]
pub(super) struct State {
    /// Counts the changes.
    version: u64,
    members: BTreeMap<NodeId, Member>,
    /// Whose keys are whose, those included whose time is over.
    owners: BTreeMap<PublicKey, NodeId>,
    /// Never to be good again, whoever says so.
    revoked: BTreeSet<PublicKey>,
}

/// A roster of more members is refused.
pub const MEMBERS_MAX: usize = 1_024;
/// A member with more keys is refused: the old one and the new one are what it needs.
pub const KEYS_MAX: usize = 4;
/// The longest address.
pub const ADDRESS_MAX: usize = 255;

impl Member {
    /// A member with one key that is good until it is revoked.
    #[must_use]
    pub fn new(node: NodeId, address: impl Into<String>, votes: bool, key: PublicKey) -> Self {
        Self { node, address: address.into(), votes, epoch: 0, keys: vec![Validity { key, until: None }] }
    }

    /// The keys that are good at a time.
    fn keys_at(&self, now: u64) -> impl Iterator<Item = &Validity> {
        self.keys.iter().filter(move |validity| validity.until.is_none_or(|until| now < until))
    }
}

impl Roster {
    /// One with these members.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn new(members: impl IntoIterator<Item = Member>) -> Result<Self, Unacceptable> {
        let roster = Self(Arc::new(watch::Sender::new(State::default())));
        members.into_iter().try_for_each(|member| roster.insert(member))?;
        Ok(roster)
    }

    /// Whose key this is, if it is good now.
    #[must_use]
    pub fn node_of(&self, key: &PublicKey) -> Option<NodeId> {
        self.0.borrow().find(key, now()).map(|(node, _)| node)
    }

    /// A member.
    #[must_use]
    pub fn member(&self, node: NodeId) -> Option<Member> {
        self.0.borrow().members.get(&node).cloned()
    }

    /// All members, in ascending order.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        self.0.borrow().members.values().cloned().collect()
    }

    /// Counts the changes.
    pub(super) fn version(&self) -> u64 {
        self.0.borrow().version
    }

    /// The membership as protocols know it. Its epoch rises with every change of this roster.
    #[must_use]
    pub fn membership(&self) -> Members {
        let state = self.0.borrow();
        let those = |vote| state.members.values().filter(move |member| member.votes == vote);
        let ids = |vote| those(vote).map(|member| member.node).collect();
        Members { epoch: state.version, voters: ids(true), others: ids(false) }
    }

    /// Adds a member, or replaces what is known of it. Keys that were revoked stay out.
    ///
    /// # Errors
    /// If one of its keys is another's, if there are too many members or keys.
    pub fn insert(&self, member: Member) -> Result<(), Unacceptable> {
        self.change(|state| state.insert(member)).map(drop)
    }

    /// Changes what is known, and tells whoever listens if anything has changed.
    pub(super) fn change<E>(&self, change: impl FnOnce(&mut State) -> Result<bool, E>) -> Result<bool, E> {
        let mut outcome = Ok(false);
        self.0.send_if_modified(|state| {
            outcome = change(state);
            let is_news = matches!(outcome, Ok(true));
            state.version += u64::from(is_news);
            is_news
        });
        outcome
    }

    /// From now on this key is nobody's, and cannot be added again. Live connections that were made with it end.
    pub fn revoke(&self, key: &PublicKey) {
        let _ = self.change(|state| Ok::<_, Unacceptable>(state.revoke(key)));
    }

    /// The keys that were revoked.
    #[must_use]
    pub fn revoked(&self) -> Vec<PublicKey> {
        self.0.borrow().revoked.iter().copied().collect()
    }

    /// Notices every change. What came before it was called is not told.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    /// Returns once a key is not this node's any more, by revocation or because its time is over. A connection that
    /// was made with it must end then.
    pub async fn lost(&self, node: NodeId, key: &PublicKey) {
        let mut changes = self.changes();
        loop {
            let now = now();
            let end = match self.0.borrow().find(key, now) {
                Some((owner, until)) if owner == node => until,
                _ => return,
            };
            // Not all at once, as clocks are set now and then.
            let rest = end.map_or(3600, |until| until.saturating_sub(now).clamp(1, 3600));
            tokio::select! {
                () = changes.next() => {}
                () = tokio::time::sleep(Duration::from_secs(rest)) => {}
            }
        }
    }
}

impl State {
    /// Whose key this is at a time, and until when.
    pub(super) fn find(&self, key: &PublicKey, now: u64) -> Option<(NodeId, Option<u64>)> {
        let member = self.members.get(self.owners.get(key)?)?;
        let validity = member.keys_at(now).find(|validity| validity.key == *key)?;
        Some((member.node, validity.until))
    }

    pub(super) fn member(&self, node: NodeId) -> Option<&Member> {
        self.members.get(&node)
    }

    /// Whether a key is not, and was not, anybody's.
    pub(super) fn is_fresh(&self, key: &PublicKey) -> bool {
        !self.owners.contains_key(key) && !self.revoked.contains(key)
    }

    /// Says whether this is news.
    pub(super) fn insert(&mut self, mut member: Member) -> Result<bool, Unacceptable> {
        member.keys.retain(|validity| !self.revoked.contains(&validity.key));
        let before = self.members.get(&member.node);
        if before == Some(&member) {
            return Ok(false);
        }
        if member.keys.len() > KEYS_MAX
            || member.address.len() > ADDRESS_MAX
            || before.is_none() && self.members.len() >= MEMBERS_MAX
        {
            return Err(Unacceptable::TooMuch);
        }
        let is_anothers =
            |validity: &Validity| self.owners.get(&validity.key).is_some_and(|owner| *owner != member.node);
        if member.keys.iter().any(is_anothers) {
            return Err(Unacceptable::Taken);
        }
        self.owners.retain(|_, owner| *owner != member.node);
        self.owners.extend(member.keys.iter().map(|validity| (validity.key, member.node)));
        self.members.insert(member.node, member);
        Ok(true)
    }

    fn revoke(&mut self, key: &PublicKey) -> bool {
        if let Some(member) = self.owners.remove(key).and_then(|owner| self.members.get_mut(&owner)) {
            member.keys.retain(|validity| validity.key != *key);
        }
        self.revoked.insert(*key)
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members()).finish()
    }
}

/// Tells when a roster changes.
#[derive(Debug)]
pub struct Changes(watch::Receiver<State>);

impl Changes {
    /// Returns at the next change, at once if there was one since the last call. Several may be told as one. It may be
    /// dropped and called again without losing anything; it never returns once the roster is gone.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} members, version {}", self.members.len(), self.version)
    }
}

/// Why a roster does not take a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unacceptable {
    /// One of its keys belongs to another node.
    #[error("the key belongs to another node")]
    Taken,
    /// Too many members or keys, or too long an address.
    #[error("at most {MEMBERS_MAX} members with {KEYS_MAX} keys and an address of {ADDRESS_MAX} bytes")]
    TooMuch,
}

/// Seconds since 1970, as the system's clock has it.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: PublicKey = PublicKey([1; 32]);
    const B: PublicKey = PublicKey([2; 32]);

    fn member(node: u32, keys: &[(PublicKey, Option<u64>)]) -> Member {
        let keys = keys.iter().map(|&(key, until)| Validity { key, until }).collect();
        Member { node: NodeId(node), address: "host:1".into(), votes: node < 2, epoch: 0, keys }
    }

    #[test]
    fn a_key_is_good_until_its_end_or_its_revocation() {
        let roster = Roster::new([member(0, &[(A, Some(1)), (B, Some(u64::MAX))])]).unwrap();
        assert_eq!((roster.node_of(&A), roster.node_of(&B)), (None, Some(NodeId(0))));
        roster.revoke(&B);
        assert_eq!(roster.node_of(&B), None);
        roster.insert(member(0, &[(B, None)])).unwrap();
        assert_eq!(roster.node_of(&B), None, "a revoked key came back");
        assert_eq!(roster.revoked(), [B]);
    }

    #[test]
    fn nobody_takes_the_key_of_another() {
        let roster = Roster::new([member(0, &[(A, None)])]).unwrap();
        assert_eq!(roster.insert(member(1, &[(A, None)])), Err(Unacceptable::Taken));
        assert_eq!(roster.insert(member(0, &[(A, None), (B, None)])), Ok(()));
        assert_eq!(roster.insert(member(0, &[(A, None); 5])), Err(Unacceptable::TooMuch));
    }

    #[test]
    fn the_membership_rises_with_every_change() {
        let roster = Roster::new([member(0, &[(A, None)])]).unwrap();
        let first = roster.membership();
        roster.insert(member(0, &[(A, None)])).unwrap();
        assert_eq!(roster.membership(), first);
        roster.insert(member(70_000, &[(B, None)])).unwrap();
        let second = roster.membership();
        assert!(second.epoch > first.epoch);
        assert_eq!((&*second.voters, &*second.others), (&[NodeId(0)][..], &[NodeId(70_000)][..]));
    }

    #[tokio::test]
    async fn a_lost_key_is_told() {
        let roster = Roster::new([member(0, &[(A, None), (B, None)])]).unwrap();
        let mut changes = roster.changes();
        let waiting = roster.clone();
        let lost = tokio::spawn(async move { waiting.lost(NodeId(0), &A).await });
        roster.revoke(&A);
        lost.await.unwrap();
        changes.next().await;
        roster.lost(NodeId(1), &B).await;
    }
}
