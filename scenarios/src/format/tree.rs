//! TOML text into the spanned tree, within limits that hold before anything is parsed.

use seedbed_core::settings::{Entry, Node, Problem, Problems, Span, Table, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml_parser::lexer::TokenKind;

/// Values may be nested, and keys dotted, to this depth.
pub const DEPTH_MAX: usize = 32;

/// A whole document.
pub(super) fn document(text: &str, source: u16) -> Result<Node, Problems> {
    let mut reader = Reader { source, offset: 0, problems: Problems::default() };
    reader.refuse_depth(text)?;
    let table = DeTable::parse(text).map_err(|error| reader.misformed(&error, text))?;
    let value = Value::Table(reader.table(table.into_inner(), 0));
    reader.result(Node { span: Span { source, start: 0, end: 0 }, value })
}

/// One value, which begins at `offset` of its source.
pub(super) fn value(text: &str, source: u16, offset: u32) -> Result<Node, Problems> {
    let mut reader = Reader { source, offset, problems: Problems::default() };
    reader.refuse_depth(text)?;
    let value = DeValue::parse(text).map_err(|error| reader.misformed(&error, text))?;
    let node = reader.node(value, 0);
    reader.result(node)
}

fn too_deep(span: Span) -> Problem {
    Problem::new(span, "nested too deeply").expected(format!("at most {DEPTH_MAX} levels"))
}

struct Reader {
    source: u16,
    offset: u32,
    problems: Problems,
}

impl Reader {
    /// Deep nesting would exhaust the stack of the parser or of whoever drops its tree, so it is counted first.
    fn refuse_depth(&self, text: &str) -> Result<(), Problem> {
        let (mut nested, mut dotted) = (0usize, 0);
        for token in toml_parser::Source::new(text).lex() {
            match token.kind() {
                TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => nested += 1,
                TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                    nested = nested.saturating_sub(1)
                }
                TokenKind::Dot => dotted += 1,
                TokenKind::Equals | TokenKind::Comma | TokenKind::Newline => dotted = 0,
                _ => {}
            }
            if nested + dotted > DEPTH_MAX {
                return Err(too_deep(self.span(token.span().start()..token.span().end())));
            }
        }
        Ok(())
    }

    /// The parser's own complaint.
    fn misformed(&self, error: &toml::de::Error, text: &str) -> Problem {
        let span = self.span(error.span().unwrap_or(text.len()..text.len()));
        match error.message().split_once(", expected ") {
            Some((message, expected)) => Problem::new(span, message).expected(expected),
            None => Problem::new(span, error.message()),
        }
    }

    fn result(self, node: Node) -> Result<Node, Problems> {
        match self.problems.is_empty() {
            true => Ok(node),
            false => Err(self.problems),
        }
    }

    fn span(&self, span: std::ops::Range<usize>) -> Span {
        let place = |at: usize| self.offset + at as u32;
        Span { source: self.source, start: place(span.start), end: place(span.end) }
    }

    fn node(&mut self, value: Spanned<DeValue<'_>>, depth: usize) -> Node {
        let span = self.span(value.span());
        if depth > DEPTH_MAX {
            return self.refuse(too_deep(span));
        }
        let value = match value.into_inner() {
            DeValue::Boolean(value) => Value::Bool(value),
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
                Ok(value) => Value::Integer(value),
                Err(_) => {
                    let problem = Problem::new(span, "integer out of range");
                    return self.refuse(problem.expected(format!("{} to {}", i64::MIN, i64::MAX)));
                }
            },
            // What is no finite number is refused where a number is asked for.
            DeValue::Float(digits) => Value::Number(digits.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Datetime(_) => {
                let problem = Problem::new(span, "wrong type: found a date or time of day");
                return self.refuse(problem.help("no setting is a date; a text stands in quotes"));
            }
            DeValue::Array(values) => {
                Value::List(values.into_iter().map(|value| self.node(value, depth + 1)).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table, depth)),
        };
        Node { span, value }
    }

    fn table(&mut self, table: DeTable<'_>, depth: usize) -> Table {
        let entry = |(key, value): (Spanned<std::borrow::Cow<'_, str>>, _)| Entry {
            span: self.span(key.span()),
            node: self.node(value, depth + 1),
            key: key.into_inner().into_owned(),
        };
        let mut entries: Vec<_> = table.into_iter().map(entry).collect();
        // The parser sorts by name.
        entries.sort_by_key(|entry| entry.span);
        Table::from_entries(entries)
    }

    fn refuse(&mut self, problem: Problem) -> Node {
        let span = problem.span;
        self.problems.push(problem);
        Node { span, value: Value::Bool(false) }
    }
}
