//! The network of a scenario over real links: the simulator's own, asked message by message, by the same addresses. So
//! the same messages are lost on both engines.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration as Span, Instant};

use seedbed_core::contract::{Duration, Keys, NodeId, Purpose};
use seedbed_sim::Drop;
use seedbed_sim::network::{self, Network, Traffic};
use seedbed_transport::link::weather::{Fate, Passage, Sky};

/// What lies between all nodes. Clones are the same air.
#[derive(Clone, Debug)]
pub(super) struct Air(Arc<Mutex<(Network, Traffic)>>);

impl Air {
    pub(super) fn new(network: Network) -> Self {
        Self(Arc::new(Mutex::new((network, Traffic::default()))))
    }

    fn lock(&self) -> MutexGuard<'_, (Network, Traffic)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the network, or changes it.
    pub(super) fn network<T>(&self, act: impl FnOnce(&mut Network) -> T) -> T {
        act(&mut self.lock().0)
    }

    /// What was lost and doubled so far; nobody has counted here what was sent and came.
    pub(super) fn traffic(&self) -> Traffic {
        self.lock().1
    }

    /// As seen from one node.
    pub(super) fn over(&self, me: NodeId, keys: &Keys, began: Instant, hints: Option<Duration>) -> Over {
        let hints = hints.map(|after| Span::from_nanos(after.as_nanos()));
        Over { air: self.clone(), me, keys: keys.clone(), began, hints }
    }
}

/// What is over one node.
pub(super) struct Over {
    air: Air,
    me: NodeId,
    keys: Keys,
    began: Instant,
    hints: Option<Span>,
}

impl Sky for Over {
    fn fate(&mut self, passage: Passage) -> Option<Fate> {
        let roll = self.keys.roll(Purpose::Network);
        let at = passage.at.saturating_duration_since(self.began).as_nanos() as u64;
        let passage = network::Passage {
            from: passage.from,
            to: self.me,
            life: passage.life.0 as u16,
            ordinal: passage.ordinal,
            at,
            lane: passage.lane,
            size: passage.size as u64,
        };
        let (network, traffic) = &mut *self.air.lock();
        match network.send(roll, passage.draw(roll), passage) {
            // The codec would refuse it, and the host hang up: a checksum finds every flipped bit.
            Ok(network::Fate { is_damaged: true, .. }) => {
                traffic.count(Drop::Damaged);
                None
            }
            Ok(network::Fate { delay, again, .. }) => {
                traffic.duplicated += u64::from(again.is_some());
                Some(Fate { delay: Span::from_nanos(delay), again: again.map(Span::from_nanos) })
            }
            Err(why) => {
                traffic.count(why);
                None
            }
        }
    }

    fn passes(&mut self, from: NodeId) -> bool {
        let (network, traffic) = &mut *self.air.lock();
        let passes = network.is_linked(from, self.me);
        traffic.cut += u64::from(!passes);
        passes
    }

    fn hint(&mut self, _: NodeId, _: bool) -> Option<Span> {
        self.hints
    }
}

#[cfg(test)]
mod tests {
    use seedbed_core::contract::{Lane, Life};
    use seedbed_sim::law::Law;
    use seedbed_sim::network::Link;

    use super::*;

    /// What a simulated network decides about the same messages.
    fn simulated(mut network: Network, keys: &Keys, ordinals: std::ops::Range<u64>) -> Vec<Option<u64>> {
        let roll = keys.roll(Purpose::Network);
        let decide = |ordinal| {
            let (from, to) = (NodeId(1), NodeId(2));
            let passage =
                network::Passage { from, to, life: 3, ordinal, at: 0, lane: Lane::Control, size: 0 };
            let fate = network.send(roll, passage.draw(roll), passage).ok()?;
            (!fate.is_damaged).then_some(fate.delay)
        };
        ordinals.map(decide).collect()
    }

    #[test]
    fn the_same_messages_are_lost_and_late_as_in_a_simulation() {
        let law = Law::uniform(Duration::from_millis(1), Duration::from_millis(9)).unwrap();
        let part = u64::MAX / 10;
        let link = Link { loss: part, duplicate: part, corrupt: part, ..Link::new(law) };
        let (network, keys, began) = (Network::uniform(link), Keys::from_seed(7), Instant::now());
        let air = Air::new(network.clone());
        let mut over = air.over(NodeId(2), &keys, began, None);
        let fates: Vec<_> = (0..2000)
            .map(|ordinal| {
                let (from, life, lane) = (NodeId(1), Life(3), Lane::Control);
                over.fate(Passage { from, lane, life, ordinal, size: 40, at: Instant::now() })
                    .map(|fate| fate.delay.as_nanos() as u64)
            })
            .collect();
        assert_eq!(fates, simulated(network, &keys, 0..2000));
        let traffic = air.traffic();
        let lost = fates.iter().filter(|fate| fate.is_none()).count() as u64;
        assert_eq!(traffic.lost + traffic.damaged, lost);
        assert!(lost > 300 && traffic.damaged > 100 && traffic.duplicated > 100, "{traffic:?}");
    }

    #[test]
    fn what_is_cut_while_it_is_under_way_does_not_come() {
        let air = Air::new(Network::default());
        let mut over = air.over(NodeId(0), &Keys::from_seed(1), Instant::now(), None);
        let set = |node| std::iter::once(NodeId(node)).collect();
        assert!(over.passes(NodeId(1)));
        air.network(|network| network.disturb(9, set(1), set(0), network::Disturbance::Cut));
        assert!(!over.passes(NodeId(1)) && over.passes(NodeId(2)));
        assert_eq!(air.traffic().cut, 1);
        assert_eq!(over.hint(NodeId(1), true), None);
    }
}
