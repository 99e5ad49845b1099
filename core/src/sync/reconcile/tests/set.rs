use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::sync::reconcile::cells::{Cell, Places};
use crate::sync::testing::cases;

#[derive(Clone, Copy, Debug)]
enum Change {
    Insert(u64, u64, u32),
    Remove(u64),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        3 => (0..400_u64, 0..60_u64, 0..3_u32).prop_map(|(id, time, node)| Change::Insert(id, time, node)),
        2 => (0..400_u64).prop_map(Change::Remove),
    ];
    prop::collection::vec(change, 0..800)
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Id), Just(Order::Time), Just(Order::Hash)]
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_set_is_an_ordered_map_with_sums(changes in changes(), order in order(), ends in any::<[u16; 2]>()) {
        let (mut set, mut model) = (EntrySet::new(order), BTreeMap::new());
        for change in changes {
            match change {
                Change::Insert(id, time, node) => {
                    let entry = entry(id, time, node);
                    prop_assert_eq!(set.insert(&entry, &[]), model.insert(entry.id, entry));
                }
                Change::Remove(id) => {
                    let id = entry(id, 0, 0).id;
                    prop_assert_eq!(set.remove(id), model.remove(&id));
                }
            }
        }
        let sorted: BTreeMap<Key, Entry> = model.values().map(|entry| (order.key(entry), *entry)).collect();
        prop_assert_eq!(set.len(), sorted.len());
        prop_assert_eq!(set.entries(Key::MIN, None), sorted.values().copied().collect::<Vec<_>>());
        let mut places: Vec<Key> = sorted.keys().copied().collect();
        for (rank, place) in places.iter().enumerate() {
            prop_assert_eq!(set.select(rank as u64), Some(*place));
            prop_assert_eq!(set.rank(*place), rank as u64);
        }
        places.push(Key { prefix: u64::MAX, id: u128::MAX });
        let mut ends = ends.map(|end| places[usize::from(end) % places.len()]);
        ends.sort_unstable();
        let mut sum = Aggregate::default();
        sorted.range(ends[0]..ends[1]).for_each(|(_, entry)| sum.add(&Aggregate::of(&entry.hash)));
        prop_assert_eq!(set.aggregate(ends[0], Some(ends[1])), sum);
        let mut cells = vec![Cell::default(); 64];
        for entry in sorted.values() {
            prop_assert_eq!(set.entry(entry.id), Some(*entry));
            prop_assert_eq!(set.by_short(entry.short()), Some(*entry));
            Places::of(entry.short()).take_while(|&at| at < 64).for_each(|at| cells[at as usize].add(entry.short()));
        }
        prop_assert_eq!(&set.cells()[..64], &cells[..]);
        prop_assert_eq!(&set.further_cells(0, 64), &cells);
        let node = NodeId(1);
        let mut written: Vec<u64> =
            sorted.values().filter(|entry| entry.version.node == node).map(|entry| entry.version.time).collect();
        written.sort_unstable();
        let known = Knowledge { through: [(node, 30), (NodeId(0), 99), (NodeId(2), 99)].into(), ..Default::default() };
        let unknown = set.unknown_to(&known).expect("nothing was truncated");
        prop_assert_eq!(unknown.len(), written.iter().filter(|&&time| time > 30).count());
    }

    #[test]
    fn content_alone_decides_the_bytes(ids in prop::collection::btree_set(0..500_u64, 0..200), order in order()) {
        let entries: Vec<_> = ids.iter().map(|&id| entry(id, id % 7, 0)).collect();
        let forth = set_of(order, &entries);
        let mut back = set_of(order, entries.iter().rev());
        back.insert(&entry(1_000, 1, 1), &[]);
        back.remove(entry(1_000, 1, 1).id);
        prop_assert_eq!(postcard::to_allocvec(&forth), postcard::to_allocvec(&back));
    }
}

#[test]
fn subtracting_undoes_adding_with_carries() {
    let high = Aggregate::of(&[0xFF; 32]);
    let mut sum = high;
    sum.add(&Aggregate { sum: [1, 0, 0, 0], count: 1, is_xor: false });
    assert_eq!(sum, Aggregate { sum: [0; 4], count: 2, is_xor: false });
    sum.subtract(&high);
    assert_eq!(sum, Aggregate { sum: [1, 0, 0, 0], count: 1, is_xor: false });
}
