//! Settings of Rust's own types: booleans, numbers, texts, lists, maps, and what may be left out.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::node::{Entry, Node, Span, Spanned, Table, Value};
use super::problem::{Problem, Problems};
use super::shape::{Fields, Shape};
use super::{Keys, Limits, Setting};

/// The longest text that may be written, in bytes.
pub const TEXT_MAX: usize = 4096;
/// The longest list that may be written.
pub const LIST_MAX: usize = 100_000;

impl Setting for bool {
    fn shape() -> Shape {
        Shape::Bool
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node.value {
            Value::Bool(value) => Some(value),
            _ => wrong_type(node, &Self::shape(), problems),
        }
    }
    fn write(&self) -> Option<Value> {
        Some(Value::Bool(*self))
    }
}

fn wrong_type<T>(node: &Node, shape: &Shape, problems: &mut Problems) -> Option<T> {
    problems.push(Problem::wrong_type(node, shape));
    None
}

fn out_of_range<T>(node: &Node, shape: &Shape, problems: &mut Problems) -> Option<T> {
    let message = format!("{} is out of range", node.value.describe());
    problems.push(Problem::new(node.span, message).expected(shape.to_string()));
    None
}

macro_rules! integers {
    ($($integer:ty)*) => { $(
        impl Setting for $integer {
            fn shape() -> Shape {
                Self::limited(&(Self::MIN..=Self::MAX))
            }
            fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
                match node.value {
                    Value::Integer(value) => match Self::try_from(value) {
                        Ok(value) => Some(value),
                        Err(_) => out_of_range(node, &Self::shape(), problems),
                    },
                    _ => wrong_type(node, &Self::shape(), problems),
                }
            }
            fn write(&self) -> Option<Value> {
                Some(Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX)))
            }
        }
        impl Limits for $integer {
            type Bound = Self;
            fn limited(range: &RangeInclusive<Self>) -> Shape {
                // A file holds integers up to 2^63 - 1 only.
                let held = |bound: Self| i64::try_from(bound).unwrap_or(i64::MAX);
                Shape::Integer { min: held(*range.start()), max: held(*range.end()) }
            }
            fn within(&self, range: &RangeInclusive<Self>) -> bool {
                range.contains(self)
            }
        }
    )* };
}
integers! { u8 u16 u32 u64 usize i64 }

impl Setting for f64 {
    fn shape() -> Shape {
        Shape::Number { min: Self::MIN, max: Self::MAX }
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node.value {
            Value::Integer(value) => Some(value as Self),
            Value::Number(value) if value.is_finite() => Some(value),
            Value::Number(_) => out_of_range(node, &Self::shape(), problems),
            _ => wrong_type(node, &Self::shape(), problems),
        }
    }
    fn write(&self) -> Option<Value> {
        Some(Value::Number(*self))
    }
}

impl Limits for f64 {
    type Bound = Self;
    fn limited(range: &RangeInclusive<Self>) -> Shape {
        Shape::Number { min: *range.start(), max: *range.end() }
    }
    fn within(&self, range: &RangeInclusive<Self>) -> bool {
        range.contains(self)
    }
}

impl Setting for String {
    fn shape() -> Shape {
        Self::limited(&(0..=TEXT_MAX))
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node.text() {
            Some(text) if text.len() <= TEXT_MAX => Some(text.into()),
            Some(text) => {
                let message = format!("text of {} bytes is too long", text.len());
                problems.push(Problem::new(node.span, message).expected(format!("at most {TEXT_MAX} bytes")));
                None
            }
            None => wrong_type(node, &Self::shape(), problems),
        }
    }
    fn write(&self) -> Option<Value> {
        Some(Value::Text(self.clone()))
    }
}

/// The range is that of the length in bytes.
impl Limits for String {
    type Bound = usize;
    fn limited(range: &RangeInclusive<usize>) -> Shape {
        let (min_len, max_len) = (*range.start(), *range.end());
        let form = match (min_len, max_len) {
            (0, TEXT_MAX) => "a text".into(),
            (min, TEXT_MAX) => format!("a text of at least {min} bytes"),
            (min, max) => format!("a text of {min} to {max} bytes"),
        };
        Shape::Text { form, min_len, max_len }
    }
    fn within(&self, range: &RangeInclusive<usize>) -> bool {
        range.contains(&self.len())
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn shape() -> Shape {
        Self::limited(&(0..=LIST_MAX))
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Value::List(nodes) = &node.value else { return wrong_type(node, &Self::shape(), problems) };
        if nodes.len() > LIST_MAX {
            let message = format!("a list of {} is too long", nodes.len());
            problems.push(Problem::new(node.span, message).expected(format!("at most {LIST_MAX}")));
            return None;
        }
        let mut values = Vec::with_capacity(nodes.len());
        for node in nodes {
            values.extend(T::read(node, problems));
            if problems.is_full() {
                break;
            }
        }
        (values.len() == nodes.len()).then_some(values)
    }
    fn write(&self) -> Option<Value> {
        Some(Value::List(self.iter().filter_map(T::write).map(Node::unwritten).collect()))
    }
}

/// The range is that of the length.
impl<T: Setting> Limits for Vec<T> {
    type Bound = usize;
    fn limited(range: &RangeInclusive<usize>) -> Shape {
        Shape::List { of: Box::new(T::shape()), min_len: *range.start(), max_len: *range.end() }
    }
    fn within(&self, range: &RangeInclusive<usize>) -> bool {
        range.contains(&self.len())
    }
}

/// A key that may be left out: give it the default `None`.
impl<T: Setting> Setting for Option<T> {
    fn shape() -> Shape {
        T::shape()
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        T::read(node, problems).map(Some)
    }
    fn write(&self) -> Option<Value> {
        self.as_ref().and_then(T::write)
    }
}

impl<T: Limits> Limits for Option<T> {
    type Bound = T::Bound;
    fn limited(range: &RangeInclusive<T::Bound>) -> Shape {
        T::limited(range)
    }
    fn within(&self, range: &RangeInclusive<T::Bound>) -> bool {
        self.as_ref().is_none_or(|value| value.within(range))
    }
}

impl<T: Setting> Setting for BTreeMap<String, T> {
    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Some(table) = node.table() else { return wrong_type(node, &Self::shape(), problems) };
        let mut values = Self::new();
        for Entry { key, node, .. } in table.entries() {
            values.extend(T::read(node, problems).map(|value| (key.clone(), value)));
            if problems.is_full() {
                break;
            }
        }
        (values.len() == table.entries().len()).then_some(values)
    }
    fn write(&self) -> Option<Value> {
        let written = |(key, value): (&String, &T)| {
            let node = Node::unwritten(value.write()?);
            Some(Entry { key: key.clone(), span: Span::default(), node })
        };
        Some(Value::Table(Table::from_entries(self.iter().filter_map(written).collect())))
    }
}

/// Nothing to choose: a table without keys.
impl Setting for () {
    fn shape() -> Shape {
        Shape::Table(Fields::default())
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        Keys::of(node, &Self::shape(), problems)?.finish();
        Some(())
    }
    fn write(&self) -> Option<Value> {
        Some(Value::Table(Table::default()))
    }
}

/// Left unread, for who knows its shape.
impl Setting for Node {
    fn shape() -> Shape {
        Shape::Any
    }
    fn read(node: &Node, _problems: &mut Problems) -> Option<Self> {
        Some(node.clone())
    }
    fn write(&self) -> Option<Value> {
        Some(self.value.clone())
    }
}

impl<T: Setting> Setting for Spanned<T> {
    fn shape() -> Shape {
        T::shape()
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        T::read(node, problems).map(|value| Self { span: node.span, value })
    }
    fn write(&self) -> Option<Value> {
        self.value.write()
    }
}

impl<T: Limits> Limits for Spanned<T> {
    type Bound = T::Bound;
    fn limited(range: &RangeInclusive<T::Bound>) -> Shape {
        T::limited(range)
    }
    fn within(&self, range: &RangeInclusive<T::Bound>) -> bool {
        self.value.within(range)
    }
}
