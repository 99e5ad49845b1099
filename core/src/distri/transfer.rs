//! The reliable layer: stop and wait over datagrams. Chunks are numbered, each is acknowledged before the next is sent, and
//! a mark that nobody waits for ends them.

use serde::Serialize;

use super::messages::{Address, Body, Content};
use super::parameters::Parameters;

/// One end that sends.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sending {
    to: Address,
    bytes: u64,
    sequence: u32,
    attempts: u32,
    content: Content,
}

/// What a sender does next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// Send this, and wait for a packet.
    Send(Body),
    /// Go on waiting, no longer than before.
    Wait,
    /// Send this: it is the last packet.
    End(Body),
    /// Nobody acknowledges.
    GiveUp,
}

impl Sending {
    pub(super) const fn new(to: Address, bytes: u64, content: Content) -> Self {
        Self { to, bytes, sequence: 0, attempts: 0, content }
    }

    pub(super) const fn to(&self) -> Address {
        self.to
    }

    /// The chunk whose turn it is, once more, or the end.
    pub(super) fn attempt(&mut self, parameters: &Parameters) -> Next {
        let sequence = self.sequence;
        let rest = self.bytes.saturating_sub(u64::from(sequence) * parameters.chunk.0);
        if rest == 0 {
            return Next::End(Body::Final { sequence, content: self.content.clone() });
        }
        if self.attempts == parameters.attempts {
            return Next::GiveUp;
        }
        self.attempts += 1;
        // A chunk has at most 65,000 bytes.
        Next::Send(Body::Chunk { sequence, bytes: rest.min(parameters.chunk.0) as u32 })
    }

    /// A packet came while an acknowledgement was awaited.
    pub(super) fn hear(&mut self, from: Address, body: &Body, parameters: &Parameters) -> Next {
        let is_awaited =
            from == self.to && matches!(body, Body::Ack { sequence } if *sequence == self.sequence);
        if is_awaited {
            self.sequence = self.sequence.saturating_add(1);
            self.attempts = 0;
        }
        if is_awaited || parameters.wrong_packets_count { self.attempt(parameters) } else { Next::Wait }
    }
}

/// One end that receives.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Receiving {
    expected: u32,
}

/// What a receiver makes of a packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Received {
    /// It is of no use.
    Nothing,
    /// It is to be acknowledged.
    Piece(u32),
    /// It is to be acknowledged, and was the last one.
    Whole(u32, Content),
}

impl Receiving {
    /// Takes any packet; whoever calls knows whether the sender matters.
    pub(super) fn hear(&mut self, body: Body) -> Received {
        match body {
            Body::Chunk { sequence, .. } => {
                self.expected = self.expected.saturating_add(u32::from(sequence == self.expected));
                Received::Piece(sequence)
            }
            Body::Final { sequence, content } if sequence == self.expected => {
                Received::Whole(sequence, content)
            }
            Body::Final { sequence, .. } => Received::Piece(sequence),
            _ => Received::Nothing,
        }
    }
}
