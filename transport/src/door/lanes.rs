//! What a link tells of its connections, lane by lane.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seedbed_core::contract::{Lane, NodeId};
use serde::{Deserialize, Serialize};

use crate::link::{Event, Events};

/// Peers that are remembered.
const PEERS_MAX: usize = 4096;

/// The connections of a node: to be given to its link, and to its door. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Lanes(Arc<Mutex<BTreeMap<NodeId, BTreeMap<String, LaneStatus>>>>);

/// The connection of one lane with one peer.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct LaneStatus {
    /// Whether there is a connection.
    pub up: bool,
    /// How often one was made.
    pub connected: u64,
    /// Why the last one ended, or could not be made.
    pub trouble: Option<String>,
}

impl Lanes {
    pub(super) fn all(&self) -> BTreeMap<NodeId, BTreeMap<String, LaneStatus>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, BTreeMap<String, LaneStatus>>> {
        // A panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, peer: NodeId, lane: Lane, change: impl FnOnce(&mut LaneStatus)) {
        let mut peers = self.lock();
        if peers.len() < PEERS_MAX || peers.contains_key(&peer) {
            change(peers.entry(peer).or_default().entry(name(lane).into()).or_default());
        }
    }
}

impl Events for Lanes {
    fn tell(&self, event: Event) {
        match event {
            Event::Connected { peer, lane } => self.change(peer, lane, |status| {
                status.up = true;
                status.connected += 1;
            }),
            Event::Ended { peer, lane, why } => self.change(peer, lane, |status| {
                // One that a newer connection replaces says nothing about the lane.
                status.up = status.up && matches!(why, crate::link::Ended::Replaced);
                status.trouble = Some(why.to_string());
            }),
            Event::Unreachable { peer, error } => {
                self.change(peer, Lane::Control, |status| status.trouble = Some(error));
            }
            _ => {}
        }
    }
}

fn name(lane: Lane) -> &'static str {
    match lane {
        Lane::Control => "control",
        Lane::Bulk => "bulk",
    }
}
