//! Lists of faults in files: one fault per line in JSON, as a run wrote it to its trace, or someone's edit of it.

use std::path::Path;

use seedbed_core::contract::NodeId;
use seedbed_core::settings::{Problem, Problems, Span, nearest};
use seedbed_sim::fault::{Action, Timed};

use crate::format::{Report, Text};

/// The largest list that is read, in bytes.
const BYTES_MAX: u64 = 64 << 20;

const EXAMPLE: &str = r#"a fault such as {"at":5000000000,"action":{"crash":{"node":0,"loss":"unsynced"}}}"#;

/// Reads a list of faults for a world of `nodes` nodes. Empty lines do not count; the order matters among those of one
/// moment only.
///
/// # Errors
/// If the file cannot be read, or what is wrong with its lines.
pub fn read_faults(path: &Path, nodes: u32) -> Result<Vec<Timed>, Report> {
    let text = Text::load(path, BYTES_MAX)?;
    let (mut faults, mut problems) = (Vec::new(), Problems::default());
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let span = Span { source: 0, start: start as u32, end: (start + line.trim_end().len()) as u32 };
        start += line.len();
        if line.trim().is_empty() {
            continue;
        }
        match read(line, span, nodes) {
            Ok(fault) => faults.push(fault),
            Err(problem) => problems.push(problem),
        }
        if problems.is_full() {
            break;
        }
    }
    if problems.is_empty() { Ok(faults) } else { Err(text.report(problems)) }
}

fn read(line: &str, span: Span, nodes: u32) -> Result<Timed, Problem> {
    let fault: Timed = serde_json::from_str(line).map_err(|error| malformed(&error, line, span))?;
    let (one, from, to): (_, &[NodeId], &[NodeId]) = match &fault.action {
        Action::Disturb { from, to, .. } => (None, from, to),
        action => (action.node(), &[], &[]),
    };
    match one.iter().chain(from).chain(to).find(|node| node.0 >= nodes) {
        None => Ok(fault),
        Some(node) => {
            let problem = Problem::new(span, format!("there is no node {}: the cluster has {nodes}", node.0));
            Err(problem.expected(format!("a node from 0 to {}", nodes.saturating_sub(1))))
        }
    }
}

/// What the parser says, at the place that it means.
fn malformed(error: &serde_json::Error, text: &str, line: Span) -> Problem {
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    let place = (line.start + error.column().saturating_sub(1) as u32).min(line.end.saturating_sub(1));
    let span = Span { start: place, end: place + 1, ..line };
    let Some((message, expected)) = said.split_once(", expected ") else {
        return Problem::new(span, said).expected(EXAMPLE);
    };
    let quoted = |text: &'_ str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let (found, valid) = (quoted(message), quoted(expected));
    // The parser has gone on to the end of the word.
    let word = found.first().and_then(|found| Some((text.find(&format!("\"{found}\""))?, found.len() + 2)));
    let span = word.map_or(span, |(start, len)| {
        let start = line.start + start as u32;
        Span { start, end: start + len as u32, ..line }
    });
    let near = found.first().and_then(|found| nearest(found, valid.iter().map(String::as_str)));
    Problem { nearest: near.map(Into::into), ..Problem::new(span, message).expected(expected) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        let end = line.len() as u32;
        read(line, Span { source: 0, start: 0, end }, 5)
            .map_or_else(|problem| problem.to_string(), |_| "right".into())
    }

    #[test]
    fn a_damaged_line_is_told_with_what_was_expected() {
        for (line, expected) in [
            (r#"{"at":5,"action":{"crash":{"node":4,"loss":"unsynced"}}}"#, "right"),
            (r#"{"at":5,"action":{"calm":{"number":9}}}"#, "right"),
            (r#"{"at":5,"action":{"crash":{"node":5,"loss":"unsynced"}}}"#, "no node 5: the cluster has 5"),
            (r#"{"at":5,"action":{"crahs":{"node":1}}}"#, "did you mean `crash`?"),
            (r#"{"at":-5,"action":{"calm":{"number":9}}}"#, "expected u64"),
            (r#"{"at":5"#, "expected a fault such as"),
            ("crash node 1 at 5s", "expected a fault such as"),
            (r#"{"at":5,"action":{"disturb":{"number":1,"from":[0],"to":[7],"how":"cut"}}}"#, "no node 7"),
        ] {
            assert!(shown(line).contains(expected), "{line}: {}", shown(line));
        }
    }
}
