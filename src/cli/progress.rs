//! How far a long run is: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The progress of something long, on standard error.
pub(super) struct Progress {
    name: String,
    unit: &'static str,
    total: usize,
    bar: Option<ProgressBar>,
    /// Tenths that have been told, where there is no bar.
    told: AtomicUsize,
}

impl Progress {
    /// Of so many units, such as runs; `bytes` are shown as such.
    pub(super) fn new(name: &str, total: usize, unit: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar =
                ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr_with_hz(10));
            let count = match unit {
                "bytes" => "{bytes}/{total_bytes}".to_owned(),
                unit => format!("{{pos}}/{{len}} {unit}"),
            };
            let style =
                ProgressStyle::with_template(&format!("{{prefix}} {{wide_bar}} {count}, {{eta}} left"));
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(name.to_owned());
            bar
        });
        Self { name: name.into(), unit, total, bar, told: AtomicUsize::new(0) }
    }

    /// So many are done.
    pub(super) fn at(&self, done: usize) {
        match &self.bar {
            Some(bar) => bar.set_position(done as u64),
            None => {
                let tenth = done.saturating_mul(10) / self.total.max(1);
                if self.told.fetch_max(tenth, Ordering::Relaxed) < tenth {
                    // Nobody may be listening.
                    let _ =
                        writeln!(std::io::stderr(), "{}: {done} of {} {}", self.name, self.total, self.unit);
                }
            }
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
