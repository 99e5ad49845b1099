//! The bully algorithm as a subject of experiments.

use super::{Bully, Config, Message, Parameters, Stage};
use crate::contract::{Answer, Check, Dice, Duration, Metric, NodeId, Subject, Turn};
use crate::election::{
    CONDITIONS, Class, Command, ElectionProbe, Elector, Kind, Load, METRICS, PROMISES, ROLES, Reply,
    leader_fact,
};

impl Subject for Bully {
    type Settings = Parameters;
    type Load = Load;
    type Probe = ElectionProbe<Self>;
    const ABOUT: &'static str = "leader election of Garcia-Molina: the highest node that is up takes over";

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
            "Under a partition each side elects a leader of its own: there are no terms and no majorities. With \
             detection by heartbeats the lower one gives up at the first heartbeat of the higher after healing; with \
             pings both stay until somebody holds an election.",
            "While a higher node takes over, the old leader believes that it leads until the announcement arrives: \
             one message delay, even in a network that keeps every promise.",
            "A message lost or later than answer_timeout is taken for a death: the asker leads beside the living.",
            "A top node that is slow or keeps restarting takes over again and again.",
        ]
    }

    fn command(load: &Load, _: Turn, _: &mut Dice<'_>) -> Option<Command> {
        Some(load.command())
    }

    fn answer(reply: &Reply) -> Answer {
        reply.answer()
    }
}

impl Elector for Bully {
    const KINDS: &'static [Kind] = &[
        Kind::new(Class::Ask, "sent_election", "questions to higher nodes"),
        Kind::new(Class::Answer, "sent_answer", "answers of higher nodes"),
        Kind::new(Class::Ask, "sent_coordinator", "announcements of a leader"),
        Kind::new(Class::Heartbeat, "sent_heartbeat", "heartbeats of leaders"),
        Kind::new(Class::Heartbeat, "sent_ping", "pings of followers"),
        Kind::new(Class::Heartbeat, "sent_pong", "answers to pings"),
    ];

    fn kind(message: &Message) -> usize {
        match message {
            Message::Election => 0,
            Message::Answer => 1,
            Message::Coordinator => 2,
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

    /// Every higher node is asked once and every lower one told once; a leader that is asked tells as well, twice if
    /// the network doubles the question.
    fn asks_max(_: &Config, nodes: u64) -> u64 {
        4 * nodes.saturating_sub(1)
    }

    fn campaign_gap(config: &Config) -> Duration {
        config.campaign_gap()
    }
}
