//! Each flaw of Distri's database is seen in a run where it is on, and not where it is off.

use std::collections::BTreeMap;
use std::path::Path;

use seedbed_scenarios::run::{Experiment, Options, Registry, Request, run_all};

type Numbers = BTreeMap<&'static str, f64>;

/// What so many servers and clients come to, with three seeds.
fn runs(name: &str, servers: u32, clients: u32, more: &str) -> Vec<Numbers> {
    let text = format!(
        "protocol = \"distri\"\nrun.duration = \"10min\"\ncluster.nodes = {}\n\
         network.latency = {{ law = \"uniform\", from = \"50us\", to = \"150us\" }}\n{more}\n\
         [workload]\nkind = \"closed\"\nclients = {clients}\nthink = \"0s\"\nto = \"clients\"\ntimeout = \"10min\"\n",
        servers + 1
    );
    numbers(name, &text)
}

fn numbers(name: &str, text: &str) -> Vec<Numbers> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("distri {name}.toml"));
    std::fs::write(&path, text).expect("a file of the test");
    let experiment = Experiment::load(&path, &Registry::ours(), Request::default());
    let experiment = experiment.unwrap_or_else(|report| panic!("{report}"));
    let run = |seed| experiment.points[0].ready.run(seed, Options::default()).findings.numbers;
    (0..3).map(run).collect()
}

fn sum(runs: &[Numbers], metric: &str) -> f64 {
    runs.iter().map(|run| run[metric]).sum()
}

const ALL_OFF: &str = "[params]\noverwrite = false\nequal_versions = false\nsync_blocks = false\nnewest_first = false\n\
    losers_wait = false\nwrong_packets_count = false\nnameless_updates = false\nany_sender = false\n";

#[test]
fn one_server_saves_all_and_reads_take_a_second_each() {
    for run in runs("one", 1, 50, "") {
        assert_eq!((run["documents"], run["failed"], run["lost"]), (50.0, 0.0, 0.0));
        assert_eq!((run["published_documents"], run["published_failed"]), (50.0, 0.0));
    }
}

#[test]
fn overwriting_loses_what_was_acknowledged() {
    let faithful = runs("overwrite", 2, 50, "");
    assert!(sum(&faithful, "lost") > 0.0, "{faithful:?}");
    assert!(sum(&faithful, "overwritten") > 0.0);
    let joined = runs("join", 2, 50, "params.overwrite = false");
    assert_eq!((sum(&joined, "lost"), sum(&joined, "overwritten")), (0.0, 0.0));
}

/// One client adds a document at n0 and one at n1, each while the other server cannot be reached, and then reads for a
/// minute: each read asks for a sync.
fn one_write_each(name: &str, params: &str) -> Vec<Numbers> {
    let cut = |server, at| {
        format!(
            "[[fault]]\nkind = \"cut\"\nfrom = \"clients\"\nto = \"{server}\"\nat = \"{at}s\"\nlasts = \"15s\"\n"
        )
    };
    let text = format!(
        "protocol = \"distri\"\nrun.duration = \"120s\"\ncluster.nodes = 3\n{params}\n{}{}\
         [workload]\nkind = \"closed\"\nclients = 1\nthink = \"10s\"\nto = \"clients\"\n\
         command = {{ script = [\"add-doc\", \"add-doc\", \"read\", \"read\", \"read\", \"read\"] }}\n",
        cut(1, 0),
        cut(0, 15),
    );
    numbers(name, &text)
}

#[test]
fn equal_versions_never_converge() {
    let faithful = one_write_each("equal", "");
    assert!(faithful.iter().all(|run| run["diverged"] == 2.0 && run["documents"] == 1.0), "{faithful:?}");
    let compared = one_write_each("compared", "params.equal_versions = false");
    assert!(compared.iter().all(|run| run["converged"] == 1.0 && run["lost"] == 1.0), "{compared:?}");
    let joined = one_write_each("joined", "params.overwrite = false");
    assert!(joined.iter().all(|run| run["converged"] == 1.0 && run["documents"] == 2.0), "{joined:?}");
}

#[test]
fn losers_wait_in_vain() {
    assert!(sum(&runs("losers", 2, 50, ""), "waited_in_vain") > 0.0);
    assert_eq!(sum(&runs("told", 2, 50, "params.losers_wait = false"), "waited_in_vain"), 0.0);
}

#[test]
fn results_come_from_the_wrong_server() {
    assert!(sum(&runs("any", 2, 50, ""), "wrong_sender") > 0.0);
    assert_eq!(sum(&runs("one sender", 2, 50, "params.any_sender = false"), "wrong_sender"), 0.0);
}

/// Published: from six servers on, the answers of those that lose use up the attempts.
#[test]
fn six_servers_are_too_many() {
    let with = |name, servers, more| sum(&runs(name, servers, 20, more), "not_taken");
    assert_eq!(with("five", 5, ""), 0.0);
    assert!(with("seven", 7, "") > 0.0);
    assert_eq!(with("seven ignored", 7, "params.wrong_packets_count = false"), 0.0);
}

#[test]
fn updates_name_nothing() {
    let acknowledged = |name, more| sum(&runs(name, 1, 10, more), "acknowledged");
    assert_eq!(acknowledged("nameless", ""), 30.0, "what was added");
    assert_eq!(acknowledged("named", "params.nameless_updates = false"), 60.0, "and updated");
}

/// Charts name what `distri` alone measures; what replays a violation at the others narrows the sweep to one system.
#[test]
fn each_system_of_the_scenario_runs_alone() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("distri-db.toml");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("distri-db.toml");
    let table = "[[table]]\nname = \"overwritten\"\nrows = \"servers\"\ncell = \"overwritten\"\n";
    let text = std::fs::read_to_string(shipped).expect("a file of the library");
    std::fs::write(&path, format!("{text}\n{table}")).expect("a file of the test");
    for (system, charts) in [("faithful", true), ("merging", true), ("fixed", false)] {
        let sets = vec![("system".to_owned(), system.to_owned())];
        let request = Request { sets, is_quick: true, ..Request::default() };
        let experiment = Experiment::load(&path, &Registry::ours(), request);
        let experiment = experiment.unwrap_or_else(|report| panic!("{system}: {report}"));
        let results = run_all(&experiment, &|_| {});
        assert_eq!(results.tally.broken_checks, 0, "{system}");
        let published = results.tables.charts.iter().any(|chart| !chart.reference.is_empty());
        assert_eq!((published, !results.tables.tables.is_empty()), (charts, charts), "{system}");
    }
}

#[test]
fn without_its_flaws_every_document_is_there() {
    for run in runs("fixed", 3, 100, ALL_OFF) {
        assert_eq!((run["documents"], run["failed"], run["lost"]), (100.0, 0.0, 0.0), "{run:?}");
        assert_eq!(run["acknowledged"], 200.0);
    }
}
