//! A bed for hosts: a network and disks that tests hold in their hands.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use seedbed_core::contract::frame::{self, Header};
use seedbed_core::contract::{Blob, BlobId, Lane, Life, NodeId, Protocol, Tag, Wire};
use seedbed_transport::link::{Frames, Incoming, Link, Refused};
use seedbed_transport::store::{Opened, Store, StoreError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

/// Everything in a test happens within this time, or the test fails.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it should have happened by now")
}

/// Connects nodes of one process.
#[derive(Clone, Default)]
pub(crate) struct Net(Arc<Mutex<BTreeMap<NodeId, UnboundedSender<Incoming>>>>);

/// One node's end of a [`Net`].
pub(crate) struct Wires {
    me: NodeId,
    net: Net,
    inbox: UnboundedReceiver<Incoming>,
}

impl Net {
    pub(crate) fn join(&self, me: NodeId) -> Wires {
        let (sender, inbox) = unbounded_channel();
        let mut ends = self.0.lock().unwrap();
        for (peer, end) in &*ends {
            let _ = end.send(Incoming::Up(me));
            let _ = sender.send(Incoming::Up(*peer));
        }
        ends.insert(me, sender);
        drop(ends);
        Wires { me, net: self.clone(), inbox }
    }

    /// Lets `from` send these bytes.
    pub(crate) fn inject(&self, from: NodeId, to: NodeId, lane: Lane, bytes: Vec<u8>) {
        let ends = self.0.lock().unwrap();
        if let Some(end) = ends.get(&to) {
            let _ = end.send(Incoming::Frames(Frames::new(from, lane, Bytes::from(bytes))));
        }
    }

    /// Lets `from` send a message.
    pub(crate) fn say<M: Wire>(&self, from: NodeId, to: NodeId, message: &M) {
        let mut bytes = Vec::new();
        let header = Header { protocol: 0, life: Life(0), ordinal: 0 };
        frame::encode(header, message, &mut bytes).unwrap();
        self.inject(from, to, message.lane(), bytes);
    }

    fn leave(&self, me: NodeId) {
        let mut ends = self.0.lock().unwrap();
        ends.remove(&me);
        for end in ends.values() {
            let _ = end.send(Incoming::Down(me));
        }
    }
}

impl Wires {
    /// The next message to a node that the test plays itself.
    pub(crate) async fn hear<P: Protocol>(&mut self) -> (NodeId, Header, P::Message) {
        loop {
            if let Incoming::Frames(frames) = soon(self.inbox.recv()).await.unwrap() {
                let frame = frame::decode_with(&frames.bytes).unwrap();
                assert_eq!(frame.size, frames.bytes.len(), "a test hears messages one by one");
                return (frames.from, frame.header, frame.message);
            }
        }
    }

    /// Waits until a node hangs up, or goes; it says nothing more before.
    pub(crate) async fn gone(&mut self, node: NodeId) {
        loop {
            match soon(self.inbox.recv()).await {
                Some(Incoming::Down(peer)) if peer == node => return,
                Some(Incoming::Frames(frames)) => panic!("{frames:?}"),
                _ => {}
            }
        }
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        self.net.leave(self.me);
    }
}

impl Link for Wires {
    fn send(&mut self, to: NodeId, lane: Lane, write: &mut dyn FnMut(&mut Vec<u8>)) -> Result<(), Refused> {
        if !self.net.0.lock().unwrap().contains_key(&to) {
            return Err(Refused::Unconnected);
        }
        // One by one, so that a test can take them apart.
        let mut bytes = Vec::new();
        write(&mut bytes);
        if !bytes.is_empty() {
            self.net.inject(self.me, to, lane, bytes);
        }
        Ok(())
    }

    fn flush(&mut self) {}

    async fn receive(&mut self) -> Option<Incoming> {
        self.inbox.recv().await
    }

    fn hang_up(&mut self, peer: NodeId) {
        let ends = self.net.0.lock().unwrap();
        if let Some(end) = ends.get(&peer) {
            let _ = end.send(Incoming::Down(self.me));
        }
    }

    async fn close(self) {}
}

/// The disk of a node: it outlives the node's lives, and does what a test says.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<(Mutex<Kept>, Condvar, watch::Sender<bool>)>);

#[derive(Default)]
struct Kept {
    synced: Vec<(Tag, Vec<u8>)>,
    unsynced: Vec<(Tag, Vec<u8>)>,
    blobs: HashMap<BlobId, Blob>,
    lives: u32,
    is_held: bool,
    is_full: bool,
    fails: bool,
    syncs: u64,
}

impl Shelf {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.0.lock().unwrap()
    }

    /// Opens it for the next life. What was not synced is lost.
    pub(crate) fn open(&self) -> Opened<Self> {
        let mut kept = self.kept();
        kept.unsynced.clear();
        kept.lives += 1;
        Opened { store: self.clone(), log: kept.synced.clone(), life: Life(kept.lives - 1) }
    }

    /// Has these records, as a life before may have written them.
    pub(crate) fn keep(&self, records: &[&[u8]]) {
        self.kept().synced.extend(records.iter().map(|record| (Tag(0), record.to_vec())));
    }

    /// Lets syncs wait, or go on.
    pub(crate) fn hold(&self, is_held: bool) {
        self.kept().is_held = is_held;
        self.0.1.notify_all();
    }

    /// Waits until a sync waits.
    pub(crate) async fn syncing(&self) {
        let mut waits = self.0.2.subscribe();
        soon(waits.wait_for(|waits| *waits)).await.unwrap();
    }

    pub(crate) fn fill(&self, is_full: bool) {
        self.kept().is_full = is_full;
    }

    /// Lets the next sync fail.
    pub(crate) fn fail(&self) {
        self.kept().fails = true;
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.kept().syncs
    }

    /// What is durable.
    pub(crate) fn records<P: Protocol>(&self) -> Vec<P::Record> {
        let kept = self.kept();
        kept.synced.iter().map(|(_, record)| postcard::from_bytes(record).unwrap()).collect()
    }
}

impl Store for Shelf {
    fn append(&mut self, tag: Tag, record: &[u8]) -> Result<(), StoreError> {
        let mut kept = self.kept();
        if kept.is_full {
            return Err(StoreError::Full);
        }
        kept.unsynced.push((tag, record.to_vec()));
        Ok(())
    }

    fn checkpoint(&mut self, tag: Tag, records: &[Vec<u8>]) -> Result<(), StoreError> {
        let mut kept = self.kept();
        if kept.is_full {
            return Err(StoreError::Full);
        }
        let unsynced = std::mem::take(&mut kept.unsynced);
        kept.synced.extend(unsynced);
        kept.synced.retain(|(other, _)| *other != tag);
        kept.unsynced.extend(records.iter().map(|record| (tag, record.clone())));
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        let mut kept = self.kept();
        while kept.is_held {
            self.0.2.send_replace(true);
            kept = self.0.1.wait(kept).unwrap();
        }
        self.0.2.send_replace(false);
        if kept.fails {
            let error = std::io::Error::other("bad sector");
            return Err(StoreError::Failed { path: "shelf".into(), error });
        }
        kept.syncs += 1;
        let unsynced = std::mem::take(&mut kept.unsynced);
        kept.synced.extend(unsynced);
        Ok(())
    }

    fn put(&mut self, blob: &Blob) -> Result<(), StoreError> {
        let mut kept = self.kept();
        if kept.is_full {
            return Err(StoreError::Full);
        }
        kept.blobs.insert(blob.id(), blob.clone());
        Ok(())
    }

    fn load(&mut self, id: BlobId) -> Result<Option<Blob>, StoreError> {
        Ok(self.kept().blobs.get(&id).cloned())
    }

    fn remove(&mut self, id: BlobId) -> Result<(), StoreError> {
        self.kept().blobs.remove(&id);
        Ok(())
    }
}

/// A folder that goes when the test is over.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("seedbed-host-{}-{number}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
