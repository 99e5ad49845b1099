//! Two run folders side by side: what is paired, what is measured, and what is written.

use seedbed_reports::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare").join(name);
    match std::fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => dir,
    }
}

fn column(name: &str, role: Role, unit: &str) -> Column {
    Column { name: name.into(), role, unit: unit.into(), about: "For this test.".into() }
}

/// Two metrics, one of them sampled, at points named by `loss` and `nodes`; all values times a factor.
fn experiment(points: &[[&str; 2]], seeds: u64, factor: f64) -> Experiment {
    let mut experiment = Experiment {
        about: vec![About { section: Section::Head, key: "title".into(), value: "A <title>".into() }],
        columns: vec![
            column("loss", Role::Key, ""),
            column("nodes", Role::Key, ""),
            column("messages", Role::Metric, ""),
            column("gap_ms.p50", Role::Metric, "ms"),
            column("gap_ms", Role::Sample, "ms"),
        ],
        ..Experiment::default()
    };
    for (point, keys) in (0..).zip(points) {
        for seed in 0..seeds {
            // A step that has no factor with the modulus: all values differ, and none comes first.
            let value = |nth: u64| (100 + (seed * 37 + nth * 11) % 97 + u64::from(point)) as f64 * factor;
            let samples =
                (0..9).map(|nth| Sample { point, seed, metric: "gap_ms".into(), value: value(nth) });
            experiment.samples.extend(samples);
            experiment.runs.push(Run {
                point,
                keys: keys.map(str::to_owned).to_vec(),
                seed,
                digest: "00".into(),
                verdict: Verdict::Holds,
                violated: Vec::new(),
                values: vec![Value::Number(value(0)), Value::Number(value(4))],
            });
        }
    }
    experiment
}

fn written(name: &str, experiment: &Experiment) -> PathBuf {
    let dir = folder(name);
    experiment.write(&dir).unwrap();
    dir
}

const POINTS: [[&str; 2]; 3] = [["0.1", "3"], ["0.2", "3"], ["0.2", "5"]];

#[test]
fn an_experiment_is_like_itself() {
    let dir = written("itself", &experiment(&POINTS, 20, 1.0));
    let compared = compare(&dir, &dir).unwrap();
    assert_eq!(compared.keys, ["loss", "nodes"]);
    let names: Vec<&str> = compared.rows.iter().map(|row| row.metric.as_str()).collect();
    assert_eq!(names[..4], ["gap_ms", "gap_ms", "gap_ms", "messages"]);
    assert_eq!(names[6..], ["gap_ms.p50"; 3]);
    for row in &compared.rows {
        assert_eq!(row.contrast.difference.value, 0.0);
        assert_eq!(row.contrast.ratio.unwrap().value, 1.0);
        let interval = row.contrast.ratio.unwrap().interval.unwrap();
        assert!(interval.low < 1.0 && 1.0 < interval.high, "{interval:?}");
        assert_eq!((row.distance.distance, row.distance.p_value), (0.0, 1.0));
        assert_eq!(row.sides[0], row.sides[1]);
    }
    assert_eq!((compared.rows[0].sides[0].runs, compared.rows[0].sides[0].values), (20, 180));
}

#[test]
fn medians_are_those_of_the_summary() {
    let (a, b) = (experiment(&POINTS, 20, 1.0), experiment(&POINTS, 30, 1.5));
    let compared = compare(&written("summary-a", &a), &written("summary-b", &b)).unwrap();
    for (side, experiment) in [a, b].iter().enumerate() {
        for expected in summarise(experiment) {
            let is_meant = |row: &&Compared| row.metric == expected.metric && row.keys == expected.keys;
            let found = compared.rows.iter().find(is_meant).unwrap().sides[side];
            assert_eq!(found.median, expected.quantiles.unwrap()[1]);
            assert_eq!(found.interval, expected.quantile_intervals.map(|intervals| intervals[0]));
        }
    }
    for row in compared.rows.iter().filter(|row| row.metric == "gap_ms") {
        let ratio = row.contrast.ratio.unwrap();
        assert!((1.4..1.6).contains(&ratio.value), "{ratio:?}");
        assert!(ratio.interval.is_some_and(|i| i.low > 1.3 && i.high < 1.7), "{ratio:?}");
        assert!(row.distance.p_value < 1e-6 && row.distance.distance > 0.4);
    }
}

#[test]
fn points_are_paired_by_their_values_in_any_order() {
    let a = experiment(&POINTS, 4, 1.0);
    let mut b = experiment(&[["5", "0.2"], ["9", "0.9"], ["3", "0.1"]], 4, 1.0);
    b.columns.swap(0, 1);
    let compared = compare(&written("order-a", &a), &written("order-b", &b)).unwrap();
    let keys: Vec<[&str; 2]> =
        compared.rows.iter().take(2).map(|row| [row.keys[0].as_str(), row.keys[1].as_str()]).collect();
    assert_eq!(keys, [["0.1", "3"], ["0.2", "5"]]);
    assert!(compared.terminal(120).contains("Points of one side alone, left out: 2."));
}

#[test]
fn all_runs_are_taken_together_where_the_sweeps_differ() {
    let a = experiment(&POINTS, 4, 1.0);
    let others = experiment(&[["0.7", "3"]], 6, 1.0);
    let mut unswept = experiment(&[["", ""]], 6, 1.0);
    unswept.columns.drain(..2);
    unswept.runs.iter_mut().for_each(|run| run.keys.clear());
    for (name, b) in [("others", others), ("unswept", unswept)] {
        let compared = compare(&written(&format!("{name}-a"), &a), &written(name, &b)).unwrap();
        assert!(compared.keys.is_empty());
        assert_eq!(compared.rows[0].sides.map(|side| (side.runs, side.values)), [(12, 108), (6, 54)]);
        assert!(compared.terminal(120).contains("all runs of each are taken together"));
    }
}

#[test]
fn one_long_run_has_intervals_over_its_values() {
    let dir = written("single", &experiment(&POINTS[..1], 1, 1.0));
    let compared = compare(&dir, &dir).unwrap();
    let row = |metric: &str| compared.rows.iter().find(|row| row.metric == metric).unwrap();
    assert!(row("gap_ms").contrast.difference.interval.is_some());
    assert_eq!(row("gap_ms").sides[0].runs, 1);
    assert_eq!(row("messages").contrast.difference.interval, None);
    assert!(compared.terminal(120).contains("its values are taken as independent"));
}

#[test]
fn what_is_not_alike_is_not_compared() {
    let a = experiment(&POINTS, 4, 1.0);
    let mut b = a.clone();
    b.columns[4].unit = "s".into();
    let compared = compare(&written("unlike-a", &a), &written("unlike-b", &b)).unwrap();
    assert!(compared.rows.iter().all(|row| row.metric != "gap_ms"));
    assert!(compared.terminal(120).contains("Of another kind or unit on each side, so left out: gap_ms."));

    b.columns.truncate(2);
    b.runs.iter_mut().for_each(|run| run.values.clear());
    b.samples.clear();
    let error = compare(&written("none-a", &a), &written("none-b", &b)).unwrap_err();
    assert!(error.to_string().contains("no metric in common"), "{error}");
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| match path.is_dir() {
        true => contents(&path),
        false => BTreeMap::from([(path.clone(), std::fs::read(&path).unwrap())]),
    });
    files.collect()
}

#[test]
fn a_comparison_is_written_whole_and_always_the_same() {
    let a = written("sim", &experiment(&POINTS, 8, 1.0));
    let b = written("real", &experiment(&POINTS, 5, 1.2));
    let out = folder("out");
    let page = compare(&a, &b).unwrap().write(&out).unwrap();
    let first = contents(&out);
    compare(&a, &b).unwrap().write(&out).unwrap();
    assert!(first == contents(&out));

    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("<title>sim and real</title>") && page.contains("A &lt;title&gt;"));
    assert_eq!(page.matches("<figure").count(), 3);
    assert!(!page.contains("src=") && !page.contains("href=\"http"));
    for point in 0..3 {
        let chart = |ending: &str| first[&out.join(format!("charts/gap_ms-{point}.{ending}"))].clone();
        let svg = String::from_utf8(chart("svg")).unwrap();
        assert!(svg.contains("A: sim") && svg.contains("B: real") && !svg.contains("NaN"));
        assert!(chart("png").starts_with(b"\x89PNG"));
    }
    let table = String::from_utf8(first[&out.join("diff.csv")].clone()).unwrap();
    assert!(table.starts_with("loss,nodes,metric,unit,a_runs,a_values,a_median,"));
    assert_eq!(table.lines().count(), 1 + 9);
    assert!(table.lines().all(|line| line.matches(',').count() == 21));
    let markdown = String::from_utf8(first[&out.join("tables.md")].clone()).unwrap();
    assert!(markdown.contains("### B against A") && markdown.contains("| 0.1 | 3 | gap (ms) |"));
}

#[test]
fn metrics_without_samples_have_charts_of_runs() {
    let mut plain = experiment(&POINTS[..1], 5, 1.0);
    plain.columns.truncate(3);
    plain.samples.clear();
    plain.runs.iter_mut().for_each(|run| run.values.truncate(1));
    let dir = written("plain", &plain);
    let out = folder("plain-out");
    compare(&dir, &dir).unwrap().write(&out).unwrap();
    assert!(out.join("charts/messages-0.svg").exists());
}
