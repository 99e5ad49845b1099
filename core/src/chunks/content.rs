//! What is in a file: a command carries no bytes, so they are derived from a seed.

use super::split::split;
use crate::contract::{Blob, BlobId};

/// Files up to this length have real bytes; longer ones are synthetic, so that terabytes fit into a simulation.
pub(super) const REAL_MAX: u64 = 64 << 10;

/// The chunks of the file of `length` bytes that `seed` stands for.
#[must_use]
pub fn blobs(seed: u64, length: u64, uneven: bool) -> Vec<Blob> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(&length.to_le_bytes());
    let chunks = split(length, uneven);
    if length <= REAL_MAX {
        let mut bytes = vec![0; length as usize];
        hasher.finalize_xof().fill(&mut bytes);
        return chunks.iter().map(|at| Blob::new(&bytes[at.start as usize..at.end as usize])).collect();
    }
    let synthetic = |(index, at): (usize, &std::ops::Range<u64>)| {
        let id = hasher.clone().update(&(index as u64).to_le_bytes()).finalize();
        Blob::synthetic(BlobId(*id.as_bytes()), at.end - at.start)
    };
    chunks.iter().enumerate().map(synthetic).collect()
}

/// The address of a whole file: the hash of its bytes, where it has any, else of its chunks' names.
#[must_use]
pub fn digest<'a>(blobs: impl IntoIterator<Item = &'a Blob>) -> BlobId {
    let mut hasher = blake3::Hasher::new();
    for blob in blobs {
        hasher.update(blob.bytes().unwrap_or(&blob.id().0));
    }
    BlobId(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_follow_from_seed_and_length() {
        for length in [1, 5, 1000, REAL_MAX, REAL_MAX + 1, 1 << 50] {
            let file = blobs(7, length, true);
            assert_eq!(file, blobs(7, length, true));
            assert_eq!(file.iter().map(Blob::length).sum::<u64>(), length);
            assert_eq!(file.iter().all(|blob| blob.bytes().is_some()), length <= REAL_MAX);
            assert_ne!(digest(&file), digest(&blobs(8, length, true)), "length {length}");
        }
        assert!(blobs(7, 0, true).is_empty());
    }

    #[test]
    fn a_digest_sees_order_and_content_but_not_the_cuts() {
        let file = blobs(1, 1000, true);
        assert_eq!(digest(&file), digest(&blobs(1, 1000, false)));
        assert_ne!(digest(&file), digest(file.iter().rev()));
        assert_ne!(digest(&file), digest(&file[1..]));
    }
}
