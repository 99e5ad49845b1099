//! A folder of its own for each test, and the command as a user runs it there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder that was empty when the test began.
pub(crate) struct Bed {
    folder: PathBuf,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Three nodes, a leader that crashes, one axis of three values: a run takes a few milliseconds.
pub(crate) const SMALL: &str = r#"
title = "A small scenario"
protocol = "raft"

[run]
duration = "20s"
heal = "10s"
seeds = 3

[cluster]
nodes = 3

[params]
timeout_min = "300ms"
timeout_max = "600ms"

[[fault]]
name = "leader-crash"
kind = "crash"
target = "leader"
every = { law = "exponential", mean = "4s" }
lasts = "1s"

[[fault]]
kind = "lossy"
at = "5s"
lasts = "3s"
loss = 0.3

[[sweep]]
key = "params.heartbeat"
name = "heartbeat"
values = ["50ms", "100ms", "150ms"]

[[chart]]
name = "gaps"
kind = "cdf"
y = "unavailable_ms"
group = "heartbeat"

[[chart]]
name = "one-run"
kind = "timeline"
group = "heartbeat"

[[table]]
name = "elections"
rows = "heartbeat"
cell = "elections"

[quick]
run.seeds = 1
run.duration = "5s"
"#;

impl Bed {
    /// An empty folder of this name.
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder for the test");
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), text).expect("a file of the test");
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// The command with these arguments, run in this folder.
    pub(crate) fn seedbed<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Told {
        let Output { status, stdout, stderr } = self.command(arguments).output().expect("the command runs");
        Told {
            code: status.code().expect("it ends by itself"),
            out: String::from_utf8(stdout).expect("standard output is text"),
            err: String::from_utf8(stderr).expect("standard error is text"),
        }
    }

    /// The same, not started yet.
    pub(crate) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seedbed"));
        command.args(arguments).current_dir(&self.folder).env_remove("COLUMNS");
        command
    }

    /// Runs a scenario into a folder; every check is to hold.
    pub(crate) fn run(&self, file: &str, out: &str, more: &[&str]) -> Told {
        let told = self.seedbed(["run", file, "--out", out].into_iter().chain(more.iter().copied()));
        assert_eq!(told.code, 0, "{}{}", told.out, told.err);
        told
    }

    /// Every file below a folder with its bytes, but for `run.json`.
    pub(crate) fn files(&self, folder: &str) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.path(folder)];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(&next).expect("a folder") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => {
                        let name = path.strip_prefix(self.path(folder)).expect("below it");
                        files.push((name.display().to_string(), fs::read(&path).expect("a file")));
                    }
                }
            }
        }
        files.retain(|(name, _)| name != "run.json");
        files.sort();
        files
    }

    /// A table of a run folder: its records by the names of its header.
    pub(crate) fn table(&self, file: &str) -> Vec<Record> {
        let mut records = csv(&self.read(file)).into_iter();
        let header = records.next().expect("a header");
        records.map(|fields| Record { header: header.clone(), fields }).collect()
    }
}

/// A record of a CSV file.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    header: Vec<String>,
    fields: Vec<String>,
}

impl Record {
    pub(crate) fn get(&self, name: &str) -> &str {
        let place = self.header.iter().position(|column| column == name);
        &self.fields[place.unwrap_or_else(|| panic!("no column {name}"))]
    }
}

/// Reads what RFC 4180 allows, with LF for line ends, and nothing else.
pub(crate) fn csv(text: &str) -> Vec<Vec<String>> {
    assert!(text.ends_with('\n'), "the last record has its line end");
    let (mut records, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let mut fields = Vec::new();
        loop {
            let (field, after) = field(rest);
            fields.push(field);
            rest = &after[1..];
            match after.as_bytes()[0] {
                b',' => {}
                b'\n' => break,
                other => panic!("`{}` after a field", other as char),
            }
        }
        records.push(fields);
    }
    assert!(records.iter().all(|fields| fields.len() == records[0].len()), "as many fields in each record");
    records
}

/// One field, and what follows it.
fn field(text: &str) -> (String, &str) {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).expect("a field has an end");
        assert!(!text[..end].contains(['"', '\r']), "a quote in a field without quotes: {}", &text[..end]);
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut field = String::new();
    loop {
        let end = rest.find('"').expect("a quote has an end");
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            None => return (field, rest),
            Some(after) => {
                field.push('"');
                rest = after;
            }
        }
    }
}
