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

/// The place of what stands in no text that could be shown.
pub const NOWHERE: Span = Span { source: u16::MAX, start: 0, end: 0 };

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
        let text = Text::load(path, FILE_MAX)?;
        Self::parse(&text.source.name, &text)
    }

    /// Reads a text that is called `name` in messages.
    ///
    /// # Errors
    /// If it is larger than [`FILE_MAX`] or not TOML.
    pub fn parse(name: &str, text: &str) -> Result<Self, Report> {
        if text.len() as u64 > FILE_MAX {
            return Err(Report::new(too_large(FILE_MAX).into(), vec![Source::new(name, "")]));
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

/// A file's text, with problems shown at their lines.
#[derive(Clone, Debug)]
pub struct Text {
    source: Source,
}

impl Text {
    /// Reads a file of at most `limit` bytes.
    ///
    /// # Errors
    /// If it cannot be read, is no regular file, is larger, or is not UTF-8.
    pub fn load(path: &Path, limit: u64) -> Result<Self, Report> {
        let name = path.display().to_string();
        let refuse = |problem: Problem| Report::new(problem.into(), vec![Source::new(&name, "")]);
        match String::from_utf8(read_limited(path, limit).map_err(refuse)?) {
            Ok(text) => Ok(Self { source: Source::new(&name, &text) }),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to() as u32;
                let span = Span { source: 0, start: valid, end: valid + 1 };
                let problem = Problem::new(span, "the file is not UTF-8").expected("text");
                let shown = String::from_utf8_lossy(error.as_bytes());
                Err(Report::new(problem.into(), vec![Source::new(&name, &shown)]))
            }
        }
    }

    /// Problems whose spans are those of this text, ready to be shown.
    #[must_use]
    pub fn report(&self, problems: Problems) -> Report {
        Report::new(problems, vec![self.source.clone()])
    }
}

impl std::ops::Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.source.text
    }
}

fn too_large(limit: u64) -> Problem {
    Problem::new(Span::default(), "the file is too large").expected(format!("at most {} KiB", limit >> 10))
}

/// The file's bytes, at most `limit` of them; of a larger one hardly more is read.
fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::new(Span::default(), format!("cannot be read: {error}")).expected("a file that can be read")
    };
    // Asked before opening: to open a pipe would wait for its other end.
    let metadata = path.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "this is a directory" } else { "this is no regular file" };
        return Err(Problem::new(Span::default(), found).expected("a file of text"));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    match bytes.len() as u64 > limit {
        true => Err(too_large(limit)),
        false => Ok(bytes),
    }
}
