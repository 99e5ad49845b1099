//! Settings.

/// Placeholder until the real one lands.
pub trait Setting: Sized {}
