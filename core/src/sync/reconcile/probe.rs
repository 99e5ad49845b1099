//! How many differences there are, guessed from a few bytes: which of some coded cells are equal.
//!
//! A difference is part of cell `i` with probability `2 / (i + 2)`, so that of `d` differences none is with
//! `(1 - 2 / (i + 2))^d`. The guess is the `d` that lets as many cells be equal as are.

use super::cells::{Cell, mix};
use super::session::Refusal;
use super::turn::Turn;
use super::wire::Reader;

/// Cells of an octave that are looked at.
const CELLS_PER_OCTAVE: u64 = 12;
/// 2^12 is how many cells are kept.
const OCTAVES: u32 = 12;
/// More cannot be told from these cells.
pub(super) const GUESS_MAX: u64 = 1 << 24;

fn places() -> impl Iterator<Item = u64> {
    (0..OCTAVES).flat_map(|octave| {
        let (first, count) = (1_u64 << octave, (1_u64 << octave).min(CELLS_PER_OCTAVE));
        (0..count).map(move |nth| first + first * nth / count)
    })
}

fn byte(cell: Cell) -> u8 {
    mix(cell.sum ^ u64::from(cell.check)) as u8
}

/// Writes one byte for each cell looked at.
pub(super) fn put(turn: &mut Turn<'_>) {
    let cells = turn.set.cells();
    turn.out.extend(places().filter_map(|place| cells.get(place as usize)).map(|&cell| byte(cell)));
}

/// Compares the peer's bytes with this side's cells.
pub(super) fn read(turn: &Turn<'_>, body: &mut Reader<'_>) -> Result<u64, Refusal> {
    let cells = turn.set.cells();
    let mut seen = Vec::new();
    for place in places() {
        let theirs = body.byte()?;
        seen.push((place, cells.get(place as usize).is_some_and(|&cell| byte(cell) == theirs)));
    }
    Ok(guess(&seen))
}

/// How many differences there are, given which cells show none.
pub(super) fn guess(seen: &[(u64, bool)]) -> u64 {
    let empty = seen.iter().filter(|(_, is_empty)| *is_empty).count() as f64;
    let expected = |differences: u64| -> f64 {
        seen.iter().map(|&(place, _)| power(place as f64 / (place as f64 + 2.0), differences)).sum()
    };
    let (mut low, mut high) = (1, GUESS_MAX);
    while low < high {
        let middle = low.midpoint(high);
        if expected(middle) > empty + 0.5 { low = middle + 1 } else { high = middle }
    }
    low
}

/// By squaring: products are the same on every machine, a library's exponential is not.
fn power(mut base: f64, mut exponent: u64) -> f64 {
    let mut power = 1.0;
    while exponent > 0 {
        if exponent & 1 == 1 {
            power *= base;
        }
        base *= base;
        exponent >>= 1;
    }
    power
}
