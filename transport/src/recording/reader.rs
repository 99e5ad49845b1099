//! Reads recordings. What they say may be anything.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
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
    size: u64,
    /// Bytes that are left.
    left: u64,
    /// Where the entry begins that was read last.
    start: u64,
    buffer: Vec<u8>,
}

/// Behind what cannot be read, an entry is looked for in so many bytes,
const RESUME_MAX: u64 = 4 << 20;
/// and none that is longer than this.
const RESUME_LENGTH_MAX: usize = 64 << 10;

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
        let size = file.metadata().map_err(unreadable)?.len();
        let nothing =
            Life { about: About::default(), version: 0, program: String::new(), node, life, key: [0; 32] };
        let file = BufReader::with_capacity(1 << 20, file);
        let mut reader = Self { path, life: nothing, file, size, left: size, start: 0, buffer: Vec::new() };
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
        self.start = self.size - self.left;
        let mut header = [0; ENTRY_HEADER];
        if !self.fill(&mut header) {
            return Next::Torn;
        }
        let (length, checksum) = length_and_checksum(header);
        // Checked before anything is allocated.
        if u64::from(length) > self.left {
            return Next::Torn;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(length as usize, 0);
        let entry = if self.fill(&mut buffer) { decoded(&buffer, checksum) } else { None };
        self.buffer = buffer;
        entry.map_or(Next::Torn, Next::Entry)
    }

    /// After what could not be read: goes on at the next whole entry, if there is one in what follows next.
    pub(super) fn resume<I: DeserializeOwned>(&mut self) {
        let (mut rest, from) = (Vec::new(), self.start + 1);
        self.left = 0;
        let is_read = self.file.seek(SeekFrom::Start(from)).is_ok()
            && self.file.by_ref().take(RESUME_MAX).read_to_end(&mut rest).is_ok();
        let place = (0..rest.len()).find(|&at| stands_at_start::<I>(&rest[at..]));
        if let Some(at) = place.filter(|_| is_read).map(|at| from + at as u64)
            && self.file.seek(SeekFrom::Start(at)).is_ok()
        {
            self.left = self.size.saturating_sub(at);
        }
    }

    /// Reads so many bytes, if they are there. A file that cannot be read further ends like one that is torn.
    fn fill(&mut self, bytes: &mut [u8]) -> bool {
        let is_there = self.left >= bytes.len() as u64 && self.file.read_exact(bytes).is_ok();
        self.left = if is_there { self.left - bytes.len() as u64 } else { 0 };
        is_there
    }
}

fn length_and_checksum([a, b, c, d, e, f, g, h]: [u8; ENTRY_HEADER]) -> (u32, u32) {
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

fn decoded<I: DeserializeOwned>(content: &[u8], checksum: u32) -> Option<Entry<I>> {
    if crc32c::crc32c(content) != checksum {
        return None;
    }
    postcard::take_from_bytes(content).ok().and_then(|(entry, rest)| rest.is_empty().then_some(entry))
}

/// Whether these bytes begin with a whole entry.
fn stands_at_start<I: DeserializeOwned>(bytes: &[u8]) -> bool {
    let Some((header, rest)) = bytes.split_first_chunk() else { return false };
    let (length, checksum) = length_and_checksum(*header);
    // Where any bytes may stand, sums over long stretches would take long.
    let content =
        rest.get(..length as usize).filter(|content| (1..=RESUME_LENGTH_MAX).contains(&content.len()));
    content.is_some_and(|content| decoded::<I>(content, checksum).is_some())
}
