//! The frame: how one message looks as bytes.
//!
//! ```text
//! length u32 | check u32 | protocol u16 | kind u8 | life u32 | ordinal u64 | body
//! ```
//! Integers are little-endian. `length` counts what follows it. The check covers the header, so that a reader that has
//! lost its place finds out at once. What carries frames keeps the body whole: TLS against anybody, TCP and memory
//! against accidents; to sum it up once more would cost as much as to encode it. The body of a message is its postcard
//! encoding and must decode without remainder. An unknown kind is skipped by its length. Life and ordinal of the sender
//! make exact replay of a whole system possible, and the same drops on both engines.
//!
//! A message with a blob beside it is a kind of its own, with this body:
//!
//! ```text
//! is_real u8 | blob id [u8; 32] | blob length u64 | message | bytes of the blob
//! ```
//! The bytes never pass through serde; their content address protects them. A synthetic blob has a length and no bytes.

use bytes::Bytes;
use postcard::ser_flavors::Flavor;

use super::{Blob, BlobId, Lane, Life, Wire};

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
/// A message is taken to be no longer than this, in bytes, and written anew if it is.
const SHORT: usize = 128;
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
    /// The check of the header does not match, or a blob is not what its address says.
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
    let written = match blob {
        None if message.lane() == Lane::Bulk => {
            // Long, as a rule, and not to be encoded twice.
            out.extend_from_slice(&[0; HEADER_SIZE]);
            write(message, out)
        }
        None => write_short(message, out),
        Some(blob) => write_with(message, blob, out),
    };
    let kind = if blob.is_some() { KIND_BLOB } else { KIND_MESSAGE };
    finish(written, header, kind, start, out)
}

/// Appends a frame of any kind with this body to `out`.
///
/// # Errors
/// If the frame would be longer than [`FRAME_MAX`]; `out` is then as before.
pub fn seal(header: Header, kind: u8, body: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_SIZE]);
    out.extend_from_slice(body);
    finish(Ok(()), header, kind, start, out)
}

/// Leaves room for the header and writes a message behind it. Most are short: to write into room that is there already
/// costs half of what it takes to ask for room byte by byte.
#[inline]
fn write_short<M: Wire>(message: &M, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len() + HEADER_SIZE;
    out.resize(start + SHORT, 0);
    match postcard::serialize_with_flavor(message, Short { room: &mut out[start..], length: 0 }) {
        Ok(length) => {
            out.truncate(start + length);
            Ok(())
        }
        Err(postcard::Error::SerializeBufferFull) => {
            out.truncate(start);
            write(message, out)
        }
        Err(_) => Err(FrameError::Body),
    }
}

/// Leaves room for the header and writes what stands beside a blob, and the blob.
fn write_with<M: Wire>(message: &M, blob: &Blob, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let raw = blob.bytes().unwrap_or_default();
    if raw.len() > FRAME_MAX {
        // Not even copied.
        return Err(FrameError::Length(raw.len()));
    }
    // Room for the bytes at once, and a little for the message.
    out.reserve(HEADER_SIZE + BLOB_HEADER_SIZE + SHORT + raw.len());
    out.extend_from_slice(&[0; HEADER_SIZE]);
    out.push(u8::from(blob.bytes().is_some()));
    out.extend_from_slice(&blob.id().0);
    out.extend_from_slice(&blob.length().to_le_bytes());
    write(message, out)?;
    out.extend_from_slice(raw);
    Ok(())
}

/// Writes a message of any length behind what is there.
fn write<M: Wire>(message: &M, out: &mut Vec<u8>) -> Result<(), FrameError> {
    out.extend_from_slice(&postcard::to_allocvec(message).map_err(|_| FrameError::Body)?);
    Ok(())
}

/// Writes into room that is there.
struct Short<'a> {
    room: &'a mut [u8],
    length: usize,
}

impl Short<'_> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        let end = self.length + bytes.len();
        let place = self.room.get_mut(self.length..end).ok_or(postcard::Error::SerializeBufferFull)?;
        place.copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }
}

impl Flavor for Short<'_> {
    type Output = usize;

    #[inline(always)]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.put(&[byte])
    }

    #[inline(always)]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        // Most are small numbers, and a call to copy them would cost more than they do.
        match *bytes {
            [a] => self.put(&[a]),
            [a, b] => self.put(&[a, b]),
            [a, b, c] => self.put(&[a, b, c]),
            _ => self.put(bytes),
        }
    }

    fn finalize(self) -> postcard::Result<usize> {
        Ok(self.length)
    }
}

/// Fills in the header, or takes back what was written.
#[inline]
fn finish(
    written: Result<(), FrameError>,
    header: Header,
    kind: u8,
    start: usize,
    out: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let size = out.len() - start;
    let fits = if size > FRAME_MAX { Err(FrameError::Length(size)) } else { Ok(()) };
    let outcome = written.and(fits);
    match outcome {
        Ok(()) => out[start..start + HEADER_SIZE].copy_from_slice(&head(header, kind, size as u32 - 4)),
        Err(_) => out.truncate(start),
    }
    outcome
}

/// Reads the first frame of `bytes`, which brings no blob: its header, its message, and how many bytes it took.
///
/// # Errors
/// See [`FrameError`]. Whatever the bytes, it does not panic, and what it allocates is bounded by how many there are, or by
/// the message's own bound if it is packed.
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

    #[inline(always)]
    fn read_by<M: Wire>(self, make: impl FnOnce(BlobId, &[u8]) -> Blob) -> Result<Frame<M>, FrameError> {
        let Self { header, kind, body, size } = self;
        match kind {
            KIND_MESSAGE => Ok(Frame { header, message: whole(body)?, blob: None, size }),
            KIND_BLOB => {
                let (described, raw) = body.split_at(described(body)?);
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
#[inline(always)]
fn whole<M: Wire>(bytes: &[u8]) -> Result<M, FrameError> {
    let mut deserializer = postcard::Deserializer::from_bytes(bytes);
    let message = M::deserialize(&mut deserializer).map_err(|_| FrameError::Body)?;
    match deserializer.finalize() {
        Ok([]) => Ok(message),
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
    let (start, body) = frame.split_first_chunk::<HEADER_SIZE>().ok_or(FrameError::Short)?;
    let header = Header {
        protocol: u16::from_le_bytes([start[8], start[9]]),
        life: Life(u32::from_le_bytes(field(start, 11)?)),
        ordinal: u64::from_le_bytes(field(start, 15)?),
    };
    let kind = start[10];
    if check(header, kind, length as u32) != u32::from_le_bytes(field(start, 4)?) {
        return Err(FrameError::Damaged);
    }
    Ok(Sealed { header, kind, body, size })
}

/// The header of a frame with so many bytes behind its length.
#[inline]
fn head(header: Header, kind: u8, length: u32) -> [u8; HEADER_SIZE] {
    let mut bytes = [0; HEADER_SIZE];
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..8].copy_from_slice(&check(header, kind, length).to_le_bytes());
    bytes[8..10].copy_from_slice(&header.protocol.to_le_bytes());
    bytes[10] = kind;
    bytes[11..15].copy_from_slice(&header.life.0.to_le_bytes());
    bytes[15..].copy_from_slice(&header.ordinal.to_le_bytes());
    bytes
}

/// The check of a header: sums of products with odd constants, of which the upper half is taken. No change of a single bit
/// goes unseen, and others in one of four thousand million cases.
#[inline]
fn check(header: Header, kind: u8, length: u32) -> u32 {
    let what = u64::from(length) | u64::from(header.protocol) << 32 | u64::from(kind) << 48;
    let products = [
        what.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        u64::from(header.life.0).wrapping_mul(0xc2b2_ae3d_27d4_eb4f),
        header.ordinal.wrapping_mul(0xd6e8_feb8_6659_fd93),
    ];
    (products.into_iter().fold(0, u64::wrapping_add) >> 32) as u32
}

/// How much of the body of a message with a blob stands before the bytes of the blob.
fn described(body: &[u8]) -> Result<usize, FrameError> {
    let raw = match field(body, 0)? {
        [0] => 0,
        [1] => u64::from_le_bytes(field(body, 33)?),
        _ => return Err(FrameError::Body),
    };
    let raw = usize::try_from(raw).map_err(|_| FrameError::Body)?;
    body.len().checked_sub(raw).filter(|&described| described >= BLOB_HEADER_SIZE).ok_or(FrameError::Body)
}

#[inline]
fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], FrameError> {
    bytes.get(at..at + N).and_then(|field| field.try_into().ok()).ok_or(FrameError::Short)
}

#[cfg(test)]
mod tests;
