//! The gamma distribution, computed alike on every machine: basic operations and `libm` only.

use std::f64::consts::LN_2;

use super::table::Rank;

/// The quantile of the gamma law with this shape and scale 1.
///
/// The logarithms of both tails, seen over the logarithm of `x`, rise and fall ever more steeply (they are concave). So
/// Newton's method that starts outside of the root comes nearer to it with every step and never passes it.
pub(super) fn quantile(shape: f64, rank: Rank) -> f64 {
    let (is_low, p) = if rank.above < 0.5 { (false, rank.above) } else { (true, rank.below) };
    let t = -libm::log(p);
    let mut u = if is_low {
        // Below: P(x) is less than x^a / Gamma(a + 1).
        (libm::lgamma(shape + 1.0) - t) / shape
    } else {
        // Above: P(X > a + sqrt(2 a t) + t) is less than e^-t (Boucheron, Lugosi and Massart, 2013, section 2.4).
        libm::log(shape + libm::sqrt(2.0 * shape * t) + t.max(LN_2))
    };
    for _ in 0..STEPS_MAX {
        let x = libm::exp(u);
        let (below, above) = tails(shape, x);
        // The density of the logarithm.
        let density = libm::exp(shape * u - x - libm::lgamma(shape));
        let tail = if is_low { below } else { above };
        let step = tail * (libm::log(tail) + t) / density;
        if !step.is_finite() {
            break;
        }
        u += if is_low { -step } else { step };
        if step.abs() < NEAR {
            break;
        }
    }
    libm::exp(u)
}

/// Far more than it takes anywhere: Newton's method doubles the digits once it is near.
const STEPS_MAX: usize = 100;
/// A step that changes `x` by less than this share is the last.
const NEAR: f64 = 1e-12;

/// The probabilities of less and of more than `x`: the regularised incomplete gamma functions. By the power series
/// below `a + 1`, by the continued fraction of Lentz above (NIST DLMF 8.11.4 and 8.9.2).
fn tails(a: f64, x: f64) -> (f64, f64) {
    let front = libm::exp(a * libm::log(x) - x - libm::lgamma(a));
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * f64::EPSILON {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        let below = front * sum;
        return (below, 1.0 - below);
    }
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (f64::MAX, 1.0 / b);
    let mut fraction = d;
    for n in (1..TERMS_MAX).map(f64::from) {
        let numerator = n * (a - n);
        b += 2.0;
        d = 1.0 / (numerator * d + b);
        c = b + numerator / c;
        fraction *= c * d;
        if (c * d - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    let above = front * fraction;
    (1.0 - above, above)
}

/// At the largest shape about 200 are needed.
const TERMS_MAX: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn place(below: f64) -> Rank {
        Rank { below, above: 1.0 - below }
    }

    /// Where there is a closed form: shape 1 is exponential, 1/2 half the square of a normal, 2 has the survival
    /// function `(1 + x) e^-x`.
    #[test]
    fn it_meets_the_closed_forms() {
        for exponent in 1..40 {
            let p = libm::exp2(-f64::from(exponent));
            let (low, high) = (Rank { below: p, above: 1.0 - p }, Rank { below: 1.0 - p, above: p });
            let near = |got: f64, want: f64| {
                assert!((got / want - 1.0).abs() < 1e-11, "2^-{exponent}: {got:e} is not {want:e}");
            };
            near(quantile(1.0, low), -libm::log1p(-p));
            near(quantile(1.0, high), -libm::log(p));
            let z = super::super::probit(p / 2.0);
            near(quantile(0.5, high), z * z / 2.0);
            let x = quantile(2.0, high);
            near((1.0 + x) * libm::exp(-x), p);
        }
    }

    /// Quantiles of the chi-squared law as tables of it have them (three decimals), which is a gamma law of half the
    /// degrees of freedom.
    #[test]
    fn it_meets_the_tables_of_chi_squared() {
        for (degrees, p, chi_squared) in [
            (1.0, 0.95, 3.841),
            (3.0, 0.95, 7.815),
            (5.0, 0.05, 1.145),
            (10.0, 0.99, 23.209),
            (30.0, 0.05, 18.493),
            (100.0, 0.95, 124.342),
        ] {
            let got = 2.0 * quantile(degrees / 2.0, place(p));
            assert!((got - chi_squared).abs() < 5e-4, "{degrees} degrees, {p}: {got} is not {chi_squared}");
        }
    }

    /// Whatever the shape, what is drawn leads back to its place.
    #[test]
    fn the_quantile_is_the_inverse_of_the_tails() {
        for shape in [0.01, 0.19, 0.53, 0.91, 1.0, 3.7, 42.0, 1_000.0] {
            for exponent in 1..43 {
                let p = libm::exp2(-f64::from(exponent));
                let (low, high) = (Rank { below: p, above: 1.0 - p }, Rank { below: 1.0 - p, above: p });
                let (x, y) = (quantile(shape, low), quantile(shape, high));
                assert!(x <= y && y.is_finite(), "{shape}, 2^-{exponent}: {x} {y}");
                // The smallest are below what a float can hold.
                let (below, above) = (tails(shape, x).0, tails(shape, y).1);
                assert!(x < 1e-300 || (below / p - 1.0).abs() < 1e-9, "{shape}, 2^-{exponent}: {below:e}");
                assert!(y < 1e-300 || (above / p - 1.0).abs() < 1e-9, "{shape}, 2^-{exponent}: {above:e}");
            }
        }
    }
}
