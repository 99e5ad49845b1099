//! Tasks as clients meet them at the door of a hub, whose worker really computes.

use std::sync::Arc;

use seedbed_core::contract::{Duration, NodeId, Subject};
use seedbed_core::scheduler::cluster::{Cluster, Parameters};
use seedbed_core::scheduler::{hub, trust};
use seedbed_transport::door::Door;
use seedbed_transport::host::{Handle, Setup};
use seedbed_transport::link::memory::Net;
use seedbed_transport::tasks::{resources, services};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::bed::{self, Answer, within};
use crate::seat;

const TASKS: &str = "/api/v1/tasks";
/// Answers its argument.
const ECHO: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 0))
  (func (export "run") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))))"#;

/// A hub and a worker on one net; no other worker is needed for an answer to be accepted.
struct Two {
    hub: Door,
    worker: Door,
    handle: Handle<Cluster>,
    _worker: Handle<Cluster>,
}

async fn two() -> Two {
    let hub = hub::Parameters { silence: Duration::from_secs(60), ..hub::Parameters::default() };
    let trust =
        trust::Parameters { validation: trust::Validation::None, copies: 1, ..trust::Parameters::default() };
    let heartbeat = Duration::from_millis(100);
    let config = Cluster::config(&Parameters { hub, trust, heartbeat, ..Parameters::default() }, 2).unwrap();
    let (net, config) = (Net::default(), Arc::new(config));
    let setup =
        |node| Setup { services: services(), ..Setup::<Cluster>::new(NodeId(node), Arc::clone(&config)) };
    let (hub, handle) = seat::among(&net, setup(0), &[NodeId(1)], resources(), |_| {}).await;
    let (worker, others) = seat::among(&net, setup(1), &[NodeId(0)], resources(), |_| {}).await;
    Two { hub, worker, handle, _worker: others }
}

async fn ask_at(door: &Door, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let kind = match body {
        _ if headers.contains("Content-Type") => "",
        "" => "",
        _ => "Content-Type: application/json\r\n",
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{kind}{headers}Content-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(door.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    match bed::until(&mut stream, "\r\n\r\n").await {
        head if head.starts_with("HTTP/1.1 204") => Answer { status: 204, head, body: String::new() },
        head => bed::answer_after(&mut stream, head).await,
    }
}

impl Two {
    async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        ask_at(&self.hub, method, path, &bed::authorized(), body).await
    }

    async fn get(&self, path: &str) -> Answer {
        ask_at(&self.hub, "GET", path, "", "").await
    }

    async fn submit(&self, tasks: &Value) -> Value {
        let answer = self.ask("POST", TASKS, &tasks.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    /// A task at its end.
    async fn ended(&self, task: u64) -> Value {
        within(async {
            loop {
                let status = self.get(&format!("{TASKS}/{task}?wait=true")).await.json();
                if ["validated", "failed", "cancelled"].iter().any(|stage| status["stage"] == *stage) {
                    return status;
                }
            }
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_submitted_awaited_and_answered() {
    let two = two().await;
    let task = json!({ "name": "small", "service": "primes", "argument": "100" });
    let done = two.ask("POST", &format!("{TASKS}?wait=true&user=3"), &task.to_string()).await;
    assert_eq!(done.status, 200, "{done:?}");
    let done = done.json();
    let task = &done["tasks"][0];
    let told = ["name", "user", "stage", "answer", "answered_by"].map(|key| task[key].clone());
    assert_eq!(told, [json!("small"), json!(3), json!("validated"), json!("25"), json!(1)], "{done}");
    let result = two.get(&format!("{TASKS}/{}/result", task["task"])).await;
    assert_eq!((result.status, &*result.body), (200, "25"));
    assert_eq!(result.header("content-type"), Some("application/octet-stream"));
    let summary = two.get("/api/v1/summary").await.json();
    assert_eq!(
        (&summary["submitted"], &summary["validated"], &summary["workers"]),
        (&json!(1), &json!(1), &json!(1))
    );
    let workers = two.get("/api/v1/workers").await.json();
    assert_eq!(
        (&workers["workers"][0]["worker"], &workers["workers"][0]["is_there"]),
        (&json!(1), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_need_each_other_are_done_in_turn_and_listed_page_by_page() {
    let two = two().await;
    let tasks = json!([
        { "name": "c", "service": "sha256", "argument": "abc", "after": ["a", "b"] },
        { "name": "a", "service": "stand-in" },
        { "name": "b", "service": "stand-in", "after": ["a"] },
    ]);
    assert_eq!(two.submit(&tasks).await, json!({ "first": 0, "count": 3 }));
    let last = two.ended(0).await;
    // FIPS 180-4's example.
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(last["answer"], digest);
    let page = two.get(&format!("{TASKS}?limit=2&stage=validated&user=0")).await.json();
    let names: Vec<_> = page["tasks"].as_array().unwrap().iter().map(|task| task["name"].clone()).collect();
    assert_eq!((names, &page["next"]), (vec![json!("c"), json!("a")], &json!(2)));
    let rest = two.get(&format!("{TASKS}?from=2")).await.json();
    assert_eq!((&rest["tasks"][0]["name"], &rest["next"]), (&json!("b"), &Value::Null));
    assert_eq!(two.get(&format!("{TASKS}?user=9")).await.json()["tasks"], json!([]));
    let events = two.get("/api/v1/events?follow=false").await;
    assert!(events.body.contains("\"Task\"") && events.body.contains("Validated"), "{}", events.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_cannot_be_done_says_why_and_another_can_be_cancelled() {
    let two = two().await;
    two.submit(&json!([{ "service": "primes", "argument": "many" }, { "cores": 1000 }])).await;
    let failed = two.ended(0).await;
    assert_eq!(failed["stage"], "failed");
    assert!(failed["reason"].as_str().unwrap().contains("no answer was accepted"), "{failed}");
    let result = two.get(&format!("{TASKS}/0/result")).await;
    assert!(result.status == 409 && result.detail().contains("failed: no answer"), "{result:?}");
    let early = two.get(&format!("{TASKS}/1/result")).await;
    assert!(early.status == 409 && early.detail().contains("has no answer yet"), "{early:?}");
    assert_eq!(two.ask("DELETE", &format!("{TASKS}/1?user=8"), "").await.status, 409);
    assert_eq!(two.ask("DELETE", &format!("{TASKS}/1"), "").await.status, 204);
    assert_eq!(two.ask("DELETE", &format!("{TASKS}/1"), "").await.status, 409);
    assert_eq!(two.get(&format!("{TASKS}/1")).await.json()["stage"], "cancelled");
    assert_eq!(two.ask("DELETE", &format!("{TASKS}/7"), "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_is_stored_and_run() {
    let two = two().await;
    let module = wat::parse_str(ECHO).unwrap();
    let mut stream = TcpStream::connect(two.hub.address()).await.unwrap();
    let head = format!(
        "POST /api/v1/modules HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/wasm\r\n{}Content-Length: {}\r\n\
         Connection: close\r\n\r\n",
        bed::authorized(),
        module.len()
    );
    stream.write_all(&[head.as_bytes(), &module].concat()).await.unwrap();
    let stored = bed::answer(&mut stream).await;
    assert_eq!(stored.status, 201, "{stored:?}");
    two.submit(&json!({ "service": "wasm", "module": stored.json()["module"], "argument_base64": "/wA=" }))
        .await;
    let done = two.ended(0).await;
    assert_eq!((&done["stage"], &done["answer_base64"]), (&json!("validated"), &json!("/wA=")), "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused_in_words() {
    let two = two().await;
    for (method, path, body, status, told) in [
        ("POST", TASKS, "{", 400, "cannot be read"),
        ("POST", TASKS, "[]", 400, "no tasks"),
        ("POST", TASKS, r#"{"servise":"primes"}"#, 400, "did you mean `service`?"),
        ("POST", TASKS, r#"[{"name":"a","after":["b"]},{"name":"b","after":["a"]}]"#, 400, "cycle"),
        ("POST", TASKS, r#"{"cores":0}"#, 400, "cores"),
        ("POST", "/api/v1/tasks?wait=maybe", "{}", 400, "true or false"),
        ("GET", "/api/v1/tasks/x", "", 400, "expected a number"),
        ("GET", "/api/v1/tasks/5", "", 404, "there is no task 5"),
        ("GET", "/api/v1/tasks/5?wait=true", "", 404, "there is no task 5"),
        ("GET", "/api/v1/tasks?stage=done", "", 400, "there is no stage `done`"),
        ("GET", "/api/v1/tasks?limit=0", "", 400, "from 1 on"),
        ("POST", "/api/v1/modules", "{}", 415, "application/wasm"),
    ] {
        let answer = two.ask(method, path, body).await;
        assert!(
            answer.status == status && answer.detail().contains(told),
            "{method} {path} {body}: {answer:?}"
        );
    }
    assert_eq!(ask_at(&two.hub, "POST", TASKS, "", "{}").await.status, 401);
    let elsewhere = ask_at(&two.worker, "GET", TASKS, "", "").await;
    assert!(elsewhere.status == 421 && elsewhere.detail().contains("ask the hub"), "{elsewhere:?}");
    assert_eq!(two.get("/api/v1/summary").await.json()["submitted"], 0);
    two.handle.stop().await;
    assert_eq!(two.get(TASKS).await.status, 503);
}

/// Every route is described and every description is a route, with the token where something changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_is_true_of_tasks() {
    let two = two().await;
    let document = two.get("/api/v1/openapi.json").await.json();
    let mut routes: Vec<_> = resources().routes.iter().map(|route| route.operation).collect();
    routes.sort_by_key(|operation| operation.method);
    for operation in routes {
        let described = &document["paths"][operation.path][operation.method];
        assert!(described.is_object(), "{} {}", operation.method, operation.path);
        let path = operation.path.replace("{task}", "0");
        let method = operation.method.to_uppercase();
        for body in ["", "{}", "{", "[{},{}]"] {
            let answer = two.ask(&method, &path, body).await;
            let known = &described["responses"][answer.status.to_string()];
            assert!(known.is_object(), "{method} {path}: {} is not described", answer.status);
            if let Some(kind) = answer.header("content-type") {
                assert!(known["content"][kind].is_object(), "{method} {path}: {kind} is not in {known}");
            }
        }
        let openly = ask_at(&two.hub, &method, &path, "", "").await.status;
        assert_eq!(openly == 401, method != "GET", "{method} {path} without a token: {openly}");
    }
    // What refers to a schema finds it.
    let mut texts = vec![&document];
    while let Some(value) = texts.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(name) = fields.get("$ref").and_then(Value::as_str) {
                    assert!(document.pointer(name.trim_start_matches('#')).is_some(), "{name}");
                }
                texts.extend(fields.values());
            }
            Value::Array(values) => texts.extend(values),
            _ => {}
        }
    }
}
