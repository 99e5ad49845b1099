//! The durable store: a log that is preallocated and overwritten, and blobs as files.
//!
//! ```text
//! DIR/store              who this store is, how often it was opened, which segments it has
//! DIR/lock               held by the process that has it open
//! DIR/log/000000000001.log    segments, each as long as it will ever be from the start
//! DIR/blobs/ab/abcd...   blobs, named by their content
//! ```
//!
//! Appending over zeros that are on disk already makes a sync write data alone, which is twice as fast as a sync of a file
//! that grows. A checkpoint takes the place of the records before it: one entry, or several of which the last one counts.
//! When a segment is full and more than half of the log is out of date, what counts is written into new segments, and the
//! marker is changed to them.
//!
//! What is appended waits in memory for the next sync, at most [`WRITE_MAX`] bytes of it: a store that is dropped instead
//! loses it, as if the power had gone.

mod blobs;
mod entry;
mod manifest;
mod recover;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};
use seedbed_core::contract::{Blob, BlobId, Life, Tag};

use self::blobs::Blobs;
use self::entry::Kind;
use self::manifest::{Manifest, StoreId};
use self::writer::Writer;
use super::files::{self, damaged, failed, refused};
use super::{Ledger, Opened, Store, StoreError, weight};

/// What to do with a store that has lost something.
const ADVICE: &str = "A node that forgets what it promised can break the whole system: \
    put this folder back from a copy of its last state, or remove it and let the machine join as a new node";

/// What waits for a sync is written to the file, not yet synced, when it is more than this.
pub const WRITE_MAX: usize = 1 << 20;
/// Records are rewritten in batches of this size.
const BATCH: usize = 64 << 10;

/// How a store is opened, and its bounds. The defaults are meant to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// A folder that is absent or empty is a first start. Otherwise that is an error: a node that finds nothing where its
    /// promises should be must not act as if it had made none.
    pub create: bool,
    /// The length of a segment in bytes. One that must take a longer entry is longer.
    pub segment: u64,
    /// The longest record.
    pub record_max: usize,
    /// A checkpoint that is longer is written in several entries.
    pub part: usize,
    /// What all records that count may take, each with eight bytes on top. On disk it is up to three times as much, and
    /// two segments.
    pub records_max: u64,
    /// The longest blob.
    pub blob_max: u64,
    /// What all blobs may take.
    pub blobs_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            create: false,
            segment: 4 << 20,
            record_max: 16 << 20,
            part: 1 << 20,
            records_max: 64 << 30,
            blob_max: 64 << 20,
            blobs_max: u64::MAX,
        }
    }
}

impl Options {
    /// What an entry can hold is limited by its form.
    fn bounded(mut self) -> Self {
        const ENTRY_MAX: usize = 1 << 30;
        self.record_max = self.record_max.min(ENTRY_MAX);
        self.part = self.part.min(ENTRY_MAX);
        self
    }
}

/// A store on disk.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    options: Options,
    manifest: Manifest,
    writer: Writer,
    live: Ledger,
    blobs: Blobs,
    /// An operation has failed, and what is on disk is unknown.
    is_broken: bool,
    /// Unlocked when it is closed.
    _lock: File,
}

impl Log {
    /// Opens a store; its next life begins.
    ///
    /// # Errors
    /// If it is damaged, in use, or the disk fails; then nothing of it is changed.
    pub fn open(dir: &Path, options: Options) -> Result<Opened<Self>, StoreError> {
        let options = options.bounded();
        if options.create && !dir.exists() {
            fs::create_dir_all(dir).map_err(refused(dir))?;
            files::sync_folder(files::parent(dir))?;
        }
        let lock = lock(dir)?;
        let mut manifest = match Manifest::load(dir)? {
            Some(manifest) => manifest,
            None => first_start(dir, &options)?,
        };
        let folder = segments(dir);
        let recovered = recover::recover(&folder, &manifest)?;
        files::make_folder(&folder)?;
        sweep(&folder, &manifest)?;
        let blobs = Blobs::open(dir, &options)?;
        let mut writer = match &recovered.last {
            Some(last) => Writer::resume(&folder, last, recovered.next, recovered.used, &options)?,
            None => Writer::start(&folder, manifest.id, manifest.first, recovered.next, &options)?,
        };
        let life = Life(manifest.lives);
        let spent = || {
            damaged(&manifest::path(dir), "it has been opened too often: let the machine join as a new node")
        };
        manifest.lives = manifest.lives.checked_add(1).ok_or_else(spent)?;
        manifest.last = writer.number();
        manifest.synced = recovered.next - 1;
        manifest.save(dir)?;
        writer.mark()?;
        let live = recovered.replay.ledger();
        let log = recovered.replay.into_records();
        let dir = dir.to_owned();
        let store = Self { dir, options, manifest, writer, live, blobs, is_broken: false, _lock: lock };
        Ok(Opened { store, log, life })
    }

    /// Reads everything in a store that nobody has open, changes nothing, and tells what is wrong with it.
    ///
    /// # Errors
    /// If the store is in use or there is none.
    pub fn verify(dir: &Path) -> Result<Vec<StoreError>, StoreError> {
        let _lock = lock(dir)?;
        let mut problems = Vec::new();
        match Manifest::load(dir) {
            Ok(Some(manifest)) => problems.extend(recover::recover(&segments(dir), &manifest).err()),
            Ok(None) => problems.push(missing(dir)),
            Err(problem) => problems.push(problem),
        }
        problems.extend(blobs::paths(dir)?.iter().filter_map(|path| blobs::check(path).err()));
        Ok(problems)
    }

    /// Does something, unless something has failed before.
    fn attempt<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.is_broken {
            return Err(failed(&self.dir)(std::io::Error::other("an earlier operation failed")));
        }
        let done = act(self);
        self.is_broken = matches!(done, Err(StoreError::Failed { .. }));
        done
    }

    /// Sees to it that an entry with a payload of this length fits into the segment.
    fn make_room(&mut self, payload: usize) -> Result<(), StoreError> {
        if self.writer.fits(payload) {
            return Ok(());
        }
        self.tidy()?;
        self.go_on(payload)
    }

    /// Leaves behind what does not count, if it is more than what does.
    fn tidy(&mut self) -> Result<(), StoreError> {
        if self.writer.used <= self.live.total.saturating_mul(2) {
            return Ok(());
        }
        self.writer.sync()?;
        match self.compact() {
            Err(StoreError::Full) => sweep(&segments(&self.dir), &self.manifest),
            done => done,
        }
    }

    /// As [`make_room`](Self::make_room), and leaves alone what is there.
    fn go_on(&mut self, payload: usize) -> Result<(), StoreError> {
        if self.writer.fits(payload) {
            return Ok(());
        }
        // A segment follows only on one that is whole.
        self.writer.sync()?;
        let next = self.writer.following(payload)?;
        let manifest = Manifest { last: next.number, synced: self.writer.synced(), ..self.manifest.clone() };
        if let Err(error) = manifest.save(&self.dir) {
            sweep(&segments(&self.dir), &self.manifest)?;
            return Err(error);
        }
        self.manifest = manifest;
        self.writer.turn_to(next);
        Ok(())
    }

    /// Writes what counts into new segments and leaves the old ones.
    fn compact(&mut self) -> Result<(), StoreError> {
        let folder = segments(&self.dir);
        let recovered = recover::recover(&folder, &self.manifest)?;
        let (id, first) = (self.manifest.id, self.manifest.last + 1);
        let mut writer = Writer::start(&folder, id, first, recovered.next, &self.options)?;
        for (tag, records) in batches(recovered.replay.into_records()) {
            let payload = entry::pack(&records);
            if !writer.fits(payload.len()) {
                writer.sync()?;
                let next = writer.following(payload.len())?;
                writer.turn_to(next);
            }
            writer.push(tag, Kind::Batch, &payload)?;
        }
        writer.sync()?;
        let manifest =
            Manifest { first, last: writer.number(), synced: writer.synced(), ..self.manifest.clone() };
        manifest.save(&self.dir)?;
        let old = segment::path(&folder, self.manifest.last);
        self.manifest = manifest;
        self.writer = writer;
        // One is kept: the next segment goes over it.
        files::rename(&old, &segment::spare(&folder))?;
        sweep(&folder, &self.manifest)
    }
}

impl Store for Log {
    fn append(&mut self, tag: Tag, record: &[u8]) -> Result<(), StoreError> {
        let weight = weight(record);
        self.attempt(|log| {
            if record.len() > log.options.record_max || log.live.total + weight > log.options.records_max {
                return Err(StoreError::Full);
            }
            log.make_room(record.len())?;
            log.writer.push(tag, Kind::Record, record)?;
            log.live.add(tag, weight);
            Ok(())
        })
    }

    fn checkpoint(&mut self, tag: Tag, records: &[Vec<u8>]) -> Result<(), StoreError> {
        let weight: u64 = records.iter().map(|record| weight(record)).sum();
        self.attempt(|log| {
            let total = log.live.total - log.live.of(tag) + weight;
            let is_long = records.iter().any(|record| record.len() > log.options.record_max);
            if is_long || total > log.options.records_max {
                return Err(StoreError::Full);
            }
            let parts = parts(records, log.options.part);
            if parts.len() > 1 {
                log.tidy()?;
            }
            for (nth, part) in parts.iter().enumerate() {
                let (payload, is_last) = (entry::pack(part), nth + 1 == parts.len());
                let kind = match (nth, is_last) {
                    (0, true) => Kind::Checkpoint,
                    (0, false) => Kind::First,
                    (_, false) => Kind::More,
                    (_, true) => Kind::Last,
                };
                // What has begun and not ended counts for nothing, and must not be left behind.
                if nth == 0 {
                    log.make_room(payload.len())?
                } else {
                    log.go_on(payload.len())?
                }
                log.writer.push(tag, kind, &payload)?;
            }
            log.live.clear(tag);
            log.live.add(tag, weight);
            Ok(())
        })
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.attempt(|log| log.writer.sync())
    }

    fn put(&mut self, blob: &Blob) -> Result<(), StoreError> {
        self.attempt(|log| log.blobs.put(blob))
    }

    fn load(&mut self, id: BlobId) -> Result<Option<Blob>, StoreError> {
        self.attempt(|log| log.blobs.load(id))
    }

    fn remove(&mut self, id: BlobId) -> Result<(), StoreError> {
        self.attempt(|log| log.blobs.remove(id))
    }
}

fn segments(dir: &Path) -> PathBuf {
    dir.join("log")
}

/// Takes the store for this process.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let file = match File::options().write(true).create(true).truncate(false).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing(dir)),
        Err(error) => return Err(failed(&path)(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(&path)(error)),
    }
}

/// The marker of a store that begins now, if it may.
fn first_start(dir: &Path, options: &Options) -> Result<Manifest, StoreError> {
    let has_segments = files::list(&segments(dir))?.iter().any(|path| segment::number(path).is_some());
    if has_segments || !blobs::paths(dir)?.is_empty() {
        return Err(damaged(&manifest::path(dir), format!("it is missing, but there are data. {ADVICE}")));
    }
    if !options.create {
        return Err(missing(dir));
    }
    let mut id = [0; 16];
    let error = |_| failed(dir)(std::io::Error::other("the system gives no random bytes"));
    SystemRandom::new().fill(&mut id).map_err(error)?;
    let manifest = Manifest::new(StoreId(id));
    manifest.save(dir)?;
    Ok(manifest)
}

fn missing(dir: &Path) -> StoreError {
    let what = "there is no store here. If this node has run before, look for its folder (is the disk mounted?); \
                if not, its first start must say so";
    damaged(dir, what)
}

/// Removes what a crash left unfinished, and segments that the marker does not name.
fn sweep(folder: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    for path in files::list(folder)? {
        let is_ours = match segment::number(&path) {
            Some(number) => (manifest.first..=manifest.last).contains(&number),
            None => path.extension().is_none_or(|extension| extension != files::TEMPORARY),
        };
        if !is_ours {
            files::remove(&path)?;
        }
    }
    Ok(())
}

/// The same records in parts that are not longer than this, unless it is a single record. At least one part.
fn parts(records: &[Vec<u8>], most: usize) -> Vec<&[Vec<u8>]> {
    let (mut parts, mut begin, mut length) = (Vec::new(), 0, 0);
    for (at, record) in records.iter().enumerate() {
        length += 4 + record.len();
        if at > begin && length > most {
            parts.push(&records[begin..at]);
            (begin, length) = (at, 4 + record.len());
        }
    }
    parts.push(&records[begin..]);
    parts
}

/// Neighbours of one tag, together.
fn batches(records: Vec<(Tag, Vec<u8>)>) -> Vec<(Tag, Vec<Vec<u8>>)> {
    let mut batches: Vec<(Tag, Vec<Vec<u8>>)> = Vec::new();
    let mut length = 0;
    for (tag, record) in records {
        length += record.len() + 4;
        match batches.last_mut() {
            Some((last, batch)) if *last == tag && length <= BATCH => batch.push(record),
            _ => {
                length = record.len() + 4;
                batches.push((tag, vec![record]));
            }
        }
    }
    batches
}
