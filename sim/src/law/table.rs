//! A distribution as integers: its quantiles where they matter, straight lines between them.
//!
//! Equal steps of probability would waste the table on the middle and lose both ends. So bins are laid like the
//! buckets of an HDR histogram, from each end inwards: 128 to an octave of probability, from one half down to 2^-32,
//! where the last octave runs out linearly. A bin is then never wider than 1/128 of its distance to the nearer end:
//! one draw in a billion is placed as well as the median is. Finding the bin costs a count of leading zeros, and half
//! of all draws fall into 2 KiB of the table, so it stays in the first cache.

use std::fmt;

/// Bins to an octave of probability, as a power of two.
const FINE: u32 = 7;
/// Octaves on each side of the median; the outermost is as wide as all that would follow it.
const OCTAVES: u32 = 32;
/// Bins on each side of the median.
const SIDE: usize = (OCTAVES as usize) << FINE;
const BINS: usize = 2 * SIDE;
/// The ends of the outermost octaves, in units of 2^-64.
const OUTERMOST: u64 = 1 << (64 - OCTAVES);
/// What stands for probability 0 and 1, where many laws are infinite: the end of the outermost bin (2^-39) less three
/// octaves, so that the straight line over that bin has about the mean of the tail beyond it.
const RAREST: f64 = 1.0 / (1_u64 << 42) as f64;
const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

/// A place in a distribution, given from both sides, because near 1 only the distance to 1 has digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rank {
    /// The probability of less.
    pub(super) below: f64,
    /// The probability of more; the two add up to 1.
    pub(super) above: f64,
}

/// Quantiles at the edges of all bins, never falling, each at most 2^62.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Table([u64; BINS + 1]);

impl Table {
    /// Tabulates a quantile function; what it gives is rounded, and cut off at 0 and at `longest`.
    pub(super) fn new(longest: u64, quantile: impl Fn(Rank) -> f64) -> Self {
        let mut edges = [0; BINS + 1];
        let mut floor = 0;
        for (index, edge) in edges.iter_mut().enumerate() {
            // `as` sends NaN to 0 and saturates; a quantile function that rounding bends back is held level.
            floor = (libm::round(quantile(rank(index))) as u64).clamp(floor, longest);
            *edge = floor;
        }
        Self(edges)
    }

    /// The duration at a uniform place.
    #[inline]
    pub(super) fn draw(&self, uniform: u64) -> u64 {
        // All ones in the upper half, which is the lower half seen in a mirror.
        let mirror = ((uniform as i64) >> 63) as u64;
        let from_end = uniform ^ mirror;
        let octave = 63 - (from_end | OUTERMOST).leading_zeros();
        let bits = octave - FINE;
        let bin = (u64::from(octave - OUTERMOST.ilog2()) << FINE) + (from_end >> bits);
        let bin = (bin ^ mirror) as usize & (BINS - 1);
        let fraction = (from_end << (64 - bits)) ^ (mirror << (64 - bits));
        let (low, high) = (self.0[bin], self.0[bin + 1]);
        low + ((u128::from(high - low) * u128::from(fraction) + (1 << 63)) >> 64) as u64
    }

    /// The same with every quantile raised to at least `shortest`.
    pub(super) fn at_least(mut self, shortest: u64) -> Self {
        self.0.iter_mut().for_each(|edge| *edge = (*edge).max(shortest));
        self
    }

    /// The shortest and the longest that can be drawn.
    pub(super) fn range(&self) -> (u64, u64) {
        (self.0[0], self.0[BINS])
    }

    /// The mean of what is drawn, exact up to rounding to a whole nanosecond.
    pub(super) fn mean(&self) -> u64 {
        let twice: u128 = (0..SIDE)
            .map(|bin| {
                let width = u128::from(distance(bin + 1) - distance(bin));
                let mirrored = BINS - 1 - bin;
                let low = u128::from(self.0[bin]) + u128::from(self.0[bin + 1]);
                let high = u128::from(self.0[mirrored]) + u128::from(self.0[mirrored + 1]);
                width * (low + high)
            })
            .sum();
        ((twice + (1 << 64)) >> 65) as u64
    }
}

/// Where the edge of a bin stands in the distribution.
fn rank(edge: usize) -> Rank {
    let near_end = (distance(edge.min(BINS - edge)) as f64 / TWO_TO_64).max(RAREST);
    if edge <= SIDE {
        Rank { below: near_end, above: 1.0 - near_end }
    } else {
        Rank { below: 1.0 - near_end, above: near_end }
    }
}

/// The distance of a bin's outer edge from its end of the distribution, in units of 2^-64.
fn distance(bin: usize) -> u64 {
    let bin = bin as u64;
    let octave = (bin >> FINE).saturating_sub(1);
    (bin - (octave << FINE)) << (OUTERMOST.ilog2() as u64 - u64::from(FINE) + octave)
}

/// Few numbers instead of thousands.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, median, high] = [self.0[0], self.0[SIDE], self.0[BINS]];
        write!(f, "{low}ns..{median}ns..{high}ns")
    }
}
