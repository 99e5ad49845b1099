//! Whatever a scenario says is refused or runs: every value of the golden scenarios is replaced by extreme ones, and
//! nothing panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use seedbed_scenarios::run::{Experiment, Options, Owed, Registry, Request, Seeds};

/// What may stand in place of any value.
const EXTREMES: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "65536",
    "9223372036854775807",
    "0.0",
    "1.0",
    "1e-300",
    "1e300",
    "nan",
    "true",
    "\"\"",
    "\"0s\"",
    "\"1ns\"",
    "\"100us\"",
    "\"36500d\"",
    "\"0B\"",
    "\"1B\"",
    "\"1PiB\"",
    "\"1bit/s\"",
    "\"8Tbit/s\"",
    "\"all\"",
    "\"majority\"",
    "\"leader\"",
    "\"0\"",
    "\"except(all)\"",
    "\"fraction(0.5) + 0\"",
    "[]",
    "[\"all\"]",
    "{}",
    "{ law = \"pareto\", scale = \"1ns\", alpha = 0.001, cap = \"36500d\" }",
    "{ law = \"exponential\", mean = \"0s\" }",
    "{ law = \"normal\", mean = \"0s\", sd = \"36500d\", shift = \"36500d\", min = \"36500d\" }",
];

/// Enough for faults, clients and healing to begin.
const EVENTS_MAX: &str = "10000";

/// The text with the value of one line replaced; none where there is no value on one line.
fn replaced(lines: &[&str], at: usize, value: &str) -> Option<String> {
    let (key, old) = lines[at].split_once(" = ")?;
    if old.starts_with("\"\"\"") || old.trim_end() == "[" || old.trim_end() == "{" {
        return None;
    }
    let line = format!("{key} = {value}");
    let text = [&lines[..at], &[line.as_str()], &lines[at + 1..]].concat();
    Some(text.join("\n"))
}

/// Loads a text and runs its first point, unless that is a large world; whether it could be run.
fn run(path: &Path, text: &str) -> bool {
    std::fs::write(path, text).expect("a file of the test");
    let sets = vec![("run.events_max".to_owned(), EVENTS_MAX.to_owned())];
    let request = Request { sets, seeds: Some(Seeds(7..8)), ..Request::default() };
    let Ok(experiment) = Experiment::load(path, &Registry::ours(), request) else { return false };
    let point = &experiment.points[0];
    if point.scenario.cluster.nodes > 1_000 {
        return false;
    }
    let outcome = point.ready.run(7, Options::default());
    let failure = outcome.failure.as_ref().filter(|failure| failure.owed == Owed::NoPanic);
    assert!(failure.is_none(), "{failure:?}");
    let _ = experiment.judge(point, &outcome).to_string();
    true
}

#[test]
fn whatever_a_scenario_says_is_refused_or_runs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = format!("\"{}/data/", folder.display());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile.toml");
    let mut ran = 0;
    for name in ["raft", "regions", "chunks", "network", "clocks", "distri"] {
        let file = folder.join(format!("../tests/golden/{name}.toml"));
        let text =
            std::fs::read_to_string(file).expect("a scenario").replace("\"../../scenarios/data/", &data);
        let lines: Vec<&str> = text.lines().collect();
        let runs = |text: &str, what: &dyn Fn() -> String| {
            let run = catch_unwind(AssertUnwindSafe(|| run(&path, text)));
            run.unwrap_or_else(|_| panic!("{name}: {}", what()))
        };
        let mut accepted = Vec::new();
        for at in 0..lines.len() {
            for value in EXTREMES {
                let Some(text) = replaced(&lines, at, value) else { continue };
                if runs(&text, &|| format!("{value} in place of {}", lines[at])) {
                    accepted.push((at, *value));
                }
            }
        }
        // Then many at once: every seventh, from each of the first seven on.
        for first in 0..7.min(accepted.len()) {
            let mut text = text.clone();
            let chosen: Vec<_> = accepted.iter().skip(first).step_by(7).collect();
            for (at, value) in &chosen {
                let lines: Vec<&str> = text.lines().collect();
                let next = replaced(&lines, *at, value).filter(|next| runs(next, &|| format!("{chosen:?}")));
                text = next.unwrap_or(text);
            }
            ran += 1;
        }
        ran += accepted.len();
    }
    // Not everything was refused.
    assert!(ran > 500, "{ran}");
}
