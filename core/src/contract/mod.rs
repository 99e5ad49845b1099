//! The contract between a protocol and whoever drives it.
//!
//! A protocol is a plain value. One [`Input`] goes in, an ordered list of [`Effect`]s comes out; it reads nothing
//! else. So a simulator, a network host, an explorer and a replayer all drive the same code.
//!
//! The five rules that guard it: steps are pure; inputs are serialisable values; randomness is addressed, not
//! streamed; faults are data; worlds are values.

mod blob;
mod context;
mod dice;
mod effect;
pub mod frame;
mod gantt;
mod input;
mod json;
mod machine;
mod observe;
mod protocol;
mod subject;
mod time;

pub use blob::{Blob, BlobId, BlobInput, Tag};
pub use context::{Context, Embeds, Lifted};
pub use dice::{Dice, Keys, Purpose, Roll};
pub use effect::{Effect, EffectOf};
pub use gantt::{BAR_NODES_MAX, BARS_MAX, Bar, BarNode, Ending, Lanes};
pub use input::{CommandId, Input, InputOf, Life, Members, NodeId};
pub(crate) use json::DEPTH_MAX;
pub use json::{Json, JsonError};
pub use machine::Machine;
pub use observe::{Findings, Observation, Probe, Span, View, Violation};
pub use protocol::{Data, Lane, Never, Protocol, Wire};
pub use subject::{Answer, Check, Metric, Store, Subject, Turn, Yield};
pub use time::{Duration, Time};
