//! Numbers for people: as many digits as their uncertainty deserves.

use crate::chart::grouped;
use crate::stats::Interval;

/// A number with about four significant digits.
pub(crate) fn plain(value: f64) -> String {
    let text = with_decimals(value, 3 - exponent(value));
    if text.contains('.') && !text.contains('e') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

/// A mean and half the width of its interval: `412.3 ± 8.1`, the last to two significant digits.
pub(crate) fn measured(mean: f64, interval: Option<Interval>) -> String {
    let Some(interval) = interval else { return plain(mean) };
    let half = (interval.high - interval.low) / 2.0;
    if half <= mean.abs() * 1e-12 {
        return format!("{} ± 0", plain(mean));
    }
    let decimals = 1 - exponent(half);
    format!("{} ± {}", with_decimals(mean, decimals), with_decimals(half, decimals))
}

/// A value with the ends of its interval: `950 [910, 1010]`.
pub(crate) fn ranged(value: f64, interval: Option<Interval>) -> String {
    let Some(interval) = interval else { return plain(value) };
    let decimals = 2 - exponent(value.abs().max(interval.high.abs()));
    let text = |value| with_decimals(value, decimals);
    format!("{} [{}, {}]", text(value), text(interval.low), text(interval.high))
}

/// The exponent of the first digit; that of 1 for zero.
fn exponent(value: f64) -> i32 {
    if value == 0.0 { 0 } else { libm::log10(value.abs()).floor() as i32 }
}

fn with_decimals(value: f64, decimals: i32) -> String {
    if value != 0.0 && (value.abs() >= 1e9 || value.abs() < 1e-6) {
        return format!("{value:.2e}");
    }
    grouped(&format!("{value:.*}", decimals.clamp(0, 9) as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_follow_the_uncertainty() {
        let interval = |low, high| Some(Interval { low, high });
        assert_eq!(measured(412.345, interval(404.2, 420.4)), "412.3 ± 8.1");
        assert_eq!(measured(0.98765, interval(0.986, 0.9893)), "0.9877 ± 0.0016");
        assert_eq!(measured(123456.0, interval(122456.0, 124456.0)), "123\u{2009}456 ± 1000");
        assert_eq!(measured(0.919, interval(0.9133, 0.9247)), "0.9190 ± 0.0057");
        assert_eq!(measured(5.0, interval(5.0, 5.0)), "5 ± 0");
        assert_eq!(measured(5.25, None), "5.25");
        assert_eq!(ranged(950.4, interval(910.0, 1010.0)), "950 [910, 1010]");
        assert_eq!([0.0, 1e300, 1234.0, 0.25].map(plain), ["0", "1.00e300", "1234", "0.25"]);
    }
}
