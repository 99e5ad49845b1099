//! A made-up cluster that computes: jobs of many users on nodes that crash, under two queue policies. What is asked of
//! such runs is drawn: who ran where, how busy the cluster was, how long jobs waited.

use seedbed_reports::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const SEEDS: u64 = 4;
const POLICIES: [&str; 2] = ["fifo", "sjf"];

/// Uneven, repeatable draws (a linear congruential generator: Knuth's MMIX).
struct Draws(u64);

impl Draws {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.unit() * limit as f64) as usize
    }
}

/// Jobs of one or two cores, one after the other wherever cores are free first.
fn cluster(nodes: usize, cores: usize, jobs: usize) -> Experiment {
    let mut all = Experiment { columns: columns(), ..Experiment::default() };
    for (point, policy) in POLICIES.iter().enumerate() {
        for seed in 0..SEEDS {
            run(&mut all, (point as u32, seed, policy), (nodes, cores, jobs));
        }
    }
    let chart = |name: &str, kind, title: &str, x: &str, y: &str, group: &str| Chart {
        name: name.into(),
        kind,
        title: title.into(),
        x: x.into(),
        y: y.into(),
        group: group.into(),
        log_x: kind == ChartKind::Cdf,
        log_y: false,
        x_label: String::new(),
        y_label: String::new(),
        caption: String::new(),
        reference: String::new(),
        filter: String::new(),
    };
    let gantt = chart("gantt", ChartKind::Gantt, "Who runs where", "", "", "");
    all.charts = vec![
        Chart { filter: "queue=sjf".into(), ..gantt },
        chart("utilisation", ChartKind::Line, "Busy cores over time", "t_s", "utilisation", "queue"),
        chart("queued", ChartKind::Line, "Work that waits", "t_s", "queued_s", "queue"),
        chart("wait", ChartKind::Cdf, "How long jobs wait", "", "wait_s", "queue"),
    ];
    all
}

fn run(
    all: &mut Experiment,
    (point, seed, policy): (u32, u64, &str),
    (nodes, cores, jobs): (usize, usize, usize),
) {
    let mut draws = Draws(seed * 7919 + u64::from(point) * 104_729 + 17);
    let mut free = vec![vec![0.0f64; cores]; nodes];
    let mut busy: BTreeMap<u64, i64> = BTreeMap::new();
    let (mut waits, mut counts) = (Vec::new(), vec![0; nodes]);
    let is_kept = seed == 0 && point == 1;
    for job in 0..jobs {
        let arrives = job as f64 * 11.0 / (nodes * cores) as f64;
        let (node, _) = free.iter().enumerate().min_by(|a, b| least(a.1).total_cmp(&least(b.1))).unwrap();
        let wide = if cores > 1 { 1 + draws.below(2) } else { 1 };
        let mut order: Vec<usize> = (0..cores).collect();
        order.sort_by(|a, b| free[node][*a].total_cmp(&free[node][*b]));
        let taken = &order[..wide];
        let start = taken.iter().map(|core| free[node][*core]).fold(arrives, f64::max);
        let end = start + 1.0 - 8.0 * (1.0 - draws.unit()).ln();
        let ending = match draws.below(25) {
            0 => Ending::Failed,
            1 => Ending::Lost,
            2 => Ending::Stopped,
            _ => Ending::Done,
        };
        waits.push(start - arrives);
        let user = format!("user {}", draws.below(6) * draws.below(3));
        *busy.entry((start * 1e3) as u64).or_default() += wide as i64;
        *busy.entry((end * 1e3) as u64).or_default() -= wide as i64;
        for core in taken {
            free[node][*core] = end;
            counts[node] += 1;
            if is_kept {
                all.bars.push(Bar {
                    point,
                    seed,
                    node: format!("worker-{node}"),
                    lane: *core as u32,
                    from_s: start,
                    to_s: end,
                    label: format!("job {job}"),
                    group: user.clone(),
                    end: ending,
                });
            }
        }
    }
    if is_kept {
        for (node, bars) in counts.into_iter().enumerate() {
            all.bar_nodes.push(BarNode {
                point,
                seed,
                node: format!("worker-{node}"),
                lanes: cores as u32,
                bars,
            });
        }
        for crash in 0..nodes.min(12) {
            let (kind, target) = ("crash".to_owned(), format!("worker-{}", crash * nodes / nodes.min(12)));
            let from_s = 12.0 + 7.0 * crash as f64;
            all.faults.push(Fault { point, seed, kind, target, from_s, to_s: from_s + 6.0 });
        }
        let (kind, target) = ("cut".to_owned(), "worker-0 to all".to_owned());
        all.faults.push(Fault { point, seed, kind, target, from_s: 30.0, to_s: 45.0 });
    }
    let mut now = 0;
    for (at, change) in busy {
        now += change;
        let share = now as f64 / (nodes * cores) as f64;
        let t_s = at as f64 / 1e3;
        let row = |name: &str, value| Series { point, seed, name: name.into(), t_s, value };
        all.series.extend([row("utilisation", share), row("queued_s", 40.0 * share * share)]);
    }
    let row = |value: &f64| Sample { point, seed, metric: "wait_s".into(), value: *value };
    all.samples.extend(waits.iter().map(row));
    all.runs.push(Run {
        point,
        keys: vec![policy.into()],
        seed,
        digest: String::new(),
        verdict: Verdict::Holds,
        violated: Vec::new(),
        values: sample_values(&waits).to_vec(),
    });
}

fn least(free: &[f64]) -> f64 {
    free.iter().copied().fold(f64::INFINITY, f64::min)
}

fn columns() -> Vec<Column> {
    let row = |name: &str, role, unit: &str, about: &str| Column {
        name: name.into(),
        role,
        unit: unit.into(),
        about: about.into(),
    };
    let wait = row("wait_s", Role::Sample, "s", "from submission to start");
    let mut columns = vec![
        row("queue", Role::Key, "", "the queue policy"),
        row("utilisation", Role::Series, "", "share of all cores that are busy"),
        row("queued_s", Role::Series, "s", "work that waits"),
        wait.clone(),
    ];
    columns.extend(sample_columns(&wait));
    columns
}

fn drawn(name: &str, experiment: &Experiment) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    experiment.write(&dir).unwrap();
    assert_eq!(Experiment::read(&dir).unwrap().bars, experiment.bars);
    render(&dir).unwrap();
    dir
}

fn svg(dir: &Path, chart: &str) -> String {
    std::fs::read_to_string(dir.join(format!("charts/{chart}.svg"))).unwrap()
}

#[test]
fn clusters_of_any_size_are_drawn() {
    for (nodes, cores, jobs) in [(1, 1, 12), (3, 4, 80), (20, 4, 700), (200, 2, 3000)] {
        let dir = drawn(&format!("compute-{nodes}"), &cluster(nodes, cores, jobs));
        let gantt = svg(&dir, "gantt");
        for part in
            ["Who runs where", "queue sjf, seed 0", "simulated time (", "One run: ", "user 0", "worker-0"]
        {
            assert!(gantt.contains(part), "{nodes} nodes: {part}");
        }
        assert!(!gantt.contains("NaN") && !gantt.contains("\"-2147") && !gantt.contains("Left out"));
        assert!(gantt.len() < 3_000_000, "{} bytes", gantt.len());
        assert_eq!(gantt.contains("\njob "), nodes < 100, "labels stand where they fit");
    }
}

#[test]
fn how_busy_and_how_long_is_drawn_with_units() {
    let dir = drawn("compute-units", &cluster(20, 4, 700));
    let wait = svg(&dir, "wait");
    assert!(wait.contains("wait (s)") && wait.contains("fifo") && wait.contains("sjf"));
    assert!(svg(&dir, "queued").contains("queued (s)"), "a series has the unit of its column");
    let busy = svg(&dir, "utilisation");
    assert!(busy.contains("simulated time (s)") && busy.contains("4 runs per line"));
    assert!(busy.contains("mean over"), "more changes than can be drawn are averaged");
}

#[test]
fn a_chart_of_one_run_needs_no_folder() {
    let mut experiment = cluster(2, 2, 10);
    let gantt = experiment.charts.remove(0);
    let drawing = draw(&experiment, &gantt).unwrap();
    assert!(drawing.svg.starts_with("<svg") && drawing.png.starts_with(b"\x89PNG"));
    experiment.bars[0].to_s = -1.0;
    let error = draw(&experiment, &gantt).unwrap_err().to_string();
    assert!(error.contains("bars.csv, record 1: expected 0 <= from_s <= to_s"), "{error}");
}
