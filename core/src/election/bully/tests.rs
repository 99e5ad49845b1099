use proptest::prelude::*;

use super::*;
use crate::contract::{Members, Subject, Time};
use crate::election::Elector;
use crate::election::testing::{self, Bench, notices, sends};

fn bench(nodes: u32, me: u32, detection: Detection) -> Bench<Bully> {
    let parameters = Parameters { detection, ..Parameters::default() };
    Bench::new(Config::new(&parameters, nodes).unwrap(), me)
}

fn started(nodes: u32, me: u32) -> Bench<Bully> {
    let mut bench = bench(nodes, me, Detection::Heartbeat);
    bench.start(Vec::new());
    bench.pass(Parameters::default().timeout_min);
    bench
}

#[test]
fn recovery_begins_an_election_with_every_higher_node() {
    let effects = bench(5, 2, Detection::Heartbeat).start(Vec::new());
    assert_eq!(sends::<Bully>(&effects), [3, 4].map(|to| (to, Message::Election)));
    assert_eq!(notices::<Bully>(&effects), [Notice::Campaigning { term: 0 }]);
}

#[test]
fn the_highest_leads_at_once_and_tells_every_lower_one() {
    let effects = bench(4, 3, Detection::Heartbeat).start(Vec::new());
    assert_eq!(sends::<Bully>(&effects), [0, 1, 2].map(|to| (to, Message::Coordinator)));
}

#[test]
fn silence_of_all_higher_nodes_makes_a_leader() {
    let mut bench = started(5, 2);
    let effects = bench.timer(Timer::Patience);
    assert_eq!(sends::<Bully>(&effects), [0, 1].map(|to| (to, Message::Coordinator)));
    assert!(bench.node.leads());
}

#[test]
fn an_answer_is_waited_for_with_a_second_time_out() {
    let mut bench = started(5, 2);
    bench.hear(3, Message::Answer);
    assert!(!bench.node.leads());
    // Node 3 crashed between its answer and its victory.
    let effects = bench.timer(Timer::Patience);
    assert_eq!(sends::<Bully>(&effects), [3, 4].map(|to| (to, Message::Election)));
}

#[test]
fn a_lower_node_that_asks_is_answered_and_bullied_once() {
    let mut bench = started(5, 2);
    bench.hear(4, Message::Coordinator);
    let effects = bench.hear(0, Message::Election);
    let election = [3, 4].map(|to| (to, Message::Election));
    assert_eq!(sends::<Bully>(&effects), [(0, Message::Answer), election[0], election[1]]);
    assert_eq!(sends::<Bully>(&bench.hear(1, Message::Election)), [(1, Message::Answer)]);
}

#[test]
fn nobody_begins_two_elections_at_once() {
    let mut bench = bench(5, 2, Detection::Heartbeat);
    bench.start(Vec::new());
    bench.hear(4, Message::Coordinator);
    assert_eq!(sends::<Bully>(&bench.hear(0, Message::Election)), [(0, Message::Answer)]);
    bench.pass(Parameters::default().timeout_min);
    assert_eq!(notices::<Bully>(&bench.timer(Timer::Patience)), [Notice::Campaigning { term: 0 }]);
}

#[test]
fn a_leader_answers_with_its_name() {
    let mut bench = started(3, 2);
    assert_eq!(sends::<Bully>(&bench.hear(0, Message::Election)), [(0, Message::Coordinator)]);
}

#[test]
fn a_higher_leader_is_followed_and_a_lower_one_is_not() {
    let mut bench = started(4, 1);
    bench.hear(2, Message::Coordinator);
    assert_eq!(bench.node.leader(), Some(NodeId(2)));
    assert_eq!(bench.node.facts(), [("leader", "n2".into())]);
    bench.hear(3, Message::Heartbeat);
    assert_eq!(bench.node.leader(), Some(NodeId(3)));
    bench.hear(2, Message::Heartbeat);
    assert_eq!(bench.node.leader(), Some(NodeId(3)));
    let effects = bench.hear(0, Message::Heartbeat);
    assert_eq!(notices::<Bully>(&effects), [Notice::Campaigning { term: 0 }]);
}

#[test]
fn a_leader_gives_way_to_a_higher_heartbeat() {
    let mut bench = started(3, 1);
    bench.timer(Timer::Patience);
    assert!(bench.node.leads());
    bench.hear(2, Message::Heartbeat);
    assert_eq!((bench.node.leads(), bench.node.leader()), (false, Some(NodeId(2))));
    assert_eq!(sends::<Bully>(&bench.timer(Timer::Heartbeat)), []);
}

#[test]
fn a_leader_is_watched_by_heartbeats_or_pings() {
    let mut top = started(3, 2);
    assert_eq!(sends::<Bully>(&top.timer(Timer::Heartbeat)), [0, 1].map(|to| (to, Message::Heartbeat)));
    let mut follower = bench(3, 0, Detection::Ping);
    follower.start(Vec::new());
    follower.hear(2, Message::Coordinator);
    assert_eq!(sends::<Bully>(&follower.timer(Timer::Heartbeat)), [(2, Message::Ping)]);
    let mut top = bench(3, 2, Detection::Ping);
    top.start(Vec::new());
    assert_eq!(sends::<Bully>(&top.timer(Timer::Heartbeat)), []);
    assert_eq!(sends::<Bully>(&top.hear(0, Message::Ping)), [(0, Message::Pong)]);
}

#[test]
fn members_that_go_make_room() {
    let mut bench = started(3, 1);
    bench.hear(2, Message::Coordinator);
    let members = Members { epoch: 1, voters: [0, 1].map(NodeId).into(), others: [].into() };
    let effects = bench.step(Input::Members(members));
    assert_eq!(sends::<Bully>(&effects), [(0, Message::Coordinator)]);
    let members = Members { epoch: 2, voters: [NodeId(0)].into(), others: [].into() };
    bench.step(Input::Members(members));
    assert!(!bench.node.leads());
    assert!(!bench.node.holds_lease(Time::ZERO));
}

/// Among voters 0, 1 and 2, with node 9 that only follows.
fn with_a_learner(me: u32, detection: Detection) -> Bench<Bully> {
    let mut bench = bench(3, me, detection);
    bench.start(Vec::new());
    let voters = [0, 1, 2].map(NodeId).into();
    bench.step(Input::Members(Members { epoch: 1, voters, others: [NodeId(9)].into() }));
    bench
}

#[test]
fn who_has_no_vote_hears_who_leads_and_is_not_asked() {
    let mut top = with_a_learner(2, Detection::Heartbeat);
    let beat = top.timer(Timer::Heartbeat);
    assert_eq!(sends::<Bully>(&beat), [0, 1, 9].map(|to| (to, Message::Heartbeat)));
    let mut middle = with_a_learner(1, Detection::Heartbeat);
    middle.pass(Parameters::default().timeout_min);
    let told = middle.timer(Timer::Patience);
    assert_eq!(sends::<Bully>(&told), [0, 9].map(|to| (to, Message::Coordinator)));
}

#[test]
fn who_has_no_vote_follows_any_leader_and_never_campaigns() {
    for first in [Message::Coordinator, Message::Heartbeat] {
        let mut learner = with_a_learner(9, Detection::Heartbeat);
        let effects = learner.hear(2, first);
        assert_eq!(notices::<Bully>(&effects), [Notice::Following { leader: NodeId(2), term: 0 }]);
        let voters = [0, 1, 2].map(NodeId).into();
        let others = [8, 9].map(NodeId).into();
        learner.step(Input::Members(Members { epoch: 2, voters, others }));
        assert_eq!(learner.node.leader(), Some(NodeId(2)), "another member is no news of the leader");
        let effects = learner.timer(Timer::Patience);
        assert_eq!(notices::<Bully>(&effects), [Notice::SteppedDown { term: 0 }]);
        assert_eq!((sends::<Bully>(&effects), learner.node.leader()), (vec![], None));
        learner.hear(1, Message::Heartbeat);
        assert_eq!(learner.node.leader(), Some(NodeId(1)));
        learner.hear(8, Message::Coordinator);
        assert_eq!(learner.node.leader(), Some(NodeId(1)), "who has no vote does not lead");
    }
}

#[test]
fn where_leaders_are_silent_who_has_no_vote_asks() {
    let mut learner = with_a_learner(9, Detection::Ping);
    let effects = learner.timer(Timer::Patience);
    assert_eq!(sends::<Bully>(&effects), [0, 1, 2].map(|to| (to, Message::Ping)));
    let effects = learner.hear(2, Message::Pong);
    assert_eq!(notices::<Bully>(&effects), [Notice::Following { leader: NodeId(2), term: 0 }]);
    assert_eq!(sends::<Bully>(&learner.timer(Timer::Heartbeat)), [(2, Message::Ping)]);
}

proptest! {
    #[test]
    fn any_input_is_survived_in_any_state(
        pings in any::<bool>(),
        nodes in 1..6u32,
        inputs in testing::inputs::<Bully>(
            prop::sample::select(vec![
                Message::Election,
                Message::Answer,
                Message::Coordinator,
                Message::Heartbeat,
                Message::Ping,
                Message::Pong,
            ]),
            prop_oneof![Just(Timer::Patience), Just(Timer::Heartbeat)],
            None,
        ),
    ) {
        let detection = if pings { Detection::Ping } else { Detection::Heartbeat };
        let parameters = Parameters { detection, ..Parameters::default() };
        testing::survives::<Bully>(Config::new(&parameters, nodes).unwrap(), inputs)?;
    }
}
