//! A protocol that does what it is told, and one who writes down all that happens to it.

use std::collections::VecDeque;
use std::sync::Arc;

use seedbed_core::contract::{
    Blob, BlobId, CommandId, Context, Duration, EffectOf, Input, InputOf, Life, NodeId, Protocol, Wire,
};
use seedbed_transport::Knobs;
use seedbed_transport::clock::Skew;
use seedbed_transport::host::{Handle, Moment, Services, Setup, Watch, start};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::bed::{Net, Shelf, soon};

/// Does what commands and messages say.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Puppet;

/// One thing to do.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(crate) enum Act {
    Persist(u64),
    Checkpoint(Vec<u64>),
    Send(NodeId, u64),
    SendNow(NodeId, u64),
    Reply(u64),
    ReplyNow(u64),
    Set(u8, Duration),
    Run(u64),
    Store(Blob),
    Load(BlobId),
    Drop(BlobId),
    Panic,
}

#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(crate) enum Message {
    Say(u64),
    Do(Vec<Act>),
}
impl Wire for Message {}

impl Protocol for Puppet {
    const VERSION: u16 = 1;
    type Config = ();
    type Message = Message;
    type Timer = u8;
    type Command = Vec<Act>;
    type Reply = u64;
    type Record = u64;
    type Notice = ();
    type Job = u64;
    type Outcome = u64;

    fn boot(_: &Arc<()>, _: NodeId) -> Self {
        Self
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        let (acts, id) = match input {
            Input::Command { id, command } => (command, id),
            Input::Message { message: Message::Do(acts), .. } => (acts, CommandId(0)),
            _ => return,
        };
        for act in acts {
            match act {
                Act::Persist(record) => cx.persist(record),
                Act::Checkpoint(records) => cx.checkpoint(records),
                Act::Send(to, word) => cx.send(to, Message::Say(word)),
                Act::SendNow(to, word) => cx.send_now(to, Message::Say(word)),
                Act::Reply(word) => cx.reply(id, word),
                Act::ReplyNow(word) => cx.reply_now(id, word),
                Act::Set(timer, after) => cx.set(timer, after),
                Act::Run(job) => cx.run(job),
                Act::Store(blob) => cx.store(blob),
                Act::Load(id) => cx.load(id),
                Act::Drop(id) => cx.drop_blob(id),
                Act::Panic => panic!("as told"),
            }
        }
    }
}

/// The node that every test of one node has.
pub(crate) const ME: NodeId = NodeId(0);
/// The one that the test plays itself.
pub(crate) const PEER: NodeId = NodeId(1);

/// What is seen of a node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Input(Moment, InputOf<Puppet>),
    Durable(u64),
    Down(NodeId, Life),
}

struct Look(UnboundedSender<Seen>);

impl Watch<Puppet> for Look {
    fn input(&mut self, moment: Moment, input: &InputOf<Puppet>) {
        let _ = self.0.send(Seen::Input(moment, input.clone()));
    }
    fn stepped(&mut self, _: Moment, _: &Puppet, _: &VecDeque<EffectOf<Puppet>>) {}
    fn durable(&mut self, step: u64) {
        let _ = self.0.send(Seen::Durable(step));
    }
    fn down(&mut self, node: NodeId, life: Life) {
        let _ = self.0.send(Seen::Down(node, life));
    }
}

/// One life of a puppet.
pub(crate) struct Lived {
    pub(crate) handle: Handle<Puppet>,
    seen: UnboundedReceiver<Seen>,
}

/// What a test wants to be different.
pub(crate) fn setup() -> Setup<Puppet> {
    Setup {
        me: ME,
        config: Arc::new(()),
        members: None,
        knobs: Knobs::default(),
        key: None,
        services: Services::none(),
        skew: Skew::default(),
    }
}

impl Lived {
    pub(crate) fn new(setup: Setup<Puppet>, net: &Net, shelf: &Shelf) -> Self {
        Self::watched(setup, net, shelf, ())
    }

    /// Another one looks on, too.
    pub(crate) fn watched(setup: Setup<Puppet>, net: &Net, shelf: &Shelf, other: impl Watch<Puppet>) -> Self {
        let (look, seen) = unbounded_channel();
        Self { handle: start(setup, net.join(ME), shelf.open(), (other, Look(look))), seen }
    }

    pub(crate) async fn seen(&mut self) -> Seen {
        soon(self.seen.recv()).await.expect("the life is over")
    }

    /// The next input that this is true of; what comes before is passed over.
    pub(crate) async fn input<T>(&mut self, is: impl Fn(Moment, InputOf<Puppet>) -> Option<T>) -> T {
        loop {
            if let Seen::Input(moment, input) = self.seen().await
                && let Some(found) = is(moment, input)
            {
                return found;
            }
        }
    }

    pub(crate) async fn ask(&self, acts: impl Into<Vec<Act>>) -> u64 {
        soon(self.handle.command(acts.into())).await.expect("an answer")
    }

    /// Lets the node do this; nobody waits for an answer.
    pub(crate) fn tell(net: &Net, acts: impl Into<Vec<Act>>) {
        net.say(PEER, ME, &Message::Do(acts.into()));
    }
}
