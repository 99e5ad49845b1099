//! The scenario runs as `rumour run rumour.toml --quick` would, and its checks can fail.

use seedbed::scenarios::run::{Experiment, Registry, Request, Seeds, run_all};

use super::Gossip;

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rumour.toml");

/// The checks that the scenario breaks with these keys set, in small.
fn broken(sets: &[(&str, &str)]) -> Vec<String> {
    let registry = Registry::ours().with::<Gossip>("rumour");
    let request = Request {
        sets: sets.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        is_quick: true,
        seeds: Some(Seeds(0..10)),
        ..Request::default()
    };
    let experiment =
        Experiment::load(SCENARIO.as_ref(), &registry, request).unwrap_or_else(|report| panic!("{report}"));
    let checks = run_all(&experiment, &|_| ()).tables.checks;
    assert_eq!(checks.len(), 1);
    checks.into_iter().filter(|check| check.violated > 0).map(|check| check.name).collect()
}

#[test]
fn rumours_spread_and_answers_are_kept() {
    assert!(broken(&[]).is_empty());
}

#[test]
fn an_answer_does_not_outlive_its_disk() {
    assert_eq!(broken(&[("fault.0.disk", "everything")]), ["word-is-kept"]);
}
