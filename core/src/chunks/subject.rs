//! The store as a subject of experiments.

use super::content::REAL_MAX;
use super::{Chunks, ChunksProbe, Command, Config, Job, Load, Parameters, Reply};
use crate::contract::{Answer, BlobId, Check, Dice, Duration, Metric, Store, Subject, Turn};

impl Subject for Chunks {
    type Settings = Parameters;
    type Load = Load;
    type Probe = ChunksProbe;
    const ABOUT: &'static str =
        "cloud store of one gateway and storage nodes: files cut into chunks, one copy each";

    fn config(parameters: &Parameters, nodes: u32) -> Result<Config, String> {
        if nodes < 2 {
            return Err("needs 2 nodes or more: a gateway and storage nodes".into());
        }
        Ok(Config { parameters: parameters.clone(), nodes })
    }

    fn metrics() -> Vec<Metric> {
        let metric = Metric::number;
        vec![
            metric("uploads", "", "files stored"),
            metric("upload_failed", "", "uploads refused"),
            metric("downloads", "", "files given back"),
            metric("download_failed", "", "downloads of stored files that were refused"),
            metric("available", "ratio", "share of downloads that found all chunks on nodes that were up"),
            metric("node_availability", "ratio", "share of storage nodes up, seen by downloads"),
            metric(
                "availability_formula",
                "ratio",
                "p^c: node availability to the number of nodes of the file",
            ),
            metric("silent_losses", "", "chunks that the gateway counts on and their node no longer has"),
            metric("orphans", "", "chunks on nodes up at the end that belong to no file"),
            Metric::samples(
                "detection_ms",
                "ms",
                "from the crash of a node until the gateway marks it offline",
            ),
            Metric::samples(
                "silence_ms",
                "ms",
                "from the last heartbeat of a node until it is marked offline",
            ),
            metric("ignored", "", "messages from the wrong sender, or answers that nobody waited for"),
        ]
    }

    fn checks() -> Vec<Check> {
        let check = |name, about| Check { name, about };
        vec![
            check("no-silent-loss", "a node has every chunk that the gateway believes it has"),
            check("downloads-are-right", "what comes back is what was stored"),
        ]
    }

    fn conditions() -> Vec<Check> {
        vec![Check {
            name: "all-files-whole",
            about: "every chunk of every file is on its node, which is up",
        }]
    }

    fn roles() -> &'static [&'static str] {
        &["gateway", "storage"]
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Gateway(gateway) => {
                let catalogue = gateway.catalogue();
                let online = catalogue.nodes().filter(|(_, is_online)| *is_online).count();
                vec![
                    ("files", catalogue.files().len().to_string()),
                    ("nodes online", format!("{online} of {}", catalogue.nodes().len())),
                ]
            }
            Self::Storage(storage) => vec![("chunks", storage.chunks().len().to_string())],
        }
    }

    fn caveats() -> &'static [&'static str] {
        &[
            "One copy of each chunk: a file is there only while all its nodes are.",
            "A storage node that restarts wipes its directory, and the gateway goes on counting on it.",
            "Marking a node offline takes 60-90 s from its last heartbeat, so 30-90 s from its crash.",
            "The gateway is a single point of failure.",
        ]
    }

    fn command(load: &Load, Turn { number, .. }: Turn, dice: &mut Dice<'_>) -> Option<Command> {
        let name = |number: u64| format!("file-{number}");
        if number >= load.files && !load.uploads.happens(dice.below(u64::MAX)) {
            return Some(Command::Download { name: name(dice.below(load.files)) });
        }
        let length = load.sizes.get(number as usize % load.sizes.len().max(1))?.0;
        Some(Command::Upload { name: name(number), seed: number, length })
    }

    fn unreal(load: &Load) -> Option<(&'static str, String)> {
        let is_large = load.sizes.iter().any(|size| size.0 > REAL_MAX);
        let why = || format!("files above {} KiB have a length and a name, but no bytes", REAL_MAX >> 10);
        is_large.then(|| ("sizes", why()))
    }

    fn answer(reply: &Reply) -> Answer {
        match reply {
            Reply::Refused(_) => Answer::Failed,
            _ => Answer::Done,
        }
    }

    fn cost(config: &Config, Job::Hash { length, .. }: &Job) -> Duration {
        let nanos =
            u128::from(*length) * 8 * 1_000_000_000 / u128::from(config.parameters.hash_rate.0.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn perform(_: &Config, Job::Hash { id, .. }: &Job, store: &dyn Store) -> Option<BlobId> {
        let blob = store.blob(*id)?;
        Some(blob.bytes().map_or(blob.id(), |bytes| BlobId(*blake3::hash(bytes).as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Keys, Life, NodeId};
    use crate::settings::{Bytes, Probability};

    #[test]
    fn hashing_costs_time_by_length() {
        let config = Config::default();
        let cost = |length| Chunks::cost(&config, &Job::Hash { id: BlobId([0; 32]), length });
        assert_eq!(cost(7_400_000_000), Duration::from_secs(1));
        assert!(cost(u64::MAX) > Duration::from_secs(86_400));
    }

    #[test]
    fn uploads_come_first_then_the_mix() {
        let load = Load { files: 3, uploads: Probability::of(0.25), sizes: vec![Bytes(9), Bytes(10)] };
        let keys = Keys::from_seed(1);
        let command = |number| {
            let mut dice = Dice::new(&keys, NodeId(0), Life(0), number);
            Chunks::command(&load, Turn { number, client: number, nth: 0 }, &mut dice).unwrap()
        };
        let upload =
            |number: u64, length| Command::Upload { name: format!("file-{number}"), seed: number, length };
        assert_eq!([0, 1, 2].map(command), [upload(0, 9), upload(1, 10), upload(2, 9)]);
        let later = (3..1003).map(command);
        let uploads = later.filter(|command| matches!(command, Command::Upload { .. })).count();
        // A quarter of 1,000, give or take five standard deviations of 13.7.
        assert!(uploads.abs_diff(250) < 69, "{uploads}");
    }

    #[test]
    fn a_system_needs_a_storage_node() {
        assert!(Chunks::config(&Parameters::default(), 1).is_err());
        assert!(Chunks::config(&Parameters::default(), 2).is_ok());
    }
}
