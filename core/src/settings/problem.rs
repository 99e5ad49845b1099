//! What is wrong with what a person wrote, said so that the person can mend it.

use std::fmt;

use super::node::{Node, Span, shortened};
use super::shape::Shape;

/// More than this many problems are counted, not kept: the first few tell enough.
pub const PROBLEMS_MAX: usize = 20;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Problem {
    /// Where.
    pub span: Span,
    /// What is wrong: ``unknown key `protocl` ``.
    pub message: String,
    /// What would be right, to follow "expected": `one of ...`, `a duration such as "150ms"`.
    pub expected: Option<String>,
    /// The valid name that comes closest to what was written.
    pub nearest: Option<String>,
    /// What to do about it, where that is not plain.
    pub help: Option<String>,
}

impl Problem {
    /// A problem that its message explains.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), ..Self::default() }
    }

    /// A name that is none of the valid ones: ``unknown <what> `<found>` `` with the list and the nearest.
    pub fn unknown<'a>(
        span: Span,
        what: &str,
        found: &str,
        valid: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Self {
        Self {
            span,
            message: format!("unknown {what} `{}`", shortened(found)),
            expected: Some(one_of(valid.clone())),
            nearest: nearest(found, valid).map(Into::into),
            help: None,
        }
    }

    /// A value of another type than the shape asks for.
    #[must_use]
    pub fn wrong_type(node: &Node, shape: &Shape) -> Self {
        let message = format!("wrong type: found {}", node.value.describe());
        Self { span: node.span, message, expected: Some(shape.to_string()), ..Self::default() }
    }

    /// The same, saying what would be right.
    #[must_use]
    pub fn expected(self, expected: impl Into<String>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }

    /// The same, saying what to do.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// What to write beside the place: what was expected and what may have been meant.
    #[must_use]
    pub fn label(&self) -> String {
        let expected = self.expected.iter().map(|expected| format!("expected {expected}"));
        let nearest = self.nearest.iter().map(|nearest| format!("did you mean `{nearest}`?"));
        expected.chain(nearest).collect::<Vec<_>>().join("; ")
    }
}

/// On one line: message, label, help.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let label = self.label();
        if !label.is_empty() {
            write!(f, ": {label}")?;
        }
        self.help.iter().try_for_each(|help| write!(f, " ({help})"))
    }
}

/// All the problems found, in the order of finding, up to [`PROBLEMS_MAX`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Problems {
    list: Vec<Problem>,
    omitted: usize,
}

impl Problems {
    /// Adds one, or counts it if there are too many already.
    pub fn push(&mut self, problem: Problem) {
        match self.is_full() {
            true => self.omitted += 1,
            false => self.list.push(problem),
        }
    }

    /// True while nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// True once further problems are only counted.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.list.len() >= PROBLEMS_MAX
    }

    /// Those that were kept.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// To say more about those that were found.
    pub fn list_mut(&mut self) -> &mut [Problem] {
        &mut self.list
    }

    /// How many were only counted.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self { list: vec![problem], omitted: 0 }
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }
}

/// One per line.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.iter().try_for_each(|problem| writeln!(f, "{problem}"))?;
        match self.omitted {
            0 => Ok(()),
            omitted => writeln!(f, "and {omitted} more"),
        }
    }
}

impl std::error::Error for Problems {}

/// ``one of `a`, `b` ``, or ``nothing`` if there is no valid name.
pub(super) fn one_of<'a>(valid: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = valid.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "nothing here".into(),
        [only] => only.clone(),
        _ => format!("one of {}", names.join(", ")),
    }
}

/// The valid name closest to `found`, if it is close enough to have been meant: a third of it may differ.
pub fn nearest<'a>(found: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if found.len() > LONGEST {
        return None;
    }
    let written = found.to_lowercase();
    let distance = |name: &str| strsim::osa_distance(&written, &name.to_lowercase());
    let length = written.chars().count();
    let close = |&(far, _): &(usize, &str)| far < length && far <= (length / 3).max(1);
    let close = valid.into_iter().map(|name| (distance(name), name)).filter(close);
    close.min_by_key(|&(far, _)| far).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_close_or_none() {
        let valid = ["protocol", "network", "seeds", "x"];
        assert_eq!(nearest("protocl", valid), Some("protocol"));
        assert_eq!(nearest("Network", valid), Some("network"));
        assert_eq!(nearest("seesd", valid), Some("seeds"));
        assert_eq!(nearest("cluster", valid), None);
        assert_eq!(nearest("", valid), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), valid), None);
    }

    #[test]
    fn problems_beyond_the_limit_are_counted() {
        let mut problems = Problems::default();
        problems.extend((0..PROBLEMS_MAX + 5).map(|_| Problem::new(Span::default(), "wrong")));
        assert_eq!((problems.list().len(), problems.omitted()), (PROBLEMS_MAX, 5));
    }

    #[test]
    fn a_problem_reads_well_on_one_line() {
        let problem = Problem::unknown(Span::default(), "key", "protocl", ["protocol", "nodes"]);
        assert_eq!(
            problem.help("see `seedbed list`").to_string(),
            "unknown key `protocl`: expected one of `protocol`, `nodes`; did you mean `protocol`? (see `seedbed list`)"
        );
    }
}
