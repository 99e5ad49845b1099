//! One node on a bench: inputs go in by hand, effects are looked at.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Command, Elector, Notice};
use crate::contract::{
    CommandId, Context, Dice, Duration, Effect, EffectOf, Input, InputOf, Keys, Life, Members, NodeId,
    Protocol, Time,
};

pub(super) struct Bench<P: Protocol> {
    pub(super) node: P,
    pub(super) now: Time,
    me: NodeId,
    keys: Keys,
    steps: u64,
}

impl<P: Protocol> Bench<P> {
    /// A node at a time of its clock that nothing can be concluded from.
    pub(super) fn new(config: P::Config, me: u32) -> Self {
        let (me, now) = (NodeId(me), Time(1 << 40));
        Self { node: P::boot(&Arc::new(config), me), now, me, keys: Keys::from_seed(1), steps: 0 }
    }

    pub(super) fn step(&mut self, input: InputOf<P>) -> Vec<EffectOf<P>> {
        let mut effects = VecDeque::new();
        let dice = Dice::new(&self.keys, self.me, Life(0), self.steps);
        self.steps += 1;
        self.node.step(input, &mut Context::new(self.now, Time::ZERO, self.me, dice, &mut effects));
        effects.into()
    }

    pub(super) fn start(&mut self, log: Vec<P::Record>) -> Vec<EffectOf<P>> {
        self.step(Input::Start { log })
    }

    pub(super) fn hear(&mut self, from: u32, message: P::Message) -> Vec<EffectOf<P>> {
        self.step(Input::Message { from: NodeId(from), message, blob: None })
    }

    pub(super) fn timer(&mut self, timer: P::Timer) -> Vec<EffectOf<P>> {
        self.step(Input::Timer { timer })
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
    }
}

/// To whom what was sent.
pub(super) fn sends<P: Protocol>(effects: &[EffectOf<P>]) -> Vec<(u32, P::Message)> {
    let send = |effect: &EffectOf<P>| match effect {
        Effect::Send { to, message, .. } => Some((to.0, message.clone())),
        _ => None,
    };
    effects.iter().filter_map(send).collect()
}

pub(super) fn notices<P: Protocol>(effects: &[EffectOf<P>]) -> Vec<P::Notice> {
    let notice = |effect: &EffectOf<P>| match effect {
        Effect::Notify { notice } => Some(notice.clone()),
        _ => None,
    };
    effects.iter().filter_map(notice).collect()
}

/// Small numbers, so that terms and rounds collide, and the largest, so that sums overflow.
pub(super) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..4u64, 1 => Just(u64::MAX), 1 => Just(u64::MAX - 1)]
}

pub(super) fn node() -> impl Strategy<Value = NodeId> {
    prop_oneof![6 => (0..5u32).prop_map(NodeId), 1 => Just(NodeId(u32::MAX))]
}

/// Any input, with the node's clock some time later.
pub(super) fn inputs<P: Protocol<Command = Command>>(
    message: impl Strategy<Value = P::Message> + 'static,
    timer: impl Strategy<Value = P::Timer> + 'static,
    record: Option<BoxedStrategy<P::Record>>,
) -> impl Strategy<Value = Vec<(u64, InputOf<P>)>>
where
    InputOf<P>: Debug,
{
    let message = (node(), message).prop_map(|(from, message)| Input::Message { from, message, blob: None });
    let timer = timer.prop_map(|timer| Input::Timer { timer });
    let command = prop_oneof![Just(Command::WhoLeads), Just(Command::Campaign)]
        .prop_map(|command| Input::Command { id: CommandId(0), command });
    let some = || prop::collection::vec(node(), 0..6);
    let members = (number(), some(), some()).prop_map(|(epoch, voters, others)| {
        Input::Members(Members { epoch, voters: voters.into(), others: others.into() })
    });
    let link = (node(), any::<bool>()).prop_map(|(peer, up)| Input::Link { peer, up });
    let start = match &record {
        None => Just(Input::Start { log: Vec::new() }).boxed(),
        Some(record) => {
            prop::collection::vec(record.clone(), 0..3).prop_map(|log| Input::Start { log }).boxed()
        }
    };
    let full = match record {
        None => start.clone(),
        Some(record) => record.prop_map(|record| Input::Full { record }).boxed(),
    };
    let input =
        prop_oneof![20 => message, 8 => timer, 2 => command, 1 => members, 1 => link, 1 => start, 1 => full];
    prop::collection::vec((0..200u64, input), 1..80)
}

/// Feeds a node what no driver would, and holds what must be true of every state.
pub(super) fn survives<P: Elector>(
    config: P::Config,
    inputs: Vec<(u64, InputOf<P>)>,
) -> Result<(), TestCaseError> {
    let mut bench: Bench<P> = Bench::new(config, 2);
    for (ms, input) in inputs {
        bench.pass(Duration::from_millis(ms));
        let before = bench.node.leads();
        let is_start = matches!(input, Input::Start { .. });
        let effects = bench.step(input);
        let leading = |notice: &Notice| matches!(notice, Notice::Leading { .. });
        let has_begun = notices::<P>(&effects).iter().any(leading);
        prop_assert!(is_start || !bench.node.leads() || before || has_begun, "leads without saying so");
        prop_assert_eq!(bench.node.leads(), bench.node.leader() == Some(NodeId(2)));
        prop_assert_eq!(bench.node.leads(), bench.node.role() == "leader");
    }
    Ok(())
}
