//! Events as lines of JSON in a file of bounded length.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::Event;

/// A file of events, and its predecessor with `.old` at the end of its name.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    file: fs::File,
    length: u64,
    length_max: u64,
    /// Whether the last write may have left part of a line.
    is_torn: bool,
}

impl File {
    /// Opens or makes the file; the last events that it and its predecessor hold.
    pub(super) fn open(path: &Path, length_max: u64, count: usize) -> io::Result<(Self, VecDeque<Event>)> {
        let mut events = VecDeque::new();
        match fs::File::open(old(path)) {
            Ok(mut before) => drop(read(&mut before, length_max, &mut events, count)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut file = fs::OpenOptions::new().read(true).append(true).create(true).open(path)?;
        // A line that the end of a life cut short is not an event.
        let length = read(&mut file, length_max, &mut events, count)?;
        if length < file.metadata()?.len() {
            file.set_len(length)?;
        }
        Ok((Self { path: path.into(), file, length, length_max, is_torn: false }, events))
    }

    /// Writes lines with one call of the system, so that the end of the process finds all of them or none.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.length)?;
            self.is_torn = false;
        }
        if self.length > 0 && self.length + lines.len() as u64 > self.length_max {
            self.rotate()?;
        }
        self.is_torn = true;
        self.file.write_all(lines)?;
        self.is_torn = false;
        self.length += lines.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        match fs::rename(&self.path, old(&self.path)) {
            // The last attempt came this far.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        self.file = fs::OpenOptions::new().append(true).create(true).open(&self.path)?;
        self.length = 0;
        Ok(())
    }
}

fn old(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".old");
    name.into()
}

/// Adds the events of a file, skipping what is none; the length of its whole lines. Of a file that is longer than
/// it may be, only the end is read.
fn read(file: &mut fs::File, length_max: u64, events: &mut VecDeque<Event>, count: usize) -> io::Result<u64> {
    let start = file.metadata()?.len().saturating_sub(length_max);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(length_max).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    for line in bytes[..whole].split(|&byte| byte == b'\n') {
        let Ok(event) = serde_json::from_slice::<Event>(line) else { continue };
        if events.back().is_some_and(|last| last.seq >= event.seq) {
            continue;
        }
        if events.len() == count {
            events.pop_front();
        }
        events.push_back(event);
    }
    Ok(start + whole as u64)
}
