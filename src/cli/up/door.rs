//! The doors of the nodes, as a client sees them.

use std::time::Duration;

use seedbed_scenarios::deploy::{Address, Home, Seat};
use serde_json::Value;
use ureq::Agent;

use super::view::Row;
use crate::cli::client::{plain, words};

/// A node that does not answer within this time is not looked at any longer.
const PATIENCE: Duration = Duration::from_millis(500);
/// The longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 4 << 20;

/// Asks the doors of nodes, and nobody for long.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Doors {
    agent: Agent,
    /// Doors that can be reached from other machines want to see it.
    token: Option<String>,
}

impl Doors {
    /// Those of the cluster in this folder.
    pub(in crate::cli) fn of(home: &Home) -> Self {
        // What is asked of a node here goes to that node: never to a proxy, and not where it points.
        let agent =
            Agent::config_builder().proxy(None).max_redirects(0).timeout_global(Some(PATIENCE)).build();
        let token = std::fs::read_to_string(home.token_path()).ok().map(|text| text.trim().to_owned());
        Self { agent: agent.into(), token }
    }

    /// Whether a node says that it is ready.
    pub(super) fn is_ready(&self, api: &Address) -> bool {
        self.agent.get(format!("http://{api}/readyz")).call().is_ok()
    }

    /// What a node tells of itself.
    pub(in crate::cli) fn status(&self, api: &Address) -> Option<Value> {
        let mut request = self.agent.get(format!("http://{api}/api/v1/status"));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut answer = request.call().ok()?;
        let text = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_string().ok()?;
        serde_json::from_str(&text).ok()
    }

    /// The same as a row.
    pub(super) fn row(&self, seat: &Seat) -> Option<Row> {
        self.status(&seat.api).map(|status| row(seat.index, &status))
    }
}

fn row(node: u32, status: &Value) -> Row {
    let text = |value: &Value| plain(value.as_str().unwrap_or_default());
    let facts = status["facts"].as_object();
    let links = status["links"].as_array();
    Row {
        node,
        role: match (status["up"].as_bool(), status["role"].as_str()) {
            (Some(true), Some("") | None) => "up".into(),
            (Some(true), Some(role)) => plain(role),
            _ => "down".into(),
        },
        facts: facts.into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect(),
        life: status["life"].as_u64().and_then(|life| u32::try_from(life).ok()),
        links: links.map(|links| (links.iter().filter(|link| link["up"] == true).count(), links.len())),
        event: status["events"].as_array().and_then(|events| events.last()).and_then(|event| {
            let time = event["wall"].as_str().and_then(|wall| wall.get(11..23)).unwrap_or_default();
            Some((
                event["seq"].as_u64()?,
                format!("{time} {} {}", text(&event["kind"]), words(&event["what"])),
            ))
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_is_read_as_a_row() {
        let event = json!({ "seq": 7, "wall": "2026-11-21T09:59:01.123456789Z", "kind": "notice",
            "what": { "Following": { "leader": 1, "term": 3 } } });
        let status = json!({ "up": true, "role": "follower", "facts": { "leader": "n1" }, "life": 4,
            "links": [{ "peer": 1, "up": true }, { "peer": 2, "up": false }], "events": [event] });
        let row = row(0, &status);
        assert_eq!((row.role.as_str(), row.life, row.links), ("follower", Some(4), Some((1, 2))));
        assert_eq!(row.facts["leader"], "n1");
        assert_eq!(row.event, Some((7, "09:59:01.123 notice Following leader 1 term 3".into())));
    }

    #[test]
    fn a_status_that_makes_no_sense_is_no_trouble() {
        for status in [json!(null), json!([]), json!({ "up": 3, "links": {}, "events": [1], "life": -1 })] {
            assert_eq!(row(3, &status), Row { node: 3, role: "down".into(), ..Row::default() });
        }
    }
}
