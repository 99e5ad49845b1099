//! How the death of a leader is noticed.

use crate::choice;

choice! {
    /// How the death of a leader is noticed, where the algorithm leaves that open.
    pub enum Detection {
        /// The leader sends everybody a heartbeat: N-1 messages a period. Two leaders notice each other.
        Heartbeat,
        /// Every follower pings its leader: 2(N-1) messages a period. Two leaders do not notice each other.
        Ping,
    }
}
