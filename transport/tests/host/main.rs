//! Hosts: one behaviour per test.

mod bed;
mod chunks;
mod elections;
mod jobs;
mod life;
mod promises;
mod puppet;
mod recordings;
