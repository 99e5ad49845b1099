//! What the gateway knows: which files there are, where their chunks lie, and who is online.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::Record;
use super::split::place;
use crate::contract::{BlobId, CommandId, Machine, NodeId, Time};

/// The gateway's memory as a deterministic machine: equal logs make equal catalogues.
///
/// A file is entered once, when all its chunks are stored: before that nothing here knows of it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Catalogue {
    files: BTreeMap<String, Filed>,
    nodes: BTreeMap<NodeId, Status>,
}

/// A file and where it is.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct File {
    /// In bytes.
    pub length: u64,
    /// Of the whole: see [`digest`](super::digest).
    pub digest: BlobId,
    /// Its chunks, in order.
    pub chunks: Vec<Placed>,
}

/// A chunk and the one node that has it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Placed {
    /// Who has it.
    pub node: NodeId,
    /// Its content address.
    pub id: BlobId,
    /// In bytes.
    pub length: u64,
}

/// A file as entered.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Filed {
    /// The file.
    pub file: File,
    /// When it was entered.
    pub at: Time,
    /// The command that brought it.
    pub by: CommandId,
}

/// Whether a node is online, and since when.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
struct Status {
    online: bool,
    since: Time,
}

/// A change.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Entry {
    /// A node was heard.
    Joined {
        /// Which one.
        node: NodeId,
    },
    /// A node has been silent for too long.
    Left {
        /// Which one.
        node: NodeId,
    },
    /// A file is complete.
    Filed {
        /// Its name.
        name: String,
        /// Where it is.
        file: File,
        /// The command that brought it.
        by: CommandId,
    },
}

/// What the gateway is to do about a change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Tell that a node is online.
    Online(NodeId),
    /// Tell that a node is offline.
    Offline(NodeId),
    /// Confirm an upload of that many chunks.
    Confirm(CommandId, u32),
    /// Refuse an upload: another file got the name first.
    Clash(CommandId),
}

impl Machine for Catalogue {
    type Entry = Entry;
    type Output = Output;

    fn apply(&mut self, at: Time, entry: &Entry) -> Vec<Output> {
        match entry {
            Entry::Joined { node } => self.mark(*node, true, at).then_some(Output::Online(*node)),
            Entry::Left { node } => self.mark(*node, false, at).then_some(Output::Offline(*node)),
            Entry::Filed { name, by, .. } if self.files.contains_key(name) => Some(Output::Clash(*by)),
            Entry::Filed { name, file, by } => {
                self.files.insert(name.clone(), Filed { file: file.clone(), at, by: *by });
                Some(Output::Confirm(*by, file.chunks.len() as u32))
            }
        }
        .into_iter()
        .collect()
    }
}

impl Catalogue {
    /// True if that is news.
    fn mark(&mut self, node: NodeId, online: bool, since: Time) -> bool {
        let news = self.is_online(node) != online;
        if news || !self.nodes.contains_key(&node) {
            self.nodes.insert(node, Status { online, since });
        }
        news
    }

    /// Whether a node counts as online.
    #[must_use]
    pub fn is_online(&self, node: NodeId) -> bool {
        self.nodes.get(&node).is_some_and(|status| status.online)
    }

    /// Every node heard so far and whether it counts as online, in order.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (NodeId, bool)> + '_ {
        self.nodes.iter().map(|(&node, status)| (node, status.online))
    }

    /// The nodes for `count` chunks; none if nobody is online.
    pub(super) fn place(&self, count: usize, first_nodes_first: bool) -> Option<Vec<NodeId>> {
        let online: Vec<_> = self.nodes().filter_map(|(node, online)| online.then_some(node)).collect();
        let first = if first_nodes_first { 0 } else { self.files.len() };
        place(&online, first, count)
    }

    /// A file, if it is complete.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&Filed> {
        self.files.get(name)
    }

    /// All files, by name.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&str, &Filed)> {
        self.files.iter().map(|(name, filed)| (name.as_str(), filed))
    }

    /// The names after `name`, in order.
    pub(super) fn names_after(&self, name: &str) -> impl Iterator<Item = &String> {
        self.files.range::<str, _>((Bound::Excluded(name), Bound::Unbounded)).map(|(name, _)| name)
    }

    /// How many files there are.
    pub(super) fn file_count(&self) -> usize {
        self.files.len()
    }

    /// Takes back a file whose entry never reached the disk.
    pub(super) fn forget(&mut self, name: &str) {
        self.files.remove(name);
    }

    /// The shortest log that makes this catalogue. Nodes come first.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let nodes = self.nodes.iter().map(|(&node, status)| {
            let entry = if status.online { Entry::Joined { node } } else { Entry::Left { node } };
            Record::Entry { at: status.since, entry }
        });
        let files = self.files.iter().map(|(name, Filed { file, at, by })| {
            let entry = Entry::Filed { name: name.clone(), file: file.clone(), by: *by };
            Record::Entry { at: *at, entry }
        });
        nodes.chain(files).collect()
    }

    /// How many records [`records`](Self::records) gives.
    pub(super) fn record_count(&self) -> usize {
        self.nodes.len() + self.files.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = Entry> {
        let node = (0..4u32).prop_map(NodeId);
        let file = (0..3u64, 0..3u32).prop_map(|(length, count)| {
            let placed = Placed { node: NodeId(count), id: BlobId([count as u8; 32]), length };
            File { length, digest: BlobId([0; 32]), chunks: vec![placed; count as usize] }
        });
        prop_oneof![
            node.clone().prop_map(|node| Entry::Joined { node }),
            node.prop_map(|node| Entry::Left { node }),
            ("[a-c]{1,2}", file, any::<u64>()).prop_map(|(name, file, by)| Entry::Filed {
                name,
                file,
                by: CommandId(by)
            }),
        ]
    }

    fn replay(records: &[Record]) -> Catalogue {
        let mut catalogue = Catalogue::default();
        for record in records {
            let Record::Entry { at, entry } = record else { panic!("{record:?}") };
            catalogue.apply(*at, entry);
        }
        catalogue
    }

    proptest! {
        #[test]
        fn two_machines_fed_one_log_are_equal(log in proptest::collection::vec((any::<u64>(), entry()), 0..40)) {
            let (mut one, mut other) = (Catalogue::default(), Catalogue::default());
            for (at, entry) in &log {
                prop_assert_eq!(one.apply(Time(*at), entry), other.apply(Time(*at), entry));
            }
            prop_assert_eq!(&one, &other);
            prop_assert_eq!(one.records().len(), one.record_count());
            prop_assert_eq!(replay(&one.records()), one);
        }
    }

    #[test]
    fn the_first_file_of_a_name_stays() {
        let mut catalogue = Catalogue::default();
        let file = |length| File { length, digest: BlobId([0; 32]), chunks: Vec::new() };
        let filed = |length, by| Entry::Filed { name: "a".into(), file: file(length), by: CommandId(by) };
        assert_eq!(catalogue.apply(Time(1), &filed(1, 7)), [Output::Confirm(CommandId(7), 0)]);
        assert_eq!(catalogue.apply(Time(2), &filed(2, 8)), [Output::Clash(CommandId(8))]);
        assert_eq!(catalogue.file("a").map(|filed| (filed.file.length, filed.at)), Some((1, Time(1))));
    }

    #[test]
    fn only_news_of_a_node_has_an_output() {
        let mut catalogue = Catalogue::default();
        let (joined, left) = (Entry::Joined { node: NodeId(1) }, Entry::Left { node: NodeId(1) });
        assert_eq!(catalogue.apply(Time(1), &left), []);
        assert_eq!(catalogue.apply(Time(2), &joined), [Output::Online(NodeId(1))]);
        assert_eq!(catalogue.apply(Time(3), &joined), []);
        assert_eq!(catalogue.apply(Time(4), &left), [Output::Offline(NodeId(1))]);
    }
}
