//! What must one day be replicated.

use super::{Data, Time};

/// A deterministic state machine behind a log: equal logs make equal machines.
///
/// Time and draws come *in the entry*, never from the node that applies it. A shell logs entries with `Persist`
/// today and through a replicated log later, and acts only on outputs.
pub trait Machine: Clone {
    /// What is logged.
    type Entry: Data;
    /// What the shell is to do.
    type Output;

    /// Applies one entry that was written at `at` (the writer's clock, as logged).
    fn apply(&mut self, at: Time, entry: &Self::Entry) -> Vec<Self::Output>;
}
