//! The clocks of a node, and an alarm that rings on time.

mod alarm;

pub use alarm::Alarm;

use std::time::{Duration as Span, Instant, SystemTime, UNIX_EPOCH};

use seedbed_core::contract::{Keys, Life, NodeId, Purpose, Time};

/// The fastest or slowest a clock may run: 10 %, in parts per billion.
pub const DRIFT_PPB_MAX: i64 = 100_000_000;

/// How a node's clocks are wrong, for experiments. By default they are the machine's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Skew {
    /// How far the wall clock is ahead of the machine's, in nanoseconds.
    pub wall: i64,
    /// How much faster than the machine's clocks they run, in parts per billion.
    pub drift_ppb: i64,
}

/// The clocks of one life: a steady one, which protocols and timers follow, and a wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// What the steady clock showed when the life began: arbitrary, so that nobody compares it across nodes or lives.
    origin: u64,
    began: Instant,
    skew: Skew,
    /// Since when it runs at this rate, and how far it was ahead by then.
    since: Instant,
    gained: i64,
}

impl Clock {
    /// The clocks of a life that begins now. The origin is drawn as in a simulation.
    #[must_use]
    pub fn new(keys: &Keys, node: NodeId, life: Life, skew: Skew) -> Self {
        let draw = keys.roll(Purpose::Clock).at(u64::from(node.0) << 32 | u64::from(life.0), 0) as u32;
        let now = Instant::now();
        let skew = Skew { drift_ppb: clamped(skew.drift_ppb), ..skew };
        Self { origin: u64::from(draw) << 18, began: now, skew, since: now, gained: 0 }
    }

    /// The steady clock, now.
    #[must_use]
    pub fn steady(&self) -> Time {
        self.steady_at(Instant::now())
    }

    /// The wall clock, now, in nanoseconds since 1970.
    #[must_use]
    pub fn wall(&self) -> Time {
        let machine = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ahead = match self.skew {
            Skew { wall: 0, drift_ppb: 0 } => self.gained,
            Skew { wall, .. } => wall.saturating_add(self.ahead(Instant::now())),
        };
        Time(nanos(machine).saturating_add_signed(ahead))
    }

    fn steady_at(&self, at: Instant) -> Time {
        let ran = nanos(at.saturating_duration_since(self.began));
        Time(self.origin.saturating_add(ran).saturating_add_signed(self.ahead(at)))
    }

    fn ahead(&self, at: Instant) -> i64 {
        if self.skew.drift_ppb == 0 {
            return self.gained;
        }
        let ran = i128::from(nanos(at.saturating_duration_since(self.since)));
        self.gained.saturating_add((ran * i128::from(self.skew.drift_ppb) / 1_000_000_000) as i64)
    }

    /// When the steady clock will show this, by the machine's clock; not before now.
    #[must_use]
    pub fn instant(&self, at: Time) -> Instant {
        let now = Instant::now();
        let left = u128::from(at.since(self.steady_at(now)).as_nanos());
        let rate = (1_000_000_000 + self.skew.drift_ppb) as u128;
        let left = u64::try_from((left * 1_000_000_000).div_ceil(rate)).unwrap_or(u64::MAX);
        now.checked_add(Span::from_nanos(left)).unwrap_or(now + A_LONG_TIME)
    }

    /// Lets the wall clock jump by so many nanoseconds.
    pub fn jump(&mut self, by: i64) {
        self.skew.wall = self.skew.wall.saturating_add(by);
    }

    /// Runs at another rate from now on, without a jump.
    pub fn set_drift(&mut self, drift_ppb: i64) {
        let now = Instant::now();
        self.gained = self.ahead(now);
        self.since = now;
        self.skew.drift_ppb = clamped(drift_ppb);
    }
}

const A_LONG_TIME: Span = Span::from_secs(1 << 30);

fn clamped(drift_ppb: i64) -> i64 {
    drift_ppb.clamp(-DRIFT_PPB_MAX, DRIFT_PPB_MAX)
}

fn nanos(span: Span) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use seedbed_core::contract::Duration;

    use super::*;

    fn clock(skew: Skew) -> Clock {
        Clock::new(&Keys::from_seed(1), NodeId(0), Life(0), skew)
    }

    #[test]
    fn a_fast_clock_reaches_its_deadlines_early() {
        let fast = clock(Skew { drift_ppb: DRIFT_PPB_MAX, ..Skew::default() });
        let later = fast.began + Span::from_secs(10);
        assert_eq!(fast.steady_at(later), Time(fast.origin) + Duration::from_secs(11));
        let deadline = fast.instant(Time(fast.origin) + Duration::from_secs(11));
        let off = deadline.max(later).duration_since(deadline.min(later));
        assert!(off < Span::from_micros(1), "{off:?}");
    }

    #[test]
    fn a_change_of_rate_is_no_jump() {
        let mut clock = clock(Skew { drift_ppb: 500_000, ..Skew::default() });
        clock.since = clock.began - Span::from_secs(100);
        let before = clock.ahead(clock.began);
        assert_eq!(before, 50_000_000);
        clock.set_drift(-300_000);
        assert!(clock.ahead(clock.since) >= before);
        assert!(clock.ahead(clock.since + Span::from_secs(1)) < clock.ahead(clock.since));
    }

    #[test]
    fn a_jump_moves_the_wall_clock_alone() {
        let (mut clock, hour) = (clock(Skew::default()), 3_600_000_000_000);
        let (steady, wall) = (clock.steady(), clock.wall());
        clock.jump(hour as i64);
        assert!(clock.wall() >= wall + Duration::from_nanos(hour));
        assert!(clock.steady() < steady + Duration::from_nanos(hour));
    }

    #[test]
    fn origins_differ_between_lives() {
        let origin = |life| Clock::new(&Keys::from_seed(1), NodeId(0), Life(life), Skew::default()).origin;
        assert_ne!(origin(0), origin(1));
    }

    #[test]
    fn a_deadline_at_the_end_of_time_is_far_away() {
        let clock = clock(Skew { drift_ppb: -DRIFT_PPB_MAX, ..Skew::default() });
        assert!(clock.instant(Time::MAX) > Instant::now() + Span::from_secs(1 << 20));
    }
}
