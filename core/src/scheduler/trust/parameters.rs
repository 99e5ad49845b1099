//! What a scenario may choose of validation.

use super::answer::Decimal;
use crate::settings::Probability;
use crate::{choice, settings};

choice! {
    /// Which answer of several is accepted, and when.
    pub enum Validation {
        /// The first that comes.
        None,
        /// DistriCloud's rule: when all `overlap` answers are there, the one whose workers' trust comes to at least
        /// `threshold` of all; else the task failed.
        Districloud,
        /// The first that `matches` workers give.
        MFirst,
        /// What more than half of `overlap` workers give; if there is no such answer, the task failed.
        Quorum,
        /// BOINC's: `quorum` workers, but one alone that was right often enough, most of the time.
        BoincAdaptive,
        /// Sarmenta's: what is right with a probability of `confidence`, by the spot-checks that its workers have passed.
        Credibility,
        /// What the reputations of its workers, which fade with time, speak for: at least `weight` together, and at least
        /// `threshold` of all.
        BetaReputation,
    }
}

choice! {
    /// Which answers are the same.
    pub enum Comparison {
        /// The same bytes.
        Exact,
        /// The same numbers, up to `absolute` and `relative`.
        Tolerance,
    }
}

settings! {
    /// Parameters of validation.
    pub struct Parameters {
        /// Which answer is accepted.
        pub validation: Validation = Validation::Credibility;
        /// How many workers run a task that does not say so itself (`districloud`, `quorum`).
        pub overlap: u32 = 3, in 1..=64;
        /// How many equal answers end a vote (`m-first`).
        pub matches: u32 = 2, in 1..=64;
        /// How many workers run a task that is replicated (`boinc-adaptive`).
        pub quorum: u32 = 2, in 1..=64;
        /// The share of trust or reputation that must speak for an answer (`districloud`, `beta-reputation`).
        pub threshold: Probability = Probability::of(0.6);
        /// How probably an answer must be right (`credibility`): 1 less the accepted error.
        pub confidence: Probability = Probability::of(0.99), in 0.5..=0.999_999;
        /// How large a part of the workers is taken for saboteurs (`credibility`).
        pub prior: Probability = Probability::of(0.2), in 0.0..=0.9;
        /// How often a worker gets a spot-check in place of work: a task that the hub has computed itself (`credibility`).
        pub spot_checks: Probability = Probability::of(0.1), in 0.0..=0.9;
        /// Whether who fails a spot-check gets no work any more; else it begins anew (`credibility`).
        pub blacklist: bool = true;
        /// How much reputation must speak for an answer: a newcomer has 0.5 (`beta-reputation`).
        pub weight: f64 = 0.95, in 0.0..=64.0;
        /// What is left of old evidence when new comes (`beta-reputation`).
        pub memory: Probability = Probability::of(0.98);
        /// How often a task goes to two workers even if one would do (`beta-reputation`).
        pub audits: Probability = Probability::of(0.1);
        /// The trust of a newcomer.
        pub trust: f64 = 5.0, in 0.0..=1000.0;
        /// What a valid answer adds to trust.
        pub gain: f64 = 0.1, in 0.0..=1000.0;
        /// What an invalid answer takes from it.
        pub loss: f64 = 0.2, in 0.0..=1000.0;
        /// The lowest trust.
        pub lowest: f64 = 1.0, in 0.0..=1000.0;
        /// The highest trust.
        pub highest: f64 = 10.0, in 0.0..=1000.0;
        /// How many jobs a newcomer may have in a day (`boinc-adaptive`).
        pub quota: u32 = 100, in 1..=1_000_000;
        /// The most workers that a task is given to before it failed.
        pub copies: u32 = 32, in 1..=1024;
        /// The most workers that are remembered; when there are as many, new ones get no work.
        pub identities: u32 = 1_000_000, in 1..=10_000_000;
        /// Which answers are the same.
        pub compare: Comparison = Comparison::Exact;
        /// How far two numbers may be apart, whatever they are.
        pub absolute: Decimal = Decimal::default();
        /// How far they may be apart on top of that, as a share of the larger of their sizes.
        pub relative: Probability = Probability::NEVER, in 0.0..=0.5;
    }
    verify = Parameters::consistent;
}

impl Parameters {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        let Self { lowest, trust, highest, copies, .. } = self;
        if !(lowest <= trust && trust <= highest) {
            return Err(("trust", format!("must lie between `lowest` = {lowest} and `highest` = {highest}")));
        }
        let needed = match self.validation {
            Validation::Districloud | Validation::Quorum => ("overlap", self.overlap),
            Validation::MFirst => ("matches", self.matches),
            Validation::BoincAdaptive => ("quorum", self.quorum),
            Validation::None | Validation::Credibility | Validation::BetaReputation => return Ok(()),
        };
        match needed {
            (key, workers) if workers > *copies => {
                Err((key, format!("is more than `copies` = {copies}, the most workers of a task")))
            }
            _ => Ok(()),
        }
    }
}
