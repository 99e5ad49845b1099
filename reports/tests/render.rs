//! From an experiment to a folder and from the folder to everything drawn: complete, repeatable, and proof
//! against damaged files.

mod fixture;

use seedbed_reports::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    match std::fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => dir,
    }
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => contents(&path),
            false => BTreeMap::from([(path.clone(), std::fs::read(&path).unwrap())]),
        })
        .collect()
}

#[test]
fn what_is_written_is_read() {
    let dir = folder("read");
    let experiment = fixture::election();
    experiment.write(&dir).unwrap();
    assert_eq!(Experiment::read(&dir).unwrap(), experiment);
}

#[test]
fn the_same_tables_give_the_same_bytes() {
    let dir = folder("election");
    fixture::election().write(&dir).unwrap();
    let rendered = render(&dir).unwrap();
    let first = contents(&dir);
    fixture::election().write(&dir).unwrap();
    render(&dir).unwrap();
    assert!(first == contents(&dir));
    assert!(rendered.files.iter().all(|file| first.contains_key(file)));
}

#[test]
fn nothing_that_an_earlier_experiment_drew_stays() {
    let dir = folder("again");
    let mut experiment = fixture::election();
    experiment.write(&dir).unwrap();
    render(&dir).unwrap();
    std::fs::write(dir.join("charts/mine.svg"), "not ours").unwrap();
    let dropped = experiment.charts.remove(0).name;
    experiment.write(&dir).unwrap();
    let left = contents(&dir.join("charts"));
    for ending in ["svg", "png"] {
        let drawing = |name: &str| dir.join(format!("charts/{name}.{ending}"));
        assert!(!left.contains_key(&drawing(&dropped)), "{dropped}.{ending}");
        assert!(left.contains_key(&drawing(&experiment.charts[0].name)));
    }
    assert!(left.contains_key(&dir.join("charts/mine.svg")));
}

#[test]
fn everything_promised_is_drawn() {
    let dir = folder("promised");
    fixture::election().write(&dir).unwrap();
    let rendered = render(&dir).unwrap();
    for chart in &rendered.experiment.charts {
        let svg = std::fs::read_to_string(dir.join(format!("charts/{}.svg", chart.name))).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("</text>"), "{}", chart.name);
        assert!(svg.contains(&chart.title), "{}", chart.name);
        assert!(!svg.contains("NaN") && !svg.contains("\"-2147"), "{}", chart.name);
        let png = std::fs::read(dir.join(format!("charts/{}.png", chart.name))).unwrap();
        assert!(png.starts_with(b"\x89PNG"), "{}", chart.name);
    }
    let page = std::fs::read_to_string(&rendered.page).unwrap();
    assert!(page.contains("How long is a cluster without a leader"));
    assert!(page.contains("&lt;while&gt;") && !page.contains("<while>"), "text is escaped");
    for fetched in ["<script", "<link", "src=", "url(", "@import"] {
        assert!(!page.contains(fetched), "the page fetches nothing: {fetched}");
    }
    let replay = "seedbed replay quickstart.toml --seed 0 --set protocol=bully --set election.timeout=150ms";
    assert!(page.contains(replay));
    let terminal = rendered.terminal(100);
    assert!(terminal.contains("✗  one_leader_per_term") && terminal.contains("✓  leader_after_healing"));
    assert!(
        terminal.contains(replay) && terminal.lines().all(|line| line.chars().count() <= 140),
        "{terminal}"
    );
}

#[test]
fn the_summary_agrees_with_the_runs() {
    let dir = folder("summary");
    fixture::election().write(&dir).unwrap();
    let rendered = render(&dir).unwrap();
    let row =
        |metric: &str| rendered.summary.iter().find(|row| row.point == 1 && row.metric == metric).unwrap();
    let messages = row("messages");
    let column = 0;
    let runs = rendered.experiment.runs.iter().filter(|run| run.point == 1);
    let values: Vec<f64> = runs
        .map(|run| match run.values[column] {
            Value::Number(number) => number,
            _ => panic!("messages are always defined"),
        })
        .collect();
    assert_eq!((messages.n, messages.samples, messages.mean), (30, 30, stats::mean(&values)));
    assert_eq!(row("converged_s").n, 27, "three of thirty seeds leave it undefined");
    let leaderless = row("leaderless_ms");
    assert!(leaderless.n == 30 && leaderless.samples > 200);
    let text = std::fs::read_to_string(dir.join("summary.csv")).unwrap();
    assert!(text.starts_with("point,protocol,election.timeout,metric,unit,n,samples,mean,sd,median,p95,"));
    assert!(!text.contains("NaN") && !text.contains("inf") && !text.contains('\r'));
}

/// One seed, no samples, a metric that is never defined, and charts of all of it.
#[test]
fn little_data_is_no_reason_to_fail() {
    let whole = fixture::election();
    let mut little =
        Experiment { about: whole.about, columns: whole.columns, charts: whole.charts, ..Default::default() };
    for log in [false, true] {
        for chart in &mut little.charts {
            (chart.log_x, chart.log_y) = (log, log);
        }
        for runs in [0, 1] {
            little.runs = whole.runs.iter().filter(|run| run.seed < runs).cloned().collect();
            little.runs.iter_mut().for_each(|run| run.values.fill(Value::Empty));
            little.series.clone_from(&whole.series);
            little.series.retain(|row| row.seed < runs);
            let dir = folder("little");
            little.charts.retain(|chart| chart.y != "messages_sent" || runs > 0);
            little.write(&dir).unwrap();
            let rendered = render(&dir).unwrap();
            assert!(rendered.summary.iter().all(|row| row.mean_interval.is_none()));
            little.charts = fixture::election().charts;
        }
    }
}

/// A thousand points: the page stays a page, and says what it leaves out.
#[test]
fn a_large_experiment_stays_readable() {
    let small = fixture::election();
    let mut large = Experiment { runs: Vec::new(), samples: Vec::new(), ..small.clone() };
    (large.series, large.spans, large.faults) = Default::default();
    large.charts.retain(|chart| chart.y != "messages_sent");
    for point in 0..1000u32 {
        let runs = small.runs.iter().filter(|run| run.point == point % 12 && run.seed < 3);
        large.runs.extend(runs.cloned().map(|mut run| {
            (run.point, run.keys[1]) = (point, format!("{}ms", 100 + point));
            run
        }));
    }
    large.charts.iter_mut().for_each(|chart| chart.filter.clear());
    let dir = folder("large");
    large.write(&dir).unwrap();
    let rendered = render(&dir).unwrap();
    let page = std::fs::read_to_string(&rendered.page).unwrap();
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    assert!(page.contains("200 of 1000 rows are shown") && page.contains("The first 60 of 1000"));
    assert!(rendered.terminal(100).lines().count() < 150);
}

/// A file, what to replace in it, by what, and the message that must follow.
const DAMAGE: [(&str, &str, &str, &str); 16] = [
    (
        "runs.csv",
        "point,protocol",
        "point,protocols",
        "runs.csv, line 1: expected the header `point,protocol,",
    ),
    (
        "runs.csv",
        "\n0,bully,150ms,1,",
        "\n0,bully,150ms,one,",
        "runs.csv, line 3: expected a whole number in `seed`, found `one`",
    ),
    (
        "runs.csv",
        "\n0,bully,150ms,1,",
        "\n0,bully,150ms,0,",
        "runs.csv, record 2: point 0 with seed 0 occurs twice",
    ),
    ("runs.csv", "\n0,bully,150ms,1,", "\n0,ring,150ms,1,", "runs.csv, record 2: point 0 has other keys"),
    ("runs.csv", ",holds,", ",perhaps,", "expected `holds` or `violated` in `verdict`, found `perhaps`"),
    ("samples.csv", "\n0,0,leaderless_ms,", "\n0,0,leaderless_ms,NaN", "samples.csv, line 2: "),
    (
        "samples.csv",
        "\n0,0,leaderless_ms,",
        "\n77,0,leaderless_ms,",
        "samples.csv, record 1: point 77 with seed 0 is not in runs.csv",
    ),
    (
        "spans.csv",
        "from_s,to_s\n",
        "from_s,to_s\n0,0,a,up,9,1\n",
        "spans.csv, record 1: expected 0 <= from_s <= to_s",
    ),
    ("charts.csv", "leaderless-cdf,cdf", "leaderless-cdf,pie", "charts.csv, line 2: unknown variant `pie`"),
    (
        "charts.csv",
        ",leaderless_ms,",
        ",leaderles_ms,",
        "charts.csv, record 1: y: expected a metric, found `leaderles_ms`",
    ),
    ("charts.csv", "leaderless-cdf", "../escape", "charts.csv, record 1: name: expected letters"),
    (
        "charts.csv",
        "election.timeout=300ms",
        "timeout=300ms",
        "charts.csv, record 1: filter: expected `key=value`",
    ),
    (
        "tables.csv",
        ",outcome",
        ",outcomes",
        "tables.csv, record 1: cell: expected a metric, found `outcomes`",
    ),
    ("checks.csv", ",0\n", "\n", "checks.csv, line 3: expected 4 fields, found 3"),
    ("columns.csv", "messages,metric", "seed,metric", "columns.csv, record 3: column `seed` is"),
    ("about.csv", "section,key,value\n", "", "about.csv, line 1: expected the header"),
];

#[test]
fn damage_is_reported_with_file_and_line() {
    for (file, from, to, expected) in DAMAGE {
        let dir = folder("damaged");
        fixture::election().write(&dir).unwrap();
        let text = std::fs::read_to_string(dir.join(file)).unwrap();
        assert!(text.contains(from), "{file} has {from:?}");
        std::fs::write(dir.join(file), text.replacen(from, to, 1)).unwrap();
        let error = render(&dir).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn an_empty_folder_names_the_missing_file() {
    let error = render(&folder("missing")).unwrap_err().to_string();
    assert!(error.contains("about.csv"), "{error}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever stands in a file, reading gives an experiment or an error.
    #[test]
    fn hostile_files_never_panic(file in 0usize..12, at in 0.0f64..1.0, cut in 0usize..40, put in "(\\PC|[\"\n\r,;]|[-0-9e.]{0,9}){0,12}") {
        let names = [
            "about", "columns", "runs", "samples", "spans", "faults", "series", "checks", "violations", "charts",
            "tables", "tables_expected",
        ];
        let dir = folder("hostile");
        let mut small = fixture::election();
        small.runs.retain(|run| run.seed == 0);
        small.samples.retain(|row| row.seed == 0);
        small.series.retain(|row| row.seed == 0);
        small.write(&dir).unwrap();
        let path = dir.join(format!("{}.csv", names[file]));
        let mut bytes = std::fs::read(&path).unwrap();
        let from = (bytes.len() as f64 * at) as usize;
        let to = (from + cut).min(bytes.len());
        bytes.splice(from..to, put.bytes());
        std::fs::write(&path, bytes).unwrap();
        let _ = render(&dir);
    }
}
