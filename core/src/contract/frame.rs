//! The frame: how one message looks as bytes.
//!
//! ```text
//! length u32 | checksum u32 | protocol u16 | kind u8 | life u32 | ordinal u64 | body
//! ```
//! Integers are little-endian. `length` counts what follows it; the checksum (CRC-32C) covers what follows it. The
//! body of a message is its postcard encoding and must decode without remainder. An unknown kind is skipped by its
//! length. Life and ordinal of the sender make exact replay of a whole system possible, and the same drops on both
//! engines.

use super::{Life, Wire};

/// The longest frame in bytes, its length field included: what claims more is refused before it is read.
pub const FRAME_MAX: usize = 16 << 20;
/// The bytes before the body.
pub const HEADER_SIZE: usize = 4 + 4 + 2 + 1 + 4 + 8;
/// The kind of a frame that carries a protocol's message.
pub const KIND_MESSAGE: u8 = 1;

/// What stands before the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Which of the protocols that share a connection.
    pub protocol: u16,
    /// The sender's life.
    pub life: Life,
    /// Counts what the sender has sent in this life.
    pub ordinal: u64,
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// More bytes are needed.
    #[error("the frame is cut short")]
    Short,
    /// The length field is impossible.
    #[error("a frame of {0} bytes is outside {HEADER_SIZE}..={FRAME_MAX}")]
    Length(usize),
    /// The checksum does not match.
    #[error("the frame is damaged")]
    Damaged,
    /// A kind from a newer version: count it and skip this many bytes.
    #[error("unknown kind {kind}: skip {skip} bytes")]
    UnknownKind {
        /// The kind.
        kind: u8,
        /// The length of the whole frame.
        skip: usize,
    },
    /// The body does not decode, or leaves a remainder.
    #[error("the body does not decode")]
    Body,
}

/// Appends one framed message to `out`.
///
/// # Errors
/// If the frame would be longer than [`FRAME_MAX`]; `out` is then as before.
pub fn encode<M: Wire>(header: Header, message: &M, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&header.protocol.to_le_bytes());
    out.push(KIND_MESSAGE);
    out.extend_from_slice(&header.life.0.to_le_bytes());
    out.extend_from_slice(&header.ordinal.to_le_bytes());
    let taken = std::mem::take(out);
    match postcard::to_extend(message, taken) {
        Ok(bytes) => *out = bytes,
        Err(_) => return Err(FrameError::Body),
    }
    let size = out.len() - start;
    if size > FRAME_MAX {
        out.truncate(start);
        return Err(FrameError::Length(size));
    }
    let checksum = crc32c::crc32c(&out[start + 8..]);
    out[start..start + 4].copy_from_slice(&(size as u32 - 4).to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
    Ok(())
}

/// Reads the first frame of `bytes`: its header, its message, and how many bytes it took.
///
/// # Errors
/// See [`FrameError`]. Whatever the bytes, it neither panics nor allocates more than they are long.
pub fn decode<M: Wire>(bytes: &[u8]) -> Result<(Header, M, usize), FrameError> {
    let length = u32::from_le_bytes(field(bytes, 0)?) as usize;
    let size = length.saturating_add(4);
    if !(HEADER_SIZE..=FRAME_MAX).contains(&size) {
        return Err(FrameError::Length(size));
    }
    let frame = bytes.get(..size).ok_or(FrameError::Short)?;
    if crc32c::crc32c(&frame[8..]) != u32::from_le_bytes(field(frame, 4)?) {
        return Err(FrameError::Damaged);
    }
    let [kind] = field(frame, 10)?;
    if kind != KIND_MESSAGE {
        return Err(FrameError::UnknownKind { kind, skip: size });
    }
    let header = Header {
        protocol: u16::from_le_bytes(field(frame, 8)?),
        life: Life(u32::from_le_bytes(field(frame, 11)?)),
        ordinal: u64::from_le_bytes(field(frame, 15)?),
    };
    match postcard::take_from_bytes(&frame[HEADER_SIZE..]) {
        Ok((message, [])) => Ok((header, message, size)),
        _ => Err(FrameError::Body),
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], FrameError> {
    bytes.get(at..at + N).and_then(|field| field.try_into().ok()).ok_or(FrameError::Short)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
    enum Message {
        Empty,
        Text(String),
        List(Vec<u64>),
    }
    impl Wire for Message {}

    const HEADER: Header = Header { protocol: 7, life: Life(2), ordinal: 300 };

    fn framed(message: &Message) -> Vec<u8> {
        let mut out = Vec::new();
        encode(HEADER, message, &mut out).unwrap();
        out
    }

    #[test]
    fn golden_bytes() {
        let bytes = framed(&Message::Text("hi".into()));
        let golden =
            [23, 0, 0, 0, 90, 53, 70, 82, 7, 0, 1, 2, 0, 0, 0, 44, 1, 0, 0, 0, 0, 0, 0, 1, 2, 104, 105];
        assert_eq!(bytes, golden, "the wire format changed: raise the version and say why");
    }

    #[test]
    fn an_unknown_kind_is_skipped_and_a_remainder_refused() {
        let mut bytes = framed(&Message::Empty);
        bytes[10] = 9;
        let checksum = crc32c::crc32c(&bytes[8..]).to_le_bytes();
        bytes[4..8].copy_from_slice(&checksum);
        let skip = bytes.len();
        assert_eq!(decode::<Message>(&bytes), Err(FrameError::UnknownKind { kind: 9, skip }));

        let mut bytes = framed(&Message::Empty);
        bytes.push(0);
        let (length, checksum) = ((bytes.len() as u32 - 4).to_le_bytes(), crc32c::crc32c(&bytes[8..]));
        bytes[..4].copy_from_slice(&length);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(decode::<Message>(&bytes), Err(FrameError::Body));
    }

    #[test]
    fn impossible_lengths_are_refused_before_reading() {
        assert_eq!(decode::<Message>(&[0xff; 8]), Err(FrameError::Length(u32::MAX as usize + 4)));
        assert_eq!(decode::<Message>(&[0; 8]), Err(FrameError::Length(4)));
        assert_eq!(decode::<Message>(&[]), Err(FrameError::Short));
    }

    proptest! {
        #[test]
        fn what_was_framed_is_read(text in ".{0,40}", list in proptest::collection::vec(any::<u64>(), 0..20)) {
            for message in [Message::Text(text.clone()), Message::List(list.clone()), Message::Empty] {
                let bytes = framed(&message);
                prop_assert_eq!(decode(&bytes), Ok((HEADER, message, bytes.len())));
            }
        }

        #[test]
        fn a_changed_bit_never_passes(list in proptest::collection::vec(any::<u64>(), 0..20), bit in any::<prop::sample::Index>()) {
            let mut bytes = framed(&Message::List(list));
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode::<Message>(&bytes).is_err());
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Message>(&bytes);
        }
    }
}
