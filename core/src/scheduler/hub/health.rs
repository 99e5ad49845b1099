//! Whether a worker is still there.
//!
//! Workers beat: they send heartbeats, and everything else that they say is a sign of life, too. `fixed` waits for the same
//! time for all. `phi-accrual` is the detector of Hayashibara, Défago, Yared and Katayama, "The phi accrual failure
//! detector" (SRDS 2004): the gaps between a worker's heartbeats are taken as normally distributed, and after a silence of t
//! phi is -log10(1 - F(t)). Mean and deviation are those of the latest gaps with exponentially falling weights, so that no
//! gap has to be kept; the deviation has a minimum, and a pause is added to the mean, as in Akka.
//!
//! Phi grows with the silence, so it reaches its threshold when the silence is mean + z deviations, where z is the normal
//! quantile of 1 - 10^-phi. That is a table of whole numbers: nothing that decides is a float.
//!
//! Known settings of `fixed`: DistriCloud beats each 30 s, takes 120 s of silence for death and looks each 60 s (`silence`
//! 120 s, `check` 60 s); Distributed Cloud Storage beats each 30 s, takes 60 s and looks each 30 s (60 s, 30 s).

use serde::{Deserialize, Serialize};

use super::Step;
use super::rules::Parameters;
use super::state::Alarm;
use super::workers::Worker;
use crate::choice;
use crate::contract::{Duration, Time};
use crate::scheduler::trust::Identity;

choice! {
    /// How it is found out that a worker is gone.
    pub enum Health {
        /// It was silent for `silence`.
        Fixed,
        /// It was silent for longer than its habit makes likely, by `phi`; or for `silence`, which is all there is as long
        /// as its habit is not known.
        PhiAccrual,
    }
}

/// The normal quantile of 1 - 10^-phi, for phi from 1 on, in millionths.
const QUANTILES: [u64; 16] = [
    1_281_552, 2_326_348, 3_090_232, 3_719_016, 4_264_891, 4_753_424, 5_199_338, 5_612_001, 5_997_807,
    6_361_341, 6_706_023, 7_034_484, 7_348_796, 7_650_628, 7_941_345, 8_222_082,
];
const MILLION: u64 = 1_000_000;
/// No gap counts for more than this, so that its square can be summed: a day, in nanoseconds.
const GAP_MAX: u64 = 86_400_000_000_000;
/// A habit is known from so many gaps on.
const GAPS_MIN: u32 = 3;

/// The habit of a worker.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Rhythm {
    last: Time,
    gaps: u32,
    /// Of the gaps, in nanoseconds.
    sum: u128,
    /// Of their squares.
    squares: u128,
}

impl Rhythm {
    /// The first beat.
    pub(super) const fn new(at: Time) -> Self {
        Self { last: at, gaps: 0, sum: 0, squares: 0 }
    }

    /// The next beat. Once the window is full, each new gap takes the place of a mean one.
    pub(super) fn beat(&mut self, at: Time, window: u32) {
        let gap = u128::from(at.since(self.last).as_nanos().min(GAP_MAX));
        self.last = at;
        if self.gaps < window {
            self.gaps += 1;
        } else {
            self.sum -= self.sum / u128::from(self.gaps);
            self.squares -= self.squares / u128::from(self.gaps);
        }
        self.sum += gap;
        self.squares += gap * gap;
    }

    /// Mean and deviation of the gaps, if they are known.
    fn habit(&self) -> Option<(Duration, Duration)> {
        if self.gaps < GAPS_MIN {
            return None;
        }
        let gaps = u128::from(self.gaps);
        let mean = self.sum / gaps;
        // A mean that is rounded down is at most one nanosecond off, so that a spread of none may come out as a little.
        let variance = (self.squares / gaps).saturating_sub(mean * mean);
        let nanos = |value: u128| Duration::from_nanos(u64::try_from(value).unwrap_or(u64::MAX));
        Some((nanos(mean), nanos(variance.isqrt())))
    }
}

/// After which silence phi reaches the threshold.
fn suspicion(mean: Duration, deviation: Duration, parameters: &Parameters) -> Duration {
    let deviation = u128::from(deviation.max(parameters.deviation).as_nanos());
    let at = (parameters.phi as usize).clamp(1, QUANTILES.len()) - 1;
    let above = deviation * u128::from(QUANTILES[at]) / u128::from(MILLION);
    mean + parameters.pause + Duration::from_nanos(u64::try_from(above).unwrap_or(u64::MAX))
}

impl Worker {
    /// After which silence it counts as gone.
    fn patience(&self, parameters: &Parameters) -> Duration {
        match (parameters.health, self.rhythm.habit()) {
            (Health::Fixed, _) | (_, None) => parameters.silence,
            (Health::PhiAccrual, Some((mean, deviation))) => {
                suspicion(mean, deviation, parameters).min(parameters.silence)
            }
        }
    }
}

impl Step<'_> {
    /// A heartbeat came.
    pub(super) fn beat(&mut self, who: Identity) {
        let hub = &self.rules.hub;
        if hub.health == Health::Fixed {
            return;
        }
        self.state.workers.beat(who, self.state.now, hub.window);
        // Whoever beats faster than it was known to is missed earlier, too.
        let Some(worker) = self.state.workers.worker(who) else { return };
        if self.look_at(worker) < worker.listen_at {
            self.listen_for(who);
        }
    }

    /// When a worker's silence is to be looked for, if nothing more is heard of it.
    fn look_at(&self, worker: &Worker) -> Time {
        let hub = &self.rules.hub;
        let (until, check) = (worker.heard + worker.patience(hub), hub.check.as_nanos());
        match check {
            0 => until,
            _ => Time(until.0.div_ceil(check).saturating_mul(check)),
        }
    }

    /// Sets the alarm for a worker's silence.
    pub(super) fn listen_for(&mut self, who: Identity) {
        let Some(worker) = self.state.workers.worker(who) else { return };
        let (before, at) = (worker.listen_at, self.look_at(worker));
        self.state.alarms.remove(&(before, Alarm::Silence(who)));
        self.state.alarms.insert((at, Alarm::Silence(who)));
        self.state.workers.listen(who, at);
    }

    /// The alarm for a worker's silence rings.
    pub(super) fn listen(&mut self, who: Identity, rung: Time) {
        let Some(worker) = self.state.workers.worker(who).filter(|it| it.listen_at == rung) else { return };
        if worker.heard + worker.patience(&self.rules.hub) > self.state.now {
            self.listen_for(who);
        } else {
            self.lose(who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Phi after a silence of so many deviations above the mean.
    fn phi(deviations: f64) -> f64 {
        let tail: f64 = 0.5 * libm::erfc(deviations / std::f64::consts::SQRT_2);
        -libm::log10(tail)
    }

    /// Phi of Normal(1000, 100) after 1000, 1100, ..., 1600 ms, by the formula of the paper, in ten-thousandths.
    const LISTED: [u32; 7] = [3_010, 7_995, 16_430, 28_697, 44_993, 65_426, 90_059];

    #[test]
    fn phi_is_that_of_the_normal_distribution() {
        for (deviations, expected) in LISTED.iter().enumerate() {
            let reached = phi(deviations as f64) * 10_000.0;
            assert!((reached - f64::from(*expected)).abs() < 0.51, "{deviations}: {reached}");
        }
        for (at, quantile) in QUANTILES.iter().enumerate() {
            let reached = phi(*quantile as f64 / MILLION as f64);
            // The last digit of the table is worth less than 4 millionths of phi.
            assert!((reached - (at + 1) as f64).abs() < 4e-6, "{at}: {reached}");
        }
    }

    /// A worker is suspected at one of the listed silences if, and only if, phi is at its threshold there.
    #[test]
    fn who_is_suspected_is_as_listed() {
        let millis = Duration::from_millis;
        for (hundreds, listed) in LISTED.iter().enumerate() {
            let silence = millis(1_000 + 100 * hundreds as u64);
            for threshold in 1..=QUANTILES.len() as u32 {
                let parameters = Parameters { phi: threshold, ..Parameters::default() };
                let is_suspected = suspicion(millis(1_000), millis(100), &parameters) <= silence;
                assert_eq!(is_suspected, *listed >= threshold * 10_000, "{silence}, {threshold}");
            }
        }
    }

    #[test]
    fn suspicion_comes_when_phi_reaches_its_threshold() {
        let of = |phi| {
            let parameters = Parameters { phi, ..Parameters::default() };
            suspicion(Duration::from_millis(1_000), Duration::from_millis(200), &parameters)
        };
        assert_eq!([1, 8].map(of), [1_256_310_400, 2_122_400_200].map(Duration::from_nanos));
        // No spread is less than the least that is reckoned with.
        let parameters = Parameters { pause: Duration::from_secs(3), ..Parameters::default() };
        let steady = suspicion(Duration::from_millis(1_000), Duration::ZERO, &parameters);
        assert_eq!(steady, Duration::from_nanos(4_561_200_100));
    }

    #[test]
    fn a_habit_is_that_of_the_latest_gaps() {
        let mut rhythm = Rhythm::new(Time::ZERO);
        let mut at = Time::ZERO;
        let mut beats = |rhythm: &mut Rhythm, gaps: &[u64]| {
            for gap in gaps {
                at += Duration::from_millis(*gap);
                rhythm.beat(at, 50);
            }
        };
        beats(&mut rhythm, &[900, 1_100]);
        assert_eq!(rhythm.habit(), None);
        beats(&mut rhythm, &[900, 1_100].repeat(20));
        assert_eq!(rhythm.habit(), Some((Duration::from_millis(1_000), Duration::from_millis(100))));
        // What was before has lost its weight: (1 - 1/50)^1000 is about 2e-9 of it.
        beats(&mut rhythm, &[400; 1_000]);
        let (mean, deviation) = rhythm.habit().expect("it is known");
        assert!((mean - Duration::from_millis(400)).as_nanos() < 1_000 && deviation.as_nanos() < 50_000_000);
    }
}
