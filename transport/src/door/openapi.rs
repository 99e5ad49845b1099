//! The description of the API, OpenAPI 3.1: made from the list of routes.

use serde_json::{Map, Value, json};

use super::guard::Access;
use super::problem::PROBLEM_JSON;
use super::routes::{ROUTES, Route};

/// Status, what it means, what the body is.
pub(super) type Answer = (u16, &'static str, Body);

/// What a body holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Body {
    Html,
    Text,
    /// A schema, by its name.
    Json(&'static str),
    AnyJson,
    Events,
    Problem,
}

/// The document.
pub(super) fn document() -> Value {
    let paths: Map<String, Value> = ROUTES
        .iter()
        .map(|route| (route.path.to_owned(), json!({ route.method: operation(route) })))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "A node of Seedbed",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Reads are open on loopback. What changes state needs the token of the node; where \
                            the door can be reached from other machines, so do reads.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({ "summary": route.about, "responses": responses(route) });
    match route.access {
        Access::Anyone => operation["security"] = json!([]),
        Access::Reader => operation["security"] = json!([{}, { "token": [] }]),
        Access::Writer => operation["security"] = json!([{ "token": [] }]),
    }
    if let Some(body) = route.body {
        operation["requestBody"] = json!({ "required": true, "content": content(body) });
    }
    if route.answers.iter().any(|(.., body)| *body == Body::Events) {
        operation["parameters"] = json!([
            parameter(
                "after",
                "query",
                "Events after this number only.",
                json!({ "type": "integer", "minimum": 0 })
            ),
            parameter(
                "follow",
                "query",
                "Whether to wait for what happens next.",
                json!({ "type": "boolean", "default": true })
            ),
            parameter(
                "Last-Event-ID",
                "header",
                "As `after`, and counts more.",
                json!({ "type": "integer", "minimum": 0 })
            ),
        ]);
    }
    operation
}

fn parameter(name: &str, place: &str, about: &str, schema: Value) -> Value {
    json!({ "name": name, "in": place, "description": about, "required": false, "schema": schema })
}

fn responses(route: &Route) -> Value {
    const ADDRESS: &[Answer] = &[
        (400, "The request cannot be understood.", Body::Problem),
        (405, "Not with this method.", Body::Problem),
        (421, "The request is addressed to someone else.", Body::Problem),
    ];
    const TOKEN: &[Answer] = &[(401, "The token is missing or wrong.", Body::Problem)];
    const CHANGE: &[Answer] = &[
        (403, "The node has no token, or does not do such things.", Body::Problem),
        (408, "The body did not come in time.", Body::Problem),
        (413, "The body is too long.", Body::Problem),
        (415, "The body is not said to be JSON.", Body::Problem),
    ];
    let common: &[&[Answer]] = match route.access {
        Access::Anyone => &[ADDRESS],
        Access::Reader => &[ADDRESS, TOKEN],
        Access::Writer => &[ADDRESS, TOKEN, CHANGE],
    };
    let all = common.iter().copied().flatten().chain(route.answers);
    all.map(|&(status, about, body)| {
        (status.to_string(), json!({ "description": about, "content": content(body) }))
    })
    .collect::<Map<_, _>>()
    .into()
}

fn content(body: Body) -> Value {
    let text = json!({ "type": "string" });
    let (kind, schema) = match body {
        Body::Html => ("text/html; charset=utf-8", text),
        Body::Text => ("text/plain", text),
        Body::Json(name) => ("application/json", reference(name)),
        Body::AnyJson => ("application/json", json!({ "type": "object" })),
        Body::Events => ("text/event-stream", text),
        Body::Problem => (PROBLEM_JSON, reference("Problem")),
    };
    json!({ kind: { "schema": schema } })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn schemas() -> Value {
    let natural = json!({ "type": "integer", "minimum": 0 });
    let text = json!({ "type": "string" });
    let truth = json!({ "type": "boolean" });
    let nodes = json!({ "type": "array", "items": natural });
    json!({
        "Problem": object(&[("type", &text), ("title", &text), ("status", &natural), ("detail", &text)], &[]),
        "Command": { "description": "A command of the protocol that the node runs." },
        "Reply": { "description": "A reply of the protocol that the node runs." },
        "Status": object(&[
            ("node", &natural), ("name", &text), ("cluster", &text), ("protocol", &text), ("version", &text),
            ("up", &truth), ("life", &natural), ("since", &json!({ "type": ["string", "null"] })),
            ("uptime_ns", &natural), ("steps", &natural), ("role", &text),
            ("facts", &json!({ "type": "object", "additionalProperties": text })),
            ("members", &json!({ "anyOf": [{ "type": "null" }, reference("Members")] })),
            ("links", &list(reference("Link"))), ("disk", &reference("Disk")), ("events", &list(reference("Event"))),
        ], &[]),
        "Members": object(&[("epoch", &natural), ("voters", &nodes), ("others", &nodes)], &[]),
        "Link": object(&[("peer", &natural), ("up", &truth), ("lanes", &json!({ "type": "object", "additionalProperties": reference("Lane") }))], &[]),
        "Lane": object(&[
            ("up", &truth), ("connected", &natural), ("trouble", &json!({ "type": ["string", "null"] })),
        ], &[]),
        "Disk": object(&[("recovered", &natural), ("written", &natural), ("checkpoints", &natural)], &[]),
        "Event": object(&[
            ("seq", &natural), ("node", &natural), ("life", &natural), ("step", &natural),
            ("wall", &json!({ "type": "string", "format": "date-time" })), ("steady_ns", &natural),
            ("kind", &json!({ "enum": KINDS })), ("what", &json!({})),
        ], &[]),
        "Faults": object(&[], &[("heal_all", &truth), ("heal", &list(reference("Cut"))), ("cut", &list(reference("Cut")))]),
        "Cuts": object(&[("cuts", &list(reference("Cut")))], &[]),
        "MemberList": object(&[
            ("members", &json!({ "type": "object", "additionalProperties": reference("Member") })),
            ("revoked", &list(text.clone())), ("behind", &nodes),
        ], &[]),
        "Member": object(&[
            ("address", &text), ("votes", &truth),
            ("keys", &json!({ "type": "object", "additionalProperties": { "type": ["integer", "null"] } })),
        ], &[]),
        "Revoke": object(&[], &[("node", &natural), ("key", &text)]),
        "Revoked": object(&[("revoked", &list(text.clone())), ("behind", &nodes)], &[]),
        "Rotate": object(&[("overlap_s", &natural)], &[]),
        "Rotated": object(&[
            ("node", &natural), ("old", &text), ("new", &text), ("until", &natural), ("behind", &nodes),
        ], &[]),
        "Cut": object(&[("peer", &natural)], &[("way", &json!({ "enum": ["to", "from", "both"] }))]),
    })
}

const KINDS: [&str; 9] =
    ["start", "stop", "role", "notice", "record", "checkpoint", "members", "link", "full"];

fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// An object with these fields and no others.
fn object(required: &[(&str, &Value)], optional: &[(&str, &Value)]) -> Value {
    let properties: Map<String, Value> = required
        .iter()
        .chain(optional)
        .map(|(name, schema)| ((*name).to_owned(), (*schema).clone()))
        .collect();
    let names: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    json!({ "type": "object", "required": names, "properties": properties, "additionalProperties": false })
}
