//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::StoreError;

/// What unfinished files end in. They are removed at open.
pub(super) const TEMPORARY: &str = "tmp";

/// The disk failed at this file.
pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |error| StoreError::Failed { path: path.to_owned(), error }
}

/// The disk failed at this file, or has no room for it.
pub(super) fn refused(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Failed { path: path.to_owned(), error },
    }
}

/// This is not what was written.
pub(super) fn damaged(path: &Path, what: impl Into<String>) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), what: what.into() }
}

/// The names in a folder are as durable as its files.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(failed(path))
}

/// A folder that is there, durably.
pub(super) fn make_folder(path: &Path) -> Result<(), StoreError> {
    match fs::create_dir(path) {
        Ok(()) => sync_folder(parent(path)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(refused(path)(error)),
    }
}

/// Puts a file in its place, whole and durable, or leaves what is there.
pub(super) fn place(temporary: &Path, path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let written = File::create(temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    if let Err(error) = written {
        // What is left of it is removed at the next open, if not now.
        let _ = fs::remove_file(temporary);
        return Err(refused(temporary)(error));
    }
    rename(temporary, path)
}

/// Gives a file that is whole and synced its name.
pub(super) fn rename(temporary: &Path, path: &Path) -> Result<(), StoreError> {
    fs::rename(temporary, path).map_err(refused(path))?;
    sync_folder(parent(path))
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(path)(error)),
    }
}

/// The paths in a folder, in the order of their names; none if there is no such folder.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(folder)(error)),
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(failed(folder))?;
    paths.sort();
    Ok(paths)
}

/// The folder of a path.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
