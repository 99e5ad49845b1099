//! Task graphs of WfCommons: executions of real workflows in WfFormat.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ImportError, excerpt, shortened};
use crate::contract::Duration;
use crate::scheduler::dag::{Edge, Task, TaskGraph};
use crate::settings::Bytes;

/// The versions of the format that are read: in what counts here, the later one differs in nothing.
pub const SCHEMA_VERSIONS: [&str; 2] = ["1.5", "1.6"];
/// How often a file of one task is looked for among those of another, at most: a workflow's tasks have few files each.
pub const COMPARISONS_MAX: usize = 1 << 26;

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "schemaVersion")]
    schema_version: String,
    workflow: Workflow,
}

#[derive(Deserialize)]
struct Workflow {
    specification: Specification,
    execution: Option<Execution>,
}

#[derive(Deserialize)]
struct Specification {
    tasks: Vec<Specified>,
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Specified {
    id: String,
    parents: Vec<String>,
    children: Vec<String>,
    #[serde(default)]
    input_files: Vec<String>,
    #[serde(default)]
    output_files: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    id: String,
    size_in_bytes: u64,
}

#[derive(Deserialize)]
struct Execution {
    tasks: Vec<Executed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Executed {
    id: String,
    runtime_in_seconds: f64,
}

const TASKS: &str = "workflow.specification.tasks";
const FILES: &str = "workflow.specification.files";
const EXECUTED: &str = "workflow.execution.tasks";

/// Reads a workflow in WfFormat 1.5 or 1.6. Of the document only the graph counts: a task's name is its `id`, its work its
/// `runtimeInSeconds`, to the nanosecond; an edge leads from each parent to each child, whichever of the two says so, and
/// carries the files that the one puts out and the other takes in.
///
/// # Errors
/// The first thing that is wrong: by line and column where the text is not such a document, else by its path.
pub fn wfcommons(text: &str) -> Result<TaskGraph, ImportError> {
    let document: Document = serde_json::from_str(text).map_err(|error| syntax(&error))?;
    if !SCHEMA_VERSIONS.contains(&document.schema_version.as_str()) {
        let expected = SCHEMA_VERSIONS.map(excerpt).join(" or ");
        let problem = format!("{}, expected {expected}", excerpt(&document.schema_version));
        return Err(ImportError::json("schemaVersion", problem));
    }
    let Specification { tasks: specified, files } = document.workflow.specification;
    let ids = index(specified.iter().map(|task| &task.id), TASKS)?;
    let works = works(document.workflow.execution, &specified, &ids)?;
    let edges = edges(&specified, &ids, &files)?;
    drop(ids);
    let named = specified.into_iter().zip(works);
    let tasks = named.map(|(task, work)| Task { name: task.id, work }).collect();
    TaskGraph::new(tasks, edges).map_err(|error| {
        let path = error.task().map_or_else(|| TASKS.to_owned(), |task| format!("{TASKS}[{task}]"));
        ImportError::json(path, error.to_string())
    })
}

fn syntax(error: &serde_json::Error) -> ImportError {
    let problem = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let problem = problem.strip_suffix(&place).unwrap_or(&problem);
    // It may hold a word of the document, of any length.
    ImportError::text(error.line(), error.column(), shortened(problem))
}

/// The places of things by their `id`.
fn index<'a>(
    ids: impl Iterator<Item = &'a String>,
    path: &str,
) -> Result<BTreeMap<&'a str, usize>, ImportError> {
    let mut places = BTreeMap::new();
    for (place, id) in ids.enumerate() {
        if let Some(first) = places.insert(id.as_str(), place) {
            let problem = format!("{} is the id of {path}[{first}] already, expected another", excerpt(id));
            return Err(ImportError::json(format!("{path}[{place}].id"), problem));
        }
    }
    Ok(places)
}

/// The work of each task.
fn works(
    execution: Option<Execution>,
    specified: &[Specified],
    ids: &BTreeMap<&str, usize>,
) -> Result<Vec<Duration>, ImportError> {
    let executed = execution.map(|execution| execution.tasks).unwrap_or_default();
    let mut works = vec![None; specified.len()];
    for (place, task) in executed.iter().enumerate() {
        let wrong = |key, problem| ImportError::json(format!("{EXECUTED}[{place}].{key}"), problem);
        let Some(&index) = ids.get(task.id.as_str()) else {
            return Err(wrong("id", format!("{}, expected the id of one of {TASKS}", excerpt(&task.id))));
        };
        let Some(work) = nanos(task.runtime_in_seconds) else {
            let problem = format!("{}, expected seconds, at least 0", task.runtime_in_seconds);
            return Err(wrong("runtimeInSeconds", problem));
        };
        if works[index].replace(work).is_some() {
            return Err(wrong("id", format!("{} comes twice, expected once", excerpt(&task.id))));
        }
    }
    if let Some(task) = works.iter().position(Option::is_none) {
        let problem =
            format!("there is no runtime of {}, expected one of each task", excerpt(&specified[task].id));
        return Err(ImportError::json(EXECUTED, problem));
    }
    Ok(works.into_iter().flatten().collect())
}

/// Seconds to the nearest nanosecond; none if that is no time, or cannot be counted.
fn nanos(seconds: f64) -> Option<Duration> {
    let nanos = (seconds * 1e9).round();
    // The bound is a power of two, which has an exact float.
    (0.0..u64::MAX as f64).contains(&nanos).then_some(Duration::from_nanos(nanos as u64))
}

fn edges(
    specified: &[Specified],
    ids: &BTreeMap<&str, usize>,
    files: &[File],
) -> Result<Vec<Edge>, ImportError> {
    let mut pairs = Vec::new();
    for (place, task) in specified.iter().enumerate() {
        let find = |key, names| places(names, ids, TASKS, place, key);
        pairs.extend(find("parents", &task.parents)?.into_iter().map(|parent| (parent, place)));
        pairs.extend(find("children", &task.children)?.into_iter().map(|child| (place, child)));
    }
    pairs.sort_unstable();
    pairs.dedup();
    let transfers = Transfers::new(specified, files)?;
    let comparisons: usize = pairs.iter().map(|(from, to)| transfers.files(*from, *to).0.len()).sum();
    if comparisons > COMPARISONS_MAX {
        let problem = format!("{comparisons} files to compare, expected at most {COMPARISONS_MAX}");
        return Err(ImportError::json(TASKS, problem));
    }
    let edge = |(from, to)| {
        let data = transfers.between(from, to)?;
        Ok(Edge { from: from as u32, to: to as u32, data })
    };
    pairs.into_iter().map(edge).collect()
}

/// Where things are that a task names.
fn places(
    names: &[String],
    ids: &BTreeMap<&str, usize>,
    listed: &str,
    task: usize,
    key: &str,
) -> Result<Vec<usize>, ImportError> {
    let find = |(nth, name): (usize, &String)| {
        ids.get(name.as_str()).copied().ok_or_else(|| {
            let problem = format!("{}, expected the id of one of {listed}", excerpt(name));
            ImportError::json(format!("{TASKS}[{task}].{key}[{nth}]"), problem)
        })
    };
    names.iter().enumerate().map(find).collect()
}

/// What tasks take in and put out.
struct Transfers<'a> {
    files: &'a [File],
    /// By task, the places of its files, in order and each once.
    inputs: Vec<Vec<usize>>,
    outputs: Vec<Vec<usize>>,
}

impl<'a> Transfers<'a> {
    fn new(specified: &[Specified], files: &'a [File]) -> Result<Self, ImportError> {
        let ids = index(files.iter().map(|file| &file.id), FILES)?;
        let find = |task: usize, key, names: &[String]| {
            let mut found = places(names, &ids, FILES, task, key)?;
            found.sort_unstable();
            found.dedup();
            Ok(found)
        };
        let tasks = || specified.iter().enumerate();
        let inputs = tasks().map(|(place, task)| find(place, "inputFiles", &task.input_files));
        let inputs = inputs.collect::<Result<_, _>>()?;
        let outputs = tasks().map(|(place, task)| find(place, "outputFiles", &task.output_files));
        Ok(Self { files, inputs, outputs: outputs.collect::<Result<_, _>>()? })
    }

    /// What one task puts out and what another takes in, the shorter list first.
    fn files(&self, from: usize, to: usize) -> (&[usize], &[usize]) {
        let (given, taken) = (self.outputs[from].as_slice(), self.inputs[to].as_slice());
        if given.len() < taken.len() { (given, taken) } else { (taken, given) }
    }

    /// How much one task hands to another.
    fn between(&self, from: usize, to: usize) -> Result<Bytes, ImportError> {
        let (few, many) = self.files(from, to);
        let shared = few.iter().filter(|file| many.binary_search(file).is_ok());
        let mut sizes = shared.map(|file| self.files[*file].size_in_bytes);
        let sum = sizes.try_fold(0_u64, u64::checked_add).map(Bytes);
        sum.ok_or_else(|| {
            let problem = "the files together are larger than can be counted, expected less than 16 EiB";
            ImportError::json(format!("{TASKS}[{to}].inputFiles"), problem)
        })
    }
}
