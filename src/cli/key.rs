//! `seedbed key`: makes keys, shows those of a cluster, replaces them and takes them out.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use seedbed_scenarios::deploy::SecretKey;
use serde_json::{Value, json};

use super::client::{Client, Entry, plain, words};
use super::{Done, Verdict, print};

/// Make the secret key of a node; list, replace and revoke the keys of a running cluster.
#[derive(Args, Debug)]
pub(super) struct Key {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a new secret key to a file that only its owner can read, and print the public one.
    ///
    /// The public key is what other members' files know the node by. A file that is there is never overwritten.
    New {
        /// The file.
        #[arg(default_value = "key")]
        file: PathBuf,
    },
    /// Print the public key that belongs to the secret one in a file.
    Show {
        /// The file.
        #[arg(default_value = "key")]
        file: PathBuf,
    },
    /// List the members of a running cluster with their keys, and the keys that are revoked.
    #[command(after_help = "Example:
  seedbed key list --api http://127.0.0.1:7200")]
    List {
        #[command(flatten)]
        door: Door,
    },
    /// Give a running node a new key. It goes on without a break, as the same member.
    ///
    /// The node makes the key itself and tells all members, signed with the old one. Both are good for the overlap, then
    /// only the new one. Once all members have heard, the node speaks with the new key and the file of the old one is
    /// replaced. Join tokens that the node has issued end with the old key.
    #[command(after_help = "Example:
  seedbed key rotate --api http://127.0.0.1:7200 --token-file token --overlap 1h

Exit codes: 0 all members know, 1 some could not be told yet and will be, 2 it failed: see the message.")]
    Rotate {
        #[command(flatten)]
        door: Door,
        /// How long the old key is good beside the new one: at least the time in which every member can be reached.
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
        overlap: Duration,
    },
    /// Take a member's keys, or one key, out of a running cluster, for good.
    ///
    /// Ask any other member that votes: it tells all. Live connections end, and the keys do not come back, whatever
    /// restarts. The member stays in the count of those who vote; to let its machine in again, give it a new key.
    #[command(after_help = "Examples:
  seedbed key revoke n2 --api http://127.0.0.1:7200 --token-file token
  seedbed key revoke 6qlmw6d7r2mc... --api http://127.0.0.1:7200 --token-file token

Exit codes: 0 all members know, 1 some could not be told yet and will be, 2 it failed: see the message.")]
    Revoke {
        /// The member, such as n2, or the public key.
        #[arg(value_name = "NODE|KEY")]
        who: String,
        #[command(flatten)]
        door: Door,
    },
}

/// The door of a member.
#[derive(Args, Debug)]
struct Door {
    /// The address of the node's door.
    #[arg(long, value_name = "URL")]
    api: String,
    #[command(flatten)]
    entry: Entry,
}

impl Key {
    pub(super) fn execute(&self) -> Done {
        match &self.action {
            Action::New { file } => {
                let key = SecretKey::generate()?;
                key.save(file)?;
                print(&format!("{}\n", key.public()))?;
            }
            Action::Show { file } => print(&format!("{}\n", SecretKey::load(file)?.public()))?,
            Action::List { door } => print(&list(&door.client()?.get("/api/v1/members")?))?,
            Action::Rotate { door, overlap } => return rotate(door, *overlap),
            Action::Revoke { who, door } => return revoke(door, who),
        }
        Ok(Verdict::Holds)
    }
}

impl Door {
    fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.api, &self.entry)
    }
}

fn rotate(door: &Door, overlap: Duration) -> Done {
    let done = door.client()?.post("/api/v1/keys/rotate", &json!({ "overlap_s": overlap.as_secs() }))?;
    let text = format!(
        "n{} has the key {}; the old one, {}, ends at {}\n",
        done["node"],
        words(&done["new"]),
        words(&done["old"]),
        time(&done["until"])
    );
    print(&plain_lines(&text))?;
    told(&done)
}

fn revoke(door: &Door, who: &str) -> Done {
    let done = door.client()?.post("/api/v1/keys/revoke", &target(who)?)?;
    let keys = done["revoked"].as_array().map(Vec::as_slice).unwrap_or_default();
    match keys {
        [] => print(&format!("{who} has no key any more\n"))?,
        keys => keys.iter().try_for_each(|key| print(&plain_lines(&format!("revoked {}\n", words(key)))))?,
    }
    told(&done)
}

/// A member by its number, or a key.
fn target(who: &str) -> anyhow::Result<Value> {
    let number = who.strip_prefix('n').unwrap_or(who);
    if number.len() <= 10
        && let Ok(node) = number.parse::<u32>()
    {
        return Ok(json!({ "node": node }));
    }
    match who.len() {
        52 => Ok(json!({ "key": who })),
        _ => bail!("`{who}` is neither a member, such as n2, nor a public key of 52 letters and digits"),
    }
}

/// Whether all members have heard of it.
fn told(done: &Value) -> Done {
    let behind = done["behind"].as_array().context("the answer makes no sense")?;
    if behind.is_empty() {
        return Ok(Verdict::Holds);
    }
    let nodes = behind.iter().map(|node| format!("n{node}")).collect::<Vec<_>>().join(", ");
    print(&plain_lines(&format!("not told yet, as they cannot be reached: {nodes}\n")))?;
    Ok(Verdict::Violated)
}

fn list(members: &Value) -> String {
    let mut text = String::new();
    for (node, member) in members["members"].as_object().into_iter().flatten() {
        let vote = if member["votes"] == true { "votes" } else { "does not vote" };
        text += &format!("n{node}  {}  {vote}\n", words(&member["address"]));
        for (key, until) in member["keys"].as_object().into_iter().flatten() {
            let end = if until.is_null() { String::new() } else { format!("  until {}", time(until)) };
            text += &format!("    {key}{end}\n");
        }
    }
    for key in members["revoked"].as_array().into_iter().flatten() {
        text += &format!("revoked  {}\n", words(key));
    }
    plain_lines(&text)
}

fn time(seconds: &Value) -> String {
    let since = Duration::from_secs(seconds.as_u64().unwrap_or_default());
    let time = SystemTime::UNIX_EPOCH.checked_add(since).map(humantime::format_rfc3339_seconds);
    time.map_or_else(String::new, |time| time.to_string())
}

/// What comes from a node, fit for a terminal, line by line.
fn plain_lines(text: &str) -> String {
    text.lines().map(|line| plain(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_or_a_key_is_meant() {
        let key = "a4dqobyha4dqobyha4dqobyha4dqobyha4dqobyha4dqobyha4dq";
        for who in ["2", "n2"] {
            assert_eq!(target(who).unwrap(), json!({ "node": 2 }));
        }
        assert_eq!(target(key).unwrap(), json!({ "key": key }));
        for who in ["", "n", "x2", "99999999999", &key[1..]] {
            assert!(target(who).is_err(), "{who}");
        }
    }

    #[test]
    fn members_stand_with_their_keys_and_cannot_steer_a_terminal() {
        let members = json!({
            "members": { "0": { "address": "host:1\u{1b}", "votes": true, "keys": { "abc": null, "old": 0 } } },
            "revoked": ["xyz"],
        });
        let told = "n0  host:1\u{fffd}  votes\n    abc\n    old  until 1970-01-01T00:00:00Z\nrevoked  xyz\n";
        assert_eq!(list(&members), told);
    }
}
