//! Scheduling: tasks with needs on nodes with capacities, and whom to believe about their results.
//!
//! What is here is pure: task graphs and the policies that lay them out (`dag`), published graphs and arrivals read from
//! their text (`import`), and the policies that decide which result of several is accepted, and what that says of who
//! gave it (`trust`). The hub (`hub`) is a state machine that puts them together. What a task computes is a `call`.

pub mod call;
pub mod cluster;
pub mod dag;
pub mod hub;
pub mod import;
pub mod trust;
