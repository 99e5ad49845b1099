//! The contract between a protocol and whoever drives it.

mod time;

pub use time::{Duration, Time};
