//! Anti-entropy: sessions with other members, and the documents that they find to be missing.
//!
//! A session finds out what each side lacks; each side hands over what the other lacks in batches, one under way at a
//! time, so that memory stays bounded however much there is. Whoever hears nothing asks again, and gives up in the end: the
//! next round finds what is still missing. A peer that lies or stops can waste a session, and nothing else.

use super::exchange::{Begun, Exchange, Through};
use super::messages::{Message, Notice, SessionId, Timer};
use super::{Index, Peers, Replica, through};
use crate::contract::{Context, Duration, NodeId};
use crate::sync::reconcile::{self, Method, Outcome, Session, WRITERS_MAX};
use crate::sync::store::Change;
use crate::sync::{Name, Stamp};

/// How often a message is sent before the session is given up.
const ATTEMPTS: u8 = 3;

/// Every so many rounds a replica that syncs with its neighbours asks anybody.
const FAR_EVERY: u64 = 5;

/// Documents that a session may find to be given beyond twice as many as there are.
const GIVE_SLACK: usize = 1_000;

const KNOWS_TOO_MANY: &str = "knows of more writers than there can be";

/// Bytes of collections told in one message, unless a single one is longer.
const TOLD_BYTES: usize = 1 << 20;

/// What the first message of a session says.
pub(super) struct Opened<'a> {
    pub(super) id: SessionId,
    pub(super) collection: Name,
    pub(super) epoch: Stamp,
    pub(super) knows: Vec<(NodeId, u64)>,
    pub(super) body: &'a [u8],
}

impl Replica {
    /// A round: one session for each collection with one member.
    pub(super) fn round(&mut self, cx: &mut Context<'_, Self>) {
        self.collect(cx);
        self.rest(cx);
        if cx.now < self.holds_off_until {
            return;
        }
        // A round with more collections than sessions may take longer than until the next.
        if let Some(peer) = self.partner(cx)
            && !self.waiting.iter().any(|(waiting, _)| *waiting == peer)
        {
            self.waiting.extend(self.store.collections().map(|(name, _)| (peer, name.clone())));
        }
        self.open_next(cx);
    }

    /// Until the next round.
    pub(super) fn rest(&self, cx: &mut Context<'_, Self>) {
        let half = Duration::from_nanos(self.config.parameters.every.as_nanos() / 2);
        cx.set_within(Timer::Round, half..Duration::from_nanos(half.as_nanos() * 3));
    }

    /// Whether there may be one more session with this peer: it has at most half of all, whoever opened them.
    fn has_room_with(&self, peer: NodeId) -> bool {
        let all = self.config.parameters.sessions as usize;
        self.exchanges.values().filter(|exchange| exchange.peer == peer).count() < (all / 2).max(1)
    }

    /// Whether there may be one more session of those that these openers open: neither those opened here nor those that others
    /// open take the last place from each other.
    fn has_room(&self, is_one_of: impl Fn(NodeId) -> bool) -> bool {
        let all = self.config.parameters.sessions as usize;
        let same = self.exchanges.keys().filter(|id| is_one_of(id.opener)).count();
        self.exchanges.len() < all && same < (all - 1).max(1)
    }

    /// Opens as many sessions as there may be.
    pub(super) fn open_next(&mut self, cx: &mut Context<'_, Self>) {
        while self.has_room(|opener| opener == self.me) {
            let next = self.waiting.iter().position(|(peer, _)| self.has_room_with(*peer));
            let Some((peer, collection)) = next.and_then(|next| self.waiting.remove(next)) else { return };
            let is_same = |exchange: &Exchange| exchange.peer == peer && exchange.collection == collection;
            if !self.exchanges.values().any(is_same) {
                self.open(peer, collection, cx);
            }
        }
    }

    /// A session of this collection with a member, as soon as there is room for one.
    pub(super) fn ask_soon(&mut self, peer: NodeId, collection: Name) {
        let asked = (peer, collection);
        if !self.waiting.contains(&asked) {
            self.waiting.push_back(asked);
        }
    }

    /// A connection came up or went down. What was under way on it is lost; what was missed meanwhile is found now, not in some
    /// later round.
    pub(super) fn connected(&mut self, peer: NodeId, up: bool, cx: &mut Context<'_, Self>) {
        if self.others.binary_search(&peer).is_err() {
            return;
        }
        let me = self.me;
        let is_lost = |id: &SessionId, exchange: &Exchange, _: &[NodeId]| {
            exchange.peer == peer && (!up || exchange.is_fresh && id.opener == me)
        };
        self.drop_exchanges(is_lost, cx);
        self.waiting.retain(|(waiting, _)| *waiting != peer);
        if up && cx.now >= self.holds_off_until {
            self.waiting.extend(self.store.collections().map(|(name, _)| (peer, name.clone())));
        }
        self.open_next(cx);
    }

    fn partner(&mut self, cx: &mut Context<'_, Self>) -> Option<NodeId> {
        if self.others.is_empty() {
            return None;
        }
        self.rounds += 1;
        let count = self.others.len() as u64;
        let chosen = match self.config.parameters.peers {
            Peers::Neighbours if !self.rounds.is_multiple_of(FAR_EVERY) => {
                let after = self.others.partition_point(|&other| other < self.me) as u64;
                // The next in the ring of names, then the one before.
                if self.rounds.is_multiple_of(2) { after % count } else { (after + count - 1) % count }
            }
            // What all have, a replica learns from each of them alone.
            _ => cx.dice.below(count),
        };
        Some(self.others[chosen as usize])
    }

    pub(super) fn open(&mut self, peer: NodeId, collection: Name, cx: &mut Context<'_, Self>) {
        let (number, salt) = drawn(cx);
        let options = self.options(&collection, peer);
        let Some(Index { epoch, key, set, .. }) = self.indexes.get(&collection) else { return };
        let (session, body) = Session::open(self.config.parameters.method, *key, salt, set, options);
        let id = SessionId { opener: self.me, number };
        let begun = Begun { epoch: *epoch, told: through(set), arrival: self.store.arrivals() };
        self.exchanges.insert(id, Exchange::new(peer, collection, session, begun));
        self.say_open(id, body, cx);
        cx.set(Timer::Answer(id), self.config.parameters.patience);
    }

    fn say_open(&self, id: SessionId, body: Vec<u8>, cx: &mut Context<'_, Self>) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let knows = exchange.told.clone();
        let (collection, epoch) = (exchange.collection.clone(), exchange.epoch);
        let open = Message::Open { session: id, collection, epoch, catalogue: self.catalogue, knows, body };
        cx.send(exchange.peer, open);
    }

    /// Tells a member that knows of other collections what there is here.
    pub(super) fn greet(&mut self, peer: NodeId, catalogue: u64, cx: &mut Context<'_, Self>) {
        if catalogue == self.catalogue {
            return;
        }
        let (mut changes, mut bytes) = (Vec::new(), 0);
        for (name, state) in self.store.collection_states() {
            // Writing to memory fails only if there is none.
            let size = postcard::to_allocvec(&(name, state)).map_or(0, |bytes| bytes.len());
            if !changes.is_empty() && bytes + size > TOLD_BYTES {
                cx.send(peer, Message::Push { changes: std::mem::take(&mut changes) });
                bytes = 0;
            }
            bytes += size;
            changes.push(Change::Collection { name: name.clone(), state: state.clone() });
        }
        cx.send(peer, Message::Push { changes });
    }

    /// A fingerprint of all that is known of collections.
    pub(super) fn fingerprint(&self) -> u64 {
        let all: Vec<_> = self.store.collection_states().collect();
        // Writing to memory fails only if there is none.
        let bytes = postcard::to_allocvec(&all).unwrap_or_default();
        blake3::hash(&bytes).as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes)
    }

    /// Answers whoever opens a session.
    pub(super) fn accept(&mut self, from: NodeId, opened: Opened<'_>, cx: &mut Context<'_, Self>) {
        let Opened { id, collection, epoch, knows, body } = opened;
        if id.opener != from {
            return;
        }
        if knows.len() > WRITERS_MAX {
            self.refuse(from, id, KNOWS_TOO_MANY, cx);
            return;
        }
        if let Some(exchange) = self.exchanges.get(&id) {
            // Asked again: the answer was lost.
            let body = exchange.session.last().to_vec();
            let knows = exchange.answering();
            cx.send(from, Message::Step { session: id, knows, body });
            return;
        }
        let is_same = |(_, exchange): &(&SessionId, &Exchange)| {
            exchange.peer == from && exchange.collection == collection
        };
        // Of two that open to each other at once, the lower name's session goes on; of two of the same opener, the later.
        let running = self.exchanges.iter().find(is_same).map(|(id, _)| *id);
        // Who has answered, and opens another one, has lost the first.
        let crosses = |id: &SessionId| self.exchanges.get(id).is_some_and(|exchange| exchange.is_fresh);
        let is_mine = running.is_some_and(|id| id.opener == self.me && self.me < from && crosses(&id));
        let index = self.indexes.get(&collection).filter(|index| index.epoch == epoch);
        let has_room = self.has_room(|opener| opener != self.me) && self.has_room_with(from);
        let is_crowded = running.is_none() && !has_room;
        let (Some(index), false, false) = (index, is_mine, is_crowded) else {
            self.decline(from, id, cx);
            return;
        };
        let told = through(&index.set);
        let overwrites = self.config.parameters.method == Method::Overwrite;
        match Session::accept(index.key, &index.set, self.options(&collection, from), body) {
            Err(refusal) => self.refuse(from, id, &refusal.to_string(), cx),
            Ok((session, _)) if session.overwrites() != overwrites => {
                self.refuse(from, id, &reconcile::Refusal::Overwrites.to_string(), cx);
            }
            Ok((session, step)) => {
                if let Some(running) = running {
                    self.drop_exchange(running, cx);
                }
                let begun = Begun { epoch, told, arrival: self.store.arrivals() };
                let mut exchange = Exchange::new(from, collection, session, begun);
                exchange.knows = knows;
                self.exchanges.insert(id, exchange);
                self.follow(id, step, cx);
            }
        }
    }

    /// Takes the next message of a session.
    pub(super) fn advance(
        &mut self,
        from: NodeId,
        id: SessionId,
        knows: Vec<(NodeId, u64)>,
        body: &[u8],
        cx: &mut Context<'_, Self>,
    ) {
        let Some(exchange) = self.exchanges.get_mut(&id).filter(|exchange| exchange.peer == from) else {
            self.decline(from, id, cx);
            return;
        };
        let Some(index) =
            self.indexes.get(&exchange.collection).filter(|index| index.epoch == exchange.epoch)
        else {
            self.drop_exchange(id, cx);
            return;
        };
        if knows.len() > WRITERS_MAX {
            self.refuse(from, id, KNOWS_TOO_MANY, cx);
            return;
        }
        if !knows.is_empty() {
            exchange.knows = knows;
        }
        match exchange.session.receive(&index.set, body) {
            Err(refusal) => self.refuse(from, id, &refusal.to_string(), cx),
            Ok(step) => self.follow(id, step, cx),
        }
    }

    pub(super) fn refuse(&mut self, from: NodeId, id: SessionId, why: &str, cx: &mut Context<'_, Self>) {
        cx.notify(Notice::Refused { peer: from, why: why.to_owned() });
        self.decline(from, id, cx);
        self.give_up(id, cx);
    }

    /// Sends what a step says, and hands over what it found.
    fn follow(&mut self, id: SessionId, mut step: reconcile::Step, cx: &mut Context<'_, Self>) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        exchange.note(&mut step);
        // However often a peer asks for the same.
        let held = self.indexes.get(&exchange.collection).map_or(0, |index| index.set.len());
        if exchange.give.len() > 2 * held + GIVE_SLACK {
            let peer = exchange.peer;
            self.refuse(peer, id, "asked for more documents than there are", cx);
            return;
        }
        let is_first = exchange.is_fresh && id.opener != self.me;
        exchange.is_fresh = false;
        let (peer, mut knows) = (exchange.peer, if is_first { exchange.answering() } else { Through::new() });
        for body in step.messages {
            cx.send(peer, Message::Step { session: id, knows: std::mem::take(&mut knows), body });
        }
        cx.set(Timer::Answer(id), self.config.parameters.patience);
        self.hand_over(id, cx);
        self.finish_if_over(id, cx);
    }

    /// Nothing was heard for a while.
    pub(super) fn ask_again(&mut self, id: SessionId, cx: &mut Context<'_, Self>) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        if exchange.attempts >= ATTEMPTS {
            // Who does not answer need not be asked again in this round.
            let silent = exchange.is_fresh.then_some(exchange.peer);
            self.waiting.retain(|(peer, _)| Some(*peer) != silent);
            self.give_up(id, cx);
            return;
        }
        exchange.attempts += 1;
        let (peer, body) = (exchange.peer, exchange.session.last().to_vec());
        match exchange.session.ended() {
            None if exchange.is_fresh => self.say_open(id, body, cx),
            None => cx.send(peer, Message::Step { session: id, knows: Vec::new(), body }),
            // The last word may have been lost; who had it ignores it.
            Some(_) if exchange.awaited == 0 && !body.is_empty() => {
                cx.send(peer, Message::Step { session: id, knows: Vec::new(), body });
            }
            Some(_) => {}
        }
        self.send_batch(id, cx);
        cx.set(Timer::Answer(id), self.config.parameters.patience);
    }

    /// Tells a member that there is no such session here.
    pub(super) fn decline(&self, to: NodeId, id: SessionId, cx: &mut Context<'_, Self>) {
        cx.send_now(to, Message::Closed { session: id, catalogue: self.catalogue });
    }

    /// The other side has no such session: maybe because it has not heard of the collection, and of no other, so that it
    /// opens none itself.
    pub(super) fn close(&mut self, from: NodeId, id: SessionId, catalogue: u64, cx: &mut Context<'_, Self>) {
        if self.exchanges.get(&id).is_some_and(|exchange| exchange.peer == from) {
            self.greet(from, catalogue, cx);
            self.give_up(id, cx);
        }
    }

    pub(super) fn give_up(&mut self, id: SessionId, cx: &mut Context<'_, Self>) {
        let Some(exchange) = self.drop_exchange(id, cx) else { return };
        if id.opener == self.me {
            self.tell(&exchange, None, cx);
            self.open_next(cx);
        }
    }

    pub(super) fn drop_exchange(&mut self, id: SessionId, cx: &mut Context<'_, Self>) -> Option<Exchange> {
        cx.cancel(Timer::Answer(id));
        self.exchanges.remove(&id)
    }

    /// Ends the sessions of which this holds; the members are at hand.
    pub(super) fn drop_exchanges(
        &mut self,
        is_lost: impl Fn(&SessionId, &Exchange, &[NodeId]) -> bool,
        cx: &mut Context<'_, Self>,
    ) {
        let lost = self.exchanges.iter().filter(|(id, exchange)| is_lost(id, exchange, &self.others));
        let lost: Vec<SessionId> = lost.map(|(id, _)| *id).collect();
        for id in lost {
            if let Some(exchange) = self.drop_exchange(id, cx)
                && id.opener == self.me
            {
                self.tell(&exchange, None, cx);
            }
        }
    }

    pub(super) fn finish_if_over(&mut self, id: SessionId, cx: &mut Context<'_, Self>) {
        if !self.exchanges.get(&id).is_some_and(Exchange::is_over) {
            return;
        }
        let Some(exchange) = self.drop_exchange(id, cx) else { return };
        let outcome = exchange.session.ended();
        let key = (exchange.collection.clone(), exchange.peer);
        let is_in_vain = outcome == Some(Outcome::Unchecked) && exchange.documents == 0;
        if is_in_vain {
            self.doubted.insert(key.clone())
        } else {
            self.doubted.remove(&key)
        };
        let is_sure = matches!(outcome, Some(Outcome::Equal | Outcome::Converged | Outcome::Unchecked));
        // Who goes by versions alone knows nothing of documents.
        if is_sure && !exchange.session.overwrites() && exchange.is_whole {
            self.learn_durably(&exchange, cx);
        }
        if exchange.is_proof() && exchange.is_taken_whole {
            let known = self.acknowledged.entry(key).or_default();
            *known = exchange.arrival.max(*known);
            self.due.insert(exchange.collection.clone());
        }
        if id.opener == self.me {
            self.tell(&exchange, outcome, cx);
            self.open_next(cx);
        }
        self.compact(cx);
    }

    /// All that the peer had is here: so is what it knew to have. Nobody knows more of this replica's writes than itself, and
    /// nobody knows the future. A peer that lies makes later sessions dearer; of what is gone for good only the writer itself is
    /// believed, where it is proved that nothing is missing. Writers that are no members and of whom nothing is here are not
    /// learnt of: a liar could invent four thousand million.
    fn learn_durably(&mut self, exchange: &Exchange, cx: &mut Context<'_, Self>) {
        let latest = self.store.latest_allowed(cx.wall);
        let Some(index) = self.indexes.get_mut(&exchange.collection) else { return };
        let before = (through(&index.set), index.heard.clone());
        if exchange.is_proof() {
            index.hear(exchange.peer, 0);
        }
        let is_known = |node: NodeId| {
            self.others.binary_search(&node).is_ok()
                || before.0.binary_search_by_key(&node, |&(known, _)| known).is_ok()
        };
        // Of members there is always room.
        let mut room = WRITERS_MAX.saturating_sub(before.0.len() + self.others.len());
        for &(node, time) in &exchange.knows {
            if node == self.me || time > latest {
                continue;
            }
            if !is_known(node) {
                if room == 0 || !index.set.has_writes_of(node) {
                    continue;
                }
                room -= 1;
            }
            index.set.learn(node, time);
            if node == exchange.peer && exchange.is_proof() {
                index.hear(node, time);
            }
        }
        if before != (through(&index.set), index.heard.clone()) {
            self.claim(&exchange.collection, self.store.clock().time);
            self.due.insert(exchange.collection.clone());
            self.keep_knowledge(&exchange.collection, cx);
        }
    }

    fn tell(&self, exchange: &Exchange, outcome: Option<Outcome>, cx: &mut Context<'_, Self>) {
        let Exchange { peer, documents, bytes, .. } = *exchange;
        cx.notify(Notice::Reconciled { peer, outcome, cost: exchange.session.counters(), documents, bytes });
    }
}

/// Two numbers that nobody can guess.
fn drawn(cx: &mut Context<'_, Replica>) -> (u64, u64) {
    let secret = cx.dice.secret();
    let word = |at: usize| secret[at..].first_chunk().copied().map_or(0, u64::from_le_bytes);
    (word(0), word(8))
}
