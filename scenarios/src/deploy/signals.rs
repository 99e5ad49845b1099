//! Requests of the system, or of who sits at the terminal, to stop.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears SIGINT, SIGTERM and SIGHUP, which end this process no more.
#[derive(Debug)]
pub struct Signals(Receiver<()>);

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn listen() -> io::Result<Self> {
        let (said, heard) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let listen = || kinds.map(signal).into_iter().collect::<io::Result<Vec<_>>>();
        let signals = runtime.block_on(async { listen() })?;
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || runtime.block_on(tell(signals, said)))?;
        Ok(Self(heard))
    }

    /// Waits for the next one, at most so long; says whether it came.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        match self.0.recv_timeout(limit) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            // Without whoever listens there is only the time.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(limit);
                false
            }
        }
    }
}

async fn tell(mut signals: Vec<Signal>, said: Sender<()>) {
    loop {
        let [first, second, third] = signals.as_mut_slice() else { return };
        tokio::select! {
            _ = first.recv() => {}
            _ = second.recv() => {}
            _ = third.recv() => {}
        }
        if said.send(()).is_err() {
            return;
        }
    }
}
