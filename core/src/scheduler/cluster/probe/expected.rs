//! What the papers expect of a run, beside what was measured.

use super::super::Config;
use crate::contract::Findings;
use crate::scheduler::trust::{Saboteur, Validation, formulas};

/// How often a saboteur lies.
fn rate(saboteur: &Saboteur) -> Option<f64> {
    match saboteur {
        Saboteur::Independent { rate } | Saboteur::Colluding { rate, .. } => Some(rate.value()),
        Saboteur::OnOff { .. }
        | Saboteur::Whitewashing { .. }
        | Saboteur::Lazy { .. }
        | Saboteur::Slow { .. } => None,
    }
}

/// The share of accepted answers that are wrong, and the jobs that a task takes, where saboteurs agree on their lies and a
/// formula knows: see [`formulas`]. Of `credibility`, the bound that it promises.
pub(super) fn figures(config: &Config, findings: &mut Findings) {
    let trust = &config.parameters.trust;
    let lying = config.parameters.saboteur.iter().map(|group| {
        let independent = matches!(group.conduct, Saboteur::Independent { .. });
        if independent && trust.validation != Validation::None || !group.nodes.is_empty() {
            return None;
        }
        rate(&group.conduct).map(|rate| rate * group.share.value())
    });
    let Some(lying) = lying.sum::<Option<f64>>() else { return };
    match trust.validation {
        Validation::None => {
            findings.number("error_formula", lying);
            findings.number("jobs_formula", 1.0);
        }
        Validation::MFirst => {
            findings.number("error_formula", formulas::m_first_error(trust.matches, lying));
            findings.number("jobs_formula", formulas::m_first_jobs(trust.matches, lying));
        }
        Validation::Credibility => findings.number("error_formula", 1.0 - trust.confidence.value()),
        _ => {}
    }
}
