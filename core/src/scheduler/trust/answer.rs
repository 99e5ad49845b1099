//! What workers answer, and which answers are the same.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::book::Identity;
use super::fixed::Fixed;
use super::parameters::{Comparison, Parameters};
use crate::contract::BlobId;
use crate::written;

/// The longest answer that is compared by its contents, in bytes. Longer ones are compared exactly.
pub const ANSWER_BYTES_MAX: usize = 65_536;
/// The most numbers of one answer that is compared by tolerance.
pub const NUMBERS_MAX: usize = 4_096;

/// An answer, as far as its comparator needs it. Made by [`Comparator::read`].
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Answer {
    /// Empty, or nothing that the comparator can read. It agrees with no answer, not even with its like.
    Nothing,
    /// Known by its content address alone.
    Hash(BlobId),
    /// Numbers in a row.
    Numbers(Box<[Decimal]>),
    /// As it came.
    Bytes(Bytes),
}

/// A number of up to nine decimals and less than 10^19, such as `-12.5`: whole billionths. Encoded as it is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(into = "String", try_from = "String")]
pub struct Decimal(i128);

const DECIMALS: usize = 9;
const UNIT: i128 = 1_000_000_000;
const WHOLE_DIGITS_MAX: usize = 19;

impl Decimal {
    /// The greatest. Its negative is the least.
    pub const MAX: Self = Self(10_i128.pow((WHOLE_DIGITS_MAX + DECIMALS) as u32) - 1);

    /// So many billionths; the nearest bound for more than fit.
    #[must_use]
    pub const fn billionths(billionths: i128) -> Self {
        match billionths {
            too_much if too_much > Self::MAX.0 => Self::MAX,
            too_little if too_little < -Self::MAX.0 => Self(-Self::MAX.0),
            fitting => Self(fitting),
        }
    }

    /// In billionths.
    #[must_use]
    pub const fn as_billionths(self) -> i128 {
        self.0
    }
}

/// What was written is no [`Decimal`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a number of at most nine decimals below 10^19")]
pub struct NoDecimal;

impl FromStr for Decimal {
    type Err = NoDecimal;

    fn from_str(text: &str) -> Result<Self, NoDecimal> {
        let (negative, size) = match text.strip_prefix('-') {
            Some(size) => (true, size),
            None => (false, text),
        };
        let (whole, part) = size.split_once('.').unwrap_or((size, "0"));
        let digits = |text: &str, most| {
            !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, WHOLE_DIGITS_MAX) || !digits(part, DECIMALS) {
            return Err(NoDecimal);
        }
        let billionths: i128 = format!("{whole}{part:0<DECIMALS$}").parse().map_err(|_| NoDecimal)?;
        Ok(Self(if negative { -billionths } else { billionths }))
    }
}

impl TryFrom<String> for Decimal {
    type Error = NoDecimal;

    fn try_from(text: String) -> Result<Self, NoDecimal> {
        text.parse()
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> Self {
        decimal.to_string()
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, size) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (whole, part) = (size / UNIT.unsigned_abs(), size % UNIT.unsigned_abs());
        let part = format!("{part:0DECIMALS$}");
        match part.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            part => write!(f, "{sign}{whole}.{part}"),
        }
    }
}

written! { Decimal: "a text with a number of at most nine decimals, such as \"0.001\"" }

/// How far two numbers may be apart to be the same: by `absolute`, and `relative` of the larger of their sizes on top.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Tolerance {
    /// Whatever the numbers are.
    pub absolute: Decimal,
    /// A share of the larger of their sizes, at most one.
    pub relative: Fixed,
}

impl Tolerance {
    fn holds(self, one: Decimal, other: Decimal) -> bool {
        let apart = (one.0 - other.0).unsigned_abs();
        let size = one.0.unsigned_abs().max(other.0.unsigned_abs());
        let relative = u128::from(self.relative.min(Fixed::ONE).0);
        // At most 10^28 times 10^9: it fits. Rounded down once, for all.
        apart <= self.absolute.0.max(0).unsigned_abs() + size * relative / UNIT.unsigned_abs()
    }
}

/// Which answers are the same.
///
/// It belongs to the configuration, not to the state: a function cannot be logged.
#[derive(Clone, Copy, Debug, Default)]
pub enum Comparator {
    /// The same bytes; long ones are known by their hash.
    #[default]
    Exact,
    /// As many numbers, each within the tolerance of its counterpart. The text holds [`Decimal`]s, with commas, spaces
    /// or line ends between them; any other text is no answer.
    Tolerance(Tolerance),
    /// What a function says of two answers as they came.
    User(fn(&[u8], &[u8]) -> bool),
}

/// Answers that are the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// Whose answer stands for the group: all the others agree with it.
    pub centre: Identity,
    /// Whose answers these are, in ascending order.
    pub members: Vec<Identity>,
}

impl Comparator {
    /// As parameters say.
    #[must_use]
    pub fn of(parameters: &Parameters) -> Self {
        let Parameters { absolute, relative, .. } = parameters;
        match parameters.compare {
            Comparison::Exact => Self::Exact,
            Comparison::Tolerance => {
                Self::Tolerance(Tolerance { absolute: *absolute, relative: Fixed::of(relative.value()) })
            }
        }
    }

    /// What is kept of an answer. Empty bytes are [`Answer::Nothing`], and so is what cannot be read or is too long.
    #[must_use]
    pub fn read(&self, bytes: &[u8]) -> Answer {
        if bytes.is_empty() {
            return Answer::Nothing;
        }
        match self {
            Self::Exact if bytes.len() <= ANSWER_BYTES_MAX => Answer::Bytes(Bytes::copy_from_slice(bytes)),
            Self::Exact => Answer::Hash(BlobId(*blake3::hash(bytes).as_bytes())),
            Self::Tolerance(_) => numbers(bytes).map_or(Answer::Nothing, Answer::Numbers),
            Self::User(_) if bytes.len() > ANSWER_BYTES_MAX => Answer::Nothing,
            Self::User(_) => Answer::Bytes(Bytes::copy_from_slice(bytes)),
        }
    }

    /// Whether the second answer agrees with the first.
    ///
    /// It need not be transitive: 1.0 may agree with 1.1 and 1.1 with 1.2, but 1.0 not with 1.2.
    #[must_use]
    pub fn agree(&self, one: &Answer, other: &Answer) -> bool {
        match (self, one, other) {
            (_, Answer::Nothing, _) | (_, _, Answer::Nothing) => false,
            (Self::Tolerance(tolerance), Answer::Numbers(one), Answer::Numbers(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| tolerance.holds(*one, *other))
            }
            (Self::User(same), Answer::Bytes(one), Answer::Bytes(other)) => one == other || same(one, other),
            _ => one == other,
        }
    }

    /// Puts answers into groups, the largest first. Each worker has one.
    ///
    /// Since agreement need not be transitive, a group is an answer, its centre, with all that agree with it: the centre
    /// with which most agree, of these the least answer, takes its group out; so on with the rest. So the groups depend on
    /// the answers alone, not on their order, and a chain of answers, each a little off, does not become one group.
    /// Whoever errs by at most half the tolerance agrees with everybody who does.
    #[must_use]
    pub fn groups(&self, answers: &[(Identity, &Answer)]) -> Vec<Group> {
        // What most tasks come to.
        if let [(who, answer)] = answers
            && **answer != Answer::Nothing
        {
            return vec![Group { centre: *who, members: vec![*who] }];
        }
        let mut rest: Vec<_> =
            answers.iter().filter(|(_, answer)| **answer != Answer::Nothing).copied().collect();
        rest.sort_unstable_by_key(|&(who, answer)| (answer, who));
        let mut groups = Vec::new();
        // The last of the greatest is taken: backwards, that is the least answer.
        while let Some((centre, answer)) = rest
            .iter()
            .rev()
            .copied()
            .max_by_key(|(_, centre)| rest.iter().filter(|(_, other)| self.agree(centre, other)).count())
        {
            let (taken, left): (Vec<_>, Vec<_>) =
                rest.into_iter().partition(|&(who, other)| who == centre || self.agree(answer, other));
            let mut members: Vec<_> = taken.into_iter().map(|(who, _)| who).collect();
            members.sort_unstable();
            groups.push(Group { centre, members });
            rest = left;
        }
        groups
    }
}

fn numbers(bytes: &[u8]) -> Option<Box<[Decimal]>> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= ANSWER_BYTES_MAX)?;
    let mut numbers = Vec::new();
    for word in text.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
        if numbers.len() == NUMBERS_MAX {
            return None;
        }
        numbers.push(word.parse().ok()?);
    }
    (!numbers.is_empty()).then(|| numbers.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn within(absolute: &str, relative: f64) -> Comparator {
        let absolute = absolute.parse().expect("a number");
        Comparator::Tolerance(Tolerance { absolute, relative: Fixed::of(relative) })
    }

    fn grouped(comparator: Comparator, texts: &[&str]) -> Vec<Group> {
        let answers: Vec<Answer> = texts.iter().map(|text| comparator.read(text.as_bytes())).collect();
        let named: Vec<_> = (0..).map(Identity).zip(&answers).collect();
        comparator.groups(&named)
    }

    /// Who is with whom, in ascending order.
    fn parties(comparator: Comparator, texts: &[&str]) -> Vec<Vec<u64>> {
        let groups = grouped(comparator, texts).into_iter();
        let mut parties: Vec<Vec<u64>> =
            groups.map(|group| group.members.into_iter().map(|who| who.0).collect()).collect();
        parties.sort_unstable();
        parties
    }

    #[test]
    fn decimals_are_read_exactly_or_refused() {
        for (text, billionths) in [
            ("0", Some(0)),
            ("-0.5", Some(-500_000_000)),
            ("007", Some(7_000_000_000)),
            ("0.000000001", Some(1)),
            ("9999999999999999999.999999999", Some(Decimal::MAX.as_billionths())),
            ("10000000000000000000", None),
            ("0.0000000001", None),
            ("", None),
            ("-", None),
            (".5", None),
            ("5.", None),
            ("+5", None),
            ("1e3", None),
            ("--1", None),
            ("1.-5", None),
            ("\u{661}", None),
        ] {
            let read: Option<Decimal> = text.parse().ok();
            assert_eq!(read.map(Decimal::as_billionths), billionths, "{text}");
        }
    }

    #[test]
    fn answers_group_by_bytes_by_numbers_or_as_a_function_says() {
        let texts = ["1.0", "1.05", "", "one", "1.0", "-1 ", "1.0 2"];
        assert_eq!(parties(Comparator::Exact, &texts), [vec![0, 4], vec![1], vec![3], vec![5], vec![6]]);
        assert_eq!(parties(within("0.05", 0.0), &texts), [vec![0, 1, 4], vec![5], vec![6]]);
        assert_eq!(parties(within("0.04", 0.0), &texts), [vec![0, 4], vec![1], vec![5], vec![6]]);
        // 1.05 may be 0.05 more than 1, because that is less than 5 % of the larger.
        assert_eq!(parties(within("0", 0.05), &texts), [vec![0, 1, 4], vec![5], vec![6]]);
        let as_long = Comparator::User(|one, other| one.len() == other.len());
        assert_eq!(parties(as_long, &texts), [vec![0, 3, 4, 5], vec![1], vec![6]]);
    }

    #[test]
    fn a_chain_of_answers_each_a_little_off_is_not_one_group() {
        // 1.1 agrees with both its neighbours, and 1.2 with two of the others; nobody with all.
        let groups = grouped(within("0.1", 0.0), &["1.3", "1.1", "1.0", "1.2"]);
        assert_eq!(groups[0], Group { centre: Identity(1), members: [1, 2, 3].map(Identity).into() });
        assert_eq!(groups[1], Group { centre: Identity(0), members: vec![Identity(0)] });
    }

    #[test]
    fn what_is_too_long_or_cannot_be_read_is_no_answer() {
        let many = "1 ".repeat(NUMBERS_MAX + 1);
        let long = "1".repeat(ANSWER_BYTES_MAX + 1);
        for text in ["", " , ", "1 x", "1;2", &many, &long] {
            assert_eq!(within("1", 0.0).read(text.as_bytes()), Answer::Nothing);
        }
        assert_eq!(within("1", 0.0).read(b"\xff"), Answer::Nothing);
        assert_eq!(Comparator::User(|_, _| true).read(long.as_bytes()), Answer::Nothing);
        assert!(!Comparator::User(|_, _| true).agree(&Answer::Nothing, &Answer::Nothing));
        // By their hash, answers of any length are compared.
        assert!(matches!(Comparator::Exact.read(long.as_bytes()), Answer::Hash(_)));
    }

    proptest! {
        #[test]
        fn a_decimal_is_read_back_as_it_was(billionths in any::<i128>()) {
            let decimal = Decimal::billionths(billionths);
            prop_assert_eq!(decimal.to_string().parse(), Ok(decimal));
            let bytes = postcard::to_allocvec(&decimal).expect("it encodes");
            prop_assert_eq!(postcard::from_bytes::<Decimal>(&bytes), Ok(decimal));
        }

        #[test]
        fn who_errs_by_half_the_tolerance_is_in_one_group_however_many_lie_apart(
            honest in prop::collection::vec(-50_i128..=50, 3..8),
            lies in prop::collection::vec(1_000_i128..2_000, 0..3),
        ) {
            let comparator = within("0.0000001", 0.0);
            let numbers: Vec<String> =
                honest.iter().chain(&lies).map(|off| Decimal::billionths(7 + off).to_string()).collect();
            let texts: Vec<&str> = numbers.iter().map(String::as_str).collect();
            let all: Vec<Identity> = (0..honest.len() as u64).map(Identity).collect();
            prop_assert_eq!(&grouped(comparator, &texts)[0].members, &all);
        }

        #[test]
        fn every_answer_is_in_one_group_whatever_the_order(
            (values, shuffled) in prop::collection::vec(0_u8..12, 0..10).prop_flat_map(|values| {
                let order: Vec<usize> = (0..values.len()).collect();
                (Just(values), Just(order).prop_shuffle())
            }),
            tolerance in 0_u8..4,
        ) {
            let comparator = within(&tolerance.to_string(), 0.0);
            let answers: Vec<Answer> =
                values.iter().map(|value| comparator.read(value.to_string().as_bytes())).collect();
            let named: Vec<_> = (0..).map(Identity).zip(&answers).collect();
            let groups = comparator.groups(&named);
            let disordered: Vec<_> = shuffled.iter().map(|at| named[*at]).collect();
            prop_assert_eq!(&comparator.groups(&disordered), &groups);

            let mut members: Vec<Identity> = groups.iter().flat_map(|group| group.members.clone()).collect();
            members.sort_unstable();
            prop_assert_eq!(members, named.iter().map(|(who, _)| *who).collect::<Vec<_>>());
            prop_assert!(groups.is_sorted_by_key(|group| std::cmp::Reverse(group.members.len())));
            for group in &groups {
                let value = |who: &Identity| values[who.0 as usize];
                prop_assert!(group.members.iter().all(|who| value(who).abs_diff(value(&group.centre)) <= tolerance));
            }
        }
    }
}
