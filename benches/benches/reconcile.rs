//! The index of a collection of a million entries: an insert, and the aggregate of a range.

use criterion::{Criterion, criterion_group, criterion_main};
use seedbed_benches::replicas::{document, scatter};
use seedbed_core::sync::reconcile::{Entry, EntrySet, Order};
use std::hint::black_box;

const ENTRIES: u64 = 1_000_000;

fn entry(nth: u64) -> Entry {
    document(nth, scatter(nth) >> 24, scatter(!nth) >> 24, nth as u32 % 3)
}

fn index(c: &mut Criterion) {
    let mut set = EntrySet::new(Order::Id);
    (0..ENTRIES).for_each(|nth| _ = set.insert(&entry(nth), &[]));
    let further: Vec<Entry> = (ENTRIES..ENTRIES + 100_000).map(entry).collect();
    let mut group = c.benchmark_group("reconcile/1000000");
    let mut nth = 0;
    group.bench_function("aggregate", |b| {
        b.iter(|| {
            nth = (nth + 1) % (further.len() - 1);
            let (a, b) = (Order::Id.key(&further[nth]), Order::Id.key(&further[nth + 1]));
            black_box(set.aggregate(a.min(b), Some(a.max(b))))
        });
    });
    // One in, the oldest of these out: the number of entries stays.
    group.bench_function("insert and remove", |b| {
        b.iter(|| {
            nth = (nth + 1) % further.len();
            set.remove(further[(nth + further.len() / 2) % further.len()].id);
            black_box(set.insert(&further[nth], &[]))
        });
    });
    group.finish();
}

criterion_group!(benches, index);
criterion_main!(benches);
