//! Watches replicas from outside: what was acknowledged, what is lost, when all agree.

use std::collections::{BTreeMap, BTreeSet};

use super::messages::{Command, Notice, Reply};
use super::{Config, Flaw, Replica};
use crate::contract::{CommandId, Findings, NodeId, Observation, Probe, Time, View};
use crate::sync::reconcile::Outcome;
use crate::sync::store::Receipt;
use crate::sync::{Deletes, DocumentId, Name, Stamp};

type Seen<'a> = &'a dyn View<Replica>;

/// Receipts that are kept to be checked in the end.
const RECEIPTS_MAX: usize = 200_000;

/// Metrics that count.
const COUNTS: [&str; 14] = [
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
];

/// Watches a system of replicas.
#[derive(Clone, Debug)]
pub struct ReplicaProbe {
    asked: BTreeMap<(NodeId, CommandId), Command>,
    /// What was acknowledged, to be found in the end.
    receipts: Vec<Receipt>,
    /// Documents that somebody asked to delete: they may be missing.
    deleting: BTreeSet<(Name, DocumentId)>,
    /// Deletions that were acknowledged.
    deleted: BTreeMap<(Name, DocumentId), Stamp>,
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
                self.asked.insert((node, id), command.clone());
            }
            Observation::Reply { node, id, reply } => {
                if let Some(command) = self.asked.remove(&(node, id)) {
                    self.answered(node, &command, reply, view, findings);
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
        command: &Command,
        reply: &Reply,
        view: Seen<'_>,
        findings: &mut Findings,
    ) {
        match (command, reply) {
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
                let receipt = view.state(node).and_then(|replica| {
                    let (name, state) =
                        replica.store().collection_states().find(|(name, _)| *name == collection)?;
                    let document = replica.store().state(collection.as_str(), *id)?;
                    let paths = document.written_at(*stamp);
                    let (name, collection_epoch, epoch) = (name.clone(), state.epoch, document.epoch());
                    Some(Receipt { collection: name, collection_epoch, id: *id, epoch, stamp: *stamp, paths })
                });
                self.receipts.extend(receipt.filter(|_| self.receipts.len() < RECEIPTS_MAX));
            }
            (Command::DeleteDocument { collection, id, .. }, Reply::Deleted { stamp, .. }) => {
                findings.add("deletions", 1.0);
                self.stir(view);
                let latest = self.deleted.entry((collection.clone(), *id)).or_default();
                *latest = (*stamp).max(*latest);
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
        let superseded = self.receipts.iter().filter(|receipt| is_superseded(&replicas, receipt)).count();
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
        findings.number("superseded", superseded as f64);
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

    /// Documents that are back although they were deleted, and nobody wrote them anew.
    fn resurrected(&self, replicas: &[&Replica], view: Seen<'_>, findings: &mut Findings) -> f64 {
        let mut count = 0.0;
        let Some(store) = replicas.first().map(|replica| replica.store()) else { return count };
        for ((collection, id), stamp) in &self.deleted {
            let schema =
                store.collections().find(|(name, _)| *name == collection).map(|(_, schema)| schema.deletes());
            let Some(state) = store.state(collection.as_str(), *id) else { continue };
            if schema == Some(Deletes::Win)
                && state.is_alive()
                && state.epoch() < *stamp
                && state.put_at() < *stamp
            {
                count += 1.0;
                findings
                    .violation("no-resurrection", view.now(), || format!("{id} is back, deleted at {stamp}"));
            }
        }
        count
    }
}

/// Whether some path that a write wrote shows a later one, or the document is gone or begun anew.
fn is_superseded(replicas: &[&Replica], receipt: &Receipt) -> bool {
    let Some(replica) = replicas.first() else { return false };
    let state = replica.store().state(receipt.collection.as_str(), receipt.id);
    let shown = state.map(|state| state.written_at(receipt.stamp)).unwrap_or_default();
    receipt.paths.iter().any(|path| !shown.contains(path))
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
