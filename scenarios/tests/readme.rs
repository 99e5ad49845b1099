//! `scenarios/README.md` is true: its tables of keys are those of the format, every example can be run, and the files
//! and metrics it describes are the ones that a run writes. So is `scenarios/clusters/README.md`, and so is the project's
//! own: what it quotes is there.
//!
//! `UPDATE_README=1 cargo test -p seedbed-scenarios --test readme` writes the tables of keys and what the quick start prints
//! anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use seedbed_core::settings::{Field, Fields, Setting, Shape};
use seedbed_scenarios::deploy::{
    Api, ClusterFile, ClusterPlan, Limits, Member, NodeFile, NodePlan, SecretKey,
};
use seedbed_scenarios::run::{Experiment, Registry, Request, Seeds, run_all};
use seedbed_scenarios::scenario::{Scenario, Threshold};
use seedbed_sim::fault::Selector;
use seedbed_sim::law::Spec;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const CLUSTERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clusters/README.md");
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");

fn readme() -> String {
    std::fs::read_to_string(README).expect("the README is there")
}

fn project() -> String {
    std::fs::read_to_string(PROJECT).expect("the project has a README")
}

/// What is written must be what is true; on demand it is made so.
fn settle(file: &str, written: &str, truth: &str) {
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(file, truth).expect("the README can be written");
    } else {
        assert!(written == truth, "{file} is out of date: run this test again with UPDATE_README=1");
    }
}

#[test]
fn every_key_is_described_as_the_format_has_it() {
    settle(README, &readme(), &with_tables(readme(), sections()));
}

#[test]
fn every_key_of_clusters_and_nodes_is_described_as_the_format_has_it() {
    let written = std::fs::read_to_string(CLUSTERS).expect("the README is there");
    let sections = [
        ("a cluster", ClusterFile::shape()),
        ("a node", NodeFile::shape()),
        ("node.api", Api::shape()),
        ("node.member", Member::shape()),
        ("limits", Limits::shape()),
    ];
    let fields = |(name, shape): (&str, Shape)| match shape {
        Shape::Table(fields) => (name.to_owned(), fields),
        other => panic!("{name} is no table: {other:?}"),
    };
    settle(CLUSTERS, &written, &with_tables(written.clone(), sections.map(fields)));
    for example in blocks(&written, "toml") {
        // What it says of a key is made up.
        let key = SecretKey::from_seed([7; 32]).expect("a key").public().to_string();
        let file = workshop("clusters").join("example.toml");
        std::fs::write(&file, example.replace("seedbed-key-of-node-0", &key)).expect("it can be written");
        let read = match example.contains("[[member]]") {
            true => NodePlan::load(&file, &Registry::ours()).err(),
            false => ClusterPlan::load(&file, &[], &Registry::ours()).err(),
        };
        assert!(read.is_none(), "{example}\n{}", read.map_or_else(String::new, |report| report.to_string()));
    }
}

/// A text with its tables of keys made anew.
fn with_tables(mut text: String, sections: impl IntoIterator<Item = (String, Fields)>) -> String {
    for (path, fields) in sections {
        let start = format!("<!-- keys of {path} -->\n");
        let from =
            text.find(&start).unwrap_or_else(|| panic!("the README has no `{}`", start.trim())) + start.len();
        let to = from + text[from..].find("<!-- end of keys -->").expect("a table of keys has an end");
        text.replace_range(from..to, &table(&fields));
    }
    text
}

#[test]
fn every_example_can_be_run() {
    let folder = workshop("examples");
    let text = readme() + &project();
    let examples: Vec<&str> = blocks(&text, "toml").collect();
    assert!(examples.len() > 10, "the README shows hardly any examples");
    for (number, example) in examples.into_iter().enumerate() {
        let is_whole = example.lines().any(|line| line.starts_with("protocol = \""));
        let start = if is_whole { "" } else { "protocol = \"raft\"\n" };
        let file = folder.join(format!("{number}.toml"));
        std::fs::write(&file, format!("{start}{example}")).expect("an example can be written");
        for is_quick in [false, true] {
            let request = Request { is_quick, seeds: Some(Seeds(0..1)), ..Request::default() };
            let loaded = Experiment::load(&file, &Registry::ours(), request);
            let experiment = loaded.unwrap_or_else(|report| panic!("{example}\n{report}"));
            if is_quick {
                let broken = run_all(&experiment, &|_| ()).tables.violations;
                assert!(
                    broken.iter().all(|violation| violation.check != "no-panic"),
                    "{example}\n{broken:?}"
                );
            }
        }
    }
}

#[test]
fn every_file_and_metric_of_a_run_is_described() {
    let text = readme();
    let folder = workshop("files");
    let scenario = "protocol = \"raft\"\n[run]\nseeds = 2\nduration = \"5s\"\n\
                    [workload]\nkind = \"constant\"\nevery = \"1s\"\n";
    let file = folder.join("scenario.toml");
    std::fs::write(&file, scenario).expect("a scenario can be written");
    let registry = Registry::ours();
    let experiment = Experiment::load(&file, &registry, Request::default()).expect("it is right");
    let tables = run_all(&experiment, &|_| ()).tables;
    let own = registry.find("raft").expect("it is registered").metrics();
    let is_own = |name: &str| own.iter().any(|metric| name.split('.').next() == Some(metric.name));
    for column in tables.columns.iter().filter(|column| !is_own(&column.name)) {
        let name = column.name.split('.').next().unwrap_or_default();
        assert!(text.contains(&format!("| `{name}` |")), "the README does not say what `{name}` is");
    }
    tables.write(&folder).expect("the tables can be written");
    seedbed_reports::render(&folder).expect("the report can be drawn");
    for entry in std::fs::read_dir(&folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path == file {
            continue;
        }
        let row = text.lines().find(|line| line.starts_with(&format!("| `{name}")));
        let row = row.unwrap_or_else(|| panic!("the README does not say what `{name}` holds"));
        if name.ends_with(".csv") {
            let header = std::fs::read_to_string(&path).expect("it can be read");
            let columns = header.lines().next().unwrap_or_default().split(',');
            for column in columns.filter(|column| tables.columns.iter().all(|own| own.name != *column)) {
                assert!(row.contains(&format!("`{column}`")), "`{name}`: the README omits `{column}`");
            }
        }
    }
}

#[test]
fn the_projects_readme_quotes_its_protocol() {
    let shown = project();
    let shown = blocks(&shown, "rust").next().expect("the README shows a protocol");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/rumour/src/main.rs");
    let example = std::fs::read_to_string(example).expect("the example is there");
    assert!(example.contains(shown), "the example has changed: quote it again");
}

#[test]
fn the_projects_readme_shows_what_the_quick_start_prints() {
    let folder = workshop("quickstart");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/quickstart.toml");
    let experiment = Experiment::load(Path::new(file), &Registry::ours(), Request::default());
    let experiment = experiment.unwrap_or_else(|report| panic!("{report}"));
    run_all(&experiment, &|_| ()).tables.write(&folder).expect("the tables can be written");
    let printed = seedbed_reports::render(&folder).expect("the report can be drawn").terminal(110);
    let printed: String = printed.lines().skip(2).map(|line| format!("{}\n", line.trim_end())).collect();
    let text = project();
    let shown = blocks(&text, "text").next().expect("the README shows a table");
    settle(PROJECT, &text, &text.replacen(shown, &printed, 1));
}

/// What stands in the blocks of one language.
fn blocks<'t>(text: &'t str, language: &str) -> impl Iterator<Item = &'t str> {
    let start = format!("```{language}\n");
    let parts: Vec<&str> = text.split(&start).skip(1).collect();
    parts.into_iter().filter_map(|rest| Some(rest.split_once("```")?.0))
}

/// A new folder with the data that scenarios refer to.
fn workshop(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    let data = folder.join("data");
    std::fs::create_dir_all(&data).expect("a folder can be made");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    if name == "examples" {
        for entry in std::fs::read_dir(source).expect("there are data") {
            let path = entry.expect("they can be listed").path();
            std::fs::copy(&path, data.join(path.file_name().unwrap_or_default()))
                .expect("they can be copied");
        }
        std::fs::write(data.join("arrivals.txt"), "0.5\n1\n2.25\n").expect("it can be written");
        std::fs::write(data.join("outages.csv"), "node,down_s,up_s\n0,4000,4600\n1,4200,\n")
            .expect("it can be written");
        std::fs::write(data.join("rtt.csv"), "rtt_ms\n10\n12\n31\n").expect("it can be written");
    } else {
        std::fs::remove_dir(data).expect("it is empty");
    }
    folder
}

/// Every table that a scenario may hold, by its path.
fn sections() -> Vec<(String, Fields)> {
    let mut found = Vec::new();
    collect("scenario", &Scenario::shape(), &mut found);
    if let Shape::Either(shapes) = Spec::shape() {
        shapes.iter().for_each(|shape| collect("law", shape, &mut found));
    }
    found
}

fn collect(path: &str, shape: &Shape, found: &mut Vec<(String, Fields)>) {
    match shape {
        shape if *shape == Spec::shape() => {}
        Shape::List { of, .. } => collect(path, of, found),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| collect(path, shape, found)),
        Shape::Table(fields) if found.iter().all(|(_, known)| known != fields) => {
            found.push((path.to_owned(), fields.clone()));
            for field in &fields.plain {
                let path = match path {
                    "scenario" => field.name.clone(),
                    _ => format!("{path}.{}", field.name),
                };
                collect(&path, &field.shape, found);
            }
        }
        _ => {}
    }
}

/// The keys of a table, as Markdown.
fn table(fields: &Fields) -> String {
    let mut text = String::from("\n| key | takes | default | meaning |\n| :-- | :-- | :-- | :-- |\n");
    for tagged in &fields.tagged {
        for variant in &tagged.variants {
            let tag = format!("`{} = \"{}\"`", tagged.tag, variant.name);
            let _ = writeln!(text, "| **{tag}** | | | {} |", escaped(&variant.about));
            variant.fields.plain.iter().for_each(|field| text.push_str(&row(field)));
        }
        if !fields.plain.is_empty() {
            let _ = writeln!(text, "| **any `{}`** | | | |", tagged.tag);
        }
    }
    fields.plain.iter().for_each(|field| text.push_str(&row(field)));
    text.push('\n');
    text
}

fn row(field: &Field) -> String {
    let default = match (&field.default, &field.shape) {
        _ if field.required => "required".into(),
        (None, _) | (_, Shape::Table(_)) => String::new(),
        (Some(huge), _) if *huge == i64::MAX.to_string() => "no limit".into(),
        (Some(default), _) => format!("`{default}`"),
    };
    let (takes, about) = (escaped(&takes(&field.shape)), escaped(&field.about));
    format!("| `{}` | {takes} | {default} | {about} |\n", field.name)
}

/// What a key takes, in a word or two.
fn takes(shape: &Shape) -> String {
    match shape {
        shape if *shape == Spec::shape() => "[law](#laws)".into(),
        shape if *shape == Selector::shape() => "[nodes](#nodes)".into(),
        shape if *shape == Threshold::shape() => "bound".into(),
        Shape::List { of, .. } if matches!(**of, Shape::Table(_)) => "list of tables".into(),
        Shape::List { of, .. } => format!("list of {}", takes(of)),
        Shape::Map(of) if **of == Shape::Any => "table".into(),
        shape => shape.kind(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
