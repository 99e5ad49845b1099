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
