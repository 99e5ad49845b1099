//! The marker of a store: who it is, how often it was opened, and which segments it has.
//!
//! It is replaced as a whole, so a segment belongs to the log from the moment that this file says so.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::store::StoreError;
use crate::store::files::{self, damaged, failed};

/// A marker is never longer.
const LENGTH_MAX: u64 = 1024;

/// Names a store, so that files of two are never mixed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct StoreId(pub(super) [u8; 16]);

/// What the marker says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Manifest {
    pub(super) id: StoreId,
    /// Lives that have begun.
    pub(super) lives: u32,
    /// The oldest segment.
    pub(super) first: u64,
    /// The newest; one less than the first if there is none yet.
    pub(super) last: u64,
    /// Entries up to this number were durable when the marker was written.
    pub(super) synced: u64,
}

impl Manifest {
    /// The marker of a new store.
    pub(super) const fn new(id: StoreId) -> Self {
        Self { id, lives: 0, first: 1, last: 0, synced: 0 }
    }

    /// The marker of a folder; none if there is none.
    pub(super) fn load(dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = path(dir);
        match fs::metadata(&path) {
            Ok(found) if found.len() > LENGTH_MAX => return Err(damaged(&path, unreadable())),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&path)(error)),
        }
        let bytes = fs::read(&path).map_err(failed(&path))?;
        let manifest = std::str::from_utf8(&bytes).ok().and_then(Self::parse);
        // What is not written exactly as we write it was not written by us.
        match manifest.filter(|manifest| manifest.render().as_bytes() == bytes) {
            Some(manifest) => Ok(Some(manifest)),
            None => Err(damaged(&path, unreadable())),
        }
    }

    /// Takes the place of the marker before.
    pub(super) fn save(&self, dir: &Path) -> Result<(), StoreError> {
        let path = path(dir);
        files::place(&path.with_extension(files::TEMPORARY), &path, self.render().as_bytes())
    }

    fn render(&self) -> String {
        let Self { id, lives, first, last, synced } = self;
        let id = u128::from_be_bytes(id.0);
        let text = format!(
            "seedbed store 1\nid {id:032x}\nlives {lives}\nsegments {first} {last}\nsynced {synced}\n"
        );
        let checksum = crc32c::crc32c(text.as_bytes());
        format!("{text}checksum {checksum:08x}\n")
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let mut value = |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix(' ');
        let id = u128::from_str_radix(value("id")?, 16).ok()?.to_be_bytes();
        let lives = value("lives")?.parse().ok()?;
        let (first, last) = value("segments")?.split_once(' ')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let synced = value("synced")?.parse().ok()?;
        let is_sound = first >= 1 && last < u64::MAX && last + 1 >= first;
        is_sound.then_some(Self { id: StoreId(id), lives, first, last, synced })
    }
}

/// Where the marker of a store is.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("store")
}

fn unreadable() -> String {
    format!("its checksum does not match. {}", super::ADVICE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_as_it_was_written() {
        let manifest = Manifest { id: StoreId([0x0a; 16]), lives: 4, first: 2, last: 3, synced: 128 };
        let text = manifest.render();
        assert!(text.starts_with("seedbed store 1\nid 0a0a"), "{text}");
        assert_eq!(Manifest::parse(&text), Some(manifest));
    }
}
