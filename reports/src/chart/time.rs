//! In what time is measured along an axis.

use super::axis::number;

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    pub(super) name: &'static str,
    seconds: f64,
}

impl Unit {
    /// The one that makes numbers short over a run that ends then.
    pub(super) fn of(end_s: f64) -> Unit {
        let (name, seconds) = match end_s {
            259_200.0.. => ("d", 86_400.0),
            10_800.0.. => ("h", 3_600.0),
            0.5.. | 0.0 => ("s", 1.0),
            _ => ("ms", 1e-3),
        };
        Unit { name, seconds }
    }

    pub(super) fn at(self, seconds: f64) -> f64 {
        seconds / self.seconds
    }

    /// A time to about three digits.
    pub(super) fn written(self, seconds: f64) -> String {
        let value = self.at(seconds);
        format!("{} {}", number(value, (value / 100.0).max(1e-6)), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_has_the_unit_that_fits() {
        let units = [0.0, 0.02, 3.0, 9_000.0, 36_000.0, 864_000.0].map(|end| Unit::of(end).name);
        assert_eq!(units, ["s", "ms", "s", "s", "h", "d"]);
        assert_eq!(Unit::of(36_000.0).at(5_400.0), 1.5);
        assert_eq!(Unit::of(60.0).written(0.1512), "0.151 s");
        assert_eq!(Unit::of(60.0).written(10.0), "10.0 s");
    }
}
