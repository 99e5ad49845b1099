//! Lines of words.

use super::{ImportError, excerpt};

/// A line with its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: usize,
    text: &'a str,
}

/// A word with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
    pub(super) text: &'a str,
}

/// The lines that are neither empty nor a comment.
pub(super) fn lines(text: &str, comment: char) -> impl Iterator<Item = Line<'_>> {
    let lines = text.lines().enumerate().map(|(index, text)| Line { number: index + 1, text });
    lines.filter(move |line| {
        let text = line.text.trim_start();
        !text.is_empty() && !text.starts_with(comment)
    })
}

impl<'a> Line<'a> {
    /// Its words.
    pub(super) fn words(self) -> Words<'a> {
        Words { line: self.number, column: 1, rest: self.text }
    }
}

/// The words of a line, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    line: usize,
    /// Of what is left.
    column: usize,
    rest: &'a str,
}

impl<'a> Words<'a> {
    /// The next word, which must be there.
    pub(super) fn expect(&mut self, expected: &str) -> Result<Word<'a>, ImportError> {
        let missing = |words: &Self| {
            ImportError::text(words.line, words.column, format!("the line ends, expected {expected}"))
        };
        self.next().ok_or_else(|| missing(self))
    }

    /// Nothing may follow.
    pub(super) fn end(mut self) -> Result<(), ImportError> {
        match self.next() {
            None => Ok(()),
            Some(word) => Err(word.wrong("the end of the line")),
        }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;
    fn next(&mut self) -> Option<Word<'a>> {
        let text = self.rest.trim_start();
        self.column += self.rest[..self.rest.len() - text.len()].chars().count();
        if text.is_empty() {
            self.rest = text;
            return None;
        }
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let word = Word { line: self.line, column: self.column, text: &text[..end] };
        self.column += word.text.chars().count();
        self.rest = &text[end..];
        Some(word)
    }
}

impl Word<'_> {
    /// This is not what it should be.
    pub(super) fn wrong(self, expected: &str) -> ImportError {
        ImportError::text(self.line, self.column, format!("{}, expected {expected}", excerpt(self.text)))
    }

    /// A whole number, none below zero.
    pub(super) fn whole(self, expected: &str) -> Result<u64, ImportError> {
        // Not a sign, which the standard library would take.
        let is_number = self.text.bytes().all(|byte| byte.is_ascii_digit());
        self.text.parse().ok().filter(|_| is_number).ok_or_else(|| self.wrong(expected))
    }
}
