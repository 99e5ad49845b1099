//! Replicated documents as clients meet them at the door of a replica.

use seedbed_core::contract::Subject;
use seedbed_core::sync::replica::{Parameters, Replica};
use seedbed_transport::documents::resources;
use seedbed_transport::door::Door;
use seedbed_transport::host::Handle;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::bed::{self, Answer};
use crate::seat;

const PEOPLE: &str = "/api/v1/collections/people";
const DOCUMENTS: &str = "/api/v1/collections/people/documents";
const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

struct Replicas {
    door: Door,
    handle: Handle<Replica>,
}

/// One replica, with a collection.
async fn replica() -> Replicas {
    let parameters = Parameters { collections: Vec::new(), ..Parameters::default() };
    let config = Replica::config(&parameters, 1).unwrap();
    let (door, handle) = seat::alone(config, resources(), |_| {}).await;
    let replicas = Replicas { door, handle };
    assert_eq!(replicas.ask("PUT", PEOPLE, "", "").await.status, 201);
    replicas
}

impl Replicas {
    /// One request, with the token and whatever else stands in its head.
    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let headers = format!("{}{headers}", bed::authorized());
        self.ask_openly(method, path, &headers, body).await
    }

    async fn ask_openly(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
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
        let mut stream = TcpStream::connect(self.door.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        match bed::until(&mut stream, "\r\n\r\n").await {
            // These have no body, and say nothing of its length.
            head if head.starts_with("HTTP/1.1 204") || head.starts_with("HTTP/1.1 304") => {
                Answer { status: head[9..12].parse().unwrap(), head, body: String::new() }
            }
            head => bed::answer_after(&mut stream, head).await,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask_openly("GET", path, "", "").await
    }

    async fn add(&self, document: &str) -> (String, String) {
        let added = self.ask("POST", DOCUMENTS, "", document).await;
        assert_eq!(added.status, 201, "{added:?}");
        let written = added.json();
        let word = |name: &str| written[name].as_str().unwrap().to_owned();
        assert_eq!(added.header("etag"), Some(&*format!("\"{}\"", word("version"))));
        (word("_id"), word("version"))
    }

    async fn found(&self, query: &str) -> Vec<Value> {
        let page = self.get(&format!("{DOCUMENTS}?{query}")).await;
        assert_eq!(page.status, 200, "{query}: {page:?}");
        page.json()["documents"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["document"]["n"].clone())
            .collect()
    }
}

fn if_match(version: &str) -> String {
    format!("If-Match: \"{version}\"\r\n")
}

#[tokio::test]
async fn a_document_is_added_read_changed_and_deleted() {
    let replica = replica().await;
    let (id, first) = replica.add(r#"{ "name": "Anna", "age": 37, "home": { "city": "Bonn" } }"#).await;
    let path = format!("{DOCUMENTS}/{id}");
    let found = replica.get(&path).await;
    assert_eq!(found.json(), json!({ "_id": id, "name": "Anna", "age": 37, "home": { "city": "Bonn" } }));
    assert_eq!(found.header("etag"), Some(&*format!("\"{first}\"")));

    let patch = "Content-Type: application/merge-patch+json\r\n";
    let patched = replica.ask("PATCH", &path, patch, r#"{ "age": 38, "home": { "city": null } }"#).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    let second = patched.json()["version"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert_eq!(replica.get(&path).await.json(), json!({ "_id": id, "name": "Anna", "age": 38, "home": {} }));

    assert_eq!(replica.ask("PUT", &path, "", r#"{ "n": 1 }"#).await.status, 200);
    assert_eq!(replica.get(&path).await.json(), json!({ "_id": id, "n": 1 }));
    assert_eq!(replica.ask("DELETE", &path, "", "").await.status, 204);
    assert_eq!(replica.get(&path).await.status, 404);
    assert_eq!(replica.ask("DELETE", &path, "", "").await.status, 404);
    assert_eq!(replica.ask("PATCH", &path, patch, "{}").await.status, 404);

    // Where nothing is, or nothing any more, a document is created.
    for path in [&path, &format!("{DOCUMENTS}/{ID}")] {
        assert_eq!(replica.ask("PUT", path, "", r#"{ "n": 1 }"#).await.status, 201);
        assert_eq!(replica.ask("PUT", path, "", r#"{ "n": 2 }"#).await.status, 200);
    }
    // As pages tell it. What no field keeps several values of has no siblings.
    let told = replica.get(&format!("{path}?siblings=true")).await;
    let version = told.header("etag").unwrap().trim_matches('"').to_owned();
    assert_eq!(told.json(), json!({ "_id": id, "version": version, "document": { "_id": id, "n": 2 } }));
    assert_eq!(replica.get(&format!("{path}?siblings=false")).await.json(), json!({ "_id": id, "n": 2 }));
    for wrong in ["siblings=maybe", "sibling=true", "siblings=true&siblings=false"] {
        assert_eq!(replica.get(&format!("{path}?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn collections_are_made_named_and_deleted() {
    let replica = replica().await;
    let schema = r#"{ "fields": { "/tags": "set", "/visits": "counter" }, "deletes": "yield_to_updates" }"#;
    assert_eq!(replica.ask("PUT", "/api/v1/collections/visits", "", schema).await.status, 201);
    assert_eq!(
        replica.get("/api/v1/collections").await.json(),
        json!({ "collections": ["people", "visits"] })
    );
    // Nothing, of a length that is not said before.
    let chunked = |path: &str, body: &str| {
        let head = format!("PUT {path} HTTP/1.1\r\nHost: localhost\r\n{}", bed::authorized());
        bed::send(replica.door.address(), format!("{head}Transfer-Encoding: chunked\r\n\r\n{body}0\r\n\r\n"))
    };
    assert_eq!(chunked("/api/v1/collections/chunked", "").await.status, 201);
    assert_eq!(chunked("/api/v1/collections/other", "2\r\n{}\r\n").await.status, 415);
    replica.ask("DELETE", "/api/v1/collections/chunked", "", "").await;
    let again = replica.ask("PUT", PEOPLE, "", "").await;
    assert_eq!(again.status, 409);
    assert!(again.detail().contains("exists already"));
    let added =
        replica.ask("POST", "/api/v1/collections/visits/documents", "", r#"{ "visits": "many" }"#).await;
    assert_eq!(added.status, 422);
    assert!(added.detail().contains("counter"), "{added:?}");
    assert_eq!(replica.ask("DELETE", PEOPLE, "", "").await.status, 204);
    for (method, path, body) in [
        ("DELETE", PEOPLE, ""),
        ("GET", DOCUMENTS, ""),
        ("POST", DOCUMENTS, "{}"),
        ("GET", &*format!("{PEOPLE}/changes"), ""),
    ] {
        assert_eq!(replica.ask(method, path, "", body).await.status, 404, "{method} {path}");
    }
    for wrong in [
        "[]",
        r#"{ "field": {} }"#,
        r#"{ "fields": { "tags": "set" } }"#,
        r#"{ "fields": { "/_id": "set" } }"#,
    ] {
        assert_eq!(replica.ask("PUT", PEOPLE, "", wrong).await.status, 422, "{wrong}");
    }
}

#[tokio::test]
async fn conditions_keep_writers_from_what_they_have_not_read() {
    let replica = replica().await;
    let (id, first) = replica.add(r#"{ "n": 1 }"#).await;
    let path = format!("{DOCUMENTS}/{id}");
    let second = replica.ask("PUT", &path, &if_match(&first), r#"{ "n": 2 }"#).await;
    assert_eq!(second.status, 200, "{second:?}");
    let second = second.json()["version"].as_str().unwrap().to_owned();
    for method in ["PUT", "PATCH", "DELETE"] {
        let body = if method == "DELETE" { "" } else { r#"{ "n": 3 }"# };
        for stale in [
            if_match(&first),
            if_match("something else"),
            format!("If-Match: W/\"{second}\"\r\n"),
            "If-None-Match: *\r\n".into(),
            format!("If-None-Match: \"{first}\", \"{second}\"\r\n"),
        ] {
            let refused = replica.ask(method, &path, &stale, body).await;
            assert_eq!(refused.status, 412, "{method} {stale}");
            refused.detail();
        }
        assert_eq!(replica.ask(method, &path, "If-Match: nonsense\r\n", body).await.status, 400);
    }
    assert_eq!(replica.get(&path).await.json()["n"], 2);
    // One of several, whatever is there, and none of those.
    for condition in [
        format!("If-Match: \"{first}\", \"{second}\"\r\n"),
        "If-Match: *\r\n".into(),
        format!("If-None-Match: \"{first}\"\r\n"),
    ] {
        assert_eq!(replica.ask("PATCH", &path, &condition, r#"{ "n": 4 }"#).await.status, 200, "{condition}");
    }

    let new = format!("{DOCUMENTS}/{ID}");
    assert_eq!(replica.ask("PUT", &new, "If-Match: *\r\n", "{}").await.status, 412);
    assert_eq!(replica.ask("PUT", &new, "If-None-Match: *\r\n", r#"{ "n": 5 }"#).await.status, 201);
    assert_eq!(replica.ask("PUT", &new, "If-None-Match: *\r\n", r#"{ "n": 6 }"#).await.status, 412);
    assert_eq!(replica.get(&new).await.json(), json!({ "_id": ID, "n": 5 }));
}

#[tokio::test]
async fn who_has_a_version_is_not_told_it_again() {
    let replica = replica().await;
    let (id, version) = replica.add(r#"{ "n": 1 }"#).await;
    let path = format!("{DOCUMENTS}/{id}");
    for known in
        [format!("\"{version}\""), format!("W/\"{version}\""), "*".into(), format!("\"x\", \"{version}\"")]
    {
        let headers = format!("If-None-Match: {known}\r\n");
        let answer = replica.ask_openly("GET", &path, &headers, "").await;
        assert_eq!(
            (answer.status, answer.header("etag")),
            (304, Some(&*format!("\"{version}\""))),
            "{known}"
        );
    }
    assert_eq!(replica.ask_openly("GET", &path, "If-None-Match: \"x\"\r\n", "").await.status, 200);
    assert_eq!(replica.ask_openly("GET", &path, &if_match(&version), "").await.status, 200);
    assert_eq!(replica.ask_openly("GET", &path, &if_match("x"), "").await.status, 412);
}

#[tokio::test]
async fn queries_find_what_fulfils_them_page_by_page() {
    let replica = replica().await;
    let (names, mut ids) = (["Anna", "Andi", "Berta", "Bernd", "Anton"], Vec::new());
    for (n, name) in names.iter().enumerate() {
        ids.push(replica.add(&json!({ "n": n, "name": name, "even": n % 2 == 0 }).to_string()).await.0);
    }
    assert_eq!(replica.found("sort=written").await, [0, 1, 2, 3, 4]);
    // Names that are made in one millisecond are in no order but their own.
    let mut by_id: Vec<usize> = (0..names.len()).collect();
    by_id.sort_by_key(|n| &ids[*n]);
    assert_eq!(replica.found("").await, by_id);
    assert_eq!(replica.found("where=/n%3E=1&where=/n%3C3&sort=/n").await, [1, 2]);
    assert_eq!(replica.found("where=/name%5E=An&sort=/name").await, [1, 0, 4]);
    assert_eq!(replica.found("where=/name=Berta").await, [2]);
    assert_eq!(replica.found("where=/even=true&sort=-/n").await, [4, 2, 0]);
    assert_eq!(replica.found("where=/none=1").await, [0; 0]);

    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = replica.get(&format!("{DOCUMENTS}?sort=-/n&limit=2{after}")).await.json();
        seen.extend(page["documents"].as_array().unwrap().iter().map(|found| found["document"]["n"].clone()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [4, 3, 2, 1, 0]);
    let other_order = replica.get(&format!("{DOCUMENTS}?sort=/n&limit=2{after}")).await;
    assert_eq!(other_order.status, 400);
    assert!(other_order.detail().contains("token"), "{other_order:?}");
    for wrong in ["limit=0", "sort=n", "where=/n", "wehre=/n=1", "after=x", "limit=2&limit=3"] {
        assert_eq!(replica.get(&format!("{DOCUMENTS}?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn lines_are_written_each_for_itself() {
    let replica = replica().await;
    let path = format!("{PEOPLE}/bulk");
    let kind = "Content-Type: application/x-ndjson\r\n";
    let lines =
        format!("{{\"n\":1}}\n\n{{\"_id\":\"{ID}\",\"n\":2}}\r\n[]\n{{\n{{\"_id\":\"x\"}}\n{{\"n\":3}}");
    let answer = replica.ask("POST", &path, kind, &lines).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = answer.json();
    assert_eq!((&told["written"], &told["ids"][1]), (&json!(3), &json!(ID)));
    let refused: Vec<_> = told["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["line"].clone(), line["status"].clone()))
        .collect();
    assert_eq!(refused, [(json!(4), json!(422)), (json!(5), json!(400)), (json!(6), json!(422))]);
    // Sent again, what has a name is there once.
    replica.ask("POST", &path, kind, &format!("{{\"_id\":\"{ID}\",\"n\":4}}")).await;
    assert_eq!(replica.found("where=/n%3E=2&sort=/n").await, [3, 4]);
    assert_eq!(replica.ask("POST", &path, kind, &"{}\n".repeat(10_001)).await.status, 413);
    assert_eq!(replica.ask("POST", "/api/v1/collections/nowhere/bulk", kind, "{}").await.status, 404);

    let gone = replica.ask("POST", &format!("{PEOPLE}/delete-matching"), "", r#"{ "n": 4 }"#).await;
    assert_eq!(gone.json(), json!({ "ids": [ID] }));
    assert_eq!(replica.found("sort=/n").await, [1, 3]);
    let none = replica.ask("POST", &format!("{PEOPLE}/delete-matching"), "", "[1]").await;
    assert_eq!(none.status, 422, "{none:?}");
}

#[tokio::test]
async fn the_feed_tells_what_was_and_then_what_changes() {
    let replica = replica().await;
    let (first, _) = replica.add(r#"{ "n": 1 }"#).await;
    let path = format!("{PEOPLE}/changes");
    let told = replica.get(&format!("{path}?follow=false")).await;
    assert_eq!(told.header("content-type"), Some("text/event-stream"));
    let data: Value = serde_json::from_str(line(&told.body, "data: ")).unwrap();
    assert_eq!((&data["_id"], &data["document"]["n"]), (&json!(first), &json!(1)));

    let mut stream = TcpStream::connect(replica.door.address()).await.unwrap();
    let after = line(&told.body, "id: ");
    let request = format!("GET {path}?after={after} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    bed::until(&mut stream, "\r\n\r\n").await;
    replica.ask("DELETE", &format!("{DOCUMENTS}/{first}"), "", "").await;
    let mut text = String::new();
    while !text.contains("data: ") || !text.ends_with("\n\n") {
        text += &bed::chunk(&mut stream).await.expect("more");
    }
    let data: Value = serde_json::from_str(line(&text, "data: ")).unwrap();
    assert_eq!((&data["_id"], &data["document"]), (&json!(first), &Value::Null));

    // A page says where the feed stood, and a token outlives nothing that it does not fit.
    let page = replica.get(DOCUMENTS).await.json();
    let now = page["changes"].as_str().unwrap();
    let quiet = replica.get(&format!("{path}?follow=false&after={now}")).await;
    assert!(quiet.status == 200 && !quiet.body.contains("data: "), "{quiet:?}");
    assert_eq!(replica.get(&format!("{path}?follow=false&after=nonsense")).await.status, 400);
    for wrong in ["from=x", "follow=maybe", "follow=true&follow=false", &format!("after={now}&after={now}")] {
        assert_eq!(replica.get(&format!("{path}?{wrong}")).await.status, 400, "{wrong}");
    }
    replica.ask("DELETE", PEOPLE, "", "").await;
    while !text.contains("event: end") {
        text += &bed::chunk(&mut stream).await.expect("more");
    }
    replica.ask("PUT", PEOPLE, "", "").await;
    assert_eq!(replica.get(&format!("{path}?follow=false&after={now}")).await.status, 410);
}

fn line<'t>(text: &'t str, start: &str) -> &'t str {
    text.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_else(|| panic!("no {start} in {text:?}"))
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_words_and_changes_nothing() {
    let replica = replica().await;
    let deep = "{\"a\":".repeat(40) + "1" + &"}".repeat(40);
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1_100_000));
    for (method, path, headers, body, status) in [
        ("POST", DOCUMENTS, "", "{", 400),
        ("POST", DOCUMENTS, "", "\u{7f}", 400),
        ("POST", DOCUMENTS, "", "[]", 422),
        ("POST", DOCUMENTS, "", &deep, 422),
        ("POST", DOCUMENTS, "", &"[".repeat(100_000), 422),
        ("POST", DOCUMENTS, "", &large, 413),
        ("POST", DOCUMENTS, "", r#"{ "_id": "x" }"#, 422),
        ("POST", DOCUMENTS, "Content-Type: text/plain\r\n", "{}", 415),
        ("POST", DOCUMENTS, "Content-Type: application/merge-patch+json\r\n", "{}", 415),
        ("PUT", "/api/v1/collections/.hidden", "", "", 400),
        ("PUT", "/api/v1/collections/%ff", "", "", 400),
        ("GET", "/api/v1/collections/a%2Fb/documents", "", "", 400),
        ("GET", "/api/v1/collections/people/documents/1", "", "", 400),
        ("PATCH", &format!("{DOCUMENTS}/{ID}"), "Content-Type: text/plain\r\n", "{}", 415),
        (
            "PUT",
            &format!("{DOCUMENTS}/{ID}"),
            "",
            r#"{ "_id": "01890a5d-ac96-774b-bcce-b302099a8058" }"#,
            422,
        ),
        ("POST", &format!("{PEOPLE}/bulk"), "", "{}", 415),
        ("DELETE", DOCUMENTS, "", "", 405),
        ("GET", "/api/v1/collections/people/nothing", "", "", 404),
    ] {
        let answer = replica.ask(method, path, headers, body).await;
        assert_eq!(answer.status, status, "{method} {path} {headers} {answer:?}");
        assert!(!answer.detail().is_empty());
    }
    let too_long = format!(
        "POST {DOCUMENTS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{}Content-Length: 99999999\r\n\r\n",
        bed::authorized()
    );
    assert_eq!(bed::send(replica.door.address(), too_long).await.status, 413);
    assert_eq!(replica.found("").await, [0; 0]);
}

/// Every route is described and every description is a route, with the token where something changes.
#[tokio::test]
async fn the_description_is_true_of_documents() {
    let replica = replica().await;
    let document = replica.get("/api/v1/openapi.json").await.json();
    let (mut described, mut seen) = (Vec::new(), Vec::new());
    for (path, methods) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/api/v1/collections") {
            continue;
        }
        let real = path.replace("{collection}", "people").replace("{id}", ID);
        for (method, operation) in methods.as_object().unwrap() {
            described.push(format!("{method} {path}"));
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                assert!(
                    parameters.iter().any(|known| known["name"] == name && known["required"] == true),
                    "{path}"
                );
            }
            let method = method.to_uppercase();
            let quiet = if path.ends_with("changes") { "?follow=false" } else { "" };
            for (headers, body) in [
                ("", ""),
                ("", "{}"),
                ("", "{"),
                ("", "7"),
                ("Content-Type: application/x-ndjson\r\n", "{}"),
                ("If-Match: \"x\"\r\n", "{}"),
            ] {
                // What would leave nothing for the others is asked by another test.
                if method == "DELETE" && path.ends_with("{collection}") {
                    continue;
                }
                let answer = replica.ask(&method, &format!("{real}{quiet}"), headers, body).await;
                let known = &operation["responses"][answer.status.to_string()];
                assert!(known.is_object(), "{method} {path}: {} is not described: {answer:?}", answer.status);
                if let Some(kind) = answer.header("content-type") {
                    assert!(known["content"][kind].is_object(), "{method} {path}: {kind} is not in {known}");
                }
                seen.push(answer.status);
            }
            let is_read = method == "GET";
            let openly = replica.ask_openly(&method, &format!("{real}{quiet}"), "", "").await.status;
            assert_eq!(openly == 401, !is_read, "{method} {path} without a token: {openly}");
        }
        // What is not described cannot be done.
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE"] {
            let answer = replica.ask_openly(method, &format!("{real}?follow=false"), "", "").await;
            assert_eq!(answer.status == 405, methods.get(method.to_lowercase()).is_none(), "{method} {path}");
        }
    }
    described.sort();
    let routes: Vec<String> = {
        let mut routes: Vec<_> = resources()
            .routes
            .iter()
            .map(|route| format!("{} {}", route.operation.method, route.operation.path))
            .collect();
        routes.sort();
        routes
    };
    assert_eq!(described, routes);
    for status in [200, 201, 400, 404, 409, 412, 415, 422] {
        assert!(seen.contains(&status), "{status} was not seen: {seen:?}");
    }
}

#[tokio::test]
async fn a_replica_that_is_down_says_so() {
    let replica = replica().await;
    replica.handle.stop().await;
    for (method, body) in [("GET", ""), ("POST", "{}")] {
        assert_eq!(replica.ask(method, DOCUMENTS, "", body).await.status, 503);
    }
}
