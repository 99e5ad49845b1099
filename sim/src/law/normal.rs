//! The normal distribution, computed alike on every machine: basic operations and `libm` only.

use std::f64::consts::FRAC_1_SQRT_2;

/// The inverse of the standard normal distribution function, to about 16 digits, for any `p` above 0 and below 1.
///
/// Algorithm AS 241 (PPND16): M. J. Wichura, "The Percentage Points of the Normal Distribution", Applied Statistics
/// 37(3), 1988, 477-484. Close to 1 the argument itself has few digits: ask for `-probit(1 - p)` there.
pub(super) fn probit(p: f64) -> f64 {
    let from_middle = p - 0.5;
    if from_middle.abs() <= 0.425 {
        let r = 0.180_625 - from_middle * from_middle;
        return from_middle * ratio(&MIDDLE, r);
    }
    let r = libm::sqrt(-libm::log(p.min(1.0 - p)));
    let size = if r <= 5.0 { ratio(&TAIL, r - 1.6) } else { ratio(&FAR_TAIL, r - 5.0) };
    if from_middle < 0.0 { -size } else { size }
}

/// The standard normal distribution function, with full relative accuracy far below zero.
pub(super) fn phi(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// Numerator and denominator of a rational function, lowest power first.
type Ratio = [[f64; 8]; 2];

fn ratio([above, below]: &Ratio, r: f64) -> f64 {
    let polynomial = |c: &[f64; 8]| c.iter().rev().fold(0.0, |sum, c| sum * r + c);
    polynomial(above) / polynomial(below)
}

/// |p - 1/2| <= 0.425, in 0.180625 - (p - 1/2)^2.
const MIDDLE: Ratio = [
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ],
];
/// Down to p = e^-25, in sqrt(-ln p) - 1.6.
const TAIL: Ratio = [
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        0.000_774_545_014_278_341_4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        0.000_547_593_808_499_534_5,
        1.050_750_071_644_416_9e-09,
    ],
];
/// Beyond, in sqrt(-ln p) - 5.
const FAR_TAIL: Ratio = [
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-05,
        2.010_334_399_292_288_1e-07,
    ],
    [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        0.000_786_869_131_145_613_3,
        1.846_318_317_510_054_8e-05,
        1.421_511_758_316_446e-07,
        2.044_263_103_389_939_7e-15,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(got: f64, want: f64) {
        assert!((got - want).abs() <= 4e-16 * want.abs().max(f64::MIN_POSITIVE), "{got:e} is not {want:e}");
    }

    /// The check values printed with AS 241, and the usual points of the tables to 16 digits (NIST DLMF 7.17,
    /// computed with 40 digits).
    #[test]
    fn probit_gives_the_published_values() {
        for (p, x) in [
            (0.25, -0.674_489_750_196_081_7),
            (0.001, -3.090_232_306_167_813_5),
            (1e-20, -9.262_340_089_798_409),
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.995, 2.575_829_303_548_900_4),
            (1e-9, -5.997_807_015_007_687),
        ] {
            assert_close(probit(p), x);
        }
    }

    /// Published table: Abramowitz and Stegun, Handbook of Mathematical Functions, table 26.1 (15 digits).
    #[test]
    fn phi_gives_the_published_values() {
        for (x, p) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_543),
            (2.0, 0.977_249_868_051_821),
            (3.0, 0.998_650_101_968_370),
        ] {
            assert!((phi(x) - p).abs() < 6e-16, "{x}");
            assert!((phi(-x) - (1.0 - p)).abs() < 6e-16, "-{x}");
        }
    }

    #[test]
    fn probit_undoes_phi_over_forty_decades() {
        for decades in 1..=160 {
            let p = libm::pow(10.0, -0.25 * f64::from(decades));
            assert!((phi(probit(p)) / p - 1.0).abs() < 1e-13, "{p:e}");
        }
    }
}
