//! Scenario files as text: TOML in, a spanned tree out, with `--set` and sweeps laid over it and every message
//! pointing at the line that caused it. What the tree may hold is said by
//! [`seedbed_core::settings`](mod@seedbed_core::settings), which also gives the JSON Schema and the listings made here.

mod diagnostic;
mod overlay;
mod range;
mod schema;
mod sweep;
#[cfg(test)]
mod tests;
mod tree;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use seedbed_core::settings::{self, Node, Problem, Problems, Setting, Span};

pub use diagnostic::Report;
pub use overlay::Assignments;
pub use range::Range;
pub use schema::{json_schema, listing};
pub use sweep::{Axis, Case, POINTS_MAX, Point, expand};
pub use tree::DEPTH_MAX;

/// The largest file that is read, in bytes.
pub const FILE_MAX: u64 = 1 << 20;

/// A file, and the arguments laid over it.
#[derive(Clone, Debug)]
pub struct Document {
    sources: Vec<Source>,
    root: Node,
}

/// A text that was written by a person, and what it is called in messages.
#[derive(Clone, Debug)]
struct Source {
    name: Arc<str>,
    text: Arc<str>,
}

impl Source {
    fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is no regular file, is larger than [`FILE_MAX`], is not UTF-8 or not TOML.
    pub fn load(path: &Path) -> Result<Self, Report> {
        let name = path.display().to_string();
        let refuse = |problem: Problem| Report::new(problem.into(), vec![Source::new(&name, "")]);
        let bytes = read_limited(path).map_err(refuse)?;
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(&name, &text),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let line = error.as_bytes()[..valid].iter().filter(|&&byte| byte == b'\n').count() + 1;
                let problem = Problem::new(Span::default(), format!("line {line} is not UTF-8"));
                Err(refuse(problem.expected("a text file in TOML")))
            }
        }
    }

    /// Reads a text that is called `name` in messages.
    ///
    /// # Errors
    /// If it is larger than [`FILE_MAX`] or not TOML.
    pub fn parse(name: &str, text: &str) -> Result<Self, Report> {
        if text.len() as u64 > FILE_MAX {
            return Err(Report::new(too_large().into(), vec![Source::new(name, "")]));
        }
        let sources = vec![Source::new(name, text)];
        match tree::document(text, 0) {
            Ok(root) => Ok(Self { sources, root }),
            Err(problems) => Err(Report::new(problems, sources)),
        }
    }

    /// The tree.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Reads the whole document as `T`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read<T: Setting>(&self) -> Result<T, Report> {
        settings::read(&self.root).map_err(|problems| self.report(problems))
    }

    /// Problems whose spans are those of this document, ready to be shown.
    #[must_use]
    pub fn report(&self, problems: Problems) -> Report {
        Report::new(problems, self.sources.clone())
    }
}

fn too_large() -> Problem {
    Problem::new(Span::default(), "the file is too large").expected(format!("at most {} KiB", FILE_MAX >> 10))
}

/// The file's bytes, at most [`FILE_MAX`] of them; of a larger one hardly more is read.
fn read_limited(path: &Path) -> Result<Vec<u8>, Problem> {
    let unreadable =
        |error: std::io::Error| Problem::new(Span::default(), format!("cannot be read: {error}"));
    // Asked before opening: to open a pipe would wait for its other end.
    let metadata = path.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "this is a directory" } else { "this is no regular file" };
        return Err(Problem::new(Span::default(), found).expected("a scenario file in TOML"));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    match bytes.len() as u64 > FILE_MAX {
        true => Err(too_large()),
        false => Ok(bytes),
    }
}
