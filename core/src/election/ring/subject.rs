//! The ring election as a subject of experiments.

use super::{Config, Leg, Message, Parameters, Ring, Stage};
use crate::contract::{Answer, Check, Dice, Duration, Metric, NodeId, Subject, Turn};
use crate::election::{
    CONDITIONS, Class, Command, ElectionProbe, Elector, Kind, Load, METRICS, PROMISES, ROLES, Reply,
    leader_fact,
};

impl Subject for Ring {
    type Settings = Parameters;
    type Load = Load;
    type Probe = ElectionProbe<Self>;
    const ABOUT: &'static str =
        "leader election of Chang and Roberts: the highest name survives a tour of a ring";

    fn config(parameters: &Parameters, nodes: u32) -> Result<Config, String> {
        Config::new(parameters, nodes)
    }

    fn metrics() -> Vec<Metric> {
        METRICS.iter().copied().chain(Self::KINDS.iter().map(|kind| kind.metric)).collect()
    }

    fn checks() -> Vec<Check> {
        PROMISES.to_vec()
    }

    fn conditions() -> Vec<Check> {
        CONDITIONS.to_vec()
    }

    fn roles() -> &'static [&'static str] {
        ROLES
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        vec![leader_fact(self)]
    }

    fn caveats() -> &'static [&'static str] {
        &[
            "Under a partition each side closes a ring of its own and elects a leader: there are no terms and no \
             majorities. With detection by heartbeats the lower one gives up at the first heartbeat of the higher \
             after healing; with pings both stay until somebody campaigns.",
            "While a higher node takes over, the old leader believes that it leads until the announcement has come \
             around to it: up to N hops.",
            "A node that is slow to acknowledge is skipped: an election can pass by the highest node, which then \
             begins another.",
        ]
    }

    fn command(load: &Load, _: Turn, _: &mut Dice<'_>) -> Option<Command> {
        Some(load.command())
    }

    fn answer(reply: &Reply) -> Answer {
        reply.answer()
    }
}

impl Elector for Ring {
    const KINDS: &'static [Kind] = &[
        Kind::new(Class::Ask, "sent_election", "names on tour, hop by hop"),
        Kind::new(Class::Ask, "sent_elected", "announcements of a leader, hop by hop"),
        Kind::new(Class::Answer, "sent_ack", "acknowledgements of hops"),
        Kind::new(Class::Heartbeat, "sent_heartbeat", "heartbeats of leaders"),
        Kind::new(Class::Heartbeat, "sent_ping", "pings of followers"),
        Kind::new(Class::Heartbeat, "sent_pong", "answers to pings"),
    ];

    fn kind(message: &Message) -> usize {
        match message {
            Message::Pass(token) if token.leg == Leg::Election => 0,
            Message::Pass(_) => 1,
            Message::Ack(_) => 2,
            Message::Heartbeat => 3,
            Message::Ping => 4,
            Message::Pong => 5,
        }
    }

    fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    fn leads(&self) -> bool {
        self.stage == Stage::Leading
    }

    /// A tour of the name, and one of every node that comes to lead, or is asked while it leads. Every node passes each
    /// on once, trying every other node as often as it may.
    fn asks_max(config: &Config, nodes: u64) -> u64 {
        (1 + nodes) * nodes * nodes.saturating_sub(1) * u64::from(config.parameters.attempts)
    }

    fn campaign_gap(config: &Config) -> Duration {
        config.campaign_gap()
    }
}
