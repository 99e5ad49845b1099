use proptest::prelude::*;

use super::*;
use crate::contract::{NodeId, Time};
use crate::sync::testing::cases;
use crate::sync::{Clock, FieldKind};

const ID: DocumentId = DocumentId([1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, 16]);

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn pointer(text: &str) -> Pointer {
    text.parse().unwrap()
}

/// One replica of one document.
#[derive(Clone)]
struct Replica {
    node: NodeId,
    clock: Clock,
    schema: Schema,
    state: Option<DocumentState>,
}

impl Replica {
    fn new(node: u32, schema: &Schema) -> Self {
        Self { node: NodeId(node), clock: Clock::default(), schema: schema.clone(), state: None }
    }

    fn write(
        &mut self,
        wall: u64,
        write: impl Fn(Option<&DocumentState>, &Writing<'_>) -> Result<DocumentState, Refusal>,
    ) -> Result<Stamp, Refusal> {
        let stamp = self.clock.tick(Time(wall * 1_000_000), self.node);
        let limits = Limits::default();
        let writing = Writing { id: ID, schema: &self.schema, limits: &limits, stamp };
        self.state = Some(write(self.state.as_ref(), &writing)?);
        Ok(stamp)
    }

    fn put(&mut self, wall: u64, text: &str) -> Stamp {
        self.write(wall, |old, writing| DocumentState::put(old, &json(text), writing)).unwrap()
    }

    fn patch(&mut self, wall: u64, text: &str) -> Result<Stamp, Refusal> {
        self.write(wall, |old, writing| old.ok_or(Refusal::NoSuchDocument)?.patch(&json(text), writing))
    }

    fn delete(&mut self, wall: u64) -> Result<Stamp, Refusal> {
        self.write(wall, |old, writing| old.ok_or(Refusal::NoSuchDocument)?.delete(writing))
    }

    fn take(&mut self, other: &DocumentState) {
        self.clock.see(other.version(), Time(0), u64::MAX).unwrap();
        match &mut self.state {
            Some(state) => {
                state.join(other);
            }
            None => self.state = Some(other.clone()),
        }
    }

    /// What a reader sees, without the name.
    fn shows(&self) -> String {
        let Some(body) = self.state.as_ref().and_then(|state| state.body(ID)) else {
            return "nothing".to_owned();
        };
        let mut value = body.value();
        assert_eq!(value["_id"], ID.to_string());
        value.as_object_mut().unwrap().remove("_id");
        value.to_string()
    }
}

/// Both sides take in what the other has.
fn meet(one: &mut Replica, other: &mut Replica) {
    let (ones, others) = (one.state.clone(), other.state.clone());
    others.iter().for_each(|state| one.take(state));
    ones.iter().for_each(|state| other.take(state));
    assert_eq!(one.state, other.state);
}

fn schema(deletes: Deletes) -> Schema {
    let kinds = [("/c", FieldKind::Counter), ("/m", FieldKind::MultiValue), ("/s", FieldKind::Set)];
    Schema::new(deletes, kinds.map(|(path, kind)| (pointer(path), kind))).unwrap()
}

/// Two replicas that share a document.
fn pair(schema: &Schema, text: &str) -> (Replica, Replica) {
    let (mut one, mut other) = (Replica::new(0, schema), Replica::new(1, schema));
    one.put(1, text);
    meet(&mut one, &mut other);
    (one, other)
}

/// RFC 7396, appendix A: original, patch, result. A document is an object, so each stands in one member of it; the result
/// null is a member that was taken away.
#[test]
fn merge_patch_does_as_the_examples_of_rfc_7396_say() {
    for (original, patch, result) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, r#"null"#, "null"),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
        (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        (r#"{}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ] {
        let mut replica = Replica::new(0, &Schema::default());
        replica.put(1, &format!(r#"{{"z":{original}}}"#));
        replica.patch(2, &format!(r#"{{"z":{patch}}}"#)).unwrap();
        let expected = if result == "null" { "{}".to_owned() } else { format!(r#"{{"z":{result}}}"#) };
        assert_eq!(replica.shows(), expected, "{original} {patch}");
        if [original, patch, result].iter().all(|text| text.starts_with('{')) {
            replica.put(3, original);
            replica.patch(4, patch).unwrap();
            assert_eq!(replica.shows(), result, "{original} {patch}");
        }
    }
}

#[test]
fn fields_written_concurrently_are_all_kept_and_the_later_of_one_wins() {
    let (mut one, mut other) = pair(&Schema::default(), r#"{"a":0,"b":0,"n":{"x":1}}"#);
    one.patch(10, r#"{"a":1,"n":{"y":2}}"#).unwrap();
    other.patch(11, r#"{"a":2,"b":3,"n":{"x":null}}"#).unwrap();
    meet(&mut one, &mut other);
    assert_eq!(one.shows(), r#"{"a":2,"b":3,"n":{"y":2}}"#);
}

#[test]
fn an_object_that_became_a_scalar_keeps_only_what_is_later() {
    let (mut one, mut other) = pair(&Schema::default(), r#"{"n":{"x":1,"y":1}}"#);
    one.patch(10, r#"{"n":5}"#).unwrap();
    other.patch(9, r#"{"n":{"x":2}}"#).unwrap();
    let mut later = other.clone();
    meet(&mut one, &mut other);
    assert_eq!(one.shows(), r#"{"n":5}"#);
    later.patch(20, r#"{"n":{"y":3}}"#).unwrap();
    meet(&mut one, &mut later);
    assert_eq!(one.shows(), r#"{"n":{"y":3}}"#);
}

#[test]
fn stamps_that_are_equal_by_mistake_do_not_diverge() {
    let (mut one, mut other) = (Replica::new(3, &Schema::default()), Replica::new(3, &Schema::default()));
    assert_eq!(one.put(1, r#"{"a":1}"#), other.put(1, r#"{"a":2}"#));
    meet(&mut one, &mut other);
    assert!(one.shows() == r#"{"a":1}"# || one.shows() == r#"{"a":2}"#);
}

#[test]
fn a_later_clock_does_not_save_a_document_that_was_deleted() {
    let (mut one, mut other) = pair(&schema(Deletes::Win), r#"{"a":1}"#);
    one.delete(10).unwrap();
    other.patch(99, r#"{"b":2}"#).unwrap();
    let version = other.state.as_ref().unwrap().version();
    meet(&mut one, &mut other);
    assert_eq!(one.shows(), "nothing");
    assert_eq!(one.state.as_ref().unwrap().version(), version, "a tombstone remembers what it outlives");
    assert_eq!(one.patch(100, r#"{"a":1}"#), Err(Refusal::NoSuchDocument));
    assert_eq!(one.delete(100), Err(Refusal::NoSuchDocument));
    one.put(101, r#"{"c":3}"#);
    meet(&mut one, &mut other);
    assert_eq!(other.shows(), r#"{"c":3}"#);
}

#[test]
fn a_put_is_not_lost_to_a_tombstone_that_its_writer_has_forgotten() {
    let (mut one, mut other) = pair(&schema(Deletes::Win), r#"{"a":1}"#);
    other.delete(10).unwrap();
    one.take(other.state.as_ref().unwrap());
    let tombstone = other.state.take().unwrap();
    other.put(11, r#"{"b":2}"#);
    let bytes = other.state.as_ref().unwrap().as_bytes().len();
    assert_eq!(bytes, 19, "a life's beginning is told by its first stamp");
    one.put(12, r#"{"c":3}"#);
    let mut late = one.clone();
    late.state = Some(tombstone);
    meet(&mut one, &mut other);
    assert_eq!(one.shows(), r#"{"c":3}"#, "of two lives the later");
    meet(&mut late, &mut one);
    assert_eq!(late.shows(), r#"{"c":3}"#);
}

#[test]
fn where_deletes_yield_an_update_keeps_the_whole_document() {
    let (mut one, mut other) = pair(&schema(Deletes::YieldToUpdates), r#"{"a":1}"#);
    one.delete(10).unwrap();
    assert_eq!(one.shows(), "nothing");
    let mut unaware = other.clone();
    other.take(one.state.as_ref().unwrap());
    assert_eq!(other.shows(), "nothing");
    unaware.patch(5, r#"{"b":2}"#).unwrap();
    meet(&mut one, &mut unaware);
    assert_eq!(one.shows(), r#"{"a":1,"b":2}"#);
    one.delete(20).unwrap();
    meet(&mut one, &mut unaware);
    assert_eq!(unaware.shows(), "nothing");
}

#[test]
fn counters_add_up_what_every_replica_added() {
    let (mut one, mut other) = pair(&schema(Deletes::Win), r#"{"c":1.5}"#);
    one.patch(10, r#"{"c":{"$add":2}}"#).unwrap();
    other.patch(10, r#"{"c":11.5}"#).unwrap();
    other.patch(11, r#"{"c":{"$add":-0.000001}}"#).unwrap();
    meet(&mut one, &mut other);
    assert_eq!(one.shows(), r#"{"c":13.499999}"#);
    one.patch(20, r#"{"c":null}"#).unwrap();
    assert_eq!(one.shows(), "{}");
    other.patch(21, r#"{"c":{"$add":1}}"#).unwrap();
    let wrong =
        [r#"{"c":"1"}"#, r#"{"c":1e-7}"#, r#"{"c":{"$add":"1"}}"#, r#"{"c":{}}"#, r#"{"c":{"$sub":1}}"#];
    for text in wrong {
        let kind = FieldKind::Counter;
        assert_eq!(
            other.clone().patch(30, text),
            Err(Refusal::WrongKind { path: pointer("/c"), kind }),
            "{text}"
        );
    }
    other.patch(30, r#"{"c":9223372036854}"#).unwrap();
    assert_eq!(
        other.patch(31, r#"{"c":{"$add":9223372036854}}"#),
        Err(Refusal::CounterOverflow(pointer("/c")))
    );
}

#[test]
fn an_element_added_here_and_removed_there_stays() {
    let (mut one, mut other) = pair(&schema(Deletes::Win), r#"{"s":["x","y"]}"#);
    one.patch(10, r#"{"s":{"$remove":["x","y"]}}"#).unwrap();
    assert_eq!(one.shows(), r#"{"s":[]}"#);
    other.patch(9, r#"{"s":{"$add":["x",{"k":[1]}]}}"#).unwrap();
    meet(&mut one, &mut other);
    assert_eq!(one.shows(), r#"{"s":["x",{"k":[1]}]}"#);
    one.patch(20, r#"{"s":["z","x","z"]}"#).unwrap();
    meet(&mut one, &mut other);
    assert_eq!(other.shows(), r#"{"s":["x","z"]}"#);
    assert!(matches!(other.patch(30, r#"{"s":1}"#), Err(Refusal::WrongKind { .. })));
}

#[test]
fn siblings_are_kept_until_a_write_has_seen_them() {
    let (mut one, mut other) = pair(&schema(Deletes::Win), r#"{"m":0}"#);
    one.patch(10, r#"{"m":"a"}"#).unwrap();
    other.patch(11, r#"{"m":["b"]}"#).unwrap();
    meet(&mut one, &mut other);
    assert_eq!(one.shows(), r#"{"m":["b"]}"#);
    let expected = vec![(pointer("/m"), vec![json(r#"["b"]"#), json(r#""a""#)])];
    assert_eq!(one.state.as_ref().unwrap().siblings(), expected);
    one.patch(20, r#"{"m":"c"}"#).unwrap();
    meet(&mut one, &mut other);
    assert_eq!((other.shows().as_str(), other.state.as_ref().unwrap().siblings()), (r#"{"m":"c"}"#, vec![]));
    one.patch(30, r#"{"m":null}"#).unwrap();
    other.patch(29, r#"{"m":"d"}"#).unwrap();
    meet(&mut one, &mut other);
    assert_eq!(one.shows(), r#"{"m":"d"}"#, "only what was seen is taken away");
}

#[test]
fn what_is_beyond_a_limit_is_refused() {
    let limits =
        Limits { document_bytes: 100, depth: 3, fields: 3, field_name_bytes: 5, ..Limits::default() };
    let schema = Schema::default();
    let writing =
        |time| Writing { id: ID, schema: &schema, limits: &limits, stamp: Stamp { time, node: NodeId(0) } };
    let put = |text: &str| DocumentState::put(None, &json(text), &writing(1));
    assert_eq!(put("[1]"), Err(Refusal::NotAnObject));
    assert_eq!(put(r#"{"a":[[[1]]]}"#), Err(Refusal::TooDeep { depth: 4, depth_max: 3 }));
    assert_eq!(put(r#"{"a":1,"b":{"c":2,"d":3}}"#), Err(Refusal::TooManyFields { fields: 4, fields_max: 3 }));
    assert_eq!(put(r#"{"abcdef":1}"#), Err(Refusal::BadName { bytes_max: 5, is_field: true }));
    assert_eq!(put("{\"a\\u0000\":1}"), Err(Refusal::BadName { bytes_max: 5, is_field: true }));
    assert_eq!(put(r#"{"_id":"x"}"#), Err(Refusal::BadId));
    assert_eq!(put(r#"{"_id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f"}"#), Err(Refusal::OtherId));
    assert!(put(&format!(r#"{{"_id":"{ID}"}}"#)).is_ok());
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(100));
    assert_eq!(put(&long), Err(Refusal::TooLarge { bytes: 108, bytes_max: 100 }));
    let half = put(&format!(r#"{{"a":"{}"}}"#, "x".repeat(20))).unwrap();
    let more = json(&format!(r#"{{"b":"{}"}}"#, "y".repeat(40)));
    assert!(matches!(half.patch(&more, &writing(2)), Err(Refusal::TooLarge { .. })));
}

/// A path has at most as many parts as JSON has levels, whatever stands there: to show it takes a call for each.
#[test]
fn a_path_that_is_too_deep_is_refused_whatever_stands_there() {
    let stamp = Stamp { time: 1, node: NodeId(0) };
    let state = |parts: usize, content: Content<'static>| {
        let registers = vec![
            Register::new("", stamp, Content::Object),
            Register::new(&"\0a".repeat(parts), stamp, content),
        ];
        Parts { seen: [stamp].into_iter().collect(), registers, ..Parts::default() }.encode()
    };
    for content in [Content::Removed, Content::Object, Content::Set, Content::Contribution(1)] {
        let deepest = crate::contract::DEPTH_MAX - 1;
        let fine = DocumentState::from_bytes(&state(deepest, content.clone())).unwrap();
        assert!(fine.body(ID).is_some());
        for parts in [deepest + 1, 100_000] {
            assert_eq!(DocumentState::from_bytes(&state(parts, content.clone())), None, "{content:?}");
        }
    }
}

/// Within every limit of the text: thirty objects in each other with long names, and many fields in the innermost.
#[test]
fn a_state_that_is_much_longer_than_its_text_is_refused() {
    let fields: Vec<String> = (0..2_000).map(|nth| format!(r#""{nth}":1"#)).collect();
    let (open, close) = (format!(r#"{{"{}":"#, "n".repeat(250)).repeat(30), "}".repeat(30));
    let text = format!("{open}{{{}}}{close}", fields.join(","));
    assert!(text.len() < 30_000);
    let (schema, limits) = (Schema::default(), Limits::default());
    let stamp = Stamp { time: 1, node: NodeId(0) };
    let writing = Writing { id: ID, schema: &schema, limits: &limits, stamp };
    let put = |text: &str| DocumentState::put(None, &json(text), &writing);
    let Err(Refusal::StateTooLarge { bytes, bytes_max }) = put(&text) else { panic!("it was taken") };
    assert!(bytes > 2_000 * 30 * 250 && bytes_max == limits.state_bytes);
    // A text that is as long as may be, with as many fields as may be.
    let fields: Vec<String> =
        (0..10_000).map(|nth| format!(r#""field-{nth:05}":"{}""#, "x".repeat(85))).collect();
    let long = format!("{{{}}}", fields.join(","));
    assert!(long.len() > 1_000_000);
    assert!(put(&long).is_ok());
}

#[test]
fn fields_written_together_hold_one_stamp() {
    let mut replica = Replica::new(1, &Schema::default());
    let text = r#"{"age":30,"city":"Rome","name":"Ada","tags":["a","b"]}"#;
    replica.put(1_700_000_000_000, text);
    let state = replica.state.unwrap();
    let over = state.as_bytes().len() as i64 - text.len() as i64;
    assert!(over < 24, "{over} bytes more than the text");
    // The bytes are what replicas hash and tell each other.
    let mut small = Replica::new(1, &Schema::default());
    small.put(1, r#"{"a":1}"#);
    let golden = [2, 0, 0, 1, 1, 128, 128, 4, 2, 0, 0, 1, 2, 0, 97, 0, 2, 1, 49];
    assert_eq!(small.state.unwrap().as_bytes(), golden);
}

#[derive(Clone, Debug)]
enum Op {
    Put(usize, &'static str),
    Patch(usize, &'static str),
    Delete(usize),
    Meet(usize, usize),
    Take(usize, usize),
}

fn ops() -> impl Strategy<Value = Vec<(u64, Op)>> {
    let patches = prop::sample::select(vec![
        r#"{"a":1}"#,
        r#"{"a":null}"#,
        r#"{"a":{"b":1}}"#,
        r#"{"a":{"b":null}}"#,
        r#"{"a":{"b":{"d":2}}}"#,
        r#"{"a":{}}"#,
        r#"{"a":[1]}"#,
        r#"{"c":3}"#,
        r#"{"c":{"$add":1}}"#,
        r#"{"c":null}"#,
        r#"{"s":["x"]}"#,
        r#"{"s":{"$add":["x","y"]}}"#,
        r#"{"s":{"$remove":["x"]}}"#,
        r#"{"s":null}"#,
        r#"{"m":1}"#,
        r#"{"m":2}"#,
        r#"{"m":null}"#,
        "{}",
    ]);
    let puts = prop::sample::select(vec![r#"{}"#, r#"{"a":{"b":0}}"#, r#"{"c":1,"m":0,"s":["x","z"]}"#]);
    let op = prop_oneof![
        2 => (0..3_usize, puts).prop_map(|(at, text)| Op::Put(at, text)),
        8 => (0..3_usize, patches).prop_map(|(at, text)| Op::Patch(at, text)),
        1 => (0..3_usize).prop_map(Op::Delete),
        2 => (0..3_usize, 0..3_usize).prop_map(|(one, other)| Op::Meet(one, other)),
        2 => (0..3_usize, 0..3_usize).prop_map(|(one, other)| Op::Take(one, other)),
    ];
    proptest::collection::vec((0..6_u64, op), 1..24)
}

/// A write: the document's epoch, the stamp, and the paths.
type Wrote = (Stamp, Stamp, Vec<Pointer>);

/// Three replicas live through the operations under clocks that jump; every state on the way, and every write.
fn live(deletes: Deletes, ops: &[(u64, Op)]) -> (Vec<Replica>, Vec<DocumentState>, Vec<Wrote>) {
    let mut replicas: Vec<Replica> = (0..3).map(|node| Replica::new(node, &schema(deletes))).collect();
    let (mut states, mut writes) = (Vec::new(), Vec::new());
    for &(wall, ref op) in ops {
        let written = match *op {
            Op::Put(at, text) => Some((at, replicas[at].put(wall, text))),
            Op::Patch(at, text) => replicas[at].patch(wall, text).ok().map(|stamp| (at, stamp)),
            Op::Delete(at) => replicas[at].delete(wall).ok().map(|stamp| (at, stamp)),
            Op::Take(at, from) | Op::Meet(at, from) => {
                if let Some(state) = replicas[from].state.clone() {
                    replicas[at].take(&state);
                }
                if let (Op::Meet(..), Some(state)) = (op, replicas[at].state.clone()) {
                    replicas[from].take(&state);
                }
                None
            }
        };
        if let Some((at, stamp)) = written {
            let state = replicas[at].state.as_ref().unwrap();
            writes.push((state.epoch(), stamp, state.written_at(stamp)));
        }
        states.extend(replicas.iter().filter_map(|replica| replica.state.clone()));
    }
    states.dedup();
    (replicas, states, writes)
}

fn joined(one: &DocumentState, other: &DocumentState) -> DocumentState {
    let mut joined = one.clone();
    let changed = joined.join(other);
    assert_eq!(changed, joined != *one);
    joined
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn join_is_idempotent_commutative_and_associative(yields: bool, ops in ops(), picks: [prop::sample::Index; 3]) {
        let (_, states, _) = live(if yields { Deletes::YieldToUpdates } else { Deletes::Win }, &ops);
        prop_assume!(!states.is_empty());
        let [a, b, c] = picks.map(|pick| pick.get(&states));
        prop_assert_eq!(&joined(a, a), a);
        let ab = joined(a, b);
        prop_assert_eq!(&ab, &joined(b, a));
        prop_assert_eq!(joined(&ab, c), joined(a, &joined(b, c)));
        prop_assert_eq!(&joined(&ab, a), &ab);
        prop_assert!(ab.version() >= a.version().max(b.version()));
        prop_assert_eq!(ab.hash() == a.hash(), ab == *a);
    }

    #[test]
    fn replicas_agree_whatever_the_order_and_hold_every_write(yields: bool, ops in ops(), seed: u64) {
        let deletes = if yields { Deletes::YieldToUpdates } else { Deletes::Win };
        let (mut replicas, mut states, writes) = live(deletes, &ops);
        prop_assume!(!states.is_empty());
        let keys = crate::contract::Keys::from_seed(seed);
        let mut dice = crate::contract::Dice::new(&keys, NodeId(0), crate::contract::Life(0), 0);
        for replica in &mut replicas {
            dice.shuffle(&mut states);
            states.iter().for_each(|state| replica.take(state));
        }
        prop_assert_eq!(&replicas[0].state, &replicas[1].state);
        prop_assert_eq!(&replicas[0].state, &replicas[2].state);
        let state = replicas[0].state.as_ref().unwrap();
        for (epoch, stamp, paths) in writes {
            prop_assert!(state.seen().covers(stamp));
            for path in paths {
                prop_assert!(state.holds(&schema(deletes), epoch, &path, stamp), "{path} {stamp} in {state:?}");
            }
        }
    }

    #[test]
    fn a_state_has_one_form_and_reads_back(yields: bool, ops in ops(), flip: prop::sample::Index, bits in 1..=255_u8) {
        let (_, states, _) = live(if yields { Deletes::YieldToUpdates } else { Deletes::Win }, &ops);
        for state in &states {
            prop_assert_eq!(DocumentState::from_bytes(state.as_bytes()), Some(state.clone()));
            let wire = postcard::to_allocvec(state).unwrap();
            prop_assert_eq!(&postcard::from_bytes::<DocumentState>(&wire).unwrap(), state);
            // Damaged bytes are refused, or are the one form of another state that can be joined and shown.
            let mut damaged = state.as_bytes().to_vec();
            let at = flip.index(damaged.len());
            damaged[at] ^= bits;
            if let Some(other) = DocumentState::from_bytes(&damaged) {
                prop_assert_eq!(other.as_bytes(), &damaged[..]);
                let both = joined(state, &other);
                prop_assert_eq!(&both, &joined(&other, state));
                let _ = both.body(ID);
            }
        }
    }
}
