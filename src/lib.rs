//! Seedbed runs distributed systems as deterministic simulations, from a scenario file to a report.
//!
//! A protocol is a sans-IO state machine that implements [`contract::Protocol`]; [`contract::Subject`] gives it
//! parameters, metrics and checks. A binary of your own knows it by one registration:
//!
//! ```no_run
//! # use seedbed::chunks::Chunks as Mine;
//! fn main() -> std::process::ExitCode {
//!     seedbed::cli().protocol::<Mine>("mine").run()
//! }
//! ```

mod cli;

pub use cli::{Cli, cli};
pub use seedbed_core::{choice, chunks, contract, election, settings, variants, written};
pub use seedbed_reports as reports;
pub use seedbed_scenarios as scenarios;
pub use seedbed_sim as sim;
