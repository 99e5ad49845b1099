//! The description of the API, OpenAPI 3.1: made from the list of routes.

use serde_json::{Map, Value, json};

use super::problem::PROBLEM_JSON;
use super::route::{Access, Answer, Body, Operation, Parameter, Place};

/// The document.
pub(super) fn document<'o>(
    operations: impl Iterator<Item = &'o Operation>,
    more_schemas: Map<String, Value>,
) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let methods = paths.entry(operation.path).or_insert_with(|| json!({}));
        methods[operation.method] = described(operation);
    }
    let mut schemas = schemas();
    schemas.extend(more_schemas);
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
            "schemas": schemas,
        },
    })
}

fn described(operation: &Operation) -> Value {
    let mut described = json!({ "summary": operation.about, "responses": responses(operation) });
    match operation.access {
        Access::Anyone => described["security"] = json!([]),
        Access::Reader => described["security"] = json!([{}, { "token": [] }]),
        Access::Writer => described["security"] = json!([{ "token": [] }]),
    }
    if let Some(body) = operation.body {
        described["requestBody"] = json!({ "required": !operation.is_optional, "content": content(body) });
    }
    if !operation.parameters.is_empty() {
        described["parameters"] = operation.parameters.iter().map(parameter).collect();
    }
    described
}

fn parameter(parameter: &Parameter) -> Value {
    let place = match parameter.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
    };
    json!({
        "name": parameter.name,
        "in": place,
        "description": parameter.about,
        "required": parameter.place == Place::Path,
        "schema": (parameter.schema)(),
    })
}

fn responses(operation: &Operation) -> Value {
    const ADDRESS: &[Answer] = &[
        (400, "The request cannot be understood.", Body::Problem),
        (405, "Not with this method.", Body::Problem),
        (421, "The request is addressed to someone else.", Body::Problem),
    ];
    const TOKEN: &[Answer] = &[(401, "The token is missing or wrong.", Body::Problem)];
    const CHANGE: &[Answer] = &[(403, "The node has no token, or does not do such things.", Body::Problem)];
    const BODY: &[Answer] = &[
        (408, "The body did not come in time.", Body::Problem),
        (413, "The body is too long.", Body::Problem),
        (415, "The body is not said to be what is expected.", Body::Problem),
        (503, "The node is down, or too much waits for it.", Body::Problem),
    ];
    let access: &[&[Answer]] = match operation.access {
        Access::Anyone => &[ADDRESS],
        Access::Reader => &[ADDRESS, TOKEN],
        Access::Writer => &[ADDRESS, TOKEN, CHANGE],
    };
    let body = if operation.body.is_some() { BODY } else { &[] };
    let all = access.iter().copied().flatten().chain(body).chain(operation.answers);
    all.map(|&(status, about, body)| {
        let mut answer = json!({ "description": about });
        if body != Body::Nothing {
            answer["content"] = content(body);
        }
        (status.to_string(), answer)
    })
    .collect::<Map<_, _>>()
    .into()
}

fn content(body: Body) -> Value {
    let text = json!({ "type": "string" });
    let object = json!({ "type": "object" });
    let (kind, schema) = match body {
        Body::Nothing => return json!({}),
        Body::Html => ("text/html; charset=utf-8", text),
        Body::Text => ("text/plain", text),
        Body::Json(name) => ("application/json", reference(name)),
        Body::AnyJson => ("application/json", object),
        Body::MergePatch => ("application/merge-patch+json", object),
        Body::JsonLines => ("application/x-ndjson", text),
        // Any bytes: there is nothing that a schema could say of them.
        Body::Bytes(kind) => (kind, json!({})),
        Body::Events => ("text/event-stream", text),
        Body::Problem => (PROBLEM_JSON, reference("Problem")),
    };
    json!({ kind: { "schema": schema } })
}

/// The schema of numbers that count.
pub(super) fn natural() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn schemas() -> Map<String, Value> {
    let natural = natural();
    let text = json!({ "type": "string" });
    let truth = json!({ "type": "boolean" });
    let nodes = json!({ "type": "array", "items": natural });
    let schemas = json!({
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
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
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
