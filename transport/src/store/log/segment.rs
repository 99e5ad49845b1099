//! A file of the log, as long as it will ever be from the start: what is written later goes over zeros that are on disk
//! already, so that a sync writes data and nothing else.
//!
//! ```text
//!    0  "SEEDBEDL"   8  u32 version   12  u32 CRC32C of the 56 bytes, taken as zero itself
//!   16  store id    32  u64 number    40  u64 sequence number of the first entry    48  u64 length of the file
//! 4096  entries
//! ```

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::ADVICE;
use super::entry::{half, word};
use super::manifest::StoreId;
use crate::store::StoreError;
use crate::store::files::{self, damaged, failed, refused};

/// Where entries begin. The header has a page of its own, which is never written again.
pub(super) const START: u64 = 4096;
const MAGIC: &[u8; 8] = b"SEEDBEDL";
const VERSION: u32 = 1;
const HEADER: usize = 56;
/// No segment is longer: the longest checkpoint and then some.
pub(super) const LENGTH_MAX: u64 = 2 << 30;

/// A segment that is written to.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) number: u64,
    pub(super) length: u64,
    pub(super) salt: u64,
    file: File,
}

/// What the first page says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) id: StoreId,
    pub(super) number: u64,
    /// The sequence number of the first entry.
    pub(super) first: u64,
    pub(super) length: u64,
}

impl Segment {
    /// Makes a segment, in the place of the spare one if that is as long.
    pub(super) fn create(folder: &Path, header: Header) -> Result<Self, StoreError> {
        let (path, spare) = (path(folder, header.number), spare(folder));
        let temporary = path.with_extension(files::TEMPORARY);
        let has_spare = fs::metadata(&spare).is_ok_and(|spare| spare.len() == header.length);
        let file = if has_spare { overwrite(&spare, &temporary, &header) } else { fill(&temporary, &header) };
        let file = file.inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        files::rename(&temporary, &path)?;
        Ok(Self { salt: header.salt(), number: header.number, length: header.length, path, file })
    }

    /// Opens a segment that has been read.
    pub(super) fn open(folder: &Path, header: &Header) -> Result<Self, StoreError> {
        let path = path(folder, header.number);
        let file = File::options().read(true).write(true).open(&path).map_err(failed(&path))?;
        Ok(Self { salt: header.salt(), number: header.number, length: header.length, path, file })
    }

    /// Writes over what is there.
    pub(super) fn write(&self, bytes: &[u8], at: u64) -> Result<(), StoreError> {
        self.file.write_all_at(bytes, at).map_err(failed(&self.path))
    }

    /// Returns once everything written is durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(failed(&self.path))
    }
}

impl Header {
    /// Marks the entries of this segment: never the same twice in a store, and unlikely in another.
    pub(super) fn salt(&self) -> u64 {
        let (base, step) = (word(&self.id.0, 0), word(&self.id.0, 8) | 1);
        base.wrapping_add(step.wrapping_mul(self.number))
    }

    fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.id.0);
        bytes[32..40].copy_from_slice(&self.number.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.first.to_le_bytes());
        bytes[48..].copy_from_slice(&self.length.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER)?;
        let id = StoreId(*bytes[16..].first_chunk()?);
        let header = Self { id, number: word(bytes, 32), first: word(bytes, 40), length: word(bytes, 48) };
        (header.encode() == bytes).then_some(header)
    }
}

/// Where a segment is.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.log"))
}

/// Where a segment that has had its time waits to be written over.
pub(super) fn spare(folder: &Path) -> PathBuf {
    folder.join("spare")
}

/// The number of the segment at this path, if it is one.
pub(super) fn number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let number = name.strip_suffix(".log")?;
    (number.len() == 12).then(|| number.parse().ok())?
}

/// A segment with all its bytes, the header checked.
pub(super) fn read(folder: &Path, id: StoreId, number: u64) -> Result<(Header, Vec<u8>), StoreError> {
    let path = path(folder, number);
    let mut file = File::open(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => damaged(&path, format!("it is missing. {ADVICE}")),
        _ => failed(&path)(error),
    })?;
    let mut bytes = Vec::new();
    Read::take(&mut file, START).read_to_end(&mut bytes).map_err(failed(&path))?;
    if bytes.get(..8).is_some_and(|magic| magic == MAGIC) && half(&bytes, 8) > VERSION {
        return Err(damaged(&path, "a later version wrote it: start the node with that version"));
    }
    let header = Header::decode(&bytes).filter(|header| (START..=LENGTH_MAX).contains(&header.length));
    let Some(header) = header else {
        return Err(damaged(&path, format!("its header is not what was written. {ADVICE}")));
    };
    if header.id != id || header.number != number {
        return Err(damaged(&path, "it belongs elsewhere: put back the file that was here"));
    }
    let length = file.metadata().map_err(failed(&path))?.len();
    if length != header.length {
        let what = format!("it has {length} bytes instead of {}. {ADVICE}", header.length);
        return Err(damaged(&path, what));
    }
    Read::take(&mut file, header.length - bytes.len() as u64)
        .read_to_end(&mut bytes)
        .map_err(failed(&path))?;
    Ok((header, bytes))
}

/// A new file, all zeros behind the header, and on disk.
fn fill(path: &Path, header: &Header) -> Result<File, StoreError> {
    let zeros = vec![0; 1 << 16];
    let write = || {
        let mut file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        file.write_all(&header.encode())?;
        let mut left = header.length - HEADER as u64;
        while left > 0 {
            let part = left.min(zeros.len() as u64);
            file.write_all(&zeros[..part as usize])?;
            left -= part;
        }
        file.sync_all()?;
        Ok(file)
    };
    write().map_err(refused(path))
}

/// A file whose bytes are on disk already. Its old entries have another salt.
fn overwrite(spare: &Path, path: &Path, header: &Header) -> Result<File, StoreError> {
    files::rename(spare, path)?;
    let write = || {
        let file = File::options().read(true).write(true).open(path)?;
        file.write_all_at(&header.encode(), 0)?;
        file.sync_all()?;
        Ok(file)
    };
    write().map_err(failed(path))
}
