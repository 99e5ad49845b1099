//! Strangers are refused, over real sockets.

mod bed;
mod handshake;
mod join;
mod key_files;
mod rotation;
