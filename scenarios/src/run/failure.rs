//! What ends a run before its time: a panic, or no end in sight.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use seedbed_core::contract::Time;

/// A run that came to no proper end: it violates a check that every run owes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// Which.
    pub owed: Owed,
    /// When, if the run had begun.
    pub at: Option<Time>,
    /// What was seen.
    pub message: String,
}

/// What every run owes, whatever its scenario asks.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Owed {
    /// No protocol panics, whatever it is told.
    NoPanic,
    /// It ends, and fits in memory.
    BoundedRun,
    /// The machine gives a real run what it needs.
    Machine,
}

impl Owed {
    /// What reports call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoPanic => "no-panic",
            Self::BoundedRun => "bounded-run",
            Self::Machine => "machine",
        }
    }

    /// One line.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::NoPanic => "every run ends without a panic",
            Self::BoundedRun => "every run ends within `run.events_max` events and in bounded memory",
            Self::Machine => {
                "the machine gives every node of a real run its sockets, its threads and its disk"
            }
        }
    }
}

thread_local! {
    static IS_CATCHING: Cell<bool> = const { Cell::new(false) };
    static LAST_WORDS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Does something; of a panic, what it said and where. It is reported with the run, not in the midst of a progress bar.
pub(crate) fn caught<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| if IS_CATCHING.get() { note(info) } else { usual(info) }));
    });
    IS_CATCHING.set(true);
    let done = catch_unwind(AssertUnwindSafe(act));
    IS_CATCHING.set(false);
    done.map_err(|_| LAST_WORDS.take())
}

fn note(info: &PanicHookInfo<'_>) {
    let said = info.payload_as_str().unwrap_or("a panic without words");
    let place = info.location().map_or_else(String::new, |place| format!(", at {place}"));
    LAST_WORDS.set(format!("{said}{place}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_words_and_its_place() {
        assert_eq!(caught(|| 5), Ok(5));
        let words = caught(|| -> u8 { panic!("not {}", 7) }).unwrap_err();
        assert!(words.starts_with("not 7, at ") && words.contains("failure.rs:"), "{words}");
    }
}
