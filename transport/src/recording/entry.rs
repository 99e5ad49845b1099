//! What stands in a recording.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use seedbed_core::contract::{EffectOf, Life as LifeNumber, NodeId, Protocol, Time};
use serde::{Deserialize, Serialize};

use super::encode::{append, fingerprint};

/// How a recording begins; the digit is the version of its format.
pub(super) const MAGIC: &[u8; 8] = b"seedrec1";
/// The bytes before the content of an entry.
pub(super) const ENTRY_HEADER: usize = 8;

/// What a recording is of: all that is needed to make the node's configuration again.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct About {
    /// The name under which the protocol is registered.
    pub protocol: String,
    /// How many nodes the system has.
    pub nodes: u32,
    /// The protocol's parameters, as TOML.
    pub params: String,
}

/// One recorded life. It cannot be printed: the key is a secret.
#[derive(Deserialize, Serialize)]
pub(super) struct Life {
    pub(super) about: About,
    /// The version that the protocol speaks.
    pub(super) version: u16,
    /// The version of this program.
    pub(super) program: String,
    pub(super) node: NodeId,
    pub(super) life: LifeNumber,
    /// The run key, from which its draws follow.
    pub(super) key: [u8; 32],
}

/// What stands in a recording. Variants are appended only.
#[derive(Deserialize, Serialize)]
pub(super) enum Entry<I> {
    /// Comes first.
    Life(Life),
    /// An input that is about to be handled.
    Step { seq: u64, now: Time, wall: Time, input: I },
    /// The fingerprint of what that step did.
    Effects { seq: u64, digest: u64 },
    /// All steps up to this one are durable.
    Durable { seq: u64 },
    /// The life is over, for a reason that the recorder lived to see.
    Down,
}

/// The file of a life.
pub(super) fn path(dir: &Path, node: NodeId, life: LifeNumber) -> PathBuf {
    dir.join(format!("node-{}.life-{}.rec", node.0, life.0))
}

/// Which life of which node a file of this name is of.
pub(super) fn parse(name: &str) -> Option<(NodeId, LifeNumber)> {
    let (node, life) = name.strip_prefix("node-")?.strip_suffix(".rec")?.split_once(".life-")?;
    let found = (NodeId(node.parse().ok()?), LifeNumber(life.parse().ok()?));
    // One name for each, without signs and zeros in front.
    (path(Path::new(""), found.0, found.1) == Path::new(name)).then_some(found)
}

/// The fingerprint of a step's effects.
pub(super) fn digest<P: Protocol>(effects: &VecDeque<EffectOf<P>>) -> u64 {
    fingerprint(effects)
}

/// Appends an entry as it stands in the file.
pub(super) fn append_entry(entry: &Entry<impl Serialize>, out: &mut Vec<u8>) -> io::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; ENTRY_HEADER]);
    let encoded = append(entry, out).map_err(|_| io::Error::other("an input cannot be encoded"));
    let content = out.len() - start - ENTRY_HEADER;
    let length = u32::try_from(content).map_err(|_| io::Error::other("an input is too long"));
    match encoded.and(length) {
        Ok(length) => {
            let checksum = crc32c::crc32c(&out[start + ENTRY_HEADER..]);
            out[start..start + 4].copy_from_slice(&length.to_le_bytes());
            out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_in_one_way() {
        let name = path(Path::new("x"), NodeId(3), LifeNumber(12));
        assert_eq!(name, Path::new("x/node-3.life-12.rec"));
        assert_eq!(parse("node-3.life-12.rec"), Some((NodeId(3), LifeNumber(12))));
        for wrong in ["node-3.life-012.rec", "node-+3.life-1.rec", "node-3.rec", "node-.life-1.rec", "n", ""]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
