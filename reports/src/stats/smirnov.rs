//! The two-sample Kolmogorov-Smirnov test: do two samples come from one distribution?

/// What the test found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KolmogorovSmirnov {
    /// The largest distance between the two empirical distribution functions, 0 to 1.
    pub distance: f64,
    /// The probability of at least that distance if both come from one continuous distribution:
    /// asymptotic, with Stephens' correction for small samples; good from about four values each.
    pub p_value: f64,
}

/// Compares two samples of independent values; `None` if one is empty.
pub fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> Option<KolmogorovSmirnov> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let (mut at_a, mut at_b, mut distance) = (0, 0, 0.0f64);
    while at_a < a.len() && at_b < b.len() {
        let value = a[at_a].min(b[at_b]);
        at_a += a[at_a..].iter().take_while(|x| **x <= value).count();
        at_b += b[at_b..].iter().take_while(|x| **x <= value).count();
        distance = distance.max((at_a as f64 / a.len() as f64 - at_b as f64 / b.len() as f64).abs());
    }
    let n = (a.len() as f64 * b.len() as f64 / (a.len() + b.len()) as f64).sqrt();
    Some(KolmogorovSmirnov { distance, p_value: exceedance((n + 0.12 + 0.11 / n) * distance) })
}

/// Kolmogorov's distribution: the probability of a scaled distance above `x`.
fn exceedance(x: f64) -> f64 {
    if x < 0.2 {
        return 1.0; // The alternating series needs too many terms here, and says 1 to twelve digits.
    }
    let terms = (1..=100).map(|k| {
        let k = k as f64;
        let sign = if k % 2.0 == 1.0 { 2.0 } else { -2.0 };
        sign * libm::exp(-2.0 * k * k * x * x)
    });
    terms.sum::<f64>().clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_distribution_matches_smirnovs_table() {
        // N. Smirnov, "Table for estimating the goodness of fit of empirical distributions", 1948.
        for (x, expected) in [(0.5, 0.963945), (1.0, 0.270000), (1.36, 0.049486), (1.63, 0.009846)] {
            assert!((exceedance(x) - expected).abs() < 1e-5, "Q({x}) = {}", exceedance(x));
        }
    }

    #[test]
    fn distance_is_the_largest_gap_and_ties_do_not_count() {
        let test = |a: &[f64], b: &[f64]| kolmogorov_smirnov(a, b).unwrap();
        assert_eq!(test(&[1.0, 2.0, 2.0, 3.0], &[3.0, 2.0, 2.0, 1.0]).distance, 0.0);
        assert_eq!(test(&[1.0, 2.0], &[3.0, 4.0]).distance, 1.0);
        assert_eq!(test(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]).distance, 0.5);
        assert_eq!(kolmogorov_smirnov(&[], &[1.0]), None);
    }

    #[test]
    fn distances_and_probabilities_are_those_of_scipy() {
        // SciPy 1.17.1, scipy.stats.ks_2samp of these values: the distance, and p with method="asymp" and "exact".
        let values = |n: u64, step: u64, first: u64, scale: f64| -> Vec<f64> {
            (0..n).map(|i| ((i * i * step + 7 * i + first) % 1009) as f64 * scale).collect()
        };
        for (n, m, scale, distance, asymptotic, exact) in [
            (12, 9, 1.0, 0.166_666_666_666_666_66, 0.994_943_209_876_543_2, 0.994_121_049_229_408_5),
            (20, 25, 1.25, 0.21, 0.644_329_545_822_814_9, 0.639_157_512_301_365_9),
            (100, 80, 1.15, 0.185, 0.086_217_584_773_404_69, 0.084_435_896_871_525_3),
            (50, 50, 1.5, 0.32, 0.008_904_481_644_166_906, 0.011_511_738_725_894_704),
            (300, 200, 1.1, 0.136_666_666_666_666_66, 0.020_415_019_196_788_252, 0.021_091_805_157_267_017),
        ] {
            let found = kolmogorov_smirnov(&values(n, 3, 0, 1.0), &values(m, 5, 11, scale)).unwrap();
            assert!((found.distance - distance).abs() < 1e-12, "{n}, {m}: {found:?}");
            assert!((found.p_value / asymptotic - 1.0).abs() < 0.03, "{n}, {m}: {found:?}");
            assert!((found.p_value - exact).abs() < 0.02, "{n}, {m}: {found:?}");
        }
    }

    #[test]
    fn far_samples_are_told_apart_and_near_ones_are_not() {
        let near: Vec<f64> = (0..100).map(f64::from).collect();
        let interleaved: Vec<f64> = near.iter().map(|x| x + 0.5).collect();
        let far: Vec<f64> = near.iter().map(|x| x + 40.0).collect();
        assert!(kolmogorov_smirnov(&near, &interleaved).unwrap().p_value > 0.99);
        assert!(kolmogorov_smirnov(&near, &far).unwrap().p_value < 1e-6);
    }
}
