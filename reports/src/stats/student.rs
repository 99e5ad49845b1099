//! Quantiles of Student's t distribution, by inverting the regularised incomplete beta function.

const STEPS_MAX: usize = 200;

/// The `p`-quantile of Student's t with `df` degrees of freedom; `p` in (0, 1), `df` positive.
///
/// Solved with Newton's method inside a shrinking bracket, to about 1e-12 of its value.
pub fn student_quantile(p: f64, df: f64) -> f64 {
    if p < 0.5 {
        return -student_quantile(1.0 - p, df);
    }
    let (mut low, mut high) = (0.0, 1.0);
    while distribution(high, df) < p && high < 1e12 {
        low = high;
        high *= 2.0;
    }
    let mut t = (low + high) / 2.0;
    for _ in 0..STEPS_MAX {
        let excess = distribution(t, df) - p;
        if excess > 0.0 {
            high = t
        } else {
            low = t
        }
        let newton = t - excess / density(t, df);
        let next = if newton > low && newton < high { newton } else { (low + high) / 2.0 };
        if (next - t).abs() <= 1e-13 * t.abs() {
            break;
        }
        t = next;
    }
    t
}

/// P(T <= t) for t >= 0.
fn distribution(t: f64, df: f64) -> f64 {
    1.0 - incomplete_beta(df / (df + t * t), df / 2.0, 0.5) / 2.0
}

fn density(t: f64, df: f64) -> f64 {
    let constant = libm::lgamma((df + 1.0) / 2.0) - libm::lgamma(df / 2.0);
    libm::exp(constant - (df + 1.0) / 2.0 * libm::log1p(t * t / df)) / (df * std::f64::consts::PI).sqrt()
}

/// The regularised incomplete beta function I_x(a, b): Abramowitz and Stegun, 26.5.8.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let constant = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b);
    let front = libm::exp(constant + a * libm::log(x) + b * libm::log1p(-x));
    // The fraction converges quickly on this side of the mean; the other side follows by symmetry.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(x, a, b) / a
    } else {
        1.0 - front * beta_fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction of I_x(a, b), evaluated by Lentz's method.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..STEPS_MAX {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            fraction *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_match_the_published_table() {
        // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, critical values of Student's t.
        let table = [
            (1.0, [6.314, 12.706, 63.657]),
            (2.0, [2.920, 4.303, 9.925]),
            (5.0, [2.015, 2.571, 4.032]),
            (10.0, [1.812, 2.228, 3.169]),
            (29.0, [1.699, 2.045, 2.756]),
            (30.0, [1.697, 2.042, 2.750]),
            (60.0, [1.671, 2.000, 2.660]),
            (100.0, [1.660, 1.984, 2.626]),
        ];
        for (df, expected) in table {
            for (p, expected) in [0.95, 0.975, 0.995].into_iter().zip(expected) {
                let t = student_quantile(p, df);
                assert!((t - expected).abs() <= 0.00051, "t({p}, {df}) = {t}, the table says {expected}");
            }
        }
    }

    #[test]
    fn closed_forms_hold_to_many_digits() {
        // One degree of freedom is Cauchy; two have t = (2p - 1) / sqrt(2 p (1 - p)).
        for p in [0.6, 0.9, 0.975, 0.9995] {
            let cauchy = (std::f64::consts::PI * (p - 0.5)).tan();
            let two = (2.0 * p - 1.0) / (2.0 * p * (1.0 - p)).sqrt();
            assert!((student_quantile(p, 1.0) / cauchy - 1.0).abs() < 1e-10);
            assert!((student_quantile(p, 2.0) / two - 1.0).abs() < 1e-10);
        }
        assert_eq!(student_quantile(0.025, 7.0), -student_quantile(0.975, 7.0));
    }

    #[test]
    fn many_degrees_of_freedom_approach_the_normal_distribution() {
        assert!((student_quantile(0.975, 1e7) - 1.959964).abs() < 1e-5);
    }
}
