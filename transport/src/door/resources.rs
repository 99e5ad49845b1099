//! What a protocol has at the doors of its nodes beside what all nodes have: resources of its own.
//!
//! A resource gives the node a typed command and makes an answer of the typed reply: nothing in between is JSON. What all
//! routes share stays with the door: who may come in, bounds of bodies and streams, counts, the description of the API.

use std::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use futures_util::{Stream, StreamExt};
use seedbed_core::contract::Subject;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::app::{App, Payload};
use super::node::Failure;
use super::problem::Problem;
use super::route::{Operation, Route};
use super::server::stopped;
use crate::host::{CommandError, Handle};

/// The resources of a protocol: what can be asked, and the schemas that the description of it names.
pub struct Resources<P: Subject> {
    /// What can be asked. Paths of the door itself are taken.
    pub routes: &'static [Route<Desk<P>>],
    /// Schemas by name, beside those of the door.
    pub schemas: fn() -> Map<String, Value>,
}

/// Derived, it would ask the protocol for it.
impl<P: Subject> Clone for Resources<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Subject> Copy for Resources<P> {}

impl<P: Subject> fmt::Debug for Resources<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.routes.iter().map(|route| route.operation)).finish()
    }
}

impl<P: Subject> Resources<P> {
    /// Ready to answer for one node.
    pub(super) fn serve(&self, handle: &Handle<P>, durable: &watch::Receiver<u64>, front: &Front) -> Served {
        let seat = Seat { handle: handle.clone(), durable: durable.clone(), front: front.clone() };
        let desk = Desk(Arc::new(seat));
        let bound =
            |route: &'static Route<Desk<P>>| (&route.operation, (route.handler)().with_state(desk.clone()));
        Served { routes: self.routes.iter().map(bound).collect(), schemas: (self.schemas)() }
    }
}

/// What a node has at its door beside what all nodes have.
#[derive(Debug, Default)]
pub struct Served {
    pub(super) routes: Vec<(&'static Operation, MethodRouter)>,
    pub(super) schemas: Map<String, Value>,
}

/// What a door lends to the resources of its node.
#[derive(Clone, Debug)]
pub struct Front(pub(super) Arc<App>);

/// Where requests for one node meet it: what a handler of a resource has for its state. Clones are the same one.
pub struct Desk<P: Subject>(Arc<Seat<P>>);

struct Seat<P: Subject> {
    handle: Handle<P>,
    durable: watch::Receiver<u64>,
    front: Front,
}

/// Derived, it would ask the protocol for it.
impl<P: Subject> Clone for Desk<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Subject> fmt::Debug for Desk<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("handle", &self.0.handle).finish_non_exhaustive()
    }
}

impl<P: Subject> Desk<P> {
    /// Asks something of the node, and waits for the reply: one that promises something comes when the disk has it.
    ///
    /// # Errors
    /// If the node is down or does not answer in time.
    pub async fn ask(&self, command: P::Command) -> Result<P::Reply, Problem> {
        let limit = self.0.front.0.limits().command;
        self.0.handle.command_within(limit, command).await.map_err(|error| match error {
            CommandError::Ended => Failure::Down.into(),
            CommandError::TimedOut => Failure::TimedOut.into(),
        })
    }

    /// The body of a request, if it is of one of these media types, or without any, and not longer than this.
    ///
    /// # Errors
    /// If it is not, or does not come in time, or too many long ones come at once.
    pub async fn body(&self, request: Request, kinds: &[&str], body_max: usize) -> Result<Payload, Problem> {
        self.0.front.0.payload(request, kinds, body_max).await
    }

    /// The longest body where an operation says nothing else, in bytes.
    #[must_use]
    pub fn body_max(&self) -> usize {
        self.0.front.0.limits().body_max
    }

    /// Answers with events as they happen, until they or the client or the door ends.
    ///
    /// # Errors
    /// If there are too many streams already.
    pub fn stream(
        &self,
        events: impl Stream<Item = sse::Event> + Send + 'static,
    ) -> Result<Response, Problem> {
        self.0.front.stream(events)
    }

    /// Changes whenever something of the node has become durable.
    #[must_use]
    pub fn durable(&self) -> watch::Receiver<u64> {
        self.0.durable.clone()
    }
}

impl Front {
    /// See [`Desk::stream`].
    pub(super) fn stream(
        &self,
        events: impl Stream<Item = sse::Event> + Send + 'static,
    ) -> Result<Response, Problem> {
        let place = self.0.place()?;
        let mut stop = self.0.stop();
        let events = events.take_until(async move { stopped(&mut stop).await }).map(move |event| {
            // Held for as long as the stream lasts.
            let _ = &place;
            Ok::<_, std::convert::Infallible>(event)
        });
        let sign_of_life = KeepAlive::new().interval(self.0.limits().heartbeat);
        Ok(Sse::new(events).keep_alive(sign_of_life).into_response())
    }
}
