//! `seedbed task submit`: tasks from the command line, from a file, or from a published workflow.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{ArgGroup, Args};
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::{Door, ended, show, workflow};
use crate::cli::client::{Client, plain};
use crate::cli::{Done, Verdict, print};

#[derive(Args, Debug)]
#[command(
    group(ArgGroup::new("what").required(true).args(["service", "file", "workflow"])),
    after_help = "Examples:
  seedbed task submit --service sha256 --argument 'some text' --wait --api $API --token-file $TOKEN
  seedbed task submit --service primes --argument '1000 2000' --overlap 3 --validation quorum --api $API --token-file $TOKEN
  seedbed task submit --service wasm --module $ID --argument abc --time 2s --memory 16MiB --wait --api $API --token-file $TOKEN
  seedbed task submit --service stand-in --work 3s --api $API --token-file $TOKEN
  seedbed task submit --file tasks.json --wait --api $API --token-file $TOKEN
  seedbed task submit --workflow montage.json --scale 0.01 --wait --api $API --token-file $TOKEN

A file holds a task or a list of them:
  [{ \"name\": \"first\", \"service\": \"primes\", \"argument\": \"1000000\", \"limits\": { \"time\": \"10s\" } },
   { \"name\": \"second\", \"service\": \"sha256\", \"argument\": \"text\", \"after\": [\"first\"] }]
All keys: /api/v1/openapi.json at the hub's door, under WantedTask."
)]
pub(super) struct Submit {
    #[command(flatten)]
    door: Door,
    #[command(flatten)]
    one: One,
    /// A file of tasks, as JSON; - reads standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A workflow in the format of WfCommons: each of its tasks is a stand-in that takes the published time. What they
    /// hand over is not sent.
    #[arg(long, value_name = "FILE")]
    workflow: Option<PathBuf>,
    /// Its tasks take so many times as long.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, requires = "workflow")]
    scale: f64,
    /// On whose behalf.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    user: u64,
    /// Wait for the end: print the answer of a task, or a line for each of several.
    #[arg(long)]
    wait: bool,
}

/// A task, option by option.
#[derive(Args, Debug)]
struct One {
    /// What computes.
    #[arg(long, value_parser = ["stand-in", "sha256", "primes", "wasm"])]
    service: Option<String>,
    /// What it is given.
    #[arg(long, value_name = "TEXT", requires = "service")]
    argument: Option<String>,
    /// What wasm runs, as `seedbed task module` told it.
    #[arg(long, value_name = "ID", requires = "service")]
    module: Option<String>,
    /// What the task is called.
    #[arg(long, requires = "service")]
    name: Option<String>,
    /// How long a core takes for it, such as 3s.
    #[arg(long, value_name = "TIME", requires = "service")]
    work: Option<String>,
    /// How long it may run, such as 10s.
    #[arg(long, value_name = "TIME", requires = "service")]
    time: Option<String>,
    /// How much memory a module may have, such as 64MiB.
    #[arg(long, value_name = "SIZE", requires = "service")]
    memory: Option<String>,
    /// How many instructions a module may run.
    #[arg(long, value_name = "NUMBER", requires = "service")]
    fuel: Option<u64>,
    /// How long the answer may be, such as 4KiB.
    #[arg(long, value_name = "SIZE", requires = "service")]
    output: Option<String>,
    /// How many cores of its worker it takes up.
    #[arg(long, value_name = "NUMBER", requires = "service")]
    cores: Option<u32>,
    /// How much memory of its worker it takes up, such as 1GiB.
    #[arg(long, value_name = "SIZE", requires = "service")]
    ram: Option<String>,
    /// What its worker must have; may be given more than once.
    #[arg(long = "tag", value_name = "TAG", requires = "service")]
    tags: Vec<String>,
    /// Which answer is accepted, in place of the hub's rule.
    #[arg(long, value_name = "POLICY", requires = "service")]
    validation: Option<String>,
    /// How many workers run it.
    #[arg(long, value_name = "NUMBER", requires = "service")]
    overlap: Option<u32>,
    /// The higher, the more urgent.
    #[arg(long, value_name = "NUMBER", requires = "service")]
    priority: Option<u32>,
    /// How often it is tried again after an attempt failed.
    #[arg(long, value_name = "NUMBER", requires = "service")]
    retries: Option<u32>,
}

impl One {
    fn json(&self) -> Value {
        let limits = [
            ("time", self.time.clone().map(Value::from)),
            ("memory", self.memory.clone().map(Value::from)),
            ("fuel", self.fuel.map(Value::from)),
            ("output", self.output.clone().map(Value::from)),
        ];
        let limits = said(limits);
        let keys = [
            ("service", self.service.clone().map(Value::from)),
            ("argument", self.argument.clone().map(Value::from)),
            ("module", self.module.clone().map(Value::from)),
            ("name", self.name.clone().map(Value::from)),
            ("work", self.work.clone().map(Value::from)),
            ("limits", (!limits.is_empty()).then(|| limits.into())),
            ("cores", self.cores.map(Value::from)),
            ("ram", self.ram.clone().map(Value::from)),
            ("tags", (!self.tags.is_empty()).then(|| json!(self.tags))),
            ("validation", self.validation.clone().map(Value::from)),
            ("overlap", self.overlap.map(Value::from)),
            ("priority", self.priority.map(Value::from)),
            ("retries", self.retries.map(Value::from)),
        ];
        said(keys).into()
    }
}

/// The keys that have a value.
fn said<const N: usize>(keys: [(&str, Option<Value>); N]) -> Map<String, Value> {
    keys.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

impl Submit {
    pub(super) fn execute(&self) -> Done {
        let body = match (&self.file, &self.workflow) {
            (Some(file), _) => text(file)?,
            (None, Some(file)) => workflow::tasks(&text(file)?, self.scale)
                .with_context(|| format!("{} is no workflow that can be run", file.display()))?
                .to_string(),
            (None, None) => self.one.json().to_string(),
        };
        let client = self.door.client()?;
        let path = format!("/api/v1/tasks?user={}", self.user);
        let answer =
            client.send(Method::POST, &path, &[("Content-Type", "application/json")], &body)?.json()?;
        let (Some(first), Some(count)) = (answer["first"].as_u64(), answer["count"].as_u64()) else {
            anyhow::bail!("{} answers, but does not tell the numbers of the tasks", client.base());
        };
        let last = first.saturating_add(count.saturating_sub(1));
        match (self.wait, count) {
            (true, 1) => wait_for_one(&client, first),
            (true, _) => wait_for_all(&client, first, last),
            (false, 1) => print(&format!("{first}\n")).map(|()| Verdict::Holds),
            (false, _) => print(&format!("{first} to {last}\n")).map(|()| Verdict::Holds),
        }
    }
}

fn text(file: &Path) -> anyhow::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn wait_for_one(client: &Client, task: u64) -> Done {
    let status = ended(client, task)?;
    match status["answer"].as_str().or(status["answer_base64"].as_str()) {
        Some(answer) => {
            print(&format!("{}\n", plain(answer)))?;
            Ok(Verdict::Holds)
        }
        None => {
            print(&show::line(&status))?;
            Ok(if status["stage"] == "validated" { Verdict::Holds } else { Verdict::Violated })
        }
    }
}

fn wait_for_all(client: &Client, first: u64, last: u64) -> Done {
    let mut verdict = Verdict::Holds;
    for task in first..=last {
        let status = ended(client, task)?;
        print(&show::line(&status))?;
        if status["stage"] != "validated" {
            verdict = Verdict::Violated;
        }
    }
    Ok(verdict)
}
