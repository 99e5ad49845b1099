//! How a file is cut, and where its chunks go.

use std::ops::Range;

use crate::contract::NodeId;

/// The byte ranges of the chunks of a file of `length` bytes; none for an empty file.
///
/// The original's step is a third of the length rounded down (the whole length if that is 0), which gives 3 chunks if
/// the length divides by 3, 5 for 5 bytes, 1 for 1 or 2, and else 4. An even split rounds up and never exceeds 3.
#[must_use]
pub fn split(length: u64, uneven: bool) -> Vec<Range<u64>> {
    let step = match (uneven, length / 3) {
        (true, 0) => length,
        (true, third) => third,
        (false, _) => length.div_ceil(3),
    };
    let count = if step == 0 { 0 } else { length.div_ceil(step) };
    (0..count).map(|index| index * step..(index * step + step).min(length)).collect()
}

/// The nodes of `count` chunks: round-robin over the nodes online, beginning with the one at `first`. None if no node
/// is online.
#[must_use]
pub fn place(online: &[NodeId], first: usize, count: usize) -> Option<Vec<NodeId>> {
    let n = online.len();
    (n > 0).then(|| (0..count).map(|index| online[(first % n + index) % n]).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The published table: 3 chunks if the length divides by 3, else 4; 5 bytes give 5, 1 and 2 give 1; an empty file
    /// has none.
    #[test]
    fn the_published_split() {
        let counts =
            [(0, 0), (1, 1), (2, 1), (3, 3), (4, 4), (5, 5), (6, 3), (7, 4), (8, 4), (9, 3), (10, 4)];
        for (length, count) in counts {
            assert_eq!(split(length, true).len(), count, "length {length}");
        }
        assert_eq!(split(10, true), [0..3, 3..6, 6..9, 9..10]);
        assert_eq!(split(10, false), [0..4, 4..8, 8..10]);
    }

    #[test]
    fn chunk_i_goes_to_online_i_mod_n() {
        let online: Vec<_> = (1..=6).map(NodeId).collect();
        let nodes =
            |first, count| place(&online, first, count).unwrap().iter().map(|n| n.0).collect::<Vec<_>>();
        assert_eq!(nodes(0, 5), [1, 2, 3, 4, 5], "nodes beyond the fifth get nothing");
        assert_eq!(nodes(4, 4), [5, 6, 1, 2]);
        assert_eq!(place(&online[..2], 0, 4).unwrap(), [1, 2, 1, 2].map(NodeId));
        assert_eq!(place(&[], 0, 3), None);
    }

    proptest! {
        #[test]
        fn chunks_cover_the_file_in_order(length in 1..u64::MAX / 4, uneven: bool) {
            let chunks = split(length, uneven);
            prop_assert_eq!(chunks.first().map(|chunk| chunk.start), Some(0));
            prop_assert_eq!(chunks.last().map(|chunk| chunk.end), Some(length));
            prop_assert!(chunks.windows(2).all(|pair| pair[0].end == pair[1].start));
            prop_assert!(chunks.iter().all(|chunk| chunk.start < chunk.end));
            let most = if uneven { 5 } else { 3 };
            prop_assert!(chunks.len() <= most);
            if uneven && length > 5 {
                prop_assert_eq!(chunks.len(), if length % 3 == 0 { 3 } else { 4 });
            }
        }
    }
}
