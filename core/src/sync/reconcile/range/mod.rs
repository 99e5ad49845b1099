//! `range` and `merkle`: fingerprints of ranges, cut finer where they differ, until lists of shorts are cheaper.
//!
//! Meyer, "Range-Based Set Reconciliation" (SRDS 2023). A message is a row of segments that ascend in the order of the set:
//! `bound of its end | what it says of the entries up to there`. `range` cuts so that the parts hold equally many of the
//! sender's entries, `merkle` at the digits of the key. Where few entries are left, `range` scatters them by their hash over
//! sixteen buckets, which need no bounds.
//!
//! Nothing is remembered between messages but the lists that were sent: the sets may change meanwhile.

mod bound;

use std::collections::BTreeMap;

use serde::Serialize;

use super::entry::{Aggregate, Entry, Key};
use super::session::Refusal;
use super::set::EntrySet;
use super::turn::{Next, Reconciler, Turn, Wanted};
use super::wire::{Reader, put_varint};
use crate::sync::DocumentId;
pub(super) use bound::Bounds;
use bound::{Bytes, between, bytes_of, key_of, key_size};

/// The sixteen-way of both methods.
const FANOUT: u64 = 16;
/// Where nearly everything differs, or nothing is known yet, a step goes further.
const FANOUT_WIDE: u64 = 64;
/// So many entries are listed.
const LEAF_MAX: u64 = 32;
/// So many are scattered over buckets.
const BUCKETS_MAX: u64 = 512;
/// A peer that asks to compare more entries than these with a list gets finer fingerprints instead.
const COMPARED_MAX: u64 = 2_048;
/// Beyond so many bytes, a message only says that there is a rest.
const MESSAGE_GOAL: usize = 1 << 20;

const SKIP: u8 = 0;
const FINGERPRINT: u8 = 1;
const BUCKETS: u8 = 2;
const LIST: u8 = 3;
const BUCKET_LISTS: u8 = 4;
const CHILDREN: u8 = 5;
/// Beside the number of a digit: what stands before it follows.
const PREFIXED: u8 = 0x80;

/// Where ranges are cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(super) enum Cut {
    /// Into equally many entries.
    Balanced,
    /// At the next digit of the key.
    Trie,
}

/// One side.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Range {
    cut: Cut,
    /// Everything before is known to be the same.
    from: Key,
    /// The lists of the last message.
    sent: Vec<Vec<DocumentId>>,
}

/// What is to be said of the entries up to a place.
#[derive(Clone, Copy, Debug)]
struct Segment {
    to: Option<Key>,
    say: Say,
}

#[derive(Clone, Copy, Debug)]
enum Say {
    Nothing,
    /// More than before.
    More,
    /// The lists of these buckets.
    Lists(u16),
}

fn bucket(entry: &Entry) -> usize {
    usize::from(entry.hash[8] & 0xF)
}

fn buckets(set: &EntrySet, entries: &[Entry]) -> [Aggregate; 16] {
    let mut sums = [Aggregate::default(); 16];
    entries.iter().for_each(|entry| sums[bucket(entry)].add(&set.part(&entry.hash)));
    sums
}

impl Range {
    pub(super) fn new(cut: Cut) -> Self {
        Self { cut, from: Key::MIN, sent: Vec::new() }
    }

    pub(super) fn starting_at(from: Key) -> Self {
        Self { from, ..Self::new(Cut::Balanced) }
    }

    /// Reads the answers to the lists sent last.
    fn take_answers(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<(), Refusal> {
        for list in std::mem::take(&mut self.sent) {
            let code = body.count(COMPARED_MAX + 1)?;
            // Too much for an answer: it is asked anew below.
            let Some(extras) = code.checked_sub(1) else { continue };
            let lacking = body.bytes(list.len().div_ceil(8))?;
            for (nth, id) in list.into_iter().enumerate() {
                if lacking[nth / 8] >> (nth % 8) & 1 == 1
                    && let Some(entry) = turn.set.entry(id)
                {
                    turn.give(&entry);
                }
            }
            let extras = body.bytes(extras * 8)?.as_chunks::<8>().0;
            turn.step.want.extend(extras.iter().map(|short| Wanted::Short(u64::from_le_bytes(*short))));
        }
        Ok(())
    }

    /// Answers one list: which of it this side lacks, and what it has besides.
    fn answer(turn: &mut Turn<'_>, theirs: &[u64], mine: &[Entry]) {
        let mut rest: BTreeMap<u64, &Entry> = mine.iter().map(|entry| (entry.short(), entry)).collect();
        let mut lacking = vec![0_u8; theirs.len().div_ceil(8)];
        for (nth, short) in theirs.iter().enumerate() {
            if rest.remove(short).is_none() {
                lacking[nth / 8] |= 1 << (nth % 8);
                turn.step.want.push(Wanted::Short(*short));
            }
        }
        put_varint(&mut turn.out, rest.len() as u64 + 1);
        turn.out.extend(lacking);
        for (short, entry) in rest {
            turn.out.extend(short.to_le_bytes());
            turn.give(entry);
        }
    }

    /// Reads a segment of lists and answers them, or puts them off if there is too much to compare.
    fn take_lists(
        turn: &mut Turn<'_>,
        body: &mut Reader<'_>,
        (from, to): (Key, Option<Key>),
        mask: Option<u16>,
    ) -> Result<Say, Refusal> {
        let most = BUCKETS_MAX.max(LEAF_MAX);
        let chosen: Vec<_> = (0..16).filter(|nth| mask.is_some_and(|mask| mask >> nth & 1 == 1)).collect();
        let lists = if mask.is_some() { chosen.len() } else { 1 };
        let lists: Vec<Vec<u64>> =
            (0..lists).map(|_| Ok(body.words(most)?.collect())).collect::<Result<_, Refusal>>()?;
        let count = turn.set.aggregate(from, to).count;
        turn.counters.items += count.min(COMPARED_MAX);
        if count > COMPARED_MAX || turn.out.len() > MESSAGE_GOAL {
            turn.out.extend(std::iter::repeat_n(0, lists.len()));
            return Ok(Say::More);
        }
        let mine = turn.set.entries(from, to);
        for (nth, theirs) in lists.iter().enumerate() {
            match chosen.get(nth) {
                Some(&chosen) => {
                    let mine: Vec<_> = mine.iter().filter(|entry| bucket(entry) == chosen).copied().collect();
                    Self::answer(turn, theirs, &mine);
                }
                None => Self::answer(turn, theirs, &mine),
            }
        }
        Ok(Say::Nothing)
    }

    /// Reads all segments; answers to lists go out at once, the rest is planned. True if nearly all ranges differ.
    fn take_segments(turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<(Vec<Segment>, bool), Refusal> {
        let order = turn.set.order();
        let (mut plan, mut bounds, mut from) = (Vec::new(), Bounds::new(order), Key::MIN);
        let (mut compared, mut different) = (0_u32, 0_u32);
        while !body.is_empty() {
            let (word, to) = bounds.read(body)?;
            let say = match word {
                SKIP => Say::Nothing,
                FINGERPRINT => {
                    turn.counters.items += 1;
                    let same = body.word()? == turn.key.fingerprint(&turn.set.aggregate(from, to));
                    compared += 1;
                    different += u32::from(!same);
                    if same { Say::Nothing } else { Say::More }
                }
                BUCKETS => Self::compare_buckets(turn, body, (from, to))?,
                LIST => Self::take_lists(turn, body, (from, to), None)?,
                BUCKET_LISTS => {
                    let mask = u16::from_le_bytes(body.array()?);
                    Self::take_lists(turn, body, (from, to), Some(mask))?
                }
                CHILDREN => {
                    Self::compare_children(turn, body, (from, to), &mut plan)?;
                    Say::Nothing
                }
                _ => return Err(Refusal::Malformed),
            };
            plan.push(Segment { to, say });
            let Some(to) = to else { break };
            from = to;
        }
        Ok((plan, compared >= 32 && different >= compared - compared / 20))
    }

    fn compare_buckets(
        turn: &mut Turn<'_>,
        body: &mut Reader<'_>,
        (from, to): (Key, Option<Key>),
    ) -> Result<Say, Refusal> {
        let theirs = body.bytes(16 * 8)?.as_chunks::<8>().0;
        let count = turn.set.aggregate(from, to).count;
        turn.counters.items += count.min(COMPARED_MAX);
        if count > COMPARED_MAX {
            return Ok(Say::More);
        }
        let mine = buckets(turn.set, &turn.set.entries(from, to));
        let mut mask = 0;
        for (nth, (mine, theirs)) in mine.iter().zip(theirs).enumerate() {
            let same = turn.key.fingerprint(mine) == u64::from_le_bytes(*theirs);
            mask |= u16::from(!same) << nth;
        }
        Ok(if mask == 0 { Say::Nothing } else { Say::Lists(mask) })
    }

    fn compare_children(
        turn: &mut Turn<'_>,
        body: &mut Reader<'_>,
        range: (Key, Option<Key>),
        plan: &mut Vec<Segment>,
    ) -> Result<(), Refusal> {
        let head = body.byte()?;
        let digit = head & !PREFIXED;
        if usize::from(digit) >= 2 * key_size(turn.set.order()) {
            return Err(Refusal::Malformed);
        }
        let mut prefix = bytes_of(turn.set.order(), range.0);
        if head & PREFIXED != 0 {
            let length = usize::from(digit).div_ceil(2);
            prefix[..length].copy_from_slice(body.bytes(length)?);
        }
        let mask = u16::from_le_bytes(body.array()?);
        for (nth, (from, to)) in children(turn, range, &prefix, digit).into_iter().enumerate() {
            let theirs = if mask >> nth & 1 == 1 { Some(body.word()?) } else { None };
            turn.counters.items += 1;
            let mine = turn.set.aggregate(from, to);
            let same = theirs.map_or(mine.count == 0, |theirs| theirs == turn.key.fingerprint(&mine));
            let say = if same { Say::Nothing } else { Say::More };
            plan.push(Segment { to, say });
        }
        Ok(())
    }

    /// Writes what is planned. True if an answer is needed.
    fn put_segments(&mut self, turn: &mut Turn<'_>, plan: &[Segment], wide: bool) -> bool {
        let (mut writer, mut from) = (Writer { bounds: Bounds::new(turn.set.order()), skip: None }, Key::MIN);
        let mut asks = false;
        for segment in plan {
            if !matches!(segment.say, Say::Nothing) && turn.out.len() > MESSAGE_GOAL {
                let rest = turn.set.aggregate(from, None);
                writer.put(turn, FINGERPRINT, None);
                turn.out.extend(turn.key.fingerprint(&rest).to_le_bytes());
                return true;
            }
            match segment.say {
                Say::Nothing => writer.skip = Some(segment.to),
                Say::More => self.put_more(turn, &mut writer, (from, segment.to), wide),
                Say::Lists(mask) => {
                    let entries = turn.set.entries(from, segment.to);
                    writer.put(turn, BUCKET_LISTS, segment.to);
                    turn.out.extend(mask.to_le_bytes());
                    for nth in (0..16).filter(|nth| mask >> nth & 1 == 1) {
                        self.put_list(turn, entries.iter().filter(|entry| bucket(entry) == nth));
                    }
                }
            }
            asks |= !matches!(segment.say, Say::Nothing);
            let Some(to) = segment.to else { break };
            from = to;
        }
        asks
    }

    fn put_list<'a>(&mut self, turn: &mut Turn<'_>, entries: impl Iterator<Item = &'a Entry>) {
        let entries: Vec<_> = entries.take(BUCKETS_MAX as usize).collect();
        put_varint(&mut turn.out, entries.len() as u64);
        entries.iter().for_each(|entry| turn.out.extend(entry.short().to_le_bytes()));
        turn.counters.items += entries.len() as u64;
        self.sent.push(entries.into_iter().map(|entry| entry.id).collect());
    }

    fn put_more(
        &mut self,
        turn: &mut Turn<'_>,
        writer: &mut Writer,
        (from, to): (Key, Option<Key>),
        wide: bool,
    ) {
        let count = turn.set.aggregate(from, to).count;
        if count <= LEAF_MAX {
            let entries = turn.set.entries(from, to);
            writer.put(turn, LIST, to);
            self.put_list(turn, entries.iter());
        } else if self.cut == Cut::Trie {
            writer.put(turn, CHILDREN, to);
            put_children(turn, (from, to), count);
        } else if count <= BUCKETS_MAX {
            let sums = buckets(turn.set, &turn.set.entries(from, to));
            turn.counters.items += count;
            writer.put(turn, BUCKETS, to);
            sums.iter().for_each(|sum| turn.out.extend(turn.key.fingerprint(sum).to_le_bytes()));
        } else {
            let parts = if wide { FANOUT_WIDE } else { FANOUT };
            let (first, mut low) = (turn.set.rank(from), from);
            for part in 1..=parts {
                let cut = first + count * part / parts;
                let high = if part == parts { to } else { place_before(turn, cut) };
                let sum = turn.set.aggregate(low, high);
                turn.counters.items += 1;
                writer.put(turn, FINGERPRINT, high);
                turn.out.extend(turn.key.fingerprint(&sum).to_le_bytes());
                low = high.unwrap_or(low);
            }
        }
    }
}

/// A short place between the entry of this rank and the one before.
pub(super) fn place_before(turn: &Turn<'_>, rank: u64) -> Option<Key> {
    let high = turn.set.select(rank)?;
    let low = rank.checked_sub(1).and_then(|rank| turn.set.select(rank)).unwrap_or(Key::MIN);
    Some(between(turn.set.order(), low, high))
}

/// The sixteen parts of a range by the digit of this number, after a prefix.
fn children(
    turn: &Turn<'_>,
    (from, to): (Key, Option<Key>),
    prefix: &Bytes,
    digit: u8,
) -> Vec<(Key, Option<Key>)> {
    let order = turn.set.order();
    let mut bytes = *prefix;
    let at = usize::from(digit / 2);
    let upper_half = digit.is_multiple_of(2);
    bytes[at] = if upper_half { 0 } else { bytes[at] & 0xF0 };
    bytes[at + 1..].fill(0);
    let place = |nth: u8| {
        let mut bytes = bytes;
        bytes[at] |= if upper_half { nth << 4 } else { nth };
        let place = key_of(order, &bytes).max(from);
        to.map_or(place, |to| place.min(to))
    };
    let low = |nth| if nth == 0 { from } else { place(nth) };
    (0..16).map(|nth| (low(nth), if nth == 15 { to } else { Some(place(nth + 1)) })).collect()
}

/// Cuts at the first digit in which this side's entries differ, and says what stands before it if the range does not.
fn put_children(turn: &mut Turn<'_>, range: (Key, Option<Key>), count: u64) {
    let order = turn.set.order();
    let rank = turn.set.rank(range.0);
    let end = |rank| bytes_of(order, turn.set.select(rank).unwrap_or(range.0));
    let (first, last) = (end(rank), end((rank + count).saturating_sub(1)));
    let same = first.iter().zip(&last).take_while(|(a, b)| a == b).count().min(key_size(order) - 1);
    let digit = 2 * same + usize::from(first[same] >> 4 == last[same] >> 4);
    let from = bytes_of(order, range.0);
    let sums: Vec<_> = children(turn, range, &first, digit as u8)
        .into_iter()
        .map(|(from, to)| turn.set.aggregate(from, to))
        .collect();
    let is_told = from[..same] == first[..same] && (digit % 2 == 0 || from[same] >> 4 == first[same] >> 4);
    turn.out.push(digit as u8 | if is_told { 0 } else { PREFIXED });
    if !is_told {
        turn.out.extend(&first[..digit.div_ceil(2)]);
    }
    let mask = sums.iter().enumerate().fold(0_u16, |mask, (nth, sum)| mask | u16::from(sum.count > 0) << nth);
    turn.counters.items += 16;
    turn.out.extend(mask.to_le_bytes());
    for sum in sums.iter().filter(|sum| sum.count > 0) {
        turn.out.extend(turn.key.fingerprint(sum).to_le_bytes());
    }
}

/// Writes the ends of segments; neighbours that say nothing are one.
struct Writer {
    bounds: Bounds,
    skip: Option<Option<Key>>,
}

impl Writer {
    fn put(&mut self, turn: &mut Turn<'_>, word: u8, to: Option<Key>) {
        if let Some(skipped) = self.skip.take() {
            self.bounds.put(&mut turn.out, SKIP, skipped);
        }
        self.bounds.put(&mut turn.out, word, to);
    }
}

impl Reconciler for Range {
    fn lead(&mut self, turn: &mut Turn<'_>, _hello: &mut Reader<'_>) -> Result<Next, Refusal> {
        let mut plan = vec![Segment { to: None, say: Say::More }];
        if self.from > Key::MIN {
            plan.insert(0, Segment { to: Some(self.from), say: Say::Nothing });
        }
        self.put_segments(turn, &plan, self.from == Key::MIN);
        Ok(Next::Ask)
    }

    fn receive(&mut self, turn: &mut Turn<'_>, body: &mut Reader<'_>) -> Result<Next, Refusal> {
        self.take_answers(turn, body)?;
        if body.is_empty() {
            return Ok(Next::Done);
        }
        let (plan, wide) = Self::take_segments(turn, body)?;
        Ok(if self.put_segments(turn, &plan, wide) { Next::Ask } else { Next::Last })
    }
}
