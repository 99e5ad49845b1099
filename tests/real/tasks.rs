//! A hub and workers as processes: tasks are computed, and none is lost or done twice, whoever is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

use crate::bed::{Bed, Told, within};

const COMPUTE: &str = r#"
name = "compute"
protocol = "scheduler"
nodes = 5

[params]
heartbeat = "100ms"
silence = "1s"
patience = "500ms"
backoff = "200ms"
backoff_max = "1s"
validation = "m-first"
matches = 2
worker = [{ cores = 2, ram = "1GiB" }]
"#;

const TASKS: usize = 2_000;
const HUB: u32 = 0;

fn post(bed: &Bed, body: &Value) -> Value {
    let limit = Some(Duration::from_secs(20));
    let agent: Agent = Agent::config_builder().proxy(None).timeout_global(limit).build().into();
    let answer = agent
        .post(format!("http://{}/api/v1/tasks", bed.api(HUB).expect("a door")))
        .header("Authorization", format!("Bearer {}", bed.token()))
        .header("Content-Type", "application/json")
        .send(body.to_string());
    let text = answer.expect("the hub takes them").body_mut().read_to_string().expect("an answer");
    serde_json::from_str(&text).expect("JSON")
}

fn summary(bed: &Bed) -> Option<Value> {
    bed.ask(HUB, "/api/v1/summary")
}

/// Waits until so many tasks are validated.
fn validated(bed: &Bed, count: u64) {
    within(&format!("{count} tasks to be validated"), || {
        summary(bed).filter(|summary| summary["validated"].as_u64() >= Some(count))
    });
}

/// How many primes there are up to a number.
fn primes(to: usize) -> usize {
    (2..=to).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)).count()
}

/// What nodes are told of a kind of notice.
fn notices<'e>(events: &'e [Value], kind: &'e str) -> impl Iterator<Item = (u64, &'e Value)> {
    let of_kind = move |event: &'e Value| Some((event["life"].as_u64()?, event["what"].get(kind)?));
    events.iter().filter_map(of_kind)
}

#[test]
fn every_task_is_validated_once_whoever_is_killed() {
    let mut bed = Bed::up_with("tasks", "compute", COMPUTE, &[]);
    let task = |n: usize| match n % 2 {
        0 => json!({ "service": "primes", "argument": n.to_string(), "retries": 100 }),
        _ => json!({ "service": "stand-in", "argument": n.to_string(), "work": "5ms", "retries": 100 }),
    };
    let tasks: Vec<Value> = (0..TASKS).map(task).collect();
    let taken = post(&bed, &tasks.into());
    assert_eq!(taken, json!({ "first": 0, "count": TASKS }));

    // Whoever is killed, it is in the middle of them: by far not all can be done by then.
    validated(&bed, 100);
    bed.kill(1);
    bed.restart(1);
    validated(&bed, 300);
    bed.kill(HUB);
    bed.restart(HUB);
    validated(&bed, 500);
    bed.kill(2);
    bed.kill(3);
    bed.kill(HUB);
    (2..4).for_each(|node| bed.restart(node));
    bed.restart(HUB);
    let open = within("the hub", || summary(&bed))["open"].as_u64().expect("a number");
    assert!(open > 0, "all is done before the last kill");
    validated(&bed, TASKS as u64);

    let summary = summary(&bed).expect("the hub");
    let counts = ["submitted", "validated", "failed", "cancelled", "open"].map(|key| summary[key].clone());
    assert_eq!(counts, [TASKS, TASKS, 0, 0, 0].map(Value::from));
    let mut seen = BTreeSet::new();
    for from in (0..TASKS).step_by(1_000) {
        let page = bed.ask(HUB, &format!("/api/v1/tasks?from={from}&limit=1000")).expect("a page");
        for task in page["tasks"].as_array().expect("tasks") {
            assert_eq!(task["stage"], "validated", "{task}");
            seen.insert(task["task"].as_u64().expect("a number"));
        }
    }
    assert_eq!(seen.len(), TASKS);
    for n in (0..TASKS).step_by(50) {
        let task = bed.ask(HUB, &format!("/api/v1/tasks/{n}")).expect("a task");
        assert_eq!(task["answer"], primes(n).to_string(), "{task}");
    }
    // No life of the hub tells twice that a task is validated.
    let events = bed.events();
    let mut told = BTreeMap::new();
    for (life, notice) in notices(&events[&HUB], "Task") {
        if !notice["stage"]["Validated"].is_null() {
            *told.entry((life, notice["task"].as_u64())).or_insert(0) += 1;
        }
    }
    assert!(told.len() > TASKS / 2 && told.values().all(|times| *times == 1), "{} told", told.len());
}

#[test]
fn a_saboteur_is_found_out_and_a_killed_workers_tasks_go_to_others() {
    let file = COMPUTE.replace("m-first", "credibility")
        + "spot_checks = 0.3\nsaboteur = [{ kind = \"independent\", rate = 1.0, nodes = [4] }]\n";
    let mut bed = Bed::up_with("saboteur", "compute", &file, &[]);
    let tasks: Vec<Value> =
        (0..300).map(|n| json!({ "argument": n.to_string(), "work": "2ms", "retries": 100 })).collect();
    post(&bed, &tasks.into());
    bed.kill(3);
    within("the saboteur to be found out", || {
        let events = bed.text(HUB, "/api/v1/events?follow=false")?;
        events.contains(r#""Blacklisted":{"worker":4}"#).then_some(())
    });
    bed.restart(3);
    validated(&bed, 300);
    let workers = bed.ask(HUB, "/api/v1/workers").expect("the hub");
    let lying: Vec<_> = workers["workers"]
        .as_array()
        .expect("workers")
        .iter()
        .map(|worker| worker["is_blacklisted"] == true)
        .collect();
    assert_eq!(lying, [false, false, false, true]);
}

/// `seedbed task` as a user types it.
fn tasks(bed: &Bed, node: u32, arguments: &[&str]) -> Told {
    let api = bed.api(node).expect("a door");
    let door = ["--api", &api, "--token-file", "compute/token"];
    bed.seedbed(["task"].iter().chain(arguments).chain(&door))
}

#[test]
fn the_command_gives_tasks_and_reads_what_came_of_them() {
    let mut bed = Bed::up_with("task", "compute", COMPUTE, &[]);
    let done = |told: Told| {
        assert_eq!(told.code, Some(0), "{told:?}");
        told.out
    };
    let primes = ["submit", "--service", "primes", "--argument", "1000", "--wait"];
    assert_eq!(done(tasks(&bed, HUB, &primes)), "168\n");
    assert_eq!(done(tasks(&bed, HUB, &["result", "0"])), "168");
    assert_eq!(
        done(tasks(&bed, HUB, &["status", "0"])).lines().filter(|line| *line == "stage validated").count(),
        1
    );
    bed.write("two.json", r#"[{"name": "second", "after": ["first"]}, {"name": "first", "work": "10ms"}]"#);
    assert_eq!(done(tasks(&bed, HUB, &["submit", "--file", "two.json"])), "1 to 2\n");
    done(tasks(&bed, HUB, &["status", "1", "--wait"]));
    let listed = done(tasks(&bed, HUB, &["list", "--from", "1"]));
    assert_eq!(listed, "1 validated second\n2 validated first\n");
    let json: Value =
        serde_json::from_str(&done(tasks(&bed, HUB, &["list", "--limit", "1", "--json"]))).expect("JSON");
    assert_eq!(json["task"], 0);
    let long = done(tasks(&bed, HUB, &["submit", "--service", "stand-in", "--work", "20s"]));
    done(tasks(&bed, HUB, &["cancel", long.trim()]));
    let workers = done(tasks(&bed, HUB, &["workers"]));
    assert!(workers.lines().count() == 4 && workers.contains("cores free"), "{workers}");
    bed.write(
        "flow.json",
        r#"{"schemaVersion": "1.5", "workflow": {
            "specification": {"tasks": [
                {"id": "a", "parents": [], "children": ["b"]}, {"id": "b", "parents": ["a"], "children": []}]},
            "execution": {"tasks": [{"id": "a", "runtimeInSeconds": 1}, {"id": "b", "runtimeInSeconds": 2}]}}}"#,
    );
    let flow = ["submit", "--workflow", "flow.json", "--scale", "0.01", "--wait"];
    assert_eq!(done(tasks(&bed, HUB, &flow)), "4 validated a\n5 validated b\n");
    bed.write("no.wasm", "this is no module");
    let module = done(tasks(&bed, HUB, &["module", "no.wasm"]));
    let run = ["submit", "--service", "wasm", "--module", module.trim(), "--wait"];
    let broken = tasks(&bed, HUB, &run);
    assert!(broken.code == Some(1) && broken.out.contains("failed"), "{broken:?}");
    for (node, arguments, code, told) in [
        (HUB, &["status", "77"][..], 1, "there is no task 77"),
        (HUB, &["result", long.trim()], 1, "is cancelled"),
        (HUB, &["submit"], 2, "--service"),
        (HUB, &["submit", "--service", "prime"], 2, "primes"),
        (HUB, &["submit", "--service", "wasm"], 2, "needs a module"),
        (HUB, &["submit", "--file", "nothing.json"], 2, "nothing.json cannot be read"),
        (HUB, &["submit", "--workflow", "two.json"], 2, "no workflow that can be run"),
        (1, &["list"], 2, "ask the hub"),
    ] {
        let refused = tasks(&bed, node, arguments);
        assert!(refused.code == Some(code) && refused.err.contains(told), "{arguments:?}: {refused:?}");
    }
    bed.kill(HUB);
    let gone = tasks(&bed, HUB, &["list"]);
    assert!(gone.code == Some(2) && gone.err.contains("cannot be reached"), "{gone:?}");
}
