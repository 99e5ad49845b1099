//! Composition: one node holds the same protocol twice, and neither copy can tell.

mod pair;

use std::collections::VecDeque;
use std::sync::Arc;

use pair::*;
use seedbed_core::contract::{
    Blob, BlobInput, CommandId, Context, Dice, Duration, Effect, EffectOf, Input, InputOf, Keys, Life,
    NodeId, Protocol, Tag, Time,
};

use Side::{Left, Right};

const ME: NodeId = NodeId(0);
const ID: CommandId = CommandId(9);

fn step<P: Protocol>(node: &mut P, input: InputOf<P>) -> Vec<EffectOf<P>> {
    let (keys, mut effects) = (Keys::from_seed(1), VecDeque::new());
    let dice = Dice::new(&keys, ME, Life(0), 0);
    node.step(input, &mut Context::new(Time(5), Time(7), ME, dice, &mut effects));
    effects.into()
}

fn ask(node: &mut Pair, asks: &[Of<Ask>]) -> Vec<EffectOf<Pair>> {
    step(node, Input::Command { id: ID, command: asks.to_vec() })
}

/// What a write comes to: effects in the order given, then notices and replies, which the outer node passes on.
fn written(side: Side, number: u8) -> Vec<EffectOf<Pair>> {
    let (of, page, to) = (Of(side, Number(number)), Blob::new([number]), NodeId(1));
    let tag = Tag(1 + side as u32);
    vec![
        Effect::Send { to, durable: false, message: of, blob: None },
        Effect::Persist { tag, record: of },
        Effect::Send { to, durable: true, message: of, blob: Some(page.clone()) },
        Effect::StoreBlob { tag, blob: page.clone() },
        Effect::LoadBlob { tag, id: page.id() },
        Effect::DropBlob { id: page.id() },
        Effect::SetTimer { timer: of, after: Duration::from_secs(1) },
        Effect::CancelTimer { timer: Of(side, Number(number + 1)) },
        Effect::Run { job: of },
        Effect::Notify { notice: of },
        Effect::Reply { id: ID, durable: true, reply: Of(side, u64::from(number)) },
    ]
}

#[test]
fn every_effect_is_lifted_in_order() {
    assert_eq!(ask(&mut Pair::default(), &[Of(Left, Ask::Write(3))]), written(Left, 3));
    assert_eq!(ask(&mut Pair::default(), &[Of(Right, Ask::Write(3))]), written(Right, 3));
    let both = ask(&mut Pair::default(), &[Of(Right, Ask::Write(1)), Of(Left, Ask::Write(2))]);
    assert_eq!(both, [written(Right, 1), written(Left, 2)].concat());
}

#[test]
fn every_input_finds_its_side() {
    let mut pair = Pair::default();
    let (page, from, number) = (Blob::new([1]), NodeId(4), Number(1));
    let tag = |side| Tag(1 + side as u32);
    step(&mut pair, Input::Message { from, message: Of(Left, number), blob: Some(page.clone()) });
    step(&mut pair, Input::Timer { timer: Of(Right, number) });
    step(&mut pair, Input::Blob(BlobInput::Stored { tag: tag(Right), id: page.id() }));
    step(&mut pair, Input::Blob(BlobInput::Missing { tag: tag(Left), id: page.id() }));
    step(&mut pair, Input::Ran { job: Of(Left, number), outcome: 8 });
    step(&mut pair, Input::Full { record: Of(Right, number) });
    step(&mut pair, Input::Blob(BlobInput::Loaded { tag: Tag(0), blob: page.clone() }));
    let (tag, id) = (Tag(0), page.id());
    let left = [Heard::Told(from, 1, true), Heard::Page(BlobInput::Missing { tag, id }), Heard::Ran(1, 8)];
    let right = [Heard::Reminded(1), Heard::Page(BlobInput::Stored { tag, id }), Heard::Full(1)];
    assert_eq!((&pair.left.heard[..], &pair.right.heard[..]), (&left[..], &right[..]));
}

/// A log as a driver keeps it: a checkpoint replaces the records of its tag only.
#[derive(Default)]
struct Log(Vec<(Tag, Of<Number>)>);

impl Log {
    fn write(&mut self, effects: Vec<EffectOf<Pair>>) {
        for effect in effects {
            match effect {
                Effect::Persist { tag, record } => self.0.push((tag, record)),
                Effect::Checkpoint { tag, records } => {
                    self.0.retain(|(of, _)| *of != tag);
                    self.0.extend(records.into_iter().map(|record| (tag, record)));
                }
                _ => {}
            }
        }
    }

    fn restart(&self) -> Pair {
        let mut pair = Pair::boot(&Arc::new(()), ME);
        step(&mut pair, Input::Start { log: self.0.iter().map(|(_, record)| *record).collect() });
        pair
    }
}

#[test]
fn a_checkpoint_leaves_the_other_slot_alone() {
    let (mut pair, mut log) = (Pair::default(), Log::default());
    for number in 0..5 {
        log.write(ask(&mut pair, &[Of(Left, Ask::Write(number)), Of(Right, Ask::Write(number + 10))]));
    }
    let effects = ask(&mut pair, &[Of(Left, Ask::Forget)]);
    assert_eq!(effects[0], Effect::Checkpoint { tag: Tag(1), records: vec![Of(Left, Number(4))] });
    log.write(effects);
    assert_eq!(pair.left.numbers, [4]);
    assert_eq!(pair.right.numbers, [10, 11, 12, 13, 14]);
    assert_eq!(log.restart(), pair, "and a new life finds both");
}

#[test]
fn draws_inside_and_outside_never_repeat() {
    let effects =
        ask(&mut Pair::default(), &[Of(Left, Ask::Draw), Of(Right, Ask::Draw), Of(Left, Ask::Draw)]);
    let drawn: Vec<_> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Reply { durable: false, reply: Of(_, drawn), .. } => *drawn,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2] && drawn[0] != drawn[2], "{drawn:?}");
    // The first draw is the one that the notebook alone would have made.
    let alone = step(&mut Notebook::default(), Input::Command { id: ID, command: Ask::Draw });
    assert_eq!(alone, [Effect::Reply { id: ID, durable: false, reply: drawn[0] }]);
}
