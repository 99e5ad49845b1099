//! `[[check]]`: what must hold.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use seedbed_core::contract::Duration;
use seedbed_core::settings::Spanned;
use seedbed_core::{choice, settings, written};

settings! {
    /// What must hold: one of `check`, `always`, `eventually` and `metric`.
    pub struct Check {
        /// What reports call it.
        pub name: Option<String> = None, in 1..=100;
        /// A promise of the protocol: it must never be broken.
        pub check: Option<Spanned<String>> = None;
        /// A condition of the protocol that must hold after every event.
        pub always: Option<Spanned<String>> = None;
        /// A condition of the protocol that must come to hold once everything has been healed.
        pub eventually: Option<Spanned<String>> = None;
        /// How soon it must hold, with `eventually`; within `run.heal`, if nothing is said.
        pub within: Option<Spanned<Duration>> = None;
        /// From when on it must hold, with `always`.
        pub from: Duration = Duration::ZERO;
        /// A bound on a figure of each run: `unavailable_ms.p95 < 500`.
        pub metric: Option<Spanned<Threshold>> = None;
        /// Only for these protocols.
        pub protocol: Vec<Spanned<String>> = Vec::new();
        /// Only at points of the sweep with these labels.
        pub only: BTreeMap<String, Spanned<String>> = BTreeMap::new();
        /// Whether it must hold, or be seen to be broken.
        pub expect: Expect = Expect::Holds;
    }
    verify = Check::consistent;
}

choice! {
    /// What is expected of a check.
    pub enum Expect {
        /// It holds in every run.
        Holds,
        /// It is broken in at least one run: a flaw that must be seen.
        Violated,
    }
}

/// What a check asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// A promise is never broken.
    Promise(String),
    /// A condition holds after every event from this time on.
    Always(String, Duration),
    /// A condition comes to hold after everything has been healed, within this time.
    Eventually(String, Option<Duration>),
    /// A figure keeps a bound.
    Metric(Threshold),
}

impl Check {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        let given: Vec<&'static str> = [
            ("check", self.check.is_some()),
            ("always", self.always.is_some()),
            ("eventually", self.eventually.is_some()),
            ("metric", self.metric.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect();
        match given.as_slice() {
            [] => Err(("check", "asks nothing: write `check`, `always`, `eventually` or `metric`".into())),
            [_, second, ..] => Err((second, format!("does not go with `{}`", given[0]))),
            [only] if *only != "eventually" && self.within.is_some() => {
                Err(("within", "goes with `eventually` only".into()))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is meant for this protocol.
    #[must_use]
    pub fn is_for(&self, protocol: &str) -> bool {
        self.protocol.is_empty() || self.protocol.iter().any(|name| name.value == protocol)
    }

    /// What it asks.
    #[must_use]
    pub fn rule(&self) -> Option<Rule> {
        let text = |text: &Spanned<String>| text.value.clone();
        let within = self.within.as_ref().map(|within| within.value);
        (self.check.as_ref().map(|name| Rule::Promise(text(name))))
            .or_else(|| self.always.as_ref().map(|name| Rule::Always(text(name), self.from)))
            .or_else(|| self.eventually.as_ref().map(|name| Rule::Eventually(text(name), within)))
            .or_else(|| self.metric.as_ref().map(|threshold| Rule::Metric(threshold.value.clone())))
    }

    /// What reports call it.
    #[must_use]
    pub fn label(&self) -> String {
        self.name.clone().or_else(|| self.rule().map(|rule| rule.to_string())).unwrap_or_default()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Promise(name) => f.write_str(name),
            Self::Always(name, _) => write!(f, "always {name}"),
            Self::Eventually(name, None) => write!(f, "eventually {name}"),
            Self::Eventually(name, Some(within)) => write!(f, "{name} within {within}"),
            Self::Metric(threshold) => write!(f, "{threshold}"),
        }
    }
}

/// A bound on a figure: `name op number`, where the name is that of a column of `runs.csv`.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The column.
    pub metric: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub bound: f64,
}

/// How a figure is compared with its bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs)]
pub enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    NotEqual,
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

impl Threshold {
    /// Whether a figure keeps the bound.
    #[must_use]
    pub fn holds(&self, figure: f64) -> bool {
        match self.comparison {
            Comparison::Less => figure < self.bound,
            Comparison::AtMost => figure <= self.bound,
            Comparison::More => figure > self.bound,
            Comparison::AtLeast => figure >= self.bound,
            Comparison::Equal => figure == self.bound,
            Comparison::NotEqual => figure != self.bound,
        }
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found =
            COMPARISONS.into_iter().find_map(|(sign, comparison)| Some((text.split_once(sign)?, comparison)));
        let ((metric, bound), comparison) = found.ok_or("there is no comparison in it")?;
        let metric = metric.trim();
        if metric.is_empty() || metric.contains(char::is_whitespace) {
            return Err("the name of a figure must stand before the comparison".into());
        }
        match bound.trim().parse::<f64>() {
            Ok(bound) if bound.is_finite() => Ok(Self { metric: metric.into(), comparison, bound }),
            _ => Err(format!("`{}` is no number", bound.trim())),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = COMPARISONS.iter().find(|(_, comparison)| *comparison == self.comparison);
        write!(f, "{} {} {}", self.metric, sign.map_or("", |(sign, _)| sign), self.bound)
    }
}

written! { Threshold: "a bound such as `unavailable_ms.p95 < 500`" }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_read_and_compare() {
        for (text, at_the_bound) in [
            ("a < 5", false),
            ("a<=5", true),
            ("a.p95 >= 5", true),
            ("a > 5", false),
            ("a == 5", true),
            ("a != 5", false),
        ] {
            let threshold: Threshold = text.parse().unwrap();
            assert_eq!(threshold.holds(5.0), at_the_bound, "{text}");
            assert_eq!(threshold.to_string().parse::<Threshold>().unwrap(), threshold);
        }
        for text in ["", "a", "a < b", "< 5", "a b < 5", "a < inf"] {
            assert!(text.parse::<Threshold>().is_err(), "{text}");
        }
    }
}
