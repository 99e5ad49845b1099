//! Raft's leader election.
//!
//! D. Ongaro and J. Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014, section 5.2; D. Ongaro,
//! "Consensus: Bridging Theory and Practice", 2014 ("thesis"), for the four switches: pre-vote (9.6), check quorum
//! (6.2), stickiness (4.2.3) and leases (6.4.1). Under partial partitions it takes the first three together.
//!
//! Time is cut into terms; a node votes once in each, and a majority of votes makes a leader. Term and vote are on
//! disk before anything is said that rests on them: every promise goes through one method, `promise`.
//!
//! The log of Raft comes later. Its place is kept: requests carry the [`Position`] of the candidate's last entry,
//! and a voter refuses who is behind itself (5.4.1).
//!
//! Where we deviate: a lost request is not repeated, the next time-out asks again; a refusal is answered even where
//! the thesis lets a voter stay silent; heartbeats are numbered by rounds, so that an answer tells how long ago the
//! leader was known to be followed; a life that finds a log is as sticky as if it had just heard a leader, because
//! the last life may have, and a lease may rest on it.
//!
//! Who belongs without a vote (4.2.1: a non-voting member) hears heartbeats, follows and answers; its answers prove
//! nothing to a leader, and in silence it waits for another.
//!
//! A lost disk is outside of what Raft can bear: a node that forgets its vote may vote twice.

mod leadership;
mod messages;
mod parameters;
mod subject;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::{Command, Elector, Notice, Reply, Voters};
use crate::contract::{CommandId, Context, Input, InputOf, Never, NodeId, Protocol, Time};
use leadership::Leadership;

pub use messages::{Message, Position, Record, Timer};
pub use parameters::{Config, Flaw, Parameters};

/// A node that takes part in elections.
#[derive(Clone, Debug, Serialize)]
pub struct Raft {
    #[serde(skip)]
    config: Arc<Config>,
    voters: Voters,
    term: u64,
    voted_for: Option<NodeId>,
    /// What the disk was last asked to keep; none after it refused.
    saved: Option<Record>,
    /// How many records the log holds.
    records: u32,
    /// Of the last entry of the log.
    last: Position,
    leader: Option<NodeId>,
    /// When a leader was last heard in this life, or may have been in the one before.
    heard: Option<Time>,
    role: Role,
}

#[derive(Clone, Debug, Serialize)]
enum Role {
    Follower,
    /// Asks whether it could win; with those who say yes.
    PreCandidate(BTreeSet<NodeId>),
    /// With those who voted for it.
    Candidate(BTreeSet<NodeId>),
    Leader(Leadership),
}

/// A log with so many records is replaced by its last one.
const RECORDS_MAX: u32 = 64;

impl Protocol for Raft {
    const VERSION: u16 = 1;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Command = Command;
    type Reply = Reply;
    type Record = Record;
    type Notice = Notice;
    type Job = Never;
    type Outcome = Never;

    fn boot(config: &Arc<Config>, _: NodeId) -> Self {
        Self {
            config: config.clone(),
            voters: Voters::of(config.voters.clone()),
            term: 0,
            voted_for: None,
            saved: Some(Record::default()),
            records: 0,
            last: Position::default(),
            leader: None,
            heard: None,
            role: Role::Follower,
        }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Start { log } => self.start(&log, cx),
            Input::Message { from, message, .. }
                if from != cx.me || matches!(message, Message::Vote { .. }) =>
            {
                self.receive(from, message, cx);
            }
            Input::Timer { timer: Timer::Election } => self.on_silence(cx),
            Input::Timer { timer: Timer::Heartbeat } => self.beat(cx),
            Input::Command { id, command } => self.command(id, command, cx),
            Input::Members(members) => {
                if self.voters.update(&members) {
                    self.members_changed(cx);
                }
            }
            Input::Full { .. } => self.refused_by_disk(cx),
            // A link that comes or goes is a hint that a vote must not rest on.
            Input::Message { .. } | Input::Link { .. } | Input::Blob(_) | Input::Ran { .. } => {}
        }
    }

    fn role(&self) -> &'static str {
        match self.role {
            Role::Follower => "follower",
            Role::PreCandidate(_) | Role::Candidate(_) => "candidate",
            Role::Leader(_) => "leader",
        }
    }
}

impl Raft {
    fn start(&mut self, log: &[Record], cx: &mut Context<'_, Self>) {
        if let Some(&record) = log.last() {
            (self.term, self.voted_for, self.saved) = (record.term, record.voted_for, Some(record));
            self.records = u32::try_from(log.len()).unwrap_or(u32::MAX);
            let origin = if self.has(Flaw::TimeAcrossLives) { Time::ZERO } else { cx.now };
            self.heard = Some(origin);
        }
        self.await_leader(cx);
    }

    fn receive(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        match message {
            Message::RequestPreVote { term, last } => self.on_request_pre_vote(from, term, last, cx),
            Message::PreVote { term, granted } => self.on_pre_vote(from, term, granted, cx),
            Message::RequestVote { term, last } => self.on_request_vote(from, term, last, cx),
            Message::Vote { term, granted } => self.on_vote(from, term, granted, cx),
            Message::Heartbeat { term, round } => self.on_heartbeat(from, term, round, cx),
            Message::HeartbeatAck { term, round } => self.on_heartbeat_ack(from, term, round, cx),
        }
    }

    /// Neither a leader nor enough votes in time.
    fn on_silence(&mut self, cx: &mut Context<'_, Self>) {
        if !self.start_election(cx) && !self.leads() {
            self.step_down(self.term, cx);
            self.await_leader(cx);
        }
    }

    /// Begins an election, or a poll before it, if it may. Says whether it has.
    fn start_election(&mut self, cx: &mut Context<'_, Self>) -> bool {
        // To vote for oneself is to vote: a lease may rest on this node's not doing it.
        if !self.voters.contains(cx.me) || self.leads() || self.is_sticky(cx.now) || self.term == u64::MAX {
            return false;
        }
        self.leader = None;
        if self.config.parameters.pre_vote {
            self.poll(cx)
        } else {
            self.campaign(cx)
        }
        true
    }

    fn poll(&mut self, cx: &mut Context<'_, Self>) {
        let term = self.term + 1;
        self.role = Role::PreCandidate(BTreeSet::from([cx.me]));
        cx.notify(Notice::Polling { term });
        self.await_leader(cx);
        self.ask_others(Message::RequestPreVote { term, last: self.last }, cx);
        self.count_votes(cx);
    }

    fn campaign(&mut self, cx: &mut Context<'_, Self>) {
        self.term += 1;
        self.voted_for = Some(cx.me);
        self.role = Role::Candidate(BTreeSet::from([cx.me]));
        cx.notify(Notice::Campaigning { term: self.term });
        self.await_leader(cx);
        self.save(cx);
        self.ask_others(Message::RequestVote { term: self.term, last: self.last }, cx);
        // Who is asked knows that the candidate's own vote is on disk. Without others it must tell itself.
        if self.voters.majority() == 1 {
            self.promise(cx.me, Message::Vote { term: self.term, granted: true }, cx);
        }
    }

    fn ask_others(&mut self, question: Message, cx: &mut Context<'_, Self>) {
        for voter in self.voters.others(cx.me) {
            self.promise(voter, question, cx);
        }
    }

    fn count_votes(&mut self, cx: &mut Context<'_, Self>) {
        match &self.role {
            Role::PreCandidate(votes) if votes.len() >= self.voters.majority() => self.campaign(cx),
            Role::Candidate(votes) if votes.len() >= self.voters.majority() => self.lead(cx),
            _ => {}
        }
    }

    fn lead(&mut self, cx: &mut Context<'_, Self>) {
        self.role = Role::Leader(Leadership::new(cx.now));
        self.leader = Some(cx.me);
        cx.cancel(Timer::Election);
        cx.notify(Notice::Leading { term: self.term });
        self.beat(cx);
    }

    /// The next round of heartbeats, unless the last ones found too few.
    fn beat(&mut self, cx: &mut Context<'_, Self>) {
        let Role::Leader(leadership) = &mut self.role else { return };
        let parameters = &self.config.parameters;
        if parameters.check_quorum && cx.now.since(leadership.heard_majority()) >= parameters.timeout_max {
            return self.step_down(self.term, cx);
        }
        let round = leadership.begin_round(cx.now, parameters.timeout_max);
        let heartbeat = Message::Heartbeat { term: self.term, round };
        for member in self.voters.audience(cx.me) {
            cx.send_now(member, heartbeat);
        }
        cx.set(Timer::Heartbeat, parameters.heartbeat);
        self.renew(cx);
    }

    /// Takes stock of the rounds answered so far.
    fn renew(&mut self, cx: &mut Context<'_, Self>) {
        let Role::Leader(leadership) = &mut self.role else { return };
        let parameters = &self.config.parameters;
        if !parameters.check_quorum && !parameters.lease {
            return;
        }
        let had_lease = leadership.is_leased(cx.now, self.config.lease);
        leadership.take_stock(&self.voters, cx.me);
        if parameters.lease && !had_lease && leadership.is_leased(cx.now, self.config.lease) {
            cx.notify(Notice::Leased { term: self.term });
        }
    }

    fn on_request_pre_vote(&mut self, from: NodeId, term: u64, last: Position, cx: &mut Context<'_, Self>) {
        let granted = !self.is_sticky(cx.now) && self.would_vote(from, term, last);
        // The term asked for is only what could be: nobody adopts it.
        let term = if granted { term } else { self.term };
        self.promise(from, Message::PreVote { term, granted }, cx);
    }

    fn on_pre_vote(&mut self, from: NodeId, term: u64, granted: bool, cx: &mut Context<'_, Self>) {
        if !granted && term > self.term {
            return self.step_down(term, cx);
        }
        if let Role::PreCandidate(votes) = &mut self.role
            && granted
            && self.term.checked_add(1) == Some(term)
            && self.voters.contains(from)
        {
            votes.insert(from);
            self.count_votes(cx);
        }
    }

    fn on_request_vote(&mut self, from: NodeId, term: u64, last: Position, cx: &mut Context<'_, Self>) {
        let is_sticky = self.is_sticky(cx.now);
        if term > self.term && !is_sticky {
            self.step_down(term, cx);
        }
        let granted = !is_sticky && term == self.term && self.would_vote(from, term, last);
        if granted {
            self.voted_for = Some(from);
            self.await_leader(cx);
        }
        let vote = Message::Vote { term: self.term, granted };
        if self.has(Flaw::VoteBeforeDisk) {
            self.save(cx);
            return cx.send_now(from, vote);
        }
        self.promise(from, vote, cx);
    }

    fn would_vote(&self, candidate: NodeId, term: u64, last: Position) -> bool {
        let is_free = self.voted_for.is_none_or(|voted_for| voted_for == candidate) && self.leader.is_none();
        last >= self.last && (term > self.term || term == self.term && is_free)
    }

    fn on_vote(&mut self, from: NodeId, term: u64, granted: bool, cx: &mut Context<'_, Self>) {
        if term > self.term {
            return self.step_down(term, cx);
        }
        let is_current = term == self.term || self.has(Flaw::TermUnchecked);
        if let Role::Candidate(votes) = &mut self.role
            && granted
            && is_current
            && self.voters.contains(from)
        {
            votes.insert(from);
            self.count_votes(cx);
        }
    }

    fn on_heartbeat(&mut self, from: NodeId, term: u64, round: u64, cx: &mut Context<'_, Self>) {
        if term >= self.term {
            if term == self.term && self.leads() {
                // Two leaders in one term cannot be; whoever says so is not to be believed.
                return;
            }
            self.follow(from, term, cx);
        }
        self.promise(from, Message::HeartbeatAck { term: self.term, round }, cx);
    }

    fn on_heartbeat_ack(&mut self, from: NodeId, term: u64, round: u64, cx: &mut Context<'_, Self>) {
        if term > self.term {
            return self.step_down(term, cx);
        }
        if let Role::Leader(leadership) = &mut self.role
            && term == self.term
        {
            leadership.acknowledge(from, round);
            self.renew(cx);
        }
    }

    fn follow(&mut self, leader: NodeId, term: u64, cx: &mut Context<'_, Self>) {
        let is_new = (self.leader, self.term) != (Some(leader), term);
        self.adopt(term);
        self.become_follower(cx);
        self.leader = Some(leader);
        self.heard = Some(cx.now);
        self.await_leader(cx);
        if is_new {
            cx.notify(Notice::Following { leader, term });
        }
    }

    /// Gives up leading, campaigning or following, in this term or a later one.
    fn step_down(&mut self, term: u64, cx: &mut Context<'_, Self>) {
        let is_change = !matches!(self.role, Role::Follower) || self.leader.is_some();
        self.adopt(term);
        self.become_follower(cx);
        self.leader = None;
        if is_change {
            cx.notify(Notice::SteppedDown { term: self.term });
        }
    }

    fn adopt(&mut self, term: u64) {
        if term > self.term {
            (self.term, self.voted_for) = (term, None);
        }
    }

    fn become_follower(&mut self, cx: &mut Context<'_, Self>) {
        if let Role::Leader(_) = std::mem::replace(&mut self.role, Role::Follower) {
            cx.cancel(Timer::Heartbeat);
            self.await_leader(cx);
        }
    }

    /// Gives the leader, or this election, some time.
    fn await_leader(&self, cx: &mut Context<'_, Self>) {
        let parameters = &self.config.parameters;
        cx.set_within(Timer::Election, parameters.timeout_min..parameters.timeout_max);
    }

    fn members_changed(&mut self, cx: &mut Context<'_, Self>) {
        if !self.voters.contains(cx.me) && !matches!(self.role, Role::Follower) {
            return self.step_down(self.term, cx);
        }
        if let Role::PreCandidate(votes) | Role::Candidate(votes) = &mut self.role {
            votes.retain(|voter| self.voters.contains(*voter));
            self.count_votes(cx);
        }
    }

    /// The disk had no room: what rested on the record was not sent, and the next promise tries again.
    fn refused_by_disk(&mut self, cx: &mut Context<'_, Self>) {
        self.saved = None;
        // A candidate's own vote counts no more than others' if it is not on disk.
        if !matches!(self.role, Role::Follower) {
            self.step_down(self.term, cx);
        }
    }

    fn command(&mut self, id: CommandId, command: Command, cx: &mut Context<'_, Self>) {
        let reply = match command {
            Command::WhoLeads => Reply::Leader(self.leader),
            Command::Campaign => Reply::Campaigning(self.start_election(cx)),
        };
        cx.reply_now(id, reply);
    }

    /// Whether a leader has been heard so lately that this node must not help to depose it.
    fn is_sticky(&self, now: Time) -> bool {
        let parameters = &self.config.parameters;
        let is_recent = |heard| now.since(heard) < parameters.timeout_min;
        parameters.stickiness && (self.leads() || self.heard.is_some_and(is_recent))
    }

    /// Says something that rests on term and vote: it leaves when they are on disk.
    fn promise(&mut self, to: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        self.save(cx);
        cx.send(to, message);
    }

    fn save(&mut self, cx: &mut Context<'_, Self>) {
        let record = Record { term: self.term, voted_for: self.voted_for };
        if self.saved == Some(record) {
            return;
        }
        self.saved = Some(record);
        if self.records >= RECORDS_MAX {
            self.records = 1;
            cx.checkpoint(vec![record]);
        } else {
            self.records += 1;
            cx.persist(record);
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.config.parameters.flaw == flaw
    }
}
