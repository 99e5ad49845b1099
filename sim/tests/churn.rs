//! Nodes that come and go: by published profiles, and as recorded.

#![expect(clippy::disallowed_methods, reason = "files stand beside the project, not in a scenario's folder")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use seedbed_core::contract::{Duration, Keys, NodeId, Time};
use seedbed_sim::Loss;
use seedbed_sim::fault::{Action, Fit, Generator, Kind, Profile, Scene, Schedule, Selector, Trace, When};
use seedbed_sim::law::Law;

const HOUR: Duration = Duration::from_secs(3_600);
/// What an hour of a profile lasts where many of them pass: time ends after 584 years.
const SECOND: Duration = Duration::from_secs(1);
/// How many standard errors a figure may be off: one right figure in 1.7 million is.
const ERRORS: f64 = 5.0;

/// Nodes of which all that matters is whether they are up.
struct Nodes(Vec<bool>);

impl Scene for Nodes {
    fn nodes(&self) -> u32 {
        self.0.len() as u32
    }
    fn is_up(&self, node: NodeId) -> bool {
        self.0[node.0 as usize]
    }
    fn role(&self, _: NodeId) -> &'static str {
        ""
    }
    fn region(&self, _: NodeId) -> &str {
        ""
    }
    fn name(&self, _: NodeId) -> &str {
        ""
    }
}

fn nodes(count: u32) -> Vec<NodeId> {
    (0..count).map(NodeId).collect()
}

fn churn(nodes: Vec<NodeId>, [up, down]: [Law; 2]) -> Generator {
    let kind = Kind::Crash(Selector::All, Loss::Unsynced);
    Generator { kind, when: When::Alternating { nodes, up }, lasts: Some(down) }
}

/// When each node changes, from up to down and back, until `stop` says that it is enough.
fn changes(
    generators: Vec<Generator>,
    count: u32,
    seed: u64,
    mut stop: impl FnMut(Time, &BTreeMap<u32, Vec<Time>>) -> bool,
) -> BTreeMap<u32, Vec<Time>> {
    let keys = Keys::from_seed(seed);
    let mut schedule = Schedule::new(generators, &keys);
    let (mut scene, mut changes) = (Nodes(vec![true; count as usize]), BTreeMap::<u32, Vec<Time>>::new());
    while !stop(schedule.next(), &changes) {
        let now = schedule.next();
        for action in schedule.pop(&scene, &keys) {
            let (node, is_up) = match action {
                Action::Crash { node, .. } => (node, false),
                Action::Restart { node } => (node, true),
                other => panic!("{other} is no churn"),
            };
            assert_ne!(scene.0[node.0 as usize], is_up, "{node} changes to what it is");
            scene.0[node.0 as usize] = is_up;
            changes.entry(node.0).or_default().push(now);
        }
    }
    changes
}

/// The lengths of the first `cycles` times up and down of a node, in hours: so many, however long. Who looks at a stretch
/// of time sees long ones too seldom.
fn lengths(profile: Profile, fit: Fit, cycles: usize) -> [Vec<f64>; 2] {
    let laws = profile.laws(fit, SECOND).unwrap();
    let is_enough = |_, changes: &BTreeMap<u32, Vec<Time>>| {
        changes.get(&0).is_some_and(|times| times.len() == 2 * cycles)
    };
    let times = &changes(vec![churn(nodes(1), laws)], 1, 7, is_enough)[&0];
    let mut lengths = [Vec::new(), Vec::new()];
    for (index, (from, to)) in [Time::ZERO].iter().chain(times).zip(times).enumerate() {
        lengths[index % 2].push(hours(to.since(*from)));
    }
    lengths
}

/// As hours of a profile.
fn hours(time: Duration) -> f64 {
    time.as_nanos() as f64 / SECOND.as_nanos() as f64
}

/// The mean, and its variance, of which both have a finite value under all four laws.
fn mean(lengths: &[f64]) -> (f64, f64) {
    let n = lengths.len() as f64;
    let mean = lengths.iter().sum::<f64>() / n;
    (mean, lengths.iter().map(|length| (length - mean) * (length - mean)).sum::<f64>() / n)
}

#[test]
fn every_profile_has_the_times_and_the_availability_of_its_laws() {
    const CYCLES: usize = 50_000;
    for &profile in Profile::ALL {
        for &fit in Fit::ALL {
            let lengths = lengths(profile, fit, CYCLES);
            let wanted = profile.laws(fit, SECOND).unwrap().map(|law| hours(law.mean()));
            let measured = lengths.map(|lengths| {
                assert_eq!(lengths.len(), CYCLES);
                mean(&lengths)
            });
            for ((mean, variance), wanted) in measured.into_iter().zip(wanted) {
                let error = (variance / CYCLES as f64).sqrt();
                assert!(
                    (mean - wanted).abs() < ERRORS * error,
                    "{profile} {fit}: {mean} h is not {wanted} +- {error} h"
                );
            }
            // The delta method: both means vary, apart from each other.
            let [(up, up_variance), (down, down_variance)] = measured;
            let (availability, expected) = (up / (up + down), wanted[0] / (wanted[0] + wanted[1]));
            let share = up_variance / (up * up) + down_variance / (down * down);
            let error = availability * (1.0 - availability) * (share / CYCLES as f64).sqrt();
            assert!(
                (availability - expected).abs() < ERRORS * error,
                "{profile} {fit}: {availability} is not {expected} +- {error}"
            );
        }
    }
}

/// Up to this moment.
fn until(end: Time) -> impl FnMut(Time, &BTreeMap<u32, Vec<Time>>) -> bool {
    move |next, _| next > end
}

#[test]
fn each_node_has_draws_of_its_own() {
    let end = Time::ZERO + HOUR * 10_000;
    let laws = || Profile::Planetlab.laws(Fit::Gamma, HOUR).unwrap();
    let five = changes(vec![churn(nodes(5), laws())], 9, 3, until(end));
    assert_eq!(five, changes(vec![churn(nodes(5), laws())], 9, 3, until(end)));
    assert_eq!(five.len(), 5);
    assert!((1..5).all(|node| five[&0] != five[&node]), "two nodes have the same life");
    assert_ne!(five, changes(vec![churn(nodes(5), laws())], 9, 4, until(end)));
    // A node more moves nobody's life, neither those of the same fault nor of another.
    let others = || churn(vec![NodeId(7), NodeId(8)], laws());
    let mut more = changes(vec![churn(nodes(6), laws()), others()], 9, 3, until(end));
    let fewer = changes(vec![churn(nodes(5), laws()), others()], 9, 3, until(end));
    more.remove(&5);
    assert_eq!(more, fewer);
    assert!(five.iter().all(|(node, times)| fewer[node] == *times));
}

/// The failure data of Los Alamos, which a clone alone does not have.
fn lanl() -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = folder.join("failures/LA-UR-05-7318-failure-data-1996-2005.csv.xz");
    let Ok(bytes) = fs::read(&path) else {
        assert!(!folder.exists(), "{} is missing, though its folder is there", path.display());
        // Not `eprintln`, which the test harness keeps to itself when a test passes.
        let notice = format!("\nSKIPPED: {} is missing; nothing was compared with it\n", path.display());
        io::stderr().write_all(notice.as_bytes()).expect("stderr is open");
        return None;
    };
    let mut text = String::new();
    lzma_rust2::XzReader::new(bytes.as_slice(), false).read_to_string(&mut text).expect("packed by xz");
    Some(text)
}

/// Nodes, outages and minutes down of some systems, counted apart with another program and another reader of CSV.
#[test]
fn the_failures_of_los_alamos_are_read_as_published() {
    let Some(text) = lanl() else { return };
    for (system, node_count, outage_count, minutes) in [
        (None, 3_576, 23_327, 8_264_935),
        (Some(2), 49, 7_041, 961_547),
        (Some(14), 58, 125, 738_982),
        (Some(16), 16, 2_554, 1_429_456),
        (Some(20), 400, 2_461, 510_163),
    ] {
        let trace = Trace::parse(&text, system).unwrap();
        assert_eq!(trace.nodes(), node_count, "system {system:?}");
        let outages = trace.outages(&nodes(4_000), Duration::ZERO, HOUR);
        assert_eq!(outages.len(), outage_count, "system {system:?}");
        let down: u64 =
            outages.iter().map(|outage| outage.until.since(outage.from).as_nanos() / 60_000_000_000).sum();
        assert_eq!(down, minutes, "system {system:?}");
        assert_eq!(outages[0].from, Time::ZERO);
    }
    assert!(Trace::parse(&text, Some(17)).is_err(), "its nodes have no numbers");
}

#[test]
fn a_trace_strikes_as_recorded() {
    let Some(text) = lanl() else { return };
    let trace = Trace::parse(&text, Some(20)).unwrap();
    // 100 nodes, from the second year on, an hour in a second.
    let outages = trace.outages(&nodes(100), HOUR * 24 * 365, Duration::from_secs(1));
    let kind = Kind::Crash(Selector::All, Loss::Unsynced);
    let generator = Generator { kind, when: When::Recorded(outages.clone().into()), lasts: None };
    let found = changes(vec![generator], 100, 0, until(Time(u64::MAX - 1)));
    let mut meant = BTreeMap::<u32, Vec<Time>>::new();
    for outage in &outages {
        meant.entry(outage.node.0).or_default().extend([outage.from, outage.until]);
    }
    assert!(outages.len() > 300, "{} outages", outages.len());
    assert_eq!(found, meant);
}
