//! A protocol of one's own, in a crate of its own: the latest rumour spreads by push-pull gossip.
//!
//! After Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987. This file is the protocol;
//! `experiment.rs` says what clients ask of it, what is measured, and what must hold.

mod experiment;
#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::sync::Arc;

use seedbed::contract::{Context, Duration, Input, InputOf, Never, NodeId, Protocol, Wire};
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
    type Notice = Rumour;
    type Job = Never;
    type Outcome = Never;

    fn boot(config: &Arc<Self::Config>, _: NodeId) -> Self {
        Self { config: config.clone(), latest: Rumour::default() }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        let (Parameters { pause, pull }, nodes) = *self.config;
        match input {
            Input::Start { log } => {
                self.learn(log.into_iter().max().unwrap_or_default(), cx);
                cx.set_within((), Duration::ZERO..pause);
            }
            Input::Timer { .. } => {
                let anyone = NodeId(cx.dice.below(nodes.into()) as u32);
                cx.send_now(anyone, self.latest);
                cx.set((), pause);
            }
            Input::Message { message, .. } if message > self.latest => self.learn(message, cx),
            Input::Message { from, message, .. } if message < self.latest && pull => {
                cx.send_now(from, self.latest);
            }
            Input::Command { id, command } => {
                cx.persist(command);
                self.learn(command.max(self.latest), cx);
                cx.reply(id, command); // leaves once the record is on disk
            }
            _ => {}
        }
    }
}

impl Gossip {
    fn learn(&mut self, rumour: Rumour, cx: &mut Context<'_, Self>) {
        self.latest = rumour;
        cx.notify(rumour);
    }
}

fn main() -> ExitCode {
    seedbed::cli().protocol::<Gossip>("rumour").run()
}
