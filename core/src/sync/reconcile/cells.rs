//! The coded symbols of a rateless invertible Bloom lookup table.
//!
//! Yang, Gilad, Alizadeh, "Practical Rateless Set Reconciliation" (SIGCOMM 2024): entry `x` is part of cell `i` with
//! probability 1 / (1 + i/2), so that a prefix of any length is a good table, and 1.35 cells per difference decode in the
//! limit. Where the paper sums by exclusive or and counts, these cells add and subtract: a cell with one difference shows
//! by its sign whose it is.

use serde::Serialize;

/// A sum of entries' shorts and of their checks. The wire carries 24 bits of the latter.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub(super) struct Cell {
    pub(super) sum: u64,
    pub(super) check: u32,
}

/// What is kept of a check.
pub(super) const CHECK_MASK: u32 = 0xFF_FFFF;
/// Bytes of a cell in a message.
pub(super) const CELL_SIZE: usize = 11;

/// A bijection that scatters (the finaliser of SplitMix64, Steele et al., OOPSLA 2014).
pub(super) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn check(short: u64) -> u32 {
    (mix(short ^ 0x6C62_272E_07BB_0142) >> 32) as u32
}

impl Cell {
    pub(super) fn add(&mut self, short: u64) {
        self.sum = self.sum.wrapping_add(short);
        self.check = self.check.wrapping_add(check(short));
    }

    pub(super) fn subtract(&mut self, short: u64) {
        self.sum = self.sum.wrapping_sub(short);
        self.check = self.check.wrapping_sub(check(short));
    }

    /// This cell without the other's entries.
    pub(super) fn less(self, other: Self) -> Self {
        let check = self.check.wrapping_sub(other.check) & CHECK_MASK;
        Self { sum: self.sum.wrapping_sub(other.sum), check }
    }

    pub(super) fn is_empty(self) -> bool {
        self.sum == 0 && self.check & CHECK_MASK == 0
    }

    /// The one difference in cell `at`, and whether it was added.
    fn single(self, at: u64) -> Option<(u64, bool)> {
        [(self.sum, self.check, true), (self.sum.wrapping_neg(), self.check.wrapping_neg(), false)]
            .into_iter()
            .find(|&(short, sum, _)| (check(short) ^ sum) & CHECK_MASK == 0 && contains(short, at))
            .map(|(short, _, added)| (short, added))
    }
}

/// The cells that an entry is part of, ascending, without end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    state: u64,
    next: u64,
}

impl Places {
    pub(super) fn of(short: u64) -> Self {
        Self { state: short, next: 0 }
    }
}

impl Iterator for Places {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let place = self.next;
        // Square root, division and product of doubles are exact to the last bit on every machine (IEEE 754).
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let drawn = (mix(self.state) as f64 + 1.0) / 18_446_744_073_709_551_616.0;
        let at = place as f64;
        let next = ((at + 1.0) * (at + 2.0) / drawn + 0.25).sqrt() - 1.5;
        self.next = (next.ceil() as u64).max(place.saturating_add(1));
        Some(place)
    }
}

fn contains(short: u64, at: u64) -> bool {
    Places::of(short).find(|&place| place >= at) == Some(at)
}

/// Finds the differences in a growing prefix of cells.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Decoder {
    cells: Vec<Cell>,
    /// Added ones, then subtracted ones.
    pub(super) found: [Vec<u64>; 2],
    /// How many cells are not empty.
    open: usize,
}

impl Decoder {
    /// Takes the next cells: theirs less ours.
    pub(super) fn push(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let from = self.cells.len();
        self.cells.extend(cells);
        self.open += self.cells[from..].iter().filter(|cell| !cell.is_empty()).count();
        let to = self.cells.len() as u64;
        let found = std::mem::take(&mut self.found);
        for (side, found) in found.iter().enumerate() {
            for &short in found {
                let places = Places::of(short).take_while(|&place| place < to);
                for place in places.skip_while(|&place| place < from as u64) {
                    self.take(place, short, side == 0);
                }
            }
        }
        self.found = found;
        self.peel(from);
    }

    fn peel(&mut self, from: usize) {
        let mut pending: Vec<usize> = (from..self.cells.len()).collect();
        // Each difference is found once, or something is forged: then the work stays bounded, too.
        let most = self.cells.len();
        while let Some(at) = pending.pop() {
            let Some((short, added)) = self.cells[at].single(at as u64) else { continue };
            if self.cells[at].is_empty() || self.found[0].len() + self.found[1].len() >= most {
                continue;
            }
            self.found[usize::from(!added)].push(short);
            for place in Places::of(short).take_while(|&place| place < most as u64) {
                self.take(place, short, added);
                pending.push(place as usize);
            }
        }
    }

    fn take(&mut self, place: u64, short: u64, added: bool) {
        let cell = &mut self.cells[place as usize];
        self.open -= usize::from(!cell.is_empty());
        if added {
            cell.subtract(short)
        } else {
            cell.add(short)
        }
        self.open += usize::from(!cell.is_empty());
    }

    /// How many cells were taken.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether all differences are found. The first cell holds every one of them.
    pub(super) fn is_done(&self) -> bool {
        !self.cells.is_empty() && self.open == 0
    }

    /// For each cell as it came: whether it holds no difference.
    pub(super) fn as_it_came(&self) -> Vec<(u64, bool)> {
        let mut came: Vec<_> =
            (0..self.cells.len() as u64).map(|at| (at, self.cells[at as usize].is_empty())).collect();
        for &short in self.found.iter().flatten() {
            for place in Places::of(short).take_while(|&place| place < self.cells.len() as u64) {
                came[place as usize].1 = false;
            }
        }
        came
    }
}
