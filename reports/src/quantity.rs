//! Swept values are text, as their author wrote them: `150ms`, `1MiB`, `0.3`, `raft`. Those that are
//! quantities stand on an axis at their value, not at equal steps.

use std::cmp::Ordering;

/// What a quantity measures; quantities of different dimensions do not share an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// A plain number or a percentage.
    Number,
    /// Time, in seconds.
    Time,
    /// Sizes, in bytes.
    Size,
    /// Rates, in bits per second.
    Rate,
}

/// A number with a unit, as read from text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// What it measures.
    pub dimension: Dimension,
    /// Its value in the base unit: seconds, bytes, bits per second.
    pub base: f64,
    /// The unit it was written in; empty for plain numbers.
    pub unit: &'static str,
    /// How many base units make one of that unit.
    pub factor: f64,
}

const UNITS: &[(&str, Dimension, f64)] = &[
    ("", Dimension::Number, 1.0),
    ("%", Dimension::Number, 0.01),
    ("ns", Dimension::Time, 1e-9),
    ("us", Dimension::Time, 1e-6),
    ("µs", Dimension::Time, 1e-6),
    ("ms", Dimension::Time, 1e-3),
    ("s", Dimension::Time, 1.0),
    ("min", Dimension::Time, 60.0),
    ("m", Dimension::Time, 60.0),
    ("h", Dimension::Time, 3600.0),
    ("d", Dimension::Time, 86400.0),
    ("B", Dimension::Size, 1.0),
    ("kB", Dimension::Size, 1e3),
    ("KB", Dimension::Size, 1e3),
    ("MB", Dimension::Size, 1e6),
    ("GB", Dimension::Size, 1e9),
    ("TB", Dimension::Size, 1e12),
    ("KiB", Dimension::Size, 1024.0),
    ("MiB", Dimension::Size, 1048576.0),
    ("GiB", Dimension::Size, 1073741824.0),
    ("TiB", Dimension::Size, 1099511627776.0),
    ("bit/s", Dimension::Rate, 1.0),
    ("kbit/s", Dimension::Rate, 1e3),
    ("Mbit/s", Dimension::Rate, 1e6),
    ("Gbit/s", Dimension::Rate, 1e9),
    ("kbps", Dimension::Rate, 1e3),
    ("Mbps", Dimension::Rate, 1e6),
    ("Gbps", Dimension::Rate, 1e9),
];

impl Quantity {
    /// Reads `20ms`, `1.5 s`, `1MiB`, `0.3`, `1e6`, `30%`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Quantity> {
        let text = text.trim();
        let (number, unit) =
            text.char_indices().map(|(at, _)| at).chain([text.len()]).rev().find_map(|at| {
                let (number, unit) = text.split_at(at);
                let number = number.trim_end();
                let ends_in_digit = number.ends_with(|c: char| c.is_ascii_digit() || c == '.');
                ends_in_digit.then(|| number.parse::<f64>().ok()).flatten().map(|value| (value, unit.trim()))
            })?;
        let &(unit, dimension, factor) = UNITS.iter().find(|(name, ..)| *name == unit)?;
        let base = number * factor;
        base.is_finite().then_some(Quantity { dimension, base, unit, factor })
    }

    /// All of the texts as quantities of one dimension, in the first one's unit, with that unit.
    pub fn parse_all<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<(Vec<f64>, &'static str)> {
        let all: Vec<Quantity> = texts.into_iter().map(Quantity::parse).collect::<Option<_>>()?;
        let first = *all.first()?;
        let same = all.iter().all(|quantity| quantity.dimension == first.dimension);
        same.then(|| (all.iter().map(|quantity| quantity.in_unit_of(&first)).collect(), first.unit))
    }

    fn in_unit_of(&self, other: &Quantity) -> f64 {
        if self.factor == other.factor { self.base / self.factor } else { self.base / other.factor }
    }
}

/// The order in which people list such texts: quantities first, by dimension and value; then words, those
/// with numbers in them by these numbers (`node2` before `node10`). A total order.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let by_value = match (Quantity::parse(a), Quantity::parse(b)) {
        (Some(x), Some(y)) => x.dimension.cmp(&y.dimension).then(x.base.total_cmp(&y.base)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => pieces(a).cmp(pieces(b)),
    };
    by_value.then_with(|| a.cmp(b))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Piece<'t> {
    Number(u128),
    Word(&'t str),
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_digit = rest.chars().next()?.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != is_digit).unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        Some(piece.parse().map(Piece::Number).unwrap_or(Piece::Word(piece)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_with_their_unit() {
        let read = |text| Quantity::parse(text).map(|q| (q.base, q.unit));
        assert_eq!(read("20ms"), Some((0.02, "ms")));
        assert_eq!(read("1.5 s"), Some((1.5, "s")));
        assert_eq!(read("1MiB"), Some((1048576.0, "MiB")));
        assert_eq!(read("1e6"), Some((1e6, "")));
        assert_eq!(read("0.3"), Some((0.3, "")));
        assert_eq!(read("-2"), Some((-2.0, "")));
        for word in ["raft", "", "ms", "150ms..300ms", "inf", "NaN", "infs", "1 2", "1e999", "12 parsecs"] {
            assert_eq!(read(word), None, "{word}");
        }
    }

    #[test]
    fn one_axis_has_one_unit() {
        assert_eq!(Quantity::parse_all(["150ms", "1s"]), Some((vec![150.0, 1000.0], "ms")));
        assert_eq!(Quantity::parse_all(["150ms", "1MiB"]), None);
        assert_eq!(Quantity::parse_all([]), None);
    }

    #[test]
    fn order_is_the_readers() {
        let mut words = vec!["node10", "node2", "1s", "150ms", "20ms", "raft"];
        words.sort_by(|a, b| natural_order(a, b));
        assert_eq!(words, ["20ms", "150ms", "1s", "node2", "node10", "raft"]);
    }
}
