//! Which worker gets a task, of those that have room for it.
//!
//! Sources: the thesis "Components for a Decentralized Cloud" (Dragos) for `districloud`; Nomad's score of bin-packing for
//! `best-fit` and `spread`; Dask's worker objective for `locality`; Mitzenmacher, "The power of two choices in randomized
//! load balancing" (2001), and Sparrow (2013) for `power-of-d`. Where two are equally good, the lower identity gets it.

use super::entry::Needs;
use crate::choice;
use crate::contract::{Dice, Duration};
use crate::scheduler::trust::{Fixed, Identity};
use crate::settings::Bytes;

choice! {
    /// Which worker gets a task, of those that have room for it.
    pub enum NodePolicy {
        /// DistriCloud's: the one whose free cores and memory fit the task most closely; of equals the most trusted one.
        Districloud,
        /// The one with the fewest copies.
        ShortestQueue,
        /// The one with the smallest share of its cores reserved.
        LeastLoaded,
        /// The least loaded one of a few that are drawn.
        PowerOfD,
        /// Nomad's bin-packing: the one that is fullest with the task.
        BestFit,
        /// The one that is emptiest with the task.
        Spread,
        /// Dask's: where the task can begin first, counting the work before it and the data that is not there yet.
        Locality,
        /// Any, drawn.
        Random,
        /// The next after the one that got the last task.
        RoundRobin,
    }
}

/// A worker with room for a task.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// Who.
    pub who: Identity,
    /// Its cores; at least one.
    pub cores: u32,
    /// Those that no copy has, and none that waits there will have.
    pub free_cores: u32,
    /// Those that copies have or wait for: may be more than there are.
    pub taken_cores: u64,
    /// Its memory.
    pub ram: Bytes,
    /// That which no copy has, nor will have that waits there.
    pub free_ram: Bytes,
    /// How many copies it has, with those that wait there.
    pub copies: u32,
    /// DistriCloud's trust.
    pub trust: Fixed,
    /// The work it has, shared by its cores.
    pub occupied: Duration,
    /// How long the task's data takes to come to it.
    pub transfer: Duration,
    /// How long the task's work takes there.
    pub takes: Duration,
}

impl Candidate {
    /// About how long a task waits there: not at all if there is room.
    pub(super) fn delay(&self, needs: &Needs) -> Duration {
        let has_room = self.free_cores >= needs.cores && self.free_ram >= needs.ram;
        if has_room { Duration::ZERO } else { self.occupied + Duration::from_nanos(1) }
    }
}

impl NodePolicy {
    /// The one that gets the task; none if there is nobody. `last` is who got the last one, `choices` the number drawn by
    /// `power-of-d`.
    #[must_use]
    pub fn choose(
        self,
        needs: &Needs,
        candidates: &[Candidate],
        choices: u32,
        last: Option<Identity>,
        dice: &mut Dice<'_>,
    ) -> Option<Identity> {
        let best = |score: &dyn Fn(&Candidate) -> (u128, u64)| {
            candidates.iter().min_by_key(|candidate| (score(candidate), candidate.who)).map(|best| best.who)
        };
        // Where a task has to wait, it fits nowhere: then it goes where it waits for the shortest time.
        let fitting = |score: &dyn Fn(&Candidate) -> (u128, u64)| {
            let rated = candidates.iter().min_by_key(|it| (it.delay(needs), score(it), it.who));
            rated.map(|best| best.who)
        };
        match self {
            Self::Districloud => fitting(&|it| (misfit(needs, it), u64::MAX - it.trust.0)),
            Self::ShortestQueue => best(&|it| (it.copies.into(), 0)),
            Self::LeastLoaded => best(&|it| (load(it), 0)),
            Self::PowerOfD => {
                let drawn = (0..choices).filter_map(|_| drawn(candidates, dice));
                drawn.min_by_key(|it| (load(it), it.who)).map(|it| it.who)
            }
            Self::BestFit => fitting(&|it| (emptiness(needs, it).into(), 0)),
            Self::Spread => fitting(&|it| (u128::from(u64::MAX - emptiness(needs, it)), 0)),
            Self::Locality => best(&|it| ((it.occupied + it.transfer).as_nanos().into(), 0)),
            Self::Random => drawn(candidates, dice).map(|it| it.who),
            Self::RoundRobin => {
                let all = || candidates.iter().map(|it| it.who);
                all().filter(|who| Some(*who) > last).min().or_else(|| all().min())
            }
        }
    }
}

fn drawn<'a>(candidates: &'a [Candidate], dice: &mut Dice<'_>) -> Option<&'a Candidate> {
    candidates.get(dice.below(candidates.len() as u64) as usize)
}

const UNIT: u128 = 1_000_000_000;
const GIB: u128 = 1 << 30;

/// DistriCloud's S in billionths: |free - needed| / max(needed, 1) of cores, and of memory in GiB. Memory is compared in
/// bytes, so that the rounding is one of billionths.
fn misfit(needs: &Needs, it: &Candidate) -> u128 {
    let part = |free: u128, needed: u128, one: u128| free.abs_diff(needed) * UNIT / needed.max(one);
    part(it.free_cores.into(), needs.cores.into(), 1) + part(it.free_ram.0.into(), needs.ram.0.into(), GIB)
}

/// The cores that are taken or waited for, by those that there are, in billionths.
fn load(it: &Candidate) -> u128 {
    u128::from(it.taken_cores) * UNIT / u128::from(it.cores.max(1))
}

/// 10^(free cores) + 10^(free memory) in billionths, by the shares that are free with the task: between 2 and 20. Nomad's
/// score of bin-packing is 20 less this, its score of spreading 18 less that.
fn emptiness(needs: &Needs, it: &Candidate) -> u64 {
    let left = |free: u64, needed: u64, all: u64| {
        let share = u128::from(free.saturating_sub(needed)) * u128::from(ONE_SHARE) / u128::from(all.max(1));
        ten_to_the(share.min(ONE_SHARE.into()) as u64)
    };
    left(it.free_cores.into(), needs.cores.into(), it.cores.into())
        + left(it.free_ram.0, needs.ram.0, it.ram.0)
}

/// A whole share of a machine: shares are counted in parts of 2^20.
const SHARE_BITS: usize = 20;
const ONE_SHARE: u64 = 1 << SHARE_BITS;

/// 10^(2^-1), 10^(2^-2), ... in billionths of billionths: each the root of the one before it.
const ROOTS: [u128; SHARE_BITS] = {
    let mut roots = [0; SHARE_BITS];
    let (mut at, mut power) = (0, 10 * UNIT * UNIT);
    while at < SHARE_BITS {
        power = (power * UNIT * UNIT).isqrt();
        roots[at] = power;
        at += 1;
    }
    roots
};

/// 10 to the power of a share, in billionths, in whole numbers: it decides, so it must be the same everywhere.
fn ten_to_the(share: u64) -> u64 {
    if share >= ONE_SHARE {
        return (10 * UNIT) as u64;
    }
    let bits = ROOTS.iter().enumerate().filter(|(at, _)| share >> (SHARE_BITS - 1 - at) & 1 == 1);
    (bits.fold(UNIT * UNIT, |power, (_, root)| power * root / (UNIT * UNIT)) / UNIT) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Keys, Life, NodeId};

    fn needs(cores: u32, gib: u64) -> Needs {
        Needs { cores, ram: Bytes(gib << 30), tags: Vec::new() }
    }

    /// Of so many cores and GiB, with so much of each free.
    fn worker(who: u64, cores: [u32; 2], gib: [u64; 2]) -> Candidate {
        Candidate {
            who: Identity(who),
            cores: cores[1],
            free_cores: cores[0],
            taken_cores: u64::from(cores[1] - cores[0]),
            ram: Bytes(gib[1] << 30),
            free_ram: Bytes(gib[0] << 30),
            copies: cores[1] - cores[0],
            trust: Fixed::ONE,
            occupied: Duration::ZERO,
            transfer: Duration::ZERO,
            takes: Duration::ZERO,
        }
    }

    /// Who gets tasks one after the other, if each leaves the list when it gets one.
    fn order(policy: NodePolicy, needs: &Needs, candidates: &[Candidate]) -> Vec<u64> {
        let (keys, mut left, mut order) = (Keys::from_seed(3), candidates.to_vec(), Vec::new());
        let mut dice = Dice::new(&keys, NodeId(0), Life(0), 0);
        while let Some(who) =
            policy.choose(needs, &left, 2, order.last().map(|who| Identity(*who)), &mut dice)
        {
            left.retain(|other| other.who != who);
            order.push(who.0);
        }
        order
    }

    #[test]
    fn each_policy_has_its_order() {
        let all = [
            worker(0, [2, 2], [2, 2]),
            worker(1, [4, 8], [2, 8]),
            worker(2, [4, 4], [8, 8]),
            worker(3, [3, 6], [3, 6]),
            worker(4, [2, 16], [2, 16]),
        ];
        let of = |policy| order(policy, &needs(2, 2), &all);
        // S: 0, 1, 1 + 3, 0.5 + 0.5, 0.
        assert_eq!(of(NodePolicy::Districloud), [0, 4, 1, 3, 2]);
        // Copies: 0, 4, 0, 3, 14.
        assert_eq!(of(NodePolicy::ShortestQueue), [0, 2, 3, 1, 4]);
        // Reserved: 0, 1/2, 0, 1/2, 7/8.
        assert_eq!(of(NodePolicy::LeastLoaded), [0, 2, 1, 3, 4]);
        // Left free: 0 and 0, 1/4 and 0, 1/2 and 3/4, 1/6 and 1/6, 0 and 0.
        assert_eq!(of(NodePolicy::BestFit), [0, 4, 1, 3, 2]);
        assert_eq!(of(NodePolicy::Spread), [2, 3, 1, 0, 4]);
        assert_eq!(of(NodePolicy::RoundRobin), [0, 1, 2, 3, 4]);
        for drawn in [NodePolicy::Random, NodePolicy::PowerOfD] {
            let mut order = of(drawn);
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3, 4]);
        }
    }

    #[test]
    fn ties_of_the_closest_fit_fall_to_the_most_trusted() {
        let mut all = [worker(0, [2, 2], [2, 2]), worker(1, [2, 2], [2, 2]), worker(2, [2, 2], [2, 2])];
        all[1].trust = Fixed::of(7.0);
        all[2].trust = Fixed::of(3.0);
        assert_eq!(order(NodePolicy::Districloud, &needs(2, 2), &all), [1, 2, 0]);
    }

    #[test]
    fn locality_weighs_work_against_transfer() {
        let mut all = [worker(0, [2, 2], [2, 2]), worker(1, [2, 2], [2, 2]), worker(2, [2, 2], [2, 2])];
        all[0].transfer = Duration::from_secs(5);
        all[1].occupied = Duration::from_secs(3);
        all[2].occupied = Duration::from_secs(3);
        all[2].transfer = Duration::from_secs(1);
        assert_eq!(order(NodePolicy::Locality, &needs(1, 1), &all), [1, 2, 0]);
    }

    #[test]
    fn round_robin_goes_on_after_the_last_and_begins_again() {
        let keys = Keys::from_seed(1);
        let all = [1, 4, 6].map(|who| worker(who, [1, 1], [1, 1]));
        let after = |last: u64| {
            let mut dice = Dice::new(&keys, NodeId(0), Life(0), 0);
            NodePolicy::RoundRobin.choose(&needs(1, 1), &all, 2, Some(Identity(last)), &mut dice)
        };
        assert_eq!([0, 1, 5, 6, 9].map(after), [1, 4, 6, 1, 1].map(|who| Some(Identity(who))));
    }

    #[test]
    fn of_two_drawn_the_less_loaded_is_taken() {
        let keys = Keys::from_seed(1);
        let all = [worker(0, [1, 10], [1, 1]), worker(1, [9, 10], [1, 1])];
        let taken = (0..400).filter(|step| {
            let mut dice = Dice::new(&keys, NodeId(0), Life(0), *step);
            NodePolicy::PowerOfD.choose(&needs(1, 1), &all, 2, None, &mut dice) == Some(Identity(0))
        });
        // Only if both draws hit it: a quarter of 400, within five standard deviations of 8.7.
        assert!(taken.count().abs_diff(100) < 44);
    }

    /// Nomad's documented scores: 18 of a full machine, 0 of an empty one, 13.675 of a half full one.
    #[test]
    fn bin_packing_scores_are_those_of_nomad() {
        let score = |free: u32| {
            let it = worker(0, [free, 1_000], [u64::from(free), 1_000]);
            20_000_000_000 - emptiness(&needs(0, 0), &it)
        };
        assert_eq!([0, 1_000].map(score), [18_000_000_000, 0]);
        assert!(score(500).abs_diff(13_675_444_680) < 20);
        assert!(ten_to_the(1 << 18).abs_diff(1_778_279_410) < 10);
    }
}
