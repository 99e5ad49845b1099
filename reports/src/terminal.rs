//! What a terminal shows when a run is over.

use crate::Experiment;
use crate::grid::{Grid, terminal_line};

const POINTS_MAX: usize = 40;
const VIOLATIONS_MAX: usize = 3;

pub(crate) fn print(experiment: &Experiment, results: &Grid, matrices: &[Grid], width: usize) -> String {
    let mut text = results.clone().limited(POINTS_MAX, "summary.csv").columns(width);
    for matrix in matrices {
        text += &format!("\n{}", matrix.clone().limited(POINTS_MAX, "runs.csv").columns(width));
    }
    if !experiment.checks.is_empty() {
        text += "\nChecks\n\n";
    }
    let wide = experiment.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    for check in &experiment.checks {
        let name = terminal_line(&check.name);
        let count = check.holds + check.violated;
        let runs = if count == 1 { "run" } else { "runs" };
        text += &match (check.violated, count) {
            (0, 0) => format!("–  {name:wide$}  never looked at\n"),
            (0, _) => format!("✓  {name:wide$}  held in {count} {runs}\n"),
            (violated, _) => format!("✗  {name:wide$}  violated in {violated} of {count} {runs}\n"),
        };
        let violations = experiment.violations.iter().filter(|violation| violation.check == check.name);
        for violation in violations.clone().take(VIOLATIONS_MAX) {
            let at = violation.at_s.map_or_else(String::new, |at| format!(" at {at} s"));
            text += &format!("   seed {}{at}: {}\n", violation.seed, terminal_line(&violation.message));
            text += &format!("     {}\n", terminal_line(&violation.command));
        }
        let more = violations.count().saturating_sub(VIOLATIONS_MAX);
        if more > 0 {
            text += &format!("   {more} more in violations.csv\n");
        }
    }
    text
}
