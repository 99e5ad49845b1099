//! The command line: one file per subcommand.

#[cfg(feature = "real")]
mod ask;
#[cfg(feature = "real")]
mod calibrate;
mod check;
#[cfg(feature = "real")]
mod client;
mod diff;
#[cfg(feature = "real")]
mod docs;
#[cfg(feature = "real")]
mod down;
#[cfg(feature = "real")]
mod events;
mod folder;
#[cfg(feature = "real")]
mod join;
#[cfg(feature = "real")]
mod key;
mod list;
#[cfg(feature = "real")]
mod node;
mod progress;
#[cfg(feature = "real")]
mod recorded;
mod replay;
mod report;
mod run;
mod schema;
#[cfg(feature = "real")]
mod sse;
#[cfg(feature = "real")]
mod status;
#[cfg(feature = "real")]
mod task;
#[cfg(feature = "real")]
mod token;
#[cfg(feature = "real")]
mod up;

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use seedbed_core::contract::Subject;
use seedbed_scenarios::format::Report;
use seedbed_scenarios::run::Registry;

/// Deterministic simulation of distributed systems: scenario files in, tables, charts and a report out.
///
/// Exit codes: 0 every check holds, 1 a check is violated, 2 the input cannot be used.
#[derive(Debug, Parser)]
#[command(name = "seedbed", version, propagate_version = true, max_term_width = 110, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  seedbed run scenarios/quickstart.toml
  seedbed run scenarios/quickstart.toml --seeds 100 --set cluster.nodes=7 --out /tmp/seven
  seedbed replay scenarios/quickstart.toml --seed 3 --set protocol=raft --log -
  seedbed list raft
  seedbed check scenarios/[a-z]*.toml";

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Replay(replay::Replay),
    List(list::List),
    Schema(schema::Schema),
    Check(check::Check),
    Report(report::Redraw),
    Diff(diff::Diff),
    #[cfg(feature = "real")]
    Up(up::Up),
    #[cfg(feature = "real")]
    Down(down::Down),
    #[cfg(feature = "real")]
    Calibrate(calibrate::Calibrate),
    #[cfg(feature = "real")]
    Node(node::RunNode),
    #[cfg(feature = "real")]
    Status(status::Status),
    #[cfg(feature = "real")]
    Events(events::Events),
    #[cfg(feature = "real")]
    Ask(ask::Ask),
    #[cfg(feature = "real")]
    Docs(docs::Docs),
    #[cfg(feature = "real")]
    Task(task::Tasks),
    #[cfg(feature = "real")]
    Key(key::Key),
    #[cfg(feature = "real")]
    Token(token::Tokens),
    #[cfg(feature = "real")]
    Join(join::Join),
}

/// The command, and the protocols that it knows.
#[derive(Debug)]
pub struct Cli {
    registry: Registry,
}

/// The command with our own protocols.
#[must_use]
pub fn cli() -> Cli {
    Cli { registry: Registry::ours() }
}

impl Cli {
    /// Knows one more protocol, under this name.
    #[must_use]
    pub fn protocol<P: Subject>(mut self, name: &'static str) -> Self {
        self.registry = self.registry.with::<P>(name);
        self
    }

    /// Does what the arguments of this process ask.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let done = match Arguments::parse().command {
            Command::Run(run) => run.execute(&self.registry),
            Command::Replay(replay) => replay.execute(&self.registry),
            Command::List(list) => list.execute(&self.registry),
            Command::Schema(schema) => schema.execute(&self.registry),
            Command::Check(check) => check.execute(&self.registry),
            Command::Report(report) => report.execute(),
            Command::Diff(diff) => diff.execute(),
            #[cfg(feature = "real")]
            Command::Up(up) => up.execute(&self.registry),
            #[cfg(feature = "real")]
            Command::Down(down) => down.execute(&self.registry),
            #[cfg(feature = "real")]
            Command::Calibrate(calibrate) => calibrate.execute(),
            #[cfg(feature = "real")]
            Command::Node(node) => node.execute(&self.registry),
            #[cfg(feature = "real")]
            Command::Status(status) => status.execute(),
            #[cfg(feature = "real")]
            Command::Events(events) => events.execute(),
            #[cfg(feature = "real")]
            Command::Ask(ask) => ask.execute(),
            #[cfg(feature = "real")]
            Command::Docs(docs) => docs.execute(),
            #[cfg(feature = "real")]
            Command::Task(task) => task.execute(),
            #[cfg(feature = "real")]
            Command::Key(key) => key.execute(),
            #[cfg(feature = "real")]
            Command::Token(token) => token.execute(&self.registry),
            #[cfg(feature = "real")]
            Command::Join(join) => join.execute(&self.registry),
        };
        match done {
            Ok(Verdict::Holds) => ExitCode::SUCCESS,
            Ok(Verdict::Violated) => ExitCode::from(1),
            Err(error) => {
                tell(&error);
                ExitCode::from(2)
            }
        }
    }
}

/// What a command came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Holds,
    Violated,
}

/// An error is told with exit code 2.
type Done = anyhow::Result<Verdict>;

/// Prints an error to standard error, where nobody may be listening.
fn tell(error: &anyhow::Error) {
    let _ = std::io::stderr().write_all(told(error).as_bytes());
}

/// An error as it is told: a wrong scenario is shown where it is wrong.
fn told(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Report>() {
        None => format!("error: {error:#}\n"),
        Some(report) => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            format!("{}\n", report.render(colour).trim_end())
        }
    }
}

/// The files that may be scenarios: the manifest of a crate beside them comes along with `*.toml`.
fn scenarios(files: &[PathBuf]) -> impl Iterator<Item = &PathBuf> {
    let is_meant = |file: &&PathBuf| files.len() == 1 || !file.ends_with("Cargo.toml");
    files.iter().filter(is_meant)
}

/// `key=value`.
fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().into(), value.trim().into())),
        _ => Err("expected key=value, such as network.loss=0.01".into()),
    }
}

/// What this command is called.
fn program() -> String {
    let path = std::env::args_os().next().map(std::path::PathBuf::from);
    path.and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).unwrap_or_default()
}

/// Prints to standard output; a reader that has gone away is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
