//! Tasks on pages are a map.

use proptest::prelude::*;

use super::*;
use crate::scheduler::hub::state::Task;
use crate::scheduler::hub::tasks::Tasks;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tasks_are_found_as_in_a_map(
        changes in prop::collection::vec((0..600_u64, any::<bool>()), 0..80),
        far in any::<u64>(),
        from in 0..600_u64,
    ) {
        let mut shell = Shell::new(&Parameters::default(), Validation::None);
        shell.submit(vec![spec(0)], vec![]);
        let task = &shell.hub.state().tasks[&TaskId(0)];
        let (mut paged, mut map) = (Tasks::default(), BTreeMap::<TaskId, Task>::new());
        for (nth, (id, is_in)) in changes.into_iter().chain([(far, true), (far, false)]).enumerate() {
            let (id, task) = (TaskId(id), Task { attempt: nth as u32, ..task.clone() });
            if is_in {
                paged.insert(id, task.clone());
                map.insert(id, task);
            } else {
                prop_assert_eq!(paged.remove(id), map.remove(&id));
            }
            prop_assert_eq!(paged.get(&id), map.get(&id));
            prop_assert_eq!(paged.len(), map.len());
        }
        let from = TaskId(from);
        prop_assert!(paged.range(from..).eq(map.range(from..).map(|(id, task)| (*id, task))));
        let bytes = postcard::to_allocvec(&paged).expect("it encodes");
        prop_assert_eq!(&bytes, &postcard::to_allocvec(&map).expect("it encodes"));
        // No page is left over where there were more.
        prop_assert_eq!(postcard::from_bytes::<Tasks>(&bytes).expect("it decodes"), paged);
    }
}
