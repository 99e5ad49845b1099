//! Replicas as subjects of experiments.

use super::forge::ENOUGH;
use super::messages::{Command, Reply};
use super::parameters::{Ask, Load};
use super::{Config, Parameters, Replica, ReplicaProbe};
use crate::contract::{Answer, Check, Dice, Json, Metric, Subject, Turn};
use crate::settings::{Probability, Problem, Span};
use crate::sync::store::Query;
use crate::sync::{DocumentId, Name};

/// Documents of a page that clients read.
const PAGE: u32 = 100;

impl Subject for Replica {
    type Settings = Parameters;
    type Load = Load;
    type Probe = ReplicaProbe;
    const ABOUT: &'static str = "replicated documents: every replica takes writes, and they sync by merging";
    const TELLS_RECORDS: bool = false;
    const SECRET: Option<&'static str> = Some("secret");

    fn config(parameters: &Parameters, nodes: u32) -> Result<Config, String> {
        parameters.consistent().map_err(|(key, message)| format!("`{key}` {message}"))?;
        let each = parameters.differ / u64::from(nodes.max(1));
        if parameters.forged && (each < ENOUGH || each * u64::from(nodes) != parameters.differ) {
            return Err(format!(
                "`forged` needs the same number in `differ` for each node, at least {ENOUGH}"
            ));
        }
        Ok(Config { parameters: parameters.clone(), nodes })
    }

    fn metrics() -> Vec<Metric> {
        let metric = Metric::number;
        vec![
            metric("writes", "", "puts and updates acknowledged"),
            metric("deletions", "", "deletions acknowledged"),
            metric("reads", "", "documents read"),
            metric("refused", "", "commands refused"),
            metric(
                "lost",
                "",
                "acknowledged writes that no replica holds in the end, nor a later one in their place",
            ),
            metric(
                "superseded",
                "",
                "acknowledged writes of which a path shows a later write in the end that had not seen them: concurrent losers",
            ),
            metric(
                "outdated",
                "",
                "acknowledged writes of which a path shows a later write in the end, each of which had seen them",
            ),
            metric("unchecked", "", "acknowledged writes that are not looked for in the end: too many"),
            metric(
                "buried",
                "",
                "acknowledged writes with a stamp below that of what their replica had shown: lost when they were made",
            ),
            metric(
                "resurrected",
                "",
                "documents that are back in the end although their deletion was acknowledged",
            ),
            metric("converged", "", "1 if all replicas hold the same in the end"),
            metric("documents", "", "documents in the end, on the first replica that is up"),
            metric("tombstones", "", "tombstones in the end, on the first replica that is up"),
            metric("collected", "", "tombstones collected, on all replicas together"),
            metric("sessions", "", "sessions ended, by replicas that opened them"),
            metric("given_up", "", "sessions given up"),
            metric("session_bytes", "B", "bytes of all sessions, documents excluded and frames included"),
            metric("document_bytes", "B", "bytes of documents that sessions moved"),
            metric("documents_moved", "", "documents that sessions moved"),
            metric("items_touched", "", "entries, ranges and cells that sessions looked at"),
            metric("refused_from_peers", "", "messages and documents of peers refused"),
            metric("sent", "", "messages sent between replicas"),
            metric(
                "reunion_ms",
                "ms",
                "from healing until all replicas hold the same, as seen when sessions end",
            ),
            metric(
                "reunion_bytes",
                "B",
                "bytes of sessions and of the documents that they moved, in that time",
            ),
            Metric::samples(
                "settle_ms",
                "ms",
                "from a write, or a change of links or nodes, until all replicas hold the same, unless another comes before",
            ),
            Metric::samples(
                "sync_bytes",
                "B",
                "bytes of each session that found a difference, documents excluded",
            ),
            Metric::samples(
                "sync_all_bytes",
                "B",
                "bytes of each session that found a difference, documents included",
            ),
            Metric::samples("sync_round_trips", "", "round trips of each session that found a difference"),
        ]
    }

    fn checks() -> Vec<Check> {
        let check = |name, about| Check { name, about };
        vec![
            check(
                "nothing-acknowledged-is-lost",
                "in the end, if all are up, some replica holds every acknowledged write, or a later one in its place",
            ),
            check(
                "no-resurrection",
                "in the end, what was deleted and not written anew is gone, if all agree",
            ),
            check(
                "writes-exceed-reads",
                "a write's stamp exceeds that of all that its replica has shown of the document",
            ),
            check(
                "monotone-reads",
                "who reads a document twice at one replica reads the same write or a later one",
            ),
        ]
    }

    fn conditions() -> Vec<Check> {
        vec![Check { name: "converged", about: "all replicas are up and hold the same" }]
    }

    fn roles() -> &'static [&'static str] {
        &["replica"]
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let counts = self.store().collections().map(|(name, _)| self.store().count(name.as_str()));
        let (entries, tombstones) = counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        vec![
            ("collections", self.store().collections().count().to_string()),
            ("documents", (entries - tombstones).to_string()),
            ("tombstones", tombstones.to_string()),
        ]
    }

    fn command(load: &Load, turn: Turn, dice: &mut Dice<'_>) -> Option<Command> {
        let collection: Name = load.collection.parse().ok()?;
        let (id, ask) = if load.script.is_empty() {
            (dice.below(load.documents), drawn(load, dice))
        } else {
            (turn.client, *load.script.get(usize::try_from(turn.nth).ok()?)?)
        };
        let id = DocumentId::numbered(id);
        Some(match ask {
            Ask::Put => {
                let fields: Vec<String> =
                    (0..u64::from(load.fields)).map(|nth| field(nth, load, dice)).collect();
                let document = Json::parse(&format!("{{{}}}", fields.join(","))).ok()?;
                Command::PutDocument { collection, id, document, expected: None }
            }
            Ask::Update => {
                let nth = dice.below(u64::from(load.fields));
                let patch = Json::parse(&format!("{{{}}}", field(nth, load, dice))).ok()?;
                Command::UpdateDocument { collection, id, patch, expected: None }
            }
            Ask::Delete => Command::DeleteDocument { collection, id, expected: None },
            Ask::Get => Command::GetDocument { collection, id },
            Ask::Page => {
                Command::ReadCollection { collection, query: Query { limit: PAGE, ..Query::default() } }
            }
        })
    }

    fn mismatch(parameters: &Parameters, load: &Load) -> Option<(&'static str, Problem)> {
        let known = parameters.collections.iter().map(String::as_str);
        let is_known = parameters.collections.contains(&load.collection);
        let problem = || Problem::unknown(Span::default(), "collection", &load.collection, known);
        (!is_known).then(|| ("collection", problem()))
    }

    fn answer(reply: &Reply) -> Answer {
        match reply {
            Reply::Refused(_) => Answer::Failed,
            _ => Answer::Done,
        }
    }
}

/// What is asked by shares of all commands.
fn drawn(load: &Load, dice: &mut Dice<'_>) -> Ask {
    let kind = dice.below(u64::MAX);
    let within = |share: f64| Probability::new(share.min(1.0)).is_some_and(|share| share.happens(kind));
    let (puts, updates, deletes) = (load.puts.value(), load.updates.value(), load.deletes.value());
    match () {
        () if within(puts) => Ask::Put,
        () if within(puts + updates) => Ask::Update,
        () if within(puts + updates + deletes) => Ask::Delete,
        () => Ask::Get,
    }
}

/// A field with a drawn value.
fn field(nth: u64, load: &Load, dice: &mut Dice<'_>) -> String {
    let mut text = format!("{:016x}", dice.below(u64::MAX));
    while text.len() < load.bytes as usize {
        text.push('.');
    }
    text.truncate(load.bytes as usize);
    format!("\"f{nth}\":\"{text}\"")
}
