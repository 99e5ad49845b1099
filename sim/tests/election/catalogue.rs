//! Partial partitions that broke real systems, and what each of Raft's switches makes of them.

use std::collections::BTreeMap;

use seedbed_core::contract::NodeId;
use seedbed_core::election::raft::{Parameters, Raft};
use seedbed_sim::fault::Action;

use crate::bench::Bench;
use crate::ground::{secs, setup};

/// Links that are cut for ever: from each of the first to each of the second.
type Cuts = &'static [(&'static [u32], &'static [u32])];

struct Case {
    name: &'static str,
    nodes: u32,
    leader: u32,
    cuts: Cuts,
    /// Outcomes: bare, with pre-vote and stickiness, with check quorum, with all three. Where they differ from what was
    /// reasoned beforehand, a comment says who was right.
    expected: [&'static str; 4],
}

const CASES: [Case; 6] = [
    Case {
        name: "one-link",
        nodes: 3,
        leader: 0,
        cuts: &[(&[0], &[2]), (&[2], &[0])],
        expected: ["unstable", "stable", "unstable", "stable"],
    },
    Case {
        name: "deaf-follower",
        nodes: 3,
        leader: 0,
        cuts: &[(&[0], &[2])],
        // Not unstable: the deaf node itself takes over. It reaches both others and hears node 1, a majority; node 0
        // hears its heartbeats and follows, and nobody is left who misses a leader.
        expected: ["live", "stable", "live", "stable"],
    },
    Case {
        name: "deaf-leader",
        nodes: 3,
        leader: 0,
        cuts: &[(&[1, 2], &[0])],
        // Check quorum alone is not enough: the old leader steps down, but hears no new one and campaigns for ever; every
        // second of its requests carries a term that deposes the leader of the others.
        expected: ["stuck", "stuck", "unstable", "live"],
    },
    Case {
        name: "quorum-loss",
        nodes: 5,
        leader: 2,
        cuts: &[(&[1], &[2, 3, 4]), (&[2], &[1, 3, 4]), (&[3], &[1, 2, 4]), (&[4], &[1, 2, 3])],
        expected: ["live", "stuck", "live", "live"],
    },
    Case {
        name: "bridge",
        nodes: 5,
        leader: 4,
        cuts: &[(&[3], &[0, 1, 2, 4]), (&[0, 1, 2, 4], &[3]), (&[4], &[0, 2]), (&[0, 2], &[4])],
        expected: ["live", "stuck", "live", "live"],
    },
    Case {
        name: "split",
        nodes: 5,
        leader: 0,
        cuts: &[(&[0, 1], &[2, 3, 4]), (&[2, 3, 4], &[0, 1])],
        expected: ["live", "live", "live", "live"],
    },
];

fn variants() -> [Parameters; 4] {
    let bare = Parameters::default();
    let sticky = Parameters { pre_vote: true, stickiness: true, ..bare.clone() };
    let checked = Parameters { check_quorum: true, ..bare.clone() };
    let all = Parameters { check_quorum: true, lease: true, ..sticky.clone() };
    [bare, sticky, checked, all]
}

fn run(case: &Case, parameters: &Parameters, seed: u64) -> (String, f64) {
    let mut bench: Bench<Raft> = Bench::new(parameters, setup(case.nodes, seed));
    bench.campaign(case.leader);
    bench.run_for(secs(1));
    assert_eq!(bench.leader(), Some(case.leader));
    for (from, to) in case.cuts {
        bench.cut(from, to);
    }
    bench.run_for(secs(30));
    let findings = bench.finish();
    assert_eq!(findings.violated, BTreeMap::new(), "{} {parameters:?} {:?}", case.name, findings.violations);
    (findings.words["outcome"].clone(), findings.numbers["settled_ms"])
}

#[test]
fn each_switch_does_what_it_is_for() {
    for case in &CASES {
        for (parameters, expected) in variants().iter().zip(case.expected) {
            for seed in 0..20 {
                let (outcome, settled_ms) = run(case, parameters, seed);
                assert_eq!(outcome, expected, "{} {parameters:?} seed {seed}", case.name);
                // A few time-outs: where every candidate disturbs the others it takes ten of the longest.
                assert!(
                    expected != "live" || settled_ms < 3_000.0,
                    "{} settled in {settled_ms} ms",
                    case.name
                );
            }
        }
    }
}

/// A node that stands still cannot check its quorum: it believes that it leads long after the others have moved on.
/// (A stalled disk that blocks its node does the same; without a log a leader does not write.)
#[test]
fn a_paused_leader_lingers_but_its_lease_does_not() {
    let [.., all] = variants();
    let mut bench: Bench<Raft> = Bench::new(&all, setup(5, 1));
    bench.campaign(0);
    bench.run_for(secs(1));
    bench.act(Action::Pause { node: NodeId(0) });
    bench.run_for(secs(5));
    assert_eq!(bench.leaders().len(), 2);
    bench.act(Action::Resume { node: NodeId(0) });
    bench.run_for(secs(1));
    assert!(bench.has_one_leader());
    let findings = bench.finish();
    assert!(findings.numbers["split_brain_total_ms"] > 4_000.0);
    assert_eq!(findings.violated, BTreeMap::new());
}
