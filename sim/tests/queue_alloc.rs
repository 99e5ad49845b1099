//! A queue in a steady state allocates nothing, whatever the delays are.
#![allow(unsafe_code)] // counting allocations means to stand in for the global allocator

use seedbed_sim::queue::Queue;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            hold(300_000..600_000);
            let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
            assert_eq!(allocations, 0, "delays {kind}, {pending} pending");
        }
    }
}
