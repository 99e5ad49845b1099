//! What a scenario may choose.

use crate::contract::Duration;
use crate::settings;
use crate::settings::{Bytes, Probability, Rate};

settings! {
    /// Parameters of gateway and storage nodes; as given, those of the original.
    pub struct Parameters {
        /// Time between two heartbeats of a storage node.
        pub heartbeat: Duration = Duration::from_secs(30), in Duration::from_millis(1)..=Duration::from_secs(86_400);
        /// Time between two looks of the gateway at who is silent.
        pub monitor: Duration = Duration::from_secs(30), in Duration::from_millis(1)..=Duration::from_secs(86_400);
        /// A node silent for longer than this is marked offline.
        pub offline_after: Duration = Duration::from_secs(60);
        /// When the gateway gives up an upload or download.
        pub request_timeout: Duration = Duration::from_secs(10), in Duration::from_millis(1)..=Duration::from_secs(86_400);
        /// The longest file.
        pub file_max: Bytes = Bytes(1 << 40), in Bytes(1)..=Bytes(1 << 50);
        /// How fast a node of speed one hashes (BLAKE3, one thread, measured: 7.4 GB/s).
        pub hash_rate: Rate = Rate(59_200_000_000), in Rate(1_000)..=Rate::MAX;
        /// Flaw: a restarting storage node clears its directory.
        pub wipe_on_restart: bool = true;
        /// Flaw: the step of the split is a third rounded down, so most files have a tiny fourth chunk.
        pub uneven_split: bool = true;
        /// Flaw: each file starts at the first node online, so the others stay empty.
        pub first_nodes_first: bool = true;
        /// Flaw: the chunks of a failed upload stay where they are.
        pub leave_orphans: bool = true;
    }
}

settings! {
    /// What clients ask: first some uploads, then a mix.
    pub struct Load {
        /// How many files are uploaded before the first download.
        pub files: u64 = 20, in 1..=1_000_000;
        /// The share of further uploads among what follows; the rest are downloads of the first files.
        pub uploads: Probability = Probability::NEVER;
        /// Lengths of files, taken in turn.
        pub sizes: Vec<Bytes> = vec![Bytes(3_000_000)], in 1..=1000;
    }
}

impl Default for Config {
    fn default() -> Self {
        Self { parameters: Parameters::default(), nodes: 5 }
    }
}

/// What every node of one system knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// As a scenario says.
    pub parameters: Parameters,
    /// How many nodes there are, the gateway included.
    pub nodes: u32,
}
