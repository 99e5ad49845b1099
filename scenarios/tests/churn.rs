//! Nodes that come and go, as scenarios say it: by profile, by laws of one's own, by a trace.

use std::path::{Path, PathBuf};

use seedbed_scenarios::run::{Experiment, Options, Outcome, Registry, Request, Seeds};
use seedbed_sim::fault::Profile;

const PROFILE: &str =
    "[[fault]]\nname = \"churn\"\nkind = \"churn\"\nprofile = \"skype-06\"\nscale = \"1s\"\n";

fn file(name: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("churn");
    std::fs::create_dir_all(&folder).expect("a folder of the test");
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file of the test");
    path
}

/// Five nodes of Raft for ten minutes.
fn load(name: &str, text: &str, sets: &[(&str, &str)]) -> Result<Experiment, String> {
    let path =
        file(&format!("{name}.toml"), &format!("protocol = \"raft\"\nrun.duration = \"10min\"\n{text}"));
    let sets = sets.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let request = Request { sets, seeds: Some(Seeds(0..1)), ..Request::default() };
    Experiment::load(&path, &Registry::ours(), request).map_err(|report| report.to_string())
}

fn outcomes(experiment: &Experiment) -> Vec<Outcome> {
    experiment.points.iter().map(|point| point.ready.run(0, Options::default())).collect()
}

/// What struck, as a list of time in milliseconds, kind and node.
fn struck(outcome: &Outcome) -> Vec<(u64, &'static str, u32)> {
    let node = |action: &seedbed_sim::fault::Action| action.node().map_or(u32::MAX, |node| node.0);
    let faults = outcome.faults.iter();
    faults.map(|timed| (timed.at.0 / 1_000_000, timed.action.kind(), node(&timed.action))).collect()
}

#[test]
fn a_profile_is_a_key_like_others() {
    let plain = outcomes(&load("plain", PROFILE, &[]).unwrap());
    assert!(plain[0].faults.len() > 50, "{} faults", plain[0].faults.len());
    assert_eq!(plain[0].digest, outcomes(&load("again", PROFILE, &[]).unwrap())[0].digest);
    // Set to what it is, by default or in words, nothing changes; otherwise all does.
    for (key, value, is_same) in [
        ("fault.churn.profile", "skype-06", true),
        ("fault.churn.law", "gamma", true),
        ("fault.churn.law", "weibull", false),
        ("fault.churn.profile", "overnet-03", false),
        ("fault.churn.scale", "2s", false),
    ] {
        let set = outcomes(&load("set", PROFILE, &[(key, value)]).unwrap());
        assert_eq!(set[0].digest == plain[0].digest, is_same, "{key} = {value}");
    }
    let names: Vec<_> = Profile::ALL.iter().map(|profile| format!("\"{profile}\"")).collect();
    let sweep =
        format!("{PROFILE}[[sweep]]\nkey = \"fault.churn.profile\"\nvalues = [{}]\n", names.join(", "));
    assert_eq!(load("sweep", &sweep, &[]).unwrap().points.len(), Profile::ALL.len());
}

#[test]
fn laws_of_ones_own_alternate_at_the_nodes_of_the_target() {
    let text = "[[fault]]\nkind = \"churn\"\ntarget = \"1 + 3\"\nup = \"2min\"\ndown = \"1min\"\ndisk = \"nothing\"\n";
    let found = struck(&outcomes(&load("own", text, &[]).unwrap())[0]);
    let mut meant = Vec::new();
    for (minute, kind) in
        [(2, "crash"), (3, "restart"), (5, "crash"), (6, "restart"), (8, "crash"), (9, "restart")]
    {
        meant.extend([(minute * 60_000, kind, 1), (minute * 60_000, kind, 3)]);
    }
    assert_eq!(found, meant);
}

#[test]
fn a_trace_beside_the_scenario_strikes_as_it_says() {
    file("outages.csv", "node,down_s,up_s\n0,60,90\n1,70,75\n0,3600,3700\n");
    let text =
        "[[fault]]\nname = \"t\"\nkind = \"churn-trace\"\ntarget = \"except(0)\"\nfile = \"outages.csv\"\n";
    let run = |sets: &[(&str, &str)]| struck(&outcomes(&load("trace", text, sets).unwrap())[0]);
    let first = [(60_000, "crash", 1), (70_000, "crash", 2), (75_000, "restart", 2), (90_000, "restart", 1)];
    assert_eq!(run(&[]), first);
    assert_eq!(run(&[("fault.t.from", "1h")]), [(0, "crash", 1), (100_000, "restart", 1)]);
    let scaled = run(&[("fault.t.scale", "6min")]);
    assert_eq!(scaled[..2], [(6_000, "crash", 1), (7_000, "crash", 2)]);
    assert_eq!(scaled[4..], [(360_000, "crash", 1), (370_000, "restart", 1)]);
}

#[test]
fn what_makes_no_churn_is_told_at_its_line() {
    file("broken.csv", "node,down_s,up_s\n0,60,90\n1,7O,75\n");
    file("quiet.csv", "node,down_s,up_s\n7,60,90\n");
    let churn = "[[fault]]\nkind = \"churn\"\n";
    let trace = "[[fault]]\nkind = \"churn-trace\"\n";
    for (text, parts) in [
        (format!("{churn}profile = \"planetlab\"\n"), ["did you mean `planetlab-05`", "planetlab\""]),
        (format!("{churn}profile = \"skype-06\"\nlaw = \"gama\"\n"), ["did you mean `gamma`", "gama\""]),
        (churn.into(), ["says no time: write `profile`, or `up` and `down`", "churn"]),
        (format!("{churn}up = \"1s\"\n"), ["needs `down` beside it", "up = "]),
        (format!("{churn}up = \"1s\"\ndown = \"1s\"\nscale = \"1s\"\n"), ["goes with `profile`", "scale"]),
        (format!("{churn}up = \"0s\"\ndown = \"1s\"\n"), ["for ever at one moment", "up = "]),
        (format!("{PROFILE}up = \"1s\"\n"), ["does not go with `profile`", "up = "]),
        (format!("{PROFILE}every = \"1s\"\n"), ["which has times of its own", "every"]),
        (format!("{PROFILE}target = \"leader\"\n"), ["nodes that stay the same", "leader"]),
        (format!("{trace}file = \"none.csv\"\n"), ["cannot be read", "none.csv"]),
        (format!("{trace}file = \"broken.csv\"\n"), ["broken.csv: line 3: expected a time", "found `7O`"]),
        (format!("{trace}file = \"quiet.csv\"\n"), ["nothing of it is about these nodes", "quiet.csv"]),
    ] {
        let told = load("wrong", &text, &[]).map(|_| ()).expect_err(&text);
        assert!(parts.iter().all(|part| told.contains(part)), "{text}\n{told}");
    }
}

#[cfg(feature = "real")]
#[test]
fn the_real_engine_takes_churn() {
    use seedbed_scenarios::real::Scratch;
    use seedbed_scenarios::run::Engine;

    file("real.csv", "node,down_s,up_s\n0,3600,5400\n");
    let text = "protocol = \"raft\"\n[run]\nduration = \"2500ms\"\n\
                [[fault]]\nkind = \"churn\"\ntarget = \"1\"\nup = \"500ms\"\ndown = \"500ms\"\n\
                [[fault]]\nkind = \"churn-trace\"\nfile = \"real.csv\"\nscale = \"1s\"\n";
    let path = file("real.toml", text);
    let request = Request { engine: Engine::Real, seeds: Some(Seeds(0..1)), ..Request::default() };
    let experiment =
        Experiment::load(&path, &Registry::ours(), request).unwrap_or_else(|report| panic!("{report}"));
    let outcome = experiment.points[0].ready.run_real(0, &Scratch::new().unwrap());
    assert_eq!(outcome.failure, None);
    let kinds: Vec<_> = struck(&outcome).into_iter().map(|(_, kind, node)| (kind, node)).collect();
    for meant in [("crash", 1), ("restart", 1), ("crash", 0), ("restart", 0)] {
        assert!(kinds.contains(&meant), "{kinds:?}");
    }
}
