//! Places in the order as bytes: no more of them than tell two neighbours apart, and only what differs from the place before.

use serde::Serialize;

use crate::sync::reconcile::entry::Key;
use crate::sync::reconcile::session::Refusal;
use crate::sync::reconcile::set::Order;
use crate::sync::reconcile::wire::Reader;

/// The longest key: a prefix and an id.
const KEY_SIZE: usize = 24;
/// A suffix of this length says: the end.
const END: u8 = 31;

/// A key as bytes that sort alike, padded with zeros.
pub(super) type Bytes = [u8; KEY_SIZE];

pub(super) fn key_size(order: Order) -> usize {
    if order == Order::Id { 16 } else { KEY_SIZE }
}

pub(super) fn bytes_of(order: Order, key: Key) -> Bytes {
    let mut bytes = [0; KEY_SIZE];
    if order == Order::Id {
        bytes[..16].copy_from_slice(&key.id.to_be_bytes());
    } else {
        bytes[..8].copy_from_slice(&key.prefix.to_be_bytes());
        bytes[8..].copy_from_slice(&key.id.to_be_bytes());
    }
    bytes
}

pub(super) fn key_of(order: Order, bytes: &Bytes) -> Key {
    let number = |part: &[u8]| part.iter().fold(0_u128, |number, &byte| number << 8 | u128::from(byte));
    if order == Order::Id {
        let id = number(&bytes[..16]);
        Key { prefix: (id >> 64) as u64, id }
    } else {
        Key { prefix: number(&bytes[..8]) as u64, id: number(&bytes[8..]) }
    }
}

fn shared(a: &Bytes, b: &Bytes) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The shortest place above `low` and not above `high`.
pub(super) fn between(order: Order, low: Key, high: Key) -> Key {
    let (low, mut place) = (bytes_of(order, low), bytes_of(order, high));
    let kept = (shared(&low, &place) + 1).min(KEY_SIZE);
    place[kept..].fill(0);
    key_of(order, &place)
}

/// Writes and reads ascending places, each with a word of three bits.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in crate::sync::reconcile) struct Bounds {
    order: Order,
    before: Bytes,
}

impl Bounds {
    pub(in crate::sync::reconcile) fn new(order: Order) -> Self {
        Self { order, before: [0; KEY_SIZE] }
    }

    pub(in crate::sync::reconcile) fn put(&mut self, out: &mut Vec<u8>, word: u8, place: Option<Key>) {
        let Some(place) = place else {
            out.extend([word << 5, END]);
            return;
        };
        let place = bytes_of(self.order, place);
        let length = KEY_SIZE - place.iter().rev().take_while(|&&byte| byte == 0).count();
        let kept = shared(&self.before, &place).min(length);
        out.extend([word << 5 | kept as u8, (length - kept) as u8]);
        out.extend(&place[kept..length]);
        self.before = place;
    }

    pub(in crate::sync::reconcile) fn read(
        &mut self,
        body: &mut Reader<'_>,
    ) -> Result<(u8, Option<Key>), Refusal> {
        let (head, length) = (body.byte()?, body.byte()?);
        let (word, kept) = (head >> 5, usize::from(head & 0x1F));
        if length == END {
            return Ok((word, None));
        }
        let end = kept + usize::from(length);
        if end > key_size(self.order) {
            return Err(Refusal::Malformed);
        }
        let mut place = [0; KEY_SIZE];
        place[..kept].copy_from_slice(&self.before[..kept]);
        place[kept..end].copy_from_slice(body.bytes(usize::from(length))?);
        if place < self.before {
            return Err(Refusal::Malformed);
        }
        self.before = place;
        Ok((word, Some(key_of(self.order, &place))))
    }
}
