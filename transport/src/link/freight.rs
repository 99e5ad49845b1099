//! Threads for bulk that step aside.
//!
//! Encrypting a blob takes a core for some hundred microseconds, and where every node of a machine sends blobs, a heartbeat
//! that is due waits for a core behind them, at each of its hops. Two lanes keep blobs out of a heartbeat's way on a
//! connection; this keeps them out of its way on the processor.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// How much less these threads insist on a core: with `nice` 10, about a tenth as much as the others.
const NICE: i32 = 10;

/// A runtime of one thread with a low priority, for [`Config::freight`](super::Config::freight). It ends when it is dropped,
/// whatever still runs there.
#[derive(Debug)]
pub struct Freight(Option<Runtime>);

impl Freight {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn start() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("bulk").enable_all().on_thread_start(|| {
            // A thread has a priority of its own on Linux alone. Where it cannot be lowered, bulk has that of all else.
            if cfg!(target_os = "linux") {
                let _ = rustix::process::nice(NICE);
            }
        });
        Ok(Self(Some(builder.build()?)))
    }

    /// Where to run what may wait.
    #[must_use]
    pub fn handle(&self) -> Option<Handle> {
        self.0.as_ref().map(|runtime| runtime.handle().clone())
    }
}

impl Drop for Freight {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
