//! Events: the log, the stream of them, the file that survives.

use std::collections::VecDeque;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use proptest::prelude::*;
use seedbed_core::contract::{Effect, EffectOf, Input, Life, Members, NodeId, Protocol, Tag, Time};
use seedbed_core::election::Notice;
use seedbed_core::election::raft::{Config, Parameters, Raft, Record};
use seedbed_transport::door::events::{Event, EventLog, Gap, Happening, Kind, Observer, WHAT_MAX};
use seedbed_transport::host::{Moment, Watch};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::bed::{Bed, Puppet, answer, chunk, happening, rest, until};

/// The numbers of the events in a piece of a stream.
fn ids(text: &str) -> Vec<u64> {
    text.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().unwrap()).collect()
}

async fn listen(bed: &Bed, path: &str, headers: &str) -> TcpStream {
    let mut stream = bed.connect().await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
    stream
}

/// Reads a stream until it has brought so many events.
async fn heard(stream: &mut TcpStream, count: usize) -> String {
    let mut text = String::new();
    while ids(&text).len() < count {
        text += &chunk(stream).await.expect("more");
    }
    text
}

#[tokio::test]
async fn a_stream_brings_what_was_and_then_what_happens() {
    let bed = Bed::new().await;
    (1..=3).for_each(|number| assert_eq!(bed.happens(number), number));
    let mut stream = listen(&bed, "/api/v1/events", "").await;
    let text = heard(&mut stream, 3).await;
    assert_eq!(ids(&text), [1, 2, 3]);
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let event: Event = serde_json::from_str(data).unwrap();
    assert_eq!(event, Event { seq: 1, happening: happening(1) });
    bed.happens(4);
    assert_eq!(ids(&heard(&mut stream, 1).await), [4]);
}

#[tokio::test]
async fn a_client_that_comes_back_goes_on_where_it_was() {
    let bed = Bed::new().await;
    (1..=9).for_each(|number| assert_eq!(bed.happens(number), number));
    for (path, headers, first) in [
        ("/api/v1/events?follow=false&after=5", "", 6),
        ("/api/v1/events?follow=false", "Last-Event-ID: 7\r\n", 8),
        // The browser's own memory is newer than the address it was given.
        ("/api/v1/events?after=2&follow=false", "Last-Event-ID: 8\r\n", 9),
    ] {
        let mut stream = listen(&bed, path, headers).await;
        let mut text = String::new();
        while let Some(more) = chunk(&mut stream).await {
            text += &more;
        }
        assert_eq!(ids(&text), (first..=9).collect::<Vec<_>>(), "{path} {headers}");
        assert!(!text.contains("event: gap"));
    }
    for path in ["/api/v1/events?after=-1", "/api/v1/events?after=five", "/api/v1/events?follow=maybe"] {
        assert_eq!(bed.get(path).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn who_is_too_slow_is_told_how_much_is_missing() {
    let puppet = Puppet { log: EventLog::with_capacity(4), ..Puppet::default() };
    let bed = Bed::with(puppet, |_| {}).await;
    (1..=10).for_each(|number| assert_eq!(bed.happens(number), number));
    let answer = bed.get("/api/v1/events?follow=false&after=2").await;
    assert_eq!(ids(&answer.body), [7, 8, 9, 10]);
    let gap = answer.body.find("event: gap").unwrap();
    assert!(gap < answer.body.find("id: 7").unwrap(), "told before what comes after it");
    assert!(
        answer.body.contains(r#"data: {"after":2,"gap":{"missed":4,"why":"dropped"}}"#),
        "{}",
        answer.body
    );
    // Who asks for nothing in particular misses nothing.
    assert!(!bed.get("/api/v1/events?follow=false").await.body.contains("gap"));
}

#[tokio::test]
async fn who_knows_more_than_the_log_is_told_that_it_began_anew() {
    let bed = Bed::new().await;
    bed.happens(1);
    let answer = bed.get("/api/v1/events?follow=false&after=77").await;
    assert!(answer.body.contains(r#""why":"restarted""#), "{}", answer.body);
    assert_eq!(ids(&answer.body), [1]);
}

#[tokio::test]
async fn a_quiet_stream_shows_that_it_lives() {
    let bed = Bed::with(Puppet::default(), |settings| {
        settings.limits.heartbeat = std::time::Duration::from_millis(20);
    })
    .await;
    let mut stream = listen(&bed, "/api/v1/events", "").await;
    let hello = chunk(&mut stream).await.unwrap();
    assert!(hello.starts_with(": after 0") || hello.contains("\n: after 0"), "{hello:?}");
    assert_eq!(chunk(&mut stream).await.unwrap(), ":\n\n");
}

#[tokio::test]
async fn streams_end_when_the_door_closes() {
    let bed = Bed::new().await;
    bed.happens(1);
    let mut stream = listen(&bed, "/api/v1/events", "").await;
    heard(&mut stream, 1).await;
    let Bed { door, .. } = bed;
    let ((), rest) = tokio::join!(door.close(), rest(&mut stream));
    assert!(rest.ends_with("0\r\n\r\n"), "an orderly end: {rest:?}");
}

#[tokio::test]
async fn streams_are_bounded_and_their_places_come_free() {
    let bed = Bed::with(Puppet::default(), |settings| settings.limits.streams_max = 1).await;
    bed.happens(1);
    let mut first = listen(&bed, "/api/v1/events", "").await;
    heard(&mut first, 1).await;
    let refused = bed.get("/api/v1/events").await;
    assert_eq!(refused.status, 503);
    assert!(refused.detail().contains("1 event streams"));
    drop(first);
    // The door finds out when it next has something to say.
    while bed.get("/api/v1/events?follow=false").await.status != 200 {
        bed.happens(2);
        tokio::task::yield_now().await;
    }
}

/// A file that was not there when the test began.
fn file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    for path in [path.with_extension("jsonl.old"), path.clone()] {
        let _ = fs::remove_file(path);
    }
    path
}

fn lines(path: &std::path::Path) -> Vec<Event> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_event_is_in_the_file_before_anyone_is_told() {
    let path = file("told.jsonl");
    let log = EventLog::open(&path, 1 << 20).unwrap();
    for number in 1..=5 {
        assert_eq!(log.append(happening(number)), number);
        assert_eq!(lines(&path).last().unwrap().seq, number);
    }
    assert_eq!(lines(&path), log.last(10));
}

#[test]
fn numbers_and_memory_go_on_in_the_next_process() {
    let path = file("lives.jsonl");
    let first = EventLog::open(&path, 1 << 20).unwrap();
    (1..=3).for_each(|number| assert_eq!(first.append(happening(number)), number));
    drop(first);
    // A line that was cut short by the end of the machine.
    let mut torn = fs::OpenOptions::new().append(true).open(&path).unwrap();
    torn.write_all(b"{\"seq\":4,\"no").unwrap();
    let second = EventLog::open(&path, 1 << 20).unwrap();
    assert_eq!(second.append(happening(4)), 4);
    assert_eq!(second.last(9).iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(lines(&path), second.last(9));
    assert_eq!(second.after(3, 9).events, [Event { seq: 4, happening: happening(4) }]);
}

#[test]
fn files_are_bounded_and_one_predecessor_is_kept() {
    let path = file("bounded.jsonl");
    let log = EventLog::open(&path, 2_000).unwrap();
    (1..=100).for_each(|number| assert_eq!(log.append(happening(number)), number));
    let old = path.with_extension("jsonl.old");
    for path in [&path, &old] {
        assert!(fs::metadata(path).unwrap().len() <= 2_000);
    }
    let kept: Vec<u64> = [lines(&old), lines(&path)].concat().iter().map(|event| event.seq).collect();
    assert!(kept.len() > 10);
    assert_eq!(kept, (101 - kept.len() as u64..=100).collect::<Vec<_>>());
    drop(log);
    let log = EventLog::open(&path, 2_000).unwrap();
    assert_eq!(log.last(1000).iter().map(|event| event.seq).collect::<Vec<_>>(), kept);
}

#[test]
fn a_file_that_cannot_be_written_stops_nobody() {
    let log = EventLog::open(std::path::Path::new("/dev/full"), 1 << 20).unwrap();
    assert_eq!((log.append(happening(1)), log.append(happening(2))), (1, 2));
    assert_eq!((log.unwritten(), log.last(9).len()), (2, 2));
    assert!(EventLog::open(std::path::Path::new("/nowhere/events.jsonl"), 1 << 20).is_err());
}

#[test]
fn what_is_too_long_is_left_out_and_said_so() {
    let log = EventLog::new();
    log.append(Happening { what: json!("x".repeat(WHAT_MAX)), ..happening(1) });
    assert_eq!(log.last(1)[0].happening.what, json!({ "omitted_bytes": WHAT_MAX + 2 }));
}

proptest! {
    /// Whatever the capacity and however it is read: in order, nothing twice, and what is missing is counted.
    #[test]
    fn readers_get_each_event_once_or_are_told(
        capacity in 1usize..20,
        batches in prop::collection::vec((0u64..30, 1usize..10), 1..20),
    ) {
        let log = EventLog::with_capacity(capacity);
        let (mut after, mut appended) = (0, 0);
        for (count, reads) in batches {
            for _ in 0..count {
                appended = log.append(happening(appended + 1));
            }
            let batch = log.after(after, reads);
            if let Some(gap) = batch.gap {
                let Gap::Dropped { missed } = gap else { panic!("{gap:?}") };
                prop_assert!(missed > 0);
                after += missed;
            }
            for event in batch.events {
                after += 1;
                prop_assert_eq!(event.seq, after);
            }
        }
        prop_assert!(after <= appended);
    }
}

/// A host that steps a node by hand.
struct Stage {
    observer: Observer,
    node: Raft,
    step: u64,
    life: Life,
}

impl Stage {
    fn moment(&self) -> Moment {
        let now = Time(1_000_000 + self.step * 1_000);
        Moment {
            node: NodeId(0),
            life: self.life,
            step: self.step,
            now,
            wall: Time(1_795_000_000_000_000_000),
        }
    }

    fn step(&mut self, input: &seedbed_core::contract::InputOf<Raft>, effects: Vec<EffectOf<Raft>>) {
        let moment = self.moment();
        Watch::<Raft>::input(&mut self.observer, moment, input);
        self.observer.stepped(moment, &self.node, &VecDeque::from(effects));
        self.step += 1;
    }
}

fn stage(observer: Observer) -> Stage {
    let config = Config::new(&Parameters::default(), 3).unwrap();
    let node = Raft::boot(&std::sync::Arc::new(config), NodeId(0));
    Stage { observer, node, step: 0, life: Life(2) }
}

fn told(log: &EventLog) -> Vec<(Kind, Value)> {
    log.last(99).into_iter().map(|event| (event.happening.kind, event.happening.what)).collect()
}

#[test]
fn an_observer_tells_of_lives_notices_links_and_members() {
    let log = EventLog::new();
    let (observer, observed) = Observer::new(log.clone());
    let mut stage = stage(observer);
    stage.step(&Input::Start { log: vec![Record::default(); 2] }, Vec::new());
    let members = Members { epoch: 1, voters: [NodeId(0), NodeId(1)].into(), others: [].into() };
    stage
        .step(&Input::Members(members.clone()), vec![Effect::Notify { notice: Notice::Leading { term: 4 } }]);
    for up in [true, true, false] {
        stage.step(&Input::Link { peer: NodeId(1), up }, Vec::new());
    }
    let sight = observed.sight();
    assert!(sight.up && observed.is_up());
    assert_eq!((sight.life, sight.steps, sight.recovered, sight.role), (Life(2), 5, 2, "follower"));
    assert_eq!(sight.facts, [("leader", "none".to_owned()), ("term", "0".to_owned())]);
    assert_eq!((sight.members, sight.links), (Some(members), [(NodeId(1), false)].into()));
    Watch::<Raft>::down(&mut stage.observer, NodeId(0), Life(2));
    assert!(!observed.is_up());
    assert_eq!(
        told(&log),
        [
            (Kind::Start, json!({ "records": 2 })),
            (Kind::Role, json!({ "from": "", "to": "follower" })),
            (Kind::Members, json!({ "epoch": 1, "voters": [0, 1], "others": [] })),
            (Kind::Notice, json!({ "Leading": { "term": 4 } })),
            (Kind::Link, json!({ "peer": 1, "up": true })),
            (Kind::Link, json!({ "peer": 1, "up": false })),
            (Kind::Stop, Value::Null),
        ]
    );
    let notice = &log.last(99)[3].happening;
    assert_eq!((notice.step, notice.steady_ns, notice.life), (1, 1_000, Life(2)));
    assert_eq!(notice.wall, "2026-11-18T11:06:40.000000000Z");
}

#[test]
fn a_vote_is_told_when_it_is_on_disk_and_not_before() {
    let log = EventLog::new();
    let (observer, observed) = Observer::new(log.clone());
    let mut stage = stage(observer);
    stage.step(&Input::Start { log: Vec::new() }, Vec::new());
    let vote = |term| Record { term, voted_for: Some(NodeId(1)) };
    let persist = |term| Effect::Persist { tag: Tag::default(), record: vote(term) };
    let link = Input::Link { peer: NodeId(1), up: true };
    stage.step(&link, vec![persist(1)]);
    stage.step(&link, vec![Effect::Checkpoint { tag: Tag::default(), records: vec![vote(2)] }]);
    let votes = |log: &EventLog| -> Vec<Value> {
        let is_vote = |kind: &Kind| matches!(kind, Kind::Record | Kind::Checkpoint);
        told(log).into_iter().filter(|(kind, _)| is_vote(kind)).map(|(_, what)| what).collect()
    };
    assert!(votes(&log).is_empty());
    Watch::<Raft>::durable(&mut stage.observer, 1);
    assert_eq!(votes(&log), [json!({ "term": 1, "voted_for": 1 })]);
    // A life that ends takes with it what nobody was promised.
    Watch::<Raft>::down(&mut stage.observer, NodeId(0), Life(2));
    stage.life = Life(3);
    stage.step(&Input::Start { log: vec![vote(1)] }, vec![persist(3)]);
    let step = stage.step - 1;
    Watch::<Raft>::durable(&mut stage.observer, step);
    assert_eq!(votes(&log), [json!({ "term": 1, "voted_for": 1 }), json!({ "term": 3, "voted_for": 1 })]);
    let sight = observed.sight();
    assert_eq!((sight.recovered, sight.written, sight.checkpoints), (1, 1, 0));
    assert!(!observed.uptime().is_zero());
}

#[tokio::test]
async fn one_answer_is_enough_for_who_does_not_follow() {
    let bed = Bed::new().await;
    bed.happens(1);
    let mut stream = bed.connect().await;
    let request = "GET /api/v1/events?follow=false HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(ids(&answer(&mut stream).await.body), [1]);
    }
}
