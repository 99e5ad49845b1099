//! CRC-32C, made for what most frames are: a few dozen bytes at any address.
//!
//! The library aligns its reads, byte by byte, which for short frames takes longer than the checksum itself: a third
//! of what it costs to frame and read a heartbeat.
#![allow(unsafe_code)] // one call of a function that needs a feature of the processor, which has been looked for

/// Longer runs are left to the library, which has several under way at once.
#[cfg(target_arch = "x86_64")]
const SHORT_MAX: usize = 256;

/// The checksum of these bytes.
#[inline]
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() <= SHORT_MAX && std::arch::is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has the feature that the function needs.
        return unsafe { short(bytes) };
    }
    ::crc32c::crc32c(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn short(bytes: &[u8]) -> u32 {
    use std::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u16, _mm_crc32_u32, _mm_crc32_u64};
    let (eights, mut rest) = bytes.as_chunks::<8>();
    let start = u64::from(u32::MAX);
    let long = eights.iter().fold(start, |crc, eight| _mm_crc32_u64(crc, u64::from_le_bytes(*eight)));
    let mut crc = long as u32;
    if let Some((four, more)) = rest.split_first_chunk() {
        (crc, rest) = (_mm_crc32_u32(crc, u32::from_le_bytes(*four)), more);
    }
    if let Some((two, more)) = rest.split_first_chunk() {
        (crc, rest) = (_mm_crc32_u16(crc, u16::from_le_bytes(*two)), more);
    }
    if let [one] = *rest {
        crc = _mm_crc32_u8(crc, one);
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_library_says() {
        // RFC 3720, B.4: 32 bytes of zeroes, of ones, and ascending.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let bytes: Vec<u8> = (0..=255).chain(0..=255).collect();
        assert_eq!(crc32c(&bytes[..32]), 0x46dd_794e);
        for start in 0..9 {
            for end in start..bytes.len() {
                assert_eq!(crc32c(&bytes[start..end]), ::crc32c::crc32c(&bytes[start..end]));
            }
        }
    }
}
