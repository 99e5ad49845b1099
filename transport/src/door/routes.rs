//! What every door answers, whatever its node runs.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use serde::Serialize;

use super::app::App;
use super::guard;
use super::keys::{Revoke, Rotate};
use super::metrics;
use super::node::{Failure, Faults, Figure};
use super::openapi;
use super::problem::Problem;
use super::resources::{Front, Served};
use super::route::{Answer, Body, Operation, Parameter, Place, Route};
use super::stream::Cursor;

const ROUTES: &[Route<Arc<App>>] = &[
    Route {
        operation: Operation::read(
            "/",
            "A page that shows the node, live.",
            &[(200, "The page.", Body::Html)],
        )
        .open(),
        handler: || get(page),
    },
    Route {
        operation: Operation::read(
            "/healthz",
            "Whether the process lives.",
            &[(200, "It does.", Body::Text)],
        )
        .open(),
        handler: || get(async || "ok\n"),
    },
    Route {
        operation: Operation::read(
            "/readyz",
            "Whether the node can be asked.",
            &[(200, "It can.", Body::Text), (503, "It is down.", Body::Problem)],
        )
        .open(),
        handler: || get(ready),
    },
    Route {
        operation: Operation::read(
            "/metrics",
            "What the node counts, for Prometheus.",
            &[(200, "All figures.", Body::Text)],
        ),
        handler: || get(figures),
    },
    Route {
        operation: Operation::read(
            "/api/v1/status",
            "All that a person wants to know of the node at a glance.",
            &[(200, "The node as it is now.", Body::Json("Status"))],
        ),
        handler: || get(status),
    },
    Route {
        operation: Operation::read(
            "/api/v1/events",
            "What has happened to the node, from the oldest event that is held or after one that is named, and \
             what happens next.",
            &[
                (200, "Events, each with its number as id; `gap` where some are missed.", Body::Events),
                (400, "The number of an event cannot be read.", Body::Problem),
                (503, "Too many streams.", Body::Problem),
            ],
        )
        .with(EVENTS),
        handler: || get(events),
    },
    Route {
        operation: Operation::write(
            "post",
            "/api/v1/commands",
            "Gives the node a command of its protocol, and waits for the reply.",
            &[
                (200, "The reply.", Body::Json("Reply")),
                (400, "The protocol has no such command.", Body::Problem),
                (503, "The node is down, or too much waits for it.", Body::Problem),
                NO_ANSWER,
            ],
        )
        .taking(Body::Json("Command")),
        handler: || post(command),
    },
    Route {
        operation: Operation::write(
            "post",
            "/api/v1/faults",
            "Cuts and heals links of the node, if its configuration allows that.",
            &[
                (200, "What is cut now.", Body::Json("Cuts")),
                (400, "The faults cannot be read.", Body::Problem),
            ],
        )
        .taking(Body::Json("Faults")),
        handler: || post(faults),
    },
    Route {
        operation: Operation::read(
            "/api/v1/members",
            "Who belongs to the cluster, with which keys, and which keys are revoked.",
            &[
                (200, "The members as this node knows them.", Body::Json("MemberList")),
                (403, "The node has no keys.", Body::Problem),
            ],
        ),
        handler: || get(members),
    },
    Route {
        operation: Operation::write(
            "post",
            "/api/v1/keys/revoke",
            "Takes a key, or all keys of a member, out of the cluster for good. All members are told, and end live \
             connections that were made with them.",
            &[
                (200, "The keys, and who has not been told yet.", Body::Json("Revoked")),
                (400, "There is no such member or key.", Body::Problem),
                (409, "The key is that of the node that is asked, or the node has no vote.", Body::Problem),
                (500, "The node could not write it down.", Body::Problem),
            ],
        )
        .taking(Body::Json("Revoke")),
        handler: || post(revoke),
    },
    Route {
        operation: Operation::write(
            "post",
            "/api/v1/keys/rotate",
            "Gives the node a new key, which it makes itself. All members are told; both keys are good for a while.",
            &[
                (200, "Both keys, and who has not been told yet.", Body::Json("Rotated")),
                (400, "The overlap is too short or too long.", Body::Problem),
                (409, "The key is being replaced already.", Body::Problem),
                (500, "The node could not write it down.", Body::Problem),
            ],
        )
        .taking(Body::Json("Rotate")),
        handler: || post(rotate),
    },
    Route {
        operation: Operation::read(
            "/api/v1/openapi.json",
            "This description.",
            &[(200, "OpenAPI 3.1.", Body::AnyJson)],
        )
        .open(),
        handler: || get(describe),
    },
];

const NO_ANSWER: Answer =
    (504, "The node did not answer in time; the command may yet be done.", Body::Problem);

const EVENTS: &[Parameter] = &[
    Parameter {
        name: "after",
        place: Place::Query,
        about: "Events after this number only.",
        schema: openapi::natural,
    },
    Parameter {
        name: "follow",
        place: Place::Query,
        about: "Whether to wait for what happens next.",
        schema: || serde_json::json!({ "type": "boolean", "default": true }),
    },
    Parameter {
        name: "Last-Event-ID",
        place: Place::Header,
        about: "As `after`, and counts more.",
        schema: openapi::natural,
    },
];

/// All routes, guarded: those of every door, and those of what the node runs.
pub(super) fn router(app: &Arc<App>) -> Router {
    let Served { routes, schemas } = app.node().served(&Front(Arc::clone(app)));
    let own = ROUTES.iter().map(|route| (&route.operation, (route.handler)().with_state(Arc::clone(app))));
    let all: Vec<(&Operation, MethodRouter)> = own.chain(routes).collect();
    app.describe(openapi::document(all.iter().map(|(operation, _)| *operation), schemas));
    // One layer each: every layer costs a request a copy of all that is below it.
    let guard = |operation| {
        middleware::from_fn_with_state(guard::Guard { app: Arc::clone(app), operation }, guard::guard)
    };
    let mut router = Router::new();
    for (operation, handler) in all {
        router = router.route(operation.path, handler.layer(guard(Some(operation))));
    }
    let unknown = async |uri: Uri| {
        let detail = format!("there is no {}: see /api/v1/openapi.json", uri.path());
        Problem::new(StatusCode::NOT_FOUND, detail)
    };
    let wrong_method = async || {
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "see /api/v1/openapi.json for what can be done here")
    };
    router.fallback(unknown.layer(guard(None))).method_not_allowed_fallback(wrong_method.layer(guard(None)))
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn page() -> Response {
    let mut response = axum::response::Html(include_str!("page.html")).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// The page holds all that it needs, and speaks with its door only.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

async fn describe(State(app): State<Arc<App>>) -> Response {
    json(&app.description())
}

async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    if app.node().is_ready() { Ok("ready\n") } else { Err(Failure::Down.into()) }
}

async fn status(State(app): State<Arc<App>>) -> Response {
    json(&app.node().status())
}

async fn figures(State(app): State<Arc<App>>) -> Response {
    let mut all = app.node().figures();
    all.extend(app.connections().figures());
    all.push(Figure::gauge("seedbed_http_streams", "Event streams.", app.streams() as f64));
    all.extend(app.requests().figures());
    ([(header::CONTENT_TYPE, metrics::TEXT)], metrics::render(&all)).into_response()
}

async fn events(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let query = |name: &str| {
        let mut pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    // A browser that comes back still has the query of its first visit.
    let after = match headers.get("last-event-id") {
        Some(id) => Some(id.to_str().unwrap_or("?")),
        None => query("after"),
    };
    let log = app.node().events().clone();
    let after = match after.filter(|after| !after.is_empty()) {
        None => log.oldest() - 1,
        Some(number) => number.parse().map_err(|_| {
            Problem::bad_request("`after` and `Last-Event-ID` take the number of an event, such as 17")
        })?,
    };
    let follow = match query("follow") {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(Problem::bad_request("`follow` is true or false")),
    };
    Front(Arc::clone(&app)).stream(Cursor { log, after, follow }.into_stream())
}

async fn command(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let command = app.read(request).await?;
    let reply = tokio::time::timeout(app.limits().command, app.node().command(command));
    let reply = reply.await.map_err(|_| Failure::TimedOut)??;
    Ok(json(&reply))
}

async fn faults(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    if !app.node().has_faults() {
        return Err(Failure::NotOffered.into());
    }
    let faults: Faults = app.read(request).await?;
    let cuts = app.node().faults(&faults)?;
    Ok(json(&serde_json::json!({ "cuts": cuts })))
}

async fn members(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    Ok(json(&app.keys()?.members()))
}

async fn revoke(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let keys = app.keys()?;
    let wanted: Revoke = app.read(request).await?;
    Ok(json(&keys.revoke(wanted).await?))
}

async fn rotate(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let keys = app.keys()?;
    let wanted: Rotate = app.read(request).await?;
    Ok(json(&keys.rotate(wanted).await?))
}
