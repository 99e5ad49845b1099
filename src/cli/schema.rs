//! `seedbed schema`: the scenario format as JSON Schema, for editors.

use clap::Args;
use seedbed_core::settings::{Field, Fields, Setting, Shape};
use seedbed_scenarios::format::json_schema;
use seedbed_scenarios::run::Registry;
use seedbed_scenarios::scenario::Scenario;

use super::{Done, Verdict, print};

/// Print the JSON Schema of the scenario format, with the parameters of every protocol.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  seedbed schema > scenario.schema.json")]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn execute(&self, registry: &Registry) -> Done {
        let schema = json_schema("Seedbed scenario", &shape(registry));
        print(&format!("{schema:#}\n"))?;
        Ok(Verdict::Holds)
    }
}

/// The scenario's shape, with what only the protocols know.
fn shape(registry: &Registry) -> Shape {
    let mut shape = Scenario::shape();
    let Shape::Table(fields) = &mut shape else { return shape };
    let flat = registry.entries().map(|(_, entry)| entry.params());
    let params = flat.chain([Shape::Table(by_protocol(registry))]).collect();
    if let Some(field) = fields.find_mut("params") {
        field.shape = Shape::Either(params);
    }
    if let Some(Field { shape: Shape::Table(workload), .. }) = fields.find_mut("workload")
        && let Some(command) = workload.find_mut("command")
    {
        command.shape = Shape::Either(registry.entries().map(|(_, entry)| entry.load()).collect());
    }
    shape
}

/// `[params.raft]` and the like.
fn by_protocol(registry: &Registry) -> Fields {
    let field = |(name, entry): (&'static str, &dyn seedbed_scenarios::run::Entry)| Field {
        name: name.into(),
        about: format!("parameters of {name}: {}", entry.about()),
        shape: entry.params(),
        required: false,
        default: None,
    };
    Fields { plain: registry.entries().map(field).collect(), tagged: Vec::new() }
}
