//! The policies: whom to ask, when an answer is accepted, and what that says of those who gave it.

use serde::{Deserialize, Serialize};

use super::answer::{Answer, Comparator, Group};
use super::book::{Identity, Rates, Standing, TrustBook};
use super::fixed::Fixed;
use super::parameters::{Parameters, Validation};
use super::votes::{Accepted, Seat, Votes};
use crate::contract::Dice;

/// Below so many confirmed answers in a row, BOINC replicates every job of a host.
const STREAK_TRUSTED: u32 = 10;
/// An answer is as sure as odds of so many billionths make it, and no surer: products of odds stay below 2^128.
const ODDS_MAX: u128 = 1_000_000_000_000_000_000;
const UNIT: u128 = Fixed::ONE.0 as u128;

/// A policy of validation, ready for use: its parameters in fixed point.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    validation: Validation,
    overlap: u32,
    matches: u32,
    quorum: u32,
    threshold: Fixed,
    confidence: Fixed,
    prior: Fixed,
    spot_checks: Fixed,
    blacklist: bool,
    weight: Fixed,
    audits: Fixed,
    rates: Rates,
    trust: Fixed,
    quota: u32,
    copies: u32,
}

/// What is to be done about a task.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Verdict {
    /// This answer is accepted.
    Accept(Accepted),
    /// So many more workers are to be asked now, besides those that have the task; 0 is to wait for them. Of a task that
    /// nobody has yet, these are the first copies.
    Ask(u32),
    /// Nothing will be accepted.
    Fail(Reason),
}

/// Why nothing will be accepted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
pub enum Reason {
    /// All have answered, and too little speaks for any of the answers.
    #[error("the answers differ too much")]
    Divided,
    /// All have answered, and nobody said anything.
    #[error("nobody gave an answer")]
    Silent,
    /// The task was given to as many workers as it may be.
    #[error("as many workers as may be had the task")]
    Exhausted,
}

/// What a worker gets that was picked for a task.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Draw {
    /// The task. It has a seat in the votes now.
    Work,
    /// In its place, and looking the same, a job whose answer the hub knows. The task is still to be given away.
    SpotCheck,
    /// Nothing; the votes are as they were.
    Refused(Refused),
}

/// Why a worker gets nothing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
pub enum Refused {
    /// It was found out.
    #[error("the worker is blacklisted")]
    Blacklisted,
    /// It has or had this task.
    #[error("the worker has had this task")]
    Seated,
    /// It had as many jobs today as it may have.
    #[error("the worker's quota of the day is used up")]
    Quota,
    /// The task was given to as many workers as it may be, or is decided.
    #[error("the task is given to nobody any more")]
    Closed,
    /// Too many workers are known to remember one more.
    #[error("no more workers are remembered")]
    Full,
}

/// What a decided task says of who answered.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Judgement {
    /// Its answer agrees with the accepted one, which others gave, too.
    Confirmed,
    /// Its answer is the accepted one, and nobody else gave it: right for all we know, but no evidence.
    Unconfirmed,
    /// Its answer is another, or nothing.
    Refuted,
}

/// The votes that count, as the book has it now.
struct Tally {
    /// The largest first.
    groups: Vec<Group>,
    /// Who has the task.
    out: u32,
    /// Who answered, be it with nothing.
    answered: u32,
    /// Who answered with something.
    useful: u32,
}

impl Policy {
    /// As parameters say.
    #[must_use]
    pub fn new(parameters: &Parameters) -> Self {
        let share = |share: crate::settings::Probability| Fixed::of(share.value());
        let Parameters { overlap, matches, quorum, quota, copies, blacklist, .. } = *parameters;
        Self {
            validation: parameters.validation,
            overlap,
            matches,
            quorum,
            threshold: share(parameters.threshold),
            confidence: share(parameters.confidence),
            prior: share(parameters.prior),
            spot_checks: share(parameters.spot_checks),
            blacklist,
            weight: Fixed::of(parameters.weight),
            audits: share(parameters.audits),
            rates: Rates {
                lowest: Fixed::of(parameters.lowest),
                highest: Fixed::of(parameters.highest.max(parameters.lowest)),
                gain: Fixed::of(parameters.gain),
                loss: Fixed::of(parameters.loss),
                memory: share(parameters.memory),
                identities: parameters.identities as usize,
            },
            trust: Fixed::of(parameters.trust),
            quota,
            copies,
        }
    }

    /// An empty book, in which newcomers begin as this policy wants it.
    #[must_use]
    pub fn book(&self) -> TrustBook {
        let trust = self.trust.clamp(self.rates.lowest, self.rates.highest);
        TrustBook::new(Standing::newcomer(trust, self.quota.max(1)))
    }

    /// Lets a worker begin with another trust than newcomers do, within the range; false if the book is full.
    pub fn introduce(&self, book: &mut TrustBook, who: Identity, trust: Fixed) -> bool {
        let standing = book.enter(who, &self.rates);
        standing.map(|standing| standing.trust = trust.clamp(self.rates.lowest, self.rates.highest)).is_some()
    }

    /// How far this policy believes a worker, from 0 to 1: for choosing among workers, and for charts.
    #[must_use]
    pub fn rating(&self, standing: &Standing) -> Fixed {
        if standing.blacklisted {
            return Fixed::ZERO;
        }
        match self.validation {
            Validation::BoincAdaptive if standing.streak < STREAK_TRUSTED => Fixed::ZERO,
            Validation::BoincAdaptive => Fixed::ONE.minus(Fixed(Fixed::ONE.0 / u64::from(standing.streak))),
            Validation::Credibility => self.credibility(standing),
            Validation::BetaReputation => standing.reputation(),
            Validation::None | Validation::Districloud | Validation::MFirst | Validation::Quorum => {
                standing.trust.per(self.rates.highest).min(Fixed::ONE)
            }
        }
    }

    /// Gives a worker a seat at a task, or a spot-check, or nothing. `day` counts days for the daily quota.
    pub fn draw(
        &self,
        book: &mut TrustBook,
        votes: &mut Votes,
        who: Identity,
        day: u64,
        dice: &mut Dice<'_>,
    ) -> Draw {
        if votes.seats.contains(who) {
            return Draw::Refused(Refused::Seated);
        }
        if votes.accepted.is_some() || votes.seats.len() >= self.copies as usize {
            return Draw::Refused(Refused::Closed);
        }
        let Some(standing) = book.enter(who, &self.rates) else { return Draw::Refused(Refused::Full) };
        if standing.blacklisted {
            return Draw::Refused(Refused::Blacklisted);
        }
        match self.validation {
            Validation::Credibility if happens(dice, self.spot_checks) => return Draw::SpotCheck,
            Validation::BoincAdaptive => {
                if !standing.spend(day) {
                    return Draw::Refused(Refused::Quota);
                }
                // Also when a second host takes over the one copy that a first one failed to return.
                if votes.need.is_none_or(|need| need == 1) {
                    let alone = standing.streak >= STREAK_TRUSTED && !dice.chance(1, standing.streak.into());
                    votes.need = Some(if alone { 1 } else { self.wanted(votes, self.quorum) });
                }
            }
            Validation::BetaReputation if votes.need.is_none() => {
                votes.need = Some(if happens(dice, self.audits) { 2.min(self.copies) } else { 1 });
            }
            _ => {}
        }
        votes.seats.insert(who, Seat::Asked);
        Draw::Work
    }

    /// Whether spot-checks tell this policy anything. Then a hub may give some of its own accord: to idle workers, or to
    /// those who voted on a task that nobody is left to ask about, which makes them credible enough or finds them out.
    #[must_use]
    pub fn learns_from_checks(&self) -> bool {
        self.validation == Validation::Credibility
    }

    /// Takes down that a spot-check was answered rightly or wrongly.
    ///
    /// After a wrong one, with a blacklist, the verdicts of all undecided tasks change: its votes count no more, and no
    /// later check brings it back.
    pub fn check(&self, book: &mut TrustBook, who: Identity, right: bool) {
        let Some(standing) = book.change(who).filter(|standing| !standing.blacklisted) else { return };
        if right {
            standing.passed = standing.passed.saturating_add(1);
            standing.confirmed(&self.rates);
        } else {
            standing.passed = 0;
            standing.blacklisted |= self.blacklist;
            standing.refuted(&self.rates);
        }
    }

    /// Takes down that a worker had the task for too long, or failed. No effect if it does not have it.
    pub fn lapse(&self, book: &mut TrustBook, votes: &mut Votes, who: Identity) {
        if let Some(seat @ Seat::Asked) = votes.seats.get_mut(who) {
            *seat = Seat::Lapsed;
            if let Some(standing) = book.change(who) {
                standing.lapsed(&self.rates);
            }
        }
    }

    /// What is to be done about a task. Of a decided one, always the same.
    ///
    /// `none`, `m-first`, `boinc-adaptive`, `credibility` and `beta-reputation` accept as soon as enough speaks for an
    /// answer, so the order in which answers come may decide. `districloud` waits for all, and of a fixed overlap only
    /// one answer can have a majority: these two promise the same end in every order.
    #[must_use]
    pub fn verdict(&self, book: &TrustBook, votes: &Votes, comparator: &Comparator) -> Verdict {
        if let Some(accepted) = votes.accepted {
            return Verdict::Accept(accepted);
        }
        let tally = Tally::of(book, votes, comparator);
        match self.validation {
            Validation::None => match tally.groups.first() {
                Some(group) => accept(group, share(size(group).into(), tally.useful.into())),
                None => self.ask(votes, &tally, 1),
            },
            Validation::MFirst => self.most_votes(votes, &tally, self.matches, self.matches),
            Validation::BoincAdaptive => {
                let need = votes.need.unwrap_or(1);
                self.most_votes(votes, &tally, need, need / 2 + 1)
            }
            Validation::Quorum => self.majority(votes, &tally),
            Validation::Districloud => self.trusted(book, votes, &tally),
            Validation::Credibility => self.credible(book, votes, &tally),
            Validation::BetaReputation => self.reputed(book, votes, &tally),
        }
    }

    /// Accepts a worker's answer and judges by it all that have answered; later, those that have answered since. Each
    /// worker is judged once. Returns whom, and how, in ascending order; nobody if that worker has not answered.
    ///
    /// Once an answer is accepted, it stays so: `accepted` counts the first time only.
    pub fn settle(
        &self,
        book: &mut TrustBook,
        votes: &mut Votes,
        accepted: Accepted,
        comparator: &Comparator,
    ) -> Vec<(Identity, Judgement)> {
        let accepted = votes.accepted.unwrap_or(accepted);
        let right = votes.answer(accepted.answer).filter(|right| **right != Answer::Nothing);
        let Some(right) = right.cloned() else { return Vec::new() };
        votes.accepted = Some(accepted);
        let agrees = |seat: &Seat| match seat {
            Seat::Answered { answer, .. } => comparator.agree(&right, answer),
            Seat::Asked | Seat::Lapsed => false,
        };
        let agreeing =
            votes.seats().filter(|(who, seat)| agrees(seat) && !book.standing(*who).blacklisted).count();
        // DistriCloud rewards even who was the only one to run a task.
        let confirmed = agreeing > 1 || self.validation == Validation::Districloud;
        let mut judgements = Vec::new();
        for (who, seat) in votes.seats.iter_mut() {
            let agrees = agrees(seat);
            let Seat::Answered { judged: judged @ false, .. } = seat else { continue };
            *judged = true;
            let judgement = match agrees {
                true if confirmed => Judgement::Confirmed,
                true => Judgement::Unconfirmed,
                false => Judgement::Refuted,
            };
            judgements.push((who, judgement));
            let Some(standing) = book.change(who) else { continue };
            match judgement {
                Judgement::Confirmed => standing.confirmed(&self.rates),
                Judgement::Unconfirmed => standing.accepted(),
                Judgement::Refuted => standing.refuted(&self.rates),
            }
        }
        judgements
    }

    /// How many workers a task wants: as it says itself, within bounds.
    fn wanted(&self, votes: &Votes, default: u32) -> u32 {
        votes.overlap.unwrap_or(default).clamp(1, self.copies.max(1))
    }

    /// Asks for what is missing to have `missing` more answers, as far as there is room.
    fn ask(&self, votes: &Votes, tally: &Tally, missing: u32) -> Verdict {
        let room = self.copies.saturating_sub(u32::try_from(votes.seats.len()).unwrap_or(u32::MAX));
        match missing.saturating_sub(tally.out).min(room) {
            0 if tally.out == 0 => Verdict::Fail(Reason::Exhausted),
            more => Verdict::Ask(more),
        }
    }

    /// Of at least `need` answers, the one that most gave, if at least `matches` did. A tie asks for one more.
    fn most_votes(&self, votes: &Votes, tally: &Tally, need: u32, matches: u32) -> Verdict {
        let most = tally.groups.first().map_or(0, size);
        match tally.leader() {
            Some(group) if tally.useful >= need && most >= matches => {
                accept(group, share(most.into(), tally.useful.into()))
            }
            _ => {
                let missing = need.saturating_sub(tally.useful).max(matches.saturating_sub(most)).max(1);
                self.ask(votes, tally, missing)
            }
        }
    }

    /// More than half of the overlap.
    fn majority(&self, votes: &Votes, tally: &Tally) -> Verdict {
        let wanted = self.wanted(votes, self.overlap);
        // Late answers of those that were replaced can make them more than the overlap.
        let all = wanted.max(tally.useful);
        match tally.leader() {
            Some(group) if size(group) > all / 2 => {
                accept(group, share(size(group).into(), tally.useful.into()))
            }
            _ if tally.useful >= wanted => Verdict::Fail(Reason::Divided),
            _ => self.ask(votes, tally, wanted - tally.useful),
        }
    }

    /// DistriCloud: when all are there, W_max / sum of W >= threshold. Empty answers fill a place and have no weight.
    fn trusted(&self, book: &TrustBook, votes: &Votes, tally: &Tally) -> Verdict {
        let wanted = self.wanted(votes, self.overlap);
        if tally.answered < wanted {
            return self.ask(votes, tally, wanted - tally.answered);
        }
        if tally.out > 0 {
            return Verdict::Ask(0);
        }
        match tally.heaviest(|who| book.standing(who).trust) {
            None => Verdict::Fail(Reason::Silent),
            Some((group, weight, all)) if all > 0 && self.suffices(weight, all) => {
                accept(group, share(weight, all))
            }
            Some(_) => Verdict::Fail(Reason::Divided),
        }
    }

    /// Sarmenta: P(group a is right) = O_a / (1 + sum of O), where O is the product of the odds c / (1 - c) of its
    /// workers' credibilities: both sides of his formula divided by the product of all P(bad).
    fn credible(&self, book: &TrustBook, votes: &Votes, tally: &Tally) -> Verdict {
        let odds = |group: &Group| {
            let each = group.members.iter().map(|who| odds(self.credibility(book.standing(*who))));
            each.fold(UNIT, |all, one| (all * one / UNIT).min(ODDS_MAX))
        };
        let all: Vec<u128> = tally.groups.iter().map(odds).collect();
        let sum = UNIT + all.iter().sum::<u128>();
        let best = tally.groups.iter().zip(&all).rev().max_by_key(|(_, odds)| **odds);
        match best.map(|(group, odds)| (group, share(*odds, sum))) {
            Some((group, right)) if right >= self.confidence => accept(group, right),
            _ => self.ask(votes, tally, 1),
        }
    }

    /// The reputation that speaks for an answer, in itself and as a share of all.
    fn reputed(&self, book: &TrustBook, votes: &Votes, tally: &Tally) -> Verdict {
        let need = votes.need.unwrap_or(1);
        match tally.heaviest(|who| book.standing(who).reputation()) {
            Some((group, weight, all))
                if tally.useful >= need && weight >= self.weight.0.into() && self.suffices(weight, all) =>
            {
                accept(group, share(weight, all))
            }
            _ => self.ask(votes, tally, need.saturating_sub(tally.useful).max(1)),
        }
    }

    /// Whether a weight is at least the threshold's share of all, to the last billionth.
    fn suffices(&self, weight: u128, all: u128) -> bool {
        weight * UNIT >= all * u128::from(self.threshold.0)
    }

    /// How probably a worker's answer is right, by the spot-checks that it passed.
    fn credibility(&self, standing: &Standing) -> Fixed {
        /// 1 / e.
        const PER_E: Fixed = Fixed(367_879_441);
        let honest = Fixed::ONE.minus(self.prior);
        let doubt = match (standing.passed, self.blacklist) {
            (0, _) => return honest,
            (passed, true) => Fixed(self.prior.per(honest).times(PER_E).0 / u64::from(passed)),
            (passed, false) => Fixed(self.prior.0 / u64::from(passed)),
        };
        // To have passed one never makes a worker less credible, as the bound would where most are saboteurs.
        Fixed::ONE.minus(doubt).max(honest)
    }
}

impl Tally {
    fn of(book: &TrustBook, votes: &Votes, comparator: &Comparator) -> Self {
        let (mut out, mut answered) = (0, 0);
        let mut answers = Vec::new();
        for (who, seat) in votes.seats().filter(|(who, _)| !book.standing(*who).blacklisted) {
            match seat {
                Seat::Asked => out += 1,
                Seat::Lapsed => {}
                Seat::Answered { answer, .. } => {
                    answered += 1;
                    answers.push((who, answer));
                }
            }
        }
        let groups = comparator.groups(&answers);
        let useful = groups.iter().map(size).sum();
        Self { groups, out, answered, useful }
    }

    /// The group of the greatest weight (of equal ones the larger), its weight, and that of all.
    fn heaviest(&self, weight: impl Fn(Identity) -> Fixed) -> Option<(&Group, u128, u128)> {
        let weigh = |group: &Group| group.members.iter().map(|who| u128::from(weight(*who).0)).sum::<u128>();
        let weighed: Vec<_> = self.groups.iter().map(|group| (group, weigh(group))).collect();
        let all = weighed.iter().map(|(_, weight)| weight).sum();
        let (group, weight) = weighed.into_iter().rev().max_by_key(|(_, weight)| *weight)?;
        Some((group, weight, all))
    }

    /// The largest group, if there is one.
    fn leader(&self) -> Option<&Group> {
        match &self.groups[..] {
            [first, second, ..] if size(first) == size(second) => None,
            groups => groups.first(),
        }
    }
}

fn size(group: &Group) -> u32 {
    u32::try_from(group.members.len()).unwrap_or(u32::MAX)
}

const fn accept(group: &Group, confidence: Fixed) -> Verdict {
    Verdict::Accept(Accepted { answer: group.centre, confidence })
}

fn share(part: u128, of: u128) -> Fixed {
    Fixed(u64::try_from(part * UNIT / of.max(1)).unwrap_or(u64::MAX))
}

fn odds(credibility: Fixed) -> u128 {
    let doubt = u128::from(Fixed::ONE.minus(credibility).0);
    (u128::from(credibility.0) * UNIT).checked_div(doubt).map_or(ODDS_MAX, |odds| odds.min(ODDS_MAX))
}

fn happens(dice: &mut Dice<'_>, probability: Fixed) -> bool {
    dice.chance(probability.0, Fixed::ONE.0)
}
