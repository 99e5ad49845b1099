//! The `seedbed` command with our own protocols.

use std::process::ExitCode;

fn main() -> ExitCode {
    seedbed::cli().run()
}
