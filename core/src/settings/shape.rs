//! What may be written: the form that schema, listing and messages are made from.

use std::fmt;

use super::problem::one_of;
use super::quantity::{Bytes, DURATION_MAX, Rate};
use super::scalar::LIST_MAX;
use crate::contract::Duration;

/// The form of a value. `Display` prints it to follow "expected": `an integer between 1 and 5`.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// `true` or `false`.
    Bool,
    /// A whole number within bounds.
    Integer {
        /// Least.
        min: i64,
        /// Greatest.
        max: i64,
    },
    /// A finite number within bounds.
    Number {
        /// Least.
        min: f64,
        /// Greatest.
        max: f64,
    },
    /// A length of time, written as text with a unit.
    Duration {
        /// Shortest.
        min: Duration,
        /// Longest.
        max: Duration,
    },
    /// A number of bytes, plain or as text with a unit.
    Bytes {
        /// Least.
        min: Bytes,
        /// Greatest.
        max: Bytes,
    },
    /// Bits per second, as text with a unit.
    Rate {
        /// Least.
        min: Rate,
        /// Greatest.
        max: Rate,
    },
    /// A text.
    Text {
        /// What it must look like, to follow "expected": ``a selector such as `leader` ``.
        form: String,
        /// Least number of bytes.
        min_len: usize,
        /// Greatest number of bytes.
        max_len: usize,
    },
    /// One of these texts.
    Choice(Vec<Choice>),
    /// Values of one shape in order.
    List {
        /// The shape of each.
        of: Box<Shape>,
        /// Least number of values.
        min_len: usize,
        /// Greatest number of values.
        max_len: usize,
    },
    /// A table with these keys and no others.
    Table(Fields),
    /// A table with any keys.
    Map(Box<Shape>),
    /// Any of these: a plain duration or a table, say.
    Either(Vec<Shape>),
    /// Whatever it is, someone else reads it.
    Any,
}

/// A valid text and what it stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// What to write.
    pub name: String,
    /// What it means.
    pub about: String,
}

/// The keys of a table: plain ones, and groups that depend on a tag (`kind = "crash"`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    /// Keys that are always valid.
    pub plain: Vec<Field>,
    /// Groups of keys, each chosen by the value of its tag.
    pub tagged: Vec<Tagged>,
}

/// A key of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The key.
    pub name: String,
    /// What it means.
    pub about: String,
    /// What may stand there.
    pub shape: Shape,
    /// False if it may be left out.
    pub required: bool,
    /// What is taken when it is left out, as TOML; `None` if that is nothing.
    pub default: Option<String>,
}

/// Keys that depend on the value of one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Tagged {
    /// The key whose value chooses.
    pub tag: String,
    /// What may be chosen.
    pub variants: Vec<Variant>,
}

/// One value of a tag, and the keys that come with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// The tag's value.
    pub name: String,
    /// What it means.
    pub about: String,
    /// The keys beside the tag.
    pub fields: Fields,
}

impl Fields {
    /// The plain field of this name, to refine it.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.plain.iter_mut().find(|field| field.name == name)
    }

    /// Adds the fields of a group that shares the table.
    pub fn extend(&mut self, other: Self) {
        self.plain.extend(other.plain);
        self.tagged.extend(other.tagged);
    }
}

impl Shape {
    /// Any whole number.
    pub const INTEGER: Self = Self::Integer { min: i64::MIN, max: i64::MAX };

    /// A short name for listings: `integer 1..=5`, `duration`, `list of text`.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::Bool => "boolean".into(),
            Self::Integer { min: i64::MIN, max: i64::MAX } => "integer".into(),
            Self::Integer { min, max: i64::MAX } => format!("integer {min}.."),
            Self::Integer { min, max } => format!("integer {min}..={max}"),
            Self::Number { min: f64::MIN, max: f64::MAX } => "number".into(),
            Self::Number { min, max: f64::MAX } => format!("number {min}.."),
            Self::Number { min, max } => format!("number {min}..={max}"),
            Self::Duration { .. } => "duration".into(),
            Self::Bytes { .. } => "size".into(),
            Self::Rate { .. } => "rate".into(),
            Self::Text { .. } => "text".into(),
            Self::Choice(choices) => {
                choices.iter().map(|choice| choice.name.as_str()).collect::<Vec<_>>().join(" | ")
            }
            Self::List { of, .. } => format!("list of {}", of.kind()),
            Self::Table(_) => "table".into(),
            Self::Map(of) => format!("table of {}", of.kind()),
            Self::Either(shapes) => shapes.iter().map(Self::kind).collect::<Vec<_>>().join(" or "),
            Self::Any => "any".into(),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("true or false"),
            Self::Integer { min, max } => {
                let (low, high) = ((*min != i64::MIN).then_some(min), (*max != i64::MAX).then_some(max));
                bounded(f, "an integer", low, high)
            }
            Self::Number { min: f64::MIN_POSITIVE, max: f64::MAX } => f.write_str("a number above 0"),
            Self::Number { min: f64::MIN_POSITIVE, max } => write!(f, "a number above 0 and up to {max}"),
            Self::Number { min, max } => {
                let (low, high) = ((*min != f64::MIN).then_some(min), (*max != f64::MAX).then_some(max));
                bounded(f, "a number", low, high)
            }
            Self::Duration { min: Duration::ZERO, max } if *max >= DURATION_MAX => {
                f.write_str("a duration such as \"150ms\"")
            }
            Self::Duration { min, max } => {
                bounded(f, "a duration", Some(min), (*max < DURATION_MAX).then_some(max))
            }
            Self::Bytes { min: Bytes(0), max: Bytes::MAX } => f.write_str("a size such as \"64KiB\""),
            Self::Bytes { min, max } => bounded(f, "a size", Some(min), (*max != Bytes::MAX).then_some(max)),
            Self::Rate { min: Rate(0), max: Rate::MAX } => f.write_str("a rate such as \"10Mbit/s\""),
            Self::Rate { min, max } => bounded(f, "a rate", Some(min), (*max != Rate::MAX).then_some(max)),
            Self::Text { form, .. } => f.write_str(form),
            Self::Choice(choices) => f.write_str(&one_of(choices.iter().map(|choice| choice.name.as_str()))),
            Self::List { min_len: 0, max_len: LIST_MAX, .. } => f.write_str("a list"),
            Self::List { min_len, max_len: LIST_MAX, .. } => write!(f, "a list of at least {min_len}"),
            Self::List { min_len, max_len, .. } => write!(f, "a list of {min_len} to {max_len}"),
            Self::Table(fields) => match fields.tagged.first() {
                Some(tagged) => write!(f, "a table with `{}`", tagged.tag),
                None => f.write_str("a table"),
            },
            Self::Map(_) => f.write_str("a table"),
            Self::Either(shapes) => {
                let names: Vec<_> = shapes.iter().map(ToString::to_string).collect();
                f.write_str(&names.join(" or "))
            }
            Self::Any => f.write_str("a value"),
        }
    }
}

fn bounded<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    min: Option<T>,
    max: Option<T>,
) -> fmt::Result {
    match (min, max) {
        (None, None) => f.write_str(what),
        (Some(min), None) => write!(f, "{what} of at least {min}"),
        (None, Some(max)) => write!(f, "{what} of at most {max}"),
        (Some(min), Some(max)) => write!(f, "{what} between {min} and {max}"),
    }
}
