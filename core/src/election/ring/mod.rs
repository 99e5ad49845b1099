//! Election on a ring: the highest name survives a tour.
//!
//! E. Chang and R. Roberts, "An improved algorithm for decentralized extrema-finding in circular configurations of
//! processes", 1979. A node that misses the leader sends its name to its successor. Who gets a name higher than its own
//! passes it on; a lower one it swallows, having sent its own. A name that comes home has won, and a second tour says
//! so.
//!
//! The paper's ring does not break. Ours is repaired: every hop is acknowledged, and a successor that stays silent is
//! skipped. A token whose owner is dead would go round for ever: who finds the owner dead, at the owner's own place,
//! drops it and campaigns.
//!
//! Repair must not multiply tokens, however wrong a time-out is: a token that was late and not lost is then on two
//! ways at once. Tours are numbered, and a node passes on a tour of an owner once, and none that is older. Nobody
//! begins two tours of one kind within the shortest of its time-outs. A successor that was slow to acknowledge is
//! given more time.
//!
//! Where we deviate: who has passed on a higher name takes part without sending its own, as later presentations have
//! it; a leader that is asked for by a lower node announces itself again instead of touring first.
//!
//! It rests on a synchronous network: who does not acknowledge in time, `attempts` times, is down.

mod parameters;
mod subject;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Command, Notice, Reply, Voters};
use crate::contract::{CommandId, Context, Duration, Input, InputOf, Never, NodeId, Protocol, Time, Wire};

pub use super::detection::Detection;
pub use parameters::{Config, Order, Parameters};

/// A node that takes part in elections.
#[derive(Clone, Debug, Serialize)]
pub struct Ring {
    #[serde(skip)]
    config: Arc<Config>,
    voters: Voters,
    /// The members in the order in which tokens pass them.
    order: Arc<[NodeId]>,
    leader: Option<NodeId>,
    stage: Stage,
    /// Its last tour.
    tour: Tour,
    /// When it last began a tour of each kind in this life.
    begun: BTreeMap<Leg, Time>,
    /// The last token of each kind and owner that it passed on, and how far that has come.
    hops: BTreeMap<(Leg, NodeId), Hop>,
    /// The last tour of each kind and owner that came by.
    seen: BTreeMap<(Leg, NodeId), Seen>,
    /// The last round trip to each successor.
    round_trips: BTreeMap<NodeId, Duration>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
enum Stage {
    Following,
    /// Has passed on a higher name in an election that is not over.
    TakingPart,
    /// Has sent its own name on this tour, and perhaps on later ones.
    Touring(Tour),
    Leading,
}

/// A token on its way to a successor.
#[derive(Clone, Debug, Serialize)]
struct Hop {
    tour: Tour,
    to: NodeId,
    attempts: u32,
    /// Who was tried and has not acknowledged, and when first: skipped ones too, as they may be slow and not dead.
    silent: Vec<(NodeId, Time)>,
}

/// A tour that came by.
#[derive(Clone, Copy, Debug, Serialize)]
struct Seen {
    tour: Tour,
    /// When the first tour of this life of its owner came by.
    since: Time,
}

/// What goes around.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Token {
    /// What it says of its owner.
    pub leg: Leg,
    /// Whose it is.
    pub owner: NodeId,
    /// Tells apart the tours of one owner.
    pub tour: Tour,
}

/// A tour of one owner.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Tour {
    /// Drawn in each life of the owner, which does not know how far it has counted in the last one.
    pub life: u32,
    /// Counted by the owner in this life.
    pub number: u32,
}

/// The two tours of an election.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Leg {
    /// The owner campaigns.
    Election,
    /// The owner has won.
    Elected,
}

/// What nodes say to each other.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Message {
    /// For the successor.
    Pass(Token),
    /// I have it.
    Ack(Token),
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
    /// The leader is silent, or the election does not end.
    Patience,
    /// The next heartbeat or ping is due.
    Heartbeat,
    /// The successor has not acknowledged the last token of this kind and owner.
    Hop(Leg, NodeId),
}

impl Protocol for Ring {
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
        Self {
            config: config.clone(),
            voters: Voters::of(config.voters.clone()),
            order: config.order.clone(),
            leader: None,
            stage: Stage::Following,
            tour: Tour { life: 0, number: u32::MAX },
            begun: BTreeMap::new(),
            hops: BTreeMap::new(),
            seen: BTreeMap::new(),
            round_trips: BTreeMap::new(),
        }
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Start { .. } => self.out_of_patience(cx),
            Input::Message { from, message, .. } if from != cx.me => self.receive(from, message, cx),
            Input::Timer { timer: Timer::Patience } if self.stage == Stage::Leading => self.announce(cx),
            Input::Timer { timer: Timer::Patience } => self.out_of_patience(cx),
            Input::Timer { timer: Timer::Heartbeat } => self.beat(cx),
            Input::Timer { timer: Timer::Hop(leg, owner) } => self.no_ack(leg, owner, cx),
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
            Stage::Following | Stage::TakingPart => "follower",
            Stage::Touring(_) => "candidate",
            Stage::Leading => "leader",
        }
    }
}

impl Ring {
    fn receive(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        match message {
            Message::Pass(token) => {
                cx.send(from, Message::Ack(token));
                self.arrive(token, cx);
            }
            Message::Ack(token) => self.on_ack(from, token, cx),
            Message::Heartbeat => self.on_heartbeat(from, cx),
            Message::Ping if self.stage == Stage::Leading => cx.send(from, Message::Pong),
            Message::Pong if self.leader == Some(from) && self.stage == Stage::Following => {
                self.await_leader(cx)
            }
            Message::Pong
                if self.leader.is_none() && self.is_learner(cx.me) && self.voters.contains(from) =>
            {
                self.follow(from, cx);
            }
            Message::Ping | Message::Pong => {}
        }
    }

    fn out_of_patience(&mut self, cx: &mut Context<'_, Self>) {
        if self.is_learner(cx.me) {
            self.seek(cx);
        } else {
            self.campaign(cx);
        }
    }

    /// Without a vote it has no place on the ring: it gives up a leader that is silent, and asks who leads where
    /// leaders do not say so of their own accord.
    fn seek(&mut self, cx: &mut Context<'_, Self>) {
        if self.leader.take().is_some() {
            cx.notify(Notice::SteppedDown { term: 0 });
        }
        if self.config.parameters.detection == Detection::Ping {
            self.voters.others(cx.me).for_each(|voter| cx.send(voter, Message::Ping));
            self.await_leader(cx);
        }
    }

    fn is_learner(&self, me: NodeId) -> bool {
        !self.voters.contains(me)
    }

    /// Sends its own name on tour, or will as soon as it may again. Says whether it has.
    fn campaign(&mut self, cx: &mut Context<'_, Self>) -> bool {
        if !self.voters.contains(cx.me) || !self.may_begin(Leg::Election, cx) {
            return false;
        }
        cx.notify(Notice::Campaigning { term: 0 });
        let tour = self.begin(Leg::Election, cx);
        let first = match self.stage {
            // A name that was slow to come home is as good as the one sent after it.
            Stage::Touring(first) if first.life == tour.life => first,
            _ => tour,
        };
        self.leader = None;
        self.wait(Stage::Touring(first), self.config.parameters.election_timeout, cx);
        self.pass_on(Token { leg: Leg::Election, owner: cx.me, tour }, cx);
        true
    }

    /// Whether it is not too early for another tour of this kind; if it is, patience ends when it is not.
    fn may_begin(&self, leg: Leg, cx: &mut Context<'_, Self>) -> bool {
        let Some(&last) = self.begun.get(&leg) else { return true };
        let rest = self.config.campaign_gap() - cx.now.since(last);
        if rest.is_zero() {
            return true;
        }
        cx.set(Timer::Patience, rest);
        false
    }

    fn begin(&mut self, leg: Leg, cx: &mut Context<'_, Self>) -> Tour {
        self.begun.insert(leg, cx.now);
        self.tour = match self.tour.number.checked_add(1) {
            Some(number) => Tour { number, ..self.tour },
            None => Tour { life: cx.dice.below(1 << 32) as u32, number: 0 },
        };
        self.tour
    }

    /// A token comes by, for the first time or again.
    fn arrive(&mut self, token: Token, cx: &mut Context<'_, Self>) {
        let is_member = self.voters.contains(token.owner) && self.voters.contains(cx.me);
        if !is_member {
            return;
        }
        if token.owner == cx.me {
            return self.come_home(token, cx);
        }
        if !self.is_news(token, cx.now) {
            return;
        }
        match token.leg {
            Leg::Election if token.owner > cx.me => {
                if self.stage == Stage::Following {
                    self.wait(Stage::TakingPart, self.config.parameters.election_timeout, cx);
                }
                self.pass_on(token, cx);
            }
            Leg::Election => match self.stage {
                Stage::Leading => self.announce(cx),
                Stage::Following => drop(self.campaign(cx)),
                Stage::TakingPart | Stage::Touring(_) => {}
            },
            Leg::Elected => self.on_elected(token, cx),
        }
    }

    /// Whether this tour is later than all of its owner that came by. Lives cannot be compared: one gives way to
    /// another, but not to and fro at any speed.
    fn is_news(&mut self, token: Token, now: Time) -> bool {
        let (place, tour) = ((token.leg, token.owner), token.tour);
        let since = match self.seen.get(&place) {
            Some(seen) if seen.tour.life == tour.life && seen.tour.number >= tour.number => return false,
            Some(seen) if seen.tour.life == tour.life => seen.since,
            Some(seen) if now.since(seen.since) < self.config.campaign_gap() => return false,
            _ => now,
        };
        self.seen.insert(place, Seen { tour, since });
        true
    }

    fn come_home(&mut self, token: Token, cx: &mut Context<'_, Self>) {
        if let Stage::Touring(first) = self.stage
            && token.leg == Leg::Election
            && token.tour.life == first.life
            && token.tour.number >= first.number
        {
            self.lead(cx);
        }
    }

    fn on_elected(&mut self, token: Token, cx: &mut Context<'_, Self>) {
        self.pass_on(token, cx);
        match self.stage {
            _ if token.owner > cx.me => self.follow(token.owner, cx),
            Stage::Leading => self.announce(cx),
            _ => self.object(cx),
        }
    }

    fn lead(&mut self, cx: &mut Context<'_, Self>) {
        self.stage = Stage::Leading;
        self.leader = Some(cx.me);
        cx.cancel(Timer::Patience);
        self.next_beat(Detection::Heartbeat, cx);
        cx.notify(Notice::Leading { term: 0 });
        self.announce(cx);
    }

    /// Says that it leads, or will as soon as it may again.
    fn announce(&mut self, cx: &mut Context<'_, Self>) {
        if self.may_begin(Leg::Elected, cx) {
            let tour = self.begin(Leg::Elected, cx);
            self.pass_on(Token { leg: Leg::Elected, owner: cx.me, tour }, cx);
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

    fn pass_on(&mut self, token: Token, cx: &mut Context<'_, Self>) {
        let to = self.successor(cx.me);
        self.attempt(token, Hop { tour: token.tour, to, attempts: 0, silent: Vec::new() }, cx);
    }

    fn attempt(&mut self, token: Token, mut hop: Hop, cx: &mut Context<'_, Self>) {
        if hop.to == cx.me {
            // Nobody else is left.
            return self.arrive(token, cx);
        }
        if hop.attempts == 0 {
            hop.silent.push((hop.to, cx.now));
        }
        hop.attempts += 1;
        cx.send(hop.to, Message::Pass(token));
        cx.set(Timer::Hop(token.leg, token.owner), self.hop_timeout(hop.to));
        self.hops.insert((token.leg, token.owner), hop);
    }

    /// At least as long as an acknowledgement took the last time, and half as long again.
    fn hop_timeout(&self, to: NodeId) -> Duration {
        let Parameters { hop_timeout, election_timeout, .. } = self.config.parameters;
        let last = self.round_trips.get(&to).map_or(0, |round_trip| round_trip.as_nanos());
        Duration::from_nanos(last.saturating_add(last / 2)).min(election_timeout).max(hop_timeout)
    }

    /// In time or late: the token is in good hands.
    fn on_ack(&mut self, from: NodeId, token: Token, cx: &mut Context<'_, Self>) {
        let hop = self.hops.get_mut(&(token.leg, token.owner)).filter(|hop| hop.tour == token.tour);
        if let Some(hop) = hop
            && let Some(index) = hop.silent.iter().position(|(node, _)| *node == from)
        {
            let (_, sent) = hop.silent.remove(index);
            self.round_trips.insert(from, cx.now.since(sent));
            cx.cancel(Timer::Hop(token.leg, token.owner));
        }
    }

    /// The successor did not acknowledge: once more, or the one after it, unless the token has no home any more.
    fn no_ack(&mut self, leg: Leg, owner: NodeId, cx: &mut Context<'_, Self>) {
        let Some(hop) = self.hops.get(&(leg, owner)) else { return };
        let (mut hop, token) = (hop.clone(), Token { leg, owner, tour: hop.tour });
        if hop.attempts < self.config.parameters.attempts {
            self.attempt(token, hop, cx);
        } else if hop.to == owner {
            self.object(cx);
        } else {
            (hop.to, hop.attempts) = (self.successor(hop.to), 0);
            self.attempt(token, hop, cx);
        }
    }

    /// Whom a token reaches after this node.
    fn successor(&self, node: NodeId) -> NodeId {
        let place = self.order.iter().position(|&other| other == node);
        let next = place.map_or(0, |place| (place + 1) % self.order.len());
        self.order.get(next).copied().unwrap_or(node)
    }

    fn on_heartbeat(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        if !self.voters.contains(from) {
            return;
        }
        if from < cx.me && !self.is_learner(cx.me) {
            self.object(cx);
        } else if self.leader.is_none_or(|leader| leader <= from) {
            self.follow(from, cx);
        }
    }

    /// The leader is lower, or a winner is dead.
    fn object(&mut self, cx: &mut Context<'_, Self>) {
        if matches!(self.stage, Stage::Following | Stage::TakingPart) {
            self.campaign(cx);
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
            (Detection::Ping, Stage::Following | Stage::TakingPart, Some(leader)) => {
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

    fn members_changed(&mut self, cx: &mut Context<'_, Self>) {
        let known = self.config.order.iter().copied().filter(|&node| self.voters.contains(node));
        let new = self.voters.ids().iter().copied().filter(|node| !self.config.order.contains(node));
        self.order = known.chain(new).collect();
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
            Command::Campaign => {
                let is_free = matches!(self.stage, Stage::Following | Stage::TakingPart);
                Reply::Campaigning(is_free && self.campaign(cx))
            }
        };
        cx.reply_now(id, reply);
    }
}
