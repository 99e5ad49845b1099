//! The real engine: short runs of every protocol, and what it refuses.
#![cfg(feature = "real")]

use std::path::PathBuf;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use seedbed_core::chunks::Chunks;
use seedbed_core::contract::Subject;
use seedbed_scenarios::real::Scratch;
use seedbed_scenarios::run::{Engine, Experiment, Outcome, Registry, Request, Seeds, run_all_real};
use seedbed_sim::fault::Action;
use seedbed_transport::host::Services;

fn load(name: &str, text: &str) -> Result<Experiment, String> {
    load_from(&Registry::ours(), name, text)
}

fn load_from(registry: &Registry, name: &str, text: &str) -> Result<Experiment, String> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("real");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{name}.toml"));
    std::fs::write(&path, text).unwrap();
    let request = Request { engine: Engine::Real, seeds: Some(Seeds(3..4)), ..Request::default() };
    Experiment::load(&path, registry, request).map_err(|report| report.to_string())
}

fn run(name: &str, text: &str) -> (Experiment, Outcome) {
    let experiment = load(name, text).unwrap_or_else(|report| panic!("{report}"));
    let scratch = Scratch::new().unwrap();
    let outcome = experiment.points[0].ready.run_real(3, &scratch);
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.digest, None);
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    (experiment, outcome)
}

fn kinds(outcome: &Outcome) -> Vec<&'static str> {
    outcome.faults.iter().map(|timed| timed.action.kind()).collect()
}

const FAULTS: &str = r#"
[network]
latency = { law = "uniform", from = "1ms", to = "3ms" }
loss = 0.01
duplicate = 0.01

[[fault]]
kind = "crash"
target = "leader"
at = "1200ms"
lasts = "600ms"

[[fault]]
kind = "partition"
sides = ["minority"]
at = "2s"
lasts = "400ms"

[[fault]]
kind = "pause"
target = "random"
at = "2500ms"
lasts = "200ms"

[[fault]]
kind = "clock-drift"
target = "random"
ppm = 5000
at = "1s"

[[check]]
eventually = "one-leader"
"#;

#[test]
fn raft_replaces_a_leader_that_was_killed() {
    let text = format!(
        "protocol = \"raft\"\n[run]\nduration = \"3s\"\nheal = \"2s\"\n{FAULTS}\n[[check]]\ncheck = \"one-vote-per-term\"\n"
    );
    let (experiment, outcome) = run("raft", &text);
    let judged = experiment.judge(&experiment.points[0], &outcome);
    assert!(judged.holds(), "{judged}");
    assert!(!judged.to_string().contains("digest"), "{judged}");
    let numbers = &outcome.findings.numbers;
    assert_eq!(numbers["crashes"], 1.0);
    assert!(numbers["leader_changes"] >= 1.0, "{numbers:?}");
    assert!(numbers["delivered"] > 100.0 && numbers["dropped"] > 0.0, "{numbers:?}");
    assert!(!numbers.contains_key("records_lost"), "nobody has counted them");
    let kinds = kinds(&outcome);
    for kind in ["crash", "restart", "cut", "calm", "pause", "resume", "clock-drift"] {
        assert!(kinds.contains(&kind), "{kind} is missing: {kinds:?}");
    }
    assert!(!outcome.findings.spans.is_empty() && outcome.healed.is_some());
}

#[test]
fn bully_and_ring_elect_a_leader() {
    for protocol in ["bully", "ring"] {
        let text = format!(
            "protocol = \"{protocol}\"\n[run]\nduration = \"2s\"\nheal = \"3s\"\n[[check]]\neventually = \"one-leader\"\n"
        );
        let (experiment, outcome) = run(protocol, &text);
        let judged = experiment.judge(&experiment.points[0], &outcome);
        assert!(judged.holds(), "{protocol}: {judged}");
        assert!(outcome.findings.numbers["first_leader_ms"] > 0.0);
    }
}

/// Chunks are hashed by jobs.
#[test]
fn jobs_are_done_by_the_services_that_were_registered_as_many_at_once_as_there_are_cores() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running, seen) = (Arc::clone(&now), Arc::clone(&most));
    let services = Services::none().with("perform", move |config, job, blobs| {
        seen.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let outcome = Chunks::perform(config, job, blobs);
        running.fetch_sub(1, Ordering::SeqCst);
        outcome
    });
    let registry = Registry::ours().with_services::<Chunks>("chunks", None, services);
    let text = |cores| {
        format!(
            "protocol = \"chunks\"\nrun.duration = \"2s\"\ncluster.nodes = 2\ncpu.cores = {cores}\n\
             [workload]\nkind = \"closed\"\nclients = 8\nto = \"0\"\ntimeout = \"2s\"\n\
             command = {{ sizes = [\"40KiB\"] }}\n"
        )
    };
    for cores in [1, 4] {
        most.store(0, Ordering::SeqCst);
        let experiment = load_from(&registry, &format!("cores-{cores}"), &text(cores)).unwrap();
        let scratch = Scratch::new().unwrap();
        let outcome = experiment.points[0].ready.run_real(3, &scratch);
        assert_eq!(outcome.failure, None);
        assert!(outcome.findings.numbers["answered"] >= 1.0);
        let most = most.load(Ordering::SeqCst);
        assert!((1..=2 * cores).contains(&most), "{most} jobs at once at two nodes of {cores} cores");
    }
}

#[test]
fn chunks_are_stored_and_read_by_clients_at_the_doors() {
    let text = r#"
protocol = "chunks"
run.duration = "3s"
[network]
bandwidth = "1Gbit/s"
[workload]
kind = "closed"
clients = 3
think = "20ms"
to = "0"
timeout = "2s"
command = { sizes = ["3kB", "40KiB"] }
"#;
    let (_, outcome) = run("chunks", text);
    let numbers = &outcome.findings.numbers;
    assert!(numbers["answered"] >= 5.0, "{numbers:?}");
    assert_eq!(outcome.findings.samples["latency_ms"].len() as f64, numbers["answered"]);
}

#[test]
fn disks_fail_as_the_scenario_says() {
    let text = r#"
protocol = "raft"
[run]
duration = "4s"
heal = "2s"
[disk]
sync = "2ms"
[[fault]]
kind = "disk-error"
target = "0"
at = ["500ms", "800ms", "1100ms"]
[[fault]]
kind = "disk-stall"
target = "1"
at = "600ms"
lasts = "300ms"
[[fault]]
kind = "crash"
target = "2"
disk = "everything"
at = "1s"
lasts = "200ms"
[[fault]]
kind = "crash"
target = "leader"
every = "700ms"  # nobody leads for some 300 ms after each
lasts = "100ms"
disk = "torn"
[[check]]
eventually = "one-leader"
"#;
    let (experiment, outcome) = run("disks", text);
    let judged = experiment.judge(&experiment.points[0], &outcome);
    assert!(judged.holds(), "{judged}");
    let everything = outcome
        .faults
        .iter()
        .any(|timed| matches!(timed.action, Action::Crash { loss: seedbed_sim::Loss::Everything, .. }));
    assert!(everything && outcome.findings.numbers["crashes"] >= 3.0);
}

#[test]
fn tables_of_real_runs_have_no_digest() {
    let experiment = load("tables", "protocol = \"bully\"\nrun.duration = \"300ms\"\n").unwrap();
    let scratch = Scratch::new().unwrap();
    let tables = run_all_real(&experiment, &scratch, &|_| ()).tables;
    assert_eq!((tables.runs.len(), tables.runs[0].digest.as_str()), (1, "real"));
}

#[test]
fn what_the_real_engine_cannot_do_is_refused_where_it_is_asked_for() {
    for (line, text) in [
        (4, "protocol = \"raft\"\n\n[cluster]\nnodes = 65\n"),
        (3, "protocol = \"raft\"\n[run]\nties = \"keyed\"\n"),
        (3, "protocol = \"raft\"\n[cpu]\nstep = \"1ms\"\n"),
        (3, "protocol = \"raft\"\n[cpu]\ncores = 1025\n"),
        (3, "protocol = \"raft\"\n[cpu]\nspeed = 2\n"),
        (3, "protocol = \"raft\"\n[cpu]\ndiscipline = \"processor-sharing\"\n"),
        (3, "protocol = \"raft\"\n[[cpu.node]]\ncores = 4000\n"),
        (3, "protocol = \"raft\"\n[[cpu.node]]\nspeed = 2\n"),
        (3, "protocol = \"raft\"\n[disk]\nblocking = true\n"),
        (3, "protocol = \"raft\"\n[clocks]\nslack = \"1ms\"\n"),
        (3, "protocol = \"raft\"\n[network]\noverhead = \"1ms\"\n"),
        (3, "protocol = \"chunks\"\n[workload]\ncommand.sizes = [\"1MB\"]\nkind = \"closed\"\nclients = 1\n"),
        (
            8,
            "protocol = \"raft\"\n[[fault]]\nkind = \"crash\"\ntarget = \"0\"\nat = \"1s\"\n\n[[fault]]\nkind = \"disk-rot\"\ntarget = \"0\"\nat = \"1s\"\n",
        ),
    ] {
        let report = load("refused", text).expect_err(text);
        assert!(report.contains("the real engine") && report.contains(&format!(".toml:{line}:")), "{report}");
    }
}
