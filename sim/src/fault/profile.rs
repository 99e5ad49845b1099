//! How long nodes of known systems stay up and down: published fits, as named profiles.

use seedbed_core::choice;
use seedbed_core::contract::Duration;

use crate::law::{Law, LawError};

choice! {
    /// A system whose nodes were watched for months, by its name in the Failure Trace Archive and the year.
    pub enum Profile {
        /// Grid'5000, a grid for research in France.
        Grid5000 = "grid5000-06",
        /// Clusters of the Los Alamos National Laboratory.
        Lanl = "lanl-05",
        /// Local name servers of the Internet.
        Ldns = "ldns-04",
        /// Desktops of a company.
        Microsoft = "microsoft-99",
        /// Desktops of the University of Notre Dame.
        NotreDame = "notre-dame-07",
        /// Overnet, a network for sharing files.
        Overnet = "overnet-03",
        /// PlanetLab, a test bed of servers all over the world.
        Planetlab = "planetlab-05",
        /// Superpeers of Skype.
        Skype = "skype-06",
        /// Web sites.
        Websites = "websites-02",
    }
}

choice! {
    /// Which law was fitted to what was measured.
    pub enum Fit {
        /// The memoryless one, with the measured mean.
        Exponential,
        /// Heavy-tailed; its mean may be far from the measured one.
        Weibull,
        /// Heavier still; its mean may be far from the measured one.
        Lognormal,
        /// Heavy-tailed, with the measured mean: a gamma law of greatest likelihood keeps it.
        Gamma,
    }
}

/// The parameters of all four laws, in hours.
struct Fits {
    /// Its mean.
    exponential: f64,
    /// Shape and scale.
    weibull: [f64; 2],
    /// Mean and standard deviation of the logarithm.
    lognormal: [f64; 2],
    /// Shape and scale.
    gamma: [f64; 2],
}

impl Profile {
    /// How long its nodes are up and how long they are down, if an hour lasts as long as `hour`.
    ///
    /// # Errors
    /// If a parameter becomes longer than [`LONGEST`](crate::law::LONGEST).
    pub fn laws(self, fit: Fit, hour: Duration) -> Result<[Law; 2], LawError> {
        let [up, down] = self.fits();
        Ok([up.law(fit, hour)?, down.law(fit, hour)?])
    }

    /// B. Javadi, D. Kondo, A. Iosup, D. Epema, "The Failure Trace Archive: Enabling the comparison of failure
    /// measurements and models of distributed systems", Journal of Parallel and Distributed Computing 73(8), 2013.
    const fn fits(self) -> [Fits; 2] {
        match self {
            Self::Grid5000 => [
                fits(32.41, [0.48, 14.37], [1.51, 2.42], [0.34, 94.35]),
                fits(7.41, [0.35, 0.47], [-2.0, 2.2], [0.19, 39.92]),
            ],
            Self::Lanl => [
                fits(1_779.99, [0.48, 816.60], [5.56, 2.39], [0.35, 5_102.71]),
                fits(5.92, [0.58, 2.18], [0.05, 1.42], [0.38, 15.44]),
            ],
            Self::Ldns => [
                fits(141.06, [0.51, 79.30], [3.25, 2.33], [0.39, 362.43]),
                fits(8.61, [0.63, 5.62], [0.91, 1.64], [0.51, 16.87]),
            ],
            Self::Microsoft => [
                fits(67.01, [0.55, 35.30], [2.62, 1.84], [0.41, 162.19]),
                fits(16.49, [0.60, 9.34], [1.42, 1.54], [0.46, 35.52]),
            ],
            Self::NotreDame => [
                fits(13.73, [0.45, 4.16], [0.30, 2.20], [0.30, 46.16]),
                fits(4.25, [0.51, 0.74], [-1.02, 1.27], [0.28, 15.07]),
            ],
            Self::Overnet => [
                fits(2.29, [0.85, 2.04], [0.19, 0.98], [0.91, 2.53]),
                fits(12.00, [0.44, 2.98], [0.08, 1.80], [0.29, 41.64]),
            ],
            Self::Planetlab => [
                fits(159.49, [0.33, 19.35], [1.44, 2.86], [0.20, 788.03]),
                fits(49.61, [0.36, 5.59], [0.40, 2.45], [0.21, 237.65]),
            ],
            Self::Skype => [
                fits(16.27, [0.64, 10.86], [1.60, 1.57], [0.53, 30.79]),
                fits(14.31, [0.63, 9.48], [1.40, 1.73], [0.50, 28.53]),
            ],
            Self::Websites => [
                fits(11.85, [0.46, 3.68], [0.23, 2.02], [0.31, 38.67]),
                fits(1.18, [0.65, 0.61], [-1.12, 1.13], [0.50, 2.37]),
            ],
        }
    }
}

const fn fits(exponential: f64, weibull: [f64; 2], lognormal: [f64; 2], gamma: [f64; 2]) -> Fits {
    Fits { exponential, weibull, lognormal, gamma }
}

impl Fits {
    fn law(&self, fit: Fit, hour: Duration) -> Result<Law, LawError> {
        let hours = |count: f64| Duration::from_nanos(libm::round(count * hour.as_nanos() as f64) as u64);
        match fit {
            Fit::Exponential => Law::exponential(hours(self.exponential)),
            Fit::Weibull => Law::weibull(hours(self.weibull[1]), self.weibull[0]),
            Fit::Lognormal => Law::lognormal(hours(libm::exp(self.lognormal[0])), self.lognormal[1]),
            Fit::Gamma => Law::gamma(hours(self.gamma[1]), self.gamma[0]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Both laws of greatest likelihood have the mean of the sample, so they agree as far as two decimals of the
    /// shape tell. The other two need not.
    #[test]
    fn the_gamma_law_keeps_the_measured_mean() {
        for &profile in Profile::ALL {
            for fits in profile.fits() {
                let [shape, scale] = fits.gamma;
                let rounding = 0.006 / shape;
                let error = (shape * scale / fits.exponential - 1.0).abs();
                assert!(error < rounding, "{profile}: {} h is not {} h", shape * scale, fits.exponential);
            }
        }
    }

    /// Every system was the likelier to fail the sooner after a start.
    #[test]
    fn every_law_has_a_heavier_tail_than_the_memoryless_one() {
        for fits in Profile::ALL.iter().flat_map(|profile| profile.fits()) {
            assert!(fits.weibull[0] < 1.0 && fits.gamma[0] < 1.0);
        }
    }

    #[test]
    fn the_means_are_those_of_the_formulas_at_any_scale() {
        for &profile in Profile::ALL {
            for (side, fits) in profile.fits().into_iter().enumerate() {
                let [shape, scale] = fits.weibull;
                let [mu, sigma] = fits.lognormal;
                for (fit, hours) in [
                    (Fit::Exponential, fits.exponential),
                    (Fit::Weibull, scale * libm::tgamma(1.0 + 1.0 / shape)),
                    (Fit::Lognormal, libm::exp(mu + sigma * sigma / 2.0)),
                    (Fit::Gamma, fits.gamma[0] * fits.gamma[1]),
                ] {
                    // No draw is longer than 100 years, which cuts off much of a wide lognormal law.
                    let hours_last = [Duration::from_secs(1), HOUR];
                    let scales = if fit == Fit::Lognormal { 1 } else { 2 };
                    for hour in hours_last.into_iter().take(scales) {
                        let law = &profile.laws(fit, hour).unwrap()[side];
                        let got = law.mean().as_nanos() as f64 / hour.as_nanos() as f64;
                        assert!(
                            (got / hours - 1.0).abs() < 1e-3,
                            "{profile} {fit}: {got} h is not {hours} h"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn an_hour_that_lasts_for_ever_is_refused() {
        let error = Profile::Lanl.laws(Fit::Gamma, crate::law::LONGEST).unwrap_err();
        assert!(error.to_string().contains("longer than 100 years"), "{error}");
    }
}
