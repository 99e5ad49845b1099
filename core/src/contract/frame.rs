//! The frame: how one message looks as bytes.
//!
//! ```text
//! length u32 | checksum u32 | protocol u16 | kind u8 | life u32 | ordinal u64 | body
//! ```
//! Integers are little-endian. `length` counts what follows it; the checksum (CRC-32C) covers what follows it. The
//! body of a message is its postcard encoding and must decode without remainder. Where a blob rides beside it, the
//! blob follows: a byte 0 and its bytes, or, of a synthetic one, a byte 1, its name and its length. An unknown kind is
//! skipped by its length. Life and ordinal of the sender make exact replay of a whole system possible, and the same
//! drops on both engines.

use postcard::ser_flavors::Flavor;

use super::{Blob, BlobId, Life, Wire};

/// The longest frame in bytes, its length field included: what claims more is refused before it is read.
pub const FRAME_MAX: usize = 16 << 20;
/// The bytes before the body.
pub const HEADER_SIZE: usize = 4 + 4 + 2 + 1 + 4 + 8;
/// The kind of a frame that carries a protocol's message.
pub const KIND_MESSAGE: u8 = 1;
/// The kind of a frame that carries a protocol's message and a blob.
pub const KIND_BLOB: u8 = 2;
/// Kinds from here on belong to whatever carries frames: greetings, pings, credits. No node sees them.
pub const KIND_LINK_MIN: u8 = 128;

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

/// A frame as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame<M> {
    /// What stands before the body.
    pub header: Header,
    /// The message.
    pub message: M,
    /// What rode beside it.
    pub blob: Option<Blob>,
    /// How many bytes the frame took.
    pub size: usize,
}

/// Appends one framed message to `out`.
///
/// # Errors
/// If the frame would be longer than [`FRAME_MAX`]; `out` is then as before.
pub fn encode<M: Wire>(header: Header, message: &M, out: &mut Vec<u8>) -> Result<(), FrameError> {
    encode_with(header, message, None, out)
}

/// Appends one framed message, with a blob beside it or without, to `out`.
///
/// # Errors
/// As for [`encode`].
pub fn encode_with<M: Wire>(
    header: Header,
    message: &M,
    blob: Option<&Blob>,
    out: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&header.protocol.to_le_bytes());
    out.push(if blob.is_some() { KIND_BLOB } else { KIND_MESSAGE });
    out.extend_from_slice(&header.life.0.to_le_bytes());
    out.extend_from_slice(&header.ordinal.to_le_bytes());
    if postcard::serialize_with_flavor(message, Append(out)).is_err() {
        out.truncate(start);
        return Err(FrameError::Body);
    }
    match blob.map(|blob| (blob, blob.bytes())) {
        None => {}
        // Not even copied if it is too long.
        Some((_, Some(bytes))) if bytes.len() >= FRAME_MAX => {
            out.truncate(start);
            return Err(FrameError::Length(bytes.len()));
        }
        Some((_, Some(bytes))) => {
            out.push(0);
            out.extend_from_slice(bytes);
        }
        Some((blob, None)) => {
            out.push(1);
            out.extend_from_slice(&blob.id().0);
            out.extend_from_slice(&blob.length().to_le_bytes());
        }
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

/// Writes behind what is there already.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Reads the first frame of `bytes`, which brings no blob: its header, its message, and how many bytes it took.
///
/// # Errors
/// See [`FrameError`]. Whatever the bytes, it neither panics nor allocates more than they are long.
pub fn decode<M: Wire>(bytes: &[u8]) -> Result<(Header, M, usize), FrameError> {
    let (kind, header, body) = open(bytes)?;
    let size = HEADER_SIZE + body.len();
    if kind != KIND_MESSAGE {
        return Err(FrameError::UnknownKind { kind, skip: size });
    }
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok((header, message, size)),
        _ => Err(FrameError::Body),
    }
}

/// Reads the first frame of `bytes`, with a blob or without. A blob's address is that of the bytes that came.
///
/// # Errors
/// As for [`decode`].
pub fn decode_with<M: Wire>(bytes: &[u8]) -> Result<Frame<M>, FrameError> {
    let (kind, header, body) = open(bytes)?;
    let size = HEADER_SIZE + body.len();
    if kind != KIND_MESSAGE && kind != KIND_BLOB {
        return Err(FrameError::UnknownKind { kind, skip: size });
    }
    let (message, rest) = postcard::take_from_bytes(body).map_err(|_| FrameError::Body)?;
    let blob = match (kind, rest) {
        (KIND_MESSAGE, []) => None,
        (KIND_BLOB, [0, bytes @ ..]) => Some(Blob::new(bytes)),
        (KIND_BLOB, [1, named @ ..]) if named.len() == 40 => {
            Some(Blob::synthetic(BlobId(field(named, 0)?), u64::from_le_bytes(field(named, 32)?)))
        }
        _ => return Err(FrameError::Body),
    };
    Ok(Frame { header, message, blob, size })
}

/// The kind, header and body of the first frame of `bytes`, which is whole and undamaged.
#[inline]
fn open(bytes: &[u8]) -> Result<(u8, Header, &[u8]), FrameError> {
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
    let header = Header {
        protocol: u16::from_le_bytes(field(frame, 8)?),
        life: Life(u32::from_le_bytes(field(frame, 11)?)),
        ordinal: u64::from_le_bytes(field(frame, 15)?),
    };
    Ok((kind, header, &frame[HEADER_SIZE..]))
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
    fn a_blob_rides_beside_its_message() {
        for blob in [Blob::new(*b""), Blob::new(*b"abc"), Blob::synthetic(BlobId([7; 32]), 1 << 50)] {
            let mut bytes = framed(&Message::Empty);
            let before = bytes.clone();
            encode_with(HEADER, &Message::Text("hi".into()), Some(&blob), &mut bytes).unwrap();
            assert_eq!(bytes[..before.len()], before);
            let frame = decode_with(&bytes[before.len()..]).unwrap();
            let size = bytes.len() - before.len();
            let expected =
                Frame { header: HEADER, message: Message::Text("hi".into()), blob: Some(blob), size };
            assert_eq!(frame, expected);
            assert_eq!(decode_with(&before).map(|frame: Frame<Message>| frame.blob), Ok(None));
        }
    }

    #[test]
    fn what_is_too_long_or_cannot_be_written_leaves_the_others_alone() {
        let mut bytes = framed(&Message::Empty);
        let before = bytes.clone();
        let blob = Blob::new(vec![0; FRAME_MAX - HEADER_SIZE]);
        let error = encode_with(HEADER, &Message::Empty, Some(&blob), &mut bytes).unwrap_err();
        assert_eq!(error, FrameError::Length(FRAME_MAX + 2));
        assert_eq!(bytes, before);
        assert_eq!(encode(HEADER, &Unwritable, &mut bytes), Err(FrameError::Body));
        assert_eq!(bytes, before);
    }

    #[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq)]
    struct Unwritable;
    impl Wire for Unwritable {}
    impl Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
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
            let _ = decode_with::<Message>(&bytes);
        }
    }
}
