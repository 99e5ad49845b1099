//! What the door answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::HttpBody;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, watch};

use super::guard::{self, Access};
use super::keys::{Keys, Revoke, Rotate};
use super::metrics;
use super::node::{Failure, Faults, Figure};
use super::openapi::{self, Answer, Body};
use super::problem::Problem;
use super::stream::Cursor;
use super::{Limits, Node, Settings};

/// One thing that can be asked. The router and the description of the API are made from the same list.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) access: Access,
    pub(super) about: &'static str,
    pub(super) body: Option<Body>,
    /// What it answers, beside refusals that all routes have in common.
    pub(super) answers: &'static [Answer],
    handler: fn() -> MethodRouter<Arc<App>>,
}

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/",
        method: "get",
        access: Access::Anyone,
        about: "A page that shows the node, live.",
        body: None,
        answers: &[(200, "The page.", Body::Html)],
        handler: || get(page),
    },
    Route {
        path: "/healthz",
        method: "get",
        access: Access::Anyone,
        about: "Whether the process lives.",
        body: None,
        answers: &[(200, "It does.", Body::Text)],
        handler: || get(async || "ok\n"),
    },
    Route {
        path: "/readyz",
        method: "get",
        access: Access::Anyone,
        about: "Whether the node can be asked.",
        body: None,
        answers: &[(200, "It can.", Body::Text), (503, "It is down.", Body::Problem)],
        handler: || get(ready),
    },
    Route {
        path: "/metrics",
        method: "get",
        access: Access::Reader,
        about: "What the node counts, for Prometheus.",
        body: None,
        answers: &[(200, "All figures.", Body::Text)],
        handler: || get(figures),
    },
    Route {
        path: "/api/v1/status",
        method: "get",
        access: Access::Reader,
        about: "All that a person wants to know of the node at a glance.",
        body: None,
        answers: &[(200, "The node as it is now.", Body::Json("Status"))],
        handler: || get(status),
    },
    Route {
        path: "/api/v1/events",
        method: "get",
        access: Access::Reader,
        about: "What has happened to the node, from the oldest event that is held or after one that is named, and \
                what happens next.",
        body: None,
        answers: &[
            (200, "Events, each with its number as id; `gap` where some are missed.", Body::Events),
            (400, "The number of an event cannot be read.", Body::Problem),
            (503, "Too many streams.", Body::Problem),
        ],
        handler: || get(events),
    },
    Route {
        path: "/api/v1/commands",
        method: "post",
        access: Access::Writer,
        about: "Gives the node a command of its protocol, and waits for the reply.",
        body: Some(Body::Json("Command")),
        answers: &[
            (200, "The reply.", Body::Json("Reply")),
            (400, "The protocol has no such command.", Body::Problem),
            (503, "The node is down, or too much waits for it.", Body::Problem),
            (504, "The node did not answer in time; the command may yet be done.", Body::Problem),
        ],
        handler: || post(command),
    },
    Route {
        path: "/api/v1/faults",
        method: "post",
        access: Access::Writer,
        about: "Cuts and heals links of the node, if its configuration allows that.",
        body: Some(Body::Json("Faults")),
        answers: &[
            (200, "What is cut now.", Body::Json("Cuts")),
            (400, "The faults cannot be read.", Body::Problem),
        ],
        handler: || post(faults),
    },
    Route {
        path: "/api/v1/members",
        method: "get",
        access: Access::Reader,
        about: "Who belongs to the cluster, with which keys, and which keys are revoked.",
        body: None,
        answers: &[
            (200, "The members as this node knows them.", Body::Json("MemberList")),
            (403, "The node has no keys.", Body::Problem),
        ],
        handler: || get(members),
    },
    Route {
        path: "/api/v1/keys/revoke",
        method: "post",
        access: Access::Writer,
        about: "Takes a key, or all keys of a member, out of the cluster for good. All members are told, and end live \
                connections that were made with them.",
        body: Some(Body::Json("Revoke")),
        answers: &[
            (200, "The keys, and who has not been told yet.", Body::Json("Revoked")),
            (400, "There is no such member or key.", Body::Problem),
            (409, "The key is that of the node that is asked, or the node has no vote.", Body::Problem),
            (500, "The node could not write it down.", Body::Problem),
        ],
        handler: || post(revoke),
    },
    Route {
        path: "/api/v1/keys/rotate",
        method: "post",
        access: Access::Writer,
        about: "Gives the node a new key, which it makes itself. All members are told; both keys are good for a while.",
        body: Some(Body::Json("Rotate")),
        answers: &[
            (200, "Both keys, and who has not been told yet.", Body::Json("Rotated")),
            (400, "The overlap is too short or too long.", Body::Problem),
            (409, "The key is being replaced already.", Body::Problem),
            (500, "The node could not write it down.", Body::Problem),
        ],
        handler: || post(rotate),
    },
    Route {
        path: "/api/v1/openapi.json",
        method: "get",
        access: Access::Anyone,
        about: "This description.",
        body: None,
        answers: &[(200, "OpenAPI 3.1.", Body::AnyJson)],
        handler: || get(async || json(&openapi::document())),
    },
];

/// What all requests share.
#[derive(Debug)]
pub(super) struct App {
    settings: Settings,
    address: SocketAddr,
    node: Arc<dyn Node>,
    stop: watch::Receiver<bool>,
    streams: Arc<Semaphore>,
    connections: Connections,
    requests: Requests,
}

impl App {
    fn keys(&self) -> Result<&dyn Keys, Failure> {
        self.node.keys().ok_or(Failure::NotOffered)
    }

    pub(super) fn new(
        settings: Settings,
        address: SocketAddr,
        node: Arc<dyn Node>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let streams = Arc::new(Semaphore::new(settings.limits.streams_max));
        let (connections, requests) = Default::default();
        Self { settings, address, node, stop, streams, connections, requests }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    pub(super) fn connections(&self) -> &Connections {
        &self.connections
    }

    pub(super) fn requests(&self) -> &Requests {
        &self.requests
    }

    pub(super) fn is_on_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// A body of JSON, within its bounds of length and time.
    async fn read<T: DeserializeOwned>(&self, request: Request) -> Result<T, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let detail = "expected the header `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let too_long = || {
            let detail = format!("a body may have {} bytes", self.limits().body_max);
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        };
        if request.body().size_hint().lower() > self.limits().body_max as u64 {
            return Err(too_long());
        }
        let body = tokio::time::timeout(self.limits().request, Bytes::from_request(request, &()));
        let Ok(body) = body.await else {
            let detail = "the body of the request did not come in time";
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
        };
        let body = body.map_err(|error| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_long(),
            status => Problem::new(status, error.body_text()),
        })?;
        serde_json::from_slice(&body)
            .map_err(|error| Problem::bad_request(format!("the body cannot be read: {error}")))
    }
}

/// Connections, counted.
#[derive(Debug, Default)]
pub(super) struct Connections {
    opened: AtomicU64,
    refused: AtomicU64,
}

impl Connections {
    pub(super) fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// Answers, counted by route and status: both are few.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<BTreeMap<(&'static str, u16), u64>>);

impl Requests {
    pub(super) fn count(&self, path: &'static str, status: StatusCode) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((path, status.as_u16())).or_default() += 1;
    }

    fn figures(&self) -> Vec<Figure> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let figure = |(&(path, status), &count): (&(&str, u16), &u64)| {
            Figure::counter("seedbed_http_requests_total", "Requests answered.", count)
                .with("path", path)
                .with("status", status.to_string())
        };
        counts.iter().map(figure).collect()
    }
}

/// All routes, guarded.
pub(super) fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let guard = middleware::from_fn_with_state((Arc::clone(app), route), guard::token);
        router = router.route(route.path, (route.handler)().layer(guard));
    }
    let unknown = async |uri: Uri| {
        let detail = format!("there is no {}: see /api/v1/openapi.json", uri.path());
        Problem::new(StatusCode::NOT_FOUND, detail)
    };
    let wrong_method = async || {
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "see /api/v1/openapi.json for what can be done here")
    };
    router
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::extract::DefaultBodyLimit::max(app.limits().body_max))
        .layer(middleware::from_fn_with_state(Arc::clone(app), guard::address))
        .with_state(Arc::clone(app))
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

async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    if app.node.is_ready() { Ok("ready\n") } else { Err(Failure::Down.into()) }
}

async fn status(State(app): State<Arc<App>>) -> Response {
    json(&app.node.status())
}

async fn figures(State(app): State<Arc<App>>) -> Response {
    let mut all = app.node.figures();
    let (opened, refused) = (&app.connections.opened, &app.connections.refused);
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    all.extend([
        Figure::counter("seedbed_http_connections_total", "Connections taken.", count(opened)),
        Figure::counter("seedbed_http_refused_total", "Connections turned away.", count(refused)),
        Figure::gauge(
            "seedbed_http_streams",
            "Event streams.",
            (app.limits().streams_max - app.streams.available_permits()) as f64,
        ),
    ]);
    all.extend(app.requests.figures());
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
    let log = app.node.events().clone();
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
    let Ok(place) = Arc::clone(&app.streams).try_acquire_owned() else {
        let detail = format!("{} event streams are open already", app.limits().streams_max);
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    };
    let cursor = Cursor { log, after, follow, stop: app.stop.clone(), place };
    let sign_of_life = KeepAlive::new().interval(app.limits().heartbeat);
    Ok(Sse::new(cursor.into_stream()).keep_alive(sign_of_life).into_response())
}

async fn command(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let command = app.read(request).await?;
    let reply = tokio::time::timeout(app.limits().command, app.node.command(command));
    let reply = reply.await.map_err(|_| Failure::TimedOut)??;
    Ok(json(&reply))
}

async fn faults(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    if !app.node.has_faults() {
        return Err(Failure::NotOffered.into());
    }
    let faults: Faults = app.read(request).await?;
    let cuts = app.node.faults(&faults)?;
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
