//! One axis: from values to a fraction of its length, with ticks at round numbers.

/// How an axis maps values.
#[derive(Clone, Debug, PartialEq)]
enum Scale {
    Linear,
    Log,
    /// One band per category, the value being the category's index.
    Bands,
}

/// An axis with its ticks and label.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    scale: Scale,
    from: f64,
    to: f64,
    /// Values and what is written at them.
    pub(super) ticks: Vec<(f64, String)>,
    pub(super) label: String,
}

/// What an axis must show beyond the data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Zero {
    /// Zero, because lengths are compared.
    Always,
    /// Zero, unless the data are far from it.
    IfNear,
    /// Exactly the range of the data.
    Never,
}

const TICKS_WANTED: f64 = 6.0;
/// The share of a logarithmic axis that may be empty at one end, so that it ends at a tick.
const EMPTY_MAX: f64 = 1.0 / 6.0;

impl Axis {
    /// An axis over all of the values; those that a logarithm cannot show are left out.
    pub(super) fn over(
        values: impl IntoIterator<Item = f64>,
        is_log: bool,
        zero: Zero,
        label: String,
    ) -> Axis {
        let shown = values.into_iter().filter(|value| value.is_finite() && (!is_log || *value > 0.0));
        let range = shown.fold(None, |range, value| match range {
            None => Some((value, value)),
            Some((low, high)) => Some((value.min(low), value.max(high))),
        });
        if is_log {
            return Axis::log(range.unwrap_or((1.0, 10.0)), zero, label);
        }
        Axis::linear(range.unwrap_or((0.0, 1.0)), zero, label)
    }

    fn linear((mut low, mut high): (f64, f64), zero: Zero, label: String) -> Axis {
        let is_near = low <= 0.3 * high && high > 0.0;
        if low > 0.0 && (zero == Zero::Always || zero == Zero::IfNear && is_near) {
            low = 0.0;
        }
        if high < 0.0 && zero == Zero::Always {
            high = 0.0;
        }
        if high - low <= f64::EPSILON * low.abs().max(high.abs()) {
            // One value stands between zero and the next power of ten.
            let reach = if high == 0.0 { 1.0 } else { power_of_ten(libm::log10(high.abs()).ceil() as i32) };
            (low, high) = if high < 0.0 { (-reach, 0.0) } else { (0.0, reach) };
        }
        let step = round_step((high - low) / TICKS_WANTED);
        let (mut first, mut last) = ((low / step).floor(), (high / step).ceil());
        let (mut from, mut to) = (first * step, last * step);
        if zero == Zero::Never {
            (first, last) = ((low / step).ceil(), (high / step).floor());
            (from, to) = (low, high);
        }
        let count = (last - first).clamp(0.0, 100.0) as i64;
        let ticks = (0..=count).map(|i| (first + i as f64) * step).map(|value| (value, number(value, step)));
        Axis { scale: Scale::Linear, from, to, ticks: ticks.collect(), label }
    }

    fn log((low, high): (f64, f64), zero: Zero, label: String) -> Axis {
        // Beyond these, steps and their reciprocals are no longer ordinary numbers.
        let (low, high) = (low.clamp(1e-300, 1e300), high.clamp(1e-300, 1e300));
        let (low, high) = if low == high { (low / 3.0, high * 3.0) } else { (low, high) };
        let decades: Vec<i32> = (libm::log10(low).floor() as i32..=libm::log10(high).ceil() as i32).collect();
        let within: &[f64] = match high / low {
            ..6.0 => &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
            ..200.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let every = decades.len().div_ceil(10);
        let marks = decades
            .iter()
            .step_by(every)
            .flat_map(|decade| within.iter().map(|digit| (digit * power_of_ten(*decade), *digit, *decade)));
        let marks: Vec<_> = marks.collect();
        let values = || marks.iter().map(|mark| mark.0);
        let below = values().filter(|value| *value <= low * 1.0001).max_by(f64::total_cmp).unwrap_or(low);
        let above = values().filter(|value| *value >= high * 0.9999).min_by(f64::total_cmp).unwrap_or(high);
        // An end that would leave much of the axis empty is nearer, at a digit without a tick.
        let much = EMPTY_MAX * libm::log(above / below);
        let below = if libm::log(low / below) > much {
            digits(low).filter(|at| *at <= low * 1.0001).fold(below, f64::max)
        } else {
            below
        };
        let above = if libm::log(above / high) > much {
            digits(high).filter(|at| *at >= high * 0.9999).fold(above, f64::min)
        } else {
            above
        };
        let (from, to) = if zero == Zero::Never { (low, high) } else { (below, above) };
        let shown = marks.into_iter().filter(|mark| mark.0 >= from * 0.9999 && mark.0 <= to * 1.0001);
        let ticks = shown.map(|(value, digit, decade)| (value, decimal(value, digit, decade))).collect();
        Axis { scale: Scale::Log, from, to, ticks, label }
    }

    /// One band per category, in order.
    pub(super) fn bands(labels: impl IntoIterator<Item = String>, label: String) -> Axis {
        let ticks: Vec<(f64, String)> =
            labels.into_iter().enumerate().map(|(at, text)| (at as f64, text)).collect();
        Axis { scale: Scale::Bands, from: -0.5, to: ticks.len().max(1) as f64 - 0.5, ticks, label }
    }

    pub(super) fn is_log(&self) -> bool {
        self.scale == Scale::Log
    }

    pub(super) fn is_banded(&self) -> bool {
        self.scale == Scale::Bands
    }

    /// Whether the axis can show a value at all.
    pub(super) fn shows(&self, value: f64) -> bool {
        value.is_finite() && (self.scale != Scale::Log || value > 0.0)
    }

    /// Where a value stands, 0 at the axis's start and 1 at its end; never beyond.
    pub(super) fn at(&self, value: f64) -> f64 {
        let fraction = match self.scale {
            Scale::Log if value <= 0.0 => 0.0,
            Scale::Log => libm::log(value / self.from) / libm::log(self.to / self.from),
            _ => (value - self.from) / (self.to - self.from),
        };
        if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) }
    }

    /// The value where the axis starts.
    pub(super) fn from(&self) -> f64 {
        self.from
    }

    /// The value where it ends.
    pub(super) fn to(&self) -> f64 {
        self.to
    }
}

fn power_of_ten(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(f64::MAX)
}

/// The multiples of a power of ten around a value.
fn digits(value: f64) -> impl Iterator<Item = f64> {
    let decade = power_of_ten(libm::log10(value).floor() as i32);
    (1..=10).map(move |digit| f64::from(digit) * decade)
}

/// The step of 1, 2 or 5 times a power of ten that is at least as wide.
fn round_step(width: f64) -> f64 {
    let width = width.clamp(1e-300, 1e300);
    let decade = libm::log10(width).floor() as i32;
    let steps = [(1.0, decade), (2.0, decade), (5.0, decade), (1.0, decade + 1)];
    let wide = |(digit, decade): (f64, i32)| digit * power_of_ten(decade);
    steps.map(wide).into_iter().find(|step| *step >= width * 0.9999).unwrap_or(wide(steps[3]))
}

/// A number with as many decimals as its neighbours at `step` need, thousands set apart by thin spaces.
pub(super) fn number(value: f64, step: f64) -> String {
    let magnitude = value.abs().max(step);
    if magnitude >= 1e7 || step < 1e-6 {
        let text = format!("{value:.2e}").replacen('-', "\u{2212}", usize::from(value < 0.0));
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = digits.trim_end_matches('0').trim_end_matches('.');
        return if value == 0.0 { "0".into() } else { format!("{digits}·10{}", superscript(exponent)) };
    }
    let decimals = (-libm::log10(step).floor()).clamp(0.0, 6.0) as usize;
    grouped(&format!("{value:.decimals$}"))
}

/// A tick of a logarithmic axis.
fn decimal(value: f64, digit: f64, decade: i32) -> String {
    match decade {
        -3..=-1 => format!("{value:.*}", decade.unsigned_abs() as usize),
        0..=5 => grouped(&format!("{value:.0}")),
        _ if digit == 1.0 => format!("10{}", superscript(&decade.to_string())),
        _ => format!("{digit}·10{}", superscript(&decade.to_string())),
    }
}

/// Sets thousands apart from five digits on (ISO 80000-1).
pub(crate) fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("\u{2212}", digits));
    let (whole, fraction) =
        digits.split_once('.').map_or((digits, None), |(whole, part)| (whole, Some(part)));
    let is_zero = digits.chars().all(|c| c == '0' || c == '.');
    let mut text = if is_zero { String::new() } else { sign.to_owned() };
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && whole.len() > 4 && (whole.len() - at).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    fraction.map_or(text.clone(), |fraction| format!("{text}.{fraction}"))
}

fn superscript(exponent: &str) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raise = |c: char| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize]);
    exponent.chars().map(raise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_cover_the_data() {
        let axis = Axis::over([130.0, 1170.0], false, Zero::IfNear, String::new());
        assert_eq!(written(&axis), ["0", "200", "400", "600", "800", "1000", "1200"]);
        let axis = Axis::over([0.97, 1.0], false, Zero::IfNear, String::new());
        assert_eq!(written(&axis), ["0.970", "0.975", "0.980", "0.985", "0.990", "0.995", "1.000"]);
        let axis = Axis::over([2.0, 900.0], true, Zero::IfNear, String::new());
        assert_eq!(written(&axis), ["1", "10", "100", "1000"]);
        assert_eq!((axis.at(1.0), axis.at(1000.0), axis.at(-4.0)), (0.0, 1.0, 0.0));
        let axis = Axis::over([1.0, 215.0], true, Zero::IfNear, String::new());
        assert_eq!(written(&axis), ["1", "10", "100"]);
        assert_eq!((axis.from(), axis.to()), (1.0, 300.0), "no long empty end");
        let axis = Axis::over([8300.0, 160_000.0], true, Zero::IfNear, String::new());
        assert_eq!(
            written(&axis),
            ["5000", "10\u{2009}000", "20\u{2009}000", "50\u{2009}000", "100\u{2009}000", "200\u{2009}000"]
        );
        let axis = Axis::over([0.66, 0.99], true, Zero::IfNear, String::new());
        assert_eq!(written(&axis), ["0.6", "0.7", "0.8", "0.9", "1"]);
        let axis = Axis::over([0.79], false, Zero::IfNear, String::new());
        assert_eq!(written(&axis), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    }

    #[test]
    fn no_data_and_absurd_data_still_make_an_axis() {
        let extremes = [
            vec![],
            vec![0.0],
            vec![f64::NAN],
            vec![1e308, -1e308],
            vec![5e-324],
            vec![7.0, 7.0],
            vec![-3.0],
        ];
        for (values, is_log) in
            extremes.into_iter().flat_map(|values| [(values.clone(), false), (values, true)])
        {
            for zero in [Zero::Always, Zero::IfNear, Zero::Never] {
                let axis = Axis::over(values.iter().copied(), is_log, zero, String::new());
                assert!(axis.ticks.len() <= 101);
                assert!(
                    values.iter().all(|value| (0.0..=1.0).contains(&axis.at(*value))),
                    "{values:?} {axis:?}"
                );
            }
        }
    }

    #[test]
    fn thousands_are_set_apart_from_five_digits() {
        assert_eq!(grouped("1234.5"), "1234.5");
        assert_eq!(grouped("-1234567"), "\u{2212}1\u{2009}234\u{2009}567");
        assert_eq!(grouped("-0.00"), "0.00");
        assert_eq!([number(2e9, 5e8), number(-5e-8, 5e-8)], ["2·10⁹", "\u{2212}5·10⁻⁸"]);
    }
}
