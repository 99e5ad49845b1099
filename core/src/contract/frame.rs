//! The frame: how one message looks as bytes.
//!
//! ```text
//! length u32 | checksum u32 | protocol u16 | kind u8 | life u32 | ordinal u64 | body
//! ```
//! Integers are little-endian. `length` counts what follows it; the checksum (CRC-32C) covers what follows it. The
//! body of a message is its postcard encoding and must decode without remainder. An unknown kind is skipped by its
//! length. Life and ordinal of the sender make exact replay of a whole system possible, and the same drops on both
//! engines.
//!
//! A message with a blob beside it is a kind of its own, with this body:
//!
//! ```text
//! is_real u8 | blob id [u8; 32] | blob length u64 | message | bytes of the blob
//! ```
//! The bytes never pass through serde, and the checksum ends before them: their content address protects them. A
//! synthetic blob has a length and no bytes.

use bytes::Bytes;
use postcard::ser_flavors::Flavor;

use super::{Blob, BlobId, Life, Wire};
use crc32c::crc32c;

/// The longest frame in bytes, its length field included: what claims more is refused before it is read.
pub const FRAME_MAX: usize = 16 << 20;
/// The bytes before the body.
pub const HEADER_SIZE: usize = 4 + 4 + 2 + 1 + 4 + 8;
/// The bytes between the header and a message that has a blob beside it.
pub const BLOB_HEADER_SIZE: usize = 1 + 32 + 8;
/// The kind of a frame that carries a protocol's message.
pub const KIND_MESSAGE: u8 = 1;
/// The kind of a frame that carries a protocol's message and a blob beside it.
pub const KIND_BLOB: u8 = 2;
/// A blob of fewer bytes is copied out of what it came with, so that it does not keep alive much more than itself.
const SHARED_MIN: usize = 64 << 10;
/// Kinds from here on are spoken between the ends of a connection; no node ever sees them.
pub const KIND_LINK_MIN: u8 = 16;

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

/// One message as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame<M> {
    /// Where it comes from.
    pub header: Header,
    /// What it says.
    pub message: M,
    /// What rode beside it: [`Blob::is_intact`] tells whether it is what it claims to be.
    pub blob: Option<Blob>,
    /// How many bytes the frame took.
    pub size: usize,
}

/// A frame whose body has not been looked into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sealed<'a> {
    /// Where it comes from.
    pub header: Header,
    /// What the body is.
    pub kind: u8,
    /// The body.
    pub body: &'a [u8],
    /// How many bytes the frame took.
    pub size: usize,
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
/// If the frame would be longer than [`FRAME_MAX`], or the message refuses to be written; `out` is then as before.
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
    let raw = blob.and_then(Blob::bytes).unwrap_or_default();
    if raw.len() > FRAME_MAX {
        // Not even copied.
        return Err(FrameError::Length(raw.len()));
    }
    begin(header, if blob.is_some() { KIND_BLOB } else { KIND_MESSAGE }, out);
    if let Some(blob) = blob {
        // Room for the bytes at once, and a little for the message.
        out.reserve(BLOB_HEADER_SIZE + raw.len() + 256);
        out.push(u8::from(blob.bytes().is_some()));
        out.extend_from_slice(&blob.id().0);
        out.extend_from_slice(&blob.length().to_le_bytes());
    }
    if postcard::serialize_with_flavor(message, Append(out)).is_err() {
        out.truncate(start);
        return Err(FrameError::Body);
    }
    let covered = out.len();
    out.extend_from_slice(raw);
    finish(start, covered, out)
}

/// Appends a frame of any kind with this body to `out`. Its checksum covers all of it.
///
/// # Errors
/// If the frame would be longer than [`FRAME_MAX`]; `out` is then as before.
pub fn seal(header: Header, kind: u8, body: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    begin(header, kind, out);
    out.extend_from_slice(body);
    finish(start, out.len(), out)
}

#[inline]
fn begin(header: Header, kind: u8, out: &mut Vec<u8>) {
    let mut bytes = [0; HEADER_SIZE];
    bytes[8..10].copy_from_slice(&header.protocol.to_le_bytes());
    bytes[10] = kind;
    bytes[11..15].copy_from_slice(&header.life.0.to_le_bytes());
    bytes[15..].copy_from_slice(&header.ordinal.to_le_bytes());
    out.extend_from_slice(&bytes);
}

#[inline]
fn finish(start: usize, covered: usize, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let size = out.len() - start;
    if size > FRAME_MAX {
        out.truncate(start);
        return Err(FrameError::Length(size));
    }
    let checksum = crc32c(&out[start + 8..covered]);
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
        // Most are small numbers, and a call to copy them would cost more than they do.
        match *bytes {
            [a] => self.0.push(a),
            [a, b] => self.0.extend_from_slice(&[a, b]),
            [a, b, c] => self.0.extend_from_slice(&[a, b, c]),
            _ => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Reads the first frame of `bytes`, which brings no blob: its header, its message, and how many bytes it took.
///
/// # Errors
/// See [`FrameError`]. Whatever the bytes, it does not panic, and what it allocates is bounded by how many there are.
pub fn decode<M: Wire>(bytes: &[u8]) -> Result<(Header, M, usize), FrameError> {
    let Sealed { header, kind, body, size } = open(bytes)?;
    match kind {
        KIND_MESSAGE => Ok((header, whole(body)?, size)),
        _ => Err(FrameError::UnknownKind { kind, skip: size }),
    }
}

/// Reads the first frame of `bytes`, with a blob or without.
///
/// # Errors
/// As for [`decode`].
#[inline]
pub fn decode_with<M: Wire>(bytes: &[u8]) -> Result<Frame<M>, FrameError> {
    open(bytes)?.read()
}

/// As [`decode_with`]; the bytes of a long blob are not copied, but shared with what they came in.
///
/// # Errors
/// As for [`decode`].
#[inline]
pub fn decode_shared<M: Wire>(bytes: &Bytes) -> Result<Frame<M>, FrameError> {
    open(bytes)?.read_shared(bytes)
}

impl Sealed<'_> {
    /// The message in it, with a blob or without.
    ///
    /// # Errors
    /// If the kind is none of a message, or the body does not decode.
    #[inline]
    pub fn read<M: Wire>(self) -> Result<Frame<M>, FrameError> {
        self.read_by(|id, raw| Blob::claimed(id, raw))
    }

    /// As [`read`](Self::read), for a frame that is a part of `all`, which a long blob then shares.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    ///
    /// # Panics
    /// If the frame is no part of it.
    #[inline]
    pub fn read_shared<M: Wire>(self, all: &Bytes) -> Result<Frame<M>, FrameError> {
        self.read_by(|id, raw| match raw.len() {
            SHARED_MIN.. => Blob::shared(id, all.slice_ref(raw)),
            _ => Blob::claimed(id, raw),
        })
    }

    #[inline]
    fn read_by<M: Wire>(self, make: impl FnOnce(BlobId, &[u8]) -> Blob) -> Result<Frame<M>, FrameError> {
        let Self { header, kind, body, size } = self;
        match kind {
            KIND_MESSAGE => Ok(Frame { header, message: whole(body)?, blob: None, size }),
            KIND_BLOB => {
                let (described, raw) = body.split_at(covered(body)?);
                let message = whole(described.get(BLOB_HEADER_SIZE..).ok_or(FrameError::Body)?)?;
                let id = BlobId(field(described, 1)?);
                let blob = match described[0] {
                    0 => Blob::synthetic(id, u64::from_le_bytes(field(described, 33)?)),
                    _ => make(id, raw),
                };
                Ok(Frame { header, message, blob: Some(blob), size })
            }
            _ => Err(FrameError::UnknownKind { kind, skip: size }),
        }
    }
}

/// A message that takes all of these bytes.
#[inline]
fn whole<M: Wire>(bytes: &[u8]) -> Result<M, FrameError> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        _ => Err(FrameError::Body),
    }
}

/// Reads the first frame of `bytes` without looking into its body.
///
/// # Errors
/// See [`FrameError`]. Nothing is allocated.
#[inline]
pub fn open(bytes: &[u8]) -> Result<Sealed<'_>, FrameError> {
    let length = u32::from_le_bytes(field(bytes, 0)?) as usize;
    let size = length.saturating_add(4);
    if !(HEADER_SIZE..=FRAME_MAX).contains(&size) {
        return Err(FrameError::Length(size));
    }
    let frame = bytes.get(..size).ok_or(FrameError::Short)?;
    let [kind] = field(frame, 10)?;
    let body = &frame[HEADER_SIZE..];
    let covered = match kind {
        KIND_BLOB => covered(body).map_err(|_| FrameError::Damaged)?,
        _ => body.len(),
    };
    if crc32c(&frame[8..HEADER_SIZE + covered]) != u32::from_le_bytes(field(frame, 4)?) {
        return Err(FrameError::Damaged);
    }
    let header = Header {
        protocol: u16::from_le_bytes(field(frame, 8)?),
        life: Life(u32::from_le_bytes(field(frame, 11)?)),
        ordinal: u64::from_le_bytes(field(frame, 15)?),
    };
    Ok(Sealed { header, kind, body, size })
}

/// How much of the body of a message with a blob is covered by the checksum: all but the bytes of the blob.
fn covered(body: &[u8]) -> Result<usize, FrameError> {
    let raw = match field(body, 0)? {
        [0] => 0,
        [1] => u64::from_le_bytes(field(body, 33)?),
        _ => return Err(FrameError::Body),
    };
    let raw = usize::try_from(raw).map_err(|_| FrameError::Body)?;
    body.len().checked_sub(raw).filter(|&covered| covered >= BLOB_HEADER_SIZE).ok_or(FrameError::Body)
}

#[inline]
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

    fn framed_with(message: &Message, blob: &Blob) -> Vec<u8> {
        let mut out = Vec::new();
        encode_with(HEADER, message, Some(blob), &mut out).unwrap();
        out
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
    fn golden_bytes_with_a_blob() {
        let (id, message) = (BlobId([9; 32]), Message::Text("hi".into()));
        let real = framed_with(&message, &Blob::claimed(id, &b"abc"[..]));
        let head = [67, 0, 0, 0, 44, 18, 83, 187, 7, 0, 2, 2, 0, 0, 0, 44, 1, 0, 0, 0, 0, 0, 0];
        let tail = [3, 0, 0, 0, 0, 0, 0, 0, 1, 2, 104, 105, 97, 98, 99];
        assert_eq!(real, [&head[..], &[1], &[9; 32], &tail].concat(), "the wire format changed");

        let synthetic = framed_with(&message, &Blob::synthetic(id, 3));
        let head = [64, 0, 0, 0, 157, 54, 195, 213, 7, 0, 2, 2, 0, 0, 0, 44, 1, 0, 0, 0, 0, 0, 0];
        let tail = [3, 0, 0, 0, 0, 0, 0, 0, 1, 2, 104, 105];
        assert_eq!(synthetic, [&head[..], &[0], &[9; 32], &tail].concat(), "the wire format changed");
    }

    #[test]
    fn a_long_blob_is_shared_and_a_short_one_copied() {
        for length in [10, SHARED_MIN] {
            let blob = Blob::new(vec![7; length]);
            let bytes = Bytes::from(framed_with(&Message::Empty, &blob));
            let frame: Frame<Message> = decode_shared(&bytes).unwrap();
            assert_eq!(frame.blob.as_ref(), Some(&blob));
            let within = bytes.as_ptr_range().contains(&frame.blob.unwrap().bytes().unwrap().as_ptr());
            assert_eq!(within, length == SHARED_MIN);
        }
    }

    #[test]
    fn damage_to_a_blob_is_found_by_its_address_and_not_before() {
        let mut bytes = framed_with(&Message::Empty, &Blob::new(*b"abc"));
        *bytes.last_mut().unwrap() ^= 1;
        let blob = decode_with::<Message>(&bytes).unwrap().blob.unwrap();
        assert!(!blob.is_intact());
    }

    #[test]
    fn a_sealed_frame_of_another_kind_is_opened() {
        let mut bytes = Vec::new();
        seal(HEADER, 16, b"body", &mut bytes).unwrap();
        let size = bytes.len();
        assert_eq!(open(&bytes), Ok(Sealed { header: HEADER, kind: 16, body: b"body", size }));
        assert_eq!(decode::<Message>(&bytes), Err(FrameError::UnknownKind { kind: 16, skip: size }));
    }

    #[test]
    fn what_is_too_long_or_cannot_be_written_leaves_the_others_alone() {
        let mut bytes = framed(&Message::Empty);
        let before = bytes.clone();
        for length in [FRAME_MAX - 1, FRAME_MAX + 1] {
            let blob = Blob::claimed(BlobId([0; 32]), vec![0; length]);
            let error = encode_with(HEADER, &Message::Empty, Some(&blob), &mut bytes);
            assert!(matches!(error, Err(FrameError::Length(_))));
            assert_eq!(bytes, before);
        }
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
                let size = bytes.len();
                prop_assert_eq!(decode(&bytes), Ok((HEADER, message.clone(), size)));
                prop_assert_eq!(decode_with(&bytes), Ok(Frame { header: HEADER, message, blob: None, size }));
            }
        }

        #[test]
        fn what_was_framed_with_a_blob_is_read(
            list in proptest::collection::vec(any::<u64>(), 0..20),
            content in proptest::collection::vec(any::<u8>(), 0..300),
            length in any::<u64>(),
            is_real in any::<bool>(),
        ) {
            let blob = if is_real { Blob::new(content) } else { Blob::synthetic(BlobId([3; 32]), length) };
            let message = Message::List(list);
            let bytes = framed_with(&message, &blob);
            let size = bytes.len();
            prop_assert_eq!(decode_with(&bytes), Ok(Frame { header: HEADER, message, blob: Some(blob), size }));
        }

        #[test]
        fn a_changed_bit_before_the_blob_never_passes(
            content in proptest::collection::vec(any::<u8>(), 0..300),
            bit in any::<prop::sample::Index>(),
        ) {
            let mut bytes = framed_with(&Message::Text("a".into()), &Blob::new(content.clone()));
            let bit = bit.index((bytes.len() - content.len()) * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode_with::<Message>(&bytes).is_err());
        }

        #[test]
        fn a_changed_bit_never_passes(list in proptest::collection::vec(any::<u64>(), 0..20), bit in any::<prop::sample::Index>()) {
            let mut bytes = framed(&Message::List(list));
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode_with::<Message>(&bytes).is_err());
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Message>(&bytes);
            let _ = decode_with::<Message>(&bytes);
        }
    }
}
