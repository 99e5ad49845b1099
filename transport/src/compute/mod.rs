//! Services that compute: what a task's [`Call`] comes to, within its limits.
//!
//! The same call has the same answer on every machine, byte for byte, so that answers can be compared. Failures are
//! the same, too, except that a slower machine may run out of time and a smaller one out of memory.
//!
//! - `stand-in` takes the task's work in time and answers [`stand_in`] of its argument.
//! - `sha256` answers the SHA-256 of its argument as 64 lower-case hexadecimal digits.
//! - `primes` counts the primes from one number to another, both included, of up to [`PRIMES_TO_MAX`], in decimal digits.
//! - `wasm` runs a WebAssembly module: see below.
//!
//! # What a module must be
//!
//! A module of WebAssembly 2.0 without SIMD, of at most [`MODULE_BYTES_MAX`](seedbed_core::scheduler::call::MODULE_BYTES_MAX) bytes, with one memory and without imports:
//! it has no clock, no files, no network, no randomness. It exports
//!
//! | export | type | what for |
//! |---|---|---|
//! | `memory` | memory | the argument is written into it, the answer is read from it |
//! | `alloc` | `(length: i32) -> i32` | gives room for an argument of `length` bytes: its address |
//! | `run` | `(address: i32, length: i32) -> i64` | computes, and says where the answer is: `address << 32 \| length` |
//!
//! In Rust, built with `cargo build --release --target wasm32-unknown-unknown` as a `cdylib`:
//!
//! ```no_run
//! #[unsafe(no_mangle)]
//! pub extern "C" fn alloc(length: u32) -> *mut u8 {
//!     Vec::leak(vec![0; length as usize]).as_mut_ptr()
//! }
//!
//! /// Answers the argument backwards.
//! #[unsafe(no_mangle)]
//! pub extern "C" fn run(address: *mut u8, length: u32) -> u64 {
//!     // Safe: it is what `alloc` gave.
//!     let bytes = unsafe { std::slice::from_raw_parts_mut(address, length as usize) };
//!     bytes.reverse();
//!     (address as u64) << 32 | u64::from(length)
//! }
//! ```
//!
//! By hand, in the text format, the smallest: it answers its argument.
//!
//! ```wat
//! (module
//!   (memory (export "memory") 1)
//!   (func (export "alloc") (param i32) (result i32) (i32.const 0))
//!   (func (export "run") (param i32 i32) (result i64)
//!     (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))))
//! ```
//!
//! Each call has an instance of its own: nothing stays from one to the next. A start function may run, for
//! [`FUEL_AT_ONCE`] units of fuel. Calls may be [`CALLS_DEEP_MAX`] deep. Tables have at most [`TABLE_ELEMENTS_MAX`]
//! elements, and do not grow. `memory.grow` beyond [`Limits::memory`] gives -1, as the standard has it. An
//! instruction costs one unit of fuel; `nop`, `drop` and what only marks a block cost none; memory that is grown,
//! filled or copied costs one more for each 64 bytes. Floats are those of IEEE 754, and every NaN that is computed is
//! the canonical one.
//!
//! [`Limits::memory`]: seedbed_core::scheduler::call::Limits::memory

mod deadline;
mod failure;
mod modules;
mod primes;
#[cfg(test)]
mod tests;
mod wasm;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use seedbed_core::contract::{Blob, Duration, Store};
use seedbed_core::scheduler::call::{Call, Service, stand_in};

pub use failure::Failure;
pub use modules::MODULES_KEPT;
pub use primes::PRIMES_TO_MAX;
pub use wasm::{CALLS_DEEP_MAX, FUEL_AT_ONCE, TABLE_ELEMENTS_MAX, TABLES_MAX};

use deadline::Deadline;

/// Computes what a task of so much work asks for. Blocks for as long as that takes, but not much longer than
/// [`Limits::time`](seedbed_core::scheduler::call::Limits::time).
///
/// `module` is the content of the blob that the call names. It is not needed if that is compiled already.
///
/// # Errors
/// Why there is no answer.
pub fn compute(call: &Call, work: Duration, module: Option<&[u8]>) -> Result<Vec<u8>, Failure> {
    if let Some(flaw) = call.flaw() {
        return Err(Failure::Call(flaw));
    }
    let (argument, limits) = (&call.argument[..], &call.limits);
    let deadline = Deadline::after(limits.time);
    let answer = match call.service {
        Service::StandIn => {
            deadline.sleep(work)?;
            stand_in(argument)
        }
        Service::Sha256 => HEXLOWER.encode(digest(&SHA256, argument).as_ref()).into_bytes(),
        Service::Primes => primes::answer(argument, &deadline)?,
        Service::Wasm => {
            let id = call.module.ok_or(Failure::NoModule)?;
            modules::find(id, module)?.run(argument, limits, deadline)?
        }
    };
    match answer.len() as u64 {
        length if length > limits.output.0 => Err(Failure::AnswerTooLong(length)),
        _ => Ok(answer),
    }
}

/// As [`compute`], with the module from a node's blobs, where it is looked for only if it is not compiled yet: for
/// [services of a host](crate::host::Services).
///
/// # Errors
/// Why there is no answer.
pub fn perform(call: &Call, work: Duration, blobs: &dyn Store) -> Result<Vec<u8>, Failure> {
    match (compute(call, work, None), call.module) {
        (Err(Failure::NoModule), Some(id)) => {
            let blob = blobs.blob(id);
            compute(call, work, blob.as_ref().and_then(Blob::bytes))
        }
        (done, _) => done,
    }
}
