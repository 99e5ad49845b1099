//! `status`, `events` and `ask` against the door of a node.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use seedbed::contract::{Life, NodeId};
use seedbed_transport::door::events::{EventLog, Happening, Kind};
use seedbed_transport::door::{BoxFuture, Door, Failure, Figure, LinkStatus, Node, Settings, Status, Token};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::bed::{Bed, Told};

const TOKEN: &str = "sesame-sesame-sesame";

/// A node that is nothing behind its door.
#[derive(Debug)]
struct Puppet {
    node: NodeId,
    log: EventLog,
    up: AtomicBool,
}

impl Node for Puppet {
    fn status(&self) -> Status {
        Status {
            node: self.node,
            name: "anna".into(),
            up: self.up.load(Ordering::Relaxed),
            life: Life(2),
            since: Some("2026-11-21T09:33:00.123Z".into()),
            role: "leader".into(),
            facts: [("leader".into(), "n0".into()), ("term".into(), "3".into())].into(),
            links: vec![LinkStatus { up: true, ..LinkStatus::default() }, LinkStatus::default()],
            events: self.log.last(10),
            ..Status::default()
        }
    }

    fn is_ready(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    fn events(&self) -> &EventLog {
        &self.log
    }

    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }

    fn command(&self, command: Value) -> BoxFuture<'_, Result<Value, Failure>> {
        Box::pin(async move {
            match command.as_str() {
                Some("Die") => Err(Failure::Down),
                Some(word) => Ok(json!({ "Echo": word })),
                None => Err(Failure::Unreadable("expected a word".into())),
            }
        })
    }
}

/// A door in this process.
struct Stand {
    puppet: Arc<Puppet>,
    door: Option<Door>,
    address: SocketAddr,
    runtime: Runtime,
}

impl Stand {
    fn new(node: u32) -> Self {
        Self::with(node, EventLog::new(), "127.0.0.1:0")
    }

    fn with(node: u32, log: EventLog, listen: &str) -> Self {
        let runtime = Runtime::new().expect("threads");
        let puppet = Arc::new(Puppet { node: NodeId(node), log, up: true.into() });
        let settings = Settings::new(listen.parse().expect("an address"))
            .with_token(Token::new(TOKEN).expect("long enough"));
        let door = runtime
            .block_on(Door::open(settings, Arc::clone(&puppet) as Arc<dyn Node>))
            .expect("somewhere to listen");
        let address = SocketAddr::from(([127, 0, 0, 1], door.address().port()));
        Self { puppet, door: Some(door), address, runtime }
    }

    fn api(&self) -> String {
        format!("http://{}", self.address)
    }

    fn happens(&self, number: u64) {
        self.puppet.log.append(Happening {
            node: self.puppet.node,
            life: Life(2),
            step: number,
            wall: "2026-11-21T09:34:00.123456789Z".into(),
            steady_ns: number,
            kind: Kind::Notice,
            what: json!({ "Leading": { "term": number } }),
        });
    }

    /// Closes the door; its events, for the next one.
    fn close(mut self) -> EventLog {
        let door = self.door.take().expect("open so far");
        self.runtime.block_on(door.close());
        self.puppet.log.clone()
    }
}

fn refused(told: &Told, words: &[&str]) {
    assert_eq!((told.code, told.out.as_str()), (2, ""), "{}", told.err);
    assert!(told.err.starts_with("error: "), "{}", told.err);
    for word in words {
        assert!(told.err.contains(word), "{word} is not in {}", told.err);
    }
}

#[test]
fn status_shows_a_node_in_a_line_with_its_last_events() {
    let (bed, stand) = (Bed::new("status"), Stand::new(0));
    (1..=7).for_each(|number| stand.happens(number));
    let told = bed.seedbed(["status", "--api", &stand.api()]);
    let line = |number| format!("  09:34:00.123 notice Leading term {number}\n");
    let table = "node     role    leader  term  life  up since              links  last event\n\
                 n0 anna  leader  n0      3     2     2026-11-21 09:33:00Z  1/2    09:34:00.123 notice Leading term 7\n";
    let events: String = (3..=7).map(line).collect();
    assert_eq!((told.code, told.out), (0, format!("{table}\nlast events\n{events}")), "{}", told.err);
}

#[test]
fn status_of_several_nodes_is_that_of_the_worst() {
    let (bed, first, second) = (Bed::new("statuses"), Stand::new(0), Stand::new(1));
    let both = [first.api(), second.api()];
    let ask = |more: &[&str]| {
        let apis = both.iter().flat_map(|api| ["--api", api]);
        bed.seedbed(["status"].into_iter().chain(apis).chain(more.iter().copied()))
    };
    assert_eq!(ask(&[]).code, 0);
    second.puppet.up.store(false, Ordering::Relaxed);
    let told = ask(&[]);
    assert_eq!((told.code, told.out.lines().count()), (1, 3), "{}", told.err);
    assert!(told.out.lines().nth(2).unwrap().starts_with("n1 anna  down"), "{}", told.out);

    second.close();
    let told = ask(&[]);
    assert_eq!(told.code, 2);
    assert!(told.out.contains("n0 anna") && told.out.contains("unreachable"), "{}", told.out);
    assert!(told.err.contains(&both[1]) && told.err.contains("is the node running"), "{}", told.err);

    let told = ask(&["--json"]);
    assert_eq!(told.code, 2);
    let lines: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["api"], &lines[0]["facts"]["term"]), (&json!(both[0]), &json!("3")));
    assert!(lines[1]["error"].as_str().unwrap().contains("cannot be reached"));
}

#[test]
fn what_is_no_door_is_said_to_be_none() {
    let bed = Bed::new("no-door");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stranger = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
            let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
        }
    });
    refused(&bed.seedbed(["status", "--api", &stranger]), &["not the door of a node", "is the port right?"]);
    for command in ["status", "events"] {
        refused(&bed.seedbed([command, "--api", "127.0.0.1:1"]), &["127.0.0.1:1 cannot be reached", "[api]"]);
        refused(&bed.seedbed([command, "--api", "https://127.0.0.1"]), &["plain HTTP", "http://HOST:PORT"]);
        refused(&bed.seedbed([command, "--api", "http:///"]), &["http://HOST:PORT"]);
    }
}

#[test]
fn a_door_to_the_world_asks_for_the_token() {
    let (bed, stand) = (Bed::new("token"), Stand::with(0, EventLog::new(), "0.0.0.0:0"));
    let api = stand.api();
    for command in ["status", "events"] {
        refused(&bed.seedbed([command, "--api", &api]), &["--token-file"]);
        bed.write("wrong", "open-open-open-open");
        refused(&bed.seedbed([command, "--api", &api, "--token-file", "wrong"]), &["--token-file"]);
        bed.write("right", format!("{TOKEN}\n"));
        let told = bed.seedbed([command, "--api", &api, "--token-file", "right"]);
        assert_eq!(told.code, 0, "{}", told.err);
    }
    refused(&bed.seedbed(["status", "--api", &api, "--token-file", "none"]), &["none cannot be read"]);
    bed.write("empty", "\n");
    refused(&bed.seedbed(["status", "--api", &api, "--token-file", "empty"]), &["holds no token"]);
}

#[test]
fn events_are_lines_from_where_one_asks() {
    let (bed, stand) = (Bed::new("events"), Stand::new(0));
    (1..=9).for_each(|number| stand.happens(number));
    let api = stand.api();
    let told = bed.seedbed(["events", "--api", &api, "--after", "7"]);
    assert_eq!(
        (told.code, told.out.as_str()),
        (
            0,
            "    8  2026-11-21T09:34:00.123456Z  n0  life 2  step 8       notice      Leading term 8\n    \
             9  2026-11-21T09:34:00.123456Z  n0  life 2  step 9       notice      Leading term 9\n"
        ),
        "{}",
        told.err
    );
    let told = bed.seedbed(["events", "--api", &api, "--json"]);
    let seqs: Vec<Value> =
        told.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].clone()).collect();
    assert_eq!(json!(seqs), json!([1, 2, 3, 4, 5, 6, 7, 8, 9]));
    let told = bed.seedbed(["events", "--api", &api, "--after", "99"]);
    assert_eq!((told.code, told.out.lines().count()), (0, 9));
    assert_eq!(told.err, "(the node's log began anew)\n");
}

/// The command, as it follows a node; it ends with the test.
struct Follower {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
}

impl Follower {
    fn new(bed: &Bed, api: &str) -> Self {
        let mut command = bed.command(["events", "--api", api, "--follow", "--json"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the command runs");
        let out = child.stdout.take().map(BufReader::new);
        Self { child, out }
    }

    fn next(&mut self) -> u64 {
        let mut line = String::new();
        self.out.as_mut().expect("piped").read_line(&mut line).expect("a line");
        serde_json::from_str::<Value>(&line).expect("JSON")["seq"].as_u64().expect("a number")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn who_follows_hears_each_event_once_even_if_the_node_goes_away_for_a_while() {
    let (bed, stand) = (Bed::new("follow"), Stand::new(0));
    stand.happens(1);
    let mut follower = Follower::new(&bed, &stand.api());
    assert_eq!(follower.next(), 1);
    stand.happens(2);
    assert_eq!(follower.next(), 2);
    let address = stand.address.to_string();
    let log = stand.close();
    let again = Stand::with(0, log, &address);
    again.happens(3);
    assert_eq!(follower.next(), 3);
    // And ends when nobody listens.
    follower.out = None;
    while follower.child.try_wait().expect("a child").is_none() {
        again.happens(4);
        std::thread::yield_now();
    }
    assert_eq!(follower.child.wait().expect("ended").code(), Some(0));
}

#[test]
fn ask_prints_the_reply_or_why_there_is_none() {
    let (bed, stand) = (Bed::new("ask"), Stand::new(0));
    bed.write("token", TOKEN);
    let api = stand.api();
    let ask = |command| bed.seedbed(["ask", "--api", &api, "--token-file", "token", command]);
    let told = ask("\"Hello\"");
    assert_eq!((told.code, told.out.as_str()), (0, "{\"Echo\":\"Hello\"}\n"), "{}", told.err);
    refused(&ask("Hello"), &["`Hello` is not JSON", "quotes of its own"]);
    refused(&ask("{}"), &["expected a word"]);
    refused(&bed.seedbed(["ask", "--api", &api, "\"Hello\""]), &["--token-file"]);
    let told = ask("\"Die\"");
    assert_eq!((told.code, told.out.as_str()), (1, ""));
    assert!(told.err.contains("is down"), "{}", told.err);
}

#[test]
fn help_has_examples() {
    let bed = Bed::new("door-help");
    for command in ["status", "events", "ask"] {
        let told = bed.seedbed([command, "--help"]);
        assert_eq!(told.code, 0);
        assert!(told.out.contains(&format!("seedbed {command} --api http://127.0.0.1:7200")), "{}", told.out);
        assert!(told.out.contains("Exit codes"), "{}", told.out);
    }
}
