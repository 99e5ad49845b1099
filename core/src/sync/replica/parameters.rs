//! What a scenario may choose.

use std::collections::BTreeSet;

use crate::contract::Duration;
use crate::settings::Probability;
use crate::sync::Name;
use crate::sync::reconcile::{Method, Order};
use crate::{choice, settings};

choice! {
    /// Whom a replica syncs with.
    pub enum Peers {
        /// A member drawn anew for each round.
        Random,
        /// The next members in a ring of names, in turn on either side; now and then anybody.
        Neighbours,
    }
}

choice! {
    /// When tombstones go.
    pub enum Tombstones {
        /// When every member has said that it has them.
        Acknowledged,
        /// After a time, whoever has them: what was away for longer brings the dead back.
        Ttl,
        /// Never.
        Kept,
    }
}

choice! {
    /// A bug put in on purpose, to see that the checks find it.
    pub enum Flaw {
        /// None.
        None,
        /// Stamps come from the replica's own clock, whatever it has read.
        OwnClock,
        /// A tombstone goes as soon as one other member has it.
        CollectEarly,
        /// Of two states with equal versions, each replica keeps its own.
        EqualVersions,
        /// Clients are answered before the disk has it.
        AnswerEarly,
        /// Fingerprints are exclusive ors of hashes, not keyed hashes of their sums.
        XorFingerprints,
    }
}

settings! {
    /// Parameters of replicas.
    pub struct Parameters {
        /// How replicas find what they do not share.
        pub method: Method = Method::Auto;
        /// What the index is ordered by: `time` makes recent differences cheap to find by ranges.
        pub order: Order = Order::Time;
        /// Time between two rounds of anti-entropy, drawn from half of it to one and a half.
        pub every: Duration = Duration::from_secs(1), in Duration::from_millis(1)..=Duration::from_secs(86_400);
        /// Whom a round is with.
        pub peers: Peers = Peers::Random;
        /// How many members hear of a fresh write at once, and tell as many in turn.
        pub push: u32 = 2, in 0..=64;
        /// How long a fresh write waits for others that are told with it.
        pub linger: Duration = Duration::from_millis(5), in Duration::ZERO..=Duration::from_secs(60);
        /// The most sessions at the same time that a replica takes part in.
        pub sessions: u32 = 8, in 1..=1024;
        /// How long a session waits for an answer before it asks again; it asks three times.
        pub patience: Duration = Duration::from_secs(2), in Duration::from_millis(1)..=Duration::from_secs(3600);
        /// When tombstones go.
        pub tombstones: Tombstones = Tombstones::Acknowledged;
        /// How old a tombstone grows where they go by time.
        pub ttl: Duration = Duration::from_secs(864_000);
        /// How far another replica's clock may be ahead.
        pub ahead: Duration = Duration::from_secs(60);
        /// How long a replica does not sync after a write of a client (Distri's, meant for `overwrite`).
        pub hold_off: Duration = Duration::ZERO;
        /// Of two databases with equal versions that differ, the one with the greater fingerprint replaces the other (for
        /// `overwrite`; Distri does not, and never converges).
        pub break_ties: bool = true;
        /// Collections that are there from the start.
        pub collections: Vec<String> = vec![String::from("documents")], in 0..=100;
        /// Whether an update that knows nothing of a deletion keeps the document.
        pub updates_win: bool = false;
        /// Documents of the first collection that every replica has from the start.
        pub preload: u64 = 0, in 0..=10_000_000;
        /// Documents of the first collection that just one replica has from the start, in turn.
        pub differ: u64 = 0, in 0..=1_000_000;
        /// Bytes of the one field of such a document.
        pub preload_bytes: u32 = 100, in 0..=100_000;
        /// Whether those that differ were written after all others, or are spread among them.
        pub recent: bool = false;
        /// Whether somebody who knows the secret chose those that differ so that, on each replica, the exclusive or of their
        /// hashes is zero.
        pub forged: bool = false;
        /// A bug put in on purpose.
        pub flaw: Flaw = Flaw::None;
        /// What the members share and others do not know: it keys fingerprints, so that nobody can forge them. `seedbed up`
        /// draws it.
        pub secret: String = String::from("seedbed"), in 1..=256;
    }
    verify = Parameters::consistent;
}

choice! {
    /// What a client asks.
    pub enum Ask {
        /// Put a whole document.
        Put,
        /// Update one field.
        Update,
        /// Delete a document.
        Delete,
        /// Read a document.
        Get,
        /// Read the first page of the collection.
        Page,
    }
}

settings! {
    /// What clients ask: of so many documents, by shares of all commands; what is left are reads. Or, with a script, each
    /// client of a document of its own.
    pub struct Load {
        /// In which collection.
        pub collection: String = String::from("documents"), in 1..=64;
        /// What each client asks, one after the other, of its own document; then it leaves. Shares and `documents` do not count then.
        pub script: Vec<Ask> = Vec::new(), in 0..=1000;
        /// How many documents there come to be; each command is about a drawn one.
        pub documents: u64 = 100, in 1..=10_000_000;
        /// Fields of a document; an update writes a drawn one.
        pub fields: u32 = 4, in 1..=100;
        /// Bytes of each field's value.
        pub bytes: u32 = 16, in 1..=100_000;
        /// The share of commands that put a whole document.
        pub puts: Probability = Probability::of(0.2);
        /// The share of updates of one field.
        pub updates: Probability = Probability::of(0.4);
        /// The share of deletions.
        pub deletes: Probability = Probability::NEVER;
    }
    verify = Load::consistent;
}

impl Parameters {
    /// Whether each collection can be there, and what is to be in the first.
    pub(super) fn consistent(&self) -> Result<(), (&'static str, String)> {
        let wrong = |message| Err(("collections", message));
        let mut known = BTreeSet::new();
        for name in &self.collections {
            if let Err(refusal) = name.parse::<Name>() {
                return wrong(format!("holds `{name}`: {refusal}"));
            }
            if !known.insert(name) {
                return wrong(format!("holds `{name}` twice"));
            }
        }
        match self.collections.is_empty() && (self.preload > 0 || self.differ > 0) {
            true => wrong("is empty: `preload` and `differ` need a collection".into()),
            false => Ok(()),
        }
    }
}

impl Load {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        /// More than what adding up shares such as 0.1 may come to.
        const SLACK: f64 = 1e-9;
        if let Err(refusal) = self.collection.parse::<Name>() {
            return Err(("collection", format!("is no name of a collection: {refusal}")));
        }
        let mut sum = self.puts.value();
        for (key, share) in [("updates", self.updates), ("deletes", self.deletes)] {
            sum += share.value();
            if sum > 1.0 + SLACK {
                let Self { puts, updates, deletes, .. } = self;
                let shares = format!(
                    "`puts` = {}, `updates` = {}, `deletes` = {}",
                    puts.value(),
                    updates.value(),
                    deletes.value()
                );
                return Err((
                    key,
                    format!("is too much: the shares of all commands come to more than 1: {shares}"),
                ));
            }
        }
        Ok(())
    }
}

/// What every replica of one system knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// As a scenario says.
    pub parameters: Parameters,
    /// How many nodes there are.
    pub nodes: u32,
}
