//! The 180 graphs of 50 tasks of the Standard Task Graph Set on 2, 4, 8 and 16 processors, with their optimal makespans
//! (Tobita, Kasahara: J. Scheduling 5(5), 2002).

use std::collections::BTreeMap;
use std::io::Read;

use seedbed_core::contract::Duration;
use seedbed_core::scheduler::dag::{Costs, Instance, Policy, TaskGraph};
use seedbed_core::scheduler::import;

use crate::{shared, text};

/// A processing time of one is a nanosecond here.
const UNIT: Duration = Duration::from_nanos(1);

/// The texts of the graphs, by their names in the archive.
pub(crate) fn files() -> Option<BTreeMap<String, String>> {
    let bytes = shared("stg/stg-50.tar.xz")?;
    let mut files = BTreeMap::new();
    for file in tar::Archive::new(bytes.as_slice()).entries().expect("an archive") {
        let mut file = file.expect("a file");
        let name = file.path().expect("a name").to_str().expect("UTF-8").to_owned();
        if name.ends_with(".stg") {
            let mut text = String::new();
            file.read_to_string(&mut text).expect("text");
            files.insert(name, text);
        }
    }
    assert_eq!(files.len(), 180);
    Some(files)
}

/// The graphs by their names.
fn graphs() -> Option<BTreeMap<String, TaskGraph>> {
    let read = |(name, text): (String, String)| {
        let graph = import::stg(&text, UNIT).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, graph)
    };
    Some(files()?.into_iter().map(read).collect())
}

/// By graph, the optimal makespan; where it is not known, the greatest that is proved to be reached by none.
fn optima(processors: usize) -> Option<BTreeMap<String, u64>> {
    let table = text(shared(&format!("stg/optimal/Case50_{processors}_OPT.csv"))?);
    let row = |line: &str| {
        let mut cells = line.trim().split(',');
        let mut cell = || cells.next().expect("at least three cells").to_owned();
        let (name, count, optimum) = (cell(), cell(), cell());
        assert_eq!(count, processors.to_string());
        (name, optimum.parse().expect("a number"))
    };
    let optima: BTreeMap<_, _> = table.lines().filter(|line| !line.trim().is_empty()).map(row).collect();
    assert_eq!(optima.len(), 180);
    Some(optima)
}

#[test]
fn the_graphs_are_read_as_published() {
    let Some(graphs) = graphs() else { return };
    let graph = &graphs["50/rand0065.stg"];
    // As the comments of the file say: 50 tasks and two dummies, 135 edges and 22 of dummies, 11.44 on average, and the
    // critical path.
    assert_eq!((graph.len(), graph.edges().count()), (52, 135 + 22));
    assert_eq!(graph.tasks().map(|task| task.work.as_nanos()).sum::<u64>(), 572);
    let one = Costs::identical(1);
    assert_eq!(Instance::new(graph, &one).unwrap().critical_path().as_nanos(), 117);
}

#[test]
fn no_policy_beats_the_optimum_and_greedy_lists_obey_graham() {
    let Some(graphs) = graphs() else { return };
    // How much longer than the optimum lists by b-level are, on average, in per cent.
    for (processors, expected) in [(2_usize, 0.731), (4, 1.155), (8, 1.251), (16, 0.0)] {
        let Some(optima) = optima(processors) else { return };
        let costs = Costs::identical(processors);
        let mut excess = 0.0;
        for (name, graph) in &graphs {
            let instance = Instance::new(graph, &costs).unwrap();
            let optimum = optima[name];
            for policy in Policy::ALL {
                let schedule = policy.schedule(&instance).unwrap();
                assert_eq!(schedule.verify(&instance), Ok(()), "{policy}, {name} on {processors}");
                let makespan = schedule.makespan().as_nanos();
                assert!(makespan >= optimum, "{policy}: {makespan} beats {optimum}, {name} on {processors}");
                if *policy == Policy::DynamicList {
                    let p = processors as u64;
                    assert!(makespan * p <= (2 * p - 1) * optimum, "{makespan}, {name} on {processors}");
                    excess += makespan as f64 / optimum as f64 - 1.0;
                }
            }
        }
        let mean = 100.0 * excess / graphs.len() as f64;
        assert!(
            (mean - expected).abs() < 0.0005,
            "{mean} % on {processors} processors, expected {expected} %"
        );
    }
}
