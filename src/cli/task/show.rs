//! `seedbed task list` and `workers`: what there is, a line for each.

use clap::Args;
use serde_json::Value;

use super::Door;
use crate::cli::client::{plain, words};
use crate::cli::{Done, Verdict, print};

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed task list --api http://127.0.0.1:7300
  seedbed task list --stage failed --user 3 --api http://127.0.0.1:7300
  seedbed task list --json --api http://127.0.0.1:7300 | jq .stage

A line has the task's number, its stage, its name, and why it failed, if it did.")]
pub(super) struct List {
    #[command(flatten)]
    door: Door,
    /// From this task on.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    from: u64,
    /// At most so many tasks; without it, all.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Only this user's.
    #[arg(long, value_name = "NUMBER")]
    user: Option<u64>,
    /// Only those in this stage of their life.
    #[arg(long, value_parser = ["waiting", "queued", "running", "resting", "validated", "failed", "cancelled"])]
    stage: Option<String>,
    /// Print a JSON object on each line.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Workers {
    #[command(flatten)]
    door: Door,
    /// Print a JSON object on each line.
    #[arg(long)]
    json: bool,
}

/// Tasks of a page.
const PAGE: u64 = 500;

impl List {
    pub(super) fn execute(&self) -> Done {
        let client = self.door.client()?;
        let user = self.user.map_or_else(String::new, |user| format!("&user={user}"));
        let stage = self.stage.as_ref().map_or_else(String::new, |stage| format!("&stage={stage}"));
        let (mut from, mut left) = (Some(self.from), self.limit.unwrap_or(u64::MAX));
        while let Some(first) = from.filter(|_| left > 0) {
            let limit = left.min(PAGE);
            let page = client.get(&format!("/api/v1/tasks?from={first}&limit={limit}{user}{stage}"))?;
            let tasks = page["tasks"].as_array().map_or(&[][..], Vec::as_slice);
            for task in tasks {
                print(&if self.json { format!("{task}\n") } else { line(task) })?;
            }
            left -= limit.min(tasks.len() as u64);
            from = page["next"].as_u64();
        }
        Ok(Verdict::Holds)
    }
}

impl Workers {
    pub(super) fn execute(&self) -> Done {
        let answer = self.door.client()?.get("/api/v1/workers")?;
        for worker in answer["workers"].as_array().into_iter().flatten() {
            print(&if self.json { format!("{worker}\n") } else { about(worker) })?;
        }
        Ok(Verdict::Holds)
    }
}

/// A task in a line.
pub(super) fn line(task: &Value) -> String {
    let word = |name: &str| plain(&words(&task[name]));
    let reason = task["reason"].as_str().map_or_else(String::new, |reason| format!(": {}", plain(reason)));
    format!("{} {} {}{reason}\n", word("task"), word("stage"), word("name"))
}

/// All that is known of a task, or of anything else, a line for each key.
pub(super) fn lines(value: &Value) -> String {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(name, value)| format!("{} {}\n", plain(name), plain(&words(value)))).collect()
}

fn about(worker: &Value) -> String {
    let word = |name: &str| plain(&words(&worker[name]));
    let state = match (worker["is_blacklisted"] == true, worker["is_there"] == true) {
        (true, _) => "blacklisted".to_owned(),
        (_, false) => "gone".to_owned(),
        _ => format!("{} of {} cores free", word("free_cores"), word("cores")),
    };
    let (valid, invalid) = (word("valid"), word("invalid"));
    format!("{} {state}, trust {}, {valid} answers valid and {invalid} not\n", word("worker"), word("trust"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tasks_and_workers_are_told_in_a_line() {
        let failed =
            json!({ "task": 3, "stage": "failed", "name": "a\u{1b}", "reason": "no worker could take it" });
        assert_eq!(line(&failed), "3 failed a\u{fffd}: no worker could take it\n");
        assert_eq!(line(&json!({ "task": 4, "stage": "queued", "name": "b" })), "4 queued b\n");
        let mut worker = json!({
            "worker": 2, "is_there": true, "is_blacklisted": false, "free_cores": 1, "cores": 2, "trust": 5.1,
            "valid": 7, "invalid": 0,
        });
        assert_eq!(about(&worker), "2 1 of 2 cores free, trust 5.1, 7 answers valid and 0 not\n");
        worker["is_there"] = false.into();
        assert_eq!(about(&worker), "2 gone, trust 5.1, 7 answers valid and 0 not\n");
        worker["is_blacklisted"] = true.into();
        assert_eq!(about(&worker), "2 blacklisted, trust 5.1, 7 answers valid and 0 not\n");
    }
}
