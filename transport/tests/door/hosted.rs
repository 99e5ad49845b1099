//! Three nodes on hosts elect a leader, and their doors tell the truth about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use seedbed_core::contract::{Members, NodeId, Subject};
use seedbed_core::election::raft::{Parameters, Raft};
use seedbed_transport::Knobs;
use seedbed_transport::door::events::{Event, EventLog, Kind, Observer};
use seedbed_transport::door::{About, Door, Hosted, Lanes, Settings, Token};
use seedbed_transport::host::{self, Handle, Setup};
use seedbed_transport::link::Config;
use seedbed_transport::link::memory::Net;
use seedbed_transport::link::weather::{Cuts, Weather};
use seedbed_transport::store::memory::Memory;
use serde_json::Value;

use crate::bed::{self, TOKEN, within};

const NODES: u32 = 3;

struct Seat {
    door: Door,
    handle: Handle<Raft>,
    log: EventLog,
}

fn members() -> Members {
    Members { epoch: 1, voters: (0..NODES).map(NodeId).collect(), others: [].into() }
}

async fn seat(node: NodeId, net: &Net) -> Seat {
    let log = EventLog::new();
    let (observer, observed) = Observer::new(log.clone());
    let (lanes, cuts) = (Lanes::default(), Cuts::default());
    let opened = Memory::new().open();
    let config = Config {
        me: node,
        life: opened.life,
        cluster: "trio".into(),
        protocol: "raft".into(),
        version: 1,
        knobs: Knobs::default(),
        freight: None,
    };
    let peers = (0..NODES).map(NodeId).filter(|peer| *peer != node);
    let link = net.join(config, peers, Arc::new(lanes.clone()));
    let counters = Some(link.counters());
    let link = Weather::calm(link, cuts.clone());
    let config = Arc::new(Raft::config(&Parameters::default(), NODES).unwrap());
    let setup = Setup { members: Some(members()), ..Setup::<Raft>::new(node, config) };
    let handle = host::start(setup, link, opened, observer);
    let hosted = Hosted {
        about: About { node, name: "anna".into(), cluster: "trio".into(), protocol: "raft".into() },
        handle: handle.clone(),
        observed,
        events: log.clone(),
        lanes,
        counters,
        cuts: Some(cuts),
        keys: None,
        resources: None,
    };
    let settings = Settings::new("127.0.0.1:0".parse().unwrap()).with_token(Token::new(TOKEN).unwrap());
    Seat { door: Door::open(settings, Arc::new(hosted)).await.unwrap(), handle, log }
}

impl Seat {
    async fn get(&self, path: &str) -> bed::Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        bed::send(self.door.address(), request).await
    }

    async fn post(&self, path: &str, body: &str) -> bed::Answer {
        bed::send(self.door.address(), bed::posted(path, &bed::authorized(), body)).await
    }

    async fn status(&self) -> Value {
        self.get("/api/v1/status").await.json()
    }

    /// Waits for an event.
    async fn until(&self, is_it: impl Fn(&Event) -> bool) {
        let mut newest = self.log.newest();
        within(async {
            while !self.log.last(usize::MAX).iter().any(&is_it) {
                newest.changed().await.unwrap();
            }
        })
        .await;
    }
}

fn is_notice(event: &Event, name: &str) -> bool {
    event.happening.kind == Kind::Notice && event.happening.what.get(name).is_some()
}

/// Waits until every node follows the same leader; who that is.
async fn leader(seats: &[Seat]) -> usize {
    within(async {
        loop {
            let mut leaders = BTreeMap::<String, usize>::new();
            for seat in seats {
                let status = seat.status().await;
                *leaders.entry(status["facts"]["leader"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            if let Some((leader, _)) = leaders.iter().find(|(_, followers)| **followers == seats.len())
                && let Some(leader) = leader.strip_prefix('n').and_then(|number| number.parse().ok())
            {
                return leader;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doors_tell_who_leads_and_let_links_be_cut() {
    let net = Net::default();
    let mut seats = Vec::new();
    for node in 0..NODES {
        seats.push(seat(NodeId(node), &net).await);
    }
    let first = leader(&seats).await;
    let status = seats[first].status().await;
    assert_eq!(
        (&status["role"], &status["up"], &status["cluster"]),
        (&"leader".into(), &true.into(), &"trio".into())
    );
    assert_eq!(status["members"]["voters"].as_array().unwrap().len(), NODES as usize);
    assert_eq!(status["links"].as_array().unwrap().len(), NODES as usize - 1);
    assert!(status["links"].as_array().unwrap().iter().all(|link| link["up"] == true), "{status}");
    assert_eq!(status["links"][0]["lanes"]["control"]["up"], true);

    let reply = seats[first].post("/api/v1/commands", "\"WhoLeads\"").await;
    assert_eq!(reply.json(), serde_json::json!({ "Leader": first }));
    let refused = seats[first].post("/api/v1/commands", "\"WhoLeds\"").await;
    assert!(refused.detail().contains("expected `WhoLeads` or `Campaign`"), "{refused:?}");
    let metrics = seats[first].get("/metrics").await.body;
    for line in
        ["seedbed_up 1", "seedbed_host_total{what=\"commands\"} 1", "seedbed_link_total{what=\"connected\"}"]
    {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }

    // Cut off from both others, it finds out that it leads nobody, and they elect another.
    let cut: Vec<String> = (0..NODES as usize)
        .filter(|peer| *peer != first)
        .map(|peer| format!("{{ \"peer\": {peer} }}"))
        .collect();
    let cuts = seats[first].post("/api/v1/faults", &format!("{{ \"cut\": [{}] }}", cut.join(", "))).await;
    assert_eq!(cuts.json()["cuts"].as_array().unwrap().len(), 2);
    assert_eq!(seats[first].post("/api/v1/faults", r#"{ "cut": [{ "peer": 99 }] }"#).await.status, 400);
    let others: Vec<&Seat> =
        seats.iter().enumerate().filter(|(at, _)| *at != first).map(|(_, seat)| seat).collect();
    tokio::select! {
        () = others[0].until(|event| is_notice(event, "Leading")) => {}
        () = others[1].until(|event| is_notice(event, "Leading")) => {}
    }
    let healed = seats[first].post("/api/v1/faults", r#"{ "heal_all": true }"#).await;
    assert_eq!(healed.json(), serde_json::json!({ "cuts": [] }));
    leader(&seats).await;
    check(&seats);

    let seat = seats.remove(first);
    seat.handle.stop().await;
    assert_eq!(seat.get("/readyz").await.status, 503);
    assert_eq!(seat.post("/api/v1/commands", "\"WhoLeads\"").await.status, 503);
    assert_eq!(seat.log.last(1)[0].happening.kind, Kind::Stop);
    seat.door.close().await;
}

/// What anyone can check who has the logs: no term has two leaders, and nobody votes twice in one.
fn check(seats: &[Seat]) {
    let (mut leaders, mut votes) = (BTreeMap::new(), BTreeMap::new());
    for event in seats.iter().flat_map(|seat| seat.log.last(usize::MAX)) {
        let (node, what) = (event.happening.node, &event.happening.what);
        match event.happening.kind {
            Kind::Notice => {
                if let Some(term) = what["Leading"]["term"].as_u64() {
                    assert_eq!(*leaders.entry(term).or_insert(node), node, "two leaders in term {term}");
                }
            }
            Kind::Record if !what["voted_for"].is_null() => {
                let voted =
                    votes.entry((node, what["term"].as_u64())).or_insert_with(|| what["voted_for"].clone());
                assert_eq!(*voted, what["voted_for"], "{node} votes twice in {}", what["term"]);
            }
            _ => {}
        }
    }
    assert!(leaders.len() >= 2 && votes.len() >= 3, "{leaders:?} {votes:?}");
}
