use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// One of each, as a scenario would have them.
fn catalogue() -> Vec<(&'static str, Law)> {
    let samples: Vec<_> = [5, 1, 4, 1, 9, 2, 6].map(ms).to_vec();
    let laws = [
        ("constant", Law::constant(ms(10))),
        ("uniform", Law::uniform(ms(1), ms(5))),
        ("normal", Law::normal(ms(10), ms(2))),
        ("normal at zero", Law::normal(ms(1), ms(3))),
        ("lognormal", Law::lognormal(ms(10), 0.5)),
        ("exponential", Law::exponential(ms(10))),
        ("weibull", Law::weibull(ms(10), 0.36)),
        ("gamma", Law::gamma(ms(100), 0.2)),
        ("pareto", Law::pareto(ms(1), 1.5, None)),
        ("capped pareto", Law::pareto(ms(1), 0.9, Some(ms(1000)))),
        ("empirical", Law::empirical(&samples)),
    ];
    laws.map(|(name, law)| (name, law.unwrap())).to_vec()
}

#[test]
fn the_same_bits_on_every_machine() {
    let digest = |law: &Law| {
        let places = (0..4_096_u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let ends = (0..64).flat_map(|bit| [1_u64 << bit, !(1_u64 << bit)]);
        places.chain(ends).fold(0xcbf2_9ce4_8422_2325, |hash: u64, place| {
            (hash ^ law.draw(place)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    };
    let digests: Vec<_> = catalogue().iter().map(|(name, law)| (*name, digest(law))).collect();
    assert_eq!(
        digests,
        [
            ("constant", 0xe8e9_6e2b_896c_7525),
            ("uniform", 0xdb21_eaa4_4df2_8ed5),
            ("normal", 0xa511_959f_9a60_4491),
            ("normal at zero", 0x0fe0_6ac5_aa7b_25e0),
            ("lognormal", 0xed14_7672_3b00_fbda),
            ("exponential", 0x53c7_8d09_ac8e_2d1b),
            ("weibull", 0x6480_244f_a549_5dc9),
            ("gamma", 0x0bca_0bec_864c_be1c),
            ("pareto", 0x2a9d_ee2f_f909_f778),
            ("capped pareto", 0xdd26_f4fa_8702_212d),
            ("empirical", 0x3eec_15b0_e07e_da81),
        ]
    );
}

#[test]
fn the_mean_is_that_of_the_formula() {
    let capped = |scale: f64, alpha: f64, cap: f64| {
        let kept = 1.0 - libm::pow(scale / cap, alpha);
        alpha / (alpha - 1.0)
            * libm::pow(scale, alpha)
            * (libm::pow(scale, 1.0 - alpha) - libm::pow(cap, 1.0 - alpha))
            / kept
    };
    // Of a normal law above zero: mu + sd * density(mu / sd) / phi(mu / sd).
    let above_zero = |mu: f64, sd: f64| {
        let density = libm::exp(-(mu / sd) * (mu / sd) / 2.0) / (2.0 * std::f64::consts::PI).sqrt();
        mu + sd * density / phi(mu / sd)
    };
    let expected = [
        ("constant", 10.0),
        ("uniform", 3.0),
        ("normal", above_zero(10.0, 2.0)),
        ("normal at zero", above_zero(1.0, 3.0)),
        ("lognormal", 10.0 * libm::exp(0.125)),
        ("exponential", 10.0),
        ("weibull", 10.0 * libm::tgamma(1.0 + 1.0 / 0.36)),
        ("gamma", 20.0),
        ("pareto", 3.0),
        ("capped pareto", capped(1.0, 0.9, 1000.0)),
        ("empirical", 4.0),
    ];
    for ((name, law), (same_name, mean)) in catalogue().into_iter().zip(expected) {
        assert_eq!(name, same_name);
        let got = law.mean().as_millis_f64();
        assert!((got / mean - 1.0).abs() < 2e-4, "{name}: {got} ms is not {mean} ms");
    }
}

#[test]
fn a_law_without_spread_is_a_constant() {
    let constant = Law::constant(ms(7)).unwrap();
    for law in [
        Law::uniform(ms(7), ms(7)),
        Law::normal(ms(7), Duration::ZERO),
        Law::lognormal(ms(7), 0.0),
        Law::empirical(&[ms(7), ms(7)]),
        Law::pareto(ms(7), 2.0, Some(ms(7))),
        Law::uniform(ms(1), ms(3)).map(|law| law.at_least(ms(7))),
        Law::exponential(Duration::ZERO).map(|law| law.shifted(ms(7))),
        Law::lognormal(Duration::ZERO, 1.0).map(|law| law.shifted(ms(7))),
        Law::weibull(Duration::ZERO, 0.5).map(|law| law.shifted(ms(7))),
        Law::gamma(Duration::ZERO, 0.5).map(|law| law.shifted(ms(7))),
        Law::pareto(Duration::ZERO, 2.0, None).map(|law| law.shifted(ms(7))),
    ] {
        assert_eq!(law.unwrap(), constant);
    }
    assert_eq!((constant.draw(0), constant.draw(u64::MAX)), (7_000_000, 7_000_000));
}

#[test]
fn a_shift_moves_every_draw_and_a_floor_raises_the_shortest() {
    let law = Law::exponential(ms(10)).unwrap();
    let moved = law.clone().shifted(ms(5)).shifted(MS);
    let raised = law.clone().at_least(ms(8));
    let both = law.clone().shifted(ms(5)).at_least(ms(8));
    for place in (0..64).map(|step| step << 58) {
        let draw = law.draw(place);
        assert_eq!(moved.draw(place), draw + 6_000_000);
        assert_eq!(both.shortest(), ms(8));
        // Around the floor the table bends within a bin.
        assert!(raised.draw(place).abs_diff(draw.max(8_000_000)) < 20_000);
    }
    assert_eq!(moved.mean(), law.mean() + ms(6));
    assert_eq!(law.clone().at_least(Duration::ZERO), law);
    assert_eq!(law.shifted(Duration::MAX).shortest(), LONGEST);
}

#[test]
fn what_is_no_law_is_refused_with_its_reason() {
    let long = LONGEST + Duration::from_nanos(1);
    for (law, reason) in [
        (Law::constant(long), "a duration of 3153600000.000000001s is longer than 100 years"),
        (Law::uniform(ms(2), ms(1)), "the range ends at 1ms, before it begins at 2ms"),
        (
            Law::uniform(ms(2), Duration::MAX),
            "the end of the range of 18446744073.709551615s is longer than 100 years",
        ),
        (Law::normal(long, MS), "a mean of 3153600000.000000001s is longer than 100 years"),
        (Law::normal(MS, long), "a standard deviation of 3153600000.000000001s is longer than 100 years"),
        (Law::lognormal(MS, -0.1), "sigma must be a number from 0 to 10, not -0.1"),
        (Law::lognormal(MS, f64::NAN), "sigma must be a number from 0 to 10, not NaN"),
        (Law::lognormal(MS, 1e300), "sigma must be a number from 0 to 10, not 1e300"),
        (Law::weibull(MS, 0.05), "shape must be a number from 0.1 to 100, not 0.05"),
        (Law::weibull(long, 1.0), "a scale of 3153600000.000000001s is longer than 100 years"),
        (Law::gamma(MS, f64::NAN), "shape must be a number from 0.01 to 1000, not NaN"),
        (Law::gamma(MS, 1_001.0), "shape must be a number from 0.01 to 1000, not 1001.0"),
        (Law::pareto(MS, 0.0, None), "alpha must be a number above 0, not 0.0"),
        (Law::pareto(MS, f64::INFINITY, None), "alpha must be a number above 0, not inf"),
        (
            Law::pareto(MS, 1.0, None),
            "a Pareto law with alpha 1 has no mean: alpha must be above 1, or the law needs a cap",
        ),
        (Law::pareto(ms(2), 2.0, Some(MS)), "the range ends at 1ms, before it begins at 2ms"),
        (Law::pareto(MS, 2.0, Some(long)), "a cap of 3153600000.000000001s is longer than 100 years"),
        (Law::empirical(&[]), "an empirical law needs at least one sample"),
        (Law::empirical(&[MS, long]), "a sample of 3153600000.000000001s is longer than 100 years"),
    ] {
        let error = law.expect_err(reason).to_string();
        assert_eq!(error, reason);
    }
}

#[test]
fn even_the_widest_laws_stay_within_a_century() {
    for law in [
        Law::lognormal(LONGEST, SIGMA_MAX),
        Law::exponential(LONGEST),
        Law::normal(LONGEST, LONGEST),
        Law::weibull(LONGEST, 0.1),
        Law::gamma(LONGEST, 0.01),
        Law::gamma(LONGEST, 1_000.0),
        Law::pareto(MS, 1e-9, Some(LONGEST)),
        Law::pareto(LONGEST, 1e9, None),
        Law::uniform(Duration::ZERO, LONGEST),
    ] {
        let law = law.unwrap();
        assert!(law.longest() <= LONGEST && law.mean() <= LONGEST, "{law:?}");
    }
}

#[test]
fn debug_says_what_matters_in_a_line() {
    assert_eq!(format!("{:?}", Law::constant(ms(10)).unwrap()), "Law(10ms)");
    assert_eq!(format!("{:?}", Law::uniform(ms(1), ms(5)).unwrap()), "Law(1ms..5ms, mean 3ms)");
}

#[test]
fn draws_never_fall_as_the_place_rises() {
    let laws = catalogue();
    proptest!(|(a: u64, b: u64, which in 0..laws.len())| {
        let law = &laws[which].1;
        let (low, high) = (a.min(b), a.max(b));
        prop_assert!(law.draw(low) <= law.draw(high));
        prop_assert!(law.draw(low) <= law.draw(low.saturating_add(1)));
        prop_assert!(law.shortest().as_nanos() <= law.draw(low) && law.draw(high) <= law.longest().as_nanos());
    });
}

proptest! {
    /// A uniform law has nothing to hide: any slip in finding a bin or its fraction shows in the draw.
    #[test]
    fn every_place_finds_its_bin(place: u64, shift in 0_u32..64, flip: bool) {
        let place = if flip { !(place >> shift) } else { place >> shift };
        let width = 1_u64 << 60;
        let law = Law::uniform(Duration::ZERO, Duration::from_nanos(width)).unwrap();
        let exact = ((u128::from(place) * u128::from(width)) >> 64) as u64;
        // Edges are computed in f64, and the outermost stand at 2^-42.
        prop_assert!(law.draw(place).abs_diff(exact) <= 1 << 19, "{place:x}: {} {exact}", law.draw(place));
    }

    #[test]
    fn any_samples_keep_their_range_and_nearly_their_mean(
        nanos in proptest::collection::vec(0_u64..1_000_000_000, 1..200),
    ) {
        let samples: Vec<_> = nanos.iter().copied().map(Duration::from_nanos).collect();
        let law = Law::empirical(&samples).unwrap();
        let (low, high) = (*samples.iter().min().unwrap(), *samples.iter().max().unwrap());
        prop_assert!(low <= law.shortest() && law.longest() <= high);
        let mean = nanos.iter().sum::<u64>() / nanos.len() as u64;
        let slack = (high - low).as_nanos() / 500 + 2;
        prop_assert!(law.mean().as_nanos().abs_diff(mean) <= slack, "{} {mean}", law.mean());
    }
}
