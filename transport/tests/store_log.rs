//! A store on disk as its owner finds it again: whole, in use, full, cut, rotten, or gone.

use std::fs;
use std::path::{Path, PathBuf};

use seedbed_core::contract::{Blob, BlobId, Life, Tag};
use seedbed_transport::store::log::{Log, Options};
use seedbed_transport::store::{Opened, Store, StoreError};

/// A folder of its own for each test, removed when it is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("seedbed-store-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        Self(dir)
    }

    fn open(&self) -> Result<Opened<Log>, StoreError> {
        self.open_with(Options::default())
    }

    fn open_with(&self, options: Options) -> Result<Opened<Log>, StoreError> {
        Log::open(&self.0, Options { create: true, segment: 8 << 10, ..options })
    }

    fn segment(&self, number: u64) -> PathBuf {
        self.0.join(format!("log/{number:012}.log"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn damage<S: std::fmt::Debug>(opened: Result<S, StoreError>) -> String {
    match opened.expect_err("damage that is seen") {
        error @ StoreError::Damaged { .. } => error.to_string(),
        other => panic!("{other}"),
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn what_is_synced_is_there_in_the_next_life() {
    let folder = Folder::new("lives");
    let Opened { mut store, log, life } = folder.open().expect("a first start");
    assert_eq!((log, life), (Vec::new(), Life(0)));
    store.append(Tag(0), b"one").expect("room");
    store.append(Tag(1), b"two").expect("room");
    store.append(Tag(0), b"three").expect("room");
    store.checkpoint(Tag(0), &[b"four".to_vec()]).expect("room");
    store.sync().expect("a disk");
    store.append(Tag(0), b"never synced").expect("room");
    drop(store);

    let Opened { store, log, life } = folder.open().expect("a second start");
    assert_eq!(log, [(Tag(1), b"two".to_vec()), (Tag(0), b"four".to_vec())]);
    assert_eq!(life, Life(1));
    assert!(matches!(folder.open(), Err(StoreError::InUse { .. })));
    assert!(matches!(Log::verify(&folder.0), Err(StoreError::InUse { .. })));
    drop(store);
    assert!(Log::verify(&folder.0).expect("a store").is_empty());
}

#[test]
fn nothing_is_never_taken_for_a_first_start() {
    let folder = Folder::new("absent");
    let existing = || Log::open(&folder.0, Options::default());
    assert!(damage(existing()).contains("no store here"));
    fs::create_dir_all(&folder.0).expect("a disk");
    assert!(damage(existing()).contains("no store here"));

    drop(folder.open().expect("a first start"));
    drop(existing().expect("a second start"));
    fs::remove_file(folder.0.join("store")).expect("a marker");
    for opened in [existing(), folder.open()] {
        assert!(damage(opened).contains("it is missing, but there are data"));
    }
}

#[test]
fn a_segment_that_is_gone_cut_or_of_another_store_is_named() {
    for harm in ["gone", "cut", "foreign"] {
        let (folder, other) = (Folder::new(harm), Folder::new("other"));
        for dir in [&folder, &other] {
            let mut store = dir.open().expect("a first start").store;
            store.append(Tag(0), b"promise").expect("room");
            store.sync().expect("a disk");
        }
        let path = folder.segment(1);
        match harm {
            "gone" => fs::remove_file(&path).expect("a segment"),
            "cut" => fs::write(&path, &fs::read(&path).expect("a segment")[..5000]).expect("a disk"),
            _ => drop(fs::copy(other.segment(1), &path).expect("a segment")),
        }
        let message = damage(folder.open());
        assert!(message.contains("000000000001.log is damaged"), "{message}");
        assert_eq!(Log::verify(&folder.0).expect("a store").len(), 1);
    }
}

#[test]
fn a_flipped_bit_is_found_or_does_no_harm() {
    let folder = Folder::new("bits");
    let mut store = folder.open().expect("a first start").store;
    for record in 0..90_u8 {
        store.append(Tag(u32::from(record % 2)), &vec![record; 40 + usize::from(record)]).expect("room");
    }
    store.checkpoint(Tag(1), &[vec![1; 10], vec![2; 20]]).expect("room");
    store.append(Tag(1), b"last").expect("room");
    store.sync().expect("a disk");
    drop(store);
    let whole = folder.open().expect("a second start").log;
    assert_eq!(whole.len(), 48);
    assert!(folder.segment(2).exists());

    let (mut found, mut harmless) = (0, 0);
    for path in files(&folder.0) {
        let bytes = fs::read(&path).expect("a file");
        for at in (0..bytes.len()).filter(|at| bytes[*at] != 0 || at % 512 == 0) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, flipped).expect("a disk");
            match Log::verify(&folder.0).expect("a store")[..] {
                [] => {
                    harmless += 1;
                    // A start changes the marker, so it is put back.
                    let marker = fs::read(folder.0.join("store")).expect("a marker");
                    assert_eq!(
                        folder.open().expect("a store that opens").log,
                        whole,
                        "{} at {at}",
                        path.display()
                    );
                    fs::write(folder.0.join("store"), marker).expect("a disk");
                }
                [StoreError::Damaged { .. }] => {
                    found += 1;
                    assert!(folder.open().is_err());
                }
                ref other => panic!("{other:?}"),
            }
        }
        fs::write(&path, bytes).expect("a disk");
    }
    assert!(found > 1000 && harmless > 20, "{found} found, {harmless} harmless");
    assert_eq!(folder.open().expect("a store that opens").log, whole);
}

#[test]
fn a_full_store_stays_as_it_is() {
    let folder = Folder::new("full");
    let bounds = Options { records_max: 100, record_max: 60, blobs_max: 8, ..Options::default() };
    let mut store = folder.open_with(bounds.clone()).expect("a first start").store;
    let is_full = |done: Result<(), StoreError>| matches!(done, Err(StoreError::Full));
    store.append(Tag(0), &[1; 52]).expect("room");
    assert!(is_full(store.append(Tag(0), &[2; 61])));
    assert!(is_full(store.append(Tag(0), &[2; 33])));
    assert!(is_full(store.checkpoint(Tag(0), &[vec![3; 43], vec![3; 42]])));
    store.append(Tag(1), &[4; 32]).expect("room");
    store.checkpoint(Tag(0), &[vec![5; 52]]).expect("room where the old was");
    store.put(&Blob::new(*b"12345678")).expect("room");
    assert!(is_full(store.put(&Blob::new(*b"9"))));
    store.put(&Blob::new(*b"12345678")).expect("here already");
    store.sync().expect("a disk");
    drop(store);
    let Opened { mut store, log, .. } = folder.open_with(bounds).expect("a second start");
    assert_eq!(log, [(Tag(1), vec![4; 32]), (Tag(0), vec![5; 52])]);
    assert!(is_full(store.put(&Blob::new(*b"9"))));
    store.remove(Blob::new(*b"12345678").id()).expect("a disk");
    store.put(&Blob::new(*b"9")).expect("room");
}

#[test]
fn a_long_entry_has_a_long_segment() {
    let folder = Folder::new("long");
    let mut store = folder.open().expect("a first start").store;
    for nth in 0..6_u8 {
        store.append(Tag(0), &vec![nth; 3 << 20]).expect("room");
        store.checkpoint(Tag(0), &[vec![nth; 1 << 20], vec![nth; 10]]).expect("room");
    }
    store.sync().expect("a disk");
    drop(store);
    let log = folder.open().expect("a second start").log;
    assert_eq!(log, [(Tag(0), vec![5; 1 << 20]), (Tag(0), vec![5; 10])]);
}

#[test]
fn blobs_are_kept_checked_and_removed() {
    let folder = Folder::new("blobs");
    let mut store = folder.open().expect("a first start").store;
    let blob = Blob::new(*b"some bytes");
    assert!(store.load(blob.id()).expect("a disk").is_none());
    store.put(&blob).expect("room");
    drop(store);

    fs::write(folder.0.join("blobs/left.tmp"), b"half").expect("a disk");
    let mut store = folder.open().expect("a second start").store;
    assert!(!folder.0.join("blobs/left.tmp").exists());
    assert_eq!(store.load(blob.id()).expect("a disk"), Some(blob.clone()));
    let path = files(&folder.0.join("blobs")).remove(0);
    fs::write(&path, b"same bytes").expect("a disk");
    let message = damage(store.load(blob.id()));
    assert!(message.contains(&path.display().to_string()), "{message}");
    assert!(store.append(Tag(0), b"goes on").is_ok());
    store.put(&blob).expect("written again, for it has rotted");
    assert_eq!(store.load(blob.id()).expect("a disk"), Some(blob.clone()));
    store.remove(blob.id()).expect("a disk");
    store.remove(blob.id()).expect("a disk");
    assert!(store.load(blob.id()).expect("a disk").is_none());
    assert!(store.put(&Blob::synthetic(BlobId([1; 32]), 9)).is_err());
}

#[test]
fn verify_names_every_rotten_blob() {
    let folder = Folder::new("verify");
    let mut store = folder.open().expect("a first start").store;
    for byte in 0..4_u8 {
        store.put(&Blob::new([byte; 9])).expect("room");
    }
    drop(store);
    for path in files(&folder.0.join("blobs")).iter().take(2) {
        fs::write(path, b"rot").expect("a disk");
    }
    assert_eq!(Log::verify(&folder.0).expect("a store").len(), 2);
}
