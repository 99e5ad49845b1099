//! The event queue against a binary heap, in the hold model: pop the next event, push it again after a random delay.
//! Events are 40 bytes, as the kernel's.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use seedbed_sim::queue::Queue;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Duration;

type Event = [u64; 5];

const PENDING: [usize; 3] = [1_000, 100_000, 1_000_000];
const MEAN_NS: f64 = 10_000_000.0;
const PERIOD_NS: u64 = 100_000_000;

/// Pops and pushes per measured batch.
const HOLDS: usize = 10_000;

trait Pending: Default {
    fn push(&mut self, at: u64, event: Event);
    fn pop(&mut self) -> Option<(u64, Event)>;
}

impl Pending for Queue<Event> {
    fn push(&mut self, at: u64, event: Event) {
        Queue::push(self, at, event);
    }

    fn pop(&mut self) -> Option<(u64, Event)> {
        Queue::pop(self)
    }
}

/// What one would write without a queue at hand: whole events in a heap, with a sequence number to break ties.
#[derive(Default)]
struct Heap {
    entries: BinaryHeap<Entry>,
    pushed: u64,
}

struct Entry {
    at: u64,
    nth: u64,
    event: Event,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.nth).cmp(&(self.at, self.nth))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Entry {}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Pending for Heap {
    fn push(&mut self, at: u64, event: Event) {
        self.pushed += 1;
        self.entries.push(Entry { at, nth: self.pushed, event });
    }

    fn pop(&mut self) -> Option<(u64, Event)> {
        self.entries.pop().map(|entry| (entry.at, entry.event))
    }
}

/// Delays in ns: exponential, constant, or three exponential to one of a long period, as messages and timers mix.
fn delays(law: &str) -> Vec<u64> {
    let mut x = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    let mut exponential = || (-MEAN_NS * (1.0 - draw() as f64 / 2f64.powi(64)).max(1e-18).ln()) as u64;
    (0..1 << 16)
        .map(|nth| match law {
            "exp" => exponential(),
            "mix" if nth % 4 > 0 => exponential(),
            "mix" => PERIOD_NS,
            _ => MEAN_NS as u64,
        })
        .collect()
}

fn hold<P: Pending>(queue: &mut P, mut delays: impl Iterator<Item = u64>) {
    for _ in 0..HOLDS {
        if let (Some((now, event)), Some(delay)) = (queue.pop(), delays.next()) {
            queue.push(now + delay, black_box(event));
        }
    }
}

fn measure<P: Pending>(criterion: &mut Criterion, name: &str) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(HOLDS as u64)).sample_size(20);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for law in ["exp", "const", "mix"] {
        let delays = delays(law);
        for pending in PENDING {
            let mut queue = P::default();
            let mut next = delays.iter().copied().cycle();
            for nth in 0..pending {
                queue.push(next.next().unwrap_or(0) + nth as u64 % 1000, [nth as u64; 5]);
            }
            group.bench_function(BenchmarkId::new(law, pending), |bencher| {
                bencher.iter(|| hold(&mut queue, &mut next));
            });
        }
    }
    group.finish();
}

fn queues(criterion: &mut Criterion) {
    measure::<Queue<Event>>(criterion, "queue");
    measure::<Heap>(criterion, "heap");
}

criterion_group!(benches, queues);
criterion_main!(benches);
