//! Numbers with a unit: durations, sizes, rates, probabilities. Read and printed without losing a digit.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::node::{Node, Value, shortened};
use super::problem::{Problem, Problems};
use super::shape::Shape;
use super::{Limits, Setting};
use crate::contract::Duration;

/// The longest duration that may be written: a hundred years of 365 days.
pub const DURATION_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A number of bytes: `"64KiB"`, `"10MB"` or a plain integer.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// Bits per second: `"10Mbit/s"`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Rate(pub u64);

/// A number between 0 and 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Probability(f64);

impl Bytes {
    /// The most that can be said.
    pub const MAX: Self = Self(u64::MAX);
}

impl Rate {
    /// The most that can be said: as good as unlimited.
    pub const MAX: Self = Self(u64::MAX);
}

impl Probability {
    /// What never happens.
    pub const NEVER: Self = Self(0.0);
    /// What always happens.
    pub const ALWAYS: Self = Self(1.0);

    /// A probability known when the program is written.
    ///
    /// # Panics
    /// Outside 0 to 1. For values from outside, see [`Probability::new`].
    #[must_use]
    pub const fn of(value: f64) -> Self {
        assert!(value >= 0.0 && value <= 1.0, "a probability lies between 0 and 1");
        Self(value)
    }

    /// None outside 0 to 1.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// As a number from 0 to 1.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }

    /// As parts of 2^64, exact but for 1, which is one part less.
    #[must_use]
    pub fn parts(self) -> u64 {
        (self.0 * 18_446_744_073_709_551_616.0) as u64
    }

    /// Whether it happens, given 64 uniform bits. Certainty is certain.
    #[must_use]
    pub fn happens(self, uniform: u64) -> bool {
        let parts = self.parts();
        uniform < parts || parts == u64::MAX
    }
}

const DURATIONS: &[(&str, u64)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("ns", 1),
];
const SIZES: &[(&str, u64)] = &[
    ("PiB", 1 << 50),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("PB", 1_000_000_000_000_000),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];
const RATES: &[(&str, u64)] = &[
    ("Tbit/s", 1_000_000_000_000),
    ("Gbit/s", 1_000_000_000),
    ("Mbit/s", 1_000_000),
    ("kbit/s", 1_000),
    ("bit/s", 1),
    ("GiB/s", 8 << 30),
    ("MiB/s", 8 << 20),
    ("KiB/s", 8 << 10),
    ("GB/s", 8_000_000_000),
    ("MB/s", 8_000_000),
    ("kB/s", 8_000),
    ("B/s", 8),
];

/// Why a text is no quantity.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Misread {
    /// It does not begin with a decimal number.
    #[error("`{0}` does not begin with a number")]
    NoNumber(String),
    /// It begins with a minus.
    #[error("`{0}` is negative")]
    Negative(String),
    /// Nothing follows the number.
    #[error("`{0}` has no unit")]
    NoUnit(String),
    /// What follows the number is no unit.
    #[error("unknown unit `{0}`")]
    UnknownUnit(String),
    /// It has more digits than the smallest unit can hold.
    #[error("`{0}` is finer than 1 {1}")]
    TooFine(String, &'static str),
    /// It is more than can be held.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// `1.5` and a unit, as a whole number of the smallest unit; spaces may stand between.
fn parse(text: &str, units: &[(&'static str, u64)], smallest: &'static str) -> Result<u64, Misread> {
    const DIGITS_MAX: usize = 30;
    let said = || shortened(text);
    let text = text.trim();
    if text.starts_with('-') {
        return Err(Misread::Negative(said()));
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(Misread::NoNumber(said()));
    }
    if unit.is_empty() {
        return Err(Misread::NoUnit(said()));
    }
    let Some(&(_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(Misread::UnknownUnit(shortened(unit)));
    };
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    if whole.len() > DIGITS_MAX {
        return Err(Misread::TooLarge(said()));
    }
    if fraction.len() > DIGITS_MAX {
        return Err(Misread::TooFine(said(), smallest));
    }
    let factor = u128::from(factor);
    let digits = |digits: &str| digits.bytes().fold(0u128, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    let scale = 10u128.pow(fraction.len() as u32);
    // A fraction with more digits than the unit has zeros may still be whole in binary units: 0.5KiB.
    let parts = digits(fraction).checked_mul(factor).ok_or_else(|| Misread::TooFine(said(), smallest))?;
    if parts % scale != 0 {
        return Err(Misread::TooFine(said(), smallest));
    }
    let total = digits(whole).checked_mul(factor).and_then(|whole| whole.checked_add(parts / scale));
    total.and_then(|total| u64::try_from(total).ok()).ok_or_else(|| Misread::TooLarge(said()))
}

/// The largest unit of which the value is a whole number.
fn print(value: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let fits = |&&(_, factor): &&(&str, u64)| value != 0 && value.is_multiple_of(factor);
    match units.iter().filter(fits).max_by_key(|(_, factor)| *factor) {
        Some((unit, factor)) => write!(f, "{}{unit}", value / factor),
        None => write!(f, "0{}", units.iter().min_by_key(|(_, factor)| *factor).map_or("", |(unit, _)| unit)),
    }
}

impl FromStr for Duration {
    type Err = Misread;
    /// `150ms`, `1.5s`, `2min`, `3h`, `1d`, `7us`, `3ns`.
    fn from_str(text: &str) -> Result<Self, Misread> {
        parse(text, DURATIONS, "ns").map(Self::from_nanos)
    }
}

impl FromStr for Bytes {
    type Err = Misread;
    /// `64KiB`, `10MB`, `512B`.
    fn from_str(text: &str) -> Result<Self, Misread> {
        parse(text, SIZES, "byte").map(Self)
    }
}

impl FromStr for Rate {
    type Err = Misread;
    /// `10Mbit/s`, `1.5MB/s`.
    fn from_str(text: &str) -> Result<Self, Misread> {
        parse(text, RATES, "bit/s").map(Self)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self.0, SIZES, f)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In bits only: that is how networks are sold.
        print(self.0, &RATES[..5], f)
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Reads a quantity from text; says which units there are when the unit is the trouble.
fn read<T: FromStr<Err = Misread>>(
    node: &Node,
    shape: &Shape,
    units: &[(&str, u64)],
    problems: &mut Problems,
) -> Option<T> {
    let example = match shape {
        Shape::Duration { .. } => "150ms",
        Shape::Rate { .. } => "10Mbit/s",
        _ => "64KiB",
    };
    let Some(text) = node.text() else {
        let problem = Problem::wrong_type(node, shape);
        problems.push(match node.value {
            Value::Integer(_) | Value::Number(_) => problem.help(format!("write a unit, e.g. \"{example}\"")),
            _ => problem,
        });
        return None;
    };
    let misread = match text.parse() {
        Ok(value) => return Some(value),
        Err(misread) => misread,
    };
    problems.push(match &misread {
        Misread::UnknownUnit(unit) => {
            Problem::unknown(node.span, "unit", unit, units.iter().map(|(name, _)| *name))
        }
        Misread::NoUnit(_) => Problem::new(node.span, misread.to_string())
            .expected(shape.to_string())
            .help(format!("write a unit, e.g. \"{example}\"")),
        _ => Problem::new(node.span, misread.to_string()).expected(shape.to_string()),
    });
    None
}

impl Setting for Duration {
    fn shape() -> Shape {
        Shape::Duration { min: Self::ZERO, max: DURATION_MAX }
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let value: Self = read(node, &Self::shape(), DURATIONS, problems)?;
        if value > DURATION_MAX {
            let message = format!("{} is longer than 100 years", node.value.describe());
            problems.push(Problem::new(node.span, message).expected(Self::shape().to_string()));
            return None;
        }
        Some(value)
    }
    fn write(&self) -> Option<Value> {
        Some(Value::Text(self.to_string()))
    }
}

impl Setting for Bytes {
    fn shape() -> Shape {
        Shape::Bytes { min: Self(0), max: Self::MAX }
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node.value {
            Value::Integer(_) => u64::read(node, problems).map(Self),
            _ => read(node, &Self::shape(), SIZES, problems),
        }
    }
    fn write(&self) -> Option<Value> {
        Some(Value::Text(self.to_string()))
    }
}

impl Setting for Rate {
    fn shape() -> Shape {
        Shape::Rate { min: Self(0), max: Self::MAX }
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        read(node, &Self::shape(), RATES, problems)
    }
    fn write(&self) -> Option<Value> {
        Some(Value::Text(self.to_string()))
    }
}

impl Setting for Probability {
    fn shape() -> Shape {
        Shape::Number { min: 0.0, max: 1.0 }
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let number = match node.value {
            Value::Integer(whole) => whole as f64,
            Value::Number(number) => number,
            _ => {
                problems.push(Problem::wrong_type(node, &Self::shape()));
                return None;
            }
        };
        let read = Self::new(number);
        if read.is_none() {
            let problem = Problem::new(node.span, format!("{} is no probability", node.value));
            problems.push(problem.expected(Self::shape().to_string()));
        }
        read
    }
    fn write(&self) -> Option<Value> {
        Some(Value::Number(self.0))
    }
}

impl Limits for Duration {
    type Bound = Self;
    fn limited(range: &RangeInclusive<Self>) -> Shape {
        Shape::Duration { min: *range.start(), max: *range.end() }
    }
    fn within(&self, range: &RangeInclusive<Self>) -> bool {
        range.contains(self)
    }
}

impl Limits for Bytes {
    type Bound = Self;
    fn limited(range: &RangeInclusive<Self>) -> Shape {
        Shape::Bytes { min: *range.start(), max: *range.end() }
    }
    fn within(&self, range: &RangeInclusive<Self>) -> bool {
        range.contains(self)
    }
}

impl Limits for Rate {
    type Bound = Self;
    fn limited(range: &RangeInclusive<Self>) -> Shape {
        Shape::Rate { min: *range.start(), max: *range.end() }
    }
    fn within(&self, range: &RangeInclusive<Self>) -> bool {
        range.contains(self)
    }
}

impl Limits for Probability {
    type Bound = f64;
    fn limited(range: &RangeInclusive<f64>) -> Shape {
        Shape::Number { min: *range.start(), max: *range.end() }
    }
    fn within(&self, range: &RangeInclusive<f64>) -> bool {
        range.contains(&self.0)
    }
}
