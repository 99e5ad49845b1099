//! The HTTP door as clients meet it, over real sockets.

mod access;
mod api;
mod bed;
mod documents;
mod events;
mod hosted;
mod limits;
mod resources;
mod seat;
mod tasks;
