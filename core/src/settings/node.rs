//! What a person wrote, as a tree that remembers where: every key and value carries its span.

use std::fmt;
use std::ops::Deref;

/// Where something was written: bytes `start..end` of one source.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Span {
    /// 0 for the file, 1 and up for the arguments laid over it, in order.
    pub source: u16,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it was written.
    pub span: Span,
    /// What was written.
    pub value: Value,
}

/// Anything that can be written. `Display` prints it as TOML on one line.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction or an exponent; may be infinite or not a number.
    Number(f64),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<Node>),
    /// Values by name.
    Table(Table),
}

/// Values by name, in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    entries: Vec<Entry>,
}

/// One `key = value` of a [`Table`].
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The name.
    pub key: String,
    /// Where the name stands.
    pub span: Span,
    /// The value.
    pub node: Node,
}

impl Node {
    /// A value that nobody wrote: its span is empty.
    #[must_use]
    pub fn unwritten(value: Value) -> Self {
        Self { span: Span::default(), value }
    }

    /// The table, if it is one.
    #[must_use]
    pub fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Value {
    /// What it is, for messages: `integer 5`, `text "raft"`, `a list of 2`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Bool(value) => format!("boolean {value}"),
            Self::Integer(value) => format!("integer {value}"),
            Self::Number(value) => format!("number {value}"),
            Self::Text(text) => format!("text {}", Value::Text(shortened(text))),
            Self::List(nodes) => format!("a list of {}", nodes.len()),
            Self::Table(_) => "a table".into(),
        }
    }
}

/// As much of a text as a message should repeat.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}

impl Table {
    /// From entries whose keys are known to differ.
    #[must_use]
    pub fn from_entries(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// The entries, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The value under `key`.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The value under `key`, to change.
    pub fn find_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
    }

    /// Puts a value under `key`, in place of what was there; the key keeps its place in the order.
    pub fn insert(&mut self, key: &str, span: Span, node: Node) {
        match self.entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => *entry = Entry { key: key.into(), span, node },
            None => self.entries.push(Entry { key: key.into(), span, node }),
        }
    }

    /// Takes the value under `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at).node)
    }

    /// True without entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) if value.is_nan() => f.write_str("nan"),
            Self::Number(value) => write!(f, "{value:?}"),
            Self::Text(text) => quote(text, f),
            Self::List(nodes) => {
                f.write_str("[")?;
                for (index, node) in nodes.iter().enumerate() {
                    write!(f, "{}{}", if index == 0 { "" } else { ", " }, node.value)?;
                }
                f.write_str("]")
            }
            Self::Table(table) => table.fmt(f),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entries.is_empty() {
            return f.write_str("{}");
        }
        for (index, entry) in self.entries.iter().enumerate() {
            f.write_str(if index == 0 { "{ " } else { ", " })?;
            let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            match !entry.key.is_empty() && entry.key.chars().all(bare) {
                true => f.write_str(&entry.key)?,
                false => quote(&entry.key, f)?,
            }
            write!(f, " = {}", entry.node.value)?;
        }
        f.write_str(" }")
    }
}

/// A basic string of TOML: quotes, backslashes and control characters escaped.
fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

/// A setting that remembers where it was written, so that a later check can point at it.
///
/// Two are equal when their values are, wherever they stand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spanned<T> {
    /// Where; empty for a default.
    pub span: Span,
    /// What.
    pub value: T,
}

impl<T> Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> From<T> for Spanned<T> {
    fn from(value: T) -> Self {
        Self { span: Span::default(), value }
    }
}
