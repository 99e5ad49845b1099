//! Published workloads, read from their text: task graphs of WfCommons and of the Standard Task Graph Set, arrivals of
//! the Parallel Workloads Archive.
//!
//! All of it comes from outside: whatever is wrong is an error that says where and what was expected. What is read takes
//! memory and time in proportion to the text; whoever reads the file bounds its length.

mod stg;
mod swf;
mod text;
mod wfcommons;

#[cfg(test)]
mod tests;

pub use stg::stg;
pub use swf::{ARRIVALS_MAX, Arrival, swf};
use thiserror::Error;
pub use wfcommons::{COMPARISONS_MAX, SCHEMA_VERSIONS, wfcommons};

/// What is wrong with a text.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ImportError {
    /// Something at one place of the text.
    #[error("line {line}, column {column}: {problem}")]
    Text {
        /// From 1.
        line: usize,
        /// From 1; in characters, but for JSON, where it is in bytes.
        column: usize,
        /// What, in a sentence without a full stop.
        problem: String,
    },
    /// Something in a JSON document whose syntax is right.
    #[error("{path}: {problem}")]
    Json {
        /// Where, such as `workflow.specification.tasks[3].parents[0]`.
        path: String,
        /// What, in a sentence without a full stop.
        problem: String,
    },
}

impl ImportError {
    fn text(line: usize, column: usize, problem: impl Into<String>) -> Self {
        Self::Text { line, column, problem: problem.into() }
    }

    fn json(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Json { path: path.into(), problem: problem.into() }
    }
}

/// A word of a stranger, as messages show it.
fn excerpt(word: &str) -> String {
    format!("`{}`", shortened(word))
}

/// Short enough for a message, on one line.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        None => text.escape_debug().to_string(),
        Some((end, _)) => format!("{}...", text[..end].escape_debug()),
    }
}
