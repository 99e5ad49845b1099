//! The macros as a stranger uses them, every class of problem, and the round trip of every quantity.

use proptest::prelude::*;

use super::*;
use crate::contract::Duration;
use crate::{choice, settings, variants, written};

choice! {
    /// Who may vote.
    enum Voters {
        /// Everybody.
        All,
        /// Those with
        /// a disk.
        WithDisk,
        /// Nobody.
        Nobody = "none",
    }
}

variants! {
    /// How long something takes.
    enum Law by "law" or Duration as Law::constant {
        /// Always the same.
        Constant {
            /// That long.
            value: Duration;
        }
        /// Between two bounds.
        EquallyLikely = "uniform" {
            /// Shortest.
            from: Duration = Duration::ZERO;
            /// Longest.
            to: Duration, in Duration::from_nanos(1)..=Duration::from_secs(10);
        }
        /// None.
        Instant {}
    }
}

impl Law {
    fn constant(value: Duration) -> Self {
        Self::Constant { value }
    }
}

settings! {
    /// When.
    struct When {
        /// First.
        at: Duration = Duration::ZERO;
        /// Again.
        every: Option<Duration> = None, in Duration::from_millis(1)..=Duration::from_secs(1);
    }
}

settings! {
    /// Everything at once.
    struct Parameters {
        /// How many.
        nodes: u32, in 1..=100;
        /// Said in reports.
        ///
        /// At length.
        r#type: String = "plain".into(), in 1..=10;
        /// Loss.
        loss: Probability = Probability::of(0.5);
        /// Who may vote.
        voters: Voters = Voters::All;
        /// Thinking time.
        think: Law = Law::Instant {};
        /// Where.
        places: Vec<String> = vec![], in 0..=2;
        /// First and again.
        when: When, flat;
        /// How long the work takes.
        work: Law, flat;
    }
    verify = Parameters::consistent;
}

impl Parameters {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        match self.nodes == 66 {
            true => Err(("nodes", "must not be 66".into())),
            false => Ok(()),
        }
    }
}

/// A plain value from something TOML-like: only what these tests need.
fn node(value: impl Into<Value>) -> Node {
    Node::unwritten(value.into())
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Value {
    fn from(entries: [(&str, Value); N]) -> Self {
        let mut table = Table::default();
        for (at, (key, value)) in (0..).zip(entries) {
            let span = Span { source: 0, start: at, end: at };
            table.insert(key, span, Node { span, value });
        }
        Self::Table(table)
    }
}

fn complaints<T: Setting + std::fmt::Debug>(value: impl Into<Value>) -> String {
    read::<T>(&node(value)).expect_err("something is wrong").to_string()
}

#[test]
fn a_table_is_read_with_defaults_and_shared_keys() {
    let written = node([
        ("nodes", Value::Integer(5)),
        ("think", "20ms".into()),
        ("every", "5ms".into()),
        ("law", "uniform".into()),
        ("to", "2s".into()),
    ]);
    let parameters: Parameters = read(&written).unwrap();
    assert_eq!(
        parameters,
        Parameters {
            nodes: 5,
            r#type: "plain".into(),
            loss: Probability::of(0.5),
            voters: Voters::All,
            think: Law::constant(Duration::from_millis(20)),
            places: vec![],
            when: When { at: Duration::ZERO, every: Some(Duration::from_millis(5)) },
            work: Law::EquallyLikely { from: Duration::ZERO, to: Duration::from_secs(2) },
        }
    );
    let value = parameters.write().unwrap();
    assert_eq!(
        value.to_string(),
        "{ nodes = 5, type = \"plain\", loss = 0.5, voters = \"all\", think = { law = \"constant\", value = \"20ms\" }, \
         places = [], at = \"0s\", every = \"5ms\", law = \"uniform\", from = \"0s\", to = \"2s\" }"
    );
    assert_eq!(read(&Node::unwritten(value)), Ok(parameters));
    assert_eq!(When::default(), When { at: Duration::ZERO, every: None });
}

#[test]
fn every_problem_is_found_at_once() {
    let written = [
        ("nods", Value::Integer(5)),
        ("nodes", Value::Integer(0)),
        ("type", "".into()),
        ("loss", Value::Number(1.5)),
        ("voters", "some".into()),
        ("think", Value::Integer(5)),
        ("places", "here".into()),
        ("law", "uniform".into()),
        ("to", "11s".into()),
    ];
    assert_eq!(
        complaints::<Parameters>(written),
        "integer 0 is out of range: expected an integer between 1 and 100\n\
         text \"\" is out of range: expected a text of 1 to 10 bytes\n\
         1.5 is no probability: expected a number between 0 and 1\n\
         unknown choice `some`: expected one of `all`, `with-disk`, `none`\n\
         wrong type: found integer 5: expected a duration such as \"150ms\" or a table with `law` (write a unit, e.g. \"150ms\")\n\
         wrong type: found text \"here\": expected a list of 0 to 2\n\
         text \"11s\" is out of range: expected a duration between 1ns and 10s\n\
         unknown key `nods`: expected one of `nodes`, `type`, `loss`, `voters`, `think`, `places`, `at`, `every`, \
         `law`, `from`, `to`; did you mean `nodes`?\n"
    );
}

#[test]
fn a_wrong_tag_hides_what_depends_on_it() {
    let constant = "expected one of `constant`, `uniform`, `instant`";
    assert_eq!(
        complaints::<Law>([("law", "constent".into()), ("value", "3s".into())]),
        format!("unknown law `constent`: {constant}; did you mean `constant`?\n")
    );
    assert_eq!(complaints::<Law>([("value", "3s".into())]), format!("missing key `law`: {constant}\n"));
    let wrong = format!("wrong type: found integer 3: {constant}\n");
    assert_eq!(complaints::<Law>([("law", Value::Integer(3))]), wrong);
    assert_eq!(
        complaints::<Law>([("law", "instant".into()), ("value", "3s".into())]),
        "unknown key `value`: expected `law`\n"
    );
}

#[test]
fn what_does_not_go_together_points_at_a_key() {
    let written = node([("nodes", Value::Integer(66)), ("law", "instant".into())]);
    let problems = read::<Parameters>(&written).unwrap_err();
    assert_eq!(problems.to_string(), "`nodes` must not be 66\n");
    assert_eq!(complaints::<Parameters>([("law", "instant".into())]).lines().count(), 1);
}

#[test]
fn fields_describe_themselves() {
    let fields = Parameters::fields();
    let listed: Vec<_> = fields
        .plain
        .iter()
        .map(|field| {
            let default = field.default.as_deref().unwrap_or("-");
            format!("{}: {} [{default}] {} {}", field.name, field.shape.kind(), field.required, field.about)
        })
        .collect();
    assert_eq!(
        listed,
        [
            "nodes: integer 1..=100 [-] true How many.",
            "type: text [\"plain\"] false Said in reports.",
            "loss: number 0..=1 [0.5] false Loss.",
            "voters: all | with-disk | none [\"all\"] false Who may vote.",
            "think: duration or table [{ law = \"instant\" }] false Thinking time.",
            "places: list of text [[]] false Where.",
            "at: duration [\"0s\"] false First.",
            "every: duration [-] false Again.",
        ]
    );
    let [Tagged { tag, variants }] = fields.tagged.as_slice() else { panic!("one tagged group") };
    let names: Vec<_> = variants.iter().map(|variant| variant.name.as_str()).collect();
    assert_eq!((tag.as_str(), names), ("law", vec!["constant", "uniform", "instant"]));
    let Shape::Choice(choices) = Voters::shape() else { panic!("a choice") };
    assert_eq!(choices[1].about, "Those with a disk.");
}

#[test]
fn quantities_say_what_is_wrong_with_them() {
    let duration = "expected a duration such as \"150ms\"";
    let unit = "(write a unit, e.g. \"150ms\")";
    let cases = [
        (Value::Integer(5), format!("wrong type: found integer 5: {duration} {unit}")),
        (Value::Number(0.5), format!("wrong type: found number 0.5: {duration} {unit}")),
        (Value::Bool(true), format!("wrong type: found boolean true: {duration}")),
        ("-5s".into(), format!("`-5s` is negative: {duration}")),
        ("5".into(), format!("`5` has no unit: {duration} {unit}")),
        ("s".into(), format!("`s` does not begin with a number: {duration}")),
        ("1.s".into(), format!("`1.s` does not begin with a number: {duration}")),
        ("1.5ns".into(), format!("`1.5ns` is finer than 1 ns: {duration}")),
        ("99999999999999999999d".into(), format!("`99999999999999999999d` is too large: {duration}")),
        ("101000d".into(), format!("text \"101000d\" is longer than 100 years: {duration}")),
        (
            "5 m".into(),
            "unknown unit `m`: expected one of `d`, `h`, `min`, `s`, `ms`, `us`, `\u{b5}s`, `ns`".into(),
        ),
    ];
    for (value, expected) in cases {
        assert_eq!(complaints::<Duration>(value), format!("{expected}\n"));
    }
    assert!(complaints::<Duration>(&*"9".repeat(1 << 20)).len() < 300);
    assert_eq!(
        complaints::<u8>(Value::Integer(-1)),
        "integer -1 is out of range: expected an integer between 0 and 255\n"
    );
    assert_eq!(complaints::<f64>(Value::Number(f64::NAN)), "number NaN is out of range: expected a number\n");
    assert!(complaints::<String>(&*"x".repeat(TEXT_MAX + 1)).starts_with("text of 4097 bytes is too long"));
    assert_eq!(
        complaints::<Vec<u8>>(Value::List(vec![node(Value::Integer(300)); 50])).lines().count(),
        PROBLEMS_MAX
    );
}

#[test]
fn quantities_are_read_exactly() {
    for (text, nanos) in [
        ("1.5s", 1_500_000_000),
        ("2min", 120_000_000_000),
        ("0.5us", 500),
        (" 3 ns ", 3),
        ("1d", 86_400_000_000_000),
    ] {
        assert_eq!(text.parse(), Ok(Duration::from_nanos(nanos)), "{text}");
    }
    for (text, bytes) in [("64KiB", 65_536), ("10MB", 10_000_000), ("0.5KiB", 512), ("7B", 7)] {
        assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
    }
    for (text, rate) in [("10Mbit/s", 10_000_000), ("1.5MB/s", 12_000_000), ("1bit/s", 1)] {
        assert_eq!(text.parse(), Ok(Rate(rate)), "{text}");
    }
    assert_eq!(read(&node(Value::Integer(7))), Ok(Bytes(7)));
    for (bytes, text) in [(0, "0B"), (65_536, "64KiB"), (10_000_000, "10MB"), (1_000_001, "1000001B")] {
        assert_eq!(Bytes(bytes).to_string(), text);
    }
    assert_eq!(Rate(10_000_000).to_string(), "10Mbit/s");
}

#[test]
fn a_probability_compares_with_uniform_bits() {
    assert!(!Probability::NEVER.happens(0));
    assert!(Probability::ALWAYS.happens(u64::MAX));
    assert_eq!(Probability::of(0.5).parts(), 1 << 63);
    assert_eq!(Probability::new(1.1), None);
    assert_eq!(Probability::new(f64::NAN), None);
}

/// An even number, by its own `FromStr`.
#[derive(Debug, PartialEq)]
struct Even(u64);

impl std::str::FromStr for Even {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let even = text.parse().ok().filter(|value| value % 2 == 0);
        even.map(Self).ok_or_else(|| format!("`{text}` is not even"))
    }
}

impl std::fmt::Display for Even {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

written! { Even: "an even number" }

#[test]
fn a_type_with_a_text_form_is_a_setting() {
    assert_eq!(read(&node("4")), Ok(Even(4)));
    assert_eq!(complaints::<Even>("5"), "`5` is not even: expected an even number\n");
    assert_eq!(Even(4).write(), Some("4".into()));
}

#[test]
fn where_nothing_can_be_chosen_nothing_is_accepted() {
    assert_eq!(read(&node([])), Ok(()));
    assert_eq!(complaints::<()>([("x", Value::Bool(true))]), "unknown key `x`: expected nothing here\n");
}

proptest! {
    #[test]
    fn quantities_come_back_as_they_were_written(value: u64, parts in 0.0..=1.0) {
        let duration = Duration::from_nanos(value % DURATION_MAX.as_nanos());
        prop_assert_eq!(read(&Node::unwritten(duration.write().unwrap())), Ok(duration));
        for value in [value, value % 1000 * 1_000_000, value >> 40 << 40, (value % 5000) << 10] {
            prop_assert_eq!(read(&Node::unwritten(Bytes(value).write().unwrap())), Ok(Bytes(value)));
            prop_assert_eq!(read(&Node::unwritten(Rate(value).write().unwrap())), Ok(Rate(value)));
        }
        let probability = Probability::of(parts);
        prop_assert_eq!(probability.to_string().parse::<f64>().ok().and_then(Probability::new), Some(probability));
        prop_assert_eq!(read(&Node::unwritten(probability.write().unwrap())), Ok(probability));
    }

    #[test]
    fn no_text_breaks_a_quantity(text in "[-0-9.]{0,40}[a-zA-Z/ ]{0,8}", any in ".*") {
        for text in [text, any] {
            let (duration, bytes, rate) = (text.parse::<Duration>(), text.parse::<Bytes>(), text.parse::<Rate>());
            prop_assert!(!(duration.is_ok() && bytes.is_ok() && rate.is_ok()));
        }
    }
}
