//! One entry of the log: 40 bytes, then what it holds, filled up to a multiple of eight.
//!
//! ```text
//!  0  u32  CRC32C of all that follows, up to the end of the payload
//!  4  u32  length of the payload
//!  8  u64  salt of the segment
//! 16  u64  sequence number, counted through all segments
//! 24  u64  everything up to this number was durable when the entry was written
//! 32  u32  tag
//! 36  u32  kind
//! 40       payload
//! ```

use seedbed_core::contract::Tag;

/// The bytes before the payload.
pub(super) const HEADER: usize = 40;
/// Entries begin at multiples of this.
pub(super) const ALIGNMENT: usize = 8;

/// What an entry is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A record.
    Record,
    /// All records of a tag, in place of those before.
    Checkpoint,
    /// Several records of a tag.
    Batch,
    /// The first of all records of a tag, in place of those before: once the last of them are there.
    First,
    /// More of them.
    More,
    /// The last of them.
    Last,
    /// Nothing but word that everything before it is durable. The next entry is written over it.
    Mark,
}

/// An entry as it is read or written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) sequence: u64,
    pub(super) synced: u64,
    pub(super) tag: Tag,
    pub(super) kind: Kind,
    pub(super) payload: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Appends its bytes.
    pub(super) fn encode(&self, salt: u64, out: &mut Vec<u8>) {
        let start = out.len();
        let kind: u32 = match self.kind {
            Kind::Record => 1,
            Kind::Checkpoint => 2,
            Kind::Mark => 3,
            Kind::Batch => 4,
            Kind::First => 5,
            Kind::More => 6,
            Kind::Last => 7,
        };
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(self.payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&salt.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.synced.to_le_bytes());
        out.extend_from_slice(&self.tag.0.to_le_bytes());
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(self.payload);
        let checksum = crc32c::crc32c(&out[start + 4..]);
        out[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
        out.resize(start + size(self.payload.len()) as usize, 0);
    }

    /// The entry at the beginning of these bytes, if there is a whole one of this segment.
    pub(super) fn decode(bytes: &'a [u8], salt: u64) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        if word(header, 8) != salt {
            return None;
        }
        let length = half(header, 4) as usize;
        let end = HEADER.checked_add(length)?;
        let checked = bytes.get(4..end)?;
        if crc32c::crc32c(checked) != half(header, 0) {
            return None;
        }
        let kind = match half(header, 36) {
            1 => Kind::Record,
            2 => Kind::Checkpoint,
            3 => Kind::Mark,
            4 => Kind::Batch,
            5 => Kind::First,
            6 => Kind::More,
            7 => Kind::Last,
            _ => return None,
        };
        Some(Self {
            sequence: word(header, 16),
            synced: word(header, 24),
            tag: Tag(half(header, 32)),
            kind,
            payload: &bytes[HEADER..end],
        })
    }

    /// The bytes it takes in a segment.
    pub(super) fn size(&self) -> u64 {
        size(self.payload.len())
    }
}

/// The bytes that an entry with a payload of this length takes.
pub(super) const fn size(payload: usize) -> u64 {
    (HEADER + payload).next_multiple_of(ALIGNMENT) as u64
}

/// Several records as one payload.
pub(super) fn pack(records: &[Vec<u8>]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(packed_length(records));
    for record in records {
        packed.extend_from_slice(&(record.len() as u32).to_le_bytes());
        packed.extend_from_slice(record);
    }
    packed
}

/// The length of these records as one payload.
pub(super) fn packed_length(records: &[Vec<u8>]) -> usize {
    records.iter().map(|record| 4 + record.len()).sum()
}

/// Several records again, if these bytes are some.
pub(super) fn unpack(mut packed: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut records = Vec::new();
    while !packed.is_empty() {
        let (length, rest) = packed.split_first_chunk::<4>()?;
        let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        records.push(record.to_vec());
        packed = rest;
    }
    Some(records)
}

/// The eight bytes at this place as a number.
pub(super) fn word(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().copied().map_or(0, u64::from_le_bytes)
}

/// The four bytes at this place as a number.
pub(super) fn half(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().copied().map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(payload: &[u8]) -> Entry<'_> {
        Entry { sequence: 7, synced: 5, tag: Tag(3), kind: Kind::Record, payload }
    }

    #[test]
    fn the_bytes_of_an_entry_stay_as_they_are() {
        let mut bytes = Vec::new();
        entry(b"abc").encode(0x0102_0304_0506_0708, &mut bytes);
        assert_eq!(bytes.len(), 48);
        assert_eq!(&bytes[4..16], [3, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(&bytes[16..40], [7, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(&bytes[40..], b"abc\0\0\0\0\0");
        // RFC 3720, B.4: the checksum is CRC32C.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn every_flipped_bit_is_seen_and_so_is_another_salt() {
        let mut bytes = Vec::new();
        entry(b"abcdefgh").encode(9, &mut bytes);
        assert_eq!(Entry::decode(&bytes, 9).map(|entry| entry.payload), Some(&b"abcdefgh"[..]));
        assert!(Entry::decode(&bytes, 8).is_none());
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Entry::decode(&flipped, 9).is_none(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Entry::decode(&bytes[..length], 9).is_none());
        }
    }

    #[test]
    fn a_checkpoint_is_read_as_it_was_written() {
        let records = vec![b"one".to_vec(), Vec::new(), vec![0; 300]];
        let packed = pack(&records);
        assert_eq!(packed.len(), packed_length(&records));
        assert_eq!(unpack(&packed), Some(records));
        assert_eq!(unpack(&packed[..packed.len() - 1]), None);
    }
}
