//! What a node did, in numbers.

/// What a node did in this life, in numbers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Inputs handled.
    pub steps: u64,
    /// Messages given to the link, or to the node itself.
    pub sent: u64,
    /// Messages that came in.
    pub received: u64,
    /// Messages dropped because there was no connection.
    pub unconnected: u64,
    /// Messages dropped because too much waited already.
    pub overflowed: u64,
    /// Messages dropped because their frame would have been too long.
    pub too_long: u64,
    /// Peers hung up on because a frame did not decode.
    pub bad_frames: u64,
    /// Frames skipped because their kind or protocol is unknown.
    pub unknown_frames: u64,
    /// Commands that clients asked.
    pub commands: u64,
    /// Commands that were answered.
    pub replies: u64,
    /// Records and checkpoints given to the disk.
    pub written: u64,
    /// Records and checkpoints that the disk had no room for.
    pub refused: u64,
    /// Syncs that ended: each made all durable that was written before it began.
    pub syncs: u64,
    /// Jobs begun.
    pub jobs: u64,
    /// Jobs that ended without an outcome, or have no service.
    pub jobs_failed: u64,
    /// Jobs given up because they took too long.
    pub jobs_timed_out: u64,
    /// Jobs never begun because too many waited.
    pub jobs_overflowed: u64,
}

impl Counters {
    /// Each with its name, for status pages and metrics.
    #[must_use]
    pub fn each(&self) -> [(&'static str, u64); 17] {
        [
            ("steps", self.steps),
            ("sent", self.sent),
            ("received", self.received),
            ("unconnected", self.unconnected),
            ("overflowed", self.overflowed),
            ("too_long", self.too_long),
            ("bad_frames", self.bad_frames),
            ("unknown_frames", self.unknown_frames),
            ("commands", self.commands),
            ("replies", self.replies),
            ("written", self.written),
            ("refused", self.refused),
            ("syncs", self.syncs),
            ("jobs", self.jobs),
            ("jobs_failed", self.jobs_failed),
            ("jobs_timed_out", self.jobs_timed_out),
            ("jobs_overflowed", self.jobs_overflowed),
        ]
    }
}
