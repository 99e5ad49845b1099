//! A log against a list: whatever a crash leaves of what was not synced, a prefix comes back that holds all that was.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use seedbed_core::contract::Tag;

use super::{Log, Options};
use crate::store::{Opened, Store};

const SECTOR: usize = 512;

#[derive(Clone, Debug)]
enum Operation {
    Append { tag: u32, length: usize },
    Checkpoint { tag: u32, lengths: Vec<usize> },
    Sync,
    Crash(Tear),
}

/// What the disk has of what was written since the last sync.
#[derive(Clone, Debug)]
enum Tear {
    /// The first bytes, in thousandths of the segment.
    Prefix(u64),
    /// Each sector or not, by the bits of this number.
    Sectors(u64),
    /// What the system was not even given is lost.
    Nothing,
}

fn operation() -> impl Strategy<Value = Operation> {
    let tear = prop_oneof![
        (0..1000_u64).prop_map(Tear::Prefix),
        any::<u64>().prop_map(Tear::Sectors),
        Just(Tear::Nothing),
    ];
    let lengths = proptest::collection::vec(0..200_usize, 0..6);
    prop_oneof![
        8 => (0..3_u32, 0..700_usize).prop_map(|(tag, length)| Operation::Append { tag, length }),
        2 => (0..3_u32, lengths).prop_map(|(tag, lengths)| Operation::Checkpoint { tag, lengths }),
        3 => Just(Operation::Sync),
        2 => tear.prop_map(Operation::Crash),
    ]
}

type Records = Vec<(Tag, Vec<u8>)>;

struct Bench {
    root: PathBuf,
    dir: PathBuf,
    log: Option<Log>,
    /// The records after each operation since the last that is surely durable, and those after that.
    states: Vec<Records>,
    /// What the segment held when all was durable last.
    durable: Vec<u8>,
    crashes: u32,
    written: u32,
}

impl Bench {
    fn new() -> Self {
        static BENCHES: AtomicU64 = AtomicU64::new(0);
        let name = format!("seedbed-log-{}-{}", std::process::id(), BENCHES.fetch_add(1, Ordering::Relaxed));
        let root = std::env::temp_dir().join(name);
        let mut bench = Self {
            dir: root.join("0"),
            root,
            log: None,
            states: vec![Records::new()],
            durable: Vec::new(),
            crashes: 0,
            written: 0,
        };
        let opened = open(&bench.dir);
        bench.log = Some(opened.store);
        bench.durable = bench.segment();
        bench
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("open")
    }

    fn segment(&mut self) -> Vec<u8> {
        let path = super::segment::path(&self.dir.join("log"), self.log().manifest.last);
        fs::read(path).expect("a segment")
    }

    fn record(&mut self, length: usize) -> Vec<u8> {
        self.written += 1;
        self.written.to_le_bytes().into_iter().cycle().take(length).collect()
    }

    fn apply(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        let mut records = self.states.last().cloned().unwrap_or_default();
        let segment = self.log().manifest.last;
        match operation {
            Operation::Append { tag, length } => {
                let record = self.record(*length);
                self.log().append(Tag(*tag), &record).expect("room");
                records.push((Tag(*tag), record));
            }
            Operation::Checkpoint { tag, lengths } => {
                let news: Vec<_> = lengths.iter().map(|length| self.record(*length)).collect();
                self.log().checkpoint(Tag(*tag), &news).expect("room");
                records.retain(|(other, _)| other.0 != *tag);
                records.extend(news.into_iter().map(|record| (Tag(*tag), record)));
            }
            Operation::Sync => {
                self.log().sync().expect("a disk");
                self.states = vec![records];
                self.durable = self.segment();
                return Ok(());
            }
            Operation::Crash(tear) => return self.crash(tear),
        }
        if self.log().manifest.last != segment {
            // A new segment comes when all before is durable.
            self.states.drain(..self.states.len() - 1);
            self.durable = self.segment();
        }
        self.states.push(records);
        Ok(())
    }

    fn crash(&mut self, tear: &Tear) -> Result<(), TestCaseError> {
        if !matches!(tear, Tear::Nothing) {
            self.log().writer.flush().expect("a disk");
        }
        let (old, new) = (self.durable.clone(), self.segment());
        let torn: Vec<u8> = match tear {
            Tear::Prefix(thousandths) => {
                let cut = new.len() * *thousandths as usize / 1000;
                [&new[..cut], &old[cut..]].concat()
            }
            Tear::Sectors(bits) => {
                let pick = |nth: usize| if bits >> (nth % 64) & 1 == 1 { &new } else { &old };
                (0..new.len()).map(|at| pick(at / SECTOR)[at]).collect()
            }
            Tear::Nothing => old,
        };
        let path = super::segment::path(Path::new("log"), self.log().manifest.last);
        self.crashes += 1;
        let dir = self.root.join(self.crashes.to_string());
        copy(&self.dir, &dir);
        fs::write(dir.join(path), torn).expect("a disk");
        self.dir = dir;
        let Opened { store, log, life } = open(&self.dir);
        self.log = Some(store);
        prop_assert_eq!(life.0, self.crashes);
        prop_assert!(self.states.contains(&log), "not a prefix that holds everything synced");
        self.states = vec![log];
        self.durable = self.segment();
        Ok(())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn open(dir: &Path) -> Opened<Log> {
    let options = Options { create: true, segment: 12 << 10, part: 300, ..Options::default() };
    Log::open(dir, options).expect("a store that opens")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a disk");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        if path.is_dir() { copy(&path, &to.join(name)) } else { drop(fs::copy(&path, to.join(name))) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_crash_keeps_a_prefix_that_holds_everything_synced(
        operations in proptest::collection::vec(operation(), 1..80)
    ) {
        let mut bench = Bench::new();
        for operation in &operations {
            bench.apply(operation)?;
        }
        bench.apply(&Operation::Crash(Tear::Sectors(u64::MAX)))?;
    }
}

#[test]
fn what_was_torn_never_comes_back() {
    let mut bench = Bench::new();
    // Two entries of one sector each; the disk has the second alone. Then the first is written again, and its like.
    let append = Operation::Append { tag: 0, length: SECTOR - super::entry::HEADER };
    bench.apply(&append).expect("a disk");
    bench.apply(&append).expect("a disk");
    let second = 1 << (super::segment::START as usize / SECTOR + 1);
    bench.crash(&Tear::Sectors(second)).expect("an empty log");
    assert_eq!(bench.states, [Records::new()]);
    bench.apply(&append).expect("a disk");
    bench.apply(&Operation::Sync).expect("a disk");
    let third = bench.states.clone();
    bench.crash(&Tear::Sectors(u64::MAX)).expect("one record");
    assert_eq!(bench.states, third);
}

#[test]
fn a_checkpoint_may_be_longer_than_a_segment() {
    let mut bench = Bench::new();
    let long = Operation::Checkpoint { tag: 1, lengths: vec![150; 500] };
    bench.apply(&Operation::Append { tag: 1, length: 9 }).expect("a disk");
    bench.apply(&long).expect("a disk");
    bench.apply(&Operation::Append { tag: 1, length: 9 }).expect("a disk");
    bench.apply(&Operation::Sync).expect("a disk");
    bench.crash(&Tear::Nothing).expect("all of it");
    assert_eq!(bench.states[0].len(), 501);
    // The last part is lost: so it is the old one that counts, also after another.
    bench.apply(&long).expect("a disk");
    bench.crash(&Tear::Nothing).expect("a prefix");
    assert_eq!(bench.states[0].len(), 501);
    bench.apply(&Operation::Checkpoint { tag: 1, lengths: vec![150; 70] }).expect("a disk");
    bench.apply(&Operation::Sync).expect("a disk");
    bench.crash(&Tear::Nothing).expect("all of it");
    assert_eq!(bench.states[0].len(), 70);
    (0..9).for_each(|_| bench.apply(&long).expect("a disk"));
    let segments = fs::read_dir(bench.dir.join("log")).expect("a folder").count();
    assert!(segments < 40, "{segments} segments of a log of seven");
}

#[test]
fn a_log_of_checkpoints_stays_small() {
    let mut bench = Bench::new();
    for _ in 0..500 {
        bench.apply(&Operation::Checkpoint { tag: 1, lengths: vec![100; 4] }).expect("a disk");
        bench.apply(&Operation::Append { tag: 2, length: 0 }).expect("a disk");
        bench.apply(&Operation::Checkpoint { tag: 2, lengths: Vec::new() }).expect("a disk");
    }
    let segments = fs::read_dir(bench.dir.join("log")).expect("a folder").count();
    assert!(segments <= 3, "{segments} files");
    assert!(bench.log().manifest.first > 10, "{:?}", bench.log().manifest);
    bench.crash(&Tear::Sectors(u64::MAX)).expect("the last checkpoint");
    assert_eq!(bench.states[0].len(), 4);
}
