//! Blobs as files: `blobs/ab/abcd...`, named by their BLAKE3 hash, so that a file either holds what its name says or is
//! damaged.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use seedbed_core::contract::{Blob, BlobId};

use super::Options;
use crate::store::StoreError;
use crate::store::files::{self, damaged, failed};

/// The blobs of a store.
#[derive(Debug)]
pub(super) struct Blobs {
    folder: PathBuf,
    /// The longest blob.
    blob_max: u64,
    /// What all may take.
    total_max: u64,
    /// What all take; counted only where that is limited.
    used: u64,
}

impl Blobs {
    /// Opens the folder, and removes what a crash left unfinished.
    pub(super) fn open(dir: &Path, options: &Options) -> Result<Self, StoreError> {
        let folder = folder(dir);
        files::make_folder(&folder)?;
        let shelves = files::list(&folder)?;
        for leftover in
            shelves.iter().filter(|path| path.extension().is_some_and(|ext| ext == files::TEMPORARY))
        {
            files::remove(leftover)?;
        }
        let mut used = 0;
        if options.blobs_max < u64::MAX {
            for path in paths(dir)? {
                used += fs::metadata(&path).map_err(failed(&path))?.len();
            }
        }
        Ok(Self { folder, blob_max: options.blob_max, total_max: options.blobs_max, used })
    }

    pub(super) fn put(&mut self, blob: &Blob) -> Result<(), StoreError> {
        let path = self.path(blob.id());
        let Some(bytes) = blob.bytes() else {
            let error =
                std::io::Error::new(ErrorKind::InvalidInput, "a synthetic blob has no bytes to store");
            return Err(failed(&path)(error));
        };
        // What is there is not written again, unless it has rotted.
        let old = match fs::metadata(&path) {
            Ok(_) if matches!(self.load(blob.id()), Ok(Some(_))) => return Ok(()),
            Ok(found) => found.len(),
            Err(_) => 0,
        };
        let used = self.used.saturating_sub(old).saturating_add(blob.length());
        if blob.length() > self.blob_max || used > self.total_max {
            return Err(StoreError::Full);
        }
        if let Some(shelf) = path.parent() {
            files::make_folder(shelf)?;
        }
        let temporary = self.folder.join(hex(blob.id())).with_extension(files::TEMPORARY);
        files::place(&temporary, &path, bytes)?;
        self.used = used;
        Ok(())
    }

    pub(super) fn load(&self, id: BlobId) -> Result<Option<Blob>, StoreError> {
        read(&self.path(id), id, self.blob_max)
    }

    pub(super) fn remove(&mut self, id: BlobId) -> Result<(), StoreError> {
        let path = self.path(id);
        let length = fs::metadata(&path).map_or(0, |found| found.len());
        if files::remove(&path)? {
            self.used = self.used.saturating_sub(length);
            path.parent().map_or(Ok(()), files::sync_folder)?;
        }
        Ok(())
    }

    fn path(&self, id: BlobId) -> PathBuf {
        let name = hex(id);
        self.folder.join(&name[..2]).join(name)
    }
}

/// Where the blobs of a store are.
pub(super) fn folder(dir: &Path) -> PathBuf {
    dir.join("blobs")
}

/// The files of all blobs.
pub(super) fn paths(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let shelves = files::list(&folder(dir))?;
    let shelves = shelves.iter().filter(|shelf| shelf.is_dir()).map(|shelf| files::list(shelf));
    Ok(shelves.collect::<Result<Vec<_>, _>>()?.concat())
}

/// What is wrong with the blob at this path, if anything.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(parse);
    let id = name.ok_or_else(|| damaged(path, "this is no blob: remove it"))?;
    read(path, id, u64::MAX).map(drop)
}

fn read(path: &Path, id: BlobId, length_max: u64) -> Result<Option<Blob>, StoreError> {
    let length = match fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path)(error)),
    };
    let what = "its content does not match its name: remove it, so that it can be fetched again";
    if length > length_max {
        return Err(damaged(path, what));
    }
    let blob = Blob::new(fs::read(path).map_err(failed(path))?);
    if blob.id() == id { Ok(Some(blob)) } else { Err(damaged(path, what)) }
}

fn hex(id: BlobId) -> String {
    id.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(name: &str) -> Option<BlobId> {
    let mut id = [0; 32];
    for (nth, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(name.get(2 * nth..2 * nth + 2)?, 16).ok()?;
    }
    (hex(BlobId(id)) == name).then_some(BlobId(id))
}
