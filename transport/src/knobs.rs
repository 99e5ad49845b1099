//! Every limit and time of the real transport, in one place.

use std::time::Duration;

/// Limits and times of a host. The defaults are meant to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Knobs {
    /// The longest frame on the control lane, in bytes: what claims more closes the connection before it is read.
    pub control_frame_max: usize,
    /// The longest frame on the bulk lane, in bytes, a blob included.
    pub bulk_frame_max: usize,
    /// Bulk frames that may be under way to a peer before it has taken them.
    pub bulk_credits: u32,
    /// What may wait for one lane of one peer, in bytes; over it, what comes is dropped and counted.
    pub outbox_max: usize,
    /// A handshake that takes longer is given up.
    pub handshake: Duration,
    /// Handshakes at once; who comes later is turned away.
    pub handshakes_max: usize,
    /// The first frame of a connection must come within this time.
    pub hello: Duration,
    /// A frame that has begun must be complete within this time.
    pub frame: Duration,
    /// After this time of silence a ping is sent.
    pub ping: Duration,
    /// A connection without any bytes for this time is dead.
    pub dead: Duration,
    /// The first pause before dialling again.
    pub reconnect_min: Duration,
    /// The longest pause before dialling again; each is 1.6 times the one before, give or take a fifth.
    pub reconnect_max: Duration,
    /// A connection that was up for this time starts again with the shortest pause.
    pub reconnect_reset: Duration,
    /// Inputs that may wait at a node, from all sides; beyond it readers wait, and so do their peers.
    pub inbox_max: usize,
    /// Bytes of records and blobs that may wait for the disk; beyond it the node takes nothing in.
    pub unsynced_max: usize,
    /// A command that is not answered within this time has failed, whatever becomes of it.
    pub command: Duration,
    /// What may still leave when a node stops has this long.
    pub stop: Duration,
    /// Jobs at once.
    pub jobs_max: usize,
    /// Jobs that may wait; of more, the outcome is none.
    pub jobs_waiting_max: usize,
    /// A job that takes longer is given up.
    pub job: Duration,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            control_frame_max: 256 << 10,
            bulk_frame_max: 16 << 20,
            bulk_credits: 2,
            outbox_max: 4 << 20,
            handshake: Duration::from_secs(5),
            handshakes_max: 64,
            hello: Duration::from_secs(2),
            frame: Duration::from_secs(10),
            ping: Duration::from_secs(1),
            dead: Duration::from_secs(3),
            reconnect_min: Duration::from_millis(50),
            reconnect_max: Duration::from_secs(5),
            reconnect_reset: Duration::from_secs(5),
            inbox_max: 65_536,
            unsynced_max: 64 << 20,
            command: Duration::from_secs(10),
            stop: Duration::from_secs(5),
            jobs_max: 2,
            jobs_waiting_max: 1_024,
            job: Duration::from_secs(60),
        }
    }
}
