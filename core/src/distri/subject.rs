//! Distri's servers and clients as a subject of experiments.

use super::{Command, Config, Distri, DistriProbe, Load, Parameters, Reply};
use crate::contract::{Answer, Check, Dice, Metric, Subject, Turn};

impl Subject for Distri {
    type Settings = Parameters;
    type Load = Load;
    type Probe = DistriProbe;
    const ABOUT: &'static str = "replicated documents that overwrite each other: servers over datagrams, the last node is the clients' machine";

    fn config(parameters: &Parameters, nodes: u32) -> Result<Config, String> {
        if nodes < 2 {
            return Err("needs 2 nodes or more: servers, and the machine of the clients".into());
        }
        Ok(Config { parameters: parameters.clone(), nodes })
    }

    fn metrics() -> Vec<Metric> {
        let metric = Metric::number;
        vec![
            metric("documents", "", "documents in the end, on the server with the highest version"),
            metric("acknowledged", "", "requests of clients that were told their document is saved"),
            metric("lost", "", "documents that no server has in the end as their client was told"),
            metric("diverged", "", "documents that not all servers hold alike in the end"),
            metric("converged", "", "1 if all servers hold the same in the end"),
            metric("syncs", "", "states that servers took in from others"),
            metric(
                "overwritten",
                "",
                "documents, or later revisions of them, that went with a server's own state",
            ),
            metric("no_answer", "", "requests that failed because no server said OK in time"),
            metric("not_taken", "", "requests that failed because the document was not acknowledged"),
            metric("no_result", "", "requests that failed because the result did not come to its end"),
            metric("wrong_sender", "", "requests that failed because another server's result came first"),
            metric("nameless", "", "requests that failed because the client's first one had failed"),
            metric("overflowed", "", "datagrams lost at public sockets"),
            metric("expired", "", "requests that servers dropped because they were too old"),
            metric("waited_in_vain", "", "times a worker waited for data that never came"),
            Metric::samples("response_ms", "ms", "what all requests of a client took together"),
            metric(
                "published_documents",
                "",
                "documents saved in the published run with as many servers and clients",
            ),
            metric("published_failed", "", "requests failed in that run"),
            metric("published_response_ms", "ms", "mean time of a client's four requests in that run"),
        ]
    }

    fn checks() -> Vec<Check> {
        vec![Check {
            name: "nothing-acknowledged-is-lost",
            about: "in the end, if all are up, some server has every document as its client was told",
        }]
    }

    fn conditions() -> Vec<Check> {
        vec![Check { name: "converged", about: "all servers are up and hold the same" }]
    }

    fn roles() -> &'static [&'static str] {
        &["server", "clients"]
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Server(server) => vec![
                ("documents", server.database().len().to_string()),
                ("version", server.database().version().to_string()),
                ("requests waiting", server.waiting().to_string()),
            ],
            Self::Clients(clients) => vec![
                ("clients", clients.count().to_string()),
                ("requests under way", clients.requests().to_string()),
            ],
        }
    }

    fn caveats() -> &'static [&'static str] {
        &[
            "A server that syncs gives up its own documents for those of a higher version: saved ones are lost.",
            "Servers whose versions are equal never converge, whatever they hold.",
            "Every server answers every request, so more servers share no load.",
            "Documents are in memory only.",
        ]
    }

    fn command(load: &Load, turn: Turn, _: &mut Dice<'_>) -> Option<Command> {
        let service = *load.script.get(usize::try_from(turn.nth).ok()?)?;
        Some(Command { client: u32::try_from(turn.client).ok()?, service })
    }

    fn answer(reply: &Reply) -> Answer {
        match reply {
            Reply::Failed(_) => Answer::Failed,
            Reply::Saved { .. } | Reply::Collection { .. } | Reply::Nameless => Answer::Done,
        }
    }
}
