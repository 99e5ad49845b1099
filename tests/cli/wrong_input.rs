//! Whatever is wrong with what a user gives: exit code 2, the place, what was expected, and nothing written.

use crate::bed::{Bed, SMALL, Told};

/// What is refused, with the wrong part between `<<` and `>>`, and what the message says of it.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "protocol = \"documents\"\n[workload]\nkind = \"constant\"\nevery = \"1s\"\ncommand = { puts = 0.8, updates = <<0.3>>, deletes = 0.2 }",
        &["`updates` is too much", "`puts` = 0.8, `updates` = 0.3, `deletes` = 0.2"],
    ),
    (
        "protocol = \"documents\"\n[workload]\nkind = \"constant\"\nevery = \"1s\"\ncommand = { collection = <<\"no pe\">> }",
        &["`collection` is no name of a collection", "letters, digits"],
    ),
    (
        "protocol = \"documents\"\nparams = { collections = [\"books\", \"people\"] }\n[workload]\nkind = \"constant\"\nevery = \"1s\"\ncommand = { collection = <<\"boks\">> }",
        &["unknown collection `boks`", "expected one of `books`, `people`", "did you mean `books`?"],
    ),
    (
        "protocol = \"documents\"\n[params]\ncollections = <<[\"a\", \"a\"]>>",
        &["`collections` holds `a` twice"],
    ),
    (
        "protocol = \"documents\"\n[params]\ncollections = <<[\"a\", \".b\"]>>",
        &["`collections` holds `.b`", "no dot at its start"],
    ),
    ("<<protocl>> = \"raft\"", &["unknown key `protocl`", "did you mean `protocol`?"]),
    ("protocol = <<\"rafft\">>", &["unknown protocol `rafft`", "did you mean `raft`?"]),
    ("protocol = <<5>>", &["wrong type: found integer 5", "expected a text"]),
    ("protocol = \"raft\"\nrun = { seeds = <<0>> }", &["expected an integer between 1 and 1000000"]),
    ("protocol = \"raft\"\nrun = { duration = <<\"-5s\">> }", &["is negative", "expected a duration"]),
    ("protocol = \"raft\"\nrun = { duration = <<\"99999d\">> }", &["longer than 100 years", "expected"]),
    (
        "protocol = \"raft\"\nrun = { duration = \"400d\", heal = <<\"400d\">> }",
        &["`heal` and `duration` must not be longer than 730d together"],
    ),
    (
        "protocol = \"raft\"\nrun = { duration = <<\"50years\">> }",
        &["unknown unit `years`", "expected one of"],
    ),
    (
        "protocol = \"raft\"\n[cluster]\nnodes = <<\"five\">>",
        &["wrong type: found text \"five\"", "expected"],
    ),
    ("protocol = \"raft\"\n[cluster]\nnodes = <<0>>", &["out of range", "expected an integer between 1 and"]),
    ("protocol = \"raft\"\n[network]\nloss = <<nan>>", &["is no probability", "between 0 and 1"]),
    (
        "protocol = \"raft\"\n[network]\nloss = <<\"5%\">>",
        &["wrong type", "expected a number between 0 and 1"],
    ),
    (
        "protocol = \"raft\"\n[network]\nlatency = { law = \"uniform\", from = \"5ms\", to = <<\"1ms\">> }",
        &["`to` is wrong: the range ends at 1ms, before it begins at 5ms"],
    ),
    (
        "protocol = \"raft\"\n[cluster]\nnodes = 1\nnames = <<[\"a\", \"b\"]>>",
        &["`names` holds more names than there are nodes: 2 for 1"],
    ),
    (
        "protocol = \"raft\"\n[[sweep]]\nkey = \"network.loss\"\nrange = { from = 0, to = 1, count = <<5>> }",
        &["whole values that fall together"],
    ),
    (
        "protocol = \"raft\"\n[workload]\nkind = \"constant\"\nevery = \"1s\"\nstart = \"5s\"\nstop = <<\"1s\">>",
        &["`stop` must be after `start` = 5s"],
    ),
    (
        "protocol = \"raft\"\n[[chart]]\nname = \"a\"\nkind = \"line\"\nx = \"t_s\"\ny = \"leaders\"\nreference = [<<\"leaders\">>]",
        &["a chart over time has no reference"],
    ),
    (
        "protocol = \"raft\"\n[[chart]]\nname = \"a\"\nkind = \"cdf\"\ny = \"elections\"\ngroup = <<\"loss\">>",
        &["unknown axis of the sweep `loss`", "expected none: there is no axis of the sweep"],
    ),
    (
        "protocol = \"raft\"\n[network]\nloss = <<1.5>>",
        &["is no probability", "expected a number between 0 and 1"],
    ),
    ("protocol = \"raft\"\n[network]\nlatency = { law = <<\"normall\">> }", &["did you mean `normal`?"]),
    (
        "protocol = \"raft\"\n[network]\nlatency = <<{ law = \"empirical\", file = \"none.csv\" }>>",
        &["none.csv cannot be read", "expected a text file"],
    ),
    (
        "protocol = \"raft\"\n[network]\nlatency = <<{ law = \"empirical\", file = \"words.csv\" }>>",
        &["words.csv, line 2", "expected a file with one number per line"],
    ),
    (
        "protocol = \"raft\"\n[network]\nmap = <<\"none.csv\">>",
        &["none.csv cannot be read", "expected a file"],
    ),
    (
        "protocol = \"raft\"\n[network]\nmap = \"map.csv\"\nregions = [\"tokyo\", <<\"sidney\">>]",
        &["unknown region `sidney`", "expected one of `tokyo`, `sydney`", "did you mean `sydney`?"],
    ),
    (
        "protocol = \"raft\"\n[params]\n<<prevote>> = true",
        &["unknown key `prevote`", "did you mean `pre_vote`?"],
    ),
    ("protocol = \"raft\"\nparams.<<raft>> = 5", &["unknown key `raft`", "expected one of"]),
    (
        "protocol = \"raft\"\n[disk]\nsync = <<{ law = \"empirical\", file = \"none.csv\" }>>",
        &["cannot be read"],
    ),
    (
        "protocol = \"raft\"\n[[fault]]\nkind = \"crash\"\nat = \"1s\"\ntarget = <<\"9\">>",
        &["there is no node 9: the cluster has 5", "expected a node from 0 to 4"],
    ),
    (
        "protocol = \"raft\"\n[[fault]]\nkind = \"crash\"\nat = \"1s\"\ntarget = <<\"leeder\">>",
        &["unknown role or selector `leeder`", "did you mean `leader`?"],
    ),
    (
        "protocol = \"raft\"\n[[fault]]\nkind = \"crash\"\nat = \"1s\"\ntarget = <<\"region(tokyo)\">>",
        &["no regions"],
    ),
    ("protocol = \"raft\"\n[[fault]]\nkind = <<\"crahs\">>\nat = \"1s\"", &["did you mean `crash`?"]),
    (
        "protocol = \"raft\"\n[[sweep]]\nkey = \"cluster.nodes\"\nvalues = <<[]>>",
        &["is empty", "run nothing"],
    ),
    ("protocol = \"raft\"\n[[sweep]]\nkey = <<\"params.nope\">>\nvalues = [1, 2]", &["unknown key `nope`"]),
    ("protocol = \"raft\"\n[[sweep]]\nkey = <<\"run.seeds\">>\nvalues = [1, 2]", &["same at every point"]),
    (
        "protocol = \"raft\"\n[[sweep]]\nkey = \"cluster.nodes\"\nname = <<\"messages\">>\nvalues = [3]",
        &["is a column of the results already", "expected another name"],
    ),
    (
        "protocol = \"raft\"\n[[check]]\ncheck = <<\"one-leader-per-tern\">>",
        &["did you mean `one-leader-per-term`?"],
    ),
    ("protocol = \"raft\"\n[[check]]\nalways = <<\"one-leeder\">>", &["did you mean `one-leader`?"]),
    (
        "protocol = \"raft\"\n[[check]]\neventually = <<\"one-leader\">>",
        &["`run.heal` is zero", "set `run.heal`"],
    ),
    (
        "protocol = \"raft\"\nrun.heal = \"5s\"\n[[check]]\neventually = \"one-leader\"\nwithin = <<\"6s\">>",
        &["longer than `run.heal`", "expected at most 5s"],
    ),
    ("protocol = \"raft\"\n[[check]]\nmetric = <<\"elektions < 5\">>", &["did you mean `elections`?"]),
    (
        "protocol = \"raft\"\n[[check]]\nmetric = <<\"elections\">>",
        &["no comparison", "expected a bound such as"],
    ),
    (
        "protocol = \"raft\"\n[[check]]\ncheck = \"bounded-messages\"\nonly = { nodes = <<\"3\">> }",
        &["unknown axis of the sweep `nodes`"],
    ),
    (
        "protocol = \"raft\"\n[[chart]]\nname = \"a\"\nkind = \"cdf\"\ny = <<\"unavailable\">>",
        &["unknown metric"],
    ),
    (
        "protocol = \"raft\"\n[[chart]]\nname = \"a\"\nkind = \"cdf\"\ny = <<\"outcome\">>",
        &["unknown metric"],
    ),
    (
        "protocol = \"raft\"\n[[chart]]\nname = \"a\"\nkind = \"box\"\ny = \"elections\"\nx = <<\"nodes\">>",
        &["unknown axis of the sweep `nodes`"],
    ),
    (
        "protocol = \"raft\"\n[[chart]]\nname = \"a\"\nkind = \"timeline\"\n[[chart]]\nname = <<\"a\">>\nkind = \"timeline\"",
        &["two charts are called `a`", "expected a name of its own"],
    ),
    (
        "protocol = \"raft\"\n[[sweep]]\nkey = \"cluster.nodes\"\nname = \"nodes\"\nvalues = [3, 5]\n\
         [[table]]\nname = \"a\"\nrows = \"nodes\"\ncell = \"outcome\"\nexpected = { 4 = { all = <<\"live\">> } }",
        &["unknown value of `nodes` `4`", "expected one of `3`, `5`"],
    ),
    ("protocol = \"raft\"\n[workload]\nkind = \"trace\"\nfile = <<\"words.csv\">>", &["words.csv, line 1"]),
    (
        "protocol = \"chunks\"\n[workload]\nkind = \"constant\"\nevery = \"1s\"\nto = <<\"leader\">>",
        &["`gateway`"],
    ),
    ("protocol = \"raft\"\n[quick]\nrun = <<5>>", &["wrong type: found integer 5"]),
    ("protocol = \"raft\"\n<<protocol>> = \"ring\"", &["duplicate key"]),
    ("protocol = \"raft\"\nnotes = [\"a\",<< ", &["unclosed array"]),
];

fn is_refused(told: &Told, bed: &Bed) {
    assert_eq!(told.code, 2, "{told:?}");
    assert_eq!(told.out, "", "nothing was done: {told:?}");
    assert!(!told.err.is_empty() && !told.err.contains("panicked"), "{told:?}");
    assert!(!bed.has("results"), "nothing is written: {told:?}");
}

#[test]
fn a_wrong_scenario_is_shown_where_it_is_wrong() {
    let bed = Bed::new("wrong-scenario");
    bed.write("words.csv", "one\ntwo\nthree\n").write("map.csv", ",tokyo,sydney\ntokyo,0,50\nsydney,50,0\n");
    let mut missing = String::new();
    for (marked, messages) in REFUSED {
        let (before, _) = marked.split_once("<<").expect("a marked place");
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
        bed.write("wrong.toml", marked.replace("<<", "").replace(">>", ""));
        for command in ["check", "run"] {
            // What only --quick would find is found by `check` at once.
            let quick = marked.contains("[quick]").then_some("--quick");
            let told = bed.seedbed([command, "wrong.toml"].into_iter().chain(quick));
            is_refused(&told, &bed);
            let place = format!("wrong.toml:{line}:{column}\n");
            for part in messages.iter().copied().chain([place.as_str(), "^"]) {
                if !told.err.contains(part) {
                    missing.push_str(&format!("{part} is not in\n{}\n", told.err));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let bed = Bed::new("wrong-file");
    bed.write("latin.toml", b"protocol = \"raft\"\ntitle = \"r\xe4ft\"\n");
    bed.write("deep.toml", format!("protocol = {}", "[".repeat(100_000)));
    bed.write(
        "noise.toml",
        (0..1_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>(),
    );
    std::fs::create_dir(bed.path("folder.toml")).expect("a folder");
    let large = std::fs::File::create(bed.path("large.toml")).expect("a file");
    large.set_len(100_000_000).expect("100 MB of nothing");
    for (file, messages) in [
        ("none.toml", ["none.toml", "cannot be read"]),
        ("folder.toml", ["folder.toml", "this is a directory"]),
        ("large.toml", ["large.toml", "too large"]),
        ("latin.toml", ["latin.toml:2:11", "not UTF-8"]),
        ("noise.toml", ["noise.toml:1:", "not UTF-8"]),
        ("deep.toml", ["deep.toml:1:44", "nested too deeply"]),
    ] {
        let told = bed.seedbed(["run", file]);
        is_refused(&told, &bed);
        assert!(messages.iter().all(|message| told.err.contains(message)), "{file}: {}", told.err);
        assert!(told.err.contains("expected"), "{file}: {}", told.err);
        assert!(told.err.len() < 2_000, "a message is short: {}", told.err.len());
    }
}

#[cfg(unix)]
#[test]
fn a_forbidden_file_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::new("forbidden-file");
    bed.write("secret.toml", SMALL);
    std::fs::set_permissions(bed.path("secret.toml"), PermissionsExt::from_mode(0o000)).expect("mode 0");
    // Who may read everything sees no difference.
    if std::fs::read(bed.path("secret.toml")).is_err() {
        let told = bed.seedbed(["run", "secret.toml"]);
        is_refused(&told, &bed);
        assert!(told.err.contains("secret.toml") && told.err.contains("ermission denied"), "{}", told.err);
    }
}

#[test]
fn a_wrong_argument_is_explained() {
    let bed = Bed::new("wrong-argument");
    bed.write("small.toml", SMALL).write("other.toml", SMALL).write("a-file", "");
    for (arguments, message) in [
        ("run small.toml --seeds 0", "no seed in it"),
        ("run small.toml --seeds 5..5", "no seed in it"),
        ("run small.toml --seeds 9..3", "no seed in it"),
        ("run small.toml --seeds 18446744073709551615", "more than 1000000 seeds"),
        ("run small.toml --seeds 1000000", "expected at most 1000000 runs"),
        ("run small.toml --seeds five", "`five` is no whole number"),
        ("run small.toml --jobs 0", "0 is not in 1..=1024"),
        ("run small.toml --jobs 1000000", "1000000 is not in 1..=1024"),
        ("run small.toml --set run.seedz=5", "did you mean `seeds`?"),
        ("run small.toml --set cluster.nodes=", "--set:1:15"),
        ("run small.toml --set heartbeat=fast", "--set:1:11"),
        ("run small.toml --set fault.leader-crush.lasts=1s", "did you mean `leader-crash`?"),
        ("run small.toml --set novalue", "expected key=value"),
        ("run small.toml other.toml --out there", "--out takes the results of one scenario"),
        ("run small.toml --out a-file", "a-file"),
        ("run small.toml --out a-file/there", "a-file/there"),
        ("run small.toml --engine steam", "possible values: sim"),
        ("replay small.toml --seed 1", "has 3 points; choose one:\n  --set heartbeat=50ms | 100ms | 150ms"),
        ("replay small.toml --seed -1 --set heartbeat=50ms", "--seed"),
        ("replay small.toml --seed 1 --set heartbeat=50ms --faults none.jsonl", "none.jsonl"),
        (
            "replay small.toml --seed 1 --set heartbeat=50ms --log a-file/log",
            "cannot write the log to a-file/log",
        ),
        ("report nowhere", "nowhere"),
        ("list raftt", "did you mean `raft`?"),
        ("grow", "grow"),
        ("", "Usage: seedbed"),
    ] {
        let told = bed.seedbed(arguments.split_whitespace());
        is_refused(&told, &bed);
        assert!(told.err.contains(message), "{arguments}: {}", told.err);
    }
}

#[test]
fn a_folder_that_is_none_is_named_once_with_the_reason() {
    let bed = Bed::new("no-folder");
    let told = bed.seedbed(["report", "nowhere"]);
    is_refused(&told, &bed);
    assert!(told.err.contains("nowhere") && told.err.contains("about.csv"), "{}", told.err);
    assert_eq!(told.err.matches("os error").count(), 1, "{}", told.err);
}

#[test]
fn a_damaged_list_of_faults_is_shown_where_it_is_damaged() {
    let bed = Bed::new("damaged-faults");
    bed.write("small.toml", SMALL);
    let good = r#"{"at":1000000000,"action":{"crash":{"node":0,"loss":"unsynced"}}}"#;
    for (line, place, message) in [
        (r#"{"at":1,"action":{"crash":{"node":3,"loss":"unsynced"}}}"#, "2:1", "there is no node 3"),
        (r#"{"at":1,"action":{"crush":{"node":0}}}"#, "2:19", "did you mean `crash`?"),
        (r#"{"at":"soon"}"#, "2:12", "expected u64"),
        ("crash 0 at 1 s", "2:1", "expected a fault such as"),
    ] {
        bed.write("faults.jsonl", format!("{good}\n{line}\n"));
        let told =
            bed.seedbed("replay small.toml --seed 1 --set heartbeat=50ms --faults faults.jsonl".split(' '));
        is_refused(&told, &bed);
        assert!(told.err.contains(&format!("faults.jsonl:{place}\n")), "{}", told.err);
        assert!(told.err.contains(message) && told.err.contains('^'), "{}", told.err);
    }
}

#[test]
fn of_several_files_every_wrong_one_is_told_and_none_is_run() {
    let bed = Bed::new("several-wrong");
    bed.write("small.toml", SMALL).write("one.toml", "protocol = 1").write("two.toml", "protocol = 2");
    let told = bed.seedbed(["check", "small.toml", "one.toml", "two.toml"]);
    assert_eq!((told.code, told.out.as_str()), (2, "small.toml: right; 3 points x 3 seeds\n"), "{told:?}");
    assert!(told.err.contains("one.toml:1:12") && told.err.contains("two.toml:1:12"), "{}", told.err);
    is_refused(&bed.seedbed(["run", "small.toml", "one.toml"]), &bed);
}
