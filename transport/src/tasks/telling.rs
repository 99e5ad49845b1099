//! Tasks and workers as JSON.

use data_encoding::{BASE64, HEXLOWER};
use seedbed_core::contract::BlobId;
use seedbed_core::scheduler::cluster::{Summary, TaskStatus, WorkerStatus};
use seedbed_core::scheduler::hub::Stage;
use seedbed_core::scheduler::trust::Identity;
use serde_json::{Value, json};

/// A task without its answer, as lists have it.
pub(super) fn task(status: &TaskStatus) -> Value {
    let mut told = json!({
        "task": status.task.0,
        "name": status.name,
        "user": status.user.0,
        "stage": status.stage.name(),
        "attempts": status.attempts,
        "submitted_ns": status.submitted.0,
    });
    match status.stage {
        Stage::Validated(accepted) => {
            // Nobody, if the hub computed it itself.
            if accepted.answer != Identity::HUB {
                told["answered_by"] = accepted.answer.0.into();
            }
            told["confidence"] = accepted.confidence.value().into();
        }
        Stage::Failed(failure) => told["reason"] = failure.to_string().into(),
        _ => {}
    }
    told
}

/// A task with its answer: as text, or in base64 where it is none.
pub(super) fn task_with_answer(status: &TaskStatus) -> Value {
    let mut told = task(status);
    if let Some(answer) = &status.answer {
        match std::str::from_utf8(answer) {
            Ok(text) => told["answer"] = text.into(),
            Err(_) => told["answer_base64"] = BASE64.encode(answer).into(),
        }
    }
    told
}

pub(super) fn worker(status: &WorkerStatus) -> Value {
    let mut told = json!({
        "worker": status.worker.0,
        "is_there": status.capacity.is_some(),
        "copies": status.copies,
        "free_cores": status.free_cores,
        "trust": status.trust.value(),
        "spot_checks_passed": status.passed,
        "valid": status.valid,
        "invalid": status.invalid,
        "is_blacklisted": status.is_blacklisted,
    });
    if let Some(capacity) = &status.capacity {
        told["cores"] = capacity.cores.into();
        told["ram_bytes"] = capacity.ram.0.into();
        told["tags"] = capacity.tags.clone().into();
        told["speed"] = capacity.speed.value().into();
    }
    told
}

pub(super) fn summary(summary: &Summary) -> Value {
    json!({
        "submitted": summary.submitted,
        "open": summary.open,
        "validated": summary.validated,
        "failed": summary.failed,
        "cancelled": summary.cancelled,
        "workers": summary.workers,
        "cores": summary.cores,
        "free_cores": summary.free_cores,
    })
}

/// As tasks name it.
pub(super) fn module(id: BlobId) -> String {
    HEXLOWER.encode(&id.0)
}

#[cfg(test)]
mod tests {
    use seedbed_core::contract::Time;
    use seedbed_core::scheduler::hub::{Failure, TaskId, UserId};
    use seedbed_core::scheduler::trust::{Accepted, Fixed};

    use super::*;

    fn status(stage: Stage, answer: Option<&'static [u8]>) -> TaskStatus {
        TaskStatus {
            task: TaskId(7),
            name: "seven".into(),
            user: UserId(2),
            stage,
            attempts: 1,
            submitted: Time::ZERO,
            answer: answer.map(Into::into),
        }
    }

    #[test]
    fn a_task_is_told_with_what_became_of_it() {
        let accepted = Accepted { answer: Identity(3), confidence: Fixed::of(0.75) };
        let mut expected = json!({
            "task": 7, "name": "seven", "user": 2, "stage": "validated", "attempts": 1, "submitted_ns": 0,
            "answered_by": 3, "confidence": 0.75,
        });
        let validated = status(Stage::Validated(accepted), Some(b"42"));
        assert_eq!(task(&validated), expected);
        expected["answer"] = "42".into();
        assert_eq!(task_with_answer(&validated), expected);
        let bytes = task_with_answer(&status(Stage::Validated(accepted), Some(b"\xff\0")));
        assert_eq!((&bytes["answer"], &bytes["answer_base64"]), (&Value::Null, &"/wA=".into()));
        let failed = task_with_answer(&status(Stage::Failed(Failure::Unclaimed), None));
        assert_eq!(
            (&failed["stage"], &failed["reason"]),
            (&"failed".into(), &"no worker could take it".into())
        );
    }
}
