//! Elections under load: Raft, and beside it as much as the peers take, on the lanes that its heartbeats share.

use std::collections::BTreeMap;
use std::sync::Arc;

use seedbed_core::contract::{
    Blob, Context, Embeds, Findings, Input, InputOf, Lane, Lifted, Never, NodeId, Observation, Probe,
    Protocol, Subject, Tag, View, Wire,
};
use seedbed_core::election::Notice;
use seedbed_core::election::raft::{self, Raft};
use serde::{Deserialize, Serialize};

/// Takes part in elections, and keeps both lanes to every peer full: so many small messages and blobs are always under
/// way to each, and one that is acknowledged is followed by another.
#[derive(Clone, Debug, Serialize)]
pub struct LoadedRaft {
    raft: Raft,
    /// Small messages and blobs that have come, in this life: what a command asks for.
    taken: [u64; 2],
    /// Small messages taken from each peer since the last acknowledgement.
    owed: BTreeMap<NodeId, u32>,
    #[serde(skip)]
    blob: Blob,
}

/// Small messages under way to a peer.
pub const WINDOW: u32 = 256;
/// As many are acknowledged at once.
const GROUP: u32 = 32;
/// Blobs under way to a peer: as many as a link gives credit for.
pub const BLOBS: u32 = 2;
/// Bytes of a blob.
pub const BLOB_SIZE: usize = 1 << 20;
/// Bytes of a small message, as a frame.
pub const FRAME_SIZE: usize = 64;

/// What the nodes say to each other.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Message {
    /// Of the election.
    Raft(raft::Message),
    /// Nothing, in a frame of [`FRAME_SIZE`] bytes on the control lane.
    Small([u8; 32], [u8; 8]),
    /// A blob rides beside it, on the bulk lane.
    Bulk,
    /// So many small messages were taken.
    TookSmall(u32),
    /// A blob was taken.
    TookBulk,
}

impl Wire for Message {
    fn lane(&self) -> Lane {
        match self {
            Self::Raft(message) => message.lane(),
            Self::Bulk => Lane::Bulk,
            Self::Small(..) | Self::TookSmall(_) | Self::TookBulk => Lane::Control,
        }
    }
}

impl Embeds<Raft> for LoadedRaft {
    type Slot = ();
    fn message((): (), message: raft::Message) -> Message {
        Message::Raft(message)
    }
    fn timer((): (), timer: raft::Timer) -> raft::Timer {
        timer
    }
    fn record((): (), record: raft::Record) -> raft::Record {
        record
    }
    fn job((): (), job: Never) -> Never {
        job
    }
    fn tag((): (), Tag(inner): Tag) -> Tag {
        Tag(inner + 1)
    }
}

impl Protocol for LoadedRaft {
    const VERSION: u16 = 1;
    type Config = raft::Config;
    type Message = Message;
    type Timer = raft::Timer;
    type Command = ();
    type Reply = [u64; 2];
    type Record = raft::Record;
    type Notice = Notice;
    type Job = Never;
    type Outcome = Never;

    fn boot(config: &Arc<raft::Config>, me: NodeId) -> Self {
        let blob = Blob::new(vec![me.0 as u8; BLOB_SIZE]);
        Self { raft: Raft::boot(config, me), taken: [0; 2], owed: BTreeMap::new(), blob }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        let input = match input {
            Input::Message { from, message, blob } => match message {
                Message::Raft(message) => Input::Message { from, message, blob },
                other => return self.take(from, &other, cx),
            },
            Input::Link { peer, up } => {
                self.owed.remove(&peer);
                if up {
                    self.say(peer, WINDOW, cx);
                    (0..BLOBS).for_each(|_| cx.send_blob(peer, Message::Bulk, self.blob.clone()));
                }
                Input::Link { peer, up }
            }
            Input::Start { log } => Input::Start { log },
            Input::Timer { timer } => Input::Timer { timer },
            Input::Command { id, .. } => return cx.reply_now(id, self.taken),
            Input::Members(members) => Input::Members(members),
            Input::Blob(news) => Input::Blob(news),
            Input::Full { record } => Input::Full { record },
            Input::Ran { job, .. } => match job {},
        };
        let Lifted { notices, .. } = cx.embed((), |cx| self.raft.step(input, cx));
        notices.into_iter().for_each(|notice| cx.notify(notice));
    }

    fn role(&self) -> &'static str {
        self.raft.role()
    }
}

impl LoadedRaft {
    /// What is no part of the election.
    fn take(&mut self, from: NodeId, message: &Message, cx: &mut Context<'_, Self>) {
        match message {
            Message::Small(..) => {
                self.taken[0] += 1;
                let owed = self.owed.entry(from).or_default();
                *owed += 1;
                if *owed == GROUP {
                    *owed = 0;
                    cx.send_now(from, Message::TookSmall(GROUP));
                }
            }
            Message::Bulk => {
                self.taken[1] += 1;
                cx.send_now(from, Message::TookBulk);
            }
            Message::TookSmall(count) => self.say(from, (*count).min(WINDOW), cx),
            Message::TookBulk => cx.send_blob(from, Message::Bulk, self.blob.clone()),
            Message::Raft(_) => {}
        }
    }

    fn say(&self, peer: NodeId, count: u32, cx: &mut Context<'_, Self>) {
        (0..count).for_each(|_| cx.send_now(peer, Message::Small([7; 32], [7; 8])));
    }
}

impl Subject for LoadedRaft {
    type Settings = raft::Parameters;
    type Load = ();
    type Probe = Unwatched;
    const ABOUT: &'static str = "leader election of Raft while both lanes to every peer are full";

    fn config(parameters: &raft::Parameters, nodes: u32) -> Result<raft::Config, String> {
        Raft::config(parameters, nodes)
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        Subject::facts(&self.raft)
    }
}

/// Nothing is measured in a simulation of it.
#[derive(Clone, Debug)]
pub struct Unwatched;

impl Probe<LoadedRaft> for Unwatched {
    fn new(_: &raft::Config, _: u32) -> Self {
        Self
    }

    fn observe(&mut self, _: Observation<'_, LoadedRaft>, _: &dyn View<LoadedRaft>, _: &mut Findings) {}
}

#[cfg(test)]
mod tests {
    use seedbed_core::contract::Life;
    use seedbed_core::contract::frame::{self, Header};

    use super::*;

    #[test]
    fn a_small_message_has_the_size_that_is_told() {
        let mut bytes = Vec::new();
        let header = Header { protocol: 0, life: Life(0), ordinal: 1 << 24 };
        frame::encode(header, &Message::Small([7; 32], [7; 8]), &mut bytes).unwrap();
        assert_eq!(bytes.len(), FRAME_SIZE);
    }
}
