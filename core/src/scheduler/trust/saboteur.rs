//! Workers that do not do what they should: what they say and do in place of it, for a wrapper around an unchanged worker.

use super::answer::{Answer, Comparator, Decimal, Tolerance};
use super::book::Identity;
use super::fixed::Fixed;
use crate::contract::Dice;
use crate::settings::Probability;
use crate::variants;

variants! {
    /// A model of a worker that is not to be trusted.
    pub enum Saboteur by "kind" {
        /// Gives a wrong answer of its own.
        Independent {
            /// How often.
            rate: Probability = Probability::ALWAYS;
        }
        /// Gives a wrong answer, the same as all others of its ring.
        Colluding {
            /// How often; each member draws for itself.
            rate: Probability = Probability::ALWAYS;
            /// Which ring it belongs to.
            ring: u32 = 0;
        }
        /// Is honest for some jobs and lies in the next, again and again. It lies as `colluding` does.
        OnOff {
            /// How many jobs it is honest for.
            honest: u32 = 50, in 0..=1_000_000;
            /// How many jobs it lies for.
            lies: u32 = 10, in 1..=1_000_000;
            /// Which ring it belongs to.
            ring: u32 = 0;
        }
        /// Lies as `colluding` does, and comes under a new name once it is distrusted.
        Whitewashing {
            /// How often it lies.
            rate: Probability = Probability::ALWAYS;
            /// Which ring it belongs to.
            ring: u32 = 0;
        }
        /// Returns nothing, at once.
        Lazy {
            /// How often.
            rate: Probability = Probability::ALWAYS;
        }
        /// Gives the right answer, but late.
        Slow {
            /// How often.
            rate: Probability = Probability::ALWAYS;
            /// In how many times the time.
            times: u32 = 10, in 2..=1_000_000;
        }
    }
}

/// What a saboteur knows when it has a job's right answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    /// Its name at present.
    pub me: Identity,
    /// Which of its jobs this is, from 0.
    pub nth: u64,
    /// Whether it knows that it is distrusted: blacklisted, or refused work that honest newcomers get.
    pub is_distrusted: bool,
}

/// What a saboteur does with a job.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conduct {
    /// What it answers; `None` is nothing.
    pub answer: Option<Vec<u8>>,
    /// In how many times the time that the job takes: 1 if it is as fast as others, 0 if it does not do the job.
    pub times: u32,
    /// Whether it goes on under a new name after this.
    pub renames: bool,
}

impl Saboteur {
    /// What it does with a job that has this right answer. A pure function of what is given and of the dice.
    #[must_use]
    pub fn answer(&self, right: &[u8], moment: Moment, dice: &mut Dice<'_>) -> Conduct {
        let mut now = |rate: Probability| dice.chance(Fixed::of(rate.value()).0, Fixed::ONE.0);
        let honest = Conduct { answer: Some(right.to_vec()), times: 1, renames: false };
        let lie = |salt: Salt| Conduct { answer: Some(wrong(right, salt)), times: 1, renames: false };
        match *self {
            Self::Independent { rate } if now(rate) => lie(Salt::Own(moment.me)),
            Self::Colluding { rate, ring } if now(rate) => lie(Salt::Ring(ring)),
            Self::OnOff { honest: first, lies, ring } => {
                let round = u64::from(first) + u64::from(lies);
                match moment.nth % round.max(1) >= first.into() {
                    true => lie(Salt::Ring(ring)),
                    false => honest,
                }
            }
            Self::Whitewashing { rate, ring } => {
                let conduct = if now(rate) { lie(Salt::Ring(ring)) } else { honest };
                Conduct { renames: moment.is_distrusted, ..conduct }
            }
            Self::Lazy { rate } if now(rate) => Conduct { answer: None, times: 0, renames: false },
            Self::Slow { rate, times } if now(rate) => Conduct { times, ..honest },
            _ => honest,
        }
    }
}

/// Who shares a wrong answer.
#[derive(Clone, Copy)]
enum Salt {
    Own(Identity),
    Ring(u32),
}

/// A wrong answer that looks like one: other numbers in place of numbers, else other bytes, as many. All that share the
/// salt come to the same without a word to each other.
fn wrong(right: &[u8], salt: Salt) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    match salt {
        Salt::Own(Identity(own)) => hasher.update(b"own").update(&own.to_le_bytes()),
        Salt::Ring(ring) => hasher.update(b"ring").update(&ring.to_le_bytes()),
    };
    let mut bytes = hasher.update(right).finalize_xof();
    if let Answer::Numbers(numbers) = Comparator::Tolerance(Tolerance::default()).read(right) {
        let mut drawn = [0; 4];
        bytes.fill(&mut drawn);
        let more = i128::from(u32::from_le_bytes(drawn) % 1_000_000) + 1;
        let lies: Vec<String> = numbers.iter().map(|number| far_from(*number, more).to_string()).collect();
        return lies.join(" ").into_bytes();
    }
    let mut lie = vec![0; right.len().max(1)];
    bytes.fill(&mut lie);
    if let [first, ..] = &mut lie[..]
        && right.first() == Some(first)
    {
        *first ^= 1;
    }
    lie
}

/// On the other side of nought: further away than the larger of the two sizes.
fn far_from(number: Decimal, more: i128) -> Decimal {
    let size = more * i128::from(Fixed::ONE.0);
    Decimal::billionths(if number < Decimal::default() { size } else { -size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Keys, Life, NodeId};

    const ALWAYS: Probability = Probability::ALWAYS;

    fn conduct(saboteur: &Saboteur, right: &[u8], me: u64, nth: u64, is_distrusted: bool) -> Conduct {
        let keys = Keys::from_seed(1);
        let mut dice = Dice::new(&keys, NodeId(0), Life(0), nth);
        saboteur.answer(right, Moment { me: Identity(me), nth, is_distrusted }, &mut dice)
    }

    fn says(saboteur: &Saboteur, right: &[u8], me: u64) -> Vec<u8> {
        conduct(saboteur, right, me, 0, false).answer.expect("it answers")
    }

    #[test]
    fn who_colludes_agrees_on_a_lie_and_who_is_alone_does_not() {
        let ring = |ring| Saboteur::Colluding { rate: ALWAYS, ring };
        for right in [b"some bytes".as_slice(), b"12.5, -3, 0", b"", b"9999999999999999999"] {
            let own = Saboteur::Independent { rate: ALWAYS };
            assert_eq!(says(&ring(0), right, 1), says(&ring(0), right, 2));
            assert_ne!(says(&ring(0), right, 1), says(&ring(1), right, 1));
            assert_ne!(says(&own, right, 1), says(&own, right, 2));
            assert_ne!(says(&own, right, 1), says(&ring(0), right, 1));
            for lie in [says(&own, right, 1), says(&ring(0), right, 1)] {
                assert_ne!(lie, right);
                assert_ne!(lie, b"");
            }
        }
        assert_ne!(says(&ring(0), b"one task", 1), says(&ring(0), b"two tasks", 1));
    }

    #[test]
    fn a_lie_about_numbers_is_numbers_that_no_tolerance_takes_for_the_right_ones() {
        let loose = Tolerance { absolute: "0.5".parse().expect("a number"), relative: Fixed::of(0.99) };
        let comparator = Comparator::Tolerance(loose);
        for right in [b"12.5, -3, 0".as_slice(), b"0", b"-9999999999999999999", b"9999999999999999999.9"] {
            let lie = comparator.read(&says(&Saboteur::Independent { rate: ALWAYS }, right, 7));
            assert!(matches!(lie, Answer::Numbers(_)), "{lie:?}");
            assert!(!comparator.agree(&comparator.read(right), &lie), "{lie:?}");
        }
    }

    #[test]
    fn each_kind_does_what_it_is_called_after() {
        let right = b"right";
        assert_eq!(Saboteur::OnOff { honest: 0, lies: 1, ring: 0 }.name(), "on-off");
        let lies = |conduct: &Conduct| conduct.answer.as_deref() != Some(&right[..]);
        let on_off = Saboteur::OnOff { honest: 2, lies: 1, ring: 0 };
        let nth: Vec<bool> = (0..6).map(|nth| lies(&conduct(&on_off, right, 1, nth, false))).collect();
        assert_eq!(nth, [false, false, true, false, false, true]);

        let whitewashing = Saboteur::Whitewashing { rate: ALWAYS, ring: 0 };
        assert!(lies(&conduct(&whitewashing, right, 1, 0, false)));
        assert!(!conduct(&whitewashing, right, 1, 0, false).renames);
        assert!(conduct(&whitewashing, right, 1, 0, true).renames);

        let lazy = conduct(&Saboteur::Lazy { rate: ALWAYS }, right, 1, 0, false);
        assert_eq!(lazy, Conduct { answer: None, times: 0, renames: false });
        let slow = conduct(&Saboteur::Slow { rate: ALWAYS, times: 9 }, right, 1, 0, false);
        assert_eq!(slow, Conduct { answer: Some(right.to_vec()), times: 9, renames: false });
    }

    /// Of 2,000 draws at a rate of 0.1, 200 are expected with a standard deviation of 13.4: 5 of them either way.
    #[test]
    fn a_rate_is_how_often_it_happens() {
        let saboteur = Saboteur::Independent { rate: Probability::of(0.1) };
        let lies = (0..2000).filter(|nth| {
            conduct(&saboteur, b"right", 1, *nth, false).answer.as_deref() != Some(b"right".as_slice())
        });
        let lies = lies.count();
        assert!((133..=267).contains(&lies), "{lies}");
    }
}
