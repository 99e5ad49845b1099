//! The bully algorithm: the highest node that is up takes over.
//!
//! H. Garcia-Molina, "Elections in a Distributed Computing System", 1982, in the form of three messages in which it is
//! taught. Who misses the leader asks every higher node. If none answers in time, it leads and tells every lower
//! one; if one does, that node carries on, and is given time of its own: if it crashes between its answer and its
//! victory, the second time-out begins anew. Whoever recovers holds an election, so the highest always takes over.
//!
//! It rests on a synchronous network: a node that does not answer within `answer_timeout` is down. What becomes of it
//! where that is not true is part of its lesson: each side of a partition elects a leader of its own.
//!
//! Where we deviate: a node that is in an election already answers but does not begin another, so a cold start costs
//! a number of elections polynomial in N and not 2^N - 1; for the same reason, and whatever the network does, nobody
//! begins two within the shortest of its time-outs; a leader answers an election by naming itself to who asks. How a
//! leader's death is noticed is left open by the paper: see [`Detection`].

mod parameters;
mod subject;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Command, Notice, Reply, Voters};
use crate::contract::{CommandId, Context, Duration, Input, InputOf, Never, NodeId, Protocol, Time, Wire};

pub use super::detection::Detection;
pub use parameters::{Config, Parameters};

/// A node that takes part in elections.
#[derive(Clone, Debug, Serialize)]
pub struct Bully {
    #[serde(skip)]
    config: Arc<Config>,
    voters: Voters,
    leader: Option<NodeId>,
    stage: Stage,
    /// When it last began an election in this life.
    begun: Option<Time>,
}

/// What a node is waiting for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
enum Stage {
    /// The leader falls silent.
    Following,
    /// A higher node answers.
    Asking,
    /// A higher node that has answered wins.
    Waiting,
    /// Nothing: it leads.
    Leading,
}

/// What nodes say to each other.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Message {
    /// Is anyone there who is higher?
    Election,
    /// I am, and carry on.
    Answer,
    /// I lead.
    Coordinator,
    /// I still lead.
    Heartbeat,
    /// Do you still lead?
    Ping,
    /// I do.
    Pong,
}
impl Wire for Message {}

/// What a node waits for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Timer {
    /// What it waits for does not come.
    Patience,
    /// The next heartbeat or ping is due.
    Heartbeat,
}

impl Protocol for Bully {
    const VERSION: u16 = 1;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Command = Command;
    type Reply = Reply;
    type Record = Never;
    type Notice = Notice;
    type Job = Never;
    type Outcome = Never;

    fn boot(config: &Arc<Config>, _: NodeId) -> Self {
        let voters = Voters::of(config.voters.clone());
        Self { config: config.clone(), voters, leader: None, stage: Stage::Following, begun: None }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Start { .. } => self.begin(cx),
            Input::Message { from, message, .. } if from != cx.me => self.receive(from, message, cx),
            Input::Timer { timer: Timer::Patience } => self.out_of_patience(cx),
            Input::Timer { timer: Timer::Heartbeat } => self.beat(cx),
            Input::Command { id, command } => self.command(id, command, cx),
            Input::Members(members) => {
                if self.voters.update(&members) {
                    self.members_changed(cx);
                }
            }
            Input::Message { .. }
            | Input::Link { .. }
            | Input::Blob(_)
            | Input::Full { .. }
            | Input::Ran { .. } => {}
        }
    }

    fn role(&self) -> &'static str {
        match self.stage {
            Stage::Following => "follower",
            Stage::Asking | Stage::Waiting => "candidate",
            Stage::Leading => "leader",
        }
    }
}

impl Bully {
    fn receive(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        match message {
            Message::Election => self.on_election(from, cx),
            Message::Answer => self.on_answer(from, cx),
            Message::Coordinator => self.on_coordinator(from, cx),
            Message::Heartbeat => self.on_heartbeat(from, cx),
            Message::Ping if self.stage == Stage::Leading => cx.send(from, Message::Pong),
            Message::Pong if self.leader == Some(from) => self.await_leader(cx),
            Message::Pong
                if self.leader.is_none() && self.is_learner(cx.me) && self.voters.contains(from) =>
            {
                self.follow(from, cx);
            }
            Message::Ping | Message::Pong => {}
        }
    }

    fn begin(&mut self, cx: &mut Context<'_, Self>) {
        if self.is_learner(cx.me) {
            self.seek(cx);
        } else {
            self.campaign(cx);
        }
    }

    /// Without a vote it does not campaign: it gives up a leader that is silent, and asks who leads where leaders do
    /// not say so of their own accord.
    fn seek(&mut self, cx: &mut Context<'_, Self>) {
        if self.leader.take().is_some() {
            cx.notify(Notice::SteppedDown { term: 0 });
        }
        if self.config.parameters.detection == Detection::Ping {
            self.voters.others(cx.me).for_each(|voter| cx.send(voter, Message::Ping));
            self.await_leader(cx);
        }
    }

    /// Holds an election, or will as soon as it may again. Says whether it has begun one.
    fn campaign(&mut self, cx: &mut Context<'_, Self>) -> bool {
        if !self.voters.contains(cx.me) {
            return false;
        }
        let rest = self.begun.map_or(Duration::ZERO, |last| self.config.campaign_gap() - cx.now.since(last));
        if !rest.is_zero() {
            cx.set(Timer::Patience, rest);
            return false;
        }
        self.begun = Some(cx.now);
        cx.notify(Notice::Campaigning { term: 0 });
        self.leader = None;
        let me = cx.me;
        if self.voters.ids().last() == Some(&me) {
            self.lead(cx);
            return true;
        }
        self.wait(Stage::Asking, self.config.parameters.answer_timeout, cx);
        for voter in self.voters.others(me).filter(|&voter| voter > me) {
            cx.send(voter, Message::Election);
        }
        true
    }

    fn lead(&mut self, cx: &mut Context<'_, Self>) {
        self.stage = Stage::Leading;
        self.leader = Some(cx.me);
        cx.cancel(Timer::Patience);
        self.next_beat(Detection::Heartbeat, cx);
        cx.notify(Notice::Leading { term: 0 });
        let me = cx.me;
        for member in self.voters.others(me).filter(|&voter| voter < me).chain(self.voters.learners()) {
            cx.send(member, Message::Coordinator);
        }
    }

    fn follow(&mut self, leader: NodeId, cx: &mut Context<'_, Self>) {
        let is_new = self.leader != Some(leader);
        self.leader = Some(leader);
        self.stage = Stage::Following;
        self.await_leader(cx);
        if is_new {
            self.next_beat(Detection::Ping, cx);
            cx.notify(Notice::Following { leader, term: 0 });
        }
    }

    fn on_election(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        if from > cx.me || !self.voters.contains(cx.me) {
            return;
        }
        match self.stage {
            Stage::Leading => cx.send(from, Message::Coordinator),
            Stage::Asking | Stage::Waiting => cx.send(from, Message::Answer),
            Stage::Following => {
                cx.send(from, Message::Answer);
                self.campaign(cx);
            }
        }
    }

    fn on_answer(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        if self.stage == Stage::Asking && self.is_higher(from, cx.me) {
            self.wait(Stage::Waiting, self.config.parameters.coordinator_timeout, cx);
        }
    }

    fn on_coordinator(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        if self.is_higher(from, cx.me) { self.follow(from, cx) } else { self.object(from, cx) }
    }

    fn on_heartbeat(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        if !self.is_higher(from, cx.me) {
            self.object(from, cx);
        } else if self.leader.is_none_or(|leader| leader <= from) {
            self.follow(from, cx);
        }
    }

    /// A lower node says that it leads.
    fn object(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        if self.stage == Stage::Following && self.voters.contains(from) {
            self.campaign(cx);
        }
    }

    fn out_of_patience(&mut self, cx: &mut Context<'_, Self>) {
        match self.stage {
            Stage::Leading => {}
            Stage::Asking => self.lead(cx),
            Stage::Following | Stage::Waiting => self.begin(cx),
        }
    }

    /// Tells the others that the leader is alive, or asks the leader.
    fn beat(&mut self, cx: &mut Context<'_, Self>) {
        match (self.config.parameters.detection, self.stage, self.leader) {
            (Detection::Heartbeat, Stage::Leading, _) => {
                self.next_beat(Detection::Heartbeat, cx);
                for member in self.voters.audience(cx.me) {
                    cx.send(member, Message::Heartbeat);
                }
            }
            (Detection::Ping, Stage::Following, Some(leader)) => {
                self.next_beat(Detection::Ping, cx);
                cx.send(leader, Message::Ping);
            }
            _ => {}
        }
    }

    fn next_beat(&self, detection: Detection, cx: &mut Context<'_, Self>) {
        if self.config.parameters.detection == detection {
            cx.set(Timer::Heartbeat, self.config.parameters.heartbeat);
        }
    }

    fn wait(&mut self, stage: Stage, patience: Duration, cx: &mut Context<'_, Self>) {
        self.stage = stage;
        cx.set(Timer::Patience, patience);
    }

    fn await_leader(&self, cx: &mut Context<'_, Self>) {
        let parameters = &self.config.parameters;
        cx.set_within(Timer::Patience, parameters.timeout_min..parameters.timeout_max);
    }

    /// Whether a node may lead this one: who has no vote is below all who have.
    fn is_higher(&self, node: NodeId, me: NodeId) -> bool {
        self.voters.contains(node) && (node > me || self.is_learner(me))
    }

    fn is_learner(&self, me: NodeId) -> bool {
        !self.voters.contains(me)
    }

    fn members_changed(&mut self, cx: &mut Context<'_, Self>) {
        if self.is_learner(cx.me) {
            let is_led = self.leader.is_some_and(|leader| self.voters.contains(leader));
            if self.stage != Stage::Following || !is_led {
                (self.stage, self.leader) = (Stage::Following, None);
                cx.cancel(Timer::Patience);
                cx.notify(Notice::SteppedDown { term: 0 });
                self.seek(cx);
            }
            return;
        }
        let is_led = self.leader.is_some_and(|leader| leader >= cx.me && self.voters.contains(leader));
        if !is_led {
            self.leader = None;
            self.campaign(cx);
        }
    }

    fn command(&mut self, id: CommandId, command: Command, cx: &mut Context<'_, Self>) {
        let reply = match command {
            Command::WhoLeads => Reply::Leader(self.leader),
            Command::Campaign => Reply::Campaigning(self.stage == Stage::Following && self.campaign(cx)),
        };
        cx.reply_now(id, reply);
    }
}
