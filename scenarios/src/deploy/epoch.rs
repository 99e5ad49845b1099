//! A node never goes back to voters of the past: it remembers the last epoch in which it ran.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::NodeFile;

/// Why a node must not run with its file.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// Its file is old.
    #[error("epoch {file} is over: {} has seen epoch {seen}; use the newer file", path.display())]
    Over {
        /// What the file says.
        file: u64,
        /// What the data say.
        seen: u64,
        /// Where that stands.
        path: PathBuf,
    },
    /// Its file counts other voters than one of the same epoch did.
    #[error("the voters of epoch {epoch} were {seen}, says {}, and now they are {file}: a change needs a new epoch", path.display())]
    Changed {
        /// The epoch.
        epoch: u64,
        /// What the data say.
        seen: String,
        /// What the file says.
        file: String,
        /// Where that stands.
        path: PathBuf,
    },
    /// The file that remembers makes no sense.
    #[error("{} is damaged: put it back from a copy, or remove the data of this node and let it join as a new one", .0.display())]
    Damaged(PathBuf),
    /// The system refuses.
    #[error("{}: {error}", path.display())]
    Failed {
        /// What was to be read or written.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// The epochs of a node: that of its file fits to what it has seen.
#[derive(Debug)]
pub(super) struct Epochs {
    path: PathBuf,
    /// What the file that remembers is to hold.
    line: String,
    seen: Option<String>,
}

impl Epochs {
    /// Checks that a node's file is of the epoch that its data are of, or of a later one.
    pub(super) fn check(data: &Path, file: &NodeFile) -> Result<Self, EpochError> {
        let path = data.join("epoch");
        let seen = match fs::read_to_string(&path) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(EpochError::Failed { path, error }),
        };
        let voters = voters(file);
        let line = format!("{} {voters}", file.epoch);
        if let Some(seen) = seen.as_deref() {
            let parts = seen.split_once(' ').and_then(|(epoch, voters)| Some((epoch.parse().ok()?, voters)));
            let Some((epoch, before)) = parts else { return Err(EpochError::Damaged(path)) };
            if file.epoch < epoch {
                return Err(EpochError::Over { file: file.epoch, seen: epoch, path });
            }
            if file.epoch == epoch && before != voters {
                return Err(EpochError::Changed { epoch, seen: before.into(), file: voters, path });
            }
        }
        Ok(Self { path, line, seen })
    }

    /// Whether the node has run before: then it must find what it has promised.
    pub(super) fn is_known(&self) -> bool {
        self.seen.is_some()
    }

    /// Remembers the epoch; durable when this returns. Comes after the store has been made, so that a node that is
    /// killed in between is not taken for one that has lost it.
    pub(super) fn remember(&self) -> Result<(), EpochError> {
        if self.seen.as_ref() == Some(&self.line) {
            return Ok(());
        }
        let new = self.path.with_extension("new");
        let write = || {
            let mut out =
                OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
            writeln!(out, "{}", self.line)?;
            out.sync_all()?;
            fs::rename(&new, &self.path)?;
            self.path.parent().map_or(Ok(()), |data| fs::File::open(data)?.sync_all())
        };
        write().map_err(|error| EpochError::Failed { path: self.path.clone(), error })
    }
}

/// Who votes: `0,1,2`.
fn voters(file: &NodeFile) -> String {
    let mut voters: Vec<u32> =
        file.member.iter().filter(|member| member.voter).map(|member| *member.index).collect();
    voters.sort_unstable();
    voters.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
