//! A published workflow as tasks: stand-ins that take the times of the published ones.

use anyhow::{bail, ensure};
use seedbed_core::contract::Duration;
use seedbed_core::scheduler::import::wfcommons;
use serde_json::{Value, json};

/// How long a task may run at most: as the hub has it.
const TIME_MAX: Duration = Duration::from_secs(86_400);
/// A stand-in that is late by less than this is not given up.
const SPARE: Duration = Duration::from_secs(60);

/// The tasks of a workflow in the format of WfCommons, each so many times as long.
pub(super) fn tasks(text: &str, scale: f64) -> anyhow::Result<Value> {
    ensure!(scale.is_finite() && scale > 0.0, "--scale {scale}: expected a number above 0, such as 0.01");
    let graph = wfcommons(text)?;
    let names: Vec<&str> = graph.tasks().map(|task| task.name.as_str()).collect();
    let mut tasks = Vec::with_capacity(names.len());
    for (at, task) in graph.tasks().enumerate() {
        let nanos = task.work.as_nanos() as f64 * scale;
        if nanos > TIME_MAX.as_nanos() as f64 {
            bail!("task `{}` takes longer than a day: a smaller --scale makes it shorter", task.name);
        }
        let work = Duration::from_nanos(nanos as u64);
        let time = (work + SPARE).min(TIME_MAX);
        let after: Vec<&str> = graph.predecessors(at).map(|(giver, _)| names[giver]).collect();
        tasks.push(json!({
            "name": task.name,
            "service": "stand-in",
            "argument": task.name,
            "work": format!("{}ns", work.as_nanos()),
            "limits": { "time": format!("{}ns", time.as_nanos()) },
            "after": after,
        }));
    }
    Ok(tasks.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"{"schemaVersion": "1.5", "workflow": {
        "specification": {"tasks": [
            {"id": "a", "parents": [], "children": ["b"]}, {"id": "b", "parents": ["a"], "children": []}]},
        "execution": {"tasks": [
            {"id": "a", "runtimeInSeconds": 2.5}, {"id": "b", "runtimeInSeconds": 100000}]}}}"#;

    #[test]
    fn a_workflow_becomes_stand_ins_that_need_each_other() {
        let told = tasks(TWO, 0.01).unwrap();
        let first = json!({
            "name": "a", "service": "stand-in", "argument": "a", "work": "25000000ns",
            "limits": { "time": "60025000000ns" }, "after": [],
        });
        assert_eq!(told[0], first);
        assert_eq!((&told[1]["after"], &told[1]["work"]), (&json!(["a"]), &"1000000000000ns".into()));
    }

    #[test]
    fn what_cannot_be_run_is_told() {
        for (text, scale, told) in [
            (TWO, 1.0, "a smaller --scale"),
            (TWO, 0.0, "above 0"),
            (TWO, f64::NAN, "above 0"),
            ("{", 1.0, "line 1"),
        ] {
            let error = format!("{:#}", tasks(text, scale).unwrap_err());
            assert!(error.contains(told), "{error}");
        }
    }
}
