//! A session: two replicas find out what they do not share.

use serde::{Deserialize, Serialize};

use super::auto::Auto;
use super::delta::Delta;
use super::digest::Digest;
use super::entry::{Aggregate, CollectionKey, SessionKey};
use super::range::{Cut, Range};
use super::riblt::Riblt;
use super::set::{EntrySet, Order};
use super::turn::{Counters, Next, Reconciler, Step, Turn};
use super::whole::{FullMerge, Overwrite};
use super::wire::Reader;
use crate::choice;
use crate::contract::frame::HEADER_SIZE;

/// The longest message that is read, in bytes.
pub(super) const MESSAGE_MAX: usize = 2 << 20;
/// How often a session may change its method.
const RESTARTS_MAX: u8 = 2;

const ASK: u8 = 0;
const CHECK: u8 = 1;
const EQUAL: u8 = 2;
const DONE: u8 = 3;
const FINAL: u8 = 4;
const RESTART: u8 = 5;
const OPEN: u8 = 6;

choice! {
    /// How differences are found.
    #[derive(Default, Deserialize, Serialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Method {
        /// The higher version of the database replaces the lower one.
        Overwrite,
        /// Everything, both ways.
        FullMerge,
        /// All ids and hashes.
        Digest,
        /// A 16-way trie of fingerprints.
        Merkle,
        /// Fingerprints of ranges that hold equally many entries.
        Range,
        /// Rateless invertible Bloom lookup tables.
        Riblt,
        /// Version vectors.
        Delta,
        /// A probe, then whichever is cheapest.
        #[default]
        Auto,
    }
}

impl Method {
    /// The method of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.name() == name)
    }

    pub(super) fn read(body: &mut Reader<'_>) -> Result<Self, Refusal> {
        let code = body.byte()?;
        Self::ALL.get(usize::from(code)).copied().ok_or(Refusal::Malformed)
    }
}

/// What a session needs to know besides the set. Both sides have their own.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Options {
    /// The version of the whole database, for `overwrite`.
    pub db_version: u64,
    /// Whether sets with equal versions of the database are told apart by their fingerprints, for `overwrite`.
    pub break_ties: bool,
    /// Whether `auto` may rely on version vectors: not after they were found to be wrong.
    pub trust_delta: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { db_version: 0, break_ties: false, trust_delta: true }
    }
}

/// How a session ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Outcome {
    /// The sets were the same: nothing to do.
    Equal,
    /// Every difference was found; 32 bytes of fingerprint over what both share prove it.
    Converged,
    /// A set changed meanwhile: what was found is worth taking, and another session will tell.
    Moved,
    /// Found by version vectors, or all is handed over: the next session's root will tell.
    Unchecked,
    /// Even full lists do not agree: the peer lies or is broken.
    Failed,
}

/// Why a message was refused. The session is then of no use any more; the set was not touched.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It ends too early.
    #[error("the message is cut short")]
    Short,
    /// It makes no sense.
    #[error("the message is malformed")]
    Malformed,
    /// It is longer than any.
    #[error("a message of {0} bytes is longer than {MESSAGE_MAX}")]
    TooLong(usize),
    /// It claims to hold more of something than is allowed.
    #[error("{count} of something, but {max} are allowed")]
    TooMany {
        /// As claimed.
        count: u64,
        /// As allowed.
        max: u64,
    },
    /// It is not the answer to what was sent.
    #[error("the message is out of turn")]
    OutOfTurn,
    /// The two sides order their sets differently.
    #[error("the peer orders its set by {0:?}")]
    Order(Order),
    /// It would replace one set by the other, and this replica merges; or the other way round.
    #[error("of the two sides one overwrites and one merges")]
    Overwrites,
    /// The method was changed too often.
    #[error("the method was changed too often")]
    Restarts,
}

#[derive(Clone, Debug, Serialize)]
enum Engine {
    Overwrite(Overwrite),
    FullMerge(FullMerge),
    Digest(Digest),
    Range(Range),
    Riblt(Riblt),
    Delta(Delta),
    Auto(Box<Auto>),
}

impl Engine {
    fn new(method: Method) -> Self {
        match method {
            Method::Overwrite => Self::Overwrite(Overwrite),
            Method::FullMerge => Self::FullMerge(FullMerge),
            Method::Digest => Self::Digest(Digest::default()),
            Method::Merkle => Self::Range(Range::new(Cut::Trie)),
            Method::Range => Self::Range(Range::new(Cut::Balanced)),
            Method::Riblt => Self::Riblt(Riblt::default()),
            Method::Delta => Self::Delta(Delta),
            Method::Auto => Self::Auto(Box::default()),
        }
    }

    fn reconciler(&mut self) -> &mut dyn Reconciler {
        match self {
            Self::Overwrite(engine) => engine,
            Self::FullMerge(engine) => engine,
            Self::Digest(engine) => engine,
            Self::Range(engine) => engine,
            Self::Riblt(engine) => engine,
            Self::Delta(engine) => engine,
            Self::Auto(engine) => &mut **engine,
        }
    }
}

/// One side of a session: a value that takes messages and gives messages and findings.
///
/// Messages alternate, starting with the opener's. If the connection breaks, each side may send its
/// [`last`](Self::last) message again; one that was answered before is answered alike.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    engine: Engine,
    collection: CollectionKey,
    salt: u64,
    key: SessionKey,
    options: Options,
    is_opener: bool,
    /// The whole set when the session began.
    base: Aggregate,
    given: Aggregate,
    revision: u64,
    turn: u8,
    last: Vec<u8>,
    counters: Counters,
    restarts: u8,
    ended: Option<Outcome>,
}

impl Session {
    /// Begins a session; the message is for the peer's [`accept`](Self::accept). `salt` must be unpredictable.
    #[must_use]
    pub fn open(
        method: Method,
        collection: CollectionKey,
        salt: u64,
        set: &EntrySet,
        options: Options,
    ) -> (Self, Vec<u8>) {
        let mut session = Self::new(method, collection, salt, set, options, true);
        let mut message = vec![OPEN, method as u8 | (set.order() as u8) << 4];
        message.extend(salt.to_le_bytes());
        message.extend(session.key.root(&session.base));
        let mut turn = session.begin(set);
        session.engine.reconciler().hello(&mut turn);
        session.counters = turn.counters;
        message.extend(turn.out);
        session.sent(&message);
        (session, message)
    }

    /// Answers a peer's first message. Restricting who may open how many sessions is up to the caller.
    ///
    /// # Errors
    /// If the message is not a first message, or the set is ordered differently.
    pub fn accept(
        collection: CollectionKey,
        set: &EntrySet,
        options: Options,
        message: &[u8],
    ) -> Result<(Self, Step), Refusal> {
        if message.len() > MESSAGE_MAX {
            return Err(Refusal::TooLong(message.len()));
        }
        let mut body = Reader(message);
        if body.byte()? != OPEN {
            return Err(Refusal::OutOfTurn);
        }
        let kind = body.byte()?;
        let method = Method::read(&mut Reader(&[kind & 0xF]))?;
        let order = match kind >> 4 {
            0 => Order::Id,
            1 => Order::Time,
            2 => Order::Hash,
            _ => return Err(Refusal::Malformed),
        };
        if order != set.order() {
            return Err(Refusal::Order(order));
        }
        let salt = body.word()?;
        let root: [u8; 32] = body.array()?;
        let mut session = Self::new(method, collection, salt, set, options, false);
        session.count(message);
        // Distri compares versions alone: equal ones never converge.
        if root == session.key.root(&session.base) && method != Method::Overwrite {
            let mut step = Step::default();
            session.finish(Outcome::Equal, &mut step);
            session.reply(EQUAL, &[], &[], &mut step);
            return Ok((session, step));
        }
        let mut turn = session.begin(set);
        let next = session.engine.reconciler().lead(&mut turn, &mut body)?;
        body.end()?;
        let step = session.conclude(set, turn, next, None, false)?;
        Ok((session, step))
    }

    fn new(
        method: Method,
        collection: CollectionKey,
        salt: u64,
        set: &EntrySet,
        options: Options,
        is_opener: bool,
    ) -> Self {
        Self {
            engine: Engine::new(method),
            collection,
            salt,
            key: collection.session(salt),
            options,
            is_opener,
            base: set.total(),
            given: Aggregate::default(),
            revision: set.revision(),
            turn: 0,
            last: Vec::new(),
            counters: Counters::default(),
            restarts: 0,
            ended: None,
        }
    }

    /// The last message sent, for a peer that did not get it.
    #[must_use]
    pub fn last(&self) -> &[u8] {
        &self.last
    }

    /// Whether one set is to replace the other, whatever they hold.
    #[must_use]
    pub fn overwrites(&self) -> bool {
        matches!(self.engine, Engine::Overwrite(_))
    }

    /// What the session cost so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn ended(&self) -> Option<Outcome> {
        self.ended
    }

    /// Takes the peer's next message.
    ///
    /// # Errors
    /// If the message is not what may come now: the session is then to be dropped.
    pub fn receive(&mut self, set: &EntrySet, message: &[u8]) -> Result<Step, Refusal> {
        if message.len() > MESSAGE_MAX {
            return Err(Refusal::TooLong(message.len()));
        }
        let mut body = Reader(message);
        let head = body.byte()?;
        if head >> 4 == self.turn.wrapping_sub(1) & 0xF && !self.last.is_empty() {
            self.count(message);
            self.counters.bytes += (self.last.len() + HEADER_SIZE) as u64;
            self.counters.messages += 1;
            return Ok(Step { messages: vec![self.last.clone()], ..Step::default() });
        }
        if self.ended.is_some() && head >> 4 == self.turn & 0xF {
            // The last word, once more.
            return Ok(Step::default());
        }
        if self.ended.is_some() || head >> 4 != self.turn.wrapping_add(1) & 0xF {
            return Err(Refusal::OutOfTurn);
        }
        self.count(message);
        self.turn = self.turn.wrapping_add(1);
        let mut restarted = false;
        let mut tag = head & 0xF;
        if tag == RESTART {
            self.restart(Method::read(&mut body)?)?;
            restarted = true;
            tag = body.byte()?;
        }
        let mut step = match tag {
            EQUAL if self.is_opener && self.turn == 1 => self.end(Outcome::Equal),
            DONE => self.end(match body.byte()? {
                0 => Outcome::Converged,
                1 => Outcome::Moved,
                2 => Outcome::Failed,
                _ => return Err(Refusal::Malformed),
            }),
            ASK | CHECK | FINAL => {
                let check = if tag == CHECK { Some((body.byte()? != 0, body.array()?)) } else { None };
                let mut turn = self.begin(set);
                let next = self.engine.reconciler().receive(&mut turn, &mut body)?;
                self.conclude(set, turn, next, check, tag == FINAL)?
            }
            _ => return Err(Refusal::Malformed),
        };
        body.end()?;
        step.restarted |= restarted;
        Ok(step)
    }

    fn begin<'a>(&self, set: &'a EntrySet) -> Turn<'a> {
        Turn {
            set,
            key: self.key,
            options: self.options,
            out: Vec::new(),
            step: Step::default(),
            given: self.given,
            counters: self.counters,
        }
    }

    fn end(&mut self, outcome: Outcome) -> Step {
        let mut step = Step::default();
        self.finish(outcome, &mut step);
        step
    }

    fn finish(&mut self, outcome: Outcome, step: &mut Step) {
        self.ended = Some(outcome);
        step.ended = Some(outcome);
    }

    fn restart(&mut self, method: Method) -> Result<(), Refusal> {
        self.restarts += 1;
        if self.restarts > RESTARTS_MAX {
            return Err(Refusal::Restarts);
        }
        self.salt = self.salt.wrapping_add(1);
        self.key = self.collection.session(self.salt);
        self.given = Aggregate::default();
        self.engine = Engine::new(method);
        Ok(())
    }

    fn shared(&self) -> [u8; 32] {
        let mut shared = self.base;
        shared.subtract(&self.given);
        self.key.root(&shared)
    }

    /// Does what the method asked for. After a message that was `FINAL`, no answer is awaited.
    fn conclude(
        &mut self,
        set: &EntrySet,
        turn: Turn<'_>,
        next: Next,
        check: Option<(bool, [u8; 32])>,
        was_final: bool,
    ) -> Result<Step, Refusal> {
        let Turn { out, mut step, given, counters, .. } = turn;
        (self.given, self.counters) = (given, counters);
        let has_moved = set.revision() != self.revision;
        match next {
            Next::Ask => self.reply(ASK, &[], &out, &mut step),
            Next::Last => {
                let shared = self.shared();
                self.reply(CHECK, &[&[u8::from(has_moved)][..], &shared].concat(), &out, &mut step);
            }
            Next::Done => {
                let Some((peer_moved, root)) = check else { return Err(Refusal::Malformed) };
                let (code, outcome) = if root == self.shared() {
                    (0, Outcome::Converged)
                } else if has_moved || peer_moved {
                    (1, Outcome::Moved)
                } else if matches!(self.engine, Engine::Digest(_)) {
                    (2, Outcome::Failed)
                } else {
                    return self.lead_again(set, Method::Digest, step);
                };
                self.finish(outcome, &mut step);
                self.reply(DONE, &[code], &[], &mut step);
            }
            Next::Close(outcome) => {
                self.finish(outcome, &mut step);
                if !was_final {
                    self.reply(FINAL, &[], &out, &mut step);
                }
            }
            Next::Restart(method) => return self.lead_again(set, method, step),
        }
        Ok(step)
    }

    /// Changes the method, because this one led nowhere.
    fn lead_again(&mut self, set: &EntrySet, method: Method, before: Step) -> Result<Step, Refusal> {
        self.restart(method)?;
        let mut turn = self.begin(set);
        turn.step.peer = before.peer;
        let next = self.engine.reconciler().lead(&mut turn, &mut Reader(&[]))?;
        let mut step = self.conclude(set, turn, next, None, false)?;
        step.restarted = true;
        if let Some(message) = step.messages.first_mut() {
            let tag = message[0] & 0xF;
            message[0] = message[0] & 0xF0 | RESTART;
            message.splice(1..1, [method as u8, tag]);
            self.counters.bytes += 2;
            self.last.clone_from(message);
        }
        Ok(step)
    }

    fn reply(&mut self, tag: u8, head: &[u8], body: &[u8], step: &mut Step) {
        self.turn = self.turn.wrapping_add(1);
        let message = [&[(self.turn & 0xF) << 4 | tag], head, body].concat();
        self.sent(&message);
        step.messages.push(message);
    }

    fn sent(&mut self, message: &[u8]) {
        self.counters.bytes += (message.len() + HEADER_SIZE) as u64;
        self.counters.messages += 1;
        self.counters.round_trips += u64::from(!self.is_opener);
        self.last = message.to_vec();
    }

    fn count(&mut self, message: &[u8]) {
        self.counters.bytes += (message.len() + HEADER_SIZE) as u64;
        self.counters.messages += 1;
        self.counters.round_trips += u64::from(self.is_opener);
    }
}
