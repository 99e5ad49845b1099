//! `seedbed replay FOLDER --node K`: the recorded lives of a node, lived again.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use seedbed_core::contract::NodeId;
use seedbed_scenarios::recording::{self, Replayed};
use seedbed_scenarios::run::Registry;

use super::{Done, Verdict, print};

/// Lives all recorded lives of a node again, and tells of each whether it did the same.
pub(super) fn replay(dir: &Path, node: u32, registry: &Registry) -> Done {
    let node = NodeId(node);
    let about = recording::about(dir, node)?;
    let protocol = registry.find(&about.protocol).with_context(|| {
        let known: Vec<&str> = registry.names().collect();
        format!("recorded with the protocol {}; this program knows {}", about.protocol, known.join(", "))
    })?;
    let lives = protocol.replay(dir, node)?;
    let mut text = format!("{} node {} of {}\n", about.protocol, node.0, about.nodes);
    for life in &lives {
        tell(life, &mut text);
    }
    print(&text)?;
    let holds = lives.iter().all(Replayed::is_identical);
    Ok(if holds { Verdict::Holds } else { Verdict::Violated })
}

fn tell(replayed: &Replayed, text: &mut String) {
    let Replayed { life, same, steps, .. } = replayed;
    let torn = match (replayed.is_damaged(), replayed.is_torn) {
        (true, _) => "; the recording is damaged there",
        (false, true) => "; torn there",
        (false, false) => "",
    };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "life {}: effects identical {same}/{steps}{torn}", life.0);
    if replayed.program != env!("CARGO_PKG_VERSION") {
        let _ = writeln!(text, "  recorded by version {}", replayed.program);
    }
    match &replayed.verdict {
        recording::Verdict::Identical => {}
        recording::Verdict::Differs(difference) => {
            let recording::Difference { step, input, recorded, replayed, effects } = difference;
            let _ = writeln!(
                text,
                "  first difference at step {step}\n  input     {input}\n  recorded  {recorded:016x}\n  replayed  \
                 {replayed:016x}: {effects}"
            );
        }
        recording::Verdict::Panicked { step, input, message, is_new } => {
            let then = if *is_new { "did not when it was recorded" } else { "the recording ends there, too" };
            let _ = writeln!(text, "  panics at step {step}: {message} ({then})\n  input     {input}");
        }
    }
}
