//! Numbers that decide something: whole billionths, so that sums and comparisons are exact everywhere.

use serde::{Deserialize, Serialize};

/// A number of 0 or more, in billionths. What does not fit is the nearest that does.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Fixed(pub u64);

const UNIT: u128 = 1_000_000_000;

impl Fixed {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(UNIT as u64);

    /// The nearest to a number that a person wrote; 0 for less than that and for what is no number.
    #[must_use]
    pub fn of(value: f64) -> Self {
        Self((value * UNIT as f64).round() as u64)
    }

    /// For people to read; nothing is decided by it.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }

    /// The sum.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, at least 0.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The product, rounded down.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        Self::fit(u128::from(self.0) * u128::from(other.0) / UNIT)
    }

    /// The quotient, rounded down. Divided by 0, even 0 is the most there is.
    #[must_use]
    pub fn per(self, other: Self) -> Self {
        (u128::from(self.0) * UNIT).checked_div(u128::from(other.0)).map_or(Self(u64::MAX), Self::fit)
    }

    fn fit(billionths: u128) -> Self {
        Self(u64::try_from(billionths).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_what_does_not_fit_is_the_nearest_that_does() {
        assert_eq!(Fixed::of(0.6), Fixed(600_000_000));
        assert_eq!(Fixed::of(0.1).plus(Fixed::of(0.2)), Fixed::of(0.3));
        assert_eq!([Fixed::of(-1.0), Fixed::of(f64::NAN)], [Fixed::ZERO; 2]);
        assert_eq!(Fixed::of(1e300), Fixed(u64::MAX));
        assert_eq!(Fixed::ONE.minus(Fixed::of(1.5)), Fixed::ZERO);
        assert_eq!(Fixed::of(1.5).times(Fixed::of(0.5)), Fixed::of(0.75));
        assert_eq!(Fixed::ONE.per(Fixed::of(3.0)), Fixed(333_333_333));
        assert_eq!(Fixed::ZERO.per(Fixed::ZERO), Fixed(u64::MAX));
        assert_eq!(Fixed(u64::MAX).times(Fixed(u64::MAX)), Fixed(u64::MAX));
    }
}
