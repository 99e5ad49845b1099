//! DistriCloud's published figures beside ours, and each flaw in a run where it is on, and not where it is off.

use std::path::Path;

use seedbed_core::contract::Findings;
use seedbed_scenarios::run::{Experiment, Options, Registry, Request};

/// What a scenario comes to with each of so many seeds.
fn runs(name: &str, seeds: u64, text: &str) -> Vec<Findings> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("districloud {name}.toml"));
    std::fs::write(&path, text).expect("a file of the test");
    let experiment = Experiment::load(&path, &Registry::ours(), Request::default());
    let experiment = experiment.unwrap_or_else(|report| panic!("{report}"));
    (0..seeds).map(|seed| experiment.points[0].ready.run(seed, Options::default()).findings).collect()
}

/// The experiment on distribution: 20 nodes, 100 tasks.
fn distribution(name: &str, params: &str) -> Vec<Findings> {
    let text = format!(
        "protocol = \"districloud\"\nrun.duration = \"10min\"\ncluster.nodes = 21\n[workload]\nkind = \"closed\"\n\
         clients = 100\nthink = \"0s\"\nto = \"hub\"\n[params]\nsleep = \"2s\"\npass_at_poll = true\n{params}\n"
    );
    runs(name, 10, &text)
}

/// The average wait of all runs, in seconds.
fn wait(runs: &[Findings]) -> f64 {
    let mean = |waits: &Vec<f64>| waits.iter().sum::<f64>() / waits.len() as f64;
    runs.iter().map(|run| mean(&run.samples["wait_s"])).sum::<f64>() / runs.len() as f64
}

fn sum(runs: &[Findings], metric: &str) -> f64 {
    runs.iter().map(|run| run.numbers[metric]).sum()
}

/// Expected: 1.7 to 2.3 times better than the custom rule and 1.9 to 3.0 times better than FIFO, over all sizes; here at the
/// largest, and by at least 1.5.
#[test]
fn the_shortest_queue_is_better_than_both_published_rules() {
    let ours = wait(&distribution("shortest queue", "rule = \"shortest-queue\""));
    for (rule, low, high) in [("custom", 0.9, 1.4), ("fifo", 0.9, 1.4)] {
        let published = distribution(rule, &format!("unread_capacity = false\nrule = \"{rule}\""));
        assert!(wait(&published) > 1.5 * ours, "{rule}: {} against {ours}", wait(&published));
        let ratio = sum(&published, "mean_to_published") / published.len() as f64;
        assert!((low..high).contains(&ratio), "{rule}: {ratio} of what was published");
        assert_eq!(sum(&published, "validated"), 1000.0);
    }
}

#[test]
fn unread_capacities_send_everything_to_the_trusted() {
    let unread = distribution("unread", "unread_capacity = true");
    let read = distribution("read", "unread_capacity = false");
    assert!(sum(&unread, "passed_over") > 0.0 && sum(&read, "passed_over") == 0.0);
    assert!(sum(&unread, "jain") < 0.7 * sum(&read, "jain"));
}

#[test]
fn nodes_that_are_too_small_are_taken_for_large_enough_ones() {
    let blind = distribution("blind", "unread_capacity = false");
    let seeing = distribution("seeing", "unread_capacity = false\nblind_fit = false");
    assert!(sum(&blind, "too_small") > 0.0 && sum(&seeing, "too_small") == 0.0);
}

#[test]
fn fifo_by_the_oldest_heartbeat_waits_longer_than_by_the_newest() {
    let oldest = distribution("oldest", "rule = \"fifo\"");
    let newest = distribution("newest", "rule = \"fifo\"\noldest_heartbeat = false");
    assert!(wait(&oldest) > wait(&newest));
}
