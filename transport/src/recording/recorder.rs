//! Writes a recording while its node runs.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use seedbed_core::contract::{EffectOf, InputOf, Life as LifeNumber, NodeId, Protocol};
use serde::Serialize;

use super::entry::{About, Entry, Life, MAGIC, append_entry, digest, path};
use crate::host::{Moment, Watch};

/// Records one life of a node. Everything is written by a thread of its own, at most [`PAUSE`](Recorder::PAUSE) late;
/// dropping it waits for that. Nothing is left out: while more than [`WAITING_MAX`](Recorder::WAITING_MAX) bytes wait,
/// the node waits, too.
#[derive(Debug)]
pub struct Recorder {
    about: About,
    tape: Arc<Tape>,
    writer: Option<JoinHandle<()>>,
    /// What the step under way has to say so far.
    step: Vec<u8>,
}

/// Tells how a recording fares.
#[derive(Clone, Debug)]
pub struct Meter(Arc<Tape>);

#[derive(Debug, Default)]
struct Tape {
    state: Mutex<State>,
    /// There is something to write.
    more: Condvar,
    /// There is room again.
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    bytes: u64,
    waits: u64,
    error: Option<Arc<io::Error>>,
    is_over: bool,
}

impl Recorder {
    /// What is recorded is in its file after this time, or sooner.
    pub const PAUSE: Duration = Duration::from_millis(20);
    /// What may wait to be written, in bytes; a single step may have more.
    pub const WAITING_MAX: usize = 16 << 20;
    /// With so much to write there is no pause.
    const PLENTY: usize = 1 << 20;

    /// Makes the file for this life of a node, and the folder if need be. To be given to
    /// [`host::start`](crate::host::start).
    ///
    /// # Errors
    /// If the file is there already, or cannot be made.
    pub fn create(dir: &Path, node: NodeId, life: LifeNumber, about: About) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let file = path(dir, node, life);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        file.write_all(MAGIC)?;
        let tape = Arc::new(Tape::default());
        let clone = Arc::clone(&tape);
        let writer = thread::Builder::new().name("recorder".into()).spawn(move || clone.write(&file))?;
        Ok(Self { about, tape, writer: Some(writer), step: Vec::new() })
    }

    /// Tells how the recording fares; it may outlive it.
    #[must_use]
    pub fn meter(&self) -> Meter {
        Meter(Arc::clone(&self.tape))
    }

    fn record(&mut self, entry: &Entry<impl Serialize>) {
        if let Err(error) = append_entry(entry, &mut self.step) {
            self.tape.fail(error);
        }
    }

    fn hand_over(&mut self) {
        self.tape.append(&self.step);
        self.step.clear();
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // The input that made the node panic, if it did.
        self.hand_over();
        self.tape.lock().is_over = true;
        self.tape.more.notify_one();
        if let Some(writer) = self.writer.take() {
            // It does not panic; if it did, the recording would end there.
            let _ = writer.join();
        }
    }
}

impl<P: Protocol> Watch<P> for Recorder {
    fn up(&mut self, node: NodeId, life: LifeNumber, key: &[u8; 32]) {
        let (about, program) = (self.about.clone(), env!("CARGO_PKG_VERSION").into());
        let life = Life { about, version: P::VERSION, program, node, life, key: *key };
        self.record(&Entry::<()>::Life(life));
        self.hand_over();
    }

    fn input(&mut self, moment: Moment, input: &InputOf<P>) {
        self.record(&Entry::Step { seq: moment.step, now: moment.now, wall: moment.wall, input });
    }

    fn stepped(&mut self, moment: Moment, _: &P, effects: &VecDeque<EffectOf<P>>) {
        self.record(&Entry::<()>::Effects { seq: moment.step, digest: digest::<P>(effects) });
        self.hand_over();
    }

    fn durable(&mut self, seq: u64) {
        self.record(&Entry::<()>::Durable { seq });
    }

    fn down(&mut self, _: NodeId, _: LifeNumber) {
        // After a panic there is a step without effects, and nobody who could say that this was all.
        if !thread::panicking() {
            self.record(&Entry::<()>::Down);
        }
    }
}

impl Meter {
    /// Bytes recorded so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.lock().bytes
    }

    /// How often the node had to wait for the file.
    #[must_use]
    pub fn waits(&self) -> u64 {
        self.0.lock().waits
    }

    /// Why the recording ended too soon, if it did. The node goes on.
    #[must_use]
    pub fn error(&self) -> Option<Arc<io::Error>> {
        self.0.lock().error.clone()
    }
}

impl Tape {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, entries: &[u8]) {
        let mut state = self.lock();
        if state.waiting.len() >= Recorder::WAITING_MAX && state.error.is_none() {
            state.waits += 1;
            while state.waiting.len() >= Recorder::WAITING_MAX && state.error.is_none() {
                state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if state.error.is_some() {
            return;
        }
        let before = state.waiting.len();
        state.waiting.extend_from_slice(entries);
        state.bytes += entries.len() as u64;
        let is_wanted = before == 0 || (before < Recorder::PLENTY && state.waiting.len() >= Recorder::PLENTY);
        drop(state);
        if is_wanted {
            self.more.notify_one();
        }
    }

    fn fail(&self, error: io::Error) {
        let mut state = self.lock();
        state.error.get_or_insert_with(|| Arc::new(error));
        drop(state);
        self.room.notify_one();
    }

    /// Writes what waits, as much as there is at once.
    fn write(&self, mut file: &File) {
        let mut writing = Vec::new();
        loop {
            let mut state = self.lock();
            while state.waiting.is_empty() && !state.is_over {
                state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let is_patient = |state: &mut State| state.waiting.len() < Recorder::PLENTY && !state.is_over;
            let waited = self.more.wait_timeout_while(state, Recorder::PAUSE, is_patient);
            let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut writing, &mut state.waiting);
            let is_over = state.is_over;
            drop(state);
            self.room.notify_one();
            if let Err(error) = file.write_all(&writing) {
                return self.fail(error);
            }
            writing.clear();
            if is_over {
                return;
            }
        }
    }
}
