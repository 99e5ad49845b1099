//! What can be asked, described.

use axum::routing::{delete, get, post};
use seedbed_core::scheduler::call::{MODULE_BYTES_MAX, Service};
use seedbed_core::scheduler::cluster::Cluster;
use seedbed_core::scheduler::hub::Stage;
use seedbed_core::scheduler::trust::Validation;
use serde_json::{Map, Value, json};

use super::{asking, submission};
use crate::door::{Answer, Body, Desk, Operation, Parameter, Place, Route};

const TASKS: &str = "/api/v1/tasks";
const TASK: &str = "/api/v1/tasks/{task}";
const RESULT: &str = "/api/v1/tasks/{task}/result";
const MODULES: &str = "/api/v1/modules";
const WORKERS: &str = "/api/v1/workers";
const SUMMARY: &str = "/api/v1/summary";

const DOWN: Answer = (503, "The node is down, or too much waits for it.", Body::Problem);
const LATE: Answer = (504, "The node did not answer in time; what was asked may yet be done.", Body::Problem);
const FULL: Answer = (507, "The disk of the hub is full.", Body::Problem);
const NO_TASK: Answer = (404, "There is no such task, or it is forgotten.", Body::Problem);

const ID: Parameter =
    Parameter { name: "task", place: Place::Path, about: "The task's number.", schema: natural };
const USER: Parameter = Parameter {
    name: "user",
    place: Place::Query,
    about: "On whose behalf: 0, if it is not said.",
    schema: natural,
};
const WAIT: Parameter = Parameter {
    name: "wait",
    place: Place::Query,
    about: "Whether to answer when it has ended, or after eight seconds.",
    schema: || json!({ "type": "boolean", "default": false }),
};

const PAGE: &[Parameter] = &[
    Parameter {
        name: "from",
        place: Place::Query,
        about: "From this task on: the `next` of the page before.",
        schema: natural,
    },
    Parameter {
        name: "limit",
        place: Place::Query,
        about: "At most so many tasks.",
        schema: || json!({ "type": "integer", "minimum": 1, "default": 100 }),
    },
    Parameter { name: "user", place: Place::Query, about: "Only this user's.", schema: natural },
    Parameter {
        name: "stage",
        place: Place::Query,
        about: "Only those in this stage of their life.",
        schema: || json!({ "enum": Stage::NAMES }),
    },
];

fn natural() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

pub(super) const ROUTES: &[Route<Desk<Cluster>>] = &[
    Route {
        operation: Operation::write(
            "post",
            TASKS,
            "Takes a task, or a list of tasks that may need each other: all of them, or none.",
            &[
                (200, "With `wait=true`: they have ended.", Body::Json("Tasks")),
                (
                    201,
                    "They are on the hub's disk. The others' numbers follow the first one.",
                    Body::Json("Submitted"),
                ),
                (
                    202,
                    "With `wait=true`: they are on the hub's disk, and have not all ended yet.",
                    Body::Json("Tasks"),
                ),
                LATE,
                FULL,
            ],
        )
        .with(&[WAIT, USER])
        .taking(Body::Json("Submission"))
        .of_bytes(submission::BODY_MAX),
        handler: || post(asking::submit),
    },
    Route {
        operation: Operation::read(
            TASKS,
            "Tasks in the order of their numbers, page by page, without their answers.",
            &[(200, "A page, and where the next one begins.", Body::Json("Tasks")), DOWN, LATE],
        )
        .with(PAGE),
        handler: || get(asking::list),
    },
    Route {
        operation: Operation::read(
            TASK,
            "How a task is.",
            &[(200, "Its stage, and its answer, if it has one.", Body::Json("Task")), NO_TASK, DOWN, LATE],
        )
        .with(&[ID, WAIT]),
        handler: || get(asking::status),
    },
    Route {
        operation: Operation::write(
            "delete",
            TASK,
            "Cancels a task, and with it what depends on it.",
            &[
                (204, "It will not be done.", Body::Nothing),
                NO_TASK,
                (409, "It is another user's, or it has ended.", Body::Problem),
                DOWN,
                LATE,
                FULL,
            ],
        )
        .with(&[ID, USER]),
        handler: || delete(asking::cancel),
    },
    Route {
        operation: Operation::read(
            RESULT,
            "The accepted answer of a task, as it is.",
            &[
                (200, "Its bytes.", Body::Bytes("application/octet-stream")),
                NO_TASK,
                (409, "It has no answer, or none yet.", Body::Problem),
                DOWN,
                LATE,
            ],
        )
        .with(&[ID]),
        handler: || get(asking::result),
    },
    Route {
        operation: Operation::write(
            "post",
            MODULES,
            "Keeps a WebAssembly module, for tasks of the service `wasm`.",
            &[(201, "It is on the hub's disk, under this name.", Body::Json("Module")), LATE, FULL],
        )
        .taking(Body::Bytes("application/wasm"))
        .of_bytes(MODULE_BYTES_MAX),
        handler: || post(asking::store),
    },
    Route {
        operation: Operation::read(
            WORKERS,
            "What the hub knows of its workers, those that are gone, too.",
            &[(200, "All of them, by their names.", Body::Json("Workers")), DOWN, LATE],
        ),
        handler: || get(asking::workers),
    },
    Route {
        operation: Operation::read(
            SUMMARY,
            "How much there is of everything.",
            &[(200, "Counts.", Body::Json("Summary")), DOWN, LATE],
        ),
        handler: || get(asking::summary),
    },
];

/// Schemas of what is sent and answered.
pub(super) fn schemas() -> Map<String, Value> {
    let (natural, text) = (natural(), json!({ "type": "string" }));
    let (number, truth) = (json!({ "type": "number", "minimum": 0 }), json!({ "type": "boolean" }));
    let texts = json!({ "type": "array", "items": text });
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let list = |name: &str| json!({ "type": "array", "items": reference(name) });
    let object = |required: &[(&str, &Value)], more: &[(&str, &Value)]| {
        let names: Vec<_> = required.iter().map(|(name, _)| *name).collect();
        let fields =
            required.iter().chain(more).map(|(name, schema)| ((*name).to_owned(), (*schema).clone()));
        let fields: Map<String, Value> = fields.collect();
        json!({ "type": "object", "required": names, "properties": fields, "additionalProperties": false })
    };
    let task = object(
        &[
            ("task", &natural),
            ("name", &text),
            ("user", &natural),
            ("stage", &json!({ "enum": Stage::NAMES })),
            ("attempts", &natural),
            ("submitted_ns", &natural),
        ],
        &[
            ("answered_by", &natural),
            ("confidence", &number),
            ("reason", &text),
            ("answer", &text),
            ("answer_base64", &text),
        ],
    );
    let next = json!({ "type": ["integer", "null"] });
    let worker = object(
        &[
            ("worker", &natural),
            ("is_there", &truth),
            ("copies", &natural),
            ("free_cores", &natural),
            ("trust", &number),
            ("spot_checks_passed", &natural),
            ("valid", &natural),
            ("invalid", &natural),
            ("is_blacklisted", &truth),
        ],
        &[("cores", &natural), ("ram_bytes", &natural), ("tags", &texts), ("speed", &number)],
    );
    let counts = ["submitted", "open", "validated", "failed", "cancelled", "workers", "cores", "free_cores"];
    let counts: Vec<_> = counts.iter().map(|name| (*name, &natural)).collect();
    let wanted = reference("WantedTask");
    let all = [
        ("Submission", json!({ "anyOf": [wanted, { "type": "array", "items": wanted }] })),
        ("WantedTask", wanted_task()),
        ("Submitted", object(&[("first", &natural), ("count", &natural)], &[])),
        ("Task", task),
        ("Tasks", object(&[("tasks", &list("Task")), ("next", &next)], &[])),
        ("Module", object(&[("module", &text)], &[])),
        ("Worker", worker),
        ("Workers", object(&[("workers", &list("Worker"))], &[])),
        ("Summary", object(&counts, &[])),
    ];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// A task as it is submitted.
fn wanted_task() -> Value {
    let duration = json!({ "type": "string", "examples": ["10s", "250ms"] });
    let size = json!({ "type": "string", "examples": ["64MiB", "4KiB"] });
    let text = json!({ "type": "string" });
    let natural = natural();
    let services: Vec<_> = Service::ALL.iter().map(|service| service.name()).collect();
    let policies: Vec<_> = Validation::ALL.iter().map(|validation| validation.name()).collect();
    let said = |schema: &Value, about: &str| {
        let mut schema = schema.clone();
        schema["description"] = about.into();
        schema
    };
    json!({
        "type": "object",
        "properties": {
            "name": said(&text, "No other task of the submission has it. Else its place, from 0."),
            "service": { "enum": services, "default": "stand-in" },
            "argument": said(&text, "What the service is given."),
            "argument_base64": said(&text, "The same for bytes that are no text."),
            "module": said(&text, "What `wasm` runs, as it was told when the module was stored."),
            "limits": {
                "type": "object",
                "description": "What it may take; beyond, it has failed.",
                "properties": { "time": duration, "memory": size, "fuel": natural, "output": size },
                "additionalProperties": false,
            },
            "cores": said(&natural, "What it takes up of its worker: 1, if it is not said."),
            "ram": said(&size, "What it takes up of its worker's memory."),
            "tags": { "type": "array", "items": text, "description": "What its worker must have." },
            "work": said(&duration, "How long a core of speed one takes for it."),
            "input": said(&size, "What must come to its worker."),
            "output": said(&size, "What it hands to those that need it."),
            "trust": { "type": "number", "minimum": 0, "description": "The least trust of its worker." },
            "validation": { "enum": policies, "description": "Which answer is accepted, in place of the hub's rule." },
            "overlap": { "type": "integer", "minimum": 1, "maximum": 64, "description": "How many workers run it." },
            "priority": said(&natural, "The higher, the more urgent."),
            "deadline": said(&duration, "When it is wanted, since its submission."),
            "retries": said(&natural, "How often it is tried again after an attempt failed."),
            "after": { "type": "array", "items": text, "description": "The names of the tasks that it needs." },
        },
        "additionalProperties": false,
    })
}
