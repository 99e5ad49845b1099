use super::*;
use crate::sync::reconcile::cells::{Cell, Decoder, Places, mix};

/// Cells until so many differences are decoded, the last ones a thousandth of them at a time: the figure is at most that much
/// too high.
fn cells_needed(differences: u64, seed: u64) -> usize {
    let shorts: Vec<u64> = (0..differences).map(|nth| mix(mix(seed) ^ nth)).collect();
    let mut cells = vec![Cell::default(); differences as usize * 4 + 64];
    let length = cells.len() as u64;
    for (nth, &short) in shorts.iter().enumerate() {
        for place in Places::of(short).take_while(|&place| place < length) {
            let cell = &mut cells[place as usize];
            if nth % 2 == 0 { cell.add(short) } else { cell.subtract(short) }
        }
    }
    let mut decoder = Decoder::default();
    // Fewer than one cell a difference never decode.
    let (few, rest) = cells.split_at(differences as usize - 1);
    decoder.push(few.iter().copied());
    for cells in rest.chunks((differences / 1_000).max(1) as usize) {
        decoder.push(cells.iter().copied());
        if decoder.is_done() {
            assert_eq!(decoder.found.iter().map(Vec::len).sum::<usize>(), shorts.len());
            return decoder.len();
        }
    }
    panic!("{differences} differences were not decoded");
}

/// Yang et al., SIGCOMM 2024, figure of the overhead: cells per difference.
#[test]
fn cells_per_difference_are_as_published() {
    for (differences, trials, published) in
        [(5, 4_000, 1.85), (100, 400, 1.46), (1_000, 40, 1.38), (10_000, 4, 1.36)]
    {
        let cells: usize = (0..trials).map(|seed| cells_needed(differences, seed)).sum();
        let each = cells as f64 / (trials * differences) as f64;
        assert!((each / published - 1.0).abs() < 0.05, "{differences}: {each:.3}, published {published}");
    }
}

#[test]
fn the_guess_is_near() {
    for differences in [1_u64, 10, 100, 1_000] {
        let mut sets = [EntrySet::new(Order::Id), EntrySet::new(Order::Id)];
        (0..differences).for_each(|id| {
            sets[(id % 2) as usize].insert(&entry(id, 1, 0), &[]);
        });
        let found = quiet(Method::Riblt, &mut sets);
        let cells = found[0].session.counters().cells;
        assert!(cells <= differences * 2 + 24, "{differences}: {cells} cells");
    }
}
