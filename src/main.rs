//! The `seedbed` command with our own protocols.

use std::process::ExitCode;

/// What a request allocates on one thread is freed on another: the system's allocator takes a third of a node's time for it.
#[cfg(feature = "real")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    seedbed::cli().run()
}
