//! A queue in a steady state allocates nothing, whatever the delays are.

mod counting;

use counting::allocations;
use seedbed_sim::queue::Queue;

/// The delay after this many earlier ones: spread evenly, constant, in bursts, or over every scale.
fn delay(kind: u64, nth: u64) -> u64 {
    let mixed = nth.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    match kind {
        0 => mixed % 20_000_000,
        1 => 10_000_000,
        2 => (mixed % 4) * 1_000_000,
        _ => (mixed % 1000) << (mixed >> 20 & 15),
    }
}

/// One test, because the count is of the whole process.
#[test]
fn a_steady_queue_allocates_nothing() {
    for kind in 0..4 {
        for pending in [3, 40, 1000, 20_000] {
            let mut queue = Queue::new();
            for nth in 0..pending {
                queue.push(delay(kind, nth), [nth; 5]);
            }
            let mut hold = |steps: std::ops::Range<u64>| {
                for nth in steps {
                    let (now, event) = queue.pop().expect("as many pushes as pops");
                    queue.push(now + delay(kind, nth), event);
                }
            };
            hold(0..300_000);
            let before = allocations();
            hold(300_000..600_000);
            assert_eq!(allocations() - before, 0, "delays {kind}, {pending} pending");
        }
    }
}
