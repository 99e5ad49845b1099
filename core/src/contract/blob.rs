//! Big bytes, shared by reference count and addressed by their content.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The content address of a blob: its BLAKE3 hash, or any unique name of a synthetic one.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct BlobId(pub [u8; 32]);

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..6].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// An immutable piece of data. Cloning it copies a pointer.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Blob(Arc<Content>);

#[derive(Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
struct Content {
    id: BlobId,
    length: u64,
    bytes: Option<Bytes>,
}

impl Blob {
    /// A blob of real bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        let bytes = Bytes::from(bytes.into());
        Self::shared(BlobId(*blake3::hash(&bytes).as_bytes()), bytes)
    }

    /// A blob with a length and a name but no bytes, so that petabytes fit into a simulation.
    #[must_use]
    pub fn synthetic(id: BlobId, length: u64) -> Self {
        Self(Arc::new(Content { id, length, bytes: None }))
    }

    /// Bytes from elsewhere, with the address that they claim. Nothing is checked: see [`is_intact`](Self::is_intact).
    #[must_use]
    pub fn claimed(id: BlobId, bytes: impl Into<Box<[u8]>>) -> Self {
        Self::shared(id, Bytes::from(bytes.into()))
    }

    /// As [`claimed`](Self::claimed), without a copy: it keeps alive whatever the bytes are a part of.
    #[must_use]
    pub fn shared(id: BlobId, bytes: Bytes) -> Self {
        Self(Arc::new(Content { id, length: bytes.len() as u64, bytes: Some(bytes) }))
    }

    /// The content address that it claims. [`is_intact`](Self::is_intact) tells whether that is true.
    #[must_use]
    pub fn id(&self) -> BlobId {
        self.0.id
    }

    /// The length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.0.length
    }

    /// The bytes, unless it is synthetic.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        self.0.bytes.as_deref()
    }

    /// Whether bytes and content address agree. A synthetic blob is taken at its word.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.bytes().is_none_or(|bytes| blake3::hash(bytes).as_bytes() == &self.id().0)
    }
}

/// Says whose a record or a blob is: zero for the node itself, another number for each protocol embedded in it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Tag(pub u32);

/// What became of a blob.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum BlobInput {
    /// It is on disk.
    Stored {
        /// Of the effect that asked.
        tag: Tag,
        /// Which one.
        id: BlobId,
    },
    /// The disk had no room for it.
    Refused {
        /// Of the effect that asked.
        tag: Tag,
        /// Which one.
        id: BlobId,
    },
    /// Here it is.
    Loaded {
        /// Of the effect that asked.
        tag: Tag,
        /// With its content.
        blob: Blob,
    },
    /// It was never stored here, or it is gone.
    Missing {
        /// Of the effect that asked.
        tag: Tag,
        /// Which one.
        id: BlobId,
    },
    /// It is there, but its content does not match its address.
    Damaged {
        /// Of the effect that asked.
        tag: Tag,
        /// Which one.
        id: BlobId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_addressed_by_its_content() {
        let (one, same, other) = (Blob::new(*b"abc"), Blob::new(*b"abc"), Blob::new(*b"abd"));
        assert_eq!(one.id(), same.id());
        assert_ne!(one.id(), other.id());
        assert!(one.is_intact());
        assert_eq!((one.length(), one.bytes()), (3, Some(&b"abc"[..])));
    }

    #[test]
    fn a_blob_is_read_as_it_was_written() {
        for blob in [Blob::new(*b"abc"), Blob::new(*b""), Blob::synthetic(BlobId([7; 32]), 1 << 50)] {
            let bytes = postcard::to_allocvec(&blob).unwrap();
            let as_numbers = (blob.id(), blob.length(), blob.bytes().map(<[u8]>::to_vec));
            assert_eq!(bytes, postcard::to_allocvec(&as_numbers).unwrap());
            assert_eq!(postcard::from_bytes::<Blob>(&bytes).unwrap(), blob);
            let text = serde_json::to_string(&blob).unwrap();
            assert_eq!(serde_json::from_str::<Blob>(&text).unwrap(), blob);
        }
    }

    #[test]
    fn a_forged_address_is_seen() {
        let forged = Blob::claimed(BlobId([7; 32]), [1]);
        assert!(!forged.is_intact());
        assert!(Blob::synthetic(BlobId([7; 32]), 1 << 50).is_intact());
    }
}
