//! Randomness that is addressed, not streamed: address = (run key, purpose, node, life, ordinal).
//!
//! A draw is a pure function of its address. So a replay needs no recorded draws, an idle node added moves no draw
//! of the others, and removing a fault changes draws only in its causal future.

use std::fmt;
use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Duration, Life, NodeId};

/// What a draw is for. Each purpose has keys of its own, so that none can disturb another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Purpose {
    /// What a protocol draws from its [`Dice`].
    Protocol,
    /// [`Dice::secret`].
    Secret,
    /// Delay, loss and damage of messages.
    Network,
    /// Disk times and damage.
    Disk,
    /// Origins, skews and rates of clocks.
    Clock,
    /// CPU times.
    Cpu,
    /// When and where faults strike.
    Fault,
    /// What clients ask, and when.
    Workload,
    /// Placement of nodes in regions and the like.
    Layout,
}
const PURPOSES: usize = 9;

/// The keys of one run, expanded from its 256-bit run key by ChaCha8.
#[derive(Clone)]
pub struct Keys {
    secret: [u8; 32],
    rolls: [Roll; PURPOSES],
}

impl Keys {
    /// The keys of a run with this 256-bit key.
    #[must_use]
    pub fn new(run_key: [u8; 32]) -> Self {
        let mut chacha = ChaCha8Rng::from_seed(run_key);
        let mut secret = [0; 32];
        let rolls = std::array::from_fn(|_| Roll { keys: std::array::from_fn(|_| chacha.next_u64()) });
        chacha.fill_bytes(&mut secret);
        Self { secret, rolls }
    }

    /// The keys of a simulated run with this seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self::new(Self::run_key(seed))
    }

    /// The 256-bit key of a simulated run with this seed.
    #[must_use]
    pub fn run_key(seed: u64) -> [u8; 32] {
        let mut chacha = ChaCha8Rng::seed_from_u64(seed);
        let mut run_key = [0; 32];
        chacha.fill_bytes(&mut run_key);
        run_key
    }

    /// The draws of one purpose.
    #[inline]
    #[must_use]
    pub const fn roll(&self, purpose: Purpose) -> &Roll {
        &self.rolls[purpose as usize]
    }
}

/// Keys are secrets: a log shows none.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// Draws of one purpose, by address: a counter hash under a 256-bit key.
#[derive(Clone)]
pub struct Roll {
    keys: [u64; 4],
}

impl fmt::Debug for Roll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Roll(..)")
    }
}

impl Roll {
    /// The uniform 64 bits at an address of two words.
    #[inline]
    #[must_use]
    pub const fn at(&self, first: u64, second: u64) -> u64 {
        let half = fold(first ^ self.keys[0], second ^ self.keys[1]);
        fold(half ^ self.keys[2], self.keys[3])
    }

    /// One more draw at the address whose first draw was `drawn`.
    #[inline]
    #[must_use]
    pub const fn next(&self, drawn: u64) -> u64 {
        fold(drawn.wrapping_add(GOLDEN) ^ self.keys[1], self.keys[2])
    }
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Both halves of the 128-bit product, folded: every bit of either factor moves every bit of the result.
#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128) * (b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Scales 64 uniform bits to `0..bound`.
#[inline]
const fn scale(bits: u64, bound: u64) -> u64 {
    ((bits as u128 * bound as u128) >> 64) as u64
}

/// The draws of one step of one node. Each is a named choice, which an explorer may make itself.
#[derive(Clone, Debug)]
pub struct Dice<'a> {
    keys: &'a Keys,
    place: u64,
    step: u64,
    pub(super) drawn: Option<u64>,
}

impl<'a> Dice<'a> {
    /// The dice of the step that is the `step`-th of this life.
    #[inline]
    #[must_use]
    pub const fn new(keys: &'a Keys, node: NodeId, life: Life, step: u64) -> Self {
        Self { keys, place: (node.0 as u64) << 32 | life.0 as u64, step, drawn: None }
    }

    #[inline]
    fn bits(&mut self) -> u64 {
        let roll = self.keys.roll(Purpose::Protocol);
        let bits = match self.drawn {
            None => roll.at(self.place, self.step),
            Some(drawn) => roll.next(drawn),
        };
        self.drawn = Some(bits);
        bits
    }

    /// A number in `0..bound`; 0 if `bound` is 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        scale(self.bits(), bound)
    }

    /// A length of time in `range`; its start if the range is empty.
    #[inline]
    pub fn within(&mut self, range: Range<Duration>) -> Duration {
        let width = range.end.saturating_sub(range.start);
        range.start + Duration::from_nanos(self.below(width.as_nanos()))
    }

    /// True with a probability of `part` in `of`.
    #[inline]
    pub fn chance(&mut self, part: u64, of: u64) -> bool {
        self.below(of.max(1)) < part
    }

    /// Puts `items` into a uniformly drawn order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let pick = self.below(end as u64 + 1) as usize;
            items.swap(end, pick);
        }
    }

    /// Unguessable bytes (ChaCha8): for tokens and keys.
    pub fn secret(&mut self) -> [u8; 32] {
        let mut seed = self.keys.secret;
        let (ordinal, place) = (self.bits(), self.place);
        for (bytes, word) in seed.chunks_exact_mut(8).zip([place, self.step, ordinal]) {
            for (byte, mixed) in bytes.iter_mut().zip(word.to_le_bytes()) {
                *byte ^= mixed;
            }
        }
        let mut bytes = [0; 32];
        ChaCha8Rng::from_seed(seed).fill_bytes(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dice(keys: &Keys, node: u32, life: u32, step: u64) -> Vec<u64> {
        let mut dice = Dice::new(keys, NodeId(node), Life(life), step);
        (0..4).map(|_| dice.below(1 << 32)).collect()
    }

    #[test]
    fn a_draw_depends_on_its_address_alone() {
        let keys = Keys::from_seed(1);
        assert_eq!(dice(&keys, 3, 0, 9), dice(&Keys::from_seed(1), 3, 0, 9));
        let others = [dice(&keys, 4, 0, 9), dice(&keys, 3, 1, 9), dice(&keys, 3, 0, 10)];
        assert!(others.iter().all(|other| *other != dice(&keys, 3, 0, 9)));
        assert_ne!(dice(&Keys::from_seed(2), 3, 0, 9), dice(&keys, 3, 0, 9));
    }

    #[test]
    fn neighbouring_addresses_draw_differently() {
        let roll = Keys::from_seed(1).roll(Purpose::Network).clone();
        let mut drawn: Vec<u64> = (0..64)
            .flat_map(|first| (0..64).map(move |second| (first, second)))
            .chain((0..64).map(|low| (5, u64::MAX - low)))
            .map(|(first, second)| roll.at(first, second))
            .collect();
        let all = drawn.len();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), all);
    }

    #[test]
    fn draws_are_uniform_in_every_bit() {
        let roll = Keys::from_seed(7).roll(Purpose::Network).clone();
        let mut ones = [0u32; 64];
        let rounds = 20_000;
        for ordinal in 0..rounds {
            let bits = roll.at(1, ordinal);
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += (bits >> bit & 1) as u32;
            }
        }
        // Five standard deviations of a fair coin: sqrt(n)/2 each.
        assert!(ones.iter().all(|&count| count.abs_diff(rounds as u32 / 2) < 354), "{ones:?}");
    }

    #[test]
    fn secrets_differ_within_and_between_steps() {
        let keys = Keys::from_seed(1);
        let mut dice = Dice::new(&keys, NodeId(0), Life(0), 0);
        let (first, second) = (dice.secret(), dice.secret());
        let third = Dice::new(&keys, NodeId(0), Life(0), 1).secret();
        assert!(first != second && second != third && first != third);
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let keys = Keys::from_seed(5);
        let mut items: Vec<u32> = (0..100).collect();
        Dice::new(&keys, NodeId(0), Life(0), 0).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
