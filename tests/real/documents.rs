//! Three replicas take writes while they are killed and cut apart: whatever was acknowledged is on all of them in the end.
//!
//! `SEEDBED_STORM_SECONDS=60 cargo test --release --test real documents -- --nocapture` lets the storm last a minute.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Request;

use crate::bed::{Bed, Told, within};

const THREE: &str = r#"
name = "three"
protocol = "documents"
nodes = 3
faults = true

[params]
every = "200ms"
collections = []
"#;

const NODES: u32 = 3;
/// Clients of each replica.
const CLIENTS: u32 = 2;
/// Documents that a client has for itself.
const OWN: u64 = 40;
/// Documents that all clients write to, each in a field of its own.
const SHARED: u64 = 10;
/// How much more memory a replica may hold after more writes to the same few documents. In a debug build, three million
/// writes let it come to 56 MB, and most of that in the first hundred thousand.
const GROWTH_MAX: u64 = 16 << 20;

/// What a document, or a field of one, may be: a number, or not there.
type State = Option<u64>;

/// What may have become of something that a single client writes: the last state that was acknowledged, and all that were
/// asked for after it without an answer.
#[derive(Clone, Debug, Default)]
struct Fate {
    acknowledged: State,
    unanswered: Vec<State>,
}

impl Fate {
    fn may_be(&self, state: State) -> bool {
        self.acknowledged == state || self.unanswered.contains(&state)
    }
}

/// A client of one replica, and the log that it keeps.
struct Client {
    agent: Agent,
    base: String,
    token: String,
    number: u32,
    log: BTreeMap<String, Fate>,
    round: u64,
    written: u64,
    unanswered: u64,
}

fn agent() -> Agent {
    let limit = Some(Duration::from_secs(20));
    Agent::config_builder().proxy(None).http_status_as_error(false).timeout_global(limit).build().into()
}

fn id(client: u32, number: u64) -> String {
    format!("00000000-{client:04x}-7000-8000-{number:012x}")
}

/// The documents that nobody has for itself.
const NOBODY: u32 = 0xFFFF;

impl Client {
    fn new(bed: &Bed, node: u32, number: u32) -> Self {
        let base = format!("http://{}/api/v1/collections/storm", bed.api(node).expect("a door"));
        let (log, token) = (BTreeMap::new(), bed.token());
        Self { agent: agent(), base, token, number, log, round: 0, written: 0, unanswered: 0 }
    }

    /// One request; its status, if it was answered.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Option<u16> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Content-Type", "application/json");
        let answer = match body {
            Value::Null => self.agent.run(request.body(()).expect("a request")),
            body => self.agent.run(request.body(body.to_string()).expect("a request")),
        };
        let mut answer = answer.ok()?;
        let status = answer.status().as_u16();
        // Read to its end, so that the connection is used again.
        answer.body_mut().read_to_string().ok()?;
        (status < 500).then_some(status)
    }

    /// Writes, and keeps in its log what came of it.
    fn write(&mut self, key: String, state: State, method: &str, path: &str, body: &Value) {
        let status = self.ask(method, path, body);
        let fate = self.log.entry(key).or_default();
        match status {
            Some(200 | 201 | 204) => {
                *fate = Fate { acknowledged: state, unanswered: Vec::new() };
                self.written += 1;
            }
            // What is to be deleted is not there: so nothing that was acknowledged may be.
            Some(404) if method == "DELETE" => {
                assert!(fate.may_be(None), "{method} {path} finds nothing, and it should be {fate:?}");
                *fate = Fate::default();
            }
            Some(status) => panic!("{method} {path} is answered {status}"),
            None => {
                fate.unanswered.push(state);
                self.unanswered += 1;
                thread::sleep(Duration::from_millis(10));
            }
        }
    }

    fn run(&mut self, is_over: &AtomicBool) {
        while !is_over.load(Ordering::Relaxed) {
            self.round += 1;
            let round = self.round;
            // Numbers that are no multiples of each other, so that everything meets everything.
            let own = id(self.number, round % OWN);
            let path = format!("/documents/{own}");
            match round % 7 {
                0..=3 => self.write(own, Some(round), "PUT", &path, &json!({ "n": round })),
                4 => self.write(own, None, "DELETE", &path, &Value::Null),
                _ => {
                    let shared = id(NOBODY, round % SHARED);
                    let field = format!("c{}", self.number);
                    let path = format!("/documents/{shared}");
                    let patch = json!({ field.as_str(): round });
                    self.write(format!("{shared} {field}"), Some(round), "PATCH", &path, &patch);
                }
            }
        }
    }
}

/// Lets clients write until this is done.
fn meanwhile<T>(clients: &mut [Client], doing: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for client in clients {
            scope.spawn(|| client.run(&is_over));
        }
        // Ends the clients, whatever becomes of it.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(doing));
        is_over.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What a replica holds: documents by name, each with its version.
fn held(bed: &Bed, node: u32) -> Option<BTreeMap<String, (String, Value)>> {
    let (mut held, mut after) = (BTreeMap::new(), String::new());
    loop {
        let page = bed.ask(node, &format!("/api/v1/collections/storm/documents?limit=500{after}"))?;
        for found in page["documents"].as_array()? {
            let version = found["version"].as_str()?.to_owned();
            held.insert(found["_id"].as_str()?.to_owned(), (version, found["document"].clone()));
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return Some(held),
        }
    }
}

/// What a line of a client's log is about.
fn state(held: &BTreeMap<String, (String, Value)>, key: &str) -> State {
    let (id, field) = key.split_once(' ').unwrap_or((key, "n"));
    held.get(id)?.1[field].as_u64()
}

/// What is done to the replicas while clients write.
#[derive(Debug, Default)]
struct Storm {
    kills: u32,
    cuts: u32,
    bytes_sent: u64,
}

impl Storm {
    fn rage(&mut self, bed: &mut Bed, seconds: u64) {
        let end = Instant::now() + Duration::from_secs(seconds);
        for round in 0u32.. {
            if Instant::now() >= end && self.kills >= NODES {
                return;
            }
            let victim = round % NODES;
            if round % 2 == 0 {
                self.look(bed, victim);
                bed.kill(victim);
                self.kills += 1;
                thread::sleep(Duration::from_millis(100));
                bed.restart(victim);
                within("the next life", || bed.status(victim).filter(|status| status["up"] == true));
            } else {
                let others: Vec<u32> = (0..NODES).filter(|other| *other != victim).collect();
                bed.cut(victim, if round % 4 == 1 { &others } else { &others[..1] });
                self.cuts += 1;
                // In a storm that has the time for it, some are longer than sessions wait for each other.
                let is_long = seconds >= 30 && self.cuts.is_multiple_of(5);
                thread::sleep(Duration::from_millis(if is_long { 3_000 } else { 400 }));
                bed.cut(victim, &[]);
            }
        }
    }

    /// What a process has sent, before it ends.
    fn look(&mut self, bed: &Bed, node: u32) {
        let metrics = bed.text(node, "/metrics").expect("a door");
        let sent =
            metrics.lines().find_map(|line| line.strip_prefix("seedbed_link_total{what=\"bytes_sent\"} "));
        self.bytes_sent += sent.expect("links count").parse::<u64>().expect("a number");
    }
}

/// What the process of a replica holds in memory, in bytes.
fn memory(bed: &Bed, node: u32) -> u64 {
    let pid = bed.process(node).expect("it runs").pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// Every replica holds the same, and of each line of the clients' logs what that may be. How many lines there are.
fn check(bed: &Bed, clients: &[Client]) -> usize {
    let all = within("all replicas to hold the same", || {
        let all: Vec<_> = (0..NODES).map(|node| held(bed, node)).collect::<Option<_>>()?;
        all.windows(2).all(|pair| pair[0] == pair[1]).then_some(all)
    });
    for (key, fate) in clients.iter().flat_map(|client| &client.log) {
        for (node, held) in all.iter().enumerate() {
            let state = state(held, key);
            assert!(fate.may_be(state), "n{node}: {key} is {state:?}, and should be {fate:?}");
        }
    }
    clients.iter().map(|client| client.log.len()).sum()
}

#[test]
fn what_was_acknowledged_is_on_every_replica_after_kills_and_cuts() {
    let seconds = std::env::var("SEEDBED_STORM_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let mut bed = Bed::up_with("documents", "three", THREE, &[]);
    let first = Client::new(&bed, 0, NOBODY);
    assert_eq!(first.ask("PUT", "", &Value::Null), Some(201));
    for number in 0..SHARED {
        let path = format!("/documents/{}", id(NOBODY, number));
        assert_eq!(first.ask("PUT", &path, &json!({})), Some(201));
    }
    within("the documents on all replicas", || {
        (0..NODES).all(|node| held(&bed, node).is_some_and(|held| held.len() as u64 == SHARED)).then_some(())
    });

    let mut storm = Storm::default();
    let mut clients: Vec<Client> =
        (0..NODES * CLIENTS).map(|number| Client::new(&bed, number % NODES, number)).collect();
    meanwhile(&mut clients, || storm.rage(&mut bed, seconds));
    let checked = check(&bed, &clients);
    let count = |of: fn(&Client) -> u64| clients.iter().map(of).sum::<u64>();
    let (written, unanswered) = (count(|client| client.written), count(|client| client.unanswered));
    (0..NODES).for_each(|node| storm.look(&bed, node));
    println!(
        "{written} writes acknowledged, {unanswered} not answered, {checked} states checked on each replica: {storm:?}"
    );
    assert!(written > 100 && unanswered > 0, "{written} written, {unanswered} not answered");
    assert!(storm.bytes_sent > 0, "{storm:?}");

    // A process that is never killed: half the time to come to its size, and half to keep it.
    let half = Duration::from_millis(seconds * 250);
    meanwhile(&mut clients, || thread::sleep(half));
    let before: Vec<u64> = (0..NODES).map(|node| memory(&bed, node)).collect();
    meanwhile(&mut clients, || thread::sleep(half));
    let after: Vec<u64> = (0..NODES).map(|node| memory(&bed, node)).collect();
    check(&bed, &clients);
    let more = clients.iter().map(|client| client.written).sum::<u64>() - written;
    println!("{more} more writes without faults: bytes of memory half-way {before:?}, at the end {after:?}");
    let grown = before.iter().zip(&after).any(|(before, after)| *after > before + GROWTH_MAX);
    assert!(!grown, "bytes of memory {before:?}, then {after:?}");
}

/// `seedbed docs` as a user types it, against this replica.
fn docs(bed: &Bed, node: u32, arguments: &[&str]) -> Told {
    let api = bed.api(node).expect("a door");
    let door = ["--api", &api, "--token-file", "three/token"];
    bed.seedbed(["docs"].iter().chain(arguments).chain(&door))
}

#[test]
fn the_command_reads_and_writes_documents_at_any_replica() {
    const LINES: usize = 2_500;
    let mut bed = Bed::up_with("docs", "three", THREE, &[]);
    let done = |told: Told| {
        assert_eq!(told.code, Some(0), "{told:?}");
        told.out
    };
    done(docs(&bed, 0, &["create", "people", "--schema", r#"{"fields":{"/visits":"counter"}}"#]));
    assert_eq!(done(docs(&bed, 0, &["list"])), "people\n");
    let added = done(docs(&bed, 0, &["add", "people", r#"{"name":"Anna","age":37}"#]));
    let (id, version) = added.trim().split_once(' ').expect("name and version");
    let expected = format!("{{\"_id\":\"{id}\",\"age\":37,\"name\":\"Anna\"}}\n");
    within("the document at another replica", || {
        let told = docs(&bed, 2, &["get", "people", id]);
        (told.out == expected && told.err.contains(version)).then_some(())
    });
    done(docs(&bed, 2, &["patch", "people", id, r#"{"age":38}"#, "--if-match", version]));
    let stale = docs(&bed, 2, &["patch", "people", id, r#"{"age":39}"#, "--if-match", version]);
    assert_eq!(
        (stale.code, stale.err.contains("has changed since it was read")),
        (Some(1), true),
        "{stale:?}"
    );

    let lines: String =
        (0..LINES).map(|n| format!("{{\"n\":{n},\"text\":\"{}\"}}\n", "x".repeat(100))).collect();
    bed.write("lines.jsonl", &(lines + "[]\n"));
    let import = |more: &[&str]| docs(&bed, 0, &[&["import", "lines", "lines.jsonl"], more].concat());
    let broken = import(&["--create"]);
    assert_eq!(broken.code, Some(2), "{broken:?}");
    for told in ["2500 documents imported", "--skip 2500", "line 2501: it is no JSON object"] {
        assert!(broken.err.contains(told), "{told}: {broken:?}");
    }
    // Again, in part and as a whole: the same documents.
    assert_eq!(import(&["--skip", "2400"]).code, Some(2));
    let exported = done(docs(&bed, 0, &["export", "lines"]));
    let numbers: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["n"].clone())
        .collect();
    assert_eq!(numbers, (0..LINES).map(Value::from).collect::<Vec<_>>());
    within("all of it at another replica", || {
        (docs(&bed, 1, &["export", "lines"]).out == exported).then_some(())
    });
    let few = done(docs(&bed, 1, &["query", "lines", "--where", "/n<10", "--sort", "-/n", "--limit", "3"]));
    assert_eq!(few.lines().count(), 3);
    assert!(few.starts_with("{\"_id\":") && few.contains("\"n\":9"), "{few}");
    let feed = docs(&bed, 1, &["feed", "lines"]);
    // What is written again meanwhile is told again.
    let told: BTreeMap<String, Value> = feed
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|line| (line["_id"].as_str().expect("a name").to_owned(), line))
        .collect();
    assert_eq!((feed.code, told.len(), feed.err.contains("--after ")), (Some(0), LINES, true));

    let token = feed.err.split("--after ").nth(1).expect("a token").trim();
    let elsewhere = docs(&bed, 2, &["feed", "lines", "--follow", "--after", token]);
    assert_eq!(
        (elsewhere.code, elsewhere.err.contains("run it again without --after")),
        (Some(1), true),
        "{elsewhere:?}"
    );

    // Written on both sides of a cut, a field keeps both values, and readers are told.
    done(docs(&bed, 0, &["create", "notes", "--schema", r#"{"fields":{"/tag":"multi_value"}}"#]));
    let added = done(docs(&bed, 0, &["add", "notes", "{}"]));
    let (note, _) = added.trim().split_once(' ').expect("name and version");
    within("the note at another replica", || {
        (docs(&bed, 2, &["get", "notes", note]).code == Some(0)).then_some(())
    });
    bed.cut(2, &[0, 1]);
    done(docs(&bed, 0, &["patch", "notes", note, r#"{"tag":"a"}"#]));
    done(docs(&bed, 2, &["patch", "notes", note, r#"{"tag":"b"}"#]));
    bed.cut(2, &[]);
    for node in 0..NODES {
        let told = within("both values", || {
            let told = docs(&bed, node, &["get", "notes", note, "--siblings"]).out;
            told.contains("siblings").then_some(told)
        });
        let told: Value = serde_json::from_str(&told).expect("JSON");
        let values = told["siblings"]["/tag"].as_array().expect("values");
        assert_eq!((values.len(), &values[0]), (2, &told["document"]["tag"]), "{told}");
        assert!(values.contains(&"a".into()) && values.contains(&"b".into()), "{told}");
    }

    done(docs(&bed, 0, &["delete", "people", id]));
    done(docs(&bed, 0, &["drop", "people"]));
    for (arguments, code, told) in [
        (&["get", "people", id][..], 1, "no such collection"),
        (&["create", "lines"], 1, "exists already"),
        (&["get", "lines", "mine"], 2, "UUID of version 7"),
        (&["add", "lines", "{"], 2, "is not JSON"),
        (&["add", "lines", "[]"], 2, "a document is a JSON object"),
        (&["query", "lines", "--where", "n=1"], 2, "expected a path"),
        (&["import", "lines", "nothing.jsonl"], 2, "nothing.jsonl cannot be read"),
        (&["import", "nowhere", "lines.jsonl"], 1, "no such collection"),
    ] {
        let refused = docs(&bed, 0, arguments);
        assert!(refused.code == Some(code) && refused.err.contains(told), "{arguments:?}: {refused:?}");
    }
    let api = bed.api(0).expect("a door");
    let stranger = bed.seedbed(["docs", "create", "mine", "--api", &api]);
    assert!(stranger.code == Some(2) && stranger.err.contains("--token-file"), "{stranger:?}");
    bed.kill(0);
    let gone = bed.seedbed(["docs", "list", "--api", &api]);
    assert!(gone.code == Some(2) && gone.err.contains("cannot be reached"), "{gone:?}");
}
