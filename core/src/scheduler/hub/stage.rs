//! The life of a task.

use serde::{Deserialize, Serialize};

use super::entry::TaskId;
use crate::scheduler::trust::{Accepted, Reason};

/// Where a task is in its life. [`may_become`](Stage::may_become) has all that can follow.
///
/// ```text
/// Waiting --> Queued <--> Running --> Validated
///               ^            |
///               +- Resting <-+          any but the last three --> Failed, Cancelled
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Stage {
    /// Not all that it depends on is validated.
    Waiting,
    /// It may run, and nobody has it.
    Queued,
    /// At least one worker has it under a lease.
    Running,
    /// An attempt failed; the next one begins when its back-off is over.
    Resting,
    /// An answer is accepted. The end.
    Validated(Accepted),
    /// It will not be done. The end.
    Failed(Failure),
    /// Its user wants it no more. The end.
    Cancelled,
}

/// Why a task will not be done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
pub enum Failure {
    /// No answer was accepted, in none of its attempts.
    #[error("no answer was accepted: {0}")]
    Invalid(Reason),
    /// For as long as the hub is patient there was nobody who could take it: too small, not trusted enough, or gone.
    #[error("no worker could take it")]
    Unclaimed,
    /// It depends on a task that failed or was cancelled.
    #[error("it depends on task {}, which will not be done", .0.0)]
    Dependency(TaskId),
}

impl Stage {
    /// What stages are called.
    pub const NAMES: [&'static str; 7] =
        ["waiting", "queued", "running", "resting", "validated", "failed", "cancelled"];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::NAMES[match self {
            Self::Waiting => 0,
            Self::Queued => 1,
            Self::Running => 2,
            Self::Resting => 3,
            Self::Validated(_) => 4,
            Self::Failed(_) => 5,
            Self::Cancelled => 6,
        }]
    }

    /// Whether the task's life is over.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Validated(_) | Self::Failed(_) | Self::Cancelled)
    }

    /// Whether it may be given to workers now.
    #[must_use]
    pub const fn is_ready(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    /// Whether a task may go from this stage straight to the next.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (ended, _) if ended.is_final() => false,
            (_, Self::Failed(_) | Self::Cancelled) => true,
            (Self::Waiting | Self::Resting, Self::Queued) => true,
            (Self::Queued, Self::Running | Self::Resting) => true,
            (Self::Running, Self::Queued | Self::Resting) => true,
            // A late answer may decide a task that nobody has any more.
            (Self::Queued | Self::Running, Self::Validated(_)) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::trust::{Fixed, Identity};

    #[test]
    fn what_may_follow_what() {
        let validated = Stage::Validated(Accepted { answer: Identity(1), confidence: Fixed::ONE });
        let failed = Stage::Failed(Failure::Unclaimed);
        let all = [
            Stage::Waiting,
            Stage::Queued,
            Stage::Running,
            Stage::Resting,
            validated,
            failed,
            Stage::Cancelled,
        ];
        let followers = |stage: Stage| -> Vec<usize> {
            (0..all.len()).filter(|next| stage.may_become(all[*next])).collect()
        };
        assert_eq!(
            all.map(followers),
            [vec![1, 5, 6], vec![2, 3, 4, 5, 6], vec![1, 3, 4, 5, 6], vec![1, 5, 6], vec![], vec![], vec![]]
        );
    }
}
