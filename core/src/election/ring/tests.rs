use proptest::prelude::*;

use super::*;
use crate::contract::{EffectOf, Members};
use crate::election::Elector;
use crate::election::testing::{self, Bench, notices, sends};

fn bench(nodes: u32, me: u32) -> Bench<Ring> {
    Bench::new(Config::new(&Parameters::default(), nodes).unwrap(), me)
}

/// A follower of node 4 of five.
fn follower(me: u32) -> Bench<Ring> {
    let mut bench = bench(5, me);
    bench.hear(4, Message::Heartbeat);
    bench
}

fn election(owner: u32, tour: u32) -> Token {
    Token { leg: Leg::Election, owner: NodeId(owner), tour }
}

fn elected(owner: u32, tour: u32) -> Token {
    Token { leg: Leg::Elected, owner: NodeId(owner), tour }
}

fn passed(effects: &[EffectOf<Ring>]) -> Vec<(u32, Token)> {
    let passed = |(to, message)| match message {
        Message::Pass(token) => Some((to, token)),
        _ => None,
    };
    sends::<Ring>(effects).into_iter().filter_map(passed).collect()
}

#[test]
fn messages_are_small() {
    assert!(size_of::<Message>() <= 16);
}

#[test]
fn a_higher_name_is_passed_on_and_acknowledged() {
    let effects = follower(2).hear(1, Message::Pass(election(3, 9)));
    let (ack, pass) = (Message::Ack(election(3, 9)), Message::Pass(election(3, 9)));
    assert_eq!(sends::<Ring>(&effects), [(1, ack), (3, pass)]);
}

#[test]
fn a_lower_name_is_replaced_by_ones_own_and_the_next_is_swallowed() {
    let mut bench = follower(2);
    let sent = passed(&bench.hear(1, Message::Pass(election(1, 9))));
    assert_eq!((sent.len(), sent[0].0, sent[0].1.owner), (1, 3, NodeId(2)));
    assert_eq!(passed(&bench.hear(1, Message::Pass(election(0, 9)))), []);
}

#[test]
fn a_name_that_comes_home_has_won() {
    let mut bench = bench(3, 1);
    let token = passed(&bench.start(Vec::new()))[0].1;
    bench.hear(0, Message::Pass(election(1, token.tour.wrapping_add(1))));
    assert!(!bench.node.leads());
    let effects = bench.hear(0, Message::Pass(token));
    assert_eq!(passed(&effects), [(2, elected(1, token.tour))]);
    assert!(bench.node.leads());
    assert_eq!(passed(&bench.hear(0, Message::Pass(elected(1, token.tour)))), []);
}

#[test]
fn a_hop_that_comes_twice_is_handled_once() {
    let mut bench = follower(2);
    bench.hear(1, Message::Pass(election(3, 9)));
    let effects = bench.hear(1, Message::Pass(election(3, 9)));
    assert_eq!(sends::<Ring>(&effects), [(1, Message::Ack(election(3, 9)))]);
    assert_eq!(passed(&bench.hear(1, Message::Pass(election(3, 10)))).len(), 1);
}

#[test]
fn a_silent_successor_is_tried_again_and_then_skipped() {
    let (mut bench, token) = (follower(1), election(4, 9));
    assert_eq!(passed(&bench.hear(0, Message::Pass(token))), [(2, token)]);
    assert_eq!(passed(&bench.timer(Timer::Hop(token))), [(2, token)]);
    assert_eq!(passed(&bench.timer(Timer::Hop(token))), [(3, token)]);
    bench.hear(3, Message::Ack(token));
    assert_eq!(passed(&bench.timer(Timer::Hop(token))), []);
}

#[test]
fn a_token_whose_owner_is_dead_is_dropped_and_a_new_name_sent() {
    let (mut bench, token) = (follower(3), election(4, 9));
    bench.hear(2, Message::Pass(token));
    bench.timer(Timer::Hop(token));
    let effects = bench.timer(Timer::Hop(token));
    assert_eq!(notices::<Ring>(&effects), [Notice::Campaigning { term: 0 }]);
    assert_eq!(passed(&effects).iter().map(|(to, token)| (*to, token.owner.0)).collect::<Vec<_>>(), [(4, 3)]);
}

#[test]
fn the_last_node_alive_leads_alone() {
    let mut bench = bench(3, 0);
    let token = passed(&bench.start(Vec::new()))[0].1;
    for _ in 0..4 {
        bench.timer(Timer::Hop(token));
    }
    assert!(bench.node.leads());
}

#[test]
fn a_winner_is_followed_by_lower_nodes_and_challenged_by_higher_ones() {
    let mut lower = follower(1);
    lower.hear(0, Message::Pass(elected(3, 9)));
    assert_eq!(lower.node.leader(), Some(NodeId(3)));
    let mut higher = follower(2);
    let sent = passed(&higher.hear(1, Message::Pass(elected(0, 9))));
    assert_eq!(sent.iter().map(|(_, token)| token.owner.0).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn a_leader_that_is_asked_for_announces_itself_again() {
    let mut bench = bench(2, 1);
    let own = passed(&bench.start(Vec::new()))[0].1;
    bench.hear(0, Message::Pass(own));
    assert_eq!(passed(&bench.hear(0, Message::Pass(election(0, 5)))), [(0, elected(1, 5))]);
    assert!(bench.node.leads());
}

#[test]
fn a_ring_closes_around_members_that_go() {
    let mut bench = follower(1);
    let voters = [0, 1, 4].map(NodeId).into();
    bench.step(Input::Members(Members { epoch: 1, voters, others: [].into() }));
    assert_eq!(passed(&bench.hear(0, Message::Pass(election(4, 9)))), [(4, election(4, 9))]);
}

#[test]
fn random_rings_hold_every_node_and_differ_by_seed() {
    let order = |ring_seed| {
        let parameters = Parameters { order: Order::Random, ring_seed, ..Parameters::default() };
        Config::new(&parameters, 50).unwrap().order.to_vec()
    };
    assert_ne!(order(1), order(2));
    let mut nodes = order(1);
    nodes.sort_unstable();
    assert_eq!(nodes, (0..50).map(NodeId).collect::<Vec<_>>());
}

fn token() -> impl Strategy<Value = Token> {
    (any::<bool>(), testing::node(), 0..2u32).prop_map(|(is_election, owner, tour)| Token {
        leg: if is_election { Leg::Election } else { Leg::Elected },
        owner,
        tour,
    })
}

proptest! {
    #[test]
    fn any_input_is_survived_in_any_state(
        pings in any::<bool>(),
        nodes in 1..6u32,
        inputs in testing::inputs::<Ring>(
            prop_oneof![
                3 => token().prop_map(Message::Pass),
                1 => token().prop_map(Message::Ack),
                1 => Just(Message::Heartbeat),
                1 => Just(Message::Ping),
                1 => Just(Message::Pong),
            ],
            prop_oneof![Just(Timer::Patience), Just(Timer::Heartbeat), token().prop_map(Timer::Hop)],
            None,
        ),
    ) {
        let detection = if pings { Detection::Ping } else { Detection::Heartbeat };
        let parameters = Parameters { detection, ..Parameters::default() };
        testing::survives::<Ring>(Config::new(&parameters, nodes).unwrap(), inputs)?;
    }
}
