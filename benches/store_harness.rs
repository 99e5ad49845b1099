//! Durable records per second of the store beside what the disk does: `store_harness [DIR] [seconds]`.
//!
//! The variants take turns, many short rounds of each, so that what else the machine does strikes all of them. What counts
//! is the ratio to an ordinary file that grows, measured in the same round; the table has medians over the rounds.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use seedbed_core::contract::Tag;
use seedbed_transport::store::log::{Log, Options};
use seedbed_transport::store::{Store, StoreError};

/// A record with its frame, as long as a vote's is at most.
const RECORD: [u8; 100] = [7; 100];
const GROUP: usize = 64;
const ROUNDS: u32 = 41;
const PREALLOCATED: u64 = 16 << 20;

type Done = Result<(), Box<dyn std::error::Error>>;

struct Variant {
    name: &'static str,
    /// Records that a step makes durable.
    records: usize,
    step: Box<dyn FnMut() -> Done>,
    rates: Vec<f64>,
}

fn main() -> Done {
    let mut args = std::env::args().skip(1);
    let dir = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds: f64 = args.next().map_or(Ok(20.0), |text| text.parse())?;
    let dir = dir.join(format!("seedbed-store-harness-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let done = measure(&dir, seconds);
    fs::remove_dir_all(&dir)?;
    done
}

fn measure(dir: &Path, seconds: f64) -> Done {
    let mut variants = [
        variant("fdatasync, file that grows", 1, growing(&dir.join("growing"))?),
        variant("fdatasync, preallocated file", 1, preallocated(&dir.join("preallocated"))?),
        variant("store, one outstanding", 1, store(&dir.join("one"), 1)?),
        variant("store, 64 outstanding", GROUP, store(&dir.join("group"), GROUP)?),
    ];
    let slice = Duration::from_secs_f64(seconds / f64::from(ROUNDS) / variants.len() as f64);
    for _ in 0..ROUNDS {
        for variant in &mut variants {
            let (start, mut steps) = (Instant::now(), 0_u32);
            while start.elapsed() < slice {
                (variant.step)()?;
                steps += 1;
            }
            let records = f64::from(steps) * variant.records as f64;
            variant.rates.push(records / start.elapsed().as_secs_f64());
        }
    }
    let floor = variants[0].rates.clone();
    println!("| durable records of {} bytes | per second | ratio |\n|---|---|---|", RECORD.len());
    for Variant { name, rates, .. } in &variants {
        let ratios = rates.iter().zip(&floor).map(|(rate, floor)| rate / floor);
        println!("| {name} | {:.0} | {:.2} |", median(rates.clone()), median(ratios.collect()));
    }
    Ok(())
}

fn variant(name: &'static str, records: usize, step: impl FnMut() -> Done + 'static) -> Variant {
    Variant { name, records, step: Box::new(step), rates: Vec::new() }
}

fn growing(path: &Path) -> io::Result<impl FnMut() -> Done + use<>> {
    let mut file = File::create(path)?;
    Ok(move || {
        file.write_all(&RECORD)?;
        Ok(file.sync_data()?)
    })
}

fn preallocated(path: &Path) -> io::Result<impl FnMut() -> Done + use<>> {
    let mut file = File::create(path)?;
    file.write_all(&vec![0; PREALLOCATED as usize])?;
    file.sync_all()?;
    let mut at = 0;
    Ok(move || {
        file.write_all_at(&RECORD, at)?;
        at = (at + RECORD.len() as u64) % (PREALLOCATED - RECORD.len() as u64);
        Ok(file.sync_data()?)
    })
}

fn store(path: &Path, group: usize) -> Result<impl FnMut() -> Done + use<>, StoreError> {
    let mut store = Log::open(path, Options { create: true, ..Options::default() })?.store;
    let mut written = 0_u32;
    Ok(move || {
        for _ in 0..group {
            store.append(Tag(0), &RECORD)?;
        }
        written += group as u32;
        // As a protocol does that keeps its log short: segments are left and rewritten while we measure.
        if written >= 10_000 {
            store.checkpoint(Tag(0), &[RECORD.to_vec()])?;
            written = 0;
        }
        Ok(store.sync()?)
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
