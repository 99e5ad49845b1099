use proptest::prelude::*;

use super::*;
use crate::contract::{Effect, EffectOf, Members};
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

fn election(owner: u32, number: u32) -> Token {
    Token { leg: Leg::Election, owner: NodeId(owner), tour: Tour { life: 0, number } }
}

fn elected(owner: u32, number: u32) -> Token {
    Token { leg: Leg::Elected, ..election(owner, number) }
}

fn hop(token: Token) -> Timer {
    Timer::Hop(token.leg, token.owner)
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
    assert!(size_of::<Message>() <= 20);
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
    let of_a_former_life = Tour { life: token.tour.life.wrapping_add(1), ..token.tour };
    bench.hear(0, Message::Pass(Token { tour: of_a_former_life, ..token }));
    assert!(!bench.node.leads());
    let sent = passed(&bench.hear(0, Message::Pass(token)));
    assert_eq!(sent.iter().map(|(to, token)| (*to, token.leg)).collect::<Vec<_>>(), [(2, Leg::Elected)]);
    assert!(bench.node.leads());
    assert_eq!(passed(&bench.hear(0, Message::Pass(sent[0].1))), []);
}

#[test]
fn a_name_that_comes_home_after_it_was_sent_again_has_won_too() {
    let mut bench = bench(3, 1);
    let token = passed(&bench.start(Vec::new()))[0].1;
    bench.pass(Duration::from_secs(1));
    assert_eq!(passed(&bench.timer(Timer::Patience))[0].1.tour.number, token.tour.number + 1);
    bench.hear(0, Message::Pass(token));
    assert!(bench.node.leads());
}

#[test]
fn nobody_begins_two_tours_at_once() {
    let mut bench = bench(5, 2);
    bench.start(Vec::new());
    bench.hear(4, Message::Heartbeat);
    assert_eq!(passed(&bench.hear(1, Message::Pass(election(1, 9)))), []);
    bench.pass(Parameters::default().timeout_min);
    assert_eq!(passed(&bench.timer(Timer::Patience)).len(), 1);
}

#[test]
fn a_hop_that_comes_twice_is_handled_once() {
    let mut bench = follower(2);
    bench.hear(1, Message::Pass(election(3, 9)));
    assert_eq!(passed(&bench.hear(1, Message::Pass(election(3, 10)))).len(), 1);
    for number in [9, 10] {
        let effects = bench.hear(1, Message::Pass(election(3, number)));
        assert_eq!(sends::<Ring>(&effects), [(1, Message::Ack(election(3, number)))]);
    }
}

#[test]
fn the_lives_of_an_owner_do_not_alternate_at_any_speed() {
    let mut bench = follower(2);
    let reborn = Token { tour: Tour { life: 1, number: 0 }, ..election(3, 9) };
    let mut count = |token| passed(&bench.hear(1, Message::Pass(token))).len();
    assert_eq!([count(election(3, 9)), count(reborn), count(election(3, 9))], [1, 0, 0]);
    bench.pass(Parameters::default().timeout_min);
    let mut count = |token| passed(&bench.hear(1, Message::Pass(token))).len();
    assert_eq!([count(reborn), count(election(3, 10)), count(reborn)], [1, 0, 0]);
}

#[test]
fn a_successor_that_was_slow_is_given_more_time() {
    let (mut bench, token) = (follower(1), election(4, 9));
    let wait = |effects: &[EffectOf<Ring>]| {
        effects.iter().find_map(|effect| match effect {
            Effect::SetTimer { timer: Timer::Hop(..), after } => Some(after.as_millis()),
            _ => None,
        })
    };
    assert_eq!(wait(&bench.hear(0, Message::Pass(token))), Some(50));
    bench.pass(Duration::from_millis(50));
    bench.timer(hop(token));
    bench.pass(Duration::from_millis(50));
    assert_eq!(passed(&bench.timer(hop(token))), [(3, token)]);
    bench.pass(Duration::from_millis(20));
    bench.hear(2, Message::Ack(token));
    assert_eq!(wait(&bench.hear(0, Message::Pass(election(4, 10)))), Some(180));
}

#[test]
fn a_silent_successor_is_tried_again_and_then_skipped() {
    let (mut bench, token) = (follower(1), election(4, 9));
    assert_eq!(passed(&bench.hear(0, Message::Pass(token))), [(2, token)]);
    assert_eq!(passed(&bench.timer(hop(token))), [(2, token)]);
    assert_eq!(passed(&bench.timer(hop(token))), [(3, token)]);
    let effects = bench.hear(3, Message::Ack(token));
    assert_eq!(effects, [Effect::CancelTimer { timer: hop(token) }]);
}

#[test]
fn a_token_whose_owner_is_dead_is_dropped_and_a_new_name_sent() {
    let (mut bench, token) = (follower(3), election(4, 9));
    bench.hear(2, Message::Pass(token));
    bench.timer(hop(token));
    let effects = bench.timer(hop(token));
    assert_eq!(notices::<Ring>(&effects), [Notice::Campaigning { term: 0 }]);
    assert_eq!(passed(&effects).iter().map(|(to, token)| (*to, token.owner.0)).collect::<Vec<_>>(), [(4, 3)]);
}

#[test]
fn the_last_node_alive_leads_alone() {
    let mut bench = bench(3, 0);
    let token = passed(&bench.start(Vec::new()))[0].1;
    for _ in 0..4 {
        bench.timer(hop(token));
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
    assert_eq!(passed(&bench.hear(0, Message::Pass(election(0, 5)))), []);
    bench.pass(Parameters::default().timeout_min);
    let announced = passed(&bench.timer(Timer::Patience));
    assert_eq!((announced[0].1.leg, announced[0].1.owner), (Leg::Elected, NodeId(1)));
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

/// Voters 0, 1 and 2, and node 9 that only follows.
fn with_a_learner() -> InputOf<Ring> {
    let voters = [0, 1, 2].map(NodeId).into();
    Input::Members(Members { epoch: 1, voters, others: [NodeId(9)].into() })
}

/// Node 9 among them.
fn learner(detection: Detection) -> Bench<Ring> {
    let parameters = Parameters { detection, ..Parameters::default() };
    let mut bench = Bench::new(Config::new(&parameters, 3).unwrap(), 9);
    bench.step(with_a_learner());
    bench
}

#[test]
fn who_has_no_vote_hears_who_leads_and_has_no_place_on_the_ring() {
    let mut top = bench(3, 2);
    let (to, own) = passed(&top.start(Vec::new()))[0];
    assert_eq!(to, 0);
    top.step(with_a_learner());
    assert_eq!(passed(&top.hear(1, Message::Pass(own)))[0].0, 0);
    assert!(top.node.leads());
    let beat = top.timer(Timer::Heartbeat);
    assert_eq!(sends::<Ring>(&beat), [0, 1, 9].map(|to| (to, Message::Heartbeat)));
}

#[test]
fn who_has_no_vote_follows_any_leader_and_never_campaigns() {
    let mut follower = learner(Detection::Heartbeat);
    let effects = follower.hear(2, Message::Heartbeat);
    assert_eq!(notices::<Ring>(&effects), [Notice::Following { leader: NodeId(2), term: 0 }]);
    let effects = follower.timer(Timer::Patience);
    assert_eq!(notices::<Ring>(&effects), [Notice::SteppedDown { term: 0 }]);
    assert_eq!((sends::<Ring>(&effects), follower.node.leader()), (vec![], None));
    follower.hear(1, Message::Heartbeat);
    assert_eq!(follower.node.leader(), Some(NodeId(1)));
    assert_eq!(passed(&follower.hear(0, Message::Pass(election(1, 5)))), []);
}

#[test]
fn where_leaders_are_silent_who_has_no_vote_asks() {
    let mut follower = learner(Detection::Ping);
    let effects = follower.start(Vec::new());
    assert_eq!(sends::<Ring>(&effects), [0, 1, 2].map(|to| (to, Message::Ping)));
    let effects = follower.hear(2, Message::Pong);
    assert_eq!(notices::<Ring>(&effects), [Notice::Following { leader: NodeId(2), term: 0 }]);
    assert_eq!(sends::<Ring>(&follower.timer(Timer::Heartbeat)), [(2, Message::Ping)]);
}

fn token() -> impl Strategy<Value = Token> {
    (any::<bool>(), testing::node(), 0..4u32).prop_map(|(is_election, owner, number)| Token {
        leg: if is_election { Leg::Election } else { Leg::Elected },
        owner,
        tour: Tour { life: number % 2, number },
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
            prop_oneof![Just(Timer::Patience), Just(Timer::Heartbeat), token().prop_map(hop)],
            None,
        ),
    ) {
        let detection = if pings { Detection::Ping } else { Detection::Heartbeat };
        let parameters = Parameters { detection, ..Parameters::default() };
        testing::survives::<Ring>(Config::new(&parameters, nodes).unwrap(), inputs)?;
    }
}
