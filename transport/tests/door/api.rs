//! What is asked and answered, and that the description of it is true.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::bed::{Answer, Bed, Puppet};

#[tokio::test]
async fn a_living_process_is_healthy_and_a_node_that_is_down_not_ready() {
    let bed = Bed::new().await;
    assert_eq!(bed.get("/healthz").await.body, "ok\n");
    assert_eq!(bed.get("/readyz").await.body, "ready\n");
    bed.puppet.down.store(true, Ordering::Relaxed);
    assert_eq!(bed.get("/healthz").await.status, 200);
    let answer = bed.get("/readyz").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(answer.detail().contains("down"));
}

#[tokio::test]
async fn status_tells_what_the_node_is() {
    let bed = Bed::new().await;
    bed.happens(1);
    let status = bed.get("/api/v1/status").await.json();
    assert_eq!((&status["node"], &status["role"]), (&json!(3), &json!("leader")));
    assert_eq!(status["facts"]["leader"], "n3");
    assert_eq!(status["links"][0]["lanes"]["control"]["connected"], 5);
    assert_eq!(status["events"][0]["what"]["Number"], 1);
}

#[tokio::test]
async fn metrics_are_those_of_the_node_and_of_its_door() {
    let bed = Bed::new().await;
    bed.get("/healthz").await;
    bed.get("/nothing").await;
    let answer = bed.get("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "# TYPE seedbed_steps_total counter",
        "seedbed_steps_total{lane=\"a\\\"b\"} 7",
        "seedbed_http_requests_total{path=\"/healthz\",status=\"200\"} 1",
        "seedbed_http_connections_total 3",
        "seedbed_http_streams 0",
    ] {
        assert!(answer.body.lines().any(|found| found == line), "{line} is not in\n{}", answer.body);
    }
    assert!(!answer.body.contains("nothing"), "a path that a client makes up is no label");
}

#[tokio::test]
async fn commands_are_answered_or_it_is_said_why_not() {
    let bed = Bed::with(Puppet::default(), |settings| {
        settings.limits.command = std::time::Duration::from_millis(20);
    })
    .await;
    let answer = bed.post("/api/v1/commands", "\"Hello\"").await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "Echo": "Hello" })));
    for (body, status, detail) in [
        ("[]", 400, "expected a word"),
        ("{", 400, "EOF while parsing an object"),
        ("", 400, "EOF"),
        ("\"Hello\" \"again\"", 400, "trailing characters"),
        ("\"Sleep\"", 504, "may yet be done"),
        ("\"Die\"", 503, "is down"),
    ] {
        let answer = bed.post("/api/v1/commands", body).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.detail().contains(detail), "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn nesting_is_refused_before_it_is_built() {
    let bed = Bed::new().await;
    let answer = bed.post("/api/v1/commands", &"[".repeat(60_000)).await;
    assert_eq!(answer.status, 400);
    assert!(answer.detail().contains("recursion limit"));
}

#[tokio::test]
async fn a_body_must_be_said_to_be_json() {
    let bed = Bed::new().await;
    for kind in ["", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n"] {
        let request = format!(
            "POST /api/v1/commands HTTP/1.1\r\nHost: localhost\r\n{kind}Authorization: Bearer {}\r\n\
             Content-Length: 4\r\n\r\n\"Hi\"",
            crate::bed::TOKEN
        );
        assert_eq!(bed.send(request).await.status, 415, "{kind}");
    }
}

#[tokio::test]
async fn faults_are_taken_only_if_the_node_is_configured_so() {
    let body = r#"{ "heal_all": true, "cut": [{ "peer": 1 }, { "peer": 2, "way": "from" }] }"#;
    let refused = Bed::new().await.post("/api/v1/faults", body).await;
    assert_eq!(refused.status, 403);
    assert!(refused.detail().contains("not configured"));

    let bed = Bed::with(Puppet { takes_faults: true, ..Puppet::default() }, |_| {}).await;
    let cuts = json!({ "cuts": [{ "peer": 1, "way": "both" }, { "peer": 2, "way": "from" }] });
    assert_eq!(bed.post("/api/v1/faults", body).await.json(), cuts);
    let answer = bed.post("/api/v1/faults", r#"{ "cuts": [] }"#).await;
    assert_eq!(answer.status, 400);
    assert!(answer.detail().contains("expected one of `heal_all`, `heal`, `cut`"));
}

#[tokio::test]
async fn what_is_not_there_or_cannot_be_done_is_said() {
    let bed = Bed::new().await;
    let answer = bed.get("/api/v2/status").await;
    assert_eq!(answer.status, 404);
    assert!(answer.detail().contains("/api/v2/status"));
    let answer = bed.get("/api/v1/commands").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    let answer = bed.post("/api/v1/status", "{}").await;
    assert_eq!(answer.status, 405);
    answer.detail();
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let answer = Bed::new().await.get("/").await;
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    for reference in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!answer.body.contains(reference), "{reference}");
    }
    for path in ["/api/v1/status", "/api/v1/events"] {
        assert!(answer.body.contains(path), "{path}");
    }
}

/// Asks for everything that is described, in every way that is described.
#[tokio::test]
async fn the_description_is_true() {
    let bed = Bed::with(Puppet { takes_faults: true, ..Puppet::default() }, |settings| {
        settings.limits.command = std::time::Duration::from_millis(20);
    })
    .await;
    bed.happens(1);
    let document = bed.get("/api/v1/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 9);
    let mut seen = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            for answer in asked(&bed, path, method).await {
                seen.push((path.clone(), answer.status));
                check(&document, operation, &answer);
            }
        }
    }
    for (path, status) in
        [("/", 200), ("/readyz", 503), ("/api/v1/commands", 504), ("/api/v1/faults", 400), ("/metrics", 421)]
    {
        assert!(seen.contains(&(path.into(), status)), "{path} was not seen to answer {status}: {seen:?}");
    }
    let unsaid: Vec<_> = seen.iter().filter(|(_, status)| *status == 404).collect();
    assert!(unsaid.is_empty(), "described and not there: {unsaid:?}");
}

/// All kinds of requests to one path.
async fn asked(bed: &Bed, path: &str, method: &str) -> Vec<Answer> {
    let quiet = if path.ends_with("events") { "?follow=false" } else { "" };
    let elsewhere = format!("{} {path} HTTP/1.1\r\nHost: a.example\r\n\r\n", method.to_uppercase());
    let mut answers = vec![bed.send(elsewhere).await, bed.get(&format!("{path}{quiet}")).await];
    if method == "get" {
        bed.puppet.down.store(true, Ordering::Relaxed);
        answers.push(bed.get(&format!("{path}{quiet}")).await);
        bed.puppet.down.store(false, Ordering::Relaxed);
        answers.push(bed.get(&format!("{path}?after=x")).await);
    } else {
        answers.push(bed.post_with(path, "", "{}").await);
        answers.push(bed.post(path, &" ".repeat(100_000)).await);
        for body in ["{", "{}", "\"Hello\"", "\"Sleep\"", "\"Die\"", r#"{ "cut": [{ "peer": 1 }] }"#] {
            answers.push(bed.post(path, body).await);
        }
    }
    answers
}

/// An answer must be one of those described, as it is described.
fn check(document: &Value, operation: &Value, answer: &Answer) {
    let described = &operation["responses"][answer.status.to_string()];
    assert!(described.is_object(), "{} is not described: {answer:?}", answer.status);
    let kind = answer.header("content-type").expect("a type");
    let known = described["content"].as_object().expect("a body");
    let (_, content) = known
        .iter()
        .find(|(known, _)| kind == known.as_str() || kind.split(';').next() == Some(known))
        .unwrap_or_else(|| panic!("{kind} is none of {known:?}: {answer:?}"));
    if kind.contains("json") {
        fits(document, &content["schema"], &answer.json());
    }
}

/// Whether a value is what a schema says: as much of JSON Schema as the document uses.
fn fits(document: &Value, schema: &Value, value: &Value) {
    let told = || panic!("{value} is not {schema}");
    for (keyword, rule) in schema.as_object().expect("a schema") {
        match keyword.as_str() {
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                fits(document, document.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")), value);
            }
            "type" => {
                let types = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                if !types.iter().any(|name| is(value, name.as_str().unwrap())) {
                    told();
                }
            }
            "required" => {
                if !rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()) {
                    told();
                }
            }
            "additionalProperties" => {
                for (name, field) in value.as_object().into_iter().flatten() {
                    if schema["properties"].get(name).is_none() {
                        if rule == &Value::Bool(false) {
                            panic!("{name} is not described: {value}");
                        }
                        fits(document, rule, field);
                    }
                }
            }
            "properties" => {
                for (name, schema) in rule.as_object().unwrap() {
                    if let Some(field) = value.get(name) {
                        fits(document, schema, field);
                    }
                }
            }
            "items" => value.as_array().unwrap().iter().for_each(|item| fits(document, rule, item)),
            "enum" => assert!(rule.as_array().unwrap().contains(value), "{value} is none of {rule}"),
            "minimum" => assert!(value.as_f64() >= rule.as_f64(), "{value} is below {rule}"),
            // Nothing that is described may be null but the members.
            "anyOf" if value.is_null() => assert_eq!(rule[0]["type"], "null"),
            "anyOf" => fits(document, &rule[1], value),
            "format" | "description" => {}
            other => panic!("the test does not know {other}"),
        }
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        _ => panic!("no type {kind}"),
    }
}
