//! What `run`, `replay` and `report` leave behind: the same each time, readable by anyone, and right.

use crate::bed::{Bed, Record, SMALL, csv};

/// The digests of a run folder by point and seed.
fn digests(bed: &Bed, folder: &str) -> Vec<(String, String, String)> {
    let runs = bed.table(&format!("{folder}/runs.csv"));
    let of = |run: &Record| ["heartbeat", "seed", "digest"].map(|name| run.get(name).to_owned()).into();
    let mut digests: Vec<_> = runs.iter().map(of).collect();
    digests.sort();
    digests
}

/// The digest that a replay prints.
fn replayed(bed: &Bed, arguments: &str) -> String {
    let told = bed.seedbed(arguments.split_whitespace());
    assert_eq!(told.code, 0, "{arguments}: {}{}", told.out, told.err);
    let line = told.out.lines().find_map(|line| line.strip_prefix("digest ")).expect("a digest");
    line.to_owned()
}

#[test]
fn results_go_to_a_folder_of_their_own_or_exactly_where_they_should() {
    let bed = Bed::new("where");
    bed.write("small.toml", SMALL);
    for count in 1..=2 {
        let told = bed.seedbed(["run", "small.toml", "--quick"]);
        assert_eq!(told.code, 0, "{told:?}");
        assert!(told.out.contains("results/small/latest/report.html"), "{}", told.out);
        let entries: Vec<_> = std::fs::read_dir(bed.path("results/small")).expect("it is there").collect();
        assert_eq!(entries.len(), count + 1, "a folder for each run, and the link");
    }
    assert!(bed.path("results/small/latest").is_symlink());
    assert_eq!(bed.table("results/small/latest/runs.csv").len(), 3);
    bed.run("small.toml", "a/b/c", &["--quick"]);
    for file in
        ["runs.csv", "summary.csv", "report.html", "tables.tex", "tables.md", "run.json", "charts/gaps.svg"]
    {
        assert!(bed.has(&format!("a/b/c/{file}")), "{file}");
    }
    assert!(!bed.has("a/b/c/latest"));
    // A link that stands for something else stays.
    std::fs::remove_file(bed.path("results/small/latest")).expect("the link");
    std::fs::create_dir(bed.path("results/small/latest")).expect("a folder of the user's");
    assert_eq!(bed.seedbed(["run", "small.toml", "--quick"]).code, 0);
    assert!(!bed.path("results/small/latest").is_symlink());
}

#[test]
fn seeds_sets_and_quick_say_what_is_run() {
    let bed = Bed::new("what");
    bed.write("small.toml", SMALL);
    let runs = |out: &str, more: &[&str]| {
        bed.run("small.toml", out, more);
        let runs = digests(&bed, out).into_iter().map(|(heartbeat, seed, _)| format!("{heartbeat} {seed}"));
        runs.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(runs("quick", &["--quick"]), "100ms 0, 150ms 0, 50ms 0");
    assert_eq!(runs("range", &["--seeds", "7..9", "--set", "heartbeat=50ms"]), "50ms 7, 50ms 8");
    assert_eq!(runs("key", &["--seeds", "1", "--set", "params.heartbeat=70ms"]), "70ms 0");
    assert_eq!(
        runs("far", &["--seeds", "18446744073709551614..18446744073709551615"]).matches("1844").count(),
        3
    );
    bed.run("small.toml", "set", &["--quick", "--set", "cluster.nodes=7", "--set", "run.duration=1s"]);
    let about = bed.table("set/about.csv");
    let said =
        |key: &str| about.iter().find(|line| line.get("key") == key).expect(key).get("value").to_owned();
    assert_eq!((said("nodes"), said("simulated time per run")), ("7".into(), "1s and 10s healed".into()));
    let again = said("the whole experiment");
    let (program, arguments) = again.split_once(' ').expect("a command");
    assert_eq!(program, "seedbed");
    let told = bed.seedbed(arguments.split(' ').chain(["--out", "again"]));
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(bed.files("set"), bed.files("again"));
}

#[test]
fn a_repeated_run_gives_the_same_bytes_with_any_number_of_jobs() {
    let bed = Bed::new("again");
    bed.write("small.toml", SMALL);
    for (out, jobs) in [("one", "1"), ("two", "2"), ("three", "2")] {
        bed.run("small.toml", out, &["--jobs", jobs]);
    }
    let files = bed.files("one");
    assert!(files.len() >= 20, "{}", files.len());
    for other in ["two", "three"] {
        for ((name, bytes), (_, again)) in files.iter().zip(&bed.files(other)) {
            assert!(bytes == again, "{other}/{name} differs");
        }
    }
}

#[test]
fn a_digest_depends_on_point_and_seed_only() {
    let bed = Bed::new("shuffled");
    let shuffled = SMALL.replace(r#"["50ms", "100ms", "150ms"]"#, r#"["150ms", "50ms", "100ms"]"#);
    bed.write("small.toml", SMALL).write("shuffled.toml", shuffled);
    bed.run("small.toml", "usual", &[]);
    let usual = digests(&bed, "usual");
    assert_eq!(usual.len(), 9);
    let different: std::collections::BTreeSet<_> = usual.iter().map(|(.., digest)| digest).collect();
    assert_eq!(different.len(), 9, "every run is another");
    bed.run("shuffled.toml", "shuffled", &["--jobs", "2"]);
    assert_eq!(digests(&bed, "shuffled"), usual);
    for seed in ["2..3", "1..2", "0..1"] {
        bed.run("small.toml", seed, &["--seeds", seed]);
        assert!(digests(&bed, seed).iter().all(|run| usual.contains(run)), "{seed}");
    }
    // One process that runs one scenario twice.
    let told = bed.seedbed(["run", "small.toml", "small.toml"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(digests(&bed, "results/small/latest"), usual);
}

#[test]
fn without_bars_there_is_no_gantt_chart() {
    let bed = Bed::new("no-bars");
    bed.write("small.toml", SMALL);
    for (path, expected) in
        [("gantt.svg", "`raft` tells nothing of what runs"), ("no/gantt.svg", "a folder that exists")]
    {
        let arguments = format!("replay small.toml --seed 0 --set heartbeat=50ms --gantt {path}");
        let told = bed.seedbed(arguments.split(' '));
        assert_eq!((told.code, told.out.as_str()), (2, ""), "{told:?}");
        assert!(told.err.contains(expected) && !bed.has(path), "{told:?}");
    }
}

#[test]
fn a_replay_is_the_same_run() {
    let bed = Bed::new("replay");
    bed.write("small.toml", SMALL);
    bed.run("small.toml", "out", &[]);
    for (heartbeat, seed, digest) in digests(&bed, "out").iter().step_by(2) {
        let arguments = format!("replay small.toml --seed {seed} --set heartbeat={heartbeat}");
        assert_eq!(&replayed(&bed, &arguments), digest);
        assert_eq!(&replayed(&bed, &format!("{arguments} --log log")), digest, "a log changes nothing");
        assert_ne!(&replayed(&bed, &format!("{arguments} --audit")), digest, "an audit sees more");
        let log = bed.read("log");
        let mut lines = log.lines();
        assert_eq!(lines.next(), Some("                time     node event         peer detail"));
        let mut before = 0.0;
        for line in lines {
            let column = |range: std::ops::Range<usize>| line.get(range).expect(line);
            let time: f64 = column(0..20).trim().parse().expect(line);
            assert!(time >= before, "{line}");
            before = time;
            assert_eq!((column(20..21), column(29..30), column(39..40)), (" ", " ", " "), "{line}");
            assert!(column(21..29).trim() == "-" || column(21..29).trim().starts_with('n'), "{line}");
            assert!(column(30..39).trim().chars().all(|letter| letter.is_ascii_lowercase()), "{line}");
        }
        for event in ["up", "send", "receive", "timer", "notice", "fault", "down", "drop"] {
            assert!(log.lines().any(|line| line[30..39].trim() == event), "{event}");
        }
    }
    let told = bed.seedbed("replay small.toml --seed 1 --set heartbeat=50ms --log -".split(' '));
    assert!(told.out.starts_with("   ") && told.out.contains("\ndigest "), "log and verdict on one stream");
}

#[test]
fn a_list_of_faults_can_be_kept_edited_and_shortened() {
    let bed = Bed::new("faults");
    bed.write("small.toml", SMALL);
    let replay = "replay small.toml --seed 2 --set heartbeat=100ms";
    let digest = replayed(&bed, &format!("{replay} --save-faults all.jsonl"));
    let again = replayed(&bed, &format!("{replay} --faults all.jsonl --save-faults again.jsonl"));
    assert_eq!(digest, again);
    assert_eq!(bed.read("all.jsonl"), bed.read("again.jsonl"));
    let all = bed.read("all.jsonl");
    let lines: Vec<&str> = all.lines().collect();
    assert!(lines.len() >= 6, "{all}");
    // The order of moments does not matter, nor do empty lines.
    let mut sorted = lines.clone();
    let at = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["at"].as_u64();
    sorted.sort_by_key(|line| std::cmp::Reverse(at(line)));
    bed.write("sorted.jsonl", format!("\n{}\n\n", sorted.join("\n\n")));
    assert_eq!(replayed(&bed, &format!("{replay} --faults sorted.jsonl")), digest);
    // One fault less, one moved, none at all: other runs, each of which can be had again.
    let is_crash = |line: &&&str| line.contains("crash");
    let crash = lines.iter().find(is_crash).expect("a leader crashed");
    let mut others = vec![digest];
    for edited in
        [all.replace(&format!("{crash}\n"), ""), all.replacen("\"at\":", "\"at\":1", 1), String::new()]
    {
        bed.write("edited.jsonl", &edited);
        let changed = replayed(&bed, &format!("{replay} --faults edited.jsonl"));
        assert_eq!(replayed(&bed, &format!("{replay} --faults edited.jsonl")), changed);
        assert!(!others.contains(&changed), "{edited}");
        others.push(changed);
    }
    bed.write(
        "none.toml",
        SMALL.replace("mean = \"4s\"", "mean = \"9d\"").replace("at = \"5s\"", "at = \"9d\""),
    );
    let none = replayed(&bed, "replay none.toml --seed 2 --set heartbeat=100ms");
    assert_eq!(Some(&none), others.last(), "without faults it is the run of a scenario without faults");
}

#[test]
fn a_violation_is_told_with_its_seed_and_can_be_seen_again() {
    let bed = Bed::new("violated");
    bed.write(
        "few.toml",
        format!("{SMALL}\n[[check]]\nname = \"few elections\"\nmetric = \"elections < 3\"\n"),
    );
    let told = bed.seedbed(["run", "few.toml", "--out", "out"]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.out.contains("\u{2717}  few elections"), "{}", told.out);
    let runs = bed.table("out/runs.csv");
    let violations = bed.table("out/violations.csv");
    assert!(!violations.is_empty());
    for violation in &violations {
        let run = |run: &&Record| ["point", "seed"].iter().all(|name| run.get(name) == violation.get(name));
        let run = runs.iter().find(run).expect("its run");
        assert_eq!((run.get("verdict"), run.get("violated")), ("violated", "few elections"));
        assert_eq!(violation.get("message"), format!("elections is {}", run.get("elections")));
        let command = violation.get("command").strip_prefix("seedbed ").expect("a command");
        let told = bed.seedbed(command.split(' '));
        assert_eq!(told.code, 1, "{command}: {}", told.err);
        assert!(told.out.contains(&format!("digest {}\n", run.get("digest"))));
        assert!(told.out.contains("\u{2717} few elections"));
    }
    let kept = runs.iter().filter(|run| run.get("verdict") == "holds").count();
    assert_eq!(kept + violations.len(), runs.len());
    // A flaw that must be seen is none, unless it is not seen.
    let flawed = |bound: &str| {
        bed.write(
            "flaw.toml",
            format!("{SMALL}\n[[check]]\nmetric = \"elections {bound}\"\nexpect = \"violated\"\n"),
        );
        bed.seedbed(["run", "flaw.toml", "--out", "flaw"]).code
    };
    assert_eq!((flawed("< 3"), flawed(">= 0")), (0, 1));
}

const CASES: &str = r#"
[run]
duration = "22s"
seeds = 2

[cluster]
nodes = 3

[[sweep]]
key = "protocol"
values = ["raft", "ring"]

[[sweep]]
name = "cut"
cases = [
    { label = "one link", set.fault = [{ kind = "cut", at = "2s", from = "0", to = "2" }] },
    { label = "1e3", set.fault = [{ kind = "cut", at = "2s", from = "0", to = "1+2" }] },
    { label = "it's; \"odd\"", set.fault = [{ kind = "partition", at = "2s", sides = ["0"] }] },
]

[[check]]
check = "one-leader-per-term"
only = { protocol = "raft" }
protocol = ["raft"]

[[table]]
name = "outcomes"
rows = "cut"
columns = "protocol"
cell = "outcome"
expected = { 1e3 = { raft = "nonsense" } }
"#;

#[test]
fn a_case_is_chosen_by_its_label_however_odd() {
    let bed = Bed::new("cases");
    bed.write("our cases.toml", CASES);
    let told = bed.seedbed(["run", "our cases.toml", "--out", "out"]);
    assert_eq!(told.code, 1, "{told:?}");
    let violations = bed.table("out/violations.csv");
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!(violations[0].get("check"), "outcomes as expected");
    assert!(violations[0].get("message").starts_with("1e3, raft: expected nonsense, saw "));
    let command = "seedbed replay 'our cases.toml' --seed 0 --set protocol=raft --set 'cut=\"1e3\"' --log -";
    assert_eq!(violations[0].get("command"), command);
    for run in bed.table("out/runs.csv").iter().filter(|run| run.get("seed") == "1") {
        let label = run.get("cut");
        // As a person says it, or in quotes, where that is needed.
        let quoted = label.replace('"', "\\\"");
        for said in [format!("cut={label}"), format!("cut=\"{quoted}\"")] {
            let protocol = format!("protocol={}", run.get("protocol"));
            let told =
                bed.seedbed(["replay", "our cases.toml", "--seed", "1", "--set", &said, "--set", &protocol]);
            assert_eq!(told.code, 0, "{said}: {}", told.err);
            assert!(told.out.starts_with(&format!("digest {}\n", run.get("digest"))), "{said}");
        }
    }
    // What is left out of the sweep is no violation; the last of two choices counts.
    let sets = ["--set", "cut=1e3", "--set", "cut=one link"];
    assert_eq!(bed.seedbed(["run", "our cases.toml", "--out", "one"].into_iter().chain(sets)).code, 0);
    let told = bed.seedbed(["run", "our cases.toml", "--set", "cut=two links"]);
    assert_eq!(told.code, 2);
    assert!(told.err.contains("unknown case `two links`") && told.err.contains("--set:1:5"), "{}", told.err);
}

#[test]
fn a_run_without_an_end_is_ended() {
    let bed = Bed::new("endless");
    let storm = SMALL.replace("lasts = \"1s\"", "lasts = \"1ns\"").replace("mean = \"4s\"", "mean = \"1ns\"");
    bed.write("storm.toml", storm.replace("seeds = 3", "seeds = 1\nevents_max = 20000"));
    let told = bed.seedbed(["run", "storm.toml", "--out", "out"]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.out.contains("\u{2717}  bounded-run"), "{}", told.out);
    let violations = bed.table("out/violations.csv");
    assert_eq!(violations.len(), 3);
    let command = violations[0].get("command").strip_prefix("seedbed ").expect("a command");
    let told = bed.seedbed(command.split(' '));
    assert_eq!(told.code, 1, "{}", told.err);
    assert!(told.out.contains(&format!("digest {}\n", bed.table("out/runs.csv")[0].get("digest"))));
}

#[test]
fn a_report_is_drawn_again_from_the_tables_alone() {
    let bed = Bed::new("redrawn");
    bed.write("small.toml", SMALL);
    bed.run("small.toml", "out", &[]);
    std::fs::create_dir(bed.path("copy")).expect("a folder");
    let files = bed.files("out");
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".csv") && name != "summary.csv") {
        bed.write(&format!("copy/{name}"), bytes);
    }
    let told = bed.seedbed(["report", "copy"]);
    assert_eq!(told.code, 0, "{told:?}");
    for ((name, bytes), (again, redrawn)) in files.iter().zip(&bed.files("copy")) {
        assert!(name == again && bytes == redrawn, "{name} {again}");
    }
    bed.write("copy/runs.csv", "point,seed\n1\n");
    let told = bed.seedbed(["report", "copy"]);
    assert_eq!(told.code, 2);
    assert!(told.err.contains("runs.csv") && told.err.contains("line 1"), "{}", told.err);
}

#[test]
fn tables_follow_rfc_4180_and_their_figures_are_right() {
    let bed = Bed::new("tables");
    let hostile = "title = \"commas, \\\"quotes\\\"\\nand lines\"\nquestion = \"=1+1; why?\"";
    bed.write("small.toml", SMALL.replace("title = \"A small scenario\"", hostile));
    bed.run("small.toml", "out", &[]);
    for (name, bytes) in bed.files("out").iter().filter(|(name, _)| name.ends_with(".csv")) {
        let records = csv(std::str::from_utf8(bytes).expect(name));
        assert!(!records[0].iter().any(String::is_empty), "{name} has a header");
    }
    let about = bed.table("out/about.csv");
    assert_eq!(about[0].get("value"), "commas, \"quotes\"\nand lines");
    let (runs, summary) = (bed.table("out/runs.csv"), bed.table("out/summary.csv"));
    let described = bed.table("out/columns.csv");
    let is_elsewhere = |row: &&Record| ["sample", "series"].contains(&row.get("role"));
    let columns: Vec<&str> =
        described.iter().filter(|row| !is_elsewhere(row)).map(|row| row.get("name")).collect();
    assert_eq!(csv(&bed.read("out/runs.csv"))[0], columns, "every column is described, in order");
    for point in ["0", "1", "2"] {
        let mut values: Vec<f64> = runs
            .iter()
            .filter(|run| run.get("point") == point)
            .map(|run| run.get("elections").parse().expect("a number"))
            .collect();
        values.sort_by(f64::total_cmp);
        let is_meant = |row: &&Record| row.get("point") == point && row.get("metric") == "elections";
        let row = summary.iter().find(is_meant).expect("a summary of it");
        let figure = |name: &str| row.get(name).parse::<f64>().expect(name);
        let mean = values.iter().sum::<f64>() / 3.0;
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
        // Student's t for two degrees of freedom at 97.5 %: 4.302653, as tabulated.
        let margin = 4.302_653 * deviation / 3f64.sqrt();
        for (name, expected) in [
            ("n", 3.0),
            ("mean", mean),
            ("sd", deviation),
            ("median", values[1]),
            ("min", values[0]),
            ("max", values[2]),
            ("mean_low", mean - margin),
            ("mean_high", mean + margin),
        ] {
            assert!((figure(name) - expected).abs() < 1e-5, "{name}: {} is not {expected}", figure(name));
        }
    }
}

#[cfg(unix)]
#[test]
fn the_page_tells_the_whole_set_up_and_no_defaults() {
    let bed = Bed::new("set-up");
    bed.write(
        "told.toml",
        "protocol = \"raft\"
        run = { duration = \"2s\", seeds = 1, wire = true }
        disk = { sync = \"2ms\" }
        network = { latency = { law = \"normal\", mean = \"9ms\", sd = \"1ms\" }, burst = { begin = 0.01, end = 0.5 } }
        workload = { kind = \"closed\", clients = 3, to = \"leader\" }
        [[fault]]
        name = \"outage\"
        kind = \"crash\"
        target = \"leader\"
        every = \"1s\"
        [[sweep]]
        key = \"network.loss\"
        values = [0.0, 0.25]",
    );
    assert_eq!(bed.run("told.toml", "out", &[]).code, 0);
    let about = csv(&bed.read("out/about.csv"));
    let told =
        |key: &str| about.iter().find(|row| row[0] == "setup" && row[1] == key).map(|row| row[2].as_str());
    let network = "latency = { law = \"normal\", mean = \"9ms\", sd = \"1ms\" }, \
                   burst = { begin = 0.01, end = 0.5 }, loss = 0.0 / 0.25";
    assert_eq!(told("network"), Some(network));
    assert_eq!(told("disks"), Some("sync = \"2ms\""));
    assert_eq!(told("workload"), Some("kind = \"closed\", clients = 3, to = \"leader\""));
    assert_eq!(told("fault outage"), Some("kind = \"crash\", target = \"leader\", every = \"1s\""));
    assert_eq!(told("run"), Some("wire = true"));
    assert_eq!((told("nodes"), told("clocks"), told("cluster")), (Some("5"), None, None));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    use std::io::Read;
    use std::process::Stdio;
    let bed = Bed::new("pipe");
    bed.write("small.toml", SMALL);
    for arguments in [
        "list",
        "schema",
        "run small.toml --out out",
        "replay small.toml --seed 1 --set heartbeat=50ms --log -",
    ] {
        let mut command = bed.command(arguments.split(' '));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut some = [0; 16];
        let mut out = child.stdout.take().expect("a pipe");
        out.read_exact(&mut some).expect("it says something");
        drop(out);
        let ended = child.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(0), "{arguments}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}
