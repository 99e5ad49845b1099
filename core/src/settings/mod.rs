//! One specification for every value a person writes.
//!
//! A type that implements [`Setting`] says what may be written ([`Shape`]), reads it from a spanned tree
//! ([`Node`]) with all problems collected, and writes it back. Validation, messages, JSON Schema, listings,
//! `--set` and sweeps all come from that. [`settings!`](crate::settings!) makes such a type of a struct,
//! [`choice!`](crate::choice!) of a plain enum, [`variants!`](crate::variants!) of an enum with fields and
//! [`written!`](crate::written!) of anything with `FromStr` and `Display`.
//!
//! ```
//! use seedbed_core::contract::Duration;
//! use seedbed_core::{choice, settings, variants};
//!
//! choice! {
//!     /// Who may vote.
//!     pub enum Voters {
//!         /// Everybody.
//!         All,
//!         /// Those with a disk.
//!         WithDisk,
//!     }
//! }
//! variants! {
//!     /// How long something takes.
//!     pub enum Law by "law" or Duration as Law::constant {
//!         /// Always the same.
//!         Constant {
//!             /// That long.
//!             value: Duration;
//!         }
//!         /// Anything between two bounds, equally likely.
//!         Uniform {
//!             /// Shortest.
//!             from: Duration = Duration::ZERO;
//!             /// Longest.
//!             to: Duration;
//!         }
//!     }
//! }
//! impl Law {
//!     fn constant(value: Duration) -> Self {
//!         Self::Constant { value }
//!     }
//! }
//! settings! {
//!     /// A protocol's parameters.
//!     pub struct Parameters {
//!         /// How many.
//!         pub nodes: u32, in 1..=1_000;
//!         /// Between heartbeats.
//!         pub pause: Duration = Duration::from_secs(1), in Duration::from_millis(1)..=Duration::from_secs(60);
//!         /// Who may vote.
//!         pub voters: Voters = Voters::All;
//!         /// Thinking time.
//!         pub think: Law = Law::constant(Duration::ZERO);
//!         /// Said in reports.
//!         pub note: Option<String> = None;
//!     }
//!     verify = Parameters::consistent;
//! }
//! impl Parameters {
//!     fn consistent(&self) -> Result<(), (&'static str, String)> {
//!         match self.nodes % 2 {
//!             0 => Err(("nodes", "must be odd".into())),
//!             _ => Ok(()),
//!         }
//!     }
//! }
//! ```

mod keys;
mod macros;
mod names;
mod node;
mod problem;
mod quantity;
mod scalar;
mod shape;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

pub use keys::Keys;
pub use node::{Entry, Node, Span, Spanned, Table, Value};
pub use problem::{PROBLEMS_MAX, Problem, Problems, nearest};
pub use quantity::{Bytes, DURATION_MAX, Misread, Probability, Rate};
pub use scalar::{LIST_MAX, TEXT_MAX};
pub use shape::{Choice, Field, Fields, Shape, Tagged, Variant};

#[doc(hidden)]
pub use macros::support;

/// Something a person can write.
pub trait Setting: Sized {
    /// What may be written.
    fn shape() -> Shape;
    /// Reads it. `None` only after pushing a problem; a value may come with problems (an unknown key), so that
    /// nothing is settled before `problems` is seen to be empty.
    fn read(node: &Node, problems: &mut Problems) -> Option<Self>;
    /// Writes it so that it can be read back; `None` where the key is better left out.
    fn write(&self) -> Option<Value>;
}

/// Settings that are the keys of a table, and so can share it with others (`flat`).
pub trait Settings: Setting {
    /// The keys.
    fn fields() -> Fields;
    /// Reads its own keys, leaving the others for who shares the table.
    fn take(keys: &mut Keys<'_>) -> Option<Self>;
    /// Writes its own keys.
    fn put(&self, table: &mut Table);
}

/// Settings that a range can narrow: the value of a number or quantity, the length of a text or list.
pub trait Limits: Setting {
    /// What the range is given in.
    type Bound;
    /// The shape narrowed to the range.
    fn limited(range: &RangeInclusive<Self::Bound>) -> Shape;
    /// Whether this value lies in the range.
    fn within(&self, range: &RangeInclusive<Self::Bound>) -> bool;
}

/// Reads a whole value.
///
/// # Errors
/// All that is wrong with it, at most [`PROBLEMS_MAX`] of them in full.
pub fn read<T: Setting>(node: &Node) -> Result<T, Problems> {
    let mut problems = Problems::default();
    match T::read(node, &mut problems) {
        Some(value) if problems.is_empty() => Ok(value),
        _ => Err(problems),
    }
}
