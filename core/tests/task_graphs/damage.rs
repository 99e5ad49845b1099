//! Whatever happens to a published file: what is read of it is a value, or an error that says where.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use seedbed_core::contract::Duration;
use seedbed_core::scheduler::dag::{Costs, Instance, Policy, TaskGraph};
use seedbed_core::scheduler::import::{self, ImportError};

use crate::{shared, standard};

/// One change of some bytes.
#[derive(Clone, Debug)]
enum Damage {
    Flip(u8),
    Remove(usize),
    Repeat(usize),
    Insert(&'static str),
    Cut,
}

/// What is likely to mean something.
const WORDS: [&str; 12] =
    ["0", "9", "-1", "1e400", "99999999999999999999", "\n", " ", "\"", "[", "}", "#", "\u{0}"];

fn damages() -> impl Strategy<Value = Vec<(prop::sample::Index, Damage)>> {
    let damage = prop_oneof![
        4 => any::<u8>().prop_map(Damage::Flip),
        2 => (1..40_usize).prop_map(Damage::Remove),
        2 => (1..400_usize).prop_map(Damage::Repeat),
        4 => prop::sample::select(&WORDS[..]).prop_map(Damage::Insert),
        1 => Just(Damage::Cut),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), damage), 1..4)
}

fn damaged(original: &[u8], damages: &[(prop::sample::Index, Damage)]) -> String {
    let mut bytes = original.to_vec();
    for (place, damage) in damages {
        let at = place.index(bytes.len() + 1);
        let until = |length: usize| (at + length).min(bytes.len());
        match damage {
            Damage::Flip(by) => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= by),
            Damage::Remove(length) => drop(bytes.drain(at..until(*length))),
            Damage::Repeat(length) => {
                let copy = bytes[at..until(*length)].to_vec();
                bytes.splice(at..at, copy);
            }
            Damage::Insert(word) => drop(bytes.splice(at..at, word.bytes())),
            Damage::Cut => bytes.truncate(at),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is damaged, by its name, and read.
fn survive(name: &str, original: &[u8], read: impl Fn(&str) -> Result<Option<TaskGraph>, ImportError>) {
    let config = Config { cases: 150, failure_persistence: None, ..Config::default() };
    let survives = |damages: Vec<_>| {
        match read(&damaged(original, &damages)) {
            Err(error) => prop_assert!(error.to_string().len() < 600, "{}: {}", name, error),
            Ok(None) => {}
            Ok(Some(graph)) => {
                let costs = Costs::identical(3);
                // Runtimes may have become so long that they are refused.
                if let Ok(instance) = Instance::new(&graph, &costs) {
                    let schedule = Policy::Heft.schedule(&instance).expect("a schedule");
                    prop_assert_eq!(schedule.verify(&instance), Ok(()));
                }
            }
        }
        Ok(())
    };
    TestRunner::new(config).run(&damages(), survives).unwrap_or_else(|error| panic!("{name}: {error}"));
}

#[test]
fn damaged_workflows() {
    for name in [
        "workflows/epigenomics-chameleon-hep-1seq-100k-001.json",
        "workflows/srasearch-chameleon-10a-001.json",
        "workflows/montage-chameleon-2mass-005d-001.json",
    ] {
        let Some(original) = shared(name) else { return };
        survive(name, &original, |text| import::wfcommons(text).map(Some));
    }
}

#[test]
fn damaged_standard_graphs() {
    for (name, text) in standard::files().iter().flatten().step_by(60) {
        survive(name, text.as_bytes(), |text| import::stg(text, Duration::from_secs(1)).map(Some));
    }
}

#[test]
fn damaged_logs() {
    let name = "swf/hpc2n-excerpt.swf.xz";
    let Some(original) = shared(name) else { return };
    survive(name, &original, |text| import::swf(text).map(|_| None));
}
