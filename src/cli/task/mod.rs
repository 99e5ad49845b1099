//! `seedbed task`: tasks for the workers of a hub, through the hub's door.

mod show;
mod submit;
mod workflow;

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::Value;
use ureq::http::Method;

use super::client::{Client, Entry, plain};
use super::docs::settle;
use super::{Done, Verdict, print};

/// Give tasks to a hub whose workers compute, and read what came of them.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Tasks {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples, with the cluster of scenarios/clusters/compute.toml, whose token is in a file:
  export API=http://127.0.0.1:7300 TOKEN=.seedbed/compute/token
  seedbed task submit --service primes --argument 1000000 --wait --api $API --token-file $TOKEN
  seedbed task submit --file tasks.json --api $API --token-file $TOKEN
  seedbed task submit --workflow montage.json --scale 0.01 --wait --api $API --token-file $TOKEN
  seedbed task module program.wasm --api $API --token-file $TOKEN
  seedbed task list --stage running --api $API
  seedbed task result 17 --api $API
  seedbed events --follow --api $API

Exit codes: 0 it is done; 1 the hub answered that it is not: a task that is waited for failed or was cancelled, there is no
such task or no answer yet, the hub is down or did not answer in time; 2 it cannot be asked so, or there is no door to ask.";

/// Where to ask.
#[derive(Args, Debug)]
struct Door {
    /// The address of the hub's door.
    #[arg(long, value_name = "URL")]
    api: String,
    #[command(flatten)]
    entry: Entry,
}

impl Door {
    fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.api, &self.entry)
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Give tasks to the hub, and print their numbers, or, with --wait, what came of them.
    Submit(Box<submit::Submit>),
    /// Print how a task is.
    Status(OfTask),
    /// Print tasks, one on each line.
    List(show::List),
    /// Cancel a task, and with it what depends on it.
    Cancel(Cancel),
    /// Print the accepted answer of a task, as it is.
    Result(Answer),
    /// Print what the hub knows of its workers, one on each line.
    Workers(show::Workers),
    /// Keep a WebAssembly module at the hub, and print the name under which tasks of the service wasm find it.
    Module(Module),
}

#[derive(Args, Debug)]
struct OfTask {
    #[command(flatten)]
    door: Door,
    /// The task's number.
    task: u64,
    /// Only when it has ended.
    #[arg(long)]
    wait: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Cancel {
    #[command(flatten)]
    door: Door,
    /// The task's number.
    task: u64,
    /// Whose it is.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    user: u64,
}

#[derive(Args, Debug)]
struct Answer {
    #[command(flatten)]
    door: Door,
    /// The task's number.
    task: u64,
    /// The file to write; otherwise standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct Module {
    #[command(flatten)]
    door: Door,
    /// A module in the binary format of WebAssembly, without imports.
    file: PathBuf,
}

impl Tasks {
    pub(super) fn execute(&self) -> Done {
        settle(match &self.verb {
            Verb::Submit(submit) => submit.execute(),
            Verb::Status(status) => status.execute(),
            Verb::List(list) => list.execute(),
            Verb::Cancel(cancel) => cancel.execute(),
            Verb::Result(answer) => answer.execute(),
            Verb::Workers(workers) => workers.execute(),
            Verb::Module(module) => module.execute(),
        })
    }
}

impl OfTask {
    fn execute(&self) -> Done {
        let client = self.door.client()?;
        let task = match self.wait {
            true => ended(&client, self.task)?,
            false => client.get(&format!("/api/v1/tasks/{}", self.task))?,
        };
        match self.json {
            true => print(&format!("{task}\n"))?,
            false => print(&show::lines(&task))?,
        }
        Ok(Verdict::Holds)
    }
}

impl Cancel {
    fn execute(&self) -> Done {
        let path = format!("/api/v1/tasks/{}?user={}", self.task, self.user);
        self.door.client()?.send(Method::DELETE, &path, &[], "")?;
        Ok(Verdict::Holds)
    }
}

impl Answer {
    fn execute(&self) -> Done {
        let answer = self.door.client()?.download(&format!("/api/v1/tasks/{}/result", self.task))?;
        match &self.out {
            Some(file) => {
                fs::write(file, answer).with_context(|| format!("{} cannot be written", file.display()))?
            }
            None => std::io::stdout().lock().write_all(&answer).context("the answer cannot be written")?,
        }
        Ok(Verdict::Holds)
    }
}

impl Module {
    fn execute(&self) -> Done {
        let module =
            fs::read(&self.file).with_context(|| format!("{} cannot be read", self.file.display()))?;
        let headers = [("Content-Type", "application/wasm")];
        let answer = self.door.client()?.send_bytes(Method::POST, "/api/v1/modules", &headers, &module)?;
        print(&format!("{}\n", plain(answer.json()?["module"].as_str().unwrap_or_default())))?;
        Ok(Verdict::Holds)
    }
}

/// The stages in which a task's life is over.
const FINAL: [&str; 3] = ["validated", "failed", "cancelled"];

/// Waits for the end of a task.
fn ended(client: &Client, task: u64) -> anyhow::Result<Value> {
    loop {
        let status = client.get(&format!("/api/v1/tasks/{task}?wait=true"))?;
        match status["stage"].as_str() {
            Some(stage) if FINAL.contains(&stage) => return Ok(status),
            Some(_) => {}
            None => anyhow::bail!("{} answers, but tells no stage of task {task}", client.base()),
        }
    }
}
