//! Watches replicas from outside: what was acknowledged, what is lost, when all agree.

use std::collections::{BTreeMap, BTreeSet};

use super::messages::{Command, Notice, Reply};
use super::{Config, Flaw, Replica};
use crate::contract::{CommandId, Findings, NodeId, Observation, Probe, Time, View};
use crate::sync::reconcile::Outcome;
use crate::sync::store::{Receipt, Store};
use crate::sync::{Deletes, DocumentId, DocumentState, Name, Stamp, VersionVector};

type Seen<'a> = &'a dyn View<Replica>;

/// Receipts that are kept to be checked in the end.
const RECEIPTS_MAX: usize = 200_000;

/// Metrics that count.
const COUNTS: [&str; 15] = [
    "writes",
    "deletions",
    "reads",
    "refused",
    "buried",
    "collected",
    "sessions",
    "given_up",
    "session_bytes",
    "document_bytes",
    "documents_moved",
    "items_touched",
    "refused_from_peers",
    "sent",
    "unchecked",
];

/// A command that is under way, and what its replica had taken in of the document when it came.
#[derive(Clone, Debug)]
struct Asked {
    command: Command,
    seen: VersionVector,
}

/// Watches a system of replicas.
#[derive(Clone, Debug)]
pub struct ReplicaProbe {
    asked: BTreeMap<(NodeId, CommandId), Asked>,
    /// What was acknowledged, to be found in the end.
    receipts: Vec<Receipt>,
    /// What the writers of all writes had seen, deletions included.
    writes: BTreeMap<(DocumentId, Stamp), VersionVector>,
    /// Documents that somebody asked to delete: they may be missing.
    deleting: BTreeSet<(Name, DocumentId)>,
    /// Deletions that were acknowledged, in which life of their collection.
    deleted: BTreeMap<(Name, Stamp, DocumentId), Stamp>,
    /// The latest write of each document that each node's readers have seen.
    read: BTreeMap<(NodeId, Name, DocumentId), Stamp>,
    /// The last write, or change of links or nodes.
    stirred: Time,
    /// Whether all were seen to agree since then.
    is_settled: bool,
    /// When everything was healed, until all agree, and the bytes of sessions since then.
    reuniting: Option<(Time, f64)>,
}

impl Probe<Replica> for ReplicaProbe {
    fn new(_: &Config, _: u32) -> Self {
        Self {
            asked: BTreeMap::new(),
            receipts: Vec::new(),
            writes: BTreeMap::new(),
            deleting: BTreeSet::new(),
            deleted: BTreeMap::new(),
            read: BTreeMap::new(),
            stirred: Time(0),
            is_settled: false,
            reuniting: None,
        }
    }

    fn observe(&mut self, what: Observation<'_, Replica>, view: Seen<'_>, findings: &mut Findings) {
        match what {
            Observation::Command { node, id, command } => {
                if let Command::DeleteDocument { collection, id, .. } = command {
                    self.deleting.insert((collection.clone(), *id));
                }
                let seen = view.state(node).map(|replica| seen(replica.store(), command)).unwrap_or_default();
                self.asked.insert((node, id), Asked { command: command.clone(), seen });
            }
            Observation::Reply { node, id, reply } => {
                if let Some(asked) = self.asked.remove(&(node, id)) {
                    self.answered(node, asked, reply, view, findings);
                }
            }
            Observation::Notice { notice, .. } => {
                noticed(notice, findings);
                if let (Some((_, spent)), Notice::Reconciled { cost, bytes, .. }) =
                    (&mut self.reuniting, notice)
                {
                    *spent += (cost.bytes + bytes) as f64;
                }
                self.look_for_agreement(view, findings);
            }
            Observation::Healed => {
                self.reuniting = Some((view.now(), 0.0));
                self.stir(view);
            }
            Observation::Links | Observation::Up { .. } | Observation::Down { .. } => self.stir(view),
            Observation::Sent { .. } => findings.add("sent", 1.0),
            Observation::End => self.finish(view, findings),
        }
    }

    fn holds(&self, condition: &str, view: Seen<'_>) -> bool {
        condition != "converged" || is_converged(view)
    }
}

impl ReplicaProbe {
    fn answered(
        &mut self,
        node: NodeId,
        Asked { command, seen }: Asked,
        reply: &Reply,
        view: Seen<'_>,
        findings: &mut Findings,
    ) {
        match (&command, reply) {
            (
                Command::PutDocument { collection, .. }
                | Command::UpdateDocument { collection, .. }
                | Command::AddDocument { collection, .. },
                Reply::Written { id, stamp, .. },
            ) => {
                findings.add("writes", 1.0);
                self.stir(view);
                let key = (node, collection.clone(), *id);
                let before = self.read.insert(key, *stamp).unwrap_or_default();
                if before >= *stamp {
                    findings.add("buried", 1.0);
                    findings.violation("writes-exceed-reads", view.now(), || {
                        format!("{node} wrote {id} at {stamp} after it had shown {before}")
                    });
                }
                let has_room = self.receipts.len() < RECEIPTS_MAX;
                let receipt = view.state(node).and_then(|replica| receipt(replica, collection, *id, *stamp));
                match receipt.filter(|_| has_room) {
                    Some(receipt) => {
                        self.writes.insert((*id, *stamp), seen);
                        self.receipts.push(receipt);
                    }
                    None => findings.add("unchecked", 1.0),
                }
            }
            (Command::DeleteDocument { collection, id, .. }, Reply::Deleted { stamp, .. }) => {
                findings.add("deletions", 1.0);
                self.stir(view);
                if self.writes.len() < 2 * RECEIPTS_MAX {
                    self.writes.insert((*id, *stamp), seen);
                }
                let life = view
                    .state(node)
                    .and_then(|replica| life_without(replica.store(), collection, *id, *stamp));
                if let Some(life) = life {
                    let latest = self.deleted.entry((collection.clone(), life, *id)).or_default();
                    *latest = (*stamp).max(*latest);
                }
            }
            (Command::GetDocument { collection, id }, Reply::Document(found)) => {
                findings.add("reads", 1.0);
                let key = (node, collection.clone(), *id);
                let before = self.read.insert(key, found.stamp).unwrap_or_default();
                if before > found.stamp {
                    findings.violation("monotone-reads", view.now(), || {
                        format!("{node} showed {id} of {before}, and then of {}", found.stamp)
                    });
                }
            }
            (_, Reply::Refused(_)) => findings.add("refused", 1.0),
            _ => {}
        }
    }

    fn stir(&mut self, view: Seen<'_>) {
        self.stirred = view.now();
        self.is_settled = false;
    }

    fn look_for_agreement(&mut self, view: Seen<'_>, findings: &mut Findings) {
        if self.is_settled || !is_converged(view) {
            return;
        }
        self.is_settled = true;
        findings.sample("settle_ms", view.now().since(self.stirred).as_millis_f64());
        if let Some((healed, spent)) = self.reuniting.take() {
            findings.number("reunion_ms", view.now().since(healed).as_millis_f64());
            findings.number("reunion_bytes", spent);
        }
    }

    /// What every acknowledged write has come to.
    fn finish(&mut self, view: Seen<'_>, findings: &mut Findings) {
        // What never happened happened no time.
        COUNTS.iter().for_each(|count| findings.add(count, 0.0));
        let replicas: Vec<&Replica> = nodes(view).filter_map(|node| view.state(node)).collect();
        let all_up = replicas.len() == view.nodes() as usize;
        let mut lost = 0.0;
        for receipt in &self.receipts {
            let may_be_gone = self.deleting.contains(&(receipt.collection.clone(), receipt.id));
            let is_held =
                replicas.iter().any(|replica| replica.store().holds(receipt).unwrap_or(may_be_gone));
            if !is_held && all_up {
                lost += 1.0;
                findings.violation("nothing-acknowledged-is-lost", view.now(), || {
                    format!("no replica holds the write {} of {}", receipt.stamp, receipt.id)
                });
            }
        }
        findings.number("lost", lost);
        let (superseded, outdated) = self.later(&replicas);
        findings.number("superseded", superseded);
        findings.number("outdated", outdated);
        let converged = is_converged(view);
        findings.number("converged", f64::from(u8::from(converged)));
        let resurrected = if converged { self.resurrected(&replicas, view, findings) } else { 0.0 };
        findings.number("resurrected", resurrected);
        if let Some(replica) = replicas.first() {
            let counts = replica.store().collections().map(|(name, _)| replica.store().count(name.as_str()));
            let (entries, tombstones) = counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
            findings.number("documents", (entries - tombstones) as f64);
            findings.number("tombstones", tombstones as f64);
        }
    }

    /// How many writes lost a path to a write that had not seen them, and how many of the others to one that had.
    fn later(&self, replicas: &[&Replica]) -> (f64, f64) {
        let Some(store) = replicas.first().map(|replica| replica.store()) else { return (0.0, 0.0) };
        let (mut superseded, mut outdated) = (0.0, 0.0);
        let deletions = self.deletions();
        for receipt in &self.receipts {
            // A later write that nobody was told of has seen nothing, for all we know.
            let has_seen = |later: Stamp| {
                self.writes.get(&(receipt.id, later)).is_some_and(|seen| seen.covers(receipt.stamp))
            };
            match self.winners(store, &deletions, receipt).map(has_seen).reduce(|one, other| one && other) {
                Some(true) => outdated += 1.0,
                Some(false) => superseded += 1.0,
                None => {}
            }
        }
        (superseded, outdated)
    }

    /// What stands in the place of each path of a write that shows it no more.
    fn winners<'a>(
        &'a self,
        store: &'a Store,
        deletions: &BTreeMap<(&Name, DocumentId), Stamp>,
        receipt: &'a Receipt,
    ) -> impl Iterator<Item = Stamp> + 'a {
        let Receipt { collection, id, epoch, stamp, paths, .. } = receipt;
        let deletion = deletions.get(&(collection, *id)).copied().unwrap_or_default();
        let state = store.state(collection.as_str(), *id);
        let shown = state.map(|state| state.written_at(*stamp)).unwrap_or_default();
        let lost = paths.iter().filter(move |path| !shown.contains(path));
        lost.map(move |path| {
            let Some(state) = state else { return deletion };
            let later = state.written_last(path);
            match () {
                // A deletion, or what was put after one.
                () if state.epoch() > *epoch => state.epoch(),
                () if !state.is_alive() => deletion,
                // What goes without a later value was seen by whoever took it away.
                () if later < *stamp => self.taker(*id, *stamp),
                () => later,
            }
        })
    }

    /// The latest acknowledged deletion of each document.
    fn deletions(&self) -> BTreeMap<(&Name, DocumentId), Stamp> {
        let mut latest = BTreeMap::<_, Stamp>::new();
        for ((collection, _, id), stamp) in &self.deleted {
            let deletion = latest.entry((collection, *id)).or_default();
            *deletion = (*stamp).max(*deletion);
        }
        latest
    }

    /// Some write of a document that had seen this one.
    fn taker(&self, id: DocumentId, stamp: Stamp) -> Stamp {
        let of =
            self.writes.range((id, Stamp::ZERO)..=(id, Stamp { time: u64::MAX, node: NodeId(u32::MAX) }));
        of.filter(|(_, seen)| seen.covers(stamp)).map(|((_, taker), _)| *taker).next().unwrap_or_default()
    }

    /// Documents that are back although they were deleted, and nobody wrote them anew.
    fn resurrected(&self, replicas: &[&Replica], view: Seen<'_>, findings: &mut Findings) -> f64 {
        let mut count = 0.0;
        let Some(store) = replicas.first().map(|replica| replica.store()) else { return count };
        for ((collection, life, id), stamp) in &self.deleted {
            let schema =
                store.collections().find(|(name, _)| *name == collection).map(|(_, schema)| schema.deletes());
            let is_same = life_without(store, collection, *id, Stamp::ZERO) == Some(*life);
            if schema == Some(Deletes::Win) && is_same && is_from_before(store, collection, *id, *stamp) {
                count += 1.0;
                findings
                    .violation("no-resurrection", view.now(), || format!("{id} is back, deleted at {stamp}"));
            }
        }
        count
    }
}

/// The life of a collection in which a deletion holds; none if its node has gone over to another one meanwhile, where
/// it never was.
fn life_without(store: &Store, name: &Name, id: DocumentId, deleted: Stamp) -> Option<Stamp> {
    let life = store.collection_states().find(|(known, _)| *known == name)?.1.epoch;
    (!is_from_before(store, name, id, deleted)).then_some(life)
}

/// Whether a document is there as it was before it was deleted.
fn is_from_before(store: &Store, name: &Name, id: DocumentId, deleted: Stamp) -> bool {
    let state = store.state(name.as_str(), id);
    state.is_some_and(|state| state.is_alive() && state.epoch() < deleted && state.put_at() < deleted)
}

/// What is to be found in the end of a write that a replica has acknowledged, if it shows it still.
fn receipt(replica: &Replica, name: &Name, id: DocumentId, stamp: Stamp) -> Option<Receipt> {
    let (name, collection) = replica.store().collection_states().find(|(known, _)| *known == name)?;
    let document = replica.store().state(name.as_str(), id)?;
    let (collection, collection_epoch) = (name.clone(), collection.epoch);
    let (epoch, paths) = (document.epoch(), document.written_at(stamp));
    Some(Receipt { collection, collection_epoch, id, epoch, stamp, paths })
}

/// What a store has taken in of the document that a command is about.
fn seen(store: &Store, command: &Command) -> VersionVector {
    let (Command::PutDocument { collection, id, .. }
    | Command::UpdateDocument { collection, id, .. }
    | Command::DeleteDocument { collection, id, .. }) = command
    else {
        return VersionVector::default();
    };
    store.state(collection.as_str(), *id).map(DocumentState::seen).unwrap_or_default()
}

fn noticed(notice: &Notice, findings: &mut Findings) {
    match notice {
        Notice::Reconciled { outcome, cost, documents, bytes, .. } => {
            findings.add("sessions", 1.0);
            findings.add("session_bytes", cost.bytes as f64);
            findings.add("document_bytes", *bytes as f64);
            findings.add("documents_moved", *documents as f64);
            findings.add("items_touched", cost.items as f64);
            if *outcome != Some(Outcome::Equal) {
                findings.sample("sync_bytes", cost.bytes as f64);
                findings.sample("sync_all_bytes", (cost.bytes + bytes) as f64);
                findings.sample("sync_round_trips", cost.round_trips as f64);
            }
            if outcome.is_none() {
                findings.add("given_up", 1.0);
            }
        }
        Notice::Collected { tombstones } => findings.add("collected", *tombstones as f64),
        Notice::Refused { .. } => findings.add("refused_from_peers", 1.0),
    }
}

fn nodes(view: Seen<'_>) -> impl Iterator<Item = NodeId> {
    (0..view.nodes()).map(NodeId)
}

/// Whether all nodes are up and hold the same.
fn is_converged(view: Seen<'_>) -> bool {
    let summary = |replica: &Replica| -> Vec<_> {
        let all = replica.store().collection_states();
        all.map(|(name, state)| (name.clone(), state.clone(), replica.entries(name).map(|set| set.total())))
            .collect()
    };
    let mut all = nodes(view).map(|node| view.state(node));
    let Some(first) = all.next() else { return true };
    let Some(first) = first else { return false };
    let expected = summary(first);
    all.all(|other| other.is_some_and(|other| summary(other) == expected && is_same(first, other)))
}

/// Whether two replicas whose fingerprints are equal hold the same: what fingerprints are worth is not asked of them.
fn is_same(one: &Replica, other: &Replica) -> bool {
    one.config.parameters.flaw != Flaw::XorFingerprints
        || one
            .store()
            .collections()
            .all(|(name, _)| one.store().entries(name.as_str()).eq(other.store().entries(name.as_str())))
}
