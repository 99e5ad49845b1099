//! What all requests to a door share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::body::HttpBody;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::{StatusCode, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::keys::Keys;
use super::node::{Failure, Figure};
use super::problem::Problem;
use super::{Limits, Node, Settings};

/// What all requests share.
#[derive(Debug)]
pub(super) struct App {
    settings: Settings,
    address: SocketAddr,
    node: Arc<dyn Node>,
    stop: watch::Receiver<bool>,
    streams: Arc<Semaphore>,
    /// Room for long bodies, in KiB.
    bodies: Arc<Semaphore>,
    connections: Connections,
    requests: Requests,
    /// What can be asked, described.
    description: OnceLock<Value>,
}

impl App {
    pub(super) fn new(
        settings: Settings,
        address: SocketAddr,
        node: Arc<dyn Node>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let streams = Arc::new(Semaphore::new(settings.limits.streams_max));
        let bodies = Arc::new(Semaphore::new(kib(settings.limits.bodies_max) as usize));
        let (connections, requests, description) = Default::default();
        Self { settings, address, node, stop, streams, bodies, connections, requests, description }
    }

    pub(super) fn node(&self) -> &dyn Node {
        &*self.node
    }

    pub(super) fn keys(&self) -> Result<&dyn Keys, Failure> {
        self.node.keys().ok_or(Failure::NotOffered)
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

    /// Says once what can be asked here.
    pub(super) fn describe(&self, description: Value) {
        let _ = self.description.set(description);
    }

    pub(super) fn description(&self) -> Option<&Value> {
        self.description.get()
    }

    pub(super) fn is_on_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Turns true when the door closes.
    pub(super) fn stop(&self) -> watch::Receiver<bool> {
        self.stop.clone()
    }

    /// Streams that are open.
    pub(super) fn streams(&self) -> usize {
        self.limits().streams_max - self.streams.available_permits()
    }

    /// A place among the streams.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            let detail = format!("{} event streams are open already", self.limits().streams_max);
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        })
    }

    /// A body of JSON, within its bounds of length and time.
    pub(super) async fn read<T: DeserializeOwned>(&self, request: Request) -> Result<T, Problem> {
        let payload = self.payload(request, &["application/json"], self.limits().body_max).await?;
        serde_json::from_slice(&payload.bytes)
            .map_err(|error| Problem::bad_request(format!("the body cannot be read: {error}")))
    }

    /// A body of one of these kinds, or of any, within its bounds of length and time. Long ones wait until there is room for them.
    pub(super) async fn payload(
        &self,
        mut request: Request,
        kinds: &[&str],
        body_max: usize,
    ) -> Result<Payload, Problem> {
        is_one_of(&request, kinds)?;
        DefaultBodyLimit::max(body_max).apply(&mut request);
        let too_long =
            || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body may have {body_max} bytes"));
        let size = request.body().size_hint();
        if size.lower() > body_max as u64 {
            return Err(too_long());
        }
        let length = size.upper().map_or(body_max, |upper| upper.min(body_max as u64) as usize);
        let arrived = async {
            let place = self.room(length).await?;
            Bytes::from_request(request, &()).await.map(|bytes| Payload { bytes, place }).map_err(|error| {
                match error.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => too_long(),
                    status => Problem::new(status, error.body_text()),
                }
            })
        };
        tokio::time::timeout(self.limits().request, arrived).await.unwrap_or_else(|_| {
            let detail = "the body of the request did not come in time";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
        })
    }

    /// Room for a body of so many bytes; short ones need none.
    async fn room(&self, length: usize) -> Result<Option<OwnedSemaphorePermit>, Problem> {
        if length <= self.limits().body_max {
            return Ok(None);
        }
        let wanted = kib(length).min(kib(self.limits().bodies_max));
        let place = tokio::time::timeout(
            self.limits().request / 2,
            Arc::clone(&self.bodies).acquire_many_owned(wanted),
        );
        match place.await {
            Ok(Ok(place)) => Ok(Some(place)),
            _ => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many long bodies at once")),
        }
    }
}

/// In KiB, rounded up.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

fn is_one_of(request: &Request, kinds: &[&str]) -> Result<(), Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if kinds.is_empty() || kinds.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    let detail = format!("expected the header `Content-Type: {}`", kinds.join("` or `"));
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

/// The body of a request.
#[derive(Debug)]
pub struct Payload {
    /// What it holds.
    pub bytes: Bytes,
    /// A long one's place in memory, for as long as it lasts.
    #[expect(dead_code, reason = "held")]
    place: Option<OwnedSemaphorePermit>,
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

    pub(super) fn figures(&self) -> [Figure; 2] {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            Figure::counter("seedbed_http_connections_total", "Connections taken.", count(&self.opened)),
            Figure::counter("seedbed_http_refused_total", "Connections turned away.", count(&self.refused)),
        ]
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

    pub(super) fn figures(&self) -> Vec<Figure> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let figure = |(&(path, status), &count): (&(&str, u16), &u64)| {
            Figure::counter("seedbed_http_requests_total", "Requests answered.", count)
                .with("path", path)
                .with("status", status.to_string())
        };
        counts.iter().map(figure).collect()
    }
}
