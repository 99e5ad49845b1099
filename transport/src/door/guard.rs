//! Who may come in.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::app::App;
use super::problem::Problem;
use super::route::{Access, Operation};

/// Stands before an operation, or before the answer that there is none.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) app: Arc<App>,
    pub(super) operation: Option<&'static Operation>,
}

/// Refuses requests that are not addressed to this door, and who must show the token and does not; says what browsers may do
/// with answers.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Guard { app, operation } = guard;
    let mut response = match is_for_us(&app, &request) {
        Err(problem) => problem.into_response(),
        Ok(()) => {
            let access = operation.map_or(Access::Anyone, |operation| operation.access);
            let response = match may_pass(&app, access, request.headers()) {
                Ok(()) => next.run(request).await,
                Err(problem) => problem.into_response(),
            };
            if let Some(operation) = operation {
                app.requests().count(operation.path, response.status());
            }
            response
        }
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

fn is_for_us(app: &App, request: &Request) -> Result<(), Problem> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Problem::bad_request("expected one Host header"));
    };
    let host: Option<Authority> = host.to_str().ok().and_then(|host| host.parse().ok());
    let Some(host) = host.filter(|host| !host.as_str().contains('@')) else {
        return Err(Problem::bad_request("the Host header is no host"));
    };
    let is_known = |authority: &Authority| {
        let host = authority.host();
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        literal.parse::<IpAddr>().is_ok()
            || host.eq_ignore_ascii_case("localhost")
            || app.settings().names.iter().any(|name| name.eq_ignore_ascii_case(host))
    };
    if is_known(&host) && request.uri().authority().is_none_or(is_known) {
        return Ok(());
    }
    let detail = format!(
        "this is not {}: use an IP address or localhost, or name it in the node's configuration",
        host.host()
    );
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail))
}

fn may_pass(app: &App, access: Access, headers: &HeaderMap) -> Result<(), Problem> {
    let is_free = match access {
        Access::Anyone => true,
        Access::Reader => app.is_on_loopback(),
        Access::Writer => false,
    };
    if is_free {
        return Ok(());
    }
    let Some(token) = &app.settings().token else {
        let detail = "this door has no token, so nobody may change anything: give the node a token file";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    };
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let is_right = match (shown.next(), shown.next()) {
        (Some(shown), None) => bearer(shown.as_bytes()).is_some_and(|shown| token.is(shown)),
        _ => false,
    };
    if is_right {
        return Ok(());
    }
    let detail = "expected the header `Authorization: Bearer TOKEN` with the token of this node";
    Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
}

fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = header.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| rest.trim_ascii())
}

const SCHEME: &[u8] = b"Bearer ";
