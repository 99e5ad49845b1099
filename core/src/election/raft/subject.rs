//! Raft's election as a subject of experiments.

use super::{Config, Message, Parameters, Raft, Role};
use crate::contract::{Answer, Check, Dice, Duration, Metric, NodeId, Subject, Time, Turn};
use crate::election::{
    CONDITIONS, Class, Command, ElectionProbe, Elector, Kind, Load, METRICS, PROMISES, ROLES, Reply,
    TERM_PROMISES, leader_fact,
};

impl Subject for Raft {
    type Settings = Parameters;
    type Load = Load;
    type Probe = ElectionProbe<Self>;
    const ABOUT: &'static str =
        "leader election of Raft: terms and votes; one leader a term, whatever happens";

    fn config(parameters: &Parameters, nodes: u32) -> Result<Config, String> {
        Config::new(parameters, nodes)
    }

    fn metrics() -> Vec<Metric> {
        METRICS.iter().copied().chain(Self::KINDS.iter().map(|kind| kind.metric)).collect()
    }

    fn checks() -> Vec<Check> {
        PROMISES.iter().chain(TERM_PROMISES).copied().collect()
    }

    fn conditions() -> Vec<Check> {
        CONDITIONS.to_vec()
    }

    fn roles() -> &'static [&'static str] {
        ROLES
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        vec![leader_fact(self), ("term", self.term.to_string())]
    }

    fn caveats() -> &'static [&'static str] {
        &[
            "A node that loses its disk forgets its votes: two leaders of one term are possible then.",
            "Under partial partitions it needs pre_vote, stickiness and check_quorum together; without them a node \
             that hears only some others can depose leaders for ever, or a leader that hears nobody can stay.",
            "Without a lease, a leader that was cut off believes that it leads until it hears of a later term or \
             check_quorum stops it: two leaders of different terms at the same time are no violation.",
        ]
    }

    fn command(load: &Load, _: Turn, _: &mut Dice<'_>) -> Option<Command> {
        Some(load.command())
    }

    fn answer(reply: &Reply) -> Answer {
        reply.answer()
    }
}

impl Elector for Raft {
    const KINDS: &'static [Kind] = &[
        Kind::new(Class::Ask, "sent_request_pre_vote", "polls before an election"),
        Kind::new(Class::Answer, "sent_pre_vote", "answers to polls"),
        Kind::new(Class::Ask, "sent_request_vote", "requests for a vote"),
        Kind::new(Class::Answer, "sent_vote", "answers to requests for a vote"),
        Kind::new(Class::Heartbeat, "sent_heartbeat", "heartbeats of leaders"),
        Kind::new(Class::Heartbeat, "sent_heartbeat_ack", "answers to heartbeats"),
    ];

    fn kind(message: &Message) -> usize {
        match message {
            Message::RequestPreVote { .. } => 0,
            Message::PreVote { .. } => 1,
            Message::RequestVote { .. } => 2,
            Message::Vote { .. } => 3,
            Message::Heartbeat { .. } => 4,
            Message::HeartbeatAck { .. } => 5,
        }
    }

    fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    fn leads(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    fn term(&self) -> u64 {
        self.term
    }

    fn holds_lease(&self, now: Time) -> bool {
        match &self.role {
            Role::Leader(leadership) => {
                self.config.parameters.lease && leadership.is_leased(now, self.config.lease)
            }
            _ => false,
        }
    }

    fn spoken_term(message: &Message) -> Option<u64> {
        match *message {
            Message::RequestPreVote { .. } | Message::PreVote { granted: true, .. } => None,
            Message::PreVote { term, .. }
            | Message::RequestVote { term, .. }
            | Message::Vote { term, .. }
            | Message::Heartbeat { term, .. }
            | Message::HeartbeatAck { term, .. } => Some(term),
        }
    }

    fn vote(from: NodeId, to: NodeId, message: &Message) -> Option<(u64, NodeId)> {
        match *message {
            Message::RequestVote { term, .. } => Some((term, from)),
            Message::Vote { term, granted: true } => Some((term, to)),
            _ => None,
        }
    }

    /// Every other node is asked once.
    fn asks_max(_: &Config, nodes: u64) -> u64 {
        nodes.saturating_sub(1)
    }

    fn campaign_gap(config: &Config) -> Duration {
        config.parameters.timeout_min
    }
}
