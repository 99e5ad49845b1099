//! Message counts against those of the literature.
//!
//! Bully: H. Garcia-Molina 1982; best case N-2 announcements and one question to the dead leader, worst case
//! N^2 - N - 1. Ring: E. Chang and R. Roberts 1979; 2N - 1, N H_N on the average, N(N+1)/2, and N to announce. Raft:
//! D. Ongaro 2014; a round trip to every other node for votes, one more for pre-votes, and a first heartbeat each.

use seedbed_core::election::bully::{self, Bully};
use seedbed_core::election::raft::{self, Raft};
use seedbed_core::election::ring::{self, Order, Ring};

use crate::bench::Bench;
use crate::ground::{ms, secs, setup};

/// A bully whose followers do not miss their leader by themselves, so that one of them can be told to.
fn patient() -> bully::Parameters {
    bully::Parameters { timeout_min: secs(60), timeout_max: secs(60), ..bully::Parameters::default() }
}

/// Questions, answers and announcements of the election that `initiator` begins when the top node is dead.
fn bully_messages(nodes: u32, initiator: u32) -> [u64; 3] {
    let mut bench: Bench<Bully> = Bench::new(&patient(), setup(nodes, 1));
    bench.run_for(secs(5));
    assert_eq!(bench.leaders(), [nodes - 1]);
    bench.crash(nodes - 1);
    let kinds = ["sent_election", "sent_answer", "sent_coordinator"];
    let before = kinds.map(|kind| bench.sent(kind));
    bench.campaign(initiator);
    bench.run_for(secs(5));
    assert_eq!(bench.leaders(), [nodes - 2]);
    let after = kinds.map(|kind| bench.sent(kind));
    std::array::from_fn(|kind| after[kind] - before[kind])
}

#[test]
fn bully_at_best_asks_the_dead_and_tells_the_rest() {
    for nodes in [5, 10, 20] {
        assert_eq!(bully_messages(nodes, nodes - 2), [1, 0, u64::from(nodes) - 2], "{nodes} nodes");
    }
}

#[test]
fn bully_at_worst_sends_a_square_of_messages() {
    for (nodes, total) in [(5, 19), (10, 89), (20, 379)] {
        let [election, answer, coordinator] = bully_messages(nodes, 0);
        let n = u64::from(nodes);
        let expected = [n * (n - 1) / 2, (n - 1) * (n - 2) / 2, n - 2];
        assert_eq!([election, answer, coordinator], expected, "{nodes} nodes");
        assert_eq!(election + answer + coordinator, total);
    }
}

/// Without the rule that a node in an election does not begin another, it would be 2^N - 1 elections.
#[test]
fn bully_started_cold_holds_few_elections() {
    for nodes in [5, 10, 20] {
        let mut bench: Bench<Bully> = Bench::new(&patient(), setup(nodes, 1));
        bench.run_for(secs(5));
        assert_eq!(bench.leaders(), [nodes - 1]);
        let campaigns = bench.eyes.probe.campaigns();
        assert!(campaigns <= u64::from(nodes * nodes), "{campaigns} campaigns of {nodes} nodes");
    }
}

/// Names on tour and announcements when all begin at once.
fn ring_messages(nodes: u32, order: Order, ring_seed: u64) -> (u64, u64) {
    let parameters =
        ring::Parameters { order, ring_seed, election_timeout: secs(60), ..ring::Parameters::default() };
    let mut bench: Bench<Ring> = Bench::new(&parameters, setup(nodes, ring_seed));
    bench.run_for(ms(200));
    assert_eq!(bench.leaders(), [nodes - 1]);
    (bench.sent("sent_election"), bench.sent("sent_elected"))
}

#[test]
fn ring_at_best_and_at_worst() {
    for nodes in [5, 10, 20] {
        let n = u64::from(nodes);
        assert_eq!(ring_messages(nodes, Order::Ascending, 0), (2 * n - 1, n));
        assert_eq!(ring_messages(nodes, Order::Descending, 0), (n * (n + 1) / 2, n));
    }
}

#[test]
fn ring_on_the_average_sends_n_times_the_harmonic_number() {
    for nodes in [5, 10, 20] {
        let n = f64::from(nodes);
        let expected = n * (1..=nodes).map(|k| 1.0 / f64::from(k)).sum::<f64>();
        let counts: Vec<f64> =
            (0..200).map(|seed| ring_messages(nodes, Order::Random, seed).0 as f64).collect();
        let mean = counts.iter().sum::<f64>() / 200.0;
        let variance = counts.iter().map(|count| (count - mean) * (count - mean)).sum::<f64>() / 199.0;
        // The 99 % confidence interval of the mean of 200 rings.
        let half_width = 2.6 * (variance / 200.0).sqrt();
        assert!(
            (mean - expected).abs() < half_width,
            "{nodes} nodes: {mean} +- {half_width}, not {expected}"
        );
    }
}

/// One node begins; the others have not missed a leader yet.
fn raft_messages(nodes: u32, pre_vote: bool) -> [u64; 5] {
    let parameters = raft::Parameters {
        timeout_min: secs(10),
        timeout_max: secs(20),
        heartbeat: secs(5),
        pre_vote,
        ..raft::Parameters::default()
    };
    let mut bench: Bench<Raft> = Bench::new(&parameters, setup(nodes, 1));
    bench.campaign(0);
    bench.run_for(secs(1));
    assert_eq!(bench.leaders(), [0]);
    let kinds =
        ["sent_request_pre_vote", "sent_pre_vote", "sent_request_vote", "sent_vote", "sent_heartbeat"];
    kinds.map(|kind| bench.sent(kind))
}

#[test]
fn raft_asks_every_other_node_once_or_twice() {
    for nodes in [3, 5, 10, 20] {
        let n = u64::from(nodes) - 1;
        assert_eq!(raft_messages(nodes, false), [0, 0, n, n, n], "{nodes} nodes");
        assert_eq!(raft_messages(nodes, true), [n, n, n, n, n], "{nodes} nodes with pre-vote");
    }
}
