//! Task graphs of the Standard Task Graph Set (Tobita, Kasahara: J. Scheduling 5(5), 2002).

use super::text::{Line, Word, lines};
use super::{ImportError, excerpt};
use crate::contract::Duration;
use crate::scheduler::dag::{EDGES_MAX, Edge, GraphError, TASKS_MAX, Task, TaskGraph};
use crate::settings::Bytes;

/// Reads a graph in the format of the Standard Task Graph Set: the number of tasks, then a line for each task and for the
/// two dummies that come before and after all others: its number from 0, its processing time, how many tasks it needs,
/// and their numbers. What follows a `#` at the start of a line is a comment.
///
/// Processing times count in `unit`; nothing is handed over. A task's name is its number, and so is its index.
///
/// # Errors
/// The first thing that is wrong, by line and column.
pub fn stg(text: &str, unit: Duration) -> Result<TaskGraph, ImportError> {
    let mut lines = lines(text, '#');
    let count = count(lines.next())?;
    let mut tasks = Vec::new();
    let mut edges = Vec::new();
    let mut places = Vec::new();
    for line in lines.by_ref().take(count) {
        places.push(line.number);
        tasks.push(task(line, tasks.len(), count, unit, &mut edges)?);
    }
    if let Some(line) = lines.next() {
        let problem = format!("there is one more line, expected {count} tasks only");
        return Err(ImportError::text(line.number, 1, problem));
    }
    if tasks.len() < count {
        let problem = format!("the text ends after {} tasks, expected {count}", tasks.len());
        return Err(ImportError::text(text.lines().count().max(1), 1, problem));
    }
    TaskGraph::new(tasks, edges).map_err(|error: GraphError| {
        let line = error.task().map_or(1, |task| places[task]);
        ImportError::text(line, 1, error.to_string())
    })
}

/// The first line: how many tasks there are. The dummies are not counted there, but here.
fn count(line: Option<Line<'_>>) -> Result<usize, ImportError> {
    const EXPECTED: &str = "the number of tasks";
    let nothing = || ImportError::text(1, 1, format!("there is nothing, expected {EXPECTED}"));
    let mut words = line.ok_or_else(nothing)?.words();
    let word = words.expect(EXPECTED)?;
    words.end()?;
    match usize::try_from(word.whole(EXPECTED)?) {
        Ok(tasks) if tasks <= TASKS_MAX - 2 => Ok(tasks + 2),
        _ => Err(word.wrong(&format!("at most {} tasks", TASKS_MAX - 2))),
    }
}

fn task(
    line: Line<'_>,
    index: usize,
    count: usize,
    unit: Duration,
    edges: &mut Vec<Edge>,
) -> Result<Task, ImportError> {
    let mut words = line.words();
    let number = words.expect("the number of a task")?;
    let expected = format!("task {index}, for tasks are numbered in order");
    if number.whole(&expected)? != index as u64 {
        return Err(number.wrong(&expected));
    }
    let time = words.expect("a processing time")?;
    let units = time.whole("a processing time, a whole number")?;
    let too_long = || time.wrong("a processing time that can be counted in nanoseconds");
    let work = units.checked_mul(unit.as_nanos()).map(Duration::from_nanos).ok_or_else(too_long)?;
    let needs = words.expect("how many tasks this one needs")?;
    let needed = needs.whole("how many tasks this one needs, a whole number")?;
    for nth in 0..needed {
        if edges.len() == EDGES_MAX {
            return Err(needs.wrong(&format!("at most {EDGES_MAX} needs in all")));
        }
        let word = words.expect(&format!("{needed} tasks that this one needs, found {nth}"))?;
        edges.push(Edge { from: giver(word, count)?, to: index as u32, data: Bytes(0) });
    }
    words.end()?;
    Ok(Task { name: index.to_string(), work })
}

fn giver(word: Word<'_>, count: usize) -> Result<u32, ImportError> {
    let last = count - 1;
    let giver = word.whole(&format!("the number of a task, 0 to {last}"))?;
    match u32::try_from(giver) {
        Ok(giver) if (giver as usize) < count => Ok(giver),
        _ => {
            let problem = format!("there is no task {}, expected one from 0 to {last}", excerpt(word.text));
            Err(ImportError::text(word.line, word.column, problem))
        }
    }
}
