//! Strangers are refused, over real sockets.

mod bed;
mod handshake;
mod key_files;
