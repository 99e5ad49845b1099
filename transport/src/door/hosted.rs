//! A node that runs on a host, as its door sees it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use seedbed_core::contract::{NodeId, Subject};
use serde_json::Value;

use super::events::{EventLog, Observed};
use super::keys::Keys;
use super::lanes::Lanes;
use super::node::{BoxFuture, Cut, DiskStatus, Failure, Faults, Figure, LinkStatus, Node, Status, Way};
use super::resources::{Front, Resources, Served};
use crate::host::{CommandError, Handle};
use crate::link::weather::{self, Cuts};
use crate::link::{Count, Counters};

/// How many of the last events a status shows.
const EVENTS_SHOWN: usize = 10;

/// One life of a node of protocol `P`, and what is known about it.
pub struct Hosted<P: Subject> {
    /// Its names.
    pub about: About,
    /// To ask it.
    pub handle: Handle<P>,
    /// What its [`Observer`](super::events::Observer) sees.
    pub observed: Observed,
    /// What its observer tells.
    pub events: EventLog,
    /// What its link tells, if that was given it.
    pub lanes: Lanes,
    /// What its link counts, if it does.
    pub counters: Option<Arc<Counters>>,
    /// Where links are cut, if its configuration allows that to the door.
    pub cuts: Option<Cuts>,
    /// Whoever knows the keys of its cluster, if it has any.
    pub keys: Option<Box<dyn Keys>>,
    /// What its protocol has at doors beside what all nodes have.
    pub resources: Option<Resources<P>>,
}

/// The names of a node.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Its number.
    pub node: NodeId,
    /// What people call it.
    pub name: String,
    /// What its system is called.
    pub cluster: String,
    /// What it runs.
    pub protocol: String,
}

impl<P: Subject> fmt::Debug for Hosted<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted").field("about", &self.about).finish_non_exhaustive()
    }
}

impl<P: Subject> Node for Hosted<P> {
    fn status(&self) -> Status {
        let sight = self.observed.sight();
        let facts = sight.facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Status {
            node: self.about.node,
            name: self.about.name.clone(),
            cluster: self.about.cluster.clone(),
            protocol: self.about.protocol.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            up: sight.up,
            life: sight.life,
            since: sight.since.map(|(wall, _)| humantime::format_rfc3339_millis(wall).to_string()),
            uptime_ns: u64::try_from(self.observed.uptime().as_nanos()).unwrap_or(u64::MAX),
            steps: sight.steps,
            role: sight.role.into(),
            facts,
            links: self.links(&sight.links, sight.members.as_ref()),
            members: sight.members,
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
        let sight = self.observed.sight();
        let mut figures = vec![
            Figure::gauge("seedbed_up", "Whether the node is up.", f64::from(u8::from(sight.up))),
            Figure::gauge("seedbed_life", "How often the node has started before.", sight.life.0.into()),
            Figure::gauge(
                "seedbed_uptime_seconds",
                "How long this life has lasted.",
                self.observed.uptime().as_secs_f64(),
            ),
            Figure::gauge("seedbed_node_info", "What the node is.", 1.0)
                .with("node", self.about.node.to_string())
                .with("cluster", &self.about.cluster)
                .with("protocol", &self.about.protocol)
                .with("version", env!("CARGO_PKG_VERSION"))
                .with("role", sight.role),
            Figure::counter("seedbed_events_total", "Events told.", *self.events.newest().borrow()),
            Figure::counter(
                "seedbed_events_unwritten_total",
                "Events that the file did not take.",
                self.events.unwritten(),
            ),
        ];
        for (name, count) in self.handle.counters().each() {
            figures.push(
                Figure::counter("seedbed_host_total", "What the host did in this life.", count)
                    .with("what", name),
            );
        }
        for (count, value) in self.counters.iter().flat_map(|counters| counters.all()) {
            figures.push(of_link(count, value));
        }
        for (peer, up) in sight.links {
            let figure =
                Figure::gauge("seedbed_link_up", "Whether a peer seems reachable.", f64::from(u8::from(up)));
            figures.push(figure.with("peer", peer.to_string()));
        }
        figures
    }

    fn command(&self, command: Value) -> BoxFuture<'_, Result<Value, Failure>> {
        Box::pin(async move {
            let command = serde_json::from_value(command)
                .map_err(|error| Failure::Unreadable(format!("not a command of this protocol: {error}")))?;
            let reply = self.handle.command(command).await.map_err(|error| match error {
                CommandError::TimedOut => Failure::TimedOut,
                CommandError::Ended => Failure::Down,
            })?;
            Ok(super::events::value(&reply))
        })
    }

    fn has_faults(&self) -> bool {
        self.cuts.is_some()
    }

    fn faults(&self, faults: &Faults) -> Result<Vec<Cut>, Failure> {
        let cuts = self.cuts.as_ref().ok_or(Failure::NotOffered)?;
        if let Some(cut) = faults.cut.iter().find(|cut| !self.knows(cut.peer)) {
            return Err(Failure::Unreadable(format!("{} is no peer of this node", cut.peer)));
        }
        if faults.heal_all {
            cuts.heal_all();
        }
        faults.heal.iter().for_each(|cut| cuts.heal(cut.peer, cut.way.into()));
        faults.cut.iter().for_each(|cut| cuts.cut(cut.peer, cut.way.into()));
        Ok(cuts.list().into_iter().map(|(peer, way)| Cut { peer, way: way.into() }).collect())
    }

    fn keys(&self) -> Option<&dyn Keys> {
        self.keys.as_deref()
    }

    fn served(&self, front: &Front) -> Served {
        let resources = self.resources.map(|own| own.serve(&self.handle, &self.observed.durable(), front));
        resources.unwrap_or_default()
    }
}

impl<P: Subject> Hosted<P> {
    /// Every peer that was seen or is a member.
    fn links(
        &self,
        seen: &BTreeMap<NodeId, bool>,
        members: Option<&seedbed_core::contract::Members>,
    ) -> Vec<LinkStatus> {
        let members = members.into_iter().flat_map(|members| members.voters.iter().chain(&*members.others));
        let mut links: BTreeMap<NodeId, LinkStatus> = members
            .chain(seen.keys())
            .filter(|peer| **peer != self.about.node)
            .map(|&peer| (peer, LinkStatus { peer, ..LinkStatus::default() }))
            .collect();
        for (peer, lanes) in self.lanes.all() {
            if let Some(link) = links.get_mut(&peer) {
                link.lanes = lanes;
            }
        }
        for (peer, link) in &mut links {
            link.up = seen.get(peer).copied().unwrap_or(false);
        }
        links.into_values().collect()
    }

    /// Whether it is a member, so that the list of cuts is bounded.
    fn knows(&self, peer: NodeId) -> bool {
        let sight = self.observed.sight();
        let is_member = |members: &seedbed_core::contract::Members| {
            members.voters.contains(&peer) || members.others.contains(&peer)
        };
        sight.links.contains_key(&peer) || sight.members.is_some_and(|members| is_member(&members))
    }
}

fn of_link(count: Count, value: u64) -> Figure {
    Figure::counter("seedbed_link_total", "What the link did: times, frames or bytes.", value)
        .with("what", count.name())
}

impl From<Way> for weather::Way {
    fn from(way: Way) -> Self {
        match way {
            Way::To => Self::To,
            Way::From => Self::From,
            Way::Both => Self::Both,
        }
    }
}

impl From<weather::Way> for Way {
    fn from(way: weather::Way) -> Self {
        match way {
            weather::Way::To => Self::To,
            weather::Way::From => Self::From,
            weather::Way::Both => Self::Both,
        }
    }
}
