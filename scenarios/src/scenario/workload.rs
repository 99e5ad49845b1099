//! `[workload]`: what clients ask, how often, and of whom.

use seedbed_core::contract::Duration;
use seedbed_core::settings::{Node, Probability, Spanned};
use seedbed_core::{settings, variants};
use seedbed_sim::fault::Selector;
use seedbed_sim::law::Spec;

settings! {
    /// What clients ask, how often, and of whom.
    pub struct Workload {
        /// How commands come.
        pub arrivals: Arrivals, flat;
        /// Which node each command goes to.
        pub to: Spanned<Selector> = Selector::Random(1).into();
        /// How long a command or reply is under way between client and node.
        pub access: Option<Spanned<Spec>> = None;
        /// The probability that a command or reply is lost between client and node.
        pub loss: Probability = Probability::NEVER;
        /// How long a client waits for a reply.
        pub timeout: Duration = Duration::from_secs(10), in Duration::from_nanos(1)..=Duration::from_secs(86_400);
        /// When the clients begin.
        pub start: Duration = Duration::ZERO;
        /// When they stop; at the end of the run, if nothing is said.
        pub stop: Option<Duration> = None;
        /// How many commands there are at most.
        pub count: u64 = u64::MAX >> 1, in 1..=u64::MAX >> 1;
        /// What they ask: see `seedbed list` for the protocol's keys.
        pub command: Option<Node> = None;
    }
    verify = Workload::consistent;
}

impl Workload {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        match self.stop {
            Some(stop) if stop <= self.start => {
                Err(("stop", format!("must be after `start` = {}: nobody would ask anything", self.start)))
            }
            _ => Ok(()),
        }
    }
}

variants! {
    /// How commands come.
    pub enum Arrivals by "kind" {
        /// One after the other at a fixed rate, whatever the answers.
        Constant {
            /// Between two commands.
            every: Spanned<Duration>, in Duration::from_nanos(1)..=Duration::from_secs(86_400 * 365);
        }
        /// A Poisson process, whatever the answers.
        Poisson {
            /// The mean time between two commands.
            every: Spanned<Duration>, in Duration::from_nanos(1)..=Duration::from_secs(86_400 * 365);
        }
        /// At the times in a file: one per line, in seconds, ascending; or those of a log in the Standard Workload Format (`.swf`).
        Trace {
            /// The file, beside the scenario.
            file: Spanned<String>;
        }
        /// Clients that wait for their answer, think, and ask again.
        Closed {
            /// How many.
            clients: u32, in 1..=1_000_000;
            /// How long each thinks.
            think: Spanned<Spec> = Spec::constant(Duration::from_secs(1)).into();
        }
    }
}
