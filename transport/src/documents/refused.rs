//! What a refusal of the replica is in the terms of HTTP.

use axum::http::StatusCode;
use seedbed_core::sync::Refusal;
use seedbed_core::sync::replica::Reply;

use crate::door::Problem;

/// A refusal as problem details.
pub(super) fn problem(refusal: &Refusal) -> Problem {
    Problem::new(status(refusal), refusal.to_string())
}

/// An answer that no command of this kind has: the replica speaks another language than its door.
pub(super) fn unexpected(reply: Reply) -> Problem {
    match reply {
        Reply::Refused(refusal) => problem(&refusal),
        _ => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the replica answered something else"),
    }
}

const fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NoSuchCollection | Refusal::NoSuchDocument => StatusCode::NOT_FOUND,
        Refusal::CollectionExists | Refusal::DocumentExists | Refusal::TooManyCollections(_) => {
            StatusCode::CONFLICT
        }
        Refusal::HasChanged => StatusCode::PRECONDITION_FAILED,
        Refusal::TooLarge { .. } | Refusal::StateTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::BadJson(_) | Refusal::BadToken | Refusal::TooManyFilters { .. } => StatusCode::BAD_REQUEST,
        Refusal::StaleToken => StatusCode::GONE,
        Refusal::NotAnObject
        | Refusal::BadId
        | Refusal::OtherId
        | Refusal::BadName { .. }
        | Refusal::TooDeep { .. }
        | Refusal::TooManyFields { .. }
        | Refusal::TooManyWriters(_)
        | Refusal::WrongKind { .. }
        | Refusal::CounterOverflow(_)
        | Refusal::BadSchema(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
        Refusal::Clock(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
