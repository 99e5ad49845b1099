//! What clients do wrong costs them their connection, and nobody else anything.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bed::{Bed, Puppet, TOKEN, answer, rest, within};

const SOON: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let bed = Bed::new().await;
    let post = "POST /api/v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let said = format!("{post}Authorization: Bearer {TOKEN}\r\nContent-Length: 1000000000\r\n\r\n");
    let refused = bed.send(said).await;
    assert_eq!(refused.status, 413);
    assert!(refused.detail().contains("65536 bytes"));

    // Nothing says how long this one will be.
    let mut stream = bed.connect().await;
    let unsaid = format!("{post}Authorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(unsaid.as_bytes()).await.unwrap();
    let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000));
    for _ in 0..3 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    assert_eq!(answer(&mut stream).await.status, 413);
    assert_eq!(bed.post("/api/v1/commands", &format!("\"{}\"", "x".repeat(65_000))).await.status, 200);
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let bed = Bed::new().await;
    let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
    assert_eq!(bed.send(format!("{get}X: {}\r\n\r\n", "x".repeat(20_000))).await.status, 431);
    assert_eq!(bed.send(format!("{get}{}\r\n", "X: y\r\n".repeat(100))).await.status, 431);
    assert_eq!(bed.send(format!("{get}{}\r\n", "X: y\r\n".repeat(50))).await.status, 200);
}

#[tokio::test]
async fn a_head_must_come_in_time() {
    let bed = Bed::with(Puppet::default(), |settings| settings.limits.head = SOON).await;
    for begun in ["", "GET /healthz HTT", "GET /healthz HTTP/1.1\r\nHost: local"] {
        let mut stream = bed.connect().await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        let told = rest(&mut stream).await;
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 408"), "{begun}: {told}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_not_kept_for_ever() {
    let bed = Bed::with(Puppet::default(), |settings| settings.limits.head = SOON).await;
    let mut stream = bed.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut stream).await.status, 200);
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_body_must_come_in_time() {
    let bed = Bed::with(Puppet::default(), |settings| settings.limits.request = SOON).await;
    let begun = format!(
        "POST /api/v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {TOKEN}\r\nContent-Length: 10\r\n\r\n\"sl"
    );
    let refused = bed.send(begun).await;
    assert_eq!(refused.status, 408);
    refused.detail();
}

#[tokio::test]
async fn connections_are_bounded_and_their_places_come_free() {
    let bed = Bed::with(Puppet::default(), |settings| settings.limits.connections_max = 2).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = bed.connect().await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        assert_eq!(answer(&mut stream).await.status, 200);
        held.push(stream);
    }
    let refused = answer(&mut bed.connect().await).await;
    assert_eq!((refused.status, refused.header("connection")), (503, Some("close")));
    assert!(refused.detail().contains("too many connections"));
    drop(held);
    loop {
        let mut stream = bed.connect().await;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        if rest(&mut stream).await.starts_with("HTTP/1.1 200") {
            break;
        }
    }
}

#[tokio::test]
async fn who_never_reads_is_hung_up_on() {
    let bed = Bed::with(Puppet::default(), |settings| {
        settings.limits.write = SOON;
        settings.limits.streams_max = 1;
    })
    .await;
    let mut stream = bed.connect().await;
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    // Says more than any buffer between the two holds, until the place of the stream is free.
    within(async {
        while bed.get("/api/v1/events?follow=false&after=0").await.status != 200 {
            for number in 0..1_000 {
                bed.happens(number);
            }
        }
    })
    .await;
    let mut bytes = Vec::new();
    // What had left before can still be read, and then comes the end.
    let _ = within(stream.read_to_end(&mut bytes)).await;
    assert!(bytes.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_door_that_closes_finishes_what_it_has_begun() {
    let bed = Bed::new().await;
    let mut busy = bed.connect().await;
    let begun = format!(
        "POST /api/v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {TOKEN}\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n"
    );
    busy.write_all(begun.as_bytes()).await.unwrap();
    // The door asks for the body: the request is under way.
    assert!(crate::bed::until(&mut busy, "\r\n\r\n").await.starts_with("HTTP/1.1 100"));
    let mut idle = bed.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    answer(&mut idle).await;
    let address = bed.door.address();
    let Bed { door, .. } = bed;
    let closing = tokio::spawn(door.close());
    assert_eq!(rest(&mut idle).await, "");
    busy.write_all(b"\"Last\"").await.unwrap();
    let last = answer(&mut busy).await;
    assert_eq!((last.status, last.body.as_str()), (200, r#"{"Echo":"Last"}"#));
    within(closing).await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn a_request_that_does_not_end_holds_up_no_closing() {
    let bed = Bed::with(Puppet::default(), |settings| settings.limits.grace = SOON).await;
    let mut stream = bed.connect().await;
    let sleep = format!(
        "POST /api/v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {TOKEN}\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(sleep.as_bytes()).await.unwrap();
    crate::bed::until(&mut stream, "\r\n\r\n").await;
    stream.write_all(b"\"Sleep\"").await.unwrap();
    within(bed.door.close()).await;
    assert_eq!(rest(&mut stream).await, "");
}

/// What a client may send, beside noise: pieces of requests in any order.
const PIECES: &[&str] = &[
    "GET ",
    "POST ",
    "/api/v1/status",
    "/api/v1/events?after=",
    "/api/v1/commands",
    "/%00%ff/../",
    "*",
    " HTTP/1.1",
    " HTTP/1.0",
    " HTTP/9.9",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "Host: localhost",
    "Host:",
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: 99999999999999999999",
    "Transfer-Encoding: chunked",
    "ffffffffffffffff\r\n",
    "0\r\n\r\n",
    "Authorization: Bearer sesame-sesame-sesame",
    "Content-Type: application/json",
    "{\"a\":",
    "[[[[",
    "\"",
    "Last-Event-ID: 18446744073709551616",
    "Expect: 100-continue",
    "Upgrade: h2c",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

fn requests() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever comes: the door still stands, and says nothing but HTTP.
    #[test]
    fn nonsense_harms_nobody(requests in prop::collection::vec(requests(), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bed = Bed::with(Puppet::default(), |settings| {
                settings.limits.head = Duration::from_millis(5);
                settings.limits.request = Duration::from_millis(5);
            })
            .await;
            for request in requests {
                let mut stream = bed.connect().await;
                let _ = stream.write_all(&request).await;
                let _ = stream.shutdown().await;
                let told = rest(&mut stream).await;
                assert!(told.is_empty() || told.starts_with("HTTP/1."), "{told}");
                assert!(!told.contains(" 500 "), "{told}");
            }
            assert_eq!(bed.get("/healthz").await.status, 200);
        });
    }
}
