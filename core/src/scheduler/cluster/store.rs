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

/// All that a hub knows, as records; none if it cannot be written, and the log must stay as it is.
pub(super) fn pieces(hub: &Hub) -> Option<Vec<Record>> {
    let bytes = Bytes::from(postcard::to_allocvec(hub.state()).ok()?);
    let of = bytes.len().div_ceil(PIECE) as u32;
    let piece = |nth: u32| {
        let from = nth as usize * PIECE;
        Record::State { nth, of, bytes: bytes.slice(from..bytes.len().min(from + PIECE)) }
    };
    Some((0..of).map(piece).collect())
}

/// Makes the hub what it was, and tells how many entries there were since its last checkpoint; none if the log cannot be
/// read: another version wrote it.
pub(super) fn restore(log: Vec<Record>, hub: &mut Hub, rules: &Arc<Rules>) -> Option<u64> {
    let (mut encoding, mut pieces, mut entries) = (Vec::new(), 0, 0);
    for record in log {
        match record {
            Record::State { nth, of, bytes } if nth == pieces && nth < of => {
                encoding.extend_from_slice(&bytes);
                pieces += 1;
                if pieces == of {
                    *hub = Hub::resume(Arc::clone(rules), postcard::from_bytes::<State>(&encoding).ok()?);
                    (encoding, pieces, entries) = (Vec::new(), 0, 0);
                }
            }
            // What follows a state follows all of it.
            Record::Entries { at, entries: some } if pieces == 0 => {
                entries += some.len() as u64;
                for entry in &some {
                    hub.apply(at, entry);
                }
            }
            _ => return None,
        }
    }
    (pieces == 0).then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Time;
    use crate::scheduler::hub::{Entry, Event, Parameters};
    use crate::scheduler::trust::{self, Comparator};

    fn hub() -> (Hub, Arc<Rules>) {
        let trust = trust::Parameters::default();
        let rules = Arc::new(Rules::new(&Parameters::default(), &trust, Comparator::Exact));
        (Hub::new(Arc::clone(&rules)), rules)
    }

    fn tick(at: u64) -> Record {
        Record::Entries { at: Time(at), entries: vec![Entry { draw: 1, event: Event::Tick }] }
    }

    #[test]
    fn a_hub_is_what_its_log_says() {
        let (mut hub, rules) = hub();
        assert_eq!(restore(vec![tick(5)], &mut hub, &rules), Some(1));
        assert_eq!(hub.now(), Time(5));
        let mut log = pieces(&hub).expect("it encodes");
        log.push(tick(9));
        let (mut other, _) = self::hub();
        assert_eq!(restore(log, &mut other, &rules), Some(1));
        assert_eq!(other.now(), Time(9));
    }

    #[test]
    fn what_another_version_wrote_is_not_taken_for_nothing() {
        let (mut hub, rules) = hub();
        let state =
            |nth, of, bytes: &'static [u8]| Record::State { nth, of, bytes: Bytes::from_static(bytes) };
        for log in [
            vec![state(0, 1, b"what is this")],
            vec![state(1, 2, b"")],
            vec![state(0, 2, b""), tick(1)],
            vec![state(0, 2, b"")],
            vec![state(0, 0, b"")],
        ] {
            assert_eq!(restore(log, &mut hub, &rules), None);
        }
    }
}
