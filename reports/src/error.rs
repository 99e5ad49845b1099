//! What can go wrong with a run folder: the disk, or the tables in it.

use std::path::{Path, PathBuf};

/// Why a folder could not be written, read or drawn.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a file; why is in the source.
    #[error("{}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A table does not say what it should.
    #[error("{file}, {place}: {problem}")]
    Table {
        /// The table, such as `runs.csv`.
        file: String,
        /// Where in it: `line 7`, or `record 7` for what concerns several records.
        place: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// Two folders have nothing that can be compared.
    #[error("nothing to compare: {0}")]
    Apart(String),
    /// A chart or page could not be drawn although its data are sound.
    #[error("{what}: {problem}")]
    Draw {
        /// The chart or file.
        what: String,
        /// What the drawing library said.
        problem: String,
    },
}

/// The result of everything that touches a run folder.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
        move |source| Error::Io { path: path.to_owned(), source }
    }

    pub(crate) fn record(file: &str, index: usize, problem: impl Into<String>) -> Error {
        Error::Table { file: file.into(), place: format!("record {}", index + 1), problem: problem.into() }
    }

    pub(crate) fn draw(what: &str, problem: impl std::fmt::Display) -> Error {
        Error::Draw { what: what.into(), problem: problem.to_string() }
    }
}
