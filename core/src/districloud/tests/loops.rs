//! One node at a time: messages go in by hand, and what leaves is looked at.

use std::collections::VecDeque;

use super::super::messages::{Command, Message, Refusal, Reply, Timer};
use super::super::{DistriCloud, HUB, Published};
use super::*;
use crate::contract::{CommandId, Context, Effect, EffectOf, Input, InputOf, Protocol, Subject};

struct Alone {
    node: DistriCloud,
    me: NodeId,
    keys: Keys,
    steps: u64,
}

type Effects = Vec<EffectOf<DistriCloud>>;

impl Alone {
    /// A node of a system of five, which has just started.
    fn new(me: u32, parameters: &Parameters) -> (Self, Effects) {
        let config = Arc::new(DistriCloud::config(parameters, 5).unwrap());
        let me = NodeId(me);
        let mut alone = Self { node: DistriCloud::boot(&config, me), me, keys: Keys::from_seed(1), steps: 0 };
        let effects = alone.step(Input::Start { log: Vec::new() });
        (alone, effects)
    }

    fn step(&mut self, input: InputOf<DistriCloud>) -> Effects {
        let mut effects = VecDeque::new();
        let dice = Dice::new(&self.keys, self.me, Life(0), self.steps);
        self.steps += 1;
        let now = Time(self.steps);
        self.node.step(input, &mut Context::new(now, Time::ZERO, self.me, dice, &mut effects));
        effects.into()
    }

    fn hear(&mut self, from: u32, message: Message) -> Effects {
        self.step(Input::Message { from: NodeId(from), message, blob: None })
    }

    fn ring(&mut self, timer: Timer) -> Effects {
        self.step(Input::Timer { timer })
    }
}

fn sent(effects: &[EffectOf<DistriCloud>]) -> Vec<(u32, Message)> {
    let send = |effect: &EffectOf<DistriCloud>| match effect {
        Effect::Send { to, message, .. } => Some((to.0, *message)),
        _ => None,
    };
    effects.iter().filter_map(send).collect()
}

fn rings(effects: &[EffectOf<DistriCloud>], wanted: Timer) -> Option<Duration> {
    effects.iter().find_map(|effect| match effect {
        Effect::SetTimer { timer, after } if *timer == wanted => Some(*after),
        _ => None,
    })
}

#[test]
fn a_round_is_heartbeat_fetch_work_submit_sleep() {
    let (mut node, began) = Alone::new(1, &Parameters::default());
    assert_eq!(sent(&began), [(0, Message::Heartbeat), (0, Message::Poll)]);
    let task = TaskId(4);
    let work = node.hear(0, Message::Work(Some((task, Duration::from_secs(7)))));
    assert_eq!((sent(&work), rings(&work, Timer::Done)), (vec![], Some(Duration::from_secs(7))));
    assert!(sent(&node.ring(Timer::Heartbeat)).is_empty(), "who works is silent");
    assert!(node.ring(Timer::Round).is_empty());
    let done = node.ring(Timer::Done);
    assert_eq!(sent(&done), [(0, Message::Submit { task, output: Some(task.right()) })]);
    assert_eq!(rings(&done, Timer::Round), Some(Duration::from_secs(60)));
    assert_eq!(sent(&node.ring(Timer::Heartbeat)), [(0, Message::Heartbeat)]);
    let next = node.ring(Timer::Round);
    assert_eq!(sent(&next), [(0, Message::Heartbeat), (0, Message::Poll)]);
    let nothing = node.hear(0, Message::Work(None));
    assert_eq!((sent(&nothing), rings(&nothing, Timer::Round)), (vec![], Some(Duration::from_secs(60))));
}

#[test]
fn a_node_without_an_answer_sleeps_and_tries_again() {
    let (mut node, began) = Alone::new(1, &Parameters::default());
    assert_eq!(rings(&began, Timer::Round), Some(Duration::from_secs(10)));
    let given_up = node.ring(Timer::Round);
    assert_eq!((sent(&given_up), rings(&given_up, Timer::Round)), (vec![], Some(Duration::from_secs(60))));
    let late = node.hear(0, Message::Work(Some((TaskId(1), Duration::from_secs(1)))));
    assert!(late.is_empty(), "it did not ask");
    assert_eq!(sent(&node.ring(Timer::Round)).len(), 2);
    assert!(node.hear(2, Message::Work(Some((TaskId(1), Duration::from_secs(1))))).is_empty(), "not the hub");
}

#[test]
fn the_last_nodes_lie_and_all_the_same() {
    let parameters = Parameters { malicious: 2, ..Parameters::default() };
    for (me, lies) in [(1, false), (2, false), (3, true), (4, true)] {
        let (mut node, _) = Alone::new(me, &parameters);
        let task = TaskId(8);
        node.hear(0, Message::Work(Some((task, Duration::from_secs(1)))));
        let output = Some(if lies { task.wrong() } else { task.right() });
        assert_eq!(sent(&node.ring(Timer::Done)), [(0, Message::Submit { task, output })]);
    }
    assert!(DistriCloud::config(&Parameters { malicious: 5, ..parameters }, 5).is_err());
    assert!(DistriCloud::config(&Parameters::default(), 1).is_err());
}

#[test]
fn the_hub_gives_a_node_its_oldest_task_until_it_is_answered() {
    let parameters = Parameters { pass_at_poll: true, trust: Some(5.0), ..Parameters::default() };
    let (mut hub, _) = Alone::new(0, &parameters);
    for id in 0..2 {
        let submitted =
            hub.step(Input::Command { id: CommandId(id), command: Command::Submit(spec(1, 1, 4)) });
        let reply = Reply::Submitted(TaskId(id));
        assert!(
            submitted
                .iter()
                .any(|effect| matches!(effect, Effect::Reply { reply: given, .. } if *given == reply))
        );
    }
    let second = Duration::from_secs(1);
    for _ in 0..2 {
        assert_eq!(sent(&hub.hear(3, Message::Poll)), [(3, Message::Work(Some((TaskId(0), second))))]);
    }
    hub.hear(3, Message::Submit { task: TaskId(0), output: Some(0) });
    assert_eq!(sent(&hub.hear(3, Message::Poll)), [(3, Message::Work(Some((TaskId(1), second))))]);
    assert_eq!(sent(&hub.hear(9, Message::Poll)), [(9, Message::Work(None))], "no node of its own");
    assert!(hub.hear(3, Message::Work(None)).is_empty());
}

#[test]
fn without_a_pass_at_each_poll_tasks_wait_for_the_next() {
    let (mut hub, began) = Alone::new(0, &Parameters { trust: Some(5.0), ..Parameters::default() });
    assert_eq!(rings(&began, Timer::Pass), Some(Duration::from_secs(120)));
    assert_eq!(rings(&began, Timer::Health), Some(Duration::from_secs(60)));
    hub.step(Input::Command { id: CommandId(0), command: Command::Submit(spec(1, 1, 4)) });
    assert_eq!(sent(&hub.hear(1, Message::Poll)), [(1, Message::Work(None))]);
    assert_eq!(rings(&hub.ring(Timer::Pass), Timer::Pass), Some(Duration::from_secs(120)));
    assert!(matches!(sent(&hub.hear(1, Message::Poll))[..], [(1, Message::Work(Some(_)))]));
}

#[test]
fn only_the_hub_takes_tasks() {
    let (mut node, _) = Alone::new(1, &Parameters::default());
    let refused = node.step(Input::Command { id: CommandId(7), command: Command::Submit(spec(1, 1, 1)) });
    let is_refusal = |effect: &EffectOf<DistriCloud>| {
        matches!(effect, Effect::Reply { reply: Reply::Refused(Refusal::NotTheHub), .. })
    };
    assert!(refused.iter().all(is_refusal) && refused.len() == 1);
}

#[test]
fn one_seed_draws_one_cloud_whatever_the_rule() {
    let drawn = |rule_of, seed| {
        let mut alone = Alone::new(0, &rule(rule_of)).0;
        alone.keys = Keys::from_seed(seed);
        alone.step(Input::Start { log: Vec::new() });
        alone.step(Input::Command {
            id: CommandId(0),
            command: Command::Submit(Spec { trust: None, ..spec(1, 1, 2) }),
        });
        let board = alone.node.hub().unwrap().board();
        let nodes: Vec<_> =
            board.members().map(|(node, member)| (member.cpu, member.ram, board.trust(node))).collect();
        (nodes, board.task(TaskId(0)).unwrap().required)
    };
    assert_eq!(drawn(Rule::Custom, 1), drawn(Rule::LateBinding, 1));
    assert_ne!(drawn(Rule::Custom, 1), drawn(Rule::Custom, 2));
    assert_eq!(HUB, NodeId(0));
}

#[test]
fn published_runs_are_found_by_their_size_and_rule() {
    let means = |rule_of| Published::of(20, 100, rule_of).map(|figures| figures.map(|figure| figure.mean_s));
    assert_eq!([means(Rule::Custom), means(Rule::Fifo)], [Some([48.6, 47.1]), Some([61.3, 55.2])]);
    assert_eq!((means(Rule::Random), Published::of(20, 99, Rule::Fifo)), (None, None));
}
