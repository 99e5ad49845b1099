//! Hosts: one behaviour per test.

mod bed;
mod elections;
mod promises;
mod puppet;
mod recordings;
