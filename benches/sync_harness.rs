//! What it costs to find the differences of two replicas, beside the crate `negentropy`: `sync_harness [LARGEST]`.
//!
//! Bytes and round trips over the number of documents (up to LARGEST, one million by default), of differences, and where these
//! are. Documents are excluded, frames included. Before that, the local cost of the index at the largest size.

use std::collections::BTreeSet;
use std::time::Instant;

use seedbed_benches::replicas::{Findings, Replicas, Shape, document, negentropy, reconcile, scatter};
use seedbed_core::sync::reconcile::{EntrySet, Key, Method, Order, Outcome};

type Done = Result<(), Box<dyn std::error::Error>>;

/// Bytes of a document, for what methods hand over that the peer has already.
const DOCUMENT: u64 = 200;
const METHODS: [Method; 6] =
    [Method::FullMerge, Method::Digest, Method::Merkle, Method::Range, Method::Riblt, Method::Delta];

fn main() -> Done {
    let largest = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    // First, because memory freed by others would hide what the index takes.
    local(largest)?;
    print!("\n| documents | differences | negentropy |");
    METHODS.iter().for_each(|method| print!(" {} |", method.name()));
    println!(" auto | of the best | auto, no history | of the best | riblt: cells, each |");
    println!("|---:|---:|{}", "---:|".repeat(METHODS.len() + 6));
    for shape in [Shape::Scattered, Shape::Recent] {
        for count in [10_000, 100_000, 1_000_000].into_iter().filter(|&count| count <= largest) {
            for differences in [0, 1, 100, 1_000] {
                row(shape, count, differences)?;
            }
        }
    }
    Ok(())
}

/// One cell of the grid.
fn row(shape: Shape, count: u64, differences: u64) -> Done {
    let replicas = Replicas::new(count, differences, shape, 1);
    let (found, peer) = negentropy(&replicas)?;
    assert_eq!(found.iter().map(BTreeSet::len).sum::<usize>() as u64, differences);
    print!("| {count} | {differences} {shape:?} | {} / {} |", peer.bytes, peer.round_trips);
    let (plain, known) = (replicas.sets(replicas.order, false), replicas.sets(replicas.order, true));
    let mut costs = Vec::new();
    let mut cells = String::from(" - |");
    for method in METHODS {
        let found = match method {
            // Its digits are those of the hash.
            Method::Merkle => reconcile(method, &replicas.sets(Order::Hash, false), 9)?,
            Method::Delta => reconcile(method, &known, 9)?,
            _ => reconcile(method, &plain, 9)?,
        };
        let bytes = checked(&found, differences, &replicas);
        print!(" {bytes} / {} |", found.counters.round_trips);
        costs.push((method, bytes));
        if method == Method::Riblt && differences > 0 {
            let sent = found.counters.cells;
            cells = format!(" {sent}, {:.2} |", sent as f64 / differences as f64);
        }
    }
    for (sets, has_history) in [(&known, true), (&plain, false)] {
        let found = reconcile(Method::Auto, sets, 9)?;
        let bytes = checked(&found, differences, &replicas);
        let others = costs.iter().filter(|(method, _)| has_history || *method != Method::Delta);
        let best = others.map(|(_, bytes)| *bytes).min().unwrap_or(bytes);
        let met = if bytes * 5 <= best * 6 + 256 * 5 { "" } else { " (missed)" };
        print!(" {bytes} / {} | {:.2}{met} |", found.counters.round_trips, bytes as f64 / best as f64);
    }
    println!("{cells}");
    Ok(())
}

/// The bytes of a session that found all; documents handed over needlessly count.
fn checked(found: &Findings, differences: u64, replicas: &Replicas) -> u64 {
    assert!(matches!(found.ended, Some(Outcome::Equal | Outcome::Converged | Outcome::Unchecked)));
    if found.give_all == [true; 2] {
        return found.counters.bytes + 2 * DOCUMENT * replicas.shared.len() as u64;
    }
    assert_eq!(found.give.iter().map(Vec::len).sum::<usize>() as u64, differences);
    found.counters.bytes
}

/// Time and memory of the index.
fn local(count: u64) -> Done {
    println!("| index of {count} entries | ordered by id | by time |\n|---|---:|---:|");
    let mut table = vec![Vec::new(); 6];
    for order in [Order::Id, Order::Time] {
        let entries: Vec<_> = (0..count + 100_000)
            .map(|nth| document(nth, scatter(nth) >> 24, scatter(!nth) >> 24, nth as u32 % 3))
            .collect();
        let (before, mut set) = (resident()?, EntrySet::new(order));
        let (first, further) = entries.split_at(count as usize);
        first.iter().for_each(|entry| _ = set.insert(entry, &[]));
        table[0].push((resident()? - before) as f64 / count as f64);
        table[1].push(each(further, |entry| _ = set.insert(entry, &[])));
        table[2].push(each(further, |entry| _ = set.insert(entry, &[])));
        let mut sum = 0;
        let ends: Vec<[Key; 2]> = further
            .iter()
            .zip(first)
            .map(|(a, b)| {
                let mut ends = [order.key(a), order.key(b)];
                ends.sort_unstable();
                ends
            })
            .collect();
        table[3].push(each(&ends, |[from, to]| sum ^= set.aggregate(*from, Some(*to)).sum[0]));
        table[4].push(each(first, |entry| {
            sum ^= set.by_short(entry.short()).map_or(0, |entry| entry.version.time)
        }));
        table[5].push(each(further, |entry| _ = set.remove(entry.id)));
        assert_ne!(sum, 1);
    }
    let names =
        ["bytes each", "insert, ns", "replace, ns", "range aggregate, ns", "by short, ns", "remove, ns"];
    for (name, values) in names.iter().zip(table) {
        println!("| {name} | {:.0} | {:.0} |", values[0], values[1]);
    }
    Ok(())
}

fn each<T>(items: &[T], mut run: impl FnMut(&T)) -> f64 {
    let start = Instant::now();
    items.iter().for_each(&mut run);
    start.elapsed().as_nanos() as f64 / items.len() as f64
}

/// Resident memory in bytes (Linux).
fn resident() -> Result<u64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = text.split(' ').nth(1).ok_or("no second field")?.parse()?;
    Ok(pages * 4_096)
}
