//! A notebook, and a node that holds two of them: the same protocol in two slots.

use std::sync::Arc;

use seedbed_core::contract::{
    Blob, BlobInput, CommandId, Context, Duration, Embeds, Input, InputOf, Lifted, NodeId, Protocol, Tag,
    Wire,
};
use serde::{Deserialize, Serialize};

/// Writes numbers down, tells the next node, and keeps a page per number: one of every effect.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct Notebook {
    pub(crate) numbers: Vec<u8>,
    /// What came in besides commands, in order.
    pub(crate) heard: Vec<Heard>,
}

#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(crate) enum Heard {
    Told(NodeId, u8, bool),
    Reminded(u8),
    Page(BlobInput),
    Ran(u8, u16),
    Full(u8),
}

#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(crate) enum Ask {
    /// Does everything at once.
    Write(u8),
    /// Forgets all but the last number.
    Forget,
    /// Draws a number below 1,000 for the reply.
    Draw,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(crate) struct Number(pub(crate) u8);
impl Wire for Number {}

impl Protocol for Notebook {
    const VERSION: u16 = 1;
    type Config = ();
    type Message = Number;
    type Timer = Number;
    type Command = Ask;
    type Reply = u64;
    type Record = Number;
    type Notice = Number;
    type Job = Number;
    type Outcome = u16;

    fn boot(_: &Arc<()>, _: NodeId) -> Self {
        Self::default()
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Start { log } => self.numbers = log.into_iter().map(|Number(number)| number).collect(),
            Input::Command { id, command: Ask::Write(number) } => self.write(id, number, cx),
            Input::Command { id, command: Ask::Forget } => {
                self.numbers.drain(..self.numbers.len().saturating_sub(1));
                cx.checkpoint(self.numbers.iter().copied().map(Number).collect());
                cx.reply(id, 0);
            }
            Input::Command { id, command: Ask::Draw } => {
                let drawn = cx.dice.below(1000);
                cx.reply_now(id, drawn);
            }
            Input::Message { from, message: Number(number), blob } => {
                self.heard.push(Heard::Told(from, number, blob.is_some()));
            }
            Input::Timer { timer: Number(number) } => self.heard.push(Heard::Reminded(number)),
            Input::Blob(news) => self.heard.push(Heard::Page(news)),
            Input::Ran { job: Number(number), outcome } => self.heard.push(Heard::Ran(number, outcome)),
            Input::Full { record: Number(number) } => self.heard.push(Heard::Full(number)),
            Input::Members(_) | Input::Link { .. } => {}
        }
    }
}

impl Notebook {
    fn write(&mut self, id: CommandId, number: u8, cx: &mut Context<'_, Self>) {
        let (next, page) = (NodeId(cx.me.0 + 1), Blob::new([number]));
        cx.notify(Number(number));
        cx.send_now(next, Number(number));
        self.numbers.push(number);
        cx.persist(Number(number));
        cx.send_blob(next, Number(number), page.clone());
        cx.reply(id, u64::from(number));
        cx.store(page.clone());
        cx.load(page.id());
        cx.drop_blob(page.id());
        cx.set(Number(number), Duration::from_secs(1));
        cx.cancel(Number(number.wrapping_add(1)));
        cx.run(Number(number));
    }
}

/// Two notebooks that know nothing of each other.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct Pair {
    pub(crate) left: Notebook,
    pub(crate) right: Notebook,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Something of one side.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(crate) struct Of<T>(pub(crate) Side, pub(crate) T);
impl Wire for Of<Number> {}

/// The sides of one command, in turn.
pub(crate) type Asks = Vec<Of<Ask>>;

impl Embeds<Notebook> for Pair {
    type Slot = Side;
    fn message(side: Side, message: Number) -> Of<Number> {
        Of(side, message)
    }
    fn timer(side: Side, timer: Number) -> Of<Number> {
        Of(side, timer)
    }
    fn record(side: Side, record: Number) -> Of<Number> {
        Of(side, record)
    }
    fn job(side: Side, job: Number) -> Of<Number> {
        Of(side, job)
    }
    fn tag(side: Side, Tag(inner): Tag) -> Tag {
        Tag(inner * 2 + side as u32 + 1)
    }
}

impl Protocol for Pair {
    const VERSION: u16 = 1;
    type Config = ();
    type Message = Of<Number>;
    type Timer = Of<Number>;
    type Command = Asks;
    type Reply = Of<u64>;
    type Record = Of<Number>;
    type Notice = Of<Number>;
    type Job = Of<Number>;
    type Outcome = u16;

    fn boot(config: &Arc<()>, me: NodeId) -> Self {
        Self { left: Notebook::boot(config, me), right: Notebook::boot(config, me) }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Start { log } => {
                for side in [Side::Left, Side::Right] {
                    let log =
                        log.iter().filter(|Of(of, _)| *of == side).map(|Of(_, record)| *record).collect();
                    self.inner(side, Input::Start { log }, cx);
                }
            }
            Input::Command { id, command } => {
                for Of(side, command) in command {
                    self.inner(side, Input::Command { id, command }, cx);
                }
            }
            Input::Message { from, message: Of(side, message), blob } => {
                self.inner(side, Input::Message { from, message, blob }, cx);
            }
            Input::Timer { timer: Of(side, timer) } => self.inner(side, Input::Timer { timer }, cx),
            Input::Ran { job: Of(side, job), outcome } => self.inner(side, Input::Ran { job, outcome }, cx),
            Input::Full { record: Of(side, record) } => self.inner(side, Input::Full { record }, cx),
            Input::Blob(news) => {
                if let Some((side, news)) = side_of(news) {
                    self.inner(side, Input::Blob(news), cx);
                }
            }
            Input::Members(_) | Input::Link { .. } => {}
        }
    }
}

impl Pair {
    fn inner(&mut self, side: Side, input: InputOf<Notebook>, cx: &mut Context<'_, Self>) {
        let notebook = match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        };
        let Lifted { notices, replies } = cx.embed(side, |cx| notebook.step(input, cx));
        for notice in notices {
            cx.notify(Of(side, notice));
        }
        for (id, durable, reply) in replies {
            match durable {
                true => cx.reply(id, Of(side, reply)),
                false => cx.reply_now(id, Of(side, reply)),
            }
        }
    }
}

/// Whose news it is, with the tag that the notebook gave it.
fn side_of(mut news: BlobInput) -> Option<(Side, BlobInput)> {
    let tag = match &mut news {
        BlobInput::Stored { tag, .. }
        | BlobInput::Refused { tag, .. }
        | BlobInput::Loaded { tag, .. }
        | BlobInput::Missing { tag, .. }
        | BlobInput::Damaged { tag, .. } => tag,
    };
    let number = tag.0.checked_sub(1)?;
    *tag = Tag(number / 2);
    Some((if number % 2 == 0 { Side::Left } else { Side::Right }, news))
}
