//! Whatever bytes come from the network: the decoder neither panics nor takes more memory than there are bytes.

mod measured;

use measured::largest;
use seedbed_core::chunks;
use seedbed_core::contract::frame::{self, FrameError, HEADER_SIZE, Header};
use seedbed_core::contract::{Blob, BlobId, Life, NodeId, Wire};
use seedbed_core::election::{bully, raft, ring};

/// Mutated frames per type of message.
const MUTATED: u64 = 60_000;
/// What a decoder may take at once beyond what there are bytes: error values, and the like.
const SPARE: usize = 1 << 10;

#[test]
fn mutated_frames_of_raft() {
    let last = raft::Position { term: 3, index: 1_000 };
    let messages = [
        raft::Message::RequestPreVote { term: 300, last },
        raft::Message::PreVote { term: 1, granted: true },
        raft::Message::RequestVote { term: u64::MAX, last },
        raft::Message::Vote { term: 1 << 40, granted: false },
        raft::Message::Heartbeat { term: 70_000, round: 5 },
        raft::Message::HeartbeatAck { term: 70_000, round: 5 },
    ];
    survive_mutations(&messages);
}

#[test]
fn mutated_frames_of_bully() {
    use bully::Message::{Answer, Coordinator, Election, Heartbeat, Ping, Pong};
    survive_mutations(&[Election, Answer, Coordinator, Heartbeat, Ping, Pong]);
}

#[test]
fn mutated_frames_of_ring() {
    let token = ring::Token {
        leg: ring::Leg::Elected,
        owner: NodeId(70_000),
        tour: ring::Tour { life: u32::MAX, number: 3 },
    };
    use ring::Message::{Ack, Heartbeat, Pass, Ping, Pong};
    survive_mutations(&[Pass(token), Ack(token), Heartbeat, Ping, Pong]);
}

#[test]
fn mutated_frames_of_chunks() {
    let (part, id) = (chunks::Part { request: 1 << 50, index: 3 }, BlobId([200; 32]));
    use chunks::Message::{Drop, Fetch, Fetched, Gone, Heartbeat, Store, Stored, Unstored};
    let messages = [
        Heartbeat,
        Store { part },
        Stored { part, id },
        Unstored { part },
        Fetch { part, id },
        Fetched { part },
        Gone { part },
        Drop { part, id },
    ];
    survive_mutations(&messages);
}

fn survive_mutations<M: Wire>(messages: &[M]) {
    let blobs = [None, Some(Blob::new([7; 100])), Some(Blob::synthetic(BlobId([1; 32]), 1 << 40))];
    let header = Header { protocol: 0, life: Life(2), ordinal: 99 };
    let mut chance = Chance(1);
    let (mut decoded, mut refused) = (0_u64, 0_u64);
    for round in 0..MUTATED {
        let message = &messages[round as usize % messages.len()];
        let blob = &blobs[chance.below(blobs.len())];
        let mut bytes = Vec::new();
        frame::encode_with(header, message, blob.as_ref(), &mut bytes).unwrap();
        mutate(&mut bytes, &mut chance);
        // Half of them get past the check, as if they had been made on purpose.
        if round % 2 == 0 {
            reseal(&mut bytes);
        }
        let (outcome, taken) = largest(|| frame::decode_with::<M>(&bytes));
        assert!(taken <= bytes.len() + SPARE, "{taken} bytes for a frame of {}", bytes.len());
        match outcome {
            Ok(frame) => {
                assert!(frame.size <= bytes.len());
                decoded += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(decoded > 0 && refused > MUTATED / 2, "{decoded} decoded, {refused} refused");
}

#[test]
fn no_message_nests() {
    fn of<M: Wire>() {
        let header = Header { protocol: 0, life: Life(0), ordinal: 0 };
        for byte in 0..=u8::MAX {
            // A recursive type would follow one of these 100,000 levels down, and end the process.
            let mut bytes = Vec::new();
            frame::seal(header, frame::KIND_MESSAGE, &[byte; 100_000], &mut bytes).unwrap();
            assert_eq!(frame::decode_with::<M>(&bytes), Err(FrameError::Body));
        }
    }
    of::<raft::Message>();
    of::<bully::Message>();
    of::<ring::Message>();
    of::<chunks::Message>();
}

/// Flips, overwrites, cuts, doubles or lengthens.
fn mutate(bytes: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..=chance.below(3) {
        let at = chance.below(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        match chance.below(6) {
            _ if bytes.is_empty() => bytes.push(1),
            0 => bytes[at] ^= 1 << chance.below(8),
            1 => bytes[at] = [0, 0x7f, 0x80, 0xff][chance.below(4)],
            2 => bytes.truncate(at),
            3 => bytes.extend_from_within(at..),
            4 => bytes.insert(at, chance.below(256) as u8),
            // The fields that decide how much is read.
            _ => bytes[[0, 1, 2, 3, 10, 23, 24, 56, 60][chance.below(9)].min(at)] = chance.below(256) as u8,
        }
    }
}

/// Makes length and check right again, where there is enough for that.
fn reseal(bytes: &mut Vec<u8>) {
    let Some((start, body)) = bytes.split_first_chunk::<HEADER_SIZE>() else { return };
    let header = Header {
        protocol: u16::from_le_bytes([start[8], start[9]]),
        life: Life(u32::from_le_bytes([start[11], start[12], start[13], start[14]])),
        ordinal: u64::from_le_bytes(*start.last_chunk().unwrap()),
    };
    let mut sealed = Vec::new();
    frame::seal(header, start[10], body, &mut sealed).unwrap();
    *bytes = sealed;
}

/// The same numbers in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}
