//! Replicas side by side: messages are delivered by hand, and some on the way are not what was sent.

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use super::handover::BATCH_BYTES;
use super::*;
use crate::contract::{CommandId, Dice, Effect, EffectOf, Json, Keys, Life, Subject, Wire};
use crate::sync::DocumentId;
use crate::sync::reconcile::Method;
use crate::sync::testing::cases;

/// A day of 2026, in nanoseconds since 1970.
const TODAY: u64 = 1_767_225_600_000_000_000;
const A: usize = 0;
const B: usize = 1;
const LIAR: usize = 2;

/// What is to become of a message: nothing, or what arrives in its place.
type Tamper<'a> = &'a mut dyn FnMut(usize, Message) -> Option<Message>;

struct Net {
    nodes: Vec<Replica>,
    logs: Vec<Vec<Record>>,
    timers: Vec<BTreeSet<SessionId>>,
    queue: VecDeque<(usize, usize, Message)>,
    notices: Vec<(usize, Notice)>,
    replies: Vec<Reply>,
    keys: Keys,
    steps: u64,
    now: u64,
}

impl Net {
    fn new(nodes: u32, parameters: &Parameters) -> Self {
        let config = Arc::new(Replica::config(parameters, nodes).unwrap());
        let boot = |node| Replica::boot(&config, NodeId(node));
        let mut net = Self {
            nodes: (0..nodes).map(boot).collect(),
            logs: vec![Vec::new(); nodes as usize],
            timers: vec![BTreeSet::new(); nodes as usize],
            queue: VecDeque::new(),
            notices: Vec::new(),
            replies: Vec::new(),
            keys: Keys::from_seed(1),
            steps: 0,
            now: 0,
        };
        (0..nodes as usize).for_each(|node| net.step(node, Input::Start { log: Vec::new() }));
        net
    }

    fn with(&mut self, node: usize, act: impl FnOnce(&mut Replica, &mut Context<'_, Replica>)) {
        let mut effects = VecDeque::new();
        self.steps += 1;
        self.now += 1_000_000;
        let dice = Dice::new(&self.keys, NodeId(node as u32), Life(0), self.steps);
        let (now, wall) = (Time(self.now), Time(TODAY + self.now));
        act(&mut self.nodes[node], &mut Context::new(now, wall, NodeId(node as u32), dice, &mut effects));
        effects.into_iter().for_each(|effect| self.carry_out(node, effect));
    }

    fn step(&mut self, node: usize, input: InputOf<Replica>) {
        self.with(node, |replica, cx| replica.step(input, cx));
    }

    fn carry_out(&mut self, node: usize, effect: EffectOf<Replica>) {
        match effect {
            Effect::Send { to, message, .. } => self.queue.push_back((node, to.0 as usize, message)),
            Effect::Persist { record, .. } => self.logs[node].push(record),
            Effect::Checkpoint { records, .. } => self.logs[node] = records,
            Effect::SetTimer { timer: Timer::Answer(id), .. } => drop(self.timers[node].insert(id)),
            Effect::CancelTimer { timer: Timer::Answer(id) } => drop(self.timers[node].remove(&id)),
            Effect::Notify { notice } => self.notices.push((node, notice)),
            Effect::Reply { reply, .. } => self.replies.push(reply),
            _ => {}
        }
    }

    /// Delivers until nothing is under way.
    fn deliver(&mut self, tamper: Tamper<'_>) {
        while let Some((from, to, message)) = self.queue.pop_front() {
            if let Some(message) = tamper(from, message) {
                self.step(to, Input::Message { from: NodeId(from as u32), message, blob: None });
            }
        }
    }

    fn sync_through(&mut self, from: usize, to: usize, tamper: Tamper<'_>) {
        self.with(from, |replica, cx| replica.open(NodeId(to as u32), name(), cx));
        self.deliver(tamper);
    }

    fn sync(&mut self, from: usize, to: usize) {
        self.sync_through(from, to, &mut |_, message| Some(message));
    }

    fn ask(&mut self, node: usize, command: Command) -> Reply {
        self.step(node, Input::Command { id: CommandId(self.steps), command });
        self.replies.pop().unwrap()
    }

    fn put(&mut self, node: usize, id: u64, text: &str) {
        let document = Json::parse(text).unwrap();
        let id = DocumentId::numbered(id);
        let put = Command::PutDocument { collection: name(), id, document, expected: None };
        assert!(matches!(self.ask(node, put), Reply::Written { .. }));
    }

    fn delete(&mut self, node: usize, id: u64) {
        let id = DocumentId::numbered(id);
        let delete = Command::DeleteDocument { collection: name(), id, expected: None };
        assert!(matches!(self.ask(node, delete), Reply::Deleted { .. }));
    }

    fn holds(&self, node: usize, id: u64) -> bool {
        let state = self.nodes[node].store().state("documents", DocumentId::numbered(id));
        state.is_some_and(crate::sync::DocumentState::is_alive)
    }

    fn round(&mut self, node: usize) {
        self.step(node, Input::Timer { timer: Timer::Round });
        self.deliver(&mut |_, message| Some(message));
    }

    fn restart(&mut self, node: usize) {
        let log = std::mem::take(&mut self.logs[node]);
        self.logs[node].clone_from(&log);
        self.nodes[node] = Replica::boot(&self.nodes[node].config.clone(), NodeId(node as u32));
        self.timers[node].clear();
        self.step(node, Input::Start { log });
    }
}

fn name() -> Name {
    "documents".parse().unwrap()
}

fn parameters(method: Method) -> Parameters {
    Parameters { method, push: 0, ..Parameters::default() }
}

/// All tombstones are gone everywhere.
fn is_clean(net: &Net) -> bool {
    net.nodes.iter().all(|node| node.store().count("documents").1 == 0)
}

#[test]
fn tombstones_go_when_everybody_has_them_and_stay_gone() {
    for &method in Method::ALL.iter().filter(|method| **method != Method::Overwrite) {
        let mut net = Net::new(3, &parameters(method));
        net.put(A, 1, r#"{"a":1}"#);
        net.sync(A, B);
        let old = net.nodes[B].store().state("documents", DocumentId::numbered(1)).unwrap().clone();
        net.sync(B, 2);
        net.delete(2, 1);
        for _ in 0..20 {
            assert!(!(0..3).all(|node| net.holds(node, 1)));
            (0..3).for_each(|node| net.round(node));
        }
        assert!(is_clean(&net), "{method:?}");
        // A message that was very long on its way, before and after a new life.
        for node in [A, B, 2] {
            let change = Change::Document {
                collection: name(),
                epoch: Stamp::ZERO,
                id: DocumentId::numbered(1),
                state: old.clone(),
            };
            let push = || Message::Push { changes: vec![change.clone()] };
            let from = NodeId((node as u32 + 1) % 3);
            net.step(node, Input::Message { from, message: push(), blob: None });
            assert!(!net.holds(node, 1), "{method:?}");
            net.restart(node);
            net.step(node, Input::Message { from, message: push(), blob: None });
            assert!(!net.holds(node, 1), "{method:?}, in a new life");
        }
        // And the name can be used again.
        net.put(B, 1, r#"{"b":1}"#);
        net.sync(B, A);
        assert!(net.holds(A, 1));
    }
}

#[test]
fn tombstones_that_go_by_time_bring_the_dead_back() {
    let ttl = Parameters {
        tombstones: Tombstones::Ttl,
        ttl: Duration::from_millis(50),
        ..parameters(Method::Range)
    };
    let mut net = Net::new(2, &ttl);
    net.put(A, 1, r#"{"a":1}"#);
    net.sync(A, B);
    net.delete(A, 1);
    net.now += 1_000_000_000;
    net.with(A, |replica, cx| replica.collect(cx));
    net.sync(A, B);
    assert!(net.holds(A, 1) && net.holds(B, 1));
}

#[test]
fn what_a_liar_knows_of_others_harms_nobody() {
    for method in [Method::Delta, Method::Range, Method::Auto] {
        let mut net = Net::new(3, &parameters(method));
        net.put(B, 1, r#"{"b":1}"#);
        // It claims to know all that B will have written within a minute.
        let future = (TODAY / 1_000_000 + 60_000) << 16;
        let lie = |node: usize, message: Message| match message {
            Message::Open { session, collection, epoch, catalogue, mut knows, body } if node == LIAR => {
                knows.push((NodeId(B as u32), future));
                Some(Message::Open { session, collection, epoch, catalogue, knows, body })
            }
            other => Some(other),
        };
        for _ in 0..3 {
            net.sync_through(LIAR, A, &mut lie.clone());
        }
        net.put(B, 2, r#"{"b":2}"#);
        // By version vectors A may miss it once; then it doubts them.
        for _ in 0..3 {
            net.sync(A, B);
        }
        assert!(net.holds(A, 1) && net.holds(A, 2), "{method:?}");
    }
}

#[test]
fn writers_that_nobody_knows_are_not_remembered() {
    let mut net = Net::new(3, &parameters(Method::Range));
    net.put(B, 1, r#"{"b":1}"#);
    let crowd = |node: usize, message: Message| match message {
        Message::Open { session, collection, epoch, catalogue, mut knows, body } if node == LIAR => {
            knows.extend((100..4_000).map(|stranger| (NodeId(stranger), 1)));
            Some(Message::Open { session, collection, epoch, catalogue, knows, body })
        }
        other => Some(other),
    };
    net.sync(B, A);
    net.sync_through(LIAR, A, &mut crowd.clone());
    assert!(net.holds(LIAR, 1), "the session went well");
    let known = net.nodes[A].entries(&name()).unwrap().through().count();
    assert!(known <= 3, "{known} writers");
}

#[test]
fn who_lost_its_disk_gets_back_what_it_wrote() {
    for method in [Method::Delta, Method::Range, Method::Auto] {
        let mut net = Net::new(3, &parameters(method));
        net.put(A, 1, r#"{"a":1}"#);
        (0..6).for_each(|nth| net.round(nth % 3));
        assert!(net.holds(B, 1) && net.holds(2, 1));
        net.logs[A].clear();
        net.restart(A);
        // A write of the new life says nothing of those of the old one.
        net.put(A, 2, r#"{"a":2}"#);
        (0..20).for_each(|nth| net.round(nth % 3));
        assert!((0..3).all(|node| net.holds(node, 1) && net.holds(node, 2)), "{method:?}");
    }
}

#[test]
fn who_stops_in_the_middle_is_forgotten() {
    for &method in Method::ALL {
        let mut net = Net::new(3, &parameters(method));
        (0..50).for_each(|id| net.put(A, id, r#"{"a":1}"#));
        for stops in 0..8 {
            let mut left = stops;
            net.sync_through(A, B, &mut |_, message| {
                left -= 1;
                (left > 0).then_some(message)
            });
        }
        for _ in 0..5 {
            for node in [A, B] {
                for session in net.timers[node].clone() {
                    net.step(node, Input::Timer { timer: Timer::Answer(session) });
                }
            }
            net.queue.clear();
        }
        assert!(net.nodes.iter().all(|node| node.exchanges.is_empty()), "{method:?}");
        assert!(net.timers.iter().all(BTreeSet::is_empty), "{method:?}");
        net.sync(A, B);
        assert!((0..50).all(|id| net.holds(B, id)), "{method:?}");
    }
}

#[test]
fn a_session_holds_one_batch_at_a_time() {
    let mut net = Net::new(2, &parameters(Method::Range));
    let text = format!(r#"{{"text":"{}"}}"#, "x".repeat(50_000));
    (0..40).for_each(|id| net.put(A, id, &text));
    let (mut batches, mut under_way) = (0, 0);
    net.sync_through(A, B, &mut |_, message| {
        match &message {
            Message::Documents { documents, .. } => {
                let bytes: usize = documents.iter().map(|(_, state)| state.as_bytes().len()).sum();
                assert!(bytes <= BATCH_BYTES);
                batches += usize::from(!documents.is_empty());
                under_way += usize::from(!documents.is_empty());
                assert!(under_way <= 1);
            }
            Message::Taken { .. } => under_way = 0,
            _ => {}
        }
        Some(message)
    });
    assert!((0..40).all(|id| net.holds(B, id)));
    assert_eq!(batches, 8, "forty documents of 50 kB");
}

#[test]
fn sessions_are_few() {
    let few = Parameters { sessions: 2, ..parameters(Method::Range) };
    let mut net = Net::new(6, &few);
    (1..6).for_each(|node| net.put(node, node as u64, r#"{"a":1}"#));
    for node in 1..6 {
        net.with(node, |replica, cx| replica.open(NodeId(0), name(), cx));
    }
    let mut closed = 0;
    while let Some((from, to, message)) = net.queue.pop_front() {
        closed += usize::from(matches!(message, Message::Closed { .. }));
        net.step(to, Input::Message { from: NodeId(from as u32), message, blob: None });
        assert!(net.nodes[0].exchanges.len() <= 2);
    }
    assert!(closed >= 1);
}

#[test]
fn a_peer_that_says_nothing_more_takes_half_of_the_sessions() {
    let names: Vec<String> = (0..20).map(|nth| format!("c{nth:02}")).collect();
    let many = Parameters { collections: names.clone(), ..parameters(Method::Range) };
    let mut net = Net::new(3, &many);
    let open = |net: &mut Net, from: usize| {
        for name in &names {
            let (collection, id): (Name, _) = (name.parse().unwrap(), DocumentId::numbered(from as u64));
            let document = Json::parse("{}").unwrap();
            let put = Command::PutDocument { collection: collection.clone(), id, document, expected: None };
            assert!(matches!(net.ask(from, put), Reply::Written { .. }));
            net.with(from, |replica, cx| replica.open(NodeId(A as u32), collection, cx));
        }
        while let Some((from, to, message)) = net.queue.pop_front() {
            if to == A {
                net.step(A, Input::Message { from: NodeId(from as u32), message, blob: None });
            }
        }
    };
    let held = |net: &Net, by: usize| {
        net.nodes[A].exchanges.keys().filter(|id| id.opener == NodeId(by as u32)).count()
    };
    let sessions = many.sessions as usize;
    open(&mut net, LIAR);
    assert_eq!(held(&net, LIAR), sessions / 2);
    open(&mut net, B);
    assert_eq!(held(&net, B), sessions - 1 - sessions / 2);
    // One is left for this replica; and it leaves one to others.
    net.step(A, Input::Timer { timer: Timer::Round });
    assert_eq!(held(&net, A), 1);
    let mut net = Net::new(3, &many);
    net.step(A, Input::Timer { timer: Timer::Round });
    assert_eq!(held(&net, A), sessions - 1);
}

#[test]
fn who_knows_of_more_writers_than_there_can_be_is_refused() {
    let mut net = Net::new(3, &parameters(Method::Range));
    net.put(LIAR, 1, r#"{"a":1}"#);
    let mut invent = |node: usize, message: Message| match message {
        Message::Open { session, collection, epoch, catalogue, body, .. } if node == LIAR => {
            let knows = (1_000..5_097).map(|node| (NodeId(node), 1)).collect();
            Some(Message::Open { session, collection, epoch, catalogue, knows, body })
        }
        other => Some(other),
    };
    net.sync_through(LIAR, A, &mut invent);
    assert!(net.notices.iter().any(|(node, notice)| *node == A && matches!(notice, Notice::Refused { .. })));
    assert!(!net.holds(A, 1) && net.nodes.iter().all(|node| node.exchanges.is_empty()));
}

#[test]
fn many_collections_are_told_in_several_messages() {
    let mut net = Net::new(2, &Parameters { collections: Vec::new(), ..parameters(Method::Range) });
    for nth in 0..20 {
        let field = format!("/{}", "n".repeat(64 << 10)).parse().unwrap();
        let fields = [(field, crate::sync::FieldKind::Counter)];
        let schema = crate::sync::Schema::new(crate::sync::Deletes::Win, fields).unwrap();
        let create = Command::CreateCollection { collection: format!("c{nth}").parse().unwrap(), schema };
        assert!(!matches!(net.ask(A, create), Reply::Refused(_)));
    }
    net.with(A, |replica, cx| replica.greet(NodeId(B as u32), 0, cx));
    assert_eq!(net.queue.len(), 2);
    for (_, _, message) in &net.queue {
        assert!(postcard::to_allocvec(message).unwrap().len() <= (1 << 20) + 16);
    }
    net.deliver(&mut |_, message| Some(message));
    assert_eq!(net.nodes[B].store().collections().count(), 20);
}

#[test]
fn a_member_without_collections_hears_of_the_first() {
    let mut net = Net::new(2, &Parameters { collections: Vec::new(), push: 1, ..parameters(Method::Range) });
    let create = Command::CreateCollection { collection: name(), schema: crate::sync::Schema::default() };
    assert!(!matches!(net.ask(A, create), Reply::Refused(_)));
    net.put(A, 1, r#"{"a":1}"#);
    // What was told at once is lost.
    net.queue.clear();
    net.round(A);
    net.round(A);
    assert!(net.holds(B, 1));
}

#[test]
fn one_of_two_sessions_between_the_same_goes_on() {
    let mut net = Net::new(2, &parameters(Method::Range));
    net.put(A, 1, r#"{"a":1}"#);
    net.put(B, 2, r#"{"b":1}"#);
    net.with(A, |replica, cx| replica.open(NodeId(1), name(), cx));
    net.with(B, |replica, cx| replica.open(NodeId(0), name(), cx));
    net.deliver(&mut |_, message| Some(message));
    assert!(net.holds(A, 2) && net.holds(B, 1));
    assert!(net.nodes.iter().all(|node| node.exchanges.is_empty()));
}

#[test]
fn a_replica_that_overwrites_does_not_merge_and_the_other_way_round() {
    let mut net = Net::new(2, &parameters(Method::Range));
    net.nodes[B].config = Arc::new(Replica::config(&parameters(Method::Overwrite), 2).unwrap());
    net.put(A, 1, r#"{"a":1}"#);
    net.put(B, 2, r#"{"b":1}"#);
    net.sync(A, B);
    net.sync(B, A);
    assert!(net.holds(A, 1) && net.holds(B, 2) && !net.holds(A, 2) && !net.holds(B, 1));
    assert!(net.notices.iter().any(|(_, notice)| matches!(notice, Notice::Refused { .. })));
}

#[test]
fn a_full_disk_makes_a_replica_deaf_until_all_of_it_is_written() {
    let mut net = Net::new(2, &parameters(Method::Range));
    net.put(A, 1, r#"{"a":1}"#);
    let record = net.logs[A].pop().unwrap();
    net.step(A, Input::Full { record });
    let get = Command::GetDocument { collection: name(), id: DocumentId::numbered(1) };
    assert_eq!(net.ask(A, get.clone()), Reply::Refused(Refusal::NoRoom));
    net.sync(B, A);
    assert!(!net.holds(B, 1));
    net.step(A, Input::Timer { timer: Timer::Save });
    assert!(matches!(net.ask(A, get), Reply::Document(_)));
    net.restart(A);
    assert!(net.holds(A, 1));
}

/// Where the feed of changes stands.
fn place(net: &mut Net, node: usize) -> String {
    let read = Command::ReadChanges { collection: name(), after: None, limit: 0 };
    let Reply::Changes { next, .. } = net.ask(node, read) else { panic!("a feed") };
    next
}

#[test]
fn a_token_of_the_feed_outlives_its_replica_but_not_its_disk() {
    let mut net = Net::new(1, &parameters(Method::Range));
    net.put(A, 1, "{}");
    let after = Some(place(&mut net, A));
    net.delete(A, 1);
    net.round(A);
    assert_eq!(net.nodes[A].store().count("documents"), (0, 0), "its tombstone went");
    let read = Command::ReadChanges { collection: name(), after, limit: 0 };
    let told = net.ask(A, read.clone());
    assert!(matches!(&told, Reply::Changes { documents, .. }
        if documents.len() == 1 && documents[0].id == DocumentId::numbered(1) && documents[0].document.is_none()));
    net.restart(A);
    assert_eq!(net.ask(A, read.clone()), told);
    net.with(A, |replica, cx| replica.checkpoint(cx));
    net.restart(A);
    assert_eq!(net.ask(A, read.clone()), told);
    net.logs[A].clear();
    net.restart(A);
    (1..9).for_each(|id| net.put(A, id, "{}"));
    assert_eq!(net.ask(A, read), Reply::Refused(Refusal::StaleToken));
}

#[test]
fn the_feed_of_a_replica_that_overwrites_begins_anew_with_each_database() {
    let mut net = Net::new(2, &parameters(Method::Overwrite));
    net.put(B, 2, "{}");
    let after = Some(place(&mut net, B));
    net.put(A, 1, "{}");
    net.put(A, 1, "{}");
    net.sync(A, B);
    assert!(net.holds(B, 1) && !net.holds(B, 2));
    for _ in 0..2 {
        let read = Command::ReadChanges { collection: name(), after: after.clone(), limit: 0 };
        assert_eq!(net.ask(B, read), Reply::Refused(Refusal::StaleToken));
        let now = Some(place(&mut net, B));
        let read = Command::ReadChanges { collection: name(), after: now, limit: 0 };
        assert!(matches!(net.ask(B, read), Reply::Changes { documents, .. } if documents.is_empty()));
        net.restart(B);
    }
}

#[test]
fn readers_see_all_values_of_a_field_that_keeps_them() {
    let mut net = Net::new(2, &Parameters::default());
    let notes: Name = "notes".parse().unwrap();
    let path: crate::sync::Pointer = "/tag".parse().unwrap();
    let kind = crate::sync::FieldKind::MultiValue;
    let schema = crate::sync::Schema::new(crate::sync::Deletes::Win, [(path.clone(), kind)]).unwrap();
    net.ask(A, Command::CreateCollection { collection: notes.clone(), schema });
    let (collection, id) = (notes, DocumentId::numbered(1));
    let document = Json::parse("{}").unwrap();
    net.ask(A, Command::PutDocument { collection: collection.clone(), id, document, expected: None });
    net.deliver(&mut |_, message| Some(message));
    for (node, text) in [(A, r#"{"tag":"a"}"#), (B, r#"{"tag":"b"}"#)] {
        let patch = Json::parse(text).unwrap();
        let update = Command::UpdateDocument { collection: collection.clone(), id, patch, expected: None };
        assert!(matches!(net.ask(node, update), Reply::Written { is_new: false, .. }));
    }
    net.deliver(&mut |_, message| Some(message));
    for node in [A, B] {
        let get = Command::GetDocument { collection: collection.clone(), id };
        let Reply::Document(found) = net.ask(node, get) else { panic!("a document") };
        let shown = found.document.as_ref().unwrap().value()["tag"].clone();
        let values: Vec<_> = found.siblings[&path].iter().map(Json::value).collect();
        assert_eq!((values.len(), &values[0]), (2, &shown));
        assert!(values.contains(&"a".into()) && values.contains(&"b".into()));
        let read = Command::ReadCollection { collection: collection.clone(), query: Default::default() };
        assert!(matches!(net.ask(node, read), Reply::Documents { documents, .. } if documents[0] == found));
        let read = Command::ReadChanges { collection: collection.clone(), after: None, limit: 0 };
        assert!(matches!(net.ask(node, read), Reply::Changes { documents, .. } if documents[0] == found));
    }
}

/// A message with some of its bytes changed, if it still is one.
fn garbled(message: &Message, seed: u64) -> Option<Message> {
    let mut bytes = postcard::to_allocvec(message).ok()?;
    let mut draw = seed;
    for _ in 0..=seed % 3 {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = (draw >> 33) as usize % bytes.len();
        bytes[at] = (draw >> 20) as u8;
    }
    postcard::from_bytes(&bytes).ok()
}

proptest! {
    #![proptest_config(cases(64))]

    /// Whatever one member says: nobody panics, nobody holds sessions for ever, and the honest ones get what they wrote. (What
    /// they wrote: a member may write what it likes, so documents that it garbles prove nothing.)
    #[test]
    fn nonsense_harms_nobody(
        method in prop::sample::select(Method::ALL.iter().copied().filter(|method| *method != Method::Overwrite).collect::<Vec<_>>()),
        writes in prop::collection::vec((0..3_usize, 0..20_u64), 1..40),
        seed in any::<u64>(),
        forges in any::<bool>(),
    ) {
        let mut net = Net::new(3, &parameters(method));
        for (nth, (node, id)) in writes.iter().enumerate() {
            net.put(*node, *id + 100 * *node as u64, r#"{"a":1}"#);
            let mut draw = seed.wrapping_add(nth as u64);
            let mut garble = |node: usize, message: Message| {
                draw = draw.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(3);
                let is_content = matches!(message, Message::Documents { .. } | Message::Push { .. });
                if node == LIAR && (forges || !is_content) { garbled(&message, draw >> 8) } else { Some(message) }
            };
            net.sync_through(LIAR, nth % 2, &mut garble);
            net.sync_through(nth % 2, LIAR, &mut garble);
        }
        for _ in 0..5 {
            for node in [A, B] {
                for session in net.timers[node].clone() {
                    net.step(node, Input::Timer { timer: Timer::Answer(session) });
                }
            }
            net.queue.clear();
        }
        prop_assert!(net.nodes[..2].iter().all(|node| node.exchanges.is_empty()));
        for _ in 0..3 {
            net.sync(A, B);
        }
        if forges {
            return Ok(());
        }
        let written: BTreeSet<u64> =
            writes.iter().filter(|(node, _)| *node != LIAR).map(|(node, id)| *id + 100 * *node as u64).collect();
        for id in written {
            prop_assert!(net.holds(A, id) && net.holds(B, id), "{}", id);
        }
    }
}

#[test]
fn many_documents_are_written_in_order_and_told_in_messages_of_bounded_size() {
    let mut net = Net::new(2, &Parameters { push: 1, ..Parameters::default() });
    let long = format!("{{\"text\":\"{}\"}}", ".".repeat(100_000));
    let named = |id| Some(DocumentId::numbered(id));
    let texts = [(named(1), "{\"a\":1}"), (None, "[]"), (named(1), "{\"a\":2}"), (None, "{}")];
    let long = (2..8).map(|id| (named(id), long.as_str()));
    let documents: Vec<_> =
        texts.into_iter().chain(long).map(|(id, text)| (id, Json::parse(text).unwrap())).collect();
    let count = documents.len();
    let reply = net.ask(0, Command::WriteDocuments { collection: name(), documents });
    let Reply::WrittenEach(each) = reply else { panic!("{reply:?}") };
    assert_eq!((each.len(), each[0].as_ref().ok().copied()), (count, named(1)));
    assert!(matches!(each[1], Err(Refusal::NotAnObject)) && each[2..].iter().all(Result::is_ok));
    let records = net.logs[0].len();
    assert!(records >= count - 1, "{records} records");
    let sizes: Vec<u64> = net.queue.iter().map(|(_, _, message)| message.size()).collect();
    assert!(sizes.len() > 1 && sizes.iter().all(|size| *size < 512 << 10), "{sizes:?}");
    net.deliver(&mut |_, message| Some(message));
    let body =
        |node: usize| net.nodes[node].store().get("documents", DocumentId::numbered(1)).unwrap().body();
    assert_eq!(body(1), body(0));
    assert!(body(0).as_str().contains("\"a\":2") && (2..8).all(|id| net.holds(1, id)));
    let nowhere = Command::WriteDocuments {
        collection: "nowhere".parse().unwrap(),
        documents: vec![(None, Json::parse("{}").unwrap())],
    };
    assert_eq!(net.ask(0, nowhere), Reply::WrittenEach(vec![Err(Refusal::NoSuchCollection)]));
}
