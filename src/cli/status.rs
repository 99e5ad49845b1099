//! `seedbed status`: what nodes are at the moment.

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, Entry, plain, words};
use super::{Done, Verdict, print};

/// Show what nodes are at the moment.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed status --api http://127.0.0.1:7200
  seedbed status --api 127.0.0.1:7200 --api 127.0.0.1:7201 --json | jq .facts.leader
  seedbed status --api http://10.0.0.5:7200 --token-file token

A door speaks plain HTTP. From another machine, rather use a tunnel: ssh -L 7200:127.0.0.1:7200 HOST

Exit codes: 0 all are ready, 1 one is not, 2 one cannot be reached.")]
pub(super) struct Status {
    /// The address of a node's door; more than one is allowed.
    #[arg(long, value_name = "URL", required = true)]
    api: Vec<String>,
    #[command(flatten)]
    entry: Entry,
    /// Print JSON, one line per node.
    #[arg(long)]
    json: bool,
}

/// How many of a node's last events are shown, if it is the only one.
const EVENTS_SHOWN: usize = 5;

impl Status {
    pub(super) fn execute(&self) -> Done {
        let clients: Vec<Client> =
            self.api.iter().map(|api| Client::new(api, &self.entry)).collect::<Result<_, _>>()?;
        let (mut statuses, mut unreachable) = (Vec::new(), Vec::new());
        for client in &clients {
            match client.get("/api/v1/status") {
                Ok(mut status) => {
                    status["api"] = client.base().into();
                    statuses.push(status);
                }
                Err(refused) => {
                    statuses.push(json!({ "api": client.base(), "error": refused.to_string() }));
                    unreachable.push(refused.to_string());
                }
            }
        }
        match (self.json, statuses.as_slice()) {
            (true, _) => statuses.iter().try_for_each(|status| print(&format!("{status}\n")))?,
            (false, [status]) if unreachable.is_empty() => print(&(table(&statuses) + &last_events(status)))?,
            (false, [_]) => {}
            (false, _) => print(&table(&statuses))?,
        }
        if !unreachable.is_empty() {
            bail!("{}", unreachable.join("\nerror: "));
        }
        let are_ready = statuses.iter().all(|status| status["up"] == true);
        Ok(if are_ready { Verdict::Holds } else { Verdict::Violated })
    }
}

/// A line for each node, a column for each thing that any of them tells.
fn table(statuses: &[Value]) -> String {
    let mut names: Vec<&String> =
        statuses.iter().filter_map(|s| s["facts"].as_object()).flat_map(|f| f.keys()).collect();
    names.sort();
    names.dedup();
    let head = ["node", "role"].into_iter().chain(names.iter().map(|name| name.as_str()));
    let head = head.chain(["life", "up since", "links", "last event"]).map(ToOwned::to_owned).collect();
    let rows = statuses.iter().map(|status| row(status, &names));
    aligned(&std::iter::once(head).chain(rows).collect::<Vec<Vec<String>>>())
}

fn row(status: &Value, names: &[&String]) -> Vec<String> {
    if status.get("error").is_some() {
        return vec![text(&status["api"]), "unreachable".into()];
    }
    let role = match (status["up"] == true, text(&status["role"])) {
        (false, _) => "down".into(),
        (true, role) if role.is_empty() => "up".into(),
        (true, role) => role,
    };
    let node = match text(&status["name"]) {
        name if name.is_empty() => format!("n{}", status["node"]),
        name => format!("n{} {name}", status["node"]),
    };
    let facts = names.iter().map(|name| text(&status["facts"][name.as_str()]));
    let links = status["links"].as_array().map(Vec::as_slice).unwrap_or_default();
    let up = links.iter().filter(|link| link["up"] == true).count();
    let event = status["events"].as_array().and_then(|events| events.last());
    let ends = [
        status["life"].to_string(),
        since(&text(&status["since"])),
        format!("{up}/{}", links.len()),
        event.map(told).unwrap_or_default(),
    ];
    [node, role].into_iter().chain(facts).chain(ends).map(|cell| plain(&cell)).collect()
}

fn last_events(status: &Value) -> String {
    let events = status["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    let lines = events.iter().skip(events.len().saturating_sub(EVENTS_SHOWN));
    let lines: String = lines.map(|event| format!("  {}\n", plain(&told(event)))).collect();
    if lines.is_empty() { lines } else { format!("\nlast events\n{lines}") }
}

/// `09:33:00.123 notice Leading term 3`.
fn told(event: &Value) -> String {
    let time = text(&event["wall"]);
    let what = match &event["what"] {
        Value::Null => String::new(),
        what => words(what),
    };
    format!("{} {} {what}", time.get(11..23).unwrap_or(&time), text(&event["kind"])).trim_end().to_owned()
}

/// `2026-11-21 09:33:00Z`.
fn since(time: &str) -> String {
    match (time.get(..10), time.get(11..19)) {
        (Some(day), Some(hour)) => format!("{day} {hour}Z"),
        _ => time.to_owned(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Columns as wide as their widest cell.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column| {
        // The last cell of a short row may reach into the columns that it has not.
        let cells = rows.iter().filter(|row| row.len() > column + 1 || row.len() == columns);
        cells.filter_map(|row| row.get(column)).map(|cell: &String| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(node: u32, facts: Value) -> Value {
        json!({
            "node": node, "name": "", "up": true, "role": "follower", "facts": facts, "life": 2,
            "since": "2026-11-21T09:33:00.123Z",
            "links": [{ "up": true }, { "up": false }],
            "events": [{ "wall": "2026-11-21T09:34:00.123456789Z", "kind": "notice", "what": { "Leading": { "term": 3 } } }],
        })
    }

    #[test]
    fn nodes_stand_below_each_other() {
        let statuses = [
            status(0, json!({ "leader": "n0", "term": "3" })),
            status(1, json!({ "chunks": "7" })),
            json!({ "api": "http://127.0.0.1:7202", "error": "gone" }),
        ];
        assert_eq!(
            table(&statuses),
            "node                   role      chunks  leader  term  life  up since              links  last event\n\
             n0                     follower          n0      3     2     2026-11-21 09:33:00Z  1/2    09:34:00.123 notice Leading term 3\n\
             n1                     follower  7                     2     2026-11-21 09:33:00Z  1/2    09:34:00.123 notice Leading term 3\n\
             http://127.0.0.1:7202  unreachable\n"
        );
    }

    #[test]
    fn a_status_that_makes_no_sense_is_no_trouble() {
        for status in [json!({}), json!({ "facts": 1, "links": {}, "events": [3], "since": "é", "life": [] })]
        {
            assert!(table(&[status]).contains("down"));
        }
    }
}
