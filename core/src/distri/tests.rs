//! One node at a time: datagrams go in by hand, and what leaves is looked at.

use std::collections::VecDeque;
use std::sync::Arc;

use super::*;
use crate::contract::{
    CommandId, Dice, Duration, Effect, EffectOf, Input, Keys, Life, NodeId, Protocol, Subject, Time,
};

struct Bench {
    node: Distri,
    me: NodeId,
    now: Time,
    keys: Keys,
    steps: u64,
}

const CLIENTS: u32 = 2;

impl Bench {
    /// A node of a system of two servers; the clients' machine is n2.
    fn new(me: u32, parameters: Parameters) -> Self {
        let config = Arc::new(Distri::config(&parameters, CLIENTS + 1).unwrap());
        let me = NodeId(me);
        let node = Distri::boot(&config, me);
        let mut bench = Self { node, me, now: Time(1 << 40), keys: Keys::from_seed(1), steps: 0 };
        bench.step(Input::Start { log: Vec::new() });
        bench
    }

    fn step(&mut self, input: InputOf<Distri>) -> Vec<EffectOf<Distri>> {
        let mut effects = VecDeque::new();
        let dice = Dice::new(&self.keys, self.me, Life(0), self.steps);
        self.steps += 1;
        self.node.step(input, &mut Context::new(self.now, Time::ZERO, self.me, dice, &mut effects));
        effects.into()
    }

    /// A datagram comes, and is dealt with.
    fn hear(&mut self, from: (u32, u32), to: u32, body: Body) -> Vec<EffectOf<Distri>> {
        let message = Message { from: from.1, to, body };
        let came = self.step(Input::Message { from: NodeId(from.0), message, blob: None });
        assert!(sends(&came).is_empty(), "the processor is to be asked first");
        self.step(Input::Timer { timer: Timer::Processor })
    }

    fn request(&mut self, port: u32, service: Service) -> Vec<EffectOf<Distri>> {
        self.hear((CLIENTS, port), PUBLIC, Body::Request(service))
    }

    /// A client asks both servers, one after the other.
    fn ask(&mut self, service: Service) -> Vec<EffectOf<Distri>> {
        self.step(Input::Command { id: CommandId(7), command: Command { client: 0, service } });
        let mut effects = self.step(Input::Timer { timer: Timer::Processor });
        effects.extend(self.step(Input::Timer { timer: Timer::Processor }));
        effects
    }

    fn out_of_time(&mut self, port: u32) -> Vec<EffectOf<Distri>> {
        self.step(Input::Timer { timer: Timer::Port(port) })
    }

    /// A client at this port adds a document, in full; the first port of the server is `at`.
    fn add(&mut self, port: u32, at: u32) -> Vec<EffectOf<Distri>> {
        let client = (CLIENTS, port);
        self.hear(client, at, Body::Chunk { sequence: 0, bytes: 235 });
        let content = Content::Document { id: None, revision: 1 };
        let sent = self.hear(client, at, Body::Final { sequence: 1, content });
        assert!(matches!(
            bodies(&sent)[..],
            [Body::Ack { sequence: 1 }, Body::Chunk { sequence: 0, bytes: 36 }]
        ));
        self.hear(client, at, Body::Ack { sequence: 0 })
    }
}

fn sends(effects: &[EffectOf<Distri>]) -> Vec<((u32, u32), u32, Body)> {
    let send = |effect: &EffectOf<Distri>| match effect {
        Effect::Send { to, message, .. } => Some(((to.0, message.to), message.from, message.body.clone())),
        _ => None,
    };
    effects.iter().filter_map(send).collect()
}

fn bodies(effects: &[EffectOf<Distri>]) -> Vec<Body> {
    sends(effects).into_iter().map(|(.., body)| body).collect()
}

fn notices(effects: &[EffectOf<Distri>]) -> Vec<Notice> {
    let notice = |effect: &EffectOf<Distri>| match effect {
        Effect::Notify { notice } => Some(*notice),
        _ => None,
    };
    effects.iter().filter_map(notice).collect()
}

fn replies(effects: &[EffectOf<Distri>]) -> Vec<Reply> {
    let reply = |effect: &EffectOf<Distri>| match effect {
        Effect::Reply { reply, .. } => Some(*reply),
        _ => None,
    };
    effects.iter().filter_map(reply).collect()
}

fn waits(effects: &[EffectOf<Distri>], port: u32) -> Option<Duration> {
    effects.iter().find_map(|effect| match effect {
        Effect::SetTimer { timer: Timer::Port(of), after } if *of == port => Some(*after),
        _ => None,
    })
}

#[test]
fn a_server_takes_a_document_and_tells_its_name() {
    let mut bench = Bench::new(0, Parameters::default());
    let sent = bench.request(5, Service::AddDoc);
    assert_eq!(sends(&sent), [((CLIENTS, 5), 1, Body::Ok)], "a first request asks for no sync");
    assert_eq!(waits(&sent, 1), Some(Duration::from_secs(15)));
    let sent = bench.add(5, 1);
    assert!(matches!(bodies(&sent)[..], [Body::Final { sequence: 1, content: Content::Saved { .. } }]));
    let database = bench.node.server().unwrap().database();
    assert_eq!((database.len(), database.version()), (1, 1));
    assert_eq!(bench.node.facts()[0], ("documents", "1".into()));
}

#[test]
fn a_read_waits_a_second_for_a_filter_and_keeps_no_worker_busy() {
    let mut bench = Bench::new(0, Parameters { workers: 1, sync_blocks: false, ..Parameters::default() });
    for port in 1..=3 {
        let sent = bench.request(port, Service::Read);
        assert!(bodies(&sent).contains(&Body::Ok));
        assert!(sends(&sent).iter().any(|(_, from, body)| {
            *body == Body::Ok && waits(&sent, *from) == Some(Duration::from_secs(1))
        }));
        if port == 1 {
            assert!(bodies(&bench.out_of_time(1)).is_empty(), "the processor writes the documents first");
            let sent = bench.step(Input::Timer { timer: Timer::Processor });
            assert_eq!(bodies(&sent), [Body::Chunk { sequence: 0, bytes: 2 }]);
        }
    }
}

#[test]
fn newest_first_is_a_switch() {
    for (newest_first, first) in [(true, 8), (false, 6)] {
        let parameters = Parameters { workers: 1, newest_first, ..Parameters::default() };
        let mut bench = Bench::new(0, parameters);
        bench.request(5, Service::Update);
        for port in 6..=8 {
            assert!(bodies(&bench.request(port, Service::Update)).is_empty(), "the worker is busy");
        }
        let sent = bench.out_of_time(1);
        assert_eq!(notices(&sent), [Notice::WaitedInVain]);
        assert_eq!(sends(&sent), [((CLIENTS, first), 2, Body::Ok)]);
    }
}

#[test]
fn who_waited_too_long_is_dropped() {
    let mut bench = Bench::new(0, Parameters { workers: 1, ..Parameters::default() });
    bench.request(5, Service::Update);
    bench.request(6, Service::Update);
    bench.now += Duration::from_secs(15) + Duration::from_nanos(1);
    assert_eq!(notices(&bench.out_of_time(1)), [Notice::WaitedInVain, Notice::Expired]);
}

#[test]
fn a_full_socket_loses_datagrams() {
    let mut bench = Bench::new(0, Parameters { buffer: 2, ..Parameters::default() });
    let mut come = |to| {
        let message = Message { from: 5, to, body: Body::Request(Service::Read) };
        notices(&bench.step(Input::Message { from: NodeId(CLIENTS), message, blob: None }))
    };
    assert_eq!([come(PUBLIC), come(PUBLIC)], [vec![], vec![]]);
    assert_eq!(come(PUBLIC), [Notice::Overflowed]);
    assert_eq!(come(1), [], "other sockets have room of their own");
}

#[test]
fn a_sync_blocks_requests_unless_switched_off() {
    for (sync_blocks, is_served) in [(true, false), (false, true)] {
        let mut bench = Bench::new(0, Parameters { sync_blocks, ..Parameters::default() });
        bench.request(5, Service::Read);
        let sent = bench.request(6, Service::Read);
        let asked = sends(&sent).into_iter().find(|(.., body)| *body == Body::UpdateInfo);
        let (to, port, _) = asked.expect("the second request asks for a sync");
        assert_eq!(to, (1, PUBLIC));
        let sent = bench.request(7, Service::Read);
        assert_eq!(bodies(&sent).contains(&Body::Ok), is_served);
        // The other server does not answer: the sync ends, and whoever was held is served.
        let sent = bench.out_of_time(port);
        assert_eq!(bodies(&sent).contains(&Body::Ok), !is_served);
    }
}

#[test]
fn a_state_of_a_higher_version_is_adopted() {
    let mut bench = Bench::new(0, Parameters::default());
    bench.request(5, Service::AddDoc);
    bench.add(5, 1);
    bench.now += Duration::from_secs(1);
    let sent = bench.request(6, Service::Read);
    let port = sends(&sent).iter().find(|(.., body)| *body == Body::UpdateInfo).expect("asks").1;
    let documents = Arc::new([(1, 1), (2, 1), (3, 1)]);
    let content = Content::Info { load: 0, version: 3, documents };
    bench.hear((1, 9), port, Body::Chunk { sequence: 0, bytes: 1000 });
    let sent = bench.hear((1, 9), port, Body::Final { sequence: 1, content });
    assert_eq!(notices(&sent), [Notice::Synced { overwritten: 1 }]);
    let database = bench.node.server().unwrap().database();
    assert_eq!((database.len(), database.version()), (3, 3));
    // Held off for a second: no further sync.
    assert_eq!(bodies(&bench.request(7, Service::Read)), [Body::Ok]);
    bench.now += Duration::from_secs(1);
    assert_eq!(bodies(&bench.request(8, Service::Read)), [Body::Ok, Body::UpdateInfo]);
}

#[test]
fn a_state_is_told_to_whoever_asks_one_after_the_other() {
    let mut bench = Bench::new(0, Parameters::default());
    let written = |bench: &mut Bench| sends(&bench.step(Input::Timer { timer: Timer::Processor }));
    let chunk = Body::Chunk { sequence: 0, bytes: 60 };
    assert!(bodies(&bench.hear((1, 9), PUBLIC, Body::UpdateInfo)).is_empty(), "it takes a moment to write");
    assert_eq!(written(&mut bench), [((1, 9), 1, chunk.clone())]);
    assert!(bodies(&bench.hear((1, 10), PUBLIC, Body::UpdateInfo)).is_empty());
    let sent = bench.hear((1, 9), 1, Body::Ack { sequence: 0 });
    let content = Content::Info { load: 0, version: 0, documents: Arc::new([]) };
    assert_eq!(bodies(&sent), [Body::Final { sequence: 1, content }]);
    assert_eq!(written(&mut bench), [((1, 10), 2, chunk)]);
}

#[test]
fn who_is_elected_is_a_choice() {
    let elected = |election, version, load| {
        let mut bench = Bench::new(0, Parameters { election, ..Parameters::default() });
        bench.request(5, Service::Read);
        let sent = bench.request(6, Service::Read);
        let port = sends(&sent).iter().find(|(.., body)| *body == Body::UpdateInfo).expect("asks").1;
        let content = Content::Info { load, version, documents: Arc::new([]) };
        // Without overwriting, the version stays lower than the other one's only if nothing is adopted: ask before.
        bench.hear((1, 9), port, Body::Final { sequence: 0, content });
        bodies(&bench.request(7, Service::Update)).contains(&Body::Ok)
    };
    assert!(elected(Election::Everyone, 9, -100));
    assert!(elected(Election::Version, 9, -100), "whoever has just synced has the highest version");
    assert!(!elected(Election::Load, 9, -100), "the other one has the lower load");
    assert!(elected(Election::Load, 9, 100));
}

#[test]
fn a_client_takes_the_first_ok_and_sends_its_document() {
    let mut bench = Bench::new(CLIENTS, Parameters::default());
    let sent = bench.ask(Service::AddDoc);
    let request = Body::Request(Service::AddDoc);
    assert_eq!(sends(&sent), [((0, PUBLIC), 1, request.clone()), ((1, PUBLIC), 1, request)]);
    assert_eq!(
        sends(&bench.hear((1, 4), 1, Body::Ok)),
        [((1, 4), 1, Body::Chunk { sequence: 0, bytes: 235 })]
    );
    let sent = bench.hear((1, 4), 1, Body::Ack { sequence: 0 });
    let content = Content::Document { id: None, revision: 1 };
    assert_eq!(bodies(&sent), [Body::Final { sequence: 1, content }]);
    bench.hear((1, 4), 1, Body::Chunk { sequence: 0, bytes: 36 });
    let sent = bench.hear((1, 4), 1, Body::Final { sequence: 1, content: Content::Saved { id: 77 } });
    assert_eq!(replies(&sent), [Reply::Saved { id: 77 }]);
    assert_eq!(notices(&sent), [Notice::Acknowledged { id: 77, revision: 1 }]);
}

#[test]
fn a_client_gives_up_after_fifteen_seconds() {
    let mut bench = Bench::new(CLIENTS, Parameters::default());
    let sent = bench.ask(Service::Read);
    assert_eq!(waits(&sent, 1), Some(Duration::from_secs(15)));
    assert_eq!(replies(&bench.out_of_time(1)), [Reply::Failed(Failure::NoAnswer)]);
}

#[test]
fn updates_without_a_name_are_a_switch() {
    for (nameless_updates, reply) in [(true, Reply::Nameless), (false, Reply::Failed(Failure::Nameless))] {
        let mut bench = Bench::new(CLIENTS, Parameters { nameless_updates, ..Parameters::default() });
        bench.ask(Service::Update);
        bench.hear((1, 4), 1, Body::Ok);
        bench.hear((1, 4), 1, Body::Ack { sequence: 0 });
        let sent = bench.hear((1, 4), 1, Body::Final { sequence: 0, content: Content::Nameless });
        assert_eq!(replies(&sent), [reply]);
    }
}

#[test]
fn packets_of_other_servers_use_up_attempts_unless_switched_off() {
    for (wrong_packets_count, fails) in [(true, true), (false, false)] {
        let mut bench = Bench::new(CLIENTS, Parameters { wrong_packets_count, ..Parameters::default() });
        bench.ask(Service::AddDoc);
        bench.hear((1, 4), 1, Body::Ok);
        let replied: Vec<Reply> =
            (0..5).flat_map(|port| replies(&bench.hear((0, port), 1, Body::Ok))).collect();
        let expected = if fails { vec![Reply::Failed(Failure::NotTaken)] } else { vec![] };
        assert_eq!(replied, expected, "five wrong packets for five attempts");
    }
}

#[test]
fn results_of_other_servers_are_taken_unless_switched_off() {
    for (any_sender, reply) in [(true, vec![Reply::Failed(Failure::WrongSender)]), (false, vec![])] {
        let mut bench = Bench::new(CLIENTS, Parameters { any_sender, ..Parameters::default() });
        bench.ask(Service::Read);
        bench.hear((1, 4), 1, Body::Ok);
        bench.hear((0, 3), 1, Body::Chunk { sequence: 0, bytes: 2 });
        let content = Content::Collection { documents: 0 };
        let sent = bench.hear((0, 3), 1, Body::Final { sequence: 1, content: content.clone() });
        assert_eq!(replies(&sent), reply);
        if !any_sender {
            bench.hear((1, 4), 1, Body::Chunk { sequence: 0, bytes: 2 });
            let sent = bench.hear((1, 4), 1, Body::Final { sequence: 1, content });
            assert_eq!(replies(&sent), [Reply::Collection { documents: 0 }]);
        }
    }
}

#[test]
fn losers_are_told_unless_the_flaw_is_on() {
    for losers_wait in [true, false] {
        let parameters = Parameters { losers_wait, ..Parameters::default() };
        let mut bench = Bench::new(CLIENTS, parameters.clone());
        bench.ask(Service::Read);
        bench.hear((1, 4), 1, Body::Ok);
        let told = if losers_wait { vec![] } else { vec![((0, 3), 1, Body::Declined)] };
        assert_eq!(sends(&bench.hear((0, 3), 1, Body::Ok)), told);
        bench.out_of_time(1);
        assert_eq!(sends(&bench.hear((0, 3), 1, Body::Ok)), told, "and when all is over");
    }
    let mut server = Bench::new(0, Parameters { workers: 1, ..Parameters::default() });
    server.request(5, Service::Update);
    server.request(6, Service::Update);
    let sent = server.hear((CLIENTS, 5), 1, Body::Declined);
    assert_eq!((bodies(&sent), notices(&sent)), (vec![Body::Ok], vec![]), "the worker takes the next");
}

#[test]
fn only_the_machine_of_the_clients_takes_commands() {
    let mut bench = Bench::new(0, Parameters::default());
    let command = Command { client: 0, service: Service::Read };
    let sent = bench.step(Input::Command { id: CommandId(1), command });
    assert_eq!(replies(&sent), [Reply::Failed(Failure::NoClient)]);
    assert!(Distri::config(&Parameters::default(), 1).is_err());
}

#[test]
fn published_runs_are_found_by_their_size() {
    assert_eq!(Published::of(2, 1000).map(|run| (run.failed, run.entries)), Some((453, 663)));
    assert_eq!(Published::of(4, 1000), None);
}
