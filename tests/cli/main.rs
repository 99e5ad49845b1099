//! The command as a user meets it, from its arguments to the files it leaves.

mod bed;
mod catalogue;
mod diff;
#[cfg(feature = "real")]
mod door;
mod experiment;
mod golden;
#[cfg(feature = "real")]
mod keys;
#[cfg(feature = "real")]
mod recorded;
mod wrong_input;
