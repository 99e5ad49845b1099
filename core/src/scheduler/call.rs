//! What a task computes: a service by name, what it is given, and what it may take.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::choice;
use crate::contract::{BlobId, Duration};
use crate::scheduler::trust::ANSWER_BYTES_MAX;
use crate::settings;

/// The longest argument, in bytes.
pub const ARGUMENT_BYTES_MAX: usize = 65_536;
/// The longest module, in bytes.
pub const MODULE_BYTES_MAX: usize = 4 << 20;

choice! {
    /// What can be computed.
    #[derive(Default, Deserialize, Serialize)]
    pub enum Service {
        /// Nothing: it takes the task's work in time, and answers what follows from the argument.
        #[default]
        StandIn,
        /// The SHA-256 of the argument, in 64 lower-case hexadecimal digits.
        Sha256,
        /// How many primes there are from one number to another, in decimal digits: `FROM TO`, both included, or `TO` alone.
        Primes,
        /// A WebAssembly module, run by an interpreter; it gets the argument and answers with bytes.
        Wasm,
    }
}

/// What a task computes.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Call {
    /// By which service.
    pub service: Service,
    /// What it is given, of up to [`ARGUMENT_BYTES_MAX`] bytes.
    pub argument: Bytes,
    /// The module that `wasm` runs: a blob that the hub keeps, of up to [`MODULE_BYTES_MAX`] bytes.
    pub module: Option<BlobId>,
    /// What it may take.
    pub limits: Limits,
}

/// What a computation may take. Beyond it, it has failed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Limits {
    /// How long it may run, by the clock of its worker: at most a day.
    pub time: Duration,
    /// How much memory a module may have: at most 4 GiB. The other services need some megabytes, whatever they are given.
    pub memory: settings::Bytes,
    /// How much fuel a module may burn: one for each instruction, and one for each 64 bytes that it fills or copies at once.
    pub fuel: u64,
    /// How long the answer may be: at most [`ANSWER_BYTES_MAX`].
    pub output: settings::Bytes,
}

/// A minute, 64 MiB, 10^10 instructions and an answer of 4 KiB.
impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(60),
            memory: settings::Bytes(64 << 20),
            fuel: 10_000_000_000,
            output: settings::Bytes(4_096),
        }
    }
}

impl Call {
    /// A stand-in whose right answer follows from these bytes.
    #[must_use]
    pub fn stand_in(argument: impl Into<Bytes>) -> Arc<Self> {
        Arc::new(Self { argument: argument.into(), ..Self::default() })
    }

    /// What is wrong with it, if something is.
    #[must_use]
    pub fn flaw(&self) -> Option<&'static str> {
        if self.argument.len() > ARGUMENT_BYTES_MAX {
            return Some("its argument must not be longer than 65,536 bytes");
        }
        if self.limits.output.0 > ANSWER_BYTES_MAX as u64 {
            return Some("its answer must not be longer than 65,536 bytes");
        }
        if self.limits.time > Duration::from_secs(86_400) || self.limits.memory.0 > 4 << 30 {
            return Some("it must not run for longer than a day, nor have more than 4 GiB");
        }
        match (self.service, self.module) {
            (Service::Wasm, None) => Some("`wasm` needs a module"),
            (Service::Wasm, Some(_)) | (_, None) => None,
            _ => Some("only `wasm` runs a module"),
        }
    }
}

/// The right answer of a stand-in: eight bytes that follow from its argument.
#[must_use]
pub fn stand_in(argument: &[u8]) -> Vec<u8> {
    blake3::hash(argument).as_bytes()[..8].to_vec()
}
