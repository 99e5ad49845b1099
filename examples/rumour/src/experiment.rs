//! The protocol as a subject of experiments.

use std::collections::BTreeMap;

use seedbed::contract::{Check, Dice, Findings, Metric, NodeId, Observation, Probe, Subject, Time, View};

use super::{Gossip, Parameters, Rumour};

impl Subject for Gossip {
    type Settings = Parameters;
    type Load = ();
    type Probe = Spread;
    const ABOUT: &'static str = "the latest rumour spreads by push-pull gossip";

    fn config(parameters: &Parameters, nodes: u32) -> Result<Self::Config, String> {
        Ok((parameters.clone(), nodes))
    }

    fn metrics() -> Vec<Metric> {
        vec![Metric::samples("spread_ms", "ms", "from telling one node until all that are up know")]
    }

    fn checks() -> Vec<Check> {
        vec![Check { name: "word-is-kept", about: "who has answered never tells an older rumour again" }]
    }

    fn conditions() -> Vec<Check> {
        vec![Check { name: "all-agree", about: "every node that is up knows the same rumour" }]
    }

    fn command(_: &(), number: u64, _: &mut Dice<'_>) -> Option<Rumour> {
        Some(Rumour(number + 1))
    }
}

/// Watches one run, from where all nodes can be seen at once.
#[derive(Clone, Default)]
pub(crate) struct Spread {
    /// Rumours that not everybody knows yet, and when they were told.
    told: BTreeMap<Rumour, Time>,
    /// The latest that each node has answered.
    answered: BTreeMap<NodeId, Rumour>,
}

impl Probe<Gossip> for Spread {
    fn new(_: &(Parameters, u32), _: u32) -> Self {
        Self::default()
    }

    fn observe(&mut self, what: Observation<'_, Gossip>, view: &dyn View<Gossip>, findings: &mut Findings) {
        match what {
            Observation::Command { command, .. } => drop(self.told.insert(*command, view.now())),
            Observation::Reply { node, reply, .. } => {
                let latest = self.answered.entry(node).or_default();
                *latest = *reply.max(latest);
            }
            Observation::Notice { node, notice } => {
                if self.answered.get(&node).is_some_and(|answered| notice < answered) {
                    findings
                        .violation("word-is-kept", view.now(), || format!("{node} is back at {notice:?}"));
                }
                let everywhere = known(view).min().unwrap_or_default();
                while let Some(rumour) = self.told.first_entry().filter(|rumour| *rumour.key() <= everywhere)
                {
                    findings.sample("spread_ms", view.now().since(rumour.remove()).as_millis_f64());
                }
            }
            _ => {}
        }
    }

    fn holds(&self, _condition: &str, view: &dyn View<Gossip>) -> bool {
        known(view).min() == known(view).max()
    }
}

/// What the nodes that are up know.
fn known(view: &dyn View<Gossip>) -> impl Iterator<Item = Rumour> {
    (0..view.nodes()).filter_map(|node| Some(view.state(NodeId(node))?.latest))
}
