//! Where the nodes of a run stand: their folders, their links, and what all their lives share.

use std::io;
use std::path::{Path, PathBuf};

/// A temporary folder for the stores of runs. It is removed with everything in it.
#[derive(Debug)]
pub struct Scratch(PathBuf);

/// What a process that the user interrupted exits with: 128 and the number of the signal.
const INTERRUPTED: i32 = 130;
/// How many names are tried.
const NAMES_MAX: u32 = 10_000;

impl Scratch {
    /// Creates one where temporary files belong.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn new() -> io::Result<Self> {
        let parent = std::env::temp_dir();
        let process = std::process::id();
        for number in 0..NAMES_MAX {
            let path = parent.join(format!("seedbed-{process}-{number}"));
            match std::fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created.map(|()| Self(path)),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Removes it and ends this process if the user interrupts it.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn remove_on_interrupt(&self) -> io::Result<()> {
        let path = self.0.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let wait = move || {
            if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
                let _ = std::fs::remove_dir_all(&path);
                std::process::exit(INTERRUPTED);
            }
        };
        std::thread::Builder::new().name("interrupt".into()).spawn(wait).map(drop)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Whoever cannot remove it will find it among the temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
