//! The limits and times of a node's transport, as a table that a person may write.

use std::time::Duration as StdDuration;

use seedbed_core::contract::Duration;
use seedbed_core::settings;
use seedbed_core::settings::Bytes;
use seedbed_transport::Knobs;

settings! {
    /// Limits and times of a node's transport. The defaults are meant to be kept.
    pub struct Limits {
        /// The longest frame on the control lane: what claims more closes the connection before it is read.
        pub control_frame_max: Bytes = size(usual().control_frame_max), in Bytes(64)..=Bytes(16 << 20);
        /// The longest frame on the bulk lane, a blob included.
        pub bulk_frame_max: Bytes = size(usual().bulk_frame_max), in Bytes(64)..=Bytes(16 << 20);
        /// Bulk frames that may be under way to a peer before it has taken them.
        pub bulk_credits: u32 = usual().bulk_credits, in 1..=1_024;
        /// What may wait for one lane of one peer; over it, what comes is dropped and counted.
        pub outbox_max: Bytes = size(usual().outbox_max), in Bytes(4 << 10)..=Bytes(1 << 30);
        /// A handshake that takes longer is given up.
        pub handshake: Duration = span(usual().handshake), in MILLISECOND..=HOUR;
        /// Handshakes at once; who comes later is turned away.
        pub handshakes_max: usize = usual().handshakes_max, in 1..=65_536;
        /// The first frame of a connection must come within this time.
        pub hello: Duration = span(usual().hello), in MILLISECOND..=HOUR;
        /// A frame that has begun must be complete within this time.
        pub frame: Duration = span(usual().frame), in MILLISECOND..=HOUR;
        /// After this time of silence a ping is sent.
        pub ping: Duration = span(usual().ping), in MILLISECOND..=HOUR;
        /// A connection without any bytes for this time is dead.
        pub dead: Duration = span(usual().dead), in MILLISECOND..=HOUR;
        /// The first pause before dialling again.
        pub reconnect_min: Duration = span(usual().reconnect_min), in MILLISECOND..=HOUR;
        /// The longest pause before dialling again.
        pub reconnect_max: Duration = span(usual().reconnect_max), in MILLISECOND..=HOUR;
        /// A connection that was up for this time starts again with the shortest pause.
        pub reconnect_reset: Duration = span(usual().reconnect_reset), in MILLISECOND..=HOUR;
        /// Inputs that may wait at a node; beyond it readers wait, and so do their peers.
        pub inbox_max: usize = usual().inbox_max, in 1..=16_777_216;
        /// Bytes of records and blobs that may wait for the disk; beyond it the node takes nothing in.
        pub unsynced_max: Bytes = size(usual().unsynced_max), in Bytes(4 << 10)..=Bytes(1 << 40);
        /// A command that is not answered within this time has failed, whatever becomes of it.
        pub command: Duration = span(usual().command), in MILLISECOND..=DAY;
        /// What may still leave when a node stops has this long.
        pub stop: Duration = span(usual().stop), in MILLISECOND..=HOUR;
        /// Jobs at once.
        pub jobs_max: usize = usual().jobs_max, in 1..=1_024;
        /// Jobs that may wait; of more, the outcome is none.
        pub jobs_waiting_max: usize = usual().jobs_waiting_max, in 0..=1_048_576;
        /// A job that takes longer is given up.
        pub job: Duration = span(usual().job), in MILLISECOND..=DAY;
    }
    verify = Limits::consistent;
}

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

impl Limits {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        if self.dead <= self.ping {
            return Err(("dead", format!("must be longer than ping = {}", self.ping)));
        }
        if self.reconnect_max < self.reconnect_min {
            return Err((
                "reconnect_max",
                format!("must not be below reconnect_min = {}", self.reconnect_min),
            ));
        }
        if self.outbox_max < self.control_frame_max {
            return Err((
                "outbox_max",
                format!("must have room for control_frame_max = {}", self.control_frame_max),
            ));
        }
        Ok(())
    }

    /// As the transport takes them.
    #[must_use]
    pub fn knobs(&self) -> Knobs {
        Knobs {
            control_frame_max: self.control_frame_max.0 as usize,
            bulk_frame_max: self.bulk_frame_max.0 as usize,
            bulk_credits: self.bulk_credits,
            outbox_max: self.outbox_max.0 as usize,
            handshake: time(self.handshake),
            handshakes_max: self.handshakes_max,
            hello: time(self.hello),
            frame: time(self.frame),
            ping: time(self.ping),
            dead: time(self.dead),
            reconnect_min: time(self.reconnect_min),
            reconnect_max: time(self.reconnect_max),
            reconnect_reset: time(self.reconnect_reset),
            inbox_max: self.inbox_max,
            unsynced_max: usize::try_from(self.unsynced_max.0).unwrap_or(usize::MAX),
            command: time(self.command),
            stop: time(self.stop),
            jobs_max: self.jobs_max,
            jobs_waiting_max: self.jobs_waiting_max,
            job: time(self.job),
        }
    }
}

fn usual() -> Knobs {
    Knobs::default()
}

fn size(bytes: usize) -> Bytes {
    Bytes(bytes as u64)
}

fn span(time: StdDuration) -> Duration {
    Duration::from_nanos(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

fn time(span: Duration) -> StdDuration {
    StdDuration::from_nanos(span.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_nobody_wrote_are_the_transports_own() {
        assert_eq!(Limits::default().knobs(), Knobs::default());
    }
}
