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
    if let Some(field) = fields.find_mut("params") {
        field.shape = Shape::Table(params(registry));
    }
    if let Some(Field { shape: Shape::Table(workload), .. }) = fields.find_mut("workload")
        && let Some(command) = workload.find_mut("command")
    {
        command.shape = Shape::Either(registry.entries().map(|(_, entry)| entry.load()).collect());
    }
    shape
}

/// The parameters of all protocols side by side, as a sweep over protocols needs them, and each protocol's own in a
/// table of its name.
fn params(registry: &Registry) -> Fields {
    let mut fields = Fields::default();
    for (name, entry) in registry.entries() {
        if let Shape::Table(own) = entry.params() {
            own.plain.into_iter().for_each(|field| share(&mut fields.plain, field));
            fields.tagged.extend(own.tagged);
        }
        fields.plain.push(Field {
            name: name.into(),
            about: format!("parameters of {name}: {}", entry.about()),
            shape: entry.params(),
            required: false,
            default: None,
        });
    }
    fields
}

/// Adds a key that other protocols may have, too, and mean in their own way.
fn share(fields: &mut Vec<Field>, field: Field) {
    match fields.iter_mut().find(|known| known.name == field.name) {
        None => fields.push(Field { required: false, default: None, ..field }),
        Some(known) if known.shape == field.shape => {}
        Some(known) => {
            let before = std::mem::replace(&mut known.shape, Shape::Any);
            known.shape = Shape::Either(vec![before, field.shape]);
        }
    }
}
