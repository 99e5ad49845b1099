//! What a node tells whoever runs it: lines on standard error.

use std::fmt::Display;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::LogLevel;

/// Writes lines, with their time and how much they matter. Clones write to the same place.
#[derive(Clone, Debug)]
pub(super) struct Log {
    level: LogLevel,
    flood: Arc<Mutex<Flood>>,
}

/// Bounds the lines: who knocks a thousand times a second at a door must not fill a disk.
#[derive(Debug)]
struct Flood {
    since: Instant,
    lines: u32,
    left_out: u64,
}

/// In [`PERIOD`], at most so many lines are written, and then one that counts the others.
const LINES_MAX: u32 = 200;
const PERIOD: Duration = Duration::from_secs(1);

impl Log {
    pub(super) fn new(level: LogLevel) -> Self {
        let flood = Flood { since: Instant::now(), lines: 0, left_out: 0 };
        Self { level, flood: Arc::new(Mutex::new(flood)) }
    }

    pub(super) fn warn(&self, what: impl Display) {
        self.write(LogLevel::Warn, &what);
    }

    pub(super) fn info(&self, what: impl Display) {
        self.write(LogLevel::Info, &what);
    }

    pub(super) fn debug(&self, what: impl Display) {
        self.write(LogLevel::Debug, &what);
    }

    fn write(&self, level: LogLevel, what: &dyn Display) {
        if level > self.level {
            return;
        }
        let mut flood = self.flood.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left_out) = flood.admit(Instant::now()) else { return };
        let mut text = String::new();
        if left_out > 0 {
            text += &line(LogLevel::Warn, &format!("{left_out} lines are left out here"));
        }
        text += &line(level, &what.to_string());
        // Nobody may be listening.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

impl Flood {
    /// Whether a line may be written, and how many were not since the last one.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.since) >= PERIOD {
            (self.since, self.lines) = (now, 0);
        }
        if self.lines == LINES_MAX {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// One line, whatever is in it.
fn line(level: LogLevel, what: &str) -> String {
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    let what = what.replace(|c: char| c.is_control(), " ");
    format!("{time} {level:<5} {what}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_written() {
        let start = Instant::now();
        let mut flood = Flood { since: start, lines: 0, left_out: 0 };
        let admitted = (0..500).filter_map(|_| flood.admit(start)).count();
        assert_eq!(admitted, LINES_MAX as usize);
        assert_eq!(flood.admit(start + PERIOD), Some(500 - u64::from(LINES_MAX)));
        assert_eq!(flood.admit(start + PERIOD), Some(0));
    }

    #[test]
    fn a_line_is_one_line() {
        let text = line(LogLevel::Warn, "refused a\nb\x1b[0m");
        assert!(text.ends_with(" warn  refused a b [0m\n"), "{text}");
    }
}
