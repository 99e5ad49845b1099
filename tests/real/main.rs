//! Real processes: a cluster as a user starts it, killed, cut apart, stopped and started again.

mod bed;
mod command;
mod documents;
mod elections;
mod join;
mod keys;
mod node;
mod tasks;
