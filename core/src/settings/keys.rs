//! Reading a table key by key; what nobody asked for is unknown.

use std::ops::RangeInclusive;

use super::node::{Node, Span, Table};
use super::problem::{Problem, Problems};
use super::shape::Shape;
use super::{Limits, Setting};

/// A table being read.
#[derive(Debug)]
pub struct Keys<'a> {
    span: Span,
    table: &'a Table,
    problems: &'a mut Problems,
    known: Vec<&'static str>,
    /// False once the valid keys cannot be known, because the tag that decides them is wrong.
    strict: bool,
}

impl<'a> Keys<'a> {
    /// Begins to read a table; `None`, and a problem, if the node is something else.
    pub fn of(node: &'a Node, shape: &Shape, problems: &'a mut Problems) -> Option<Self> {
        match node.table() {
            Some(table) => Some(Self { span: node.span, table, problems, known: Vec::new(), strict: true }),
            None => {
                problems.push(Problem::wrong_type(node, shape));
                None
            }
        }
    }

    /// Where the table stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// To say what is wrong.
    pub fn problems(&mut self) -> &mut Problems {
        self.problems
    }

    /// What stands under `name`, unread; from now on the key is a known one.
    pub fn node(&mut self, name: &'static str) -> Option<&'a Node> {
        self.known.push(name);
        self.table.find(name)
    }

    /// What stands under `name`, or `default`; a missing key without default is a problem.
    pub fn field<T: Setting>(&mut self, name: &'static str, default: Option<T>) -> Option<T> {
        match self.node(name) {
            Some(node) => T::read(node, self.problems),
            None => self.or_missing(name, default, &T::shape()),
        }
    }

    /// The same, within `range`.
    pub fn limited<T: Limits>(
        &mut self,
        name: &'static str,
        default: Option<T>,
        range: &RangeInclusive<T::Bound>,
    ) -> Option<T> {
        let Some(node) = self.node(name) else { return self.or_missing(name, default, &T::limited(range)) };
        let found = self.problems.list().len();
        let value = T::read(node, self.problems);
        let (shape, limited) = (T::shape().to_string(), T::limited(range).to_string());
        if value.as_ref().is_some_and(|value| !value.within(range)) {
            let message = format!("{} is out of range", node.value.describe());
            self.problems.push(Problem::new(node.span, message).expected(limited));
            return None;
        }
        let of_this = |problem: &&mut Problem| problem.expected.as_ref() == Some(&shape);
        for problem in self.problems.list_mut()[found..].iter_mut().filter(of_this) {
            problem.expected = Some(limited.clone());
        }
        value
    }

    fn or_missing<T>(&mut self, name: &'static str, default: Option<T>, shape: &Shape) -> Option<T> {
        if default.is_none() {
            let problem = Problem::new(self.span, format!("missing key `{name}`"));
            self.problems.push(problem.expected(shape.to_string()));
        }
        default
    }

    /// Which of `variants` the key `tag` names, by its index.
    pub fn tag(&mut self, tag: &'static str, variants: &[&'static str]) -> Option<usize> {
        let chosen = match self.node(tag) {
            None => {
                let problem = Problem::unknown(self.span, "", "", variants.iter().copied());
                let message = format!("missing key `{tag}`");
                self.problems.push(Problem { message, nearest: None, ..problem });
                None
            }
            Some(node) => match node.text() {
                Some(text) => {
                    let chosen = variants.iter().position(|name| *name == text);
                    if chosen.is_none() {
                        let valid = variants.iter().copied();
                        self.problems.push(Problem::unknown(node.span, tag, text, valid));
                    }
                    chosen
                }
                None => {
                    let message = format!("wrong type: found {}", node.value.describe());
                    let valid = Problem::unknown(node.span, "", "", variants.iter().copied());
                    self.problems.push(Problem { message, nearest: None, ..valid });
                    None
                }
            },
        };
        self.strict &= chosen.is_some();
        chosen
    }

    /// Says that a value does not go with the others; points at `name` if it was written.
    pub fn inconsistent(&mut self, name: &str, message: &str) {
        let span = self.table.find(name).map_or(self.span, |node| node.span);
        self.problems.push(Problem::new(span, format!("`{name}` {message}")));
    }

    /// Ends the reading: keys that nobody asked for are problems.
    pub fn finish(self) {
        if !self.strict {
            return;
        }
        for entry in self.table.entries() {
            if self.problems.is_full() {
                break;
            }
            if !self.known.contains(&entry.key.as_str()) {
                let valid = self.known.iter().copied();
                self.problems.push(Problem::unknown(entry.span, "key", &entry.key, valid));
            }
        }
    }
}
