//! Replicated documents over HTTP: collections under `/api/v1/collections`, their documents below them.
//!
//! A version is the hash of a document's state, so it is a strong `ETag`; conditions on it (RFC 9110, section 13) are carried
//! out by the replica in the step that writes. Changes come as merge patches (RFC 7396), or as whole documents. What is
//! answered to a write is on the disk of the replica that was asked; its peers hear of it at once, or when they can.

mod bulk;
mod condition;
mod feed;
pub(crate) mod query;
mod reading;
mod refused;
mod routes;
pub(crate) mod target;
mod writing;

use seedbed_core::sync::replica::Replica;

use crate::door::Resources;

/// What replicas have at their doors.
#[must_use]
pub fn resources() -> Resources<Replica> {
    Resources { routes: routes::ROUTES, schemas: routes::schemas }
}
