//! Clocks of nodes: a steady one with an arbitrary origin in each life and a rate of its own, and a wall clock that
//! may be wrong.

use seedbed_core::contract::{Duration, Keys, NodeId, Purpose, Time};

use crate::law::Law;

/// What wall clocks show when a run begins: 2026-01-01T00:00:00Z, in nanoseconds since 1970.
pub const WALL_START: u64 = 1_767_225_600_000_000_000;
/// The fastest or slowest a clock may run: 10 %, in parts per billion.
pub const DRIFT_PPB_MAX: i64 = 100_000_000;

/// How the clocks of a world are wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clocks {
    /// How far a wall clock is off at the start; the sign is drawn.
    pub skew: Option<Law>,
    /// Each node's rate is drawn within this many parts per billion of true.
    pub drift_ppb: u64,
    /// How much later than set a timer runs out; none for exactly then.
    pub slack: Option<Law>,
}

/// The clock of a node that runs fast or slow, or whose wall clock is off.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Clock {
    /// How far the wall clock is ahead of true time, in nanoseconds.
    pub skew: i64,
    /// How much faster than true it runs, in parts per billion.
    pub drift_ppb: i64,
    /// Since when it runs at this rate.
    since: u64,
    /// How far it was ahead by then because of its rate.
    gained: i64,
}

impl Clocks {
    /// How much later than set a timer runs out, the `nth` that is set in this step of a node's life. In nanoseconds.
    #[must_use]
    pub fn lateness(&self, keys: &Keys, node: NodeId, life: u16, step: u64, nth: u64) -> u64 {
        // The first of all addresses is that of the clock's origin.
        let address = (step + 1) << 24 | nth;
        let draw = keys.roll(Purpose::Clock).at(u64::from(node.0) << 32 | u64::from(life), address);
        self.slack.as_ref().map_or(0, |law| law.draw(draw))
    }

    /// The clock of a node, or none if it is right.
    #[must_use]
    pub fn clock(&self, keys: &Keys, node: NodeId) -> Option<Clock> {
        let roll = keys.roll(Purpose::Clock);
        let draw = roll.at(u64::from(node.0) << 32, u64::MAX);
        let sign = if draw & 1 == 0 { 1 } else { -1 };
        let skew = self.skew.as_ref().map_or(0, |law| sign * (law.draw(roll.next(draw)) as i64));
        let width = 2 * self.drift_ppb.min(DRIFT_PPB_MAX as u64) + 1;
        let rate = ((u128::from(roll.next(!draw)) * u128::from(width)) >> 64) as i64;
        let drift_ppb = rate - (width / 2) as i64;
        (skew != 0 || drift_ppb != 0).then_some(Clock { skew, drift_ppb, since: 0, gained: 0 })
    }
}

/// How far a node's steady clock is ahead of the world's in one life: at most 13 days, in units of 2^18 ns, because
/// every node keeps one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Origin(u32);

impl Origin {
    /// The origin of this life of a node.
    #[must_use]
    pub fn new(keys: &Keys, node: NodeId, life: u32) -> Self {
        Self(keys.roll(Purpose::Clock).at(u64::from(node.0) << 32 | u64::from(life), 0) as u32)
    }

    /// In nanoseconds.
    #[inline]
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        (self.0 as u64) << 18
    }
}

impl Clock {
    /// How far the steady clock is ahead of a true one at world time `at`.
    fn ahead(&self, at: u64) -> i64 {
        let ran = i128::from(at.saturating_sub(self.since));
        self.gained + (ran * i128::from(self.drift_ppb) / 1_000_000_000) as i64
    }

    /// The steady clock at world time `at`, given the origin of this life.
    #[must_use]
    pub fn steady(&self, at: u64, origin: u64) -> Time {
        Time((at + origin).saturating_add_signed(self.ahead(at)))
    }

    /// The wall clock at world time `at`.
    #[must_use]
    pub fn wall(&self, at: u64) -> Time {
        Time((WALL_START + at).saturating_add_signed(self.skew.saturating_add(self.ahead(at))))
    }

    /// How long in world time it takes this clock to pass `span`, rounded up.
    #[must_use]
    pub fn world_time(&self, span: Duration) -> u64 {
        let rate = (1_000_000_000 + self.drift_ppb) as u128;
        u64::try_from((u128::from(span.as_nanos()) * 1_000_000_000).div_ceil(rate)).unwrap_or(u64::MAX)
    }

    /// Runs at another rate from world time `at` on, without a jump.
    pub fn set_drift(&mut self, at: u64, drift_ppb: i64) {
        self.gained = self.ahead(at);
        self.since = at;
        self.drift_ppb = drift_ppb.clamp(-DRIFT_PPB_MAX, DRIFT_PPB_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_shows_more_and_its_timers_take_less() {
        let clock = Clock { drift_ppb: 1_000_000, ..Clock::default() };
        let second = 1_000_000_000;
        assert_eq!(clock.steady(second, 0), Time(second + 1_000_000));
        assert_eq!(clock.world_time(Duration::from_nanos(second + 1_000_000)), second);
    }

    #[test]
    fn a_change_of_rate_is_no_jump() {
        let mut clock = Clock { drift_ppb: 500_000, ..Clock::default() };
        let before = clock.steady(7_000_000_000, 5);
        clock.set_drift(7_000_000_000, -300_000);
        assert_eq!(clock.steady(7_000_000_000, 5), before);
        assert!(clock.steady(8_000_000_000, 5) > before);
    }

    #[test]
    fn origins_differ_between_lives_and_nodes() {
        let keys = Keys::from_seed(3);
        let origins = [(0, 0), (0, 1), (1, 0)].map(|(node, life)| Origin::new(&keys, NodeId(node), life));
        assert!(origins[0] != origins[1] && origins[0] != origins[2] && origins[1] != origins[2]);
    }

    #[test]
    fn drift_is_drawn_on_both_sides_within_its_bound() {
        let clocks = Clocks { drift_ppb: 1000, ..Clocks::default() };
        let keys = Keys::from_seed(9);
        let rates: Vec<i64> = (0..200)
            .filter_map(|node| clocks.clock(&keys, NodeId(node)))
            .map(|clock| clock.drift_ppb)
            .collect();
        assert!(rates.iter().all(|rate| rate.abs() <= 1000));
        assert!(rates.iter().any(|&rate| rate > 500) && rates.iter().any(|&rate| rate < -500));
    }
}
