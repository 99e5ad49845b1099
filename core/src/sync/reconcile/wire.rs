//! Reading and writing the bodies of messages. Integers are little-endian base 128 unless their width is fixed.

use super::session::Refusal;
use crate::contract::NodeId;

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(Refusal::Short)?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Refusal::Short)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Refusal> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn word(&mut self) -> Result<u64, Refusal> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn varint(&mut self) -> Result<u64, Refusal> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                return Err(Refusal::Malformed);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Refusal::Malformed)
    }

    /// A number of things that follow, at least a byte each.
    pub(super) fn count(&mut self, max: u64) -> Result<usize, Refusal> {
        let count = self.varint()?;
        if count > max {
            return Err(Refusal::TooMany { count, max });
        }
        Ok(count as usize)
    }

    /// Eight bytes each.
    pub(super) fn words(
        &mut self,
        max: u64,
    ) -> Result<impl ExactSizeIterator<Item = u64> + use<'a>, Refusal> {
        let count = self.count(max)?;
        let bytes = self.bytes(count.checked_mul(8).ok_or(Refusal::Malformed)?)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)))
    }

    pub(super) fn node(&mut self) -> Result<NodeId, Refusal> {
        u32::try_from(self.varint()?).map(NodeId).map_err(|_| Refusal::Malformed)
    }

    pub(super) fn end(&self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::Malformed) }
    }
}
