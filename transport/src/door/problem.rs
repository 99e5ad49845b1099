//! Errors as a client reads them: problem details, RFC 9457.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::node::Failure;

/// The media type of problem details.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was refused.
#[derive(Clone, Debug)]
pub struct Problem {
    /// As the head of the answer says it.
    pub status: StatusCode,
    /// What is wrong, and what to do.
    pub detail: String,
}

impl Problem {
    /// With this status, and these words.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    /// A request that cannot be understood.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// As the body of an answer.
    #[must_use]
    pub fn json(&self) -> String {
        let title = self.status.canonical_reason().unwrap_or("Error");
        json!({ "type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail })
            .to_string()
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let status = match failure {
            Failure::Unreadable(_) => StatusCode::BAD_REQUEST,
            Failure::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Failure::Busy | Failure::Down => StatusCode::SERVICE_UNAVAILABLE,
            Failure::Refused(_) => StatusCode::CONFLICT,
            Failure::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Failure::NotOffered => StatusCode::FORBIDDEN,
        };
        Self::new(status, failure.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.json()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}
