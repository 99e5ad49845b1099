//! Crashes and the simulator's disk faults, on a store in memory and on one on disk.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use seedbed_core::contract::{Blob, Life, Tag};
use seedbed_transport::store::faulty::{Faults, Faulty, Settings};
use seedbed_transport::store::log::{Log, Options};
use seedbed_transport::store::memory::Memory;
use seedbed_transport::store::{Loss, Opened, Store, StoreError};

fn append(store: &mut impl Store, records: std::ops::Range<u8>) {
    for record in records {
        store.append(Tag(0), &[record]).expect("room");
    }
}

fn values(log: &[(Tag, Vec<u8>)]) -> Vec<u8> {
    log.iter().map(|(_, record)| record[0]).collect()
}

/// How each crash leaves ten records of which four are synced.
const CRASHES: [(Loss, u8); 5] = [
    (Loss::Unsynced, 4),
    (Loss::Torn(0), 4),
    (Loss::Torn(u64::MAX / 2), 7),
    (Loss::Torn(u64::MAX), 10),
    (Loss::Nothing, 10),
];

#[test]
fn a_crash_keeps_a_prefix_that_holds_everything_synced() {
    for (loss, left) in CRASHES {
        let disk = Memory::new();
        let mut store = disk.open().store;
        append(&mut store, 0..4);
        store.sync().expect("a disk");
        append(&mut store, 4..10);
        disk.crash(loss);
        assert!(store.sync().is_err(), "the life is over");
        let Opened { log, life, .. } = disk.open();
        assert_eq!((values(&log), life), ((0..left).collect(), Life(1)), "{loss:?}");
    }
}

#[test]
fn a_crash_of_a_store_on_disk_does_the_same() {
    for (loss, left) in CRASHES {
        let dir = Folder::new("crash");
        let open =
            || Log::open(&dir.0, Options { create: true, ..Options::default() }).expect("a store that opens");
        let (Opened { mut store, .. }, faults) = Faulty::around(open(), Settings::default());
        append(&mut store, 0..4);
        store.sync().expect("a disk");
        append(&mut store, 4..10);
        faults.crash(loss).expect("a disk");
        assert!(store.append(Tag(0), &[11]).is_err(), "the life is over");
        let Opened { log, life, .. } = open();
        assert_eq!((values(&log), life), ((0..left).collect(), Life(1)), "{loss:?}");
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("seedbed-faults-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        Self(dir)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

type Session = seedbed_transport::store::memory::Session;

fn faulty(settings: Settings) -> (Faulty<Session>, Faults<Session>, Memory) {
    let memory = Memory::new();
    let (opened, faults) = Faulty::around(memory.open(), settings);
    (opened.store, faults, memory)
}

#[test]
fn a_full_disk_refuses_and_keeps_what_it_has() {
    let (mut store, faults, memory) = faulty(Settings { capacity: Some(30), ..Settings::default() });
    append(&mut store, 0..3);
    assert!(matches!(store.append(Tag(0), &[3]), Err(StoreError::Full)));
    assert!(matches!(store.put(&Blob::new([0; 4])), Err(StoreError::Full)));
    store.checkpoint(Tag(0), &[vec![4]]).expect("room where the old was");
    store.put(&Blob::new([0; 4])).expect("room");
    faults.fill(true);
    assert!(matches!(store.append(Tag(0), &[5]), Err(StoreError::Full)));
    faults.fill(false);
    append(&mut store, 6..7);
    store.sync().expect("a disk");
    assert_eq!(values(&memory.open().log), [4, 6]);
}

#[test]
fn a_failed_sync_makes_nothing_durable() {
    for settings in [Settings::default(), Settings { sync_error: u64::MAX, ..Settings::default() }] {
        let is_chance = settings.sync_error > 0;
        let (mut store, faults, memory) = faulty(settings);
        append(&mut store, 0..2);
        if !is_chance {
            faults.fail_next_sync();
        }
        assert!(matches!(store.sync(), Err(StoreError::Failed { .. })));
        faults.crash(Loss::Unsynced).expect("a disk");
        assert!(memory.open().log.is_empty());
    }
}

#[test]
fn a_slow_disk_takes_its_time() {
    let (write, sync) = (Duration::from_millis(3), Duration::from_millis(4));
    let settings =
        Settings { write: vec![write], sync: vec![sync], throughput: Some(9_000), ..Settings::default() };
    let (mut store, _, _) = faulty(settings);
    append(&mut store, 0..1);
    let start = Instant::now();
    store.sync().expect("a disk");
    // Nine bytes take a millisecond.
    assert!(start.elapsed() >= Duration::from_millis(8));
    let start = Instant::now();
    store.put(&Blob::new([0; 18])).expect("room");
    assert!(start.elapsed() >= Duration::from_millis(5));
}

#[test]
fn a_stall_holds_a_sync_until_it_ends_or_the_node_crashes() {
    for is_crash in [false, true] {
        let (mut store, faults, _) = faulty(Settings::default());
        faults.stall(Instant::now() + Duration::from_secs(3600));
        append(&mut store, 0..1);
        let waiting = thread::spawn(move || store.sync());
        // Whether the sync has begun to wait by now or not, the outcome is the same.
        if is_crash {
            faults.crash(Loss::Unsynced).expect("a disk");
        } else {
            faults.resume();
        }
        assert_eq!(waiting.join().expect("a thread").is_err(), is_crash);
    }
}
