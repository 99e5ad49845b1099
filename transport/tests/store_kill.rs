//! `kill -9`, again and again: what was acknowledged is there.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use seedbed_core::contract::Tag;
use seedbed_transport::store::log::{Log, Options};
use seedbed_transport::store::{Opened, Store};

const DIR: &str = "SEEDBED_TEST_STORE";
/// Records of which tag zero has at most this many; the rest are in a checkpoint's sum.
const CHECKPOINT: u64 = 50;

fn open(dir: &str) -> Opened<Log> {
    let options = Options { create: true, segment: 16 << 10, ..Options::default() };
    Log::open(dir.as_ref(), options).expect("a store that opens")
}

/// The highest number in a log: one record each, those up to a multiple replaced by that one.
fn highest(log: &[(Tag, Vec<u8>)]) -> u64 {
    let numbers = log.iter().map(|(_, record)| u64::from_le_bytes(*record.first_chunk().expect("a number")));
    let numbers: Vec<u64> = numbers.collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap in {numbers:?}");
    assert!(numbers.first().is_none_or(|first| *first == 1 || first % CHECKPOINT == 0), "{numbers:?}");
    numbers.last().copied().unwrap_or(0)
}

/// Run by the test below in a process of its own: writes until it is killed.
#[test]
#[ignore = "runs in a process of its own"]
fn writer() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let Opened { mut store, log, .. } = open(&dir);
    let mut out = std::io::stdout();
    for number in highest(&log) + 1.. {
        let record =
            number.to_le_bytes().into_iter().cycle().take(8 + number as usize % 300).collect::<Vec<u8>>();
        if number % CHECKPOINT == 0 {
            store.checkpoint(Tag(0), &[record]).expect("room");
        } else {
            store.append(Tag(0), &record).expect("room");
        }
        if number % 3 == 0 {
            store.sync().expect("a disk");
            if writeln!(out, "\nacknowledged {number}").is_err() {
                return;
            }
        }
    }
}

fn spawn(dir: &str) -> Child {
    let program = std::env::current_exe().expect("this test");
    let mut command = Command::new(program);
    command.args(["--exact", "writer", "--ignored", "--nocapture"]).env(DIR, dir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("a process")
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir: PathBuf = std::env::temp_dir().join(format!("seedbed-kill-{}", std::process::id()));
    let path = dir.to_str().expect("a path").to_owned();
    let mut least = 0;
    for round in 0..20_u64 {
        let mut child = spawn(&path);
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let (mut heard, mut acknowledged) = (0, least);
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line.strip_prefix("acknowledged ") {
                acknowledged = number.parse().expect("a number");
                heard += 1;
            }
            // The pipe holds what was said before the end; all of it counts.
            if heard == 1 + round * 7 {
                child.kill().expect("a process");
            }
        }
        child.wait().expect("a process");
        let Opened { log, life, .. } = open(&path);
        let highest = highest(&log);
        assert!(highest >= acknowledged && acknowledged > least, "{highest} of {acknowledged}");
        assert_eq!(u64::from(life.0), round * 2 + 1);
        least = acknowledged;
    }
    std::fs::remove_dir_all(dir).expect("a folder");
}
