use proptest::prelude::*;

use super::*;
use crate::contract::{Duration, Effect, EffectOf, Members, Subject};
use crate::election::testing::{self, Bench, notices, number, sends};

const LAST: Position = Position { term: 0, index: 0 };

fn bench(nodes: u32, me: u32, parameters: Parameters) -> Bench<Raft> {
    let mut bench = Bench::new(Config::new(&parameters, nodes).unwrap(), me);
    bench.start(Vec::new());
    bench
}

fn leader(nodes: u32, parameters: Parameters) -> Bench<Raft> {
    let mut bench = bench(nodes, 0, parameters);
    bench.timer(Timer::Election);
    for voter in 1..=nodes / 2 {
        bench.hear(voter, Message::PreVote { term: 1, granted: true });
        bench.hear(voter, Message::Vote { term: 1, granted: true });
    }
    assert!(bench.node.leads());
    bench
}

fn request(term: u64) -> Message {
    Message::RequestVote { term, last: LAST }
}

fn vote(effects: &[EffectOf<Raft>]) -> Option<bool> {
    sends::<Raft>(effects).into_iter().find_map(|(_, message)| match message {
        Message::Vote { granted, .. } => Some(granted),
        _ => None,
    })
}

fn saved(effects: &[EffectOf<Raft>]) -> Vec<Record> {
    let record = |effect: &EffectOf<Raft>| match effect {
        Effect::Persist { record, .. } => vec![*record],
        Effect::Checkpoint { records, .. } => records.clone(),
        _ => Vec::new(),
    };
    effects.iter().flat_map(record).collect()
}

fn switches() -> Parameters {
    Parameters { pre_vote: true, check_quorum: true, stickiness: true, lease: true, ..Parameters::default() }
}

#[test]
fn a_status_page_shows_leader_and_term() {
    assert_eq!(bench(3, 0, switches()).node.facts(), [("leader", "none".into()), ("term", "0".into())]);
    assert_eq!(leader(3, switches()).node.facts(), [("leader", "n0".into()), ("term", "1".into())]);
}

#[test]
fn messages_are_small() {
    assert!(size_of::<Message>() <= 32);
}

#[test]
fn a_vote_waits_for_the_disk() {
    let effects = bench(3, 0, Parameters::default()).hear(1, request(1));
    let record = Record { term: 1, voted_for: Some(NodeId(1)) };
    let persist = effects.iter().position(|e| matches!(e, Effect::Persist { record: r, .. } if *r == record));
    let send = effects.iter().position(|e| matches!(e, Effect::Send { durable: true, .. }));
    assert!(persist.unwrap() < send.unwrap());
    assert_eq!(sends::<Raft>(&effects), [(1, Message::Vote { term: 1, granted: true })]);
}

#[test]
fn a_node_votes_once_in_a_term_whatever_it_lives_through() {
    let mut first = bench(3, 0, Parameters::default());
    let log = saved(&first.hear(1, request(1)));
    assert_eq!(vote(&first.hear(2, request(1))), Some(false));
    assert_eq!(vote(&first.hear(1, request(1))), Some(true));
    let mut second = bench(3, 0, Parameters::default());
    second.start(log);
    assert_eq!(vote(&second.hear(2, request(1))), Some(false));
    assert_eq!(vote(&second.hear(2, request(2))), Some(true));
}

#[test]
fn a_refused_record_is_written_again_before_the_next_answer() {
    let mut bench = bench(3, 0, Parameters::default());
    let record = saved(&bench.hear(1, request(1)))[0];
    bench.step(Input::Full { record });
    let effects = bench.hear(1, request(1));
    assert_eq!((saved(&effects), vote(&effects)), (vec![record], Some(true)));
    assert_eq!(vote(&bench.hear(2, request(1))), Some(false));
}

#[test]
fn a_candidate_whose_vote_is_refused_by_its_disk_gives_up() {
    let mut bench = bench(3, 0, Parameters::default());
    let record = saved(&bench.timer(Timer::Election))[0];
    bench.step(Input::Full { record });
    assert_eq!(bench.node.role(), "follower");
    bench.hear(1, Message::Vote { term: 1, granted: true });
    assert!(!bench.node.leads());
}

#[test]
fn a_lone_node_leads_when_its_vote_is_on_disk() {
    let mut bench = bench(1, 0, Parameters::default());
    let effects = bench.timer(Timer::Election);
    assert!(!bench.node.leads());
    let own = Message::Vote { term: 1, granted: true };
    assert_eq!((saved(&effects).len(), sends::<Raft>(&effects)), (1, vec![(0, own)]));
    bench.hear(0, own);
    assert!(bench.node.leads());
}

#[test]
fn a_voter_refuses_a_candidate_whose_log_is_behind() {
    let mut bench = bench(3, 0, Parameters::default());
    bench.node.last = Position { term: 1, index: 3 };
    for (last, granted) in [((1, 2), false), ((0, 9), false), ((1, 3), true)] {
        let last = Position { term: last.0, index: last.1 };
        assert_eq!(vote(&bench.hear(1, Message::RequestVote { term: 2, last })), Some(granted), "{last:?}");
    }
}

#[test]
fn a_majority_makes_a_leader_and_a_stranger_does_not() {
    let mut bench = bench(5, 0, Parameters::default());
    let asked = sends::<Raft>(&bench.timer(Timer::Election));
    assert_eq!(asked, [1, 2, 3, 4].map(|to| (to, request(1))));
    for voter in [1, 1, 9, 9, 10] {
        bench.hear(voter, Message::Vote { term: 1, granted: true });
    }
    assert!(!bench.node.leads());
    let effects = bench.hear(2, Message::Vote { term: 1, granted: true });
    assert_eq!(notices::<Raft>(&effects), [Notice::Leading { term: 1 }]);
    assert_eq!(sends::<Raft>(&effects).len(), 4);
}

#[test]
fn a_vote_of_another_term_does_not_count() {
    let mut bench = bench(3, 0, Parameters::default());
    bench.timer(Timer::Election);
    bench.timer(Timer::Election);
    bench.hear(1, Message::Vote { term: 1, granted: true });
    assert!(!bench.node.leads());
    bench.hear(1, Message::Vote { term: 2, granted: true });
    assert!(bench.node.leads());
}

#[test]
fn a_later_term_deposes_a_leader_and_an_earlier_one_is_put_right() {
    let mut bench = leader(3, Parameters::default());
    let effects = bench.hear(1, Message::HeartbeatAck { term: 3, round: 0 });
    assert_eq!(notices::<Raft>(&effects), [Notice::SteppedDown { term: 3 }]);
    let effects = bench.hear(1, Message::Heartbeat { term: 2, round: 7 });
    assert_eq!(sends::<Raft>(&effects), [(1, Message::HeartbeatAck { term: 3, round: 7 })]);
    assert_eq!(bench.node.leader(), None);
}

#[test]
fn a_poll_raises_no_term() {
    let mut candidate = bench(3, 0, switches());
    let asked = sends::<Raft>(&candidate.timer(Timer::Election));
    assert_eq!(asked, [1, 2].map(|to| (to, Message::RequestPreVote { term: 1, last: LAST })));
    let mut voter = bench(3, 1, switches());
    let effects = voter.hear(0, asked[0].1);
    assert_eq!(sends::<Raft>(&effects), [(0, Message::PreVote { term: 1, granted: true })]);
    assert_eq!((candidate.node.term, voter.node.term, saved(&effects)), (0, 0, vec![]));
    let effects = candidate.hear(1, Message::PreVote { term: 1, granted: true });
    assert_eq!(notices::<Raft>(&effects), [Notice::Campaigning { term: 1 }]);
}

#[test]
fn a_voter_that_heard_a_leader_lately_is_sticky() {
    let mut bench = bench(3, 0, switches());
    bench.hear(1, Message::Heartbeat { term: 1, round: 0 });
    bench.pass(Duration::from_nanos(149_999_999));
    assert_eq!(vote(&bench.hear(2, request(2))), Some(false));
    let effects = bench.step(Input::Command { id: CommandId(1), command: Command::Campaign });
    assert!(matches!(effects[..], [Effect::Reply { reply: Reply::Campaigning(false), .. }]));
    assert_eq!((bench.node.term, bench.node.leader()), (1, Some(NodeId(1))));
    bench.pass(Duration::from_nanos(1));
    assert_eq!(vote(&bench.hear(2, request(2))), Some(true));
}

#[test]
fn a_new_life_is_as_sticky_as_if_it_had_just_heard_a_leader() {
    let mut bench = bench(3, 0, switches());
    bench.start(vec![Record { term: 1, voted_for: None }]);
    assert_eq!(vote(&bench.hear(2, request(2))), Some(false));
    bench.pass(Duration::from_millis(150));
    assert_eq!(vote(&bench.hear(2, request(2))), Some(true));
}

#[test]
fn a_leader_without_a_majority_steps_down_if_it_checks() {
    for check_quorum in [false, true] {
        let mut bench = leader(5, Parameters { check_quorum, ..Parameters::default() });
        bench.hear(1, Message::HeartbeatAck { term: 1, round: 0 });
        bench.pass(Duration::from_millis(300));
        bench.timer(Timer::Heartbeat);
        assert_eq!(bench.node.leads(), !check_quorum);
    }
}

#[test]
fn a_lease_runs_from_the_start_of_the_round_that_a_majority_answered() {
    let mut bench = leader(3, switches());
    let start = bench.now;
    bench.pass(Duration::from_millis(40));
    let effects = bench.hear(1, Message::HeartbeatAck { term: 1, round: 0 });
    assert_eq!(notices::<Raft>(&effects), [Notice::Leased { term: 1 }]);
    let length = bench.node.config.lease;
    assert_eq!(length, Duration::from_micros(149_940));
    assert!(bench.node.holds_lease(start + (length - Duration::from_nanos(1))));
    assert!(!bench.node.holds_lease(start + length));
}

#[test]
fn who_is_no_voter_neither_leads_nor_campaigns() {
    let mut bench = leader(3, Parameters::default());
    let others = || Members { epoch: 1, voters: [1, 2].map(NodeId).into(), others: [NodeId(0)].into() };
    bench.step(Input::Members(others()));
    assert!(!bench.node.leads());
    assert_eq!(sends::<Raft>(&bench.timer(Timer::Election)), []);
}

/// Voters 0, 1 and 2, and node 9 that only follows.
fn with_a_learner() -> InputOf<Raft> {
    let voters = [0, 1, 2].map(NodeId).into();
    Input::Members(Members { epoch: 1, voters, others: [NodeId(9)].into() })
}

#[test]
fn who_has_no_vote_hears_heartbeats_and_its_answers_prove_nothing() {
    let mut bench = leader(3, Parameters { check_quorum: true, ..Parameters::default() });
    bench.step(with_a_learner());
    for round in 1.. {
        bench.pass(Parameters::default().heartbeat);
        let beat = sends::<Raft>(&bench.timer(Timer::Heartbeat));
        if !bench.node.leads() {
            break;
        }
        assert!(round < 1000, "it leads on although no voter answers");
        let heartbeat = Message::Heartbeat { term: 1, round };
        assert_eq!(beat, [1, 2, 9].map(|to| (to, heartbeat)));
        bench.hear(9, Message::HeartbeatAck { term: 1, round });
    }
}

#[test]
fn who_has_no_vote_follows_and_in_silence_waits() {
    let mut bench = bench(3, 9, Parameters::default());
    bench.step(with_a_learner());
    let effects = bench.hear(1, Message::Heartbeat { term: 4, round: 7 });
    assert_eq!(notices::<Raft>(&effects), [Notice::Following { leader: NodeId(1), term: 4 }]);
    assert_eq!(sends::<Raft>(&effects), [(1, Message::HeartbeatAck { term: 4, round: 7 })]);
    let effects = bench.timer(Timer::Election);
    assert_eq!(notices::<Raft>(&effects), [Notice::SteppedDown { term: 4 }]);
    assert_eq!((sends::<Raft>(&effects), bench.node.leader()), (vec![], None));
    bench.hear(2, Message::Heartbeat { term: 5, round: 0 });
    assert_eq!(bench.node.leader(), Some(NodeId(2)));
}

#[test]
fn votes_of_former_members_count_no_more() {
    let mut bench = bench(5, 0, Parameters::default());
    bench.timer(Timer::Election);
    bench.hear(4, Message::Vote { term: 1, granted: true });
    let members = Members { epoch: 1, voters: [0, 1, 2].map(NodeId).into(), others: [].into() };
    bench.step(Input::Members(members));
    assert!(!bench.node.leads());
    bench.hear(2, Message::Vote { term: 1, granted: true });
    assert!(bench.node.leads());
}

#[test]
fn the_log_of_votes_stays_short() {
    let mut bench = bench(3, 0, Parameters::default());
    let mut length = 0;
    for term in 1..=1000 {
        for effect in bench.hear(1, request(term)) {
            match effect {
                Effect::Persist { .. } => length += 1,
                Effect::Checkpoint { records, .. } => length = records.len(),
                _ => {}
            }
        }
        assert!(length <= RECORDS_MAX as usize);
    }
}

#[test]
fn the_last_term_ends_quietly() {
    let mut bench = bench(3, 0, switches());
    bench.hear(1, Message::HeartbeatAck { term: u64::MAX, round: 0 });
    bench.pass(Duration::from_secs(1));
    assert_eq!(sends::<Raft>(&bench.timer(Timer::Election)), []);
}

fn message() -> impl Strategy<Value = Message> {
    let last = (number(), number()).prop_map(|(term, index)| Position { term, index });
    (0..6, number(), number(), last, any::<bool>()).prop_map(
        |(kind, term, round, last, granted)| match kind {
            0 => Message::RequestPreVote { term, last },
            1 => Message::PreVote { term, granted },
            2 => Message::RequestVote { term, last },
            3 => Message::Vote { term, granted },
            4 => Message::Heartbeat { term, round },
            _ => Message::HeartbeatAck { term, round },
        },
    )
}

fn record() -> BoxedStrategy<Record> {
    (number(), prop::option::of(testing::node()))
        .prop_map(|(term, voted_for)| Record { term, voted_for })
        .boxed()
}

fn parameters() -> impl Strategy<Value = Parameters> {
    any::<[bool; 4]>().prop_map(|[pre_vote, check_quorum, stickiness, lease]| Parameters {
        pre_vote,
        check_quorum,
        stickiness,
        lease: lease && stickiness,
        ..Parameters::default()
    })
}

proptest! {
    #[test]
    fn any_input_is_survived_in_any_state(
        parameters in parameters(),
        nodes in 1..6u32,
        inputs in testing::inputs::<Raft>(
            message(),
            prop_oneof![Just(Timer::Election), Just(Timer::Heartbeat)],
            Some(record()),
        ),
    ) {
        testing::survives::<Raft>(Config::new(&parameters, nodes).unwrap(), inputs)?;
    }
}
