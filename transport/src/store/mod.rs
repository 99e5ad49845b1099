//! What a node keeps: records and blobs that survive `kill -9`.

pub mod faulty;
mod files;
mod ledger;
pub mod log;
pub mod memory;
mod tail;

use std::path::PathBuf;

use seedbed_core::contract::{Blob, BlobId, Life, Tag};

use self::ledger::{Ledger, weight};
pub use self::tail::Loss;

/// A durable store. It blocks, so a host gives it a thread of its own.
pub trait Store: Send + 'static {
    /// Appends a record. It is durable after the next [`sync`](Self::sync).
    ///
    /// # Errors
    /// [`StoreError::Full`] leaves the store as it was; any other error is the end of it.
    fn append(&mut self, tag: Tag, record: &[u8]) -> Result<(), StoreError>;

    /// Replaces all records of a tag by these, atomically. Durable after the next [`sync`](Self::sync).
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    fn checkpoint(&mut self, tag: Tag, records: &[Vec<u8>]) -> Result<(), StoreError>;

    /// Returns once everything written before is durable.
    ///
    /// # Errors
    /// After any error nobody can know what is durable: the life of the node is over.
    fn sync(&mut self) -> Result<(), StoreError>;

    /// Stores a blob under its content address; durable when this returns.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    fn put(&mut self, blob: &Blob) -> Result<(), StoreError>;

    /// A blob; none if it is not here.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if its content does not match its address.
    fn load(&mut self, id: BlobId) -> Result<Option<Blob>, StoreError>;

    /// Deletes a blob, if it is here.
    ///
    /// # Errors
    /// If the disk fails.
    fn remove(&mut self, id: BlobId) -> Result<(), StoreError>;
}

/// A store that has just been opened, with what survived.
#[derive(Debug)]
pub struct Opened<S> {
    /// The store, ready to be appended to.
    pub store: S,
    /// All records, oldest first.
    pub log: Vec<(Tag, Vec<u8>)>,
    /// The life that begins now: one more than the last, and durable already.
    pub life: Life,
}

/// What can be wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no room. Nothing was written.
    #[error("the disk is full")]
    Full,
    /// What is there is not what was written. A store never starts empty in its place.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found, and what to do.
        what: String,
    },
    /// Another process has it open.
    #[error("{} is in use by another process: stop that first", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The disk failed.
    #[error("{}: {error}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}
