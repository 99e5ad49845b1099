//! What a scenario may choose.

use serde::{Deserialize, Serialize};

use crate::contract::{Duration, NodeId};
use crate::settings::Bytes;
use crate::{choice, settings};

settings! {
    /// Parameters of servers and clients; as given, those of the original. What the original does not tell is said so.
    pub struct Parameters {
        /// How many requests a server works on at the same time; reads do not count.
        pub workers: u32 = 4, in 1..=1000;
        /// How long whoever waits for a packet waits, and the greatest age of a request that is still taken.
        pub timeout: Duration = Duration::from_secs(15), in SHORTEST..=LONGEST;
        /// How often a chunk is sent before its sender gives up.
        pub attempts: u32 = 5, in 1..=1000;
        /// The bytes of a chunk, its number aside.
        pub chunk: Bytes = Bytes(1024), in Bytes(1)..=Bytes(65_000);
        /// How long a read waits for a filter, which clients of this workload never send.
        pub filter_wait: Duration = Duration::from_secs(1), in SHORTEST..=LONGEST;
        /// For how long a server does not sync after a sync.
        pub hold_off: Duration = Duration::from_secs(1), in SHORTEST..=LONGEST;
        /// The length of a document as JSON. Not told; that of the original's example, with its UUID.
        pub document: Bytes = Bytes(235), in Bytes(1)..=Bytes(1 << 20);
        /// How long a datagram keeps the processor of its receiver busy, and a request that of its
        /// client, for each server. Not told: calibrated.
        pub service: Duration = Duration::from_micros(5), in Duration::from_nanos(1)..=Duration::from_secs(1);
        /// How long it keeps the processor of a server busy to write one document as JSON, or to read it: for each document of a
        /// read, and of a state told or learnt. Not told: calibrated.
        pub per_document: Duration = Duration::from_nanos(1_250), in Duration::ZERO..=Duration::from_secs(1);
        /// How many datagrams wait at a server's public socket before more are lost. Not told: calibrated.
        pub buffer: u32 = 700, in 1..=1_000_000;
        /// Who answers a request.
        pub election: Election = Election::Everyone;
        /// Flaw: a state with a strictly higher version replaces one's own, with all that is only there. Off: they are
        /// joined document by document.
        pub overwrite: bool = true;
        /// Flaw: versions count changes, and states of equal versions pass for equal. Off: of two such states the one
        /// with the greater digest counts as the newer.
        pub equal_versions: bool = true;
        /// Flaw: no request is taken while a sync is under way. Off: a sync disturbs nobody.
        pub sync_blocks: bool = true;
        /// Flaw: the newest request is taken first. Off: the oldest.
        pub newest_first: bool = true;
        /// Flaw: a server whose OK came too late waits in vain for data, and one of its workers with it. Off: the client
        /// tells it.
        pub losers_wait: bool = true;
        /// Flaw: any packet but the awaited acknowledgement uses up one attempt at once. Off: it is ignored.
        pub wrong_packets_count: bool = true;
        /// Flaw: clients update their documents without naming them. The server refuses, and the client takes that for success.
        pub nameless_updates: bool = true;
        /// Flaw: who receives takes chunks from whoever sends them. Off: from its peer only.
        pub any_sender: bool = true;
    }
}

const SHORTEST: Duration = Duration::from_nanos(1);
const LONGEST: Duration = Duration::from_secs(86_400);

choice! {
    /// What a client may ask for.
    #[derive(Deserialize, Serialize)]
    pub enum Service {
        /// Add a document to the collection.
        AddDoc,
        /// Read the whole collection.
        Read,
        /// Replace a document, or add it if it is not there.
        Update,
    }
}

settings! {
    /// What clients ask.
    pub struct Load {
        /// What each client asks, one after the other. Then it leaves.
        pub script: Vec<Service> = vec![Service::AddDoc, Service::Read, Service::Update, Service::Read], in 1..=1000;
    }
}

choice! {
    /// Who answers a request.
    pub enum Election {
        /// Flaw: every server, because what others tell of themselves is not remembered.
        Everyone,
        /// Who knows of no higher version than its own: the rule that was meant for the database.
        Version,
        /// Who has the lowest load (requests completed less requests taken), ties to the lower id: the rule for other services.
        Load,
    }
}

/// What every node of one system knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// As a scenario says.
    pub parameters: Parameters,
    /// How many nodes there are: servers, and the machine of the clients.
    pub nodes: u32,
}

impl Config {
    /// The servers.
    pub fn servers(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.saturating_sub(1)).map(NodeId)
    }

    /// The machine on which all clients run: the last node.
    #[must_use]
    pub fn clients(&self) -> NodeId {
        NodeId(self.nodes.saturating_sub(1))
    }
}
