//! Numbers of six decimals, as counters add them: whole millionths, so that sums are exact everywhere.

use crate::contract::Json;

const DECIMALS: i32 = 6;
const UNIT: i128 = 1_000_000;

/// A canonical JSON number as millionths; `None` if it is none, has more decimals, or is out of range.
pub(super) fn read(text: &str) -> Option<i64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // No canonical number has more than 20 digits.
    let digits: i128 = format!("{whole}{part}").parse().ok()?;
    let shift = exponent.checked_add(DECIMALS)?.checked_sub(i32::try_from(part.len()).ok()?)?;
    let scale = 10_i128.checked_pow(shift.unsigned_abs())?;
    let millionths = match shift {
        0.. => digits.checked_mul(scale)?,
        _ if digits % scale == 0 => digits / scale,
        _ => return None,
    };
    i64::try_from(millionths).ok()
}

/// Millionths as a canonical JSON number: exact while a binary64 is.
pub(super) fn write(millionths: i128) -> String {
    if millionths % UNIT == 0 && i64::try_from(millionths / UNIT).is_ok() {
        return (millionths / UNIT).to_string();
    }
    let (sign, size) = (if millionths < 0 { "-" } else { "" }, millionths.unsigned_abs());
    let (whole, part) = (size / UNIT.unsigned_abs(), size % UNIT.unsigned_abs());
    Json::parse(&format!("{sign}{whole}.{part:06}"))
        .map_or_else(|_| "0".to_owned(), |json| json.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn millionths_are_exact_or_refused() {
        for (text, millionths) in [
            ("0", Some(0)),
            ("-3", Some(-3_000_000)),
            ("1.5", Some(1_500_000)),
            ("1e-6", Some(1)),
            ("2.5e-5", Some(25)),
            ("1e-7", None),
            ("0.1234567", None),
            ("1e+20", None),
            ("9223372036854", Some(9_223_372_036_854_000_000)),
            ("9223372036855", None),
            ("\"1\"", None),
            ("1e2147483647", None),
            ("1e-2147483648", None),
        ] {
            assert_eq!(read(text), millionths, "{text}");
        }
        for (millionths, text) in
            [(0, "0"), (-1_500_000, "-1.5"), (1, "1e-6"), (100_000, "0.1"), (-7_000_000, "-7")]
        {
            assert_eq!(write(millionths), text);
            assert_eq!(read(text).map(i128::from), Some(millionths));
        }
    }
}
