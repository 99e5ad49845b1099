//! The values of a sweep by their bounds: numbers, durations, sizes and rates alike.

use seedbed_core::contract::Duration;
use seedbed_core::settings;
use seedbed_core::settings::{Bytes, Node, Rate, Span, Value};

use super::sweep::POINTS_MAX;

settings! {
    /// Values from a first to a last, numbers or quantities alike. Says one of `step`, `count` and `per_decade`.
    ///
    /// Values on a logarithmic scale are rounded to four significant digits, all but the bounds.
    pub struct Range {
        /// The first value.
        pub from: Node;
        /// The last value, if the steps meet it.
        pub to: Node;
        /// From each value to the next.
        pub step: Option<Node> = None;
        /// How many values, first and last included.
        pub count: Option<u32> = None, in 2..=POINTS_MAX as u32;
        /// How many values for each factor of ten, equal factors apart.
        pub per_decade: Option<u32> = None, in 1..=1_000;
        /// Whether the values of `count` are equal factors apart, not equal steps.
        pub log: bool = false;
    }
    verify = Range::consistent;
}

/// A number or a quantity, as a whole number of its smallest unit if it has one.
#[derive(Clone, Copy)]
enum Amount {
    Whole(i128, Unit),
    Real(f64),
}

#[derive(Clone, Copy, PartialEq)]
enum Unit {
    One,
    Nanosecond,
    Byte,
    BitPerSecond,
}

impl Amount {
    fn of(node: &Node) -> Option<Self> {
        let whole = |value: u64, unit| Some(Self::Whole(value.into(), unit));
        match &node.value {
            Value::Integer(value) => Some(Self::Whole((*value).into(), Unit::One)),
            Value::Number(value) if value.is_finite() => Some(Self::Real(*value)),
            Value::Text(text) => None
                .or_else(|| whole(text.parse::<Duration>().ok()?.as_nanos(), Unit::Nanosecond))
                .or_else(|| whole(text.parse::<Bytes>().ok()?.0, Unit::Byte))
                .or_else(|| whole(text.parse::<Rate>().ok()?.0, Unit::BitPerSecond)),
            _ => None,
        }
    }

    fn value(self) -> f64 {
        match self {
            Self::Whole(value, _) => value as f64,
            Self::Real(value) => value,
        }
    }

    /// Nearest to `value`, of the same kind as this one.
    fn nearest(self, value: f64) -> Self {
        match self {
            Self::Whole(_, unit) => Self::Whole(libm::round(value) as i128, unit),
            Self::Real(_) => Self::Real(value),
        }
    }

    fn write(self) -> Value {
        match self {
            Self::Whole(value, Unit::One) => Value::Integer(value as i64),
            Self::Whole(value, Unit::Nanosecond) => {
                Value::Text(Duration::from_nanos(value as u64).to_string())
            }
            Self::Whole(value, Unit::Byte) => Value::Text(Bytes(value as u64).to_string()),
            Self::Whole(value, Unit::BitPerSecond) => Value::Text(Rate(value as u64).to_string()),
            Self::Real(value) => Value::Number(value),
        }
    }
}

/// The nearest number of so many significant decimal digits.
fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.*e}", digits - 1).parse().unwrap_or(value)
}

impl Range {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        self.amounts().map(|_| ())
    }

    /// The values as they would be written at `span`; none if the range is not consistent.
    pub(super) fn nodes(&self, span: Span) -> Vec<Node> {
        let mut nodes: Vec<_> = self.amounts().into_iter().flatten().map(Amount::write).collect();
        nodes.dedup();
        nodes.into_iter().map(|value| Node { span, value }).collect()
    }

    fn amounts(&self) -> Result<Vec<Amount>, (&'static str, String)> {
        let read = |key, node: &Node| match Amount::of(node) {
            Some(amount) => Ok(amount),
            None => Err((key, "is neither a number nor a quantity such as \"150ms\"".to_string())),
        };
        let (from, to) = alike(read("from", &self.from)?, read("to", &self.to)?, "to")?;
        if to.value() < from.value() {
            return Err(("to", "is below `from`: the sweep would run nothing".into()));
        }
        let logarithmic = self.log || self.per_decade.is_some();
        if logarithmic && from.value() <= 0.0 {
            return Err(("from", "must be above 0 on a logarithmic scale".into()));
        }
        match (&self.step, self.count, self.per_decade) {
            (Some(_), None, None) if self.log => Err(("log", "goes with `count` only".into())),
            (Some(step), None, None) => stepped(from, to, read("step", step)?),
            (None, Some(count), None) => counted(from, to, count, self.log),
            (None, None, Some(per_decade)) => decades(from, to, per_decade),
            (None, None, None) => {
                Err(("to", "says not how many: add `step`, `count` or `per_decade`".into()))
            }
            _ => Err((
                "from",
                "has two ways to go on: `step`, `count` and `per_decade` exclude each other".into(),
            )),
        }
    }
}

/// The two, of one kind; `key` is to blame if they are not.
fn alike(one: Amount, other: Amount, key: &'static str) -> Result<(Amount, Amount), (&'static str, String)> {
    match (one, other) {
        (Amount::Whole(_, a), Amount::Whole(_, b)) if a == b => Ok((one, other)),
        (Amount::Real(_) | Amount::Whole(_, Unit::One), Amount::Real(_) | Amount::Whole(_, Unit::One)) => {
            Ok((Amount::Real(one.value()), Amount::Real(other.value())))
        }
        _ => Err((key, "is of another kind than `from`".into())),
    }
}

fn stepped(from: Amount, to: Amount, step: Amount) -> Result<Vec<Amount>, (&'static str, String)> {
    let (from, step) = alike(from, step, "step")?;
    if step.value() <= 0.0 {
        return Err(("step", "must be above 0".into()));
    }
    // A last value that only rounding puts beyond the end still belongs.
    let steps = (to.value() - from.value()) / step.value() + 1e-9;
    if steps >= POINTS_MAX as f64 {
        return Err(("step", format!("is too small: that makes more than {POINTS_MAX} values")));
    }
    let amount = |index: u64| match (from, step) {
        (Amount::Whole(from, unit), Amount::Whole(step, _)) => {
            Amount::Whole(from + step * i128::from(index), unit)
        }
        _ => Amount::Real(rounded(from.value() + step.value() * index as f64, 12)),
    };
    Ok((0..=steps as u64).map(amount).collect())
}

fn counted(from: Amount, to: Amount, count: u32, log: bool) -> Result<Vec<Amount>, (&'static str, String)> {
    let last = f64::from(count - 1);
    let between = |index: u32| match (f64::from(index) / last, log) {
        (part, true) => rounded(from.value() * libm::pow(to.value() / from.value(), part), 4),
        (part, false) => rounded(from.value() + (to.value() - from.value()) * part, 12),
    };
    let inner = (1..count - 1).map(|index| from.nearest(between(index)));
    let amounts: Vec<Amount> = std::iter::once(from).chain(inner).chain(std::iter::once(to)).collect();
    match amounts.windows(2).any(|pair| pair[0].value() >= pair[1].value()) {
        false => Ok(amounts),
        true if from.value() == to.value() => Err(("to", "is `from`: that is one value, not several".into())),
        true => Err((
            "count",
            "makes whole values that fall together; write bounds such as 0.0 and 1.0 for values between"
                .into(),
        )),
    }
}

fn decades(from: Amount, to: Amount, per_decade: u32) -> Result<Vec<Amount>, (&'static str, String)> {
    let mut amounts = vec![from];
    for index in 1.. {
        let value = rounded(from.value() * libm::pow(10.0, f64::from(index) / f64::from(per_decade)), 4);
        if value > to.value() * (1.0 + 1e-9) {
            break;
        }
        if amounts.len() == POINTS_MAX {
            return Err(("per_decade", format!("makes more than {POINTS_MAX} values")));
        }
        amounts.push(from.nearest(value));
    }
    Ok(amounts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Axis, Document, expand};

    settings! {
        /// A sweep, and nothing else.
        struct Swept {
            /// The axes.
            sweep: Vec<Axis>;
        }
    }

    /// The labels of a sweep along one range.
    fn along(range: &str) -> Vec<String> {
        let text = format!("sweep = [{{ key = \"x\", range = {{ {range} }} }}]");
        let swept: Swept = Document::parse("file.toml", &text).unwrap().read().unwrap();
        let points = expand(&swept.sweep).unwrap();
        points.into_iter().map(|mut point| point.labels.remove(0).1).collect()
    }

    #[test]
    fn ranges_run_through_numbers_and_quantities_alike() {
        assert_eq!(along("from = 1, to = 10, step = 4"), ["1", "5", "9"]);
        assert_eq!(along("from = 0, to = 0.3, step = 0.1"), ["0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(along("from = 0.5, to = 2, count = 4"), ["0.5", "1.0", "1.5", "2.0"]);
        assert_eq!(
            along("from = \"50ms\", to = \"0.2s\", step = \"50ms\""),
            ["50ms", "100ms", "150ms", "200ms"]
        );
        assert_eq!(along("from = \"1MB\", to = \"3MB\", count = 3"), ["1MB", "2MB", "3MB"]);
        assert_eq!(along("from = \"1Mbit/s\", to = \"1Gbit/s\", per_decade = 1").len(), 4);
        assert_eq!(
            along("from = 1, to = 1000, per_decade = 3"),
            ["1", "2", "5", "10", "22", "46", "100", "215", "464", "1000"]
        );
        assert_eq!(
            along("from = \"1ms\", to = \"10ms\", per_decade = 3"),
            ["1ms", "2.154ms", "4.642ms", "10ms"]
        );
        assert_eq!(along("from = 0.001, to = 1, count = 4, log = true"), ["0.001", "0.01", "0.1", "1.0"]);
        // Whole numbers that fall together are one value.
        assert_eq!(along("from = 1, to = 10, per_decade = 20").len(), 10);
        assert_eq!(along("from = 7, to = 7, step = 1"), ["7"]);
    }

    #[test]
    fn as_many_values_are_made_as_are_asked_for() {
        let refused = |range: &str| {
            let text = format!("sweep = [{{ key = \"x\", range = {{ {range} }} }}]");
            Document::parse("file.toml", &text).unwrap().read::<Swept>().unwrap_err().to_string()
        };
        assert!(refused("from = 0, to = 1, count = 5").contains("write bounds such as 0.0 and 1.0"));
        assert!(refused("from = 1, to = 3, count = 9, log = true").contains("`count` makes whole values"));
        assert!(refused("from = 7.0, to = 7.0, count = 2").contains("`to` is `from`"));
        assert_eq!(along("from = 0.0, to = 1, count = 5"), ["0.0", "0.25", "0.5", "0.75", "1.0"]);
        assert_eq!(along("from = 3, to = 10, count = 3"), ["3", "7", "10"]);
    }
}
