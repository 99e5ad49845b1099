//! `riblt`: coded cells travel until the differences can be decoded.
//!
//! Yang, Gilad, Alizadeh, "Practical Rateless Set Reconciliation" (SIGCOMM 2024). The side that leads gives a [`probe`] and
//! then its cells, the other decodes, tells what it lacks, and hands over what the first lacks without naming it. The first
//! cells asked for are a little less than needed on average; the ones that came say how many more it takes.

use std::sync::Arc;

use serde::Serialize;

use super::cells::{CELL_SIZE, Cell, Decoder};
use super::probe;
use super::session::{Method, Refusal};
use super::turn::{Next, Reconciler, Turn, Wanted};
use super::wire::{Reader, put_varint};

/// No more cells than these travel: then another method takes over.
const CELLS_MAX: u64 = 1 << 16;

/// One side.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Riblt {
    leads: bool,
    /// This side's cells as they were when the session began.
    cells: Arc<Vec<Cell>>,
    /// And those beyond the ones that the set keeps.
    further: Vec<Cell>,
    decoder: Decoder,
    /// How many cells were asked for, and how many the next batch is to have.
    asked: u64,
    batch: u64,
}

impl Riblt {
    /// This side's cells from one place to another.
    fn own(&mut self, turn: &mut Turn<'_>, from: u64, to: u64) -> Vec<Cell> {
        if self.cells.is_empty() {
            self.cells = turn.set.cells();
        }
        let kept = self.cells.len() as u64;
        if to > kept + self.further.len() as u64 {
            let start = kept + self.further.len() as u64;
            turn.counters.items += turn.set.len() as u64;
            self.further.extend(turn.set.further_cells(start, to));
        }
        turn.counters.items += to - from;
        (from..to)
            .map(|at| if at < kept { self.cells[at as usize] } else { self.further[(at - kept) as usize] })
            .collect()
    }

    /// The side that gives cells, after it was asked without a probe of this method's own.
    pub(super) fn serving(turn: &Turn<'_>) -> Self {
        Self { leads: true, cells: turn.set.cells(), ..Self::default() }
    }

    /// The first request, after a guess of the number of differences.
    pub(super) fn begin(&mut self, turn: &mut Turn<'_>, guess: u64) -> Next {
        self.batch = (guess / 16).max(4);
        self.ask(turn, (guess + guess / 8 + 4).min(CELLS_MAX))
    }

    fn ask(&mut self, turn: &mut Turn<'_>, to: u64) -> Next {
        self.asked = to;
        put_varint(&mut turn.out, to);
        Next::Ask
    }

    /// The side that leads gives cells, or takes the result.
    fn serve(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal> {
        let to = body.varint()?;
        if to > 0 {
            if to > CELLS_MAX {
                return Err(Refusal::TooMany { count: to, max: CELLS_MAX });
            }
            if to <= self.asked {
                return Err(Refusal::Malformed);
            }
            let cells = self.own(turn, self.asked, to);
            self.asked = to;
            turn.counters.cells += cells.len() as u64;
            for cell in cells {
                turn.out.extend(cell.sum.to_le_bytes());
                turn.out.extend(&cell.check.to_le_bytes()[..3]);
            }
            return Ok(Next::Ask);
        }
        for short in body.words(CELLS_MAX)? {
            if let Some(entry) = turn.set.by_short(short) {
                turn.give(&entry);
            }
        }
        Ok(Next::Done)
    }

    /// The other side decodes.
    fn decode(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal> {
        let from = self.decoder.len() as u64;
        let own = self.own(turn, from, self.asked);
        let theirs = body.bytes(own.len() * CELL_SIZE)?.as_chunks::<CELL_SIZE>().0;
        turn.counters.cells += own.len() as u64;
        let cells = theirs.iter().zip(own).map(|(theirs, own)| {
            let (sum, check) = (theirs.first_chunk().copied().unwrap_or_default(), &theirs[8..]);
            let check = u32::from_le_bytes([check[0], check[1], check[2], 0]);
            Cell { sum: u64::from_le_bytes(sum), check }.less(own)
        });
        self.decoder.push(cells);
        if !self.decoder.is_done() {
            if self.asked == CELLS_MAX {
                return Ok(Next::Restart(Method::Range));
            }
            return Ok(self.ask_more(turn));
        }
        put_varint(&mut turn.out, 0);
        let [theirs, mine] = std::mem::take(&mut self.decoder.found);
        put_varint(&mut turn.out, theirs.len() as u64);
        theirs.iter().for_each(|short| turn.out.extend(short.to_le_bytes()));
        for entry in mine.iter().filter_map(|&short| turn.set.by_short(short)) {
            turn.give(&entry);
        }
        turn.step.want.extend(theirs.into_iter().map(Wanted::Short));
        Ok(Next::Last)
    }

    /// What is missing after the cells that came: up to 1.3 cells a difference by a better guess, then batches that double.
    fn ask_more(&mut self, turn: &mut Turn<'_>) -> Next {
        let guess = probe::guess(&self.decoder.as_it_came());
        let goal = guess + guess * 3 / 10 + 2;
        if goal <= self.asked + self.batch {
            self.batch *= 2;
            return self.ask(turn, (self.asked + self.batch / 2).min(CELLS_MAX));
        }
        self.ask(turn, goal.min(self.asked * 4).min(CELLS_MAX))
    }
}

impl Reconciler for Riblt {
    fn lead(&mut self, turn: &mut Turn<'_>, _hello: &mut Reader<'_>) -> Result<Next, Refusal> {
        self.leads = true;
        self.cells = turn.set.cells();
        probe::put(turn);
        Ok(Next::Ask)
    }

    fn receive(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal> {
        if self.leads {
            return self.serve(turn, body);
        }
        if self.asked == 0 {
            self.cells = turn.set.cells();
            let guess = probe::read(turn, body)?;
            return Ok(self.begin(turn, guess));
        }
        self.decode(turn, body)
    }
}
