//! What a run of the servers comes to.

use std::collections::{BTreeMap, BTreeSet};

use super::database::Database;
use super::messages::{Command, Failure, Notice};
use super::published::Published;
use super::{Config, Distri};
use crate::contract::{CommandId, Duration, Findings, NodeId, Observation, Probe, Time, View};

/// Compares what clients were told with what servers hold, and counts what went wrong on the way.
#[derive(Clone, Debug)]
pub struct DistriProbe {
    servers: u32,
    /// Who asked, and since when each waits.
    waiting: BTreeMap<CommandId, (u32, Time)>,
    /// How long each client has waited, for all it asked.
    waited: BTreeMap<u32, Duration>,
    /// The last revision of each document that a client was told to be saved.
    acknowledged: BTreeMap<u64, u32>,
}

type Seen<'a> = &'a dyn View<Distri>;

/// What is counted, from zero.
const COUNTS: [&str; 11] = [
    "no_answer",
    "not_taken",
    "no_result",
    "wrong_sender",
    "nameless",
    "syncs",
    "overwritten",
    "overflowed",
    "expired",
    "waited_in_vain",
    "acknowledged",
];

impl Probe<Distri> for DistriProbe {
    fn new(config: &Config, _: u32) -> Self {
        Self {
            servers: config.servers().count() as u32,
            waiting: BTreeMap::new(),
            waited: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
        }
    }

    fn observe(&mut self, what: Observation<'_, Distri>, view: Seen<'_>, findings: &mut Findings) {
        match what {
            Observation::Notice { notice, .. } => self.noticed(notice, findings),
            Observation::Command { id, command: Command { client, .. }, .. } => {
                self.waiting.insert(id, (*client, view.now()));
            }
            Observation::Reply { id, .. } => {
                if let Some((client, since)) = self.waiting.remove(&id) {
                    let waited = self.waited.entry(client).or_default();
                    *waited += view.now().since(since);
                }
            }
            Observation::End => self.finish(view, findings),
            _ => {}
        }
    }

    fn holds(&self, condition: &str, view: Seen<'_>) -> bool {
        condition != "converged" || self.diverged(view) == Some(0)
    }
}

impl DistriProbe {
    fn noticed(&mut self, notice: &Notice, findings: &mut Findings) {
        match *notice {
            Notice::Acknowledged { id, revision } => {
                findings.add("acknowledged", 1.0);
                let last = self.acknowledged.entry(id).or_default();
                *last = revision.max(*last);
            }
            Notice::Failed(failure) => findings.add(name(failure), 1.0),
            Notice::Synced { overwritten } => {
                findings.add("syncs", 1.0);
                findings.add("overwritten", f64::from(overwritten));
            }
            Notice::Overflowed => findings.add("overflowed", 1.0),
            Notice::Expired => findings.add("expired", 1.0),
            Notice::WaitedInVain => findings.add("waited_in_vain", 1.0),
        }
    }

    fn finish(&self, view: Seen<'_>, findings: &mut Findings) {
        COUNTS.iter().for_each(|metric| findings.add(metric, 0.0));
        let latest = self.databases(view).max_by_key(|(node, database)| (database.version(), !node.0));
        findings.number("documents", latest.map_or(0.0, |(_, database)| database.len() as f64));
        if let Some(diverged) = self.diverged(view) {
            findings.number("diverged", diverged as f64);
            findings.number("converged", f64::from(u8::from(diverged == 0)));
        }
        self.look_for_losses(view, findings);
        self.waited.values().for_each(|waited| findings.sample("response_ms", waited.as_millis_f64()));
        if let Some(published) = Published::of(self.servers, self.waited.len() as u32) {
            findings.number("published_documents", f64::from(published.entries));
            findings.number("published_failed", f64::from(published.failed));
            findings.number("published_response_ms", published.response_ms);
        }
    }

    /// The databases of the servers that are up.
    fn databases<'a>(&self, view: Seen<'a>) -> impl Iterator<Item = (NodeId, &'a Database)> {
        let server = move |node| Some((node, view.state(node)?.server()?.database()));
        (0..self.servers).map(NodeId).filter_map(server)
    }

    /// How many documents not all servers hold alike, if all are up.
    fn diverged(&self, view: Seen<'_>) -> Option<usize> {
        let databases: Vec<&Database> = self.databases(view).map(|(_, database)| database).collect();
        let is_alike =
            |id: u64| databases.iter().all(|other| other.revision(id) == databases[0].revision(id));
        let ids: BTreeSet<u64> = databases.iter().flat_map(|database| database.ids()).collect();
        (databases.len() == self.servers as usize)
            .then(|| ids.into_iter().filter(|&id| !is_alike(id)).count())
    }

    /// What clients were told to be saved, and no server has.
    fn look_for_losses(&self, view: Seen<'_>, findings: &mut Findings) {
        let is_held = |id: u64, revision: u32| {
            self.databases(view)
                .any(|(_, database)| database.revision(id).is_some_and(|held| held >= revision))
        };
        let lost = self.acknowledged.iter().filter(|&(&id, &revision)| !is_held(id, revision)).count();
        findings.number("lost", lost as f64);
        let all_up = self.databases(view).count() == self.servers as usize;
        if lost > 0 && all_up {
            findings.violation("nothing-acknowledged-is-lost", view.now(), || {
                format!("no server has {lost} documents as their clients last saved them")
            });
        }
    }
}

fn name(failure: Failure) -> &'static str {
    match failure {
        Failure::NoAnswer => "no_answer",
        Failure::NotTaken => "not_taken",
        Failure::NoResult => "no_result",
        Failure::WrongSender => "wrong_sender",
        Failure::Nameless | Failure::NoClient => "nameless",
    }
}
