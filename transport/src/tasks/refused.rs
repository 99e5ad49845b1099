//! What a refusal of the hub is in the terms of HTTP.

use axum::http::StatusCode;
use seedbed_core::scheduler::cluster::{Refusal, Reply};

use crate::door::Problem;

/// An answer that is no answer to this command: a refusal, or the hub speaks another language than its door.
pub(super) fn unexpected(reply: Reply) -> Problem {
    match reply {
        Reply::Refused(refusal) => Problem::new(status(&refusal), refusal.to_string()),
        _ => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the hub answered something else"),
    }
}

const fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Submission(_) | Refusal::NoStage(_) | Refusal::Module => StatusCode::BAD_REQUEST,
        Refusal::NoTask(_) => StatusCode::NOT_FOUND,
        Refusal::NotYours(_) => StatusCode::CONFLICT,
        Refusal::NotTheHub => StatusCode::MISDIRECTED_REQUEST,
        Refusal::Crowded | Refusal::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Full => StatusCode::INSUFFICIENT_STORAGE,
        Refusal::Unreadable => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
