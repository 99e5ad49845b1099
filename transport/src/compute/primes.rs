//! Counting primes by a segmented sieve of Eratosthenes: in memory that grows with the root of the numbers.

use super::Failure;
use super::deadline::Deadline;

/// The greatest number that is looked at: up to here the sieve takes some megabytes at most.
pub const PRIMES_TO_MAX: u64 = 100_000_000_000_000;

/// Numbers that are sieved at once, at least: the bits of the odd ones fit into the nearest cache.
const SEGMENT: u64 = 1 << 19;

/// The answer to `FROM TO`, or to `TO` alone: how many primes there are between, both included, in decimal digits.
pub(super) fn answer(argument: &[u8], deadline: &Deadline) -> Result<Vec<u8>, Failure> {
    let (from, to) = range(argument)?;
    Ok(count(from, to, deadline)?.to_string().into_bytes())
}

fn range(argument: &[u8]) -> Result<(u64, u64), Failure> {
    let wrong = Err(Failure::Argument("it must be `TO` or `FROM TO`, both whole numbers"));
    let Ok(text) = std::str::from_utf8(argument) else { return wrong };
    let mut numbers = [0, 0];
    let mut words = 0;
    for word in text.split_ascii_whitespace() {
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        let (Some(place), true) = (numbers.get_mut(words), is_number) else { return wrong };
        // Digits that are no `u64` are a number that is too great.
        *place = word.parse().unwrap_or(u64::MAX);
        words += 1;
    }
    let (from, to) = match words {
        1 => (0, numbers[0]),
        2 => (numbers[0], numbers[1]),
        _ => return wrong,
    };
    if to > PRIMES_TO_MAX {
        return Err(Failure::Argument("numbers beyond 100,000,000,000,000 are not looked at"));
    }
    Ok((from, to))
}

fn count(from: u64, to: u64, deadline: &Deadline) -> Result<u64, Failure> {
    let mut found = u64::from(from <= 2 && 2 <= to);
    let root = to.isqrt();
    let divisors = odd_primes(root);
    let span = SEGMENT.max(root);
    let mut sieve = Sieve::default();
    let mut low = from.max(3) | 1;
    while low <= to {
        deadline.check()?;
        let high = to.min(low + (span - 1));
        found += sieve.count(low, high, &divisors);
        // Odd again, as all lows are.
        low = (high + 1) | 1;
    }
    deadline.check()?;
    Ok(found)
}

/// The odd primes up to a number whose own odd primes fit into memory.
fn odd_primes(to: u64) -> Vec<u64> {
    let mut is_composite = vec![false; to as usize / 2 + 1];
    let mut primes = Vec::new();
    for number in (3..=to).step_by(2) {
        if !is_composite[number as usize / 2] {
            primes.push(number);
            for multiple in (number * number..=to).step_by(2 * number as usize) {
                is_composite[multiple as usize / 2] = true;
            }
        }
    }
    primes
}

/// A bit for each odd number of a segment, set if it is known to be composite.
#[derive(Default)]
struct Sieve {
    words: Vec<u64>,
}

impl Sieve {
    /// How many primes there are from `low`, which is odd and at least 3, to `high`.
    fn count(&mut self, low: u64, high: u64, divisors: &[u64]) -> u64 {
        let numbers = ((high - low) / 2 + 1) as usize;
        self.words.clear();
        self.words.resize(numbers.div_ceil(64), 0);
        for &divisor in divisors.iter().take_while(|divisor| *divisor * *divisor <= high) {
            let first = (divisor * divisor).max(low.next_multiple_of(divisor));
            // The next odd multiple.
            let first = if first.is_multiple_of(2) { first + divisor } else { first };
            let mut place = (first - low) as usize / 2;
            while place < numbers {
                self.words[place / 64] |= 1 << (place % 64);
                place += divisor as usize;
            }
        }
        let composites: u32 = self.words.iter().map(|word| word.count_ones()).sum();
        numbers as u64 - u64::from(composites)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use seedbed_core::contract::Duration;

    use super::*;

    fn primes(argument: &str) -> Result<String, Failure> {
        let deadline = Deadline::after(Duration::from_secs(600));
        answer(argument.as_bytes(), &deadline).map(|digits| String::from_utf8(digits).unwrap())
    }

    /// The values of the prime-counting function at powers of ten: OEIS A006880.
    #[test]
    fn there_are_as_many_primes_as_is_known() {
        for (to, count) in
            [("1", "0"), ("10", "4"), ("100", "25"), ("1000000", "78498"), ("10000000", "664579")]
        {
            assert_eq!(primes(to).as_deref(), Ok(count), "{to}");
        }
    }

    #[test]
    fn both_ends_are_included() {
        for (range, count) in [
            ("2", "1"),
            ("0", "0"),
            ("3 3", "1"),
            ("4 4", "0"),
            ("2 3", "2"),
            ("9 2", "0"),
            (" 89\t97\n", "2"),
            // The greatest prime below 10^14 is 10^14 - 27: OEIS A033874.
            ("99999999999973 100000000000000", "1"),
            ("99999999999974 100000000000000", "0"),
        ] {
            assert_eq!(primes(range).as_deref(), Ok(count), "{range}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for wrong in ["", " ", "x", "-1", "+1", "1 2 3", "1.5", "1,2", "0x10", "\u{ff11}"] {
            assert!(matches!(primes(wrong), Err(Failure::Argument(_))), "{wrong}");
        }
        for great in ["100000000000001", "18446744073709551616", "1 99999999999999999999999"] {
            assert!(matches!(primes(great), Err(Failure::Argument(_))), "{great}");
        }
        assert!(matches!(answer(&[0xff], &Deadline::after(Duration::ZERO)), Err(Failure::Argument(_))));
    }

    #[test]
    fn the_clock_is_looked_at() {
        let late = Deadline::after(Duration::from_nanos(1));
        assert_eq!(answer(b"100000000000000", &late), Err(Failure::OutOfTime));
    }

    fn is_prime(number: u64) -> bool {
        number >= 2 && (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
    }

    proptest! {
        #[test]
        fn segments_count_what_trial_division_counts(from in 0..3_000_000_u64, length in 0..300_u64) {
            let counted = (from..=from + length).filter(|number| is_prime(*number)).count();
            prop_assert_eq!(primes(&format!("{from} {}", from + length)), Ok(counted.to_string()));
        }

        #[test]
        fn ranges_add_up(middle in 0..2_000_000_u64) {
            let count = |from: u64, to: u64| primes(&format!("{from} {to}")).unwrap().parse::<u64>().unwrap();
            prop_assert_eq!(count(0, middle) + count(middle + 1, 2_000_000), 148_933);
        }
    }
}
