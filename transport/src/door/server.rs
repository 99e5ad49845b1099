//! Accepts connections, within bounds, and ends them in an orderly way.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::app::App;
use super::problem::{PROBLEM_JSON, Problem};
use super::routes;
use super::timely::Timely;
use super::{Limits, Node, Settings};

/// An open door. Closes when it is dropped, but then nobody waits for the requests under way.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Someone else may listen there.
    #[error("cannot listen for HTTP at {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// Anybody could read it.
    #[error(
        "{address} can be reached from other machines, so the door needs a token: name a token file, or listen at 127.0.0.1"
    )]
    Open {
        /// Where it would have listened.
        address: SocketAddr,
    },
}

impl Door {
    /// Opens the door of a node.
    ///
    /// # Errors
    /// If it cannot listen there, or must not without a token.
    pub async fn open(settings: Settings, node: Arc<dyn Node>) -> Result<Self, DoorError> {
        let address = settings.listen;
        if !address.ip().is_loopback() && settings.token.is_none() {
            return Err(DoorError::Open { address });
        }
        let failed = |error| DoorError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = watch::Sender::new(false);
        let app = Arc::new(App::new(settings, address, node, stop.subscribe()));
        let task = tokio::spawn(serve(listener, app, stop.subscribe()));
        Ok(Self { address, stop, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, ends event streams, and gives requests under way their time to end.
    pub async fn close(mut self) {
        self.stop.send_replace(true);
        // Its end is all that is waited for: a panic in there was told already.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(app.limits().connections_max));
    let router = routes::router(&app);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match (accepted, Arc::clone(&room).try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                let connection = converse(stream, Arc::clone(&app), router.clone(), stop.clone());
                app.connections().opened();
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            (Ok((stream, _)), Err(_)) => {
                app.connections().refused();
                turn_away(&stream);
            }
            // No file is left, say. Others may close theirs in a moment.
            (Err(_), _) => tokio::time::sleep(PAUSE).await,
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(app.limits().grace, ended).await;
}

/// Before accepting again after an error.
const PAUSE: Duration = Duration::from_millis(50);

async fn converse(stream: TcpStream, app: Arc<App>, router: Router, mut stop: watch::Receiver<bool>) {
    // Answers are small and someone waits for them.
    let _ = stream.set_nodelay(true);
    let Limits { head_max, headers_max, head, write, .. } = *app.limits();
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(head_max.max(8 << 10))
        .max_headers(headers_max)
        .serve_connection(TokioIo::new(Timely::new(stream, write)), service);
    tokio::pin!(connection);
    // What a client does wrong ends its connection, and nothing else.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Returns once the door closes.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Says why, if that can be said at once.
fn turn_away(stream: &TcpStream) {
    let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
    let body = Problem::new(status, "too many connections: close some, or come back later").json();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\n\
         retry-after: 1\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.try_write((head + &body).as_bytes());
}
