//! The hub's log: entries, and now and then all that it knows in their place.

use std::sync::Arc;

use bytes::Bytes;

use super::messages::Record;
use crate::contract::Machine;
use crate::scheduler::hub::{Hub, Rules, State};

/// How long a piece of the state is at most, in bytes: shorter than what a log takes in one record.
const PIECE: usize = 1 << 20;
/// Fewer entries than this are not worth a checkpoint.
const CHECKPOINT_MIN: u64 = 100_000;

/// After how many entries it is time to write all anew: as many as there are tasks to write, times four.
pub(super) fn worth_a_checkpoint(hub: &Hub) -> u64 {
    CHECKPOINT_MIN.max(hub.remembered() * 4)
}

/// All that a hub knows, as records.
pub(super) fn pieces(hub: &Hub) -> Vec<Record> {
    let bytes = Bytes::from(postcard::to_allocvec(hub.state()).unwrap_or_default());
    let of = bytes.len().div_ceil(PIECE) as u32;
    let piece = |nth: u32| {
        let from = nth as usize * PIECE;
        Record::State { nth, of, bytes: bytes.slice(from..bytes.len().min(from + PIECE)) }
    };
    (0..of).map(piece).collect()
}

/// Makes the hub what it was, and tells how many entries there were since its last checkpoint.
///
/// A log is what this node wrote, whole up to some record: whatever does not fit together was never written here, and is
/// passed over.
pub(super) fn restore(log: Vec<Record>, hub: &mut Hub, rules: &Arc<Rules>) -> u64 {
    let (mut encoding, mut entries) = (Vec::new(), 0);
    for record in log {
        match record {
            Record::State { nth, of, bytes } => {
                if nth == 0 {
                    encoding.clear();
                }
                encoding.extend_from_slice(&bytes);
                if nth + 1 == of
                    && let Ok(state) = postcard::from_bytes::<State>(&encoding)
                {
                    *hub = Hub::resume(Arc::clone(rules), state);
                    encoding = Vec::new();
                }
            }
            Record::Entries { at, entries: some } => {
                entries += some.len() as u64;
                for entry in &some {
                    hub.apply(at, entry);
                }
            }
        }
    }
    entries
}
