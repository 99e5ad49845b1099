//! Reads recordings. What they say may be anything.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use seedbed_core::contract::{Life as LifeNumber, NodeId};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::entry::{About, ENTRY_HEADER, Entry, Life, MAGIC, parse, path};

/// Why a recording cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// There is nothing of this node.
    #[error("{} has no recording of node {}{}", dir.display(), node.0, others(nodes))]
    Absent {
        /// Where it was looked for.
        dir: PathBuf,
        /// Which one.
        node: NodeId,
        /// Those that there are recordings of.
        nodes: Vec<NodeId>,
    },
    /// A file is no recording, or none that this program can replay.
    #[error("{}: {what}", path.display())]
    Unusable {
        /// Which one.
        path: PathBuf,
        /// Why not.
        what: String,
    },
}

fn others(nodes: &[NodeId]) -> String {
    match nodes {
        [] => String::new(),
        _ => {
            let nodes: Vec<String> = nodes.iter().map(|node| node.0.to_string()).collect();
            format!(", but of {}", nodes.join(", "))
        }
    }
}

/// The recorded lives of a node, oldest first.
///
/// # Errors
/// If there are none, or the folder cannot be read.
pub fn lives(dir: &Path, node: NodeId) -> Result<Vec<LifeNumber>, RecordingError> {
    let unreadable = |error| RecordingError::Unreadable { path: dir.into(), error };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        found.extend(entry.map_err(unreadable)?.file_name().to_str().and_then(parse));
    }
    let mut lives: Vec<LifeNumber> =
        found.iter().filter(|(other, _)| *other == node).map(|(_, life)| *life).collect();
    if lives.is_empty() {
        let mut nodes: Vec<NodeId> = found.into_iter().map(|(node, _)| node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        return Err(RecordingError::Absent { dir: dir.into(), node, nodes });
    }
    lives.sort_unstable();
    Ok(lives)
}

/// What the recordings of a node are of.
///
/// # Errors
/// If there are none, or the first one cannot be used.
pub fn about(dir: &Path, node: NodeId) -> Result<About, RecordingError> {
    let lives = lives(dir, node)?;
    let first = lives.first().copied().unwrap_or_default();
    Ok(Reader::open(dir, node, first)?.life.about)
}

/// A recording under way.
pub(super) struct Reader {
    pub(super) path: PathBuf,
    pub(super) life: Life,
    file: BufReader<File>,
    /// Bytes that are left.
    left: u64,
    buffer: Vec<u8>,
}

/// What comes next in a recording.
pub(super) enum Next<I> {
    Entry(Entry<I>),
    /// Nothing: it ends here, as it should.
    End,
    /// Nothing that could be read.
    Torn,
}

impl Reader {
    /// Opens the recording of one life.
    pub(super) fn open(dir: &Path, node: NodeId, life: LifeNumber) -> Result<Self, RecordingError> {
        let path = path(dir, node, life);
        let unreadable = |error| RecordingError::Unreadable { path: path.clone(), error };
        let file = File::open(&path).map_err(unreadable)?;
        let left = file.metadata().map_err(unreadable)?.len();
        let nothing =
            Life { about: About::default(), version: 0, program: String::new(), node, life, key: [0; 32] };
        let file = BufReader::with_capacity(1 << 20, file);
        let mut reader = Self { path, life: nothing, file, left, buffer: Vec::new() };
        let mut magic = [0; MAGIC.len()];
        if !reader.fill(&mut magic) || magic != *MAGIC {
            return Err(reader.unusable("is no recording of this format"));
        }
        match reader.next::<IgnoredAny>() {
            Next::Entry(Entry::Life(found)) if (found.node, found.life) == (node, life) => {
                reader.life = found
            }
            Next::Entry(Entry::Life(_)) => {
                return Err(reader.unusable("is of another node or life than its name"));
            }
            _ => return Err(reader.unusable("does not say what it is of")),
        }
        Ok(reader)
    }

    pub(super) fn unusable(&self, what: impl Into<String>) -> RecordingError {
        RecordingError::Unusable { path: self.path.clone(), what: what.into() }
    }

    /// The next entry. What is torn or damaged ends a recording.
    pub(super) fn next<I: DeserializeOwned>(&mut self) -> Next<I> {
        if self.left == 0 {
            return Next::End;
        }
        let mut header = [0; ENTRY_HEADER];
        if !self.fill(&mut header) {
            return Next::Torn;
        }
        let [a, b, c, d, e, f, g, h] = header;
        let (length, checksum) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        // Checked before anything is allocated.
        if u64::from(length) > self.left {
            return Next::Torn;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(length as usize, 0);
        let is_whole = self.fill(&mut buffer) && crc32c::crc32c(&buffer) == checksum;
        let entry = if is_whole { postcard::take_from_bytes(&buffer).ok() } else { None };
        let next = match entry {
            Some((entry, [])) => Next::Entry(entry),
            _ => Next::Torn,
        };
        self.buffer = buffer;
        next
    }

    /// Reads so many bytes, if they are there. A file that cannot be read further ends like one that is torn.
    fn fill(&mut self, bytes: &mut [u8]) -> bool {
        let is_there = self.left >= bytes.len() as u64 && self.file.read_exact(bytes).is_ok();
        self.left = if is_there { self.left - bytes.len() as u64 } else { 0 };
        is_there
    }
}
