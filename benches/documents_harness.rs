//! Writes and reads per second of the document store, and its bytes per document: `documents_harness [documents] [rounds]`.
//!
//! Everything is in process and starts from JSON text: parsing it is part of a write, making the body's text part of a read.
//! Bytes are what the process's resident memory grows by while the first store is filled.

use std::hint::black_box;
use std::time::Instant;

use seedbed_core::contract::{Dice, Json, Keys, Life, NodeId, Time};
use seedbed_core::sync::store::{Order, Query};
use seedbed_core::sync::{DocumentId, Limits, Refusal, Schema, Store};

const NAME: &str = "things";

fn main() -> Result<(), Refusal> {
    let mut args = std::env::args().skip(1);
    let documents: u32 = args.next().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let rounds: u32 = args.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    let keys = Keys::from_seed(1);
    let ids: Vec<DocumentId> = (0..documents)
        .map(|nth| DocumentId::new(wall(nth), &mut Dice::new(&keys, NodeId(0), Life(0), u64::from(nth))))
        .collect();
    let length = text(documents / 2).len();
    println!("{documents} documents of {length} bytes, {rounds} rounds: median (lowest)\n");
    let mut rates = vec![Vec::new(); 6];
    let mut bytes = 0;
    for _ in 0..rounds {
        let mut store = Store::new(NodeId(0), Limits::default());
        store.create_collection(&NAME.parse()?, Schema::default(), wall(0))?;
        let texts: Vec<String> = (0..documents.min(100_000)).map(text).collect();
        let text = |nth: u32| &texts[nth as usize % texts.len()];
        let before = resident();
        rates[0]
            .push(rate(&ids, |nth, id| drop(black_box(store.add(NAME, id, &parse(text(nth)), wall(nth))))));
        // Later rounds fill the memory that the first one left.
        bytes = bytes.max(resident().saturating_sub(before));
        let patch = |nth: u32| parse(&format!(r#"{{"count":{nth},"place":{{"city":"Siena"}}}}"#));
        rates[1].push(rate(&ids, |nth, id| {
            drop(black_box(store.update(NAME, id, &patch(nth), None, wall(nth))))
        }));
        rates[2].push(rate(&scattered(&ids), |nth, id| {
            drop(black_box(store.update(NAME, id, &patch(nth), None, wall(nth))));
        }));
        rates[3].push(rate(&ids, |_, id| drop(black_box(store.get(NAME, id).map(|found| found.body())))));
        rates[4].push(rate(&scattered(&ids), |_, id| {
            drop(black_box(store.get(NAME, id).map(|found| found.body())))
        }));
        let start = Instant::now();
        let mut query = Query { order: Order::Written, limit: 1_000, ..Query::default() };
        let mut paged = 0;
        loop {
            let page = store.find(NAME, &query)?;
            paged += page
                .documents
                .iter()
                .map(|found| black_box(found.body()).as_str().len().min(1))
                .sum::<usize>();
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        rates[5].push(paged as f64 / start.elapsed().as_secs_f64());
    }
    let names = [
        "add",
        "update, in order",
        "update, scattered",
        "get, in order",
        "get, scattered",
        "page by write time",
    ];
    println!("| operation | per second |\n|---|---|");
    for (name, mut rates) in names.iter().zip(rates) {
        rates.sort_by(f64::total_cmp);
        println!("| {name} | {:.0} ({:.0}) |", rates[rates.len() / 2], rates[0]);
    }
    println!("\n{} bytes per document, all indexes included", bytes / u64::from(documents));
    Ok(())
}

/// The bytes of memory that this process holds, by Linux' own count; 0 elsewhere.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) << 10
}

/// About 200 bytes of what people keep.
fn text(nth: u32) -> String {
    format!(
        r#"{{"active":{},"count":{nth},"name":"Person number {nth:08}","place":{{"city":"Pisa","street":"Via Roma {}"}},"score":{}.25,"tags":["red","green","blue"],"text":"The quick brown fox jumps over the lazy dogs."}}"#,
        nth.is_multiple_of(2),
        nth % 100,
        nth % 1_000,
    )
}

fn parse(text: &str) -> Json {
    Json::parse(text).unwrap_or_else(|error| unreachable!("{error}: {text}"))
}

/// A clock that makes 200,000 writes a second.
fn wall(nth: u32) -> Time {
    Time(1_700_000_000_000_000_000 + u64::from(nth) * 5_000)
}

/// The same names in an order in which no two neighbours are near each other.
fn scattered(ids: &[DocumentId]) -> Vec<DocumentId> {
    let keys = Keys::from_seed(2);
    let mut ids = ids.to_vec();
    Dice::new(&keys, NodeId(0), Life(0), 0).shuffle(&mut ids);
    ids
}

fn rate(ids: &[DocumentId], mut operation: impl FnMut(u32, DocumentId)) -> f64 {
    let start = Instant::now();
    for (nth, id) in ids.iter().enumerate() {
        operation(nth as u32, *id);
    }
    ids.len() as f64 / start.elapsed().as_secs_f64()
}
