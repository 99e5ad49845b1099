//! A protocol brings resources of its own, and the door sees to all that is the same for every route.

use axum::extract::{Request, State};
use axum::response::Response;
use axum::response::sse;
use axum::routing::{get, post};
use seedbed_core::contract::{NodeId, Subject};
use seedbed_core::election::raft::{Parameters, Raft};
use seedbed_core::election::{Command, Reply};
use seedbed_transport::door::{Answer, Body, Desk, Door, Operation, Problem, Resources, Route};
use seedbed_transport::host::Handle;
use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::{bed, seat};

const LONG: usize = 1 << 20;
const DOWN: Answer = (503, "The node is down.", Body::Problem);

const ROUTES: &[Route<Desk<Raft>>] = &[
    Route {
        operation: Operation::read(
            "/api/v1/leader",
            "Who leads.",
            &[(200, "It.", Body::Json("Leader")), DOWN],
        ),
        handler: || get(leader),
    },
    Route {
        operation: Operation::write("post", "/api/v1/leader", "How long.", &[(200, "So long.", Body::Text)])
            .taking(Body::JsonLines)
            .of_bytes(LONG),
        handler: || post(length),
    },
    Route {
        operation: Operation::read(
            "/api/v1/leader/stream",
            "On and on.",
            &[(200, "Nothing but signs of life.", Body::Events), (503, "Too many.", Body::Problem)],
        ),
        handler: || get(stream),
    },
];

async fn leader(State(desk): State<Desk<Raft>>) -> Result<String, Problem> {
    match desk.ask(Command::WhoLeads).await? {
        Reply::Leader(Some(NodeId(leader))) => Ok(leader.to_string()),
        other => Err(Problem::bad_request(format!("{other:?}"))),
    }
}

async fn length(State(desk): State<Desk<Raft>>, request: Request) -> Result<String, Problem> {
    let body = desk.body(request, &["application/x-ndjson"], LONG).await?;
    Ok(body.bytes.len().to_string())
}

async fn stream(State(desk): State<Desk<Raft>>) -> Result<Response, Problem> {
    desk.stream(futures_util::stream::pending::<sse::Event>())
}

fn schemas() -> Map<String, Value> {
    [("Leader".to_owned(), json!({ "type": "integer" }))].into_iter().collect()
}

/// A node that is alone, and leads.
async fn alone() -> (Door, Handle<Raft>) {
    let config = Raft::config(&Parameters::default(), 1).unwrap();
    seat::alone(config, Resources { routes: ROUTES, schemas }, |settings| settings.limits.streams_max = 1)
        .await
}

async fn asked(door: &Door, method: &str, path: &str) -> bed::Answer {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    bed::send(door.address(), request).await
}

fn lines(length: usize, headers: &str) -> String {
    let body = " ".repeat(length);
    format!(
        "POST /api/v1/leader HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\
         Content-Type: application/x-ndjson\r\nConnection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_resource_asks_the_node_what_it_has_types_for() {
    let (door, handle) = alone().await;
    let told = loop {
        let answer = asked(&door, "GET", "/api/v1/leader").await;
        // It has to elect itself first.
        if answer.status == 200 {
            break answer.body;
        }
        assert!(answer.detail().contains("Leader(None)"), "{answer:?}");
    };
    assert_eq!(told, "0");
    handle.stop().await;
    assert_eq!(asked(&door, "GET", "/api/v1/leader").await.status, 503);
}

#[tokio::test]
async fn the_door_keeps_strangers_and_what_is_too_much_from_a_resource() {
    let (door, _handle) = alone().await;
    assert_eq!(bed::send(door.address(), lines(3, "")).await.status, 401);
    let long = bed::send(door.address(), lines(LONG, &bed::authorized())).await;
    assert_eq!((long.status, long.body.as_str()), (200, "1048576"), "longer than what others may send");
    assert_eq!(bed::send(door.address(), lines(LONG + 1, &bed::authorized())).await.status, 413);
    let json = bed::posted("/api/v1/leader", &bed::authorized(), "{}");
    let refused = bed::send(door.address(), json).await;
    assert_eq!(refused.status, 415);
    assert!(refused.detail().contains("application/x-ndjson"));
    assert_eq!(asked(&door, "DELETE", "/api/v1/leader").await.status, 405);

    let mut first = TcpStream::connect(door.address()).await.unwrap();
    let request = b"GET /api/v1/leader/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    first.write_all(request).await.unwrap();
    assert!(bed::until(&mut first, "\r\n\r\n").await.starts_with("HTTP/1.1 200"));
    assert_eq!(asked(&door, "GET", "/api/v1/leader/stream").await.status, 503);
    door.close().await;
    assert!(bed::rest(&mut first).await.ends_with("0\r\n\r\n"), "a stream ends with its door");
}

#[tokio::test]
async fn resources_are_described_and_counted_beside_what_all_doors_have() {
    let (door, _handle) = alone().await;
    let document = asked(&door, "GET", "/api/v1/openapi.json").await.json();
    let leader = &document["paths"]["/api/v1/leader"];
    assert_eq!(
        (&leader["get"]["summary"], &leader["post"]["summary"]),
        (&json!("Who leads."), &json!("How long."))
    );
    assert_eq!(document["components"]["schemas"]["Leader"], json!({ "type": "integer" }));
    assert!(document["paths"]["/api/v1/status"].is_object());
    let metrics = asked(&door, "GET", "/metrics").await.body;
    assert!(!metrics.contains("/api/v1/leader"), "{metrics}");
    asked(&door, "GET", "/api/v1/leader/nobody").await;
    bed::send(door.address(), lines(0, &bed::authorized())).await;
    let metrics = asked(&door, "GET", "/metrics").await.body;
    assert!(
        metrics.contains("seedbed_http_requests_total{path=\"/api/v1/leader\",status=\"200\"} 1"),
        "{metrics}"
    );
}
