//! A protocol of one's own, in a crate of its own: the latest rumour spreads by push-pull gossip.
//!
//! After Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use seedbed::contract::*;
use serde::{Deserialize, Serialize};

seedbed::settings! {
    /// What a scenario may choose in `[params]`.
    struct Parameters {
        /// Time between two calls of a node to another.
        pause: Duration = Duration::from_millis(100), in Duration::from_millis(1)..=Duration::from_secs(60);
        /// Who is called answers if it knows better.
        pull: bool = true;
    }
}

/// Rumours are numbered; a higher one is newer.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
struct Rumour(u64);
impl Wire for Rumour {}

/// A node: all it knows is the latest rumour.
#[derive(Clone, Serialize)]
struct Gossip {
    #[serde(skip)]
    config: Arc<(Parameters, u32)>,
    latest: Rumour,
}

impl Protocol for Gossip {
    const VERSION: u16 = 1;
    type Config = (Parameters, u32);
    type Message = Rumour;
    type Timer = ();
    type Command = Rumour;
    type Reply = Rumour;
    type Record = Rumour;
    type Notice = Never;
    type Job = Never;
    type Outcome = Never;

    fn boot(config: &Arc<Self::Config>, _: NodeId) -> Self {
        Self { config: config.clone(), latest: Rumour::default() }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        let (Parameters { pause, pull }, nodes) = *self.config;
        match input {
            Input::Start { log } => {
                self.latest = log.into_iter().max().unwrap_or_default();
                cx.set_within((), Duration::ZERO..pause);
            }
            Input::Timer { .. } => {
                let anyone = NodeId(cx.dice.below(nodes.into()) as u32);
                cx.send_now(anyone, self.latest);
                cx.set((), pause);
            }
            Input::Message { from, message, .. } if message < self.latest && pull => {
                cx.send_now(from, self.latest)
            }
            Input::Message { message, .. } => self.latest = message.max(self.latest),
            Input::Command { id, command } => {
                self.latest = command.max(self.latest);
                cx.persist(command);
                cx.reply(id, command); // leaves once the record is on disk
            }
            _ => {}
        }
    }
}

/// What clients ask, what is measured, and what must hold.
impl Subject for Gossip {
    type Settings = Parameters;
    type Load = ();
    type Probe = Watcher;
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
    fn command(_: &(), turn: Turn, _: &mut Dice<'_>) -> Option<Rumour> {
        Some(Rumour(turn.number + 1))
    }
}

/// Sees all nodes at once: when each rumour was told, and the latest that each node has answered.
#[derive(Clone, Default)]
struct Watcher {
    told: BTreeMap<Rumour, Time>,
    answered: BTreeMap<NodeId, Rumour>,
}

impl Probe<Gossip> for Watcher {
    fn new(_: &(Parameters, u32), _: u32) -> Self {
        Self::default()
    }

    fn observe(&mut self, what: Observation<'_, Gossip>, view: &dyn View<Gossip>, findings: &mut Findings) {
        match what {
            Observation::Command { command, .. } => _ = self.told.insert(*command, view.now()),
            Observation::Reply { node, reply, .. } => _ = self.answered.insert(node, *reply),
            Observation::Sent { from, message, .. } => {
                if self.answered.get(&from) > Some(message) {
                    findings
                        .violation("word-is-kept", view.now(), || format!("{from} tells {message:?} again"));
                }
                let known = (0..view.nodes()).filter_map(|node| Some(view.state(NodeId(node))?.latest));
                let everywhere = known.min().unwrap_or_default();
                while let Some(told) = self.told.first_entry().filter(|told| *told.key() <= everywhere) {
                    findings.sample("spread_ms", view.now().since(told.remove()).as_millis_f64());
                }
            }
            _ => {}
        }
    }
}

fn main() -> ExitCode {
    seedbed::cli().protocol::<Gossip>("rumour").run()
}
