//! A node as its door shows it: what is seen of it from outside, put together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use seedbed_core::contract::Subject;
use seedbed_transport::door::events::{EventLog, Observed};
use seedbed_transport::door::{
    BoxFuture, Cut, DiskStatus, Failure, Faults, Figure, LinkStatus, Node, Status, Way,
};
use seedbed_transport::host::{CommandError, Handle};
use seedbed_transport::link::weather::{Cuts, Way as LinkWay};
use seedbed_transport::link::{Counters, Peers};
use serde_json::Value;

use super::NodeFile;

/// The events that a status shows.
const EVENTS_SHOWN: usize = 20;

/// A node, seen from its door.
pub(super) struct Face<P: Subject> {
    pub(super) file: NodeFile,
    pub(super) handle: Handle<P>,
    pub(super) observed: Observed,
    pub(super) events: EventLog,
    pub(super) peers: Peers,
    pub(super) link: Arc<Counters>,
    /// None where faults are not asked for.
    pub(super) cuts: Option<Cuts>,
}

impl<P: Subject> fmt::Debug for Face<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Face").field("node", &*self.file.node).finish_non_exhaustive()
    }
}

impl<P: Subject> Node for Face<P> {
    fn status(&self) -> Status {
        let sight = self.observed.sight();
        let link = |peer| LinkStatus { peer, up: self.peers.is_connected(peer), lanes: BTreeMap::new() };
        Status {
            node: seedbed_core::contract::NodeId(*self.file.node),
            name: self.file.name.clone().unwrap_or_else(|| format!("n{}", *self.file.node)),
            cluster: self.file.cluster.value.clone(),
            protocol: self.file.protocol.value.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            up: sight.up,
            life: sight.life,
            since: sight.since.map(|(since, _)| humantime::format_rfc3339_millis(since).to_string()),
            uptime_ns: u64::try_from(self.observed.uptime().as_nanos()).unwrap_or(u64::MAX),
            steps: sight.steps,
            role: sight.role.into(),
            facts: sight.facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            members: sight.members,
            links: self.peers.nodes().into_iter().map(link).collect(),
            disk: DiskStatus {
                recovered: sight.recovered,
                written: sight.written,
                checkpoints: sight.checkpoints,
            },
            events: self.events.last(EVENTS_SHOWN),
        }
    }

    fn is_ready(&self) -> bool {
        self.observed.is_up()
    }

    fn events(&self) -> &EventLog {
        &self.events
    }

    fn figures(&self) -> Vec<Figure> {
        const NODE: &str = "What the node has done in this life, by name.";
        const LINK: &str = "What the node's link has counted, by name.";
        let node = self.handle.counters();
        let node =
            node.each().map(|(name, value)| Figure::counter("seedbed_node", NODE, value).with("what", name));
        let link = self.link.all();
        let link = link
            .map(|(count, value)| Figure::counter("seedbed_link", LINK, value).with("what", count.name()));
        let up = Figure::gauge("seedbed_up", "Whether the node is up.", f64::from(u8::from(self.is_ready())));
        let connected = self.peers.nodes().into_iter().map(|peer| {
            let is_up = f64::from(u8::from(self.peers.is_connected(peer)));
            Figure::gauge("seedbed_peer_up", "Whether a peer is connected.", is_up)
                .with("peer", peer.to_string())
        });
        node.into_iter().chain(link).chain([up]).chain(connected).collect()
    }

    fn command(&self, command: Value) -> BoxFuture<'_, Result<Value, Failure>> {
        Box::pin(async move {
            let unreadable = |error: serde_json::Error| Failure::Unreadable(error.to_string());
            let command: P::Command = serde_json::from_value(command).map_err(unreadable)?;
            match self.handle.command(command).await {
                Ok(reply) => serde_json::to_value(reply).map_err(unreadable),
                Err(CommandError::TimedOut) => Err(Failure::TimedOut),
                Err(CommandError::Ended) => Err(Failure::Down),
            }
        })
    }

    fn has_faults(&self) -> bool {
        self.cuts.is_some()
    }

    fn faults(&self, faults: &Faults) -> Result<Vec<Cut>, Failure> {
        let cuts = self.cuts.as_ref().ok_or(Failure::NotOffered)?;
        let known = self.peers.nodes();
        if let Some(cut) = faults.cut.iter().find(|cut| !known.contains(&cut.peer)) {
            return Err(Failure::Unreadable(format!("{} is no peer of this node", cut.peer)));
        }
        if faults.heal_all {
            cuts.heal_all();
        }
        faults.heal.iter().for_each(|cut| cuts.heal(cut.peer, way(cut.way)));
        faults.cut.iter().for_each(|cut| cuts.cut(cut.peer, way(cut.way)));
        Ok(cuts.list().into_iter().map(|(peer, way)| Cut { peer, way: shown(way) }).collect())
    }
}

const fn way(way: Way) -> LinkWay {
    match way {
        Way::To => LinkWay::To,
        Way::From => LinkWay::From,
        Way::Both => LinkWay::Both,
    }
}

const fn shown(way: LinkWay) -> Way {
    match way {
        LinkWay::To => Way::To,
        LinkWay::From => Way::From,
        LinkWay::Both => Way::Both,
    }
}
