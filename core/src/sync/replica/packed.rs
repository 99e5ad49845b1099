//! Documents on their way, compressed: JSON repeats itself, and a member that begins with nothing takes all of it. LZ4, because
//! the member is waiting.

use bytes::Bytes;
use lz4_flex::block;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::contract::frame::FRAME_MAX;

/// What a message may have when it is unpacked, in bytes: no more than a frame has, so that compression lets nobody send more.
const PLAIN_MAX: usize = FRAME_MAX;
/// LZ4 says at most so many bytes with one.
const RATIO_MAX: usize = 255;

pub(super) fn serialize<T: Serialize, S: Serializer>(all: &T, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        return all.serialize(serializer);
    }
    let plain = postcard::to_allocvec(all).map_err(ser::Error::custom)?;
    if plain.len() > PLAIN_MAX {
        return Err(ser::Error::custom("documents that are longer than may be sent"));
    }
    serializer.serialize_bytes(&block::compress_prepend_size(&plain))
}

pub(super) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    if deserializer.is_human_readable() {
        return T::deserialize(deserializer);
    }
    let packed = Bytes::deserialize(deserializer)?;
    let (claimed, _) = block::uncompressed_size(&packed).map_err(de::Error::custom)?;
    if claimed > PLAIN_MAX.min(packed.len().saturating_mul(RATIO_MAX)) {
        return Err(de::Error::custom("documents that claim to be longer than they can be"));
    }
    let plain = block::decompress_size_prepended(&packed).map_err(de::Error::custom)?;
    match postcard::take_from_bytes(&plain).map_err(de::Error::custom)? {
        (all, []) => Ok(all),
        _ => Err(de::Error::custom("more than documents")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Json, NodeId};
    use crate::sync::document::Writing;
    use crate::sync::{DocumentId, DocumentState, Limits, Schema, Stamp};

    type Documents = Vec<(DocumentId, DocumentState)>;

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Packed(#[serde(with = "super")] Documents);

    fn documents(count: u64) -> Packed {
        let (schema, limits) = (Schema::default(), Limits::default());
        let document = |number| {
            let (id, stamp) = (DocumentId::numbered(number), Stamp { time: number + 1, node: NodeId(0) });
            let body = Json::parse(&format!(r#"{{"name":"Person {number}","city":"Pisa"}}"#)).unwrap();
            let writing = Writing { id, schema: &schema, limits: &limits, stamp };
            (id, DocumentState::put(None, &body, &writing).unwrap())
        };
        Packed((0..count).map(document).collect())
    }

    #[test]
    fn documents_are_the_same_unpacked_and_fewer_bytes_on_the_way() {
        for count in [0, 1, 1_000] {
            let all = documents(count);
            let bytes = postcard::to_allocvec(&all).unwrap();
            assert_eq!(postcard::from_bytes::<Packed>(&bytes).unwrap(), all);
            let plain = postcard::to_allocvec(&all.0).unwrap();
            assert!(count < 1_000 || bytes.len() * 2 < plain.len(), "{} of {}", bytes.len(), plain.len());
            let text = serde_json::to_string(&all).unwrap();
            assert_eq!(serde_json::from_str::<Packed>(&text).unwrap(), all);
        }
    }

    #[test]
    fn what_claims_too_much_or_is_damaged_is_refused_before_it_takes_memory() {
        let packed = |bytes: Vec<u8>| postcard::to_allocvec(&Bytes::from(bytes)).unwrap();
        let read = |bytes: Vec<u8>| postcard::from_bytes::<Packed>(&packed(bytes)).is_ok();
        let plain = postcard::to_allocvec(&documents(10).0).unwrap();
        let good = block::compress_prepend_size(&plain);
        assert!(read(good.clone()));
        for claimed in [u32::MAX, PLAIN_MAX as u32 + 1, plain.len() as u32 - 1] {
            assert!(!read([&claimed.to_le_bytes(), &good[4..]].concat()), "{claimed}");
        }
        assert!(!read(good[..good.len() - 1].to_vec()) && !read(Vec::new()));
        assert!(!read(block::compress_prepend_size(&[&plain[..], b"x"].concat())));
    }
}
