use super::*;
use crate::Experiment;
use crate::chart::scene::Mark;
use crate::data::Data;
use crate::rows::{BarNode, Chart, ChartKind, Column, Role, Verdict};

fn chart() -> Chart {
    let none = String::new;
    Chart {
        name: "gantt".into(),
        kind: ChartKind::Gantt,
        title: "Who runs where".into(),
        x: none(),
        y: none(),
        group: none(),
        log_x: false,
        log_y: false,
        x_label: none(),
        y_label: none(),
        caption: none(),
        reference: none(),
        filter: none(),
    }
}

fn bar(node: u32, lane: u32, from_s: f64, to_s: f64, end: Ending) -> Bar {
    let (label, group) = (format!("{from_s}"), "ann".to_owned());
    Bar { point: 0, seed: 7, node: format!("n{node}"), lane, from_s, to_s, label, group, end }
}

fn node(node: u32, lanes: u32, bars: u64) -> BarNode {
    BarNode { point: 0, seed: 7, node: format!("n{node}"), lanes, bars }
}

fn experiment(bars: Vec<Bar>, bar_nodes: Vec<BarNode>) -> Experiment {
    let (digest, violated, values) = (String::new(), Vec::new(), Vec::new());
    let run = Run {
        point: 0,
        keys: vec!["fifo".into()],
        seed: 7,
        digest,
        verdict: Verdict::Holds,
        violated,
        values,
    };
    let (name, unit, about) = ("queue".into(), String::new(), String::new());
    let columns = vec![Column { name, role: Role::Key, unit, about }];
    Experiment { columns, runs: vec![run], bars, bar_nodes, ..Experiment::default() }
}

fn drawn(experiment: &Experiment) -> (Scene, Vec<String>) {
    let data = Data::new(experiment);
    let chart = chart();
    let scene = draw(&Plot::new(&chart, &data).unwrap());
    let texts = scene.marks.iter().filter_map(|mark| match mark {
        Mark::Text { text, .. } => Some(text.clone()),
        _ => None,
    });
    let texts = texts.collect();
    (scene, texts)
}

/// Notes are wrapped: a part may stand on two lines.
fn has(texts: &[String], part: &str) -> bool {
    texts.join(" ").contains(part)
}

#[test]
fn a_chart_says_which_run_it_is_and_what_its_marks_mean() {
    let all = [Ending::Done, Ending::Failed, Ending::Lost, Ending::Stopped, Ending::Running];
    let bars = all.iter().zip(0u32..).map(|(end, lane)| bar(0, lane, 1.0, 9.0, *end)).collect();
    let (_, texts) = drawn(&experiment(bars, vec![node(0, 5, 5), node(1, 2, 0)]));
    for part in ["Who runs where", "queue fifo, seed 7", "n0", "n1", "simulated time (s)", "ann"] {
        assert!(has(&texts, part), "{part}: {texts:?}");
    }
    for part in ["failed", "lost with its node or lease", "stopped", "not over yet"] {
        assert!(has(&texts, part), "{part}: {texts:?}");
    }
    assert!(has(&texts, "One run: 5 bars on 2 nodes with 7 lanes."), "{texts:?}");
    assert!(!has(&texts, "Left out"), "{texts:?}");
}

#[test]
fn what_is_left_out_is_counted() {
    let bars: Vec<Bar> = (0..250).map(|at| bar(at, 0, 0.0, 10.0, Ending::Done)).collect();
    let nodes = (0..250).map(|at| node(at, 1, 3)).collect();
    let (_, texts) = drawn(&experiment(bars, nodes));
    assert!(has(&texts, "200 bars on 200 nodes"), "{texts:?}");
    assert!(has(&texts, "Left out: 50 other nodes, which had 150 bars."), "{texts:?}");
    assert!(has(&texts, "Left out of the nodes shown: 400 bars. Nothing after 10.0 s"), "{texts:?}");
}

#[test]
fn a_job_on_neighbouring_cores_is_one_bar() {
    let bars = [(0, 0), (0, 1), (0, 3), (1, 2)].map(|(node, lane)| bar(node, lane, 0.0, 5.0, Ending::Done));
    let shown = bars.iter().map(|bar| (usize::from(bar.node == "n1"), bar)).collect();
    let pieces = bars::joined(shown);
    assert_eq!(pieces.len(), 3, "cores 0 and 1 of n0 are together, core 3 and the other node apart");
}

#[test]
fn no_bars_and_absurd_ones_are_drawn() {
    let (_, texts) = drawn(&experiment(Vec::new(), Vec::new()));
    assert!(has(&texts, "No run has bars to show."));
    let (_, texts) = drawn(&experiment(Vec::new(), vec![node(0, 0, 0)]));
    assert!(has(&texts, "0 bars on 1 node with 1 lane."), "{texts:?}");
    let absurd = vec![bar(0, u32::MAX, 0.0, 1e300, Ending::Lost), bar(0, 0, 1e-9, 1e-9, Ending::Failed)];
    let (scene, _) = drawn(&experiment(absurd, vec![node(1, u32::MAX, u64::MAX), node(2, 1, u64::MAX)]));
    assert!(scene.height < 2_000.0 && scene.svg("gantt").is_ok());
}

#[test]
fn many_groups_share_a_colour() {
    let bars: Vec<Bar> = (0..20u32)
        .map(|at| Bar { group: format!("user {at}"), ..bar(at, 0, 0.0, 100.0 - f64::from(at), Ending::Done) })
        .collect();
    let groups = Groups::new(bars.iter());
    let legend = groups.legend();
    assert_eq!(legend.len(), INKS.len());
    assert_eq!(legend[0].1, "user 0", "who takes the most time has a colour");
    assert_eq!(legend[INKS.len() - 1].1, format!("others ({})", 21 - INKS.len()));
    assert_eq!(groups.ink("user 19"), OTHERS);
}
