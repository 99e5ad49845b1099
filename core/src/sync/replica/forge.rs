//! What an adversary does who knows the key of a collection: it chooses documents so that their hashes cancel out.
//!
//! Exclusive or is linear: of some more than 256 documents in two forms each, a choice of forms whose hashes give zero is the
//! solution of 256 linear equations over one bit. For sums modulo 2^256 nothing as cheap is known, and a keyed hash of the sum
//! does not even show when it is found.

/// So many documents suffice, but for one time in 2^44.
pub(super) const ENOUGH: u64 = 300;

/// Bits of a hash, and those that say which documents it comes from.
type Row = ([u64; 4], Vec<u64>);

/// Of each document the form to take, so that the exclusive or of all hashes is zero; none if there is no such choice.
pub(super) fn cancelling(forms: &[[[u8; 32]; 2]]) -> Option<Vec<bool>> {
    let words = |hash: &[u8; 32]| -> [u64; 4] {
        let words = hash.as_chunks::<8>().0;
        std::array::from_fn(|at| u64::from_le_bytes(words[at]))
    };
    let mut rows: Vec<Row> = Vec::with_capacity(forms.len());
    let mut wanted = ([0; 4], vec![0; forms.len().div_ceil(64)]);
    for (nth, [first, second]) in forms.iter().map(|form| form.each_ref().map(words)).enumerate() {
        let mut from = vec![0; forms.len().div_ceil(64)];
        from[nth / 64] = 1 << (nth % 64);
        mix(&mut wanted.0, &first);
        let mut step = first;
        mix(&mut step, &second);
        rows.push((step, from));
    }
    // Gaussian elimination: each bit that is wanted is taken away by the one row that is left with it.
    for bit in 0..256 {
        let has = |row: &Row| row.0[bit / 64] >> (bit % 64) & 1 == 1;
        let pivot = rows.iter().position(has).map(|at| rows.swap_remove(at));
        match pivot {
            Some(pivot) => rows.iter_mut().chain([&mut wanted]).filter(|row| has(row)).for_each(|row| {
                mix(&mut row.0, &pivot.0);
                row.1.iter_mut().zip(&pivot.1).for_each(|(word, other)| *word ^= other);
            }),
            None if has(&wanted) => return None,
            None => {}
        }
    }
    Some((0..forms.len()).map(|nth| wanted.1[nth / 64] >> (nth % 64) & 1 == 1).collect())
}

fn mix(words: &mut [u64; 4], other: &[u64; 4]) {
    words.iter_mut().zip(other).for_each(|(word, other)| *word ^= other);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_forms_cancel_out() {
        let hash =
            |nth: u64, form: u64| *blake3::hash(&[nth, form].map(u64::to_le_bytes).concat()).as_bytes();
        let forms: Vec<_> = (0..ENOUGH).map(|nth| [hash(nth, 0), hash(nth, 1)]).collect();
        let chosen = cancelling(&forms).expect("enough of them");
        let mut all = [0; 32];
        for (form, &second) in forms.iter().zip(&chosen) {
            all.iter_mut().zip(form[usize::from(second)]).for_each(|(byte, other)| *byte ^= other);
        }
        assert_eq!(all, [0; 32]);
        assert!(chosen.contains(&true) && chosen.contains(&false));
        assert_eq!(cancelling(&forms[..100]), None, "a hundred bits do not reach 256");
    }
}
