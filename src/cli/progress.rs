//! How far a long run is: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The progress of one experiment, on standard error.
pub(super) struct Progress {
    name: String,
    runs: usize,
    bar: Option<ProgressBar>,
    /// Tenths that have been told, where there is no bar.
    told: AtomicUsize,
}

impl Progress {
    pub(super) fn new(name: &str, runs: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar =
                ProgressBar::with_draw_target(Some(runs as u64), ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} runs, {eta} left");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(name.to_owned());
            bar
        });
        Self { name: name.into(), runs, bar, told: AtomicUsize::new(0) }
    }

    /// So many runs are done.
    pub(super) fn at(&self, done: usize) {
        match &self.bar {
            Some(bar) => bar.set_position(done as u64),
            None => {
                let tenth = done * 10 / self.runs.max(1);
                if self.told.fetch_max(tenth, Ordering::Relaxed) < tenth {
                    // Nobody may be listening.
                    let _ = writeln!(std::io::stderr(), "{}: {done} of {} runs", self.name, self.runs);
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
