//! What a run of the store comes to.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Chunks, Command, Config, File, GATEWAY, Gateway, Notice, Placed, Refusal, Reply, Storage, blobs, digest,
};
use crate::contract::{BlobId, CommandId, Findings, NodeId, Observation, Probe, Time, View};

/// Measures availability, loss and detection, by looking at what no node can see: all of them at once.
#[derive(Clone, Debug)]
pub struct ChunksProbe {
    uneven_split: bool,
    asked: BTreeMap<CommandId, Command>,
    /// Digests of the files that were stored.
    digests: BTreeMap<String, BlobId>,
    /// Since when each node has been down, unless it is marked offline already.
    down: BTreeMap<NodeId, Time>,
    lost: BTreeSet<(NodeId, BlobId)>,
    samples: Samples,
}

/// What downloads found on arrival. Clients that come at random see time averages.
#[derive(Clone, Debug, Default)]
struct Samples {
    whole: u64,
    nodes_up: u64,
    nodes: u64,
    /// How many files lay on so many nodes.
    spread: BTreeMap<usize, u64>,
}

type Seen<'a> = &'a dyn View<Chunks>;

impl Probe<Chunks> for ChunksProbe {
    fn new(config: &Config, _nodes: u32) -> Self {
        Self {
            uneven_split: config.parameters.uneven_split,
            asked: BTreeMap::new(),
            digests: BTreeMap::new(),
            down: BTreeMap::new(),
            lost: BTreeSet::new(),
            samples: Samples::default(),
        }
    }

    fn observe(&mut self, what: Observation<'_, Chunks>, view: Seen<'_>, findings: &mut Findings) {
        match what {
            Observation::Command { node: GATEWAY, id, command } => {
                if let Command::Download { name } = command {
                    self.samples.take(name, view);
                }
                self.asked.insert(id, command.clone());
            }
            Observation::Reply { node: GATEWAY, id, reply } => {
                if let Some(command) = self.asked.remove(&id) {
                    self.answered(&command, reply, view.now(), findings);
                }
            }
            Observation::Down { node } => {
                self.down.insert(node, view.now());
            }
            Observation::Up { node, .. } => {
                self.down.remove(&node);
            }
            Observation::Notice { node, notice } => self.noticed(node, notice, view, findings),
            Observation::End => self.finish(view, findings),
            _ => {}
        }
    }

    fn holds(&self, condition: &str, view: Seen<'_>) -> bool {
        condition != "all-files-whole"
            || gateway(view).is_some_and(|gateway| {
                gateway.catalogue().files().all(|(_, filed)| is_whole(&filed.file, view))
            })
    }
}

impl ChunksProbe {
    fn answered(&mut self, command: &Command, reply: &Reply, now: Time, findings: &mut Findings) {
        match (command, reply) {
            (Command::Upload { name, seed, length }, Reply::Uploaded { .. }) => {
                findings.add("uploads", 1.0);
                let digest = digest(&blobs(*seed, *length, self.uneven_split));
                self.digests.insert(name.clone(), digest);
            }
            (Command::Upload { .. }, Reply::Refused(_)) => findings.add("upload_failed", 1.0),
            (Command::Download { name }, Reply::Downloaded { digest, .. }) => {
                findings.add("downloads", 1.0);
                // A file whose upload was never confirmed may be there all the same.
                if self.digests.get(name).is_some_and(|stored| stored != digest) {
                    findings
                        .violation("downloads-are-right", now, || format!("{name} came back as {digest:?}"));
                }
            }
            (Command::Download { .. }, Reply::Refused(Refusal::NotFound)) => {}
            (Command::Download { .. }, Reply::Refused(_)) => findings.add("download_failed", 1.0),
            _ => {}
        }
    }

    fn noticed(&mut self, node: NodeId, notice: &Notice, view: Seen<'_>, findings: &mut Findings) {
        match notice {
            Notice::Offline { node, silence } => {
                findings.sample("silence_ms", silence.as_millis_f64());
                if let Some(down) = self.down.remove(node) {
                    findings.sample("detection_ms", view.now().since(down).as_millis_f64());
                }
            }
            Notice::Started { .. } => self.look_for_losses(Some(node), view, findings),
            Notice::Ignored { .. } => findings.add("ignored", 1.0),
            Notice::Online { .. } => {}
        }
    }

    /// Compares what the gateway believes with what nodes have: one of them, or all that are up.
    fn look_for_losses(&mut self, only: Option<NodeId>, view: Seen<'_>, findings: &mut Findings) {
        let Some(gateway) = gateway(view) else { return };
        let mut losses: BTreeMap<NodeId, u64> = BTreeMap::new();
        for Placed { node, id, .. } in
            placed(gateway).filter(|placed| only.is_none_or(|node| node == placed.node))
        {
            let lost = storage(view, *node).is_some_and(|storage| !storage.has(*id));
            if lost && self.lost.insert((*node, *id)) {
                *losses.entry(*node).or_default() += 1;
            }
        }
        for (node, count) in losses {
            findings.add("silent_losses", count as f64);
            findings.violation("no-silent-loss", view.now(), || {
                format!("{node} no longer has {count} chunks that the gateway counts on")
            });
        }
    }

    fn finish(&mut self, view: Seen<'_>, findings: &mut Findings) {
        self.look_for_losses(None, view, findings);
        let counts = ["uploads", "upload_failed", "downloads", "download_failed", "silent_losses", "ignored"];
        counts.into_iter().for_each(|metric| findings.add(metric, 0.0));
        if let Some(gateway) = gateway(view) {
            findings.number("orphans", orphans(gateway, view) as f64);
        }
        self.samples.finish(findings);
    }
}

impl Samples {
    fn take(&mut self, name: &str, view: Seen<'_>) {
        let Some(filed) = gateway(view).and_then(|gateway| gateway.catalogue().file(name)) else { return };
        let file = &filed.file;
        self.whole += u64::from(is_whole(file, view));
        let storage = 1..view.nodes();
        self.nodes += storage.len() as u64;
        self.nodes_up += storage.filter(|&node| view.is_up(NodeId(node))).count() as u64;
        let spread = file.chunks.iter().map(|placed| placed.node).collect::<BTreeSet<_>>().len();
        *self.spread.entry(spread).or_default() += 1;
    }

    fn finish(&self, findings: &mut Findings) {
        let taken: u64 = self.spread.values().sum();
        if taken == 0 {
            return;
        }
        let p = self.nodes_up as f64 / self.nodes as f64;
        let there =
            |(&nodes, &count): (&usize, &u64)| (0..nodes).fold(count as f64, |product, _| product * p);
        findings.number("available", self.whole as f64 / taken as f64);
        findings.number("node_availability", p);
        findings.number("availability_formula", self.spread.iter().map(there).sum::<f64>() / taken as f64);
    }
}

fn gateway<'a>(view: Seen<'a>) -> Option<&'a Gateway> {
    view.state(GATEWAY)?.gateway()
}

fn storage<'a>(view: Seen<'a>, node: NodeId) -> Option<&'a Storage> {
    view.state(node)?.storage()
}

fn placed(gateway: &Gateway) -> impl Iterator<Item = &Placed> {
    gateway.catalogue().files().flat_map(|(_, filed)| &filed.file.chunks)
}

/// Whether every chunk is on its node, which is up.
fn is_whole(file: &File, view: Seen<'_>) -> bool {
    file.chunks.iter().all(|placed| storage(view, placed.node).is_some_and(|storage| storage.has(placed.id)))
}

/// Chunks on nodes that are up, of no file and of no upload on its way.
fn orphans(gateway: &Gateway, view: Seen<'_>) -> usize {
    let wanted: BTreeSet<_> = placed(gateway).map(|placed| (placed.node, placed.id)).collect();
    let nodes = (1..view.nodes()).map(NodeId).filter_map(|node| Some((node, storage(view, node)?)));
    let held = nodes.flat_map(|(node, storage)| storage.chunks().map(move |id| (node, id)));
    held.filter(|&(node, id)| !wanted.contains(&(node, id)) && !gateway.awaits(node, id)).count()
}
