//! The policies as a hub drives them.

mod model;
mod policies;
mod properties;
mod table;

use super::*;

/// Parameters that are as they come but for the policy's name.
fn named(validation: Validation) -> Parameters {
    Parameters { validation, ..Parameters::default() }
}
