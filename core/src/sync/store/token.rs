//! Opaque tokens: where a reader stopped. Nothing in them is trusted but as a place to go on from.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sync::Refusal;

/// Longer texts are no tokens of ours: the longest holds a sort key of some hundred bytes.
const BYTES_MAX: usize = 2_048;

/// Makes a token.
pub(super) fn seal(content: &impl Serialize) -> String {
    // Writing to memory fails only if there is none.
    let mut bytes = postcard::to_allocvec(content).unwrap_or_default();
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    BASE64URL_NOPAD.encode(&bytes)
}

/// Reads a token, which came from outside.
pub(super) fn open<T: DeserializeOwned>(token: &str) -> Result<T, Refusal> {
    if token.len() > BYTES_MAX {
        return Err(Refusal::BadToken);
    }
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| Refusal::BadToken)?;
    let (content, sum) = bytes.split_last_chunk::<4>().ok_or(Refusal::BadToken)?;
    if crc32c::crc32c(content) != u32::from_le_bytes(*sum) {
        return Err(Refusal::BadToken);
    }
    match postcard::take_from_bytes(content) {
        Ok((content, [])) => Ok(content),
        _ => Err(Refusal::BadToken),
    }
}
