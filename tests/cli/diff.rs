//! `seedbed diff`: two folders of results side by side.

use crate::bed::{Bed, SMALL};

#[test]
fn two_runs_of_a_scenario_are_compared_point_by_point() {
    let bed = Bed::new("diff");
    bed.write("small.toml", SMALL);
    for (out, seeds) in [("a", "0..4"), ("b", "4..9")] {
        let told = bed.seedbed(["run", "small.toml", "--seeds", seeds, "--out", out]);
        assert_eq!(told.code, 0, "{}", told.err);
    }
    let told = bed.seedbed(["diff", "a", "b", "--out", "d"]);
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(told.out.starts_with("A  a: 12 runs\nB  b: 15 runs\n"), "{}", told.out);
    assert!(told.out.ends_with("d/diff.html\n"), "{}", told.out);
    for file in ["diff.csv", "diff.html", "tables.md", "run.json", "charts/unavailable_ms-2.png"] {
        assert!(bed.has(&format!("d/{file}")), "{file}");
    }
    let table = bed.read("d/diff.csv");
    assert!(table.starts_with("heartbeat,metric,unit,a_runs"), "{table}");
    for heartbeat in ["50ms", "100ms", "150ms"] {
        assert!(table.contains(&format!("\n{heartbeat},unavailable_ms,ms,4,")), "{heartbeat}: {table}");
    }

    assert_eq!(bed.seedbed(["diff", "a", "b"]).code, 0);
    assert!(bed.has("results/diff/latest/diff.html"));
}

#[test]
fn what_cannot_be_compared_is_refused_and_nothing_is_written() {
    let bed = Bed::new("diff-refused");
    bed.write("small.toml", SMALL);
    let told = bed.seedbed(["run", "small.toml", "--quick", "--out", "a"]);
    assert_eq!(told.code, 0, "{}", told.err);
    let before = bed.read("a/run.json");
    for (arguments, message) in [
        (["diff", "a", "absent", "--out", "d"], "absent is no folder of results: it has no runs.csv"),
        (["diff", ".", "a", "--out", "d"], ". is no folder of results"),
        (["diff", "a", "a", "--out", "a"], "--out a is one of the folders to compare"),
    ] {
        let told = bed.seedbed(arguments);
        assert_eq!((told.code, told.out.as_str()), (2, ""), "{arguments:?}");
        assert!(told.err.contains(message), "{}", told.err);
    }
    std::fs::create_dir(bed.path("damaged")).expect("a folder");
    for file in ["about.csv", "columns.csv", "runs.csv"] {
        bed.write(&format!("damaged/{file}"), bed.read(&format!("a/{file}")));
    }
    bed.write("damaged/runs.csv", "point,seed\n0,0\n");
    let told = bed.seedbed(["diff", "a", "damaged", "--out", "d"]);
    assert_eq!(told.code, 2);
    assert!(told.err.contains("runs.csv, line 1: expected the header"), "{}", told.err);
    assert!(!bed.has("d") && bed.read("a/run.json") == before);
}
