//! What the original's experiments draw: capacities, trust, needs.

use super::messages::Spec;
use super::parameters::Load;
use crate::contract::{Dice, Duration};
use crate::scheduler::trust::Fixed;

const TRUST_LEAST: u64 = Fixed::ONE.0;
const TRUST_MOST: u64 = 10 * Fixed::ONE.0;
/// How much more trust than it requires the nodes of a task must have.
const MARGIN: Fixed = Fixed(Fixed::ONE.0 / 2);
/// After so many draws a required trust is the least there is: nodes are too few, or too little trusted.
const REDRAWS_MAX: u32 = 1_000;
/// Of a hundred tasks, how many want at most 1, 2, 3, 4 nodes; the rest want 5.
const OVERLAPS: [u64; 4] = [10, 45, 80, 95];

/// Cores, 1 to 4, and memory, 1 to 8.
pub(super) fn capacity(dice: &mut Dice<'_>) -> (u32, u32) {
    (1 + dice.below(4) as u32, 1 + dice.below(8) as u32)
}

/// From 1 to 10.
pub(super) fn trust(dice: &mut Dice<'_>) -> Fixed {
    Fixed(TRUST_LEAST + dice.below(TRUST_MOST - TRUST_LEAST + 1))
}

/// Of a task for so many nodes: from 1 to 10 and at most the highest trust, drawn until enough nodes have half a point more.
pub(super) fn required(trusts: &[Fixed], overlap: u32, dice: &mut Dice<'_>) -> Fixed {
    let most = trusts.iter().copied().max().unwrap_or_default();
    let suffices = |required: Fixed| {
        trusts.iter().filter(|trust| **trust >= required.plus(MARGIN)).count() >= overlap as usize
    };
    let mut draws = (0..REDRAWS_MAX).map(|_| trust(dice).min(most));
    draws.find(|&required| suffices(required)).unwrap_or(Fixed(TRUST_LEAST))
}

/// A task; what the load does not set is drawn. Draws that are not used are made all the same, so that one key moves no other.
pub(super) fn spec(load: &Load, dice: &mut Dice<'_>) -> Spec {
    let cpu = 1 + dice.below(6) as u32;
    let ram = 1 + dice.below(10) as u32;
    let share = dice.below(100);
    let overlap = 1 + OVERLAPS.iter().filter(|&&most| share >= most).count() as u32;
    let work = duration(dice);
    Spec {
        cpu: Some(load.cpu.unwrap_or(cpu)),
        ram: Some(load.ram.unwrap_or(ram)),
        overlap: load.overlap.unwrap_or(overlap),
        trust: load.trust.map(Fixed::of),
        work: load.work.unwrap_or(work),
    }
}

/// Normal, 1 s and 0.1 s: the sum of twelve uniform draws from 0 to 1 has a mean of 6 and a deviation of 1. So it lies between 0.4 s
/// and 1.6 s, and the original's lower bound of 0.1 s is never met.
fn duration(dice: &mut Dice<'_>) -> Duration {
    const SECOND: u64 = 1_000_000_000;
    let sum: u64 = (0..12).map(|_| dice.below(SECOND + 1)).sum();
    Duration::from_nanos(SECOND * 4 / 10 + sum / 10)
}
