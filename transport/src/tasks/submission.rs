//! Tasks as a request brings them: a JSON object for one, a list of them for several that may need each other.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use seedbed_core::contract::{BlobId, Duration};
use seedbed_core::scheduler::call::{Call, Limits, Service};
use seedbed_core::scheduler::dag::Edge;
use seedbed_core::scheduler::hub::{Needs, Spec};
use seedbed_core::scheduler::trust::{Fixed, Validation};
use seedbed_core::settings::{self, nearest};
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};

use crate::documents::target::short;
use crate::door::Problem;

/// The longest body, in bytes.
pub(super) const BODY_MAX: usize = 8 << 20;
/// The most tasks of one submission.
pub const SUBMITTED_MAX: usize = 10_000;
/// The most workers that a task may ask for.
const OVERLAP_MAX: u32 = 64;

/// A task as a client writes it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    name: Option<String>,
    service: Option<String>,
    argument: Option<String>,
    argument_base64: Option<String>,
    module: Option<String>,
    limits: WantedLimits,
    cores: Option<u32>,
    #[serde(deserialize_with = "quantity")]
    ram: Option<settings::Bytes>,
    tags: Vec<String>,
    #[serde(deserialize_with = "quantity")]
    work: Option<Duration>,
    #[serde(deserialize_with = "quantity")]
    input: Option<settings::Bytes>,
    #[serde(deserialize_with = "quantity")]
    output: Option<settings::Bytes>,
    trust: Option<f64>,
    validation: Option<String>,
    overlap: Option<u32>,
    priority: u32,
    #[serde(deserialize_with = "quantity")]
    deadline: Option<Duration>,
    retries: u32,
    after: Vec<String>,
}

/// What it may take.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WantedLimits {
    #[serde(deserialize_with = "quantity")]
    time: Option<Duration>,
    #[serde(deserialize_with = "quantity")]
    memory: Option<settings::Bytes>,
    fuel: Option<u64>,
    #[serde(deserialize_with = "quantity")]
    output: Option<settings::Bytes>,
}

/// The keys of a task and of its limits, for whoever misspells one.
const KEYS: [&str; 22] = [
    "name",
    "service",
    "argument",
    "argument_base64",
    "module",
    "limits",
    "cores",
    "ram",
    "tags",
    "work",
    "input",
    "output",
    "trust",
    "validation",
    "overlap",
    "priority",
    "deadline",
    "retries",
    "after",
    "time",
    "memory",
    "fuel",
];

/// A number with its unit, as scenarios have it: `10s`, `64MiB`.
fn quantity<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    text.parse().map(Some).map_err(de::Error::custom)
}

/// One task or several; never more than there may be, however short they are.
struct Several;

impl<'de> Visitor<'de> for Several {
    type Value = Vec<Wanted>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task, or a list of tasks")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Vec<Wanted>, A::Error> {
        Wanted::deserialize(de::value::MapAccessDeserializer::new(map)).map(|task| vec![task])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Wanted>, A::Error> {
        let mut tasks = Vec::new();
        while let Some(task) = list.next_element()? {
            if tasks.len() == SUBMITTED_MAX {
                return Err(de::Error::custom(format!("a submission may have {SUBMITTED_MAX} tasks")));
            }
            tasks.push(task);
        }
        Ok(tasks)
    }
}

impl<'de> DeserializeSeed<'de> for Several {
    type Value = Vec<Wanted>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<Wanted>, D::Error> {
        from.deserialize_any(self)
    }
}

/// Tasks, and which of them needs which.
pub(super) fn read(body: &[u8]) -> Result<(Vec<Spec>, Vec<Edge>), Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = Several.deserialize(&mut json).and_then(|tasks| json.end().map(|()| tasks));
    let wanted = read.map_err(|error| Problem::bad_request(misread(&error)))?;
    let mut tasks = Vec::with_capacity(wanted.len());
    for (at, task) in wanted.iter().enumerate() {
        let wrong = |what: String| {
            let name = task.name.as_ref().map_or_else(String::new, |name| format!(" (`{}`)", short(name)));
            Problem::bad_request(format!("task {at}{name}: {what}"))
        };
        tasks.push(spec(at, task).map_err(wrong)?);
    }
    let edges = edges(&wanted, &tasks)?;
    Ok((tasks, edges))
}

/// What is wrong with a text, and where.
fn misread(error: &serde_json::Error) -> String {
    let told = error.to_string();
    let found = told.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    let meant = found.and_then(|found| nearest(found, KEYS));
    let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
    format!("the tasks cannot be read: {}{meant}", &told[..told.floor_char_boundary(600)])
}

/// One of these, by its name.
fn choice<T: Copy>(what: &str, text: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    let names = || all.iter().map(|one| name(*one));
    all.iter().copied().find(|one| name(*one) == text).ok_or_else(|| {
        let meant = nearest(text, names());
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
        let names = names().collect::<Vec<_>>().join("`, `");
        format!("unknown {what} `{}`: expected one of `{names}`{meant}", short(text))
    })
}

fn spec(at: usize, wanted: &Wanted) -> Result<Spec, String> {
    let service = wanted.service.as_deref().unwrap_or("stand-in");
    if wanted.overlap.is_some_and(|overlap| !(1..=OVERLAP_MAX).contains(&overlap)) {
        return Err(format!("`overlap` is a number from 1 to {OVERLAP_MAX}"));
    }
    if wanted.trust.is_some_and(|trust| trust < 0.0) {
        return Err("`trust` is a number from 0 on".into());
    }
    let mut tags = wanted.tags.clone();
    tags.sort();
    tags.dedup();
    let usual = Limits::default();
    let limits = Limits {
        time: wanted.limits.time.unwrap_or(usual.time),
        memory: wanted.limits.memory.unwrap_or(usual.memory),
        fuel: wanted.limits.fuel.unwrap_or(usual.fuel),
        output: wanted.limits.output.unwrap_or(usual.output),
    };
    let call = Call {
        service: choice("service", service, Service::ALL, Service::name)?,
        argument: argument(wanted)?.into(),
        module: wanted.module.as_deref().map(module).transpose()?,
        limits,
    };
    if let Some(flaw) = call.flaw() {
        return Err(flaw.into());
    }
    let validation = wanted.validation.as_deref();
    let validation =
        validation.map(|text| choice("validation", text, Validation::ALL, Validation::name)).transpose()?;
    Ok(Spec {
        name: wanted.name.clone().unwrap_or_else(|| at.to_string()),
        needs: Needs {
            cores: wanted.cores.unwrap_or(1),
            ram: wanted.ram.unwrap_or(settings::Bytes(0)),
            tags,
        },
        call: Arc::new(call),
        work: wanted.work.unwrap_or(Duration::ZERO),
        input: wanted.input.unwrap_or(settings::Bytes(0)),
        output: wanted.output.unwrap_or(settings::Bytes(0)),
        trust: Fixed::of(wanted.trust.unwrap_or(0.0)),
        validation,
        overlap: wanted.overlap,
        priority: wanted.priority,
        deadline: wanted.deadline,
        retries: wanted.retries,
    })
}

fn argument(wanted: &Wanted) -> Result<Vec<u8>, String> {
    match (&wanted.argument, &wanted.argument_base64) {
        (Some(_), Some(_)) => {
            Err("it has an `argument` and an `argument_base64`: expected one of them".into())
        }
        (Some(text), None) => Ok(text.clone().into_bytes()),
        (None, Some(text)) => BASE64
            .decode(text.as_bytes())
            .map_err(|error| format!("its `argument_base64` is not base64 (RFC 4648, padded): {error}")),
        (None, None) => Ok(Vec::new()),
    }
}

fn module(text: &str) -> Result<BlobId, String> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(BlobId).ok_or_else(|| {
        format!(
            "the module `{}`: expected the 64 hexadecimal digits that were told when it was stored",
            short(text)
        )
    })
}

/// Which task needs which, by their names.
fn edges(wanted: &[Wanted], tasks: &[Spec]) -> Result<Vec<Edge>, Problem> {
    if wanted.iter().all(|task| task.after.is_empty()) {
        return Ok(Vec::new());
    }
    let places: BTreeMap<&str, usize> =
        tasks.iter().enumerate().map(|(at, task)| (task.name.as_str(), at)).collect();
    let mut edges = Vec::new();
    for (to, task) in wanted.iter().enumerate() {
        for name in &task.after {
            let Some(&from) = places.get(name.as_str()) else {
                let meant = nearest(name, places.keys().copied());
                let meant =
                    meant.map_or_else(String::new, |meant| format!("; did you mean `{}`?", short(meant)));
                let told = format!(
                    "task {to}: `after` names `{}`, and no task of this submission is called so{meant}",
                    short(name)
                );
                return Err(Problem::bad_request(told));
            };
            edges.push(Edge { from: from as u32, to: to as u32, data: tasks[from].output });
        }
    }
    Ok(edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_read_with_all_its_keys() {
        let module = "ab".repeat(32);
        let text = format!(
            r#"{{"name": "a", "service": "wasm", "argument_base64": "/wA=", "module": "{module}",
                "limits": {{"time": "2s", "memory": "1MiB", "fuel": 9, "output": "1KiB"}}, "cores": 2, "ram": "1GiB",
                "tags": ["b", "a", "b"], "work": "1s", "input": "1KiB", "output": "2KiB", "trust": 1.5,
                "validation": "quorum", "overlap": 3, "priority": 4, "deadline": "1h", "retries": 5}}"#
        );
        let (tasks, edges) = read(text.as_bytes()).unwrap();
        let limits = Limits {
            time: Duration::from_secs(2),
            memory: settings::Bytes(1 << 20),
            fuel: 9,
            output: settings::Bytes(1 << 10),
        };
        let argument = vec![0xff, 0].into();
        let call = Call { service: Service::Wasm, argument, module: Some(BlobId([0xab; 32])), limits };
        let expected = Spec {
            name: "a".into(),
            needs: Needs { cores: 2, ram: settings::Bytes(1 << 30), tags: vec!["a".into(), "b".into()] },
            call: Arc::new(call),
            work: Duration::from_secs(1),
            input: settings::Bytes(1 << 10),
            output: settings::Bytes(2 << 10),
            trust: Fixed::of(1.5),
            validation: Some(Validation::Quorum),
            overlap: Some(3),
            priority: 4,
            deadline: Some(Duration::from_secs(3600)),
            retries: 5,
        };
        assert_eq!((tasks, edges), (vec![expected], vec![]));
    }

    #[test]
    fn tasks_that_need_each_other_hand_over_what_they_make() {
        let text =
            r#"[{"name": "a", "output": "1KiB"}, {"after": ["a"]}, {"name": "c", "after": ["1", "a"]}]"#;
        let (tasks, edges) = read(text.as_bytes()).unwrap();
        assert_eq!(tasks.iter().map(|task| &*task.name).collect::<Vec<_>>(), ["a", "1", "c"]);
        let edge = |from, to, data| Edge { from, to, data: settings::Bytes(data) };
        assert_eq!(edges, [edge(0, 1, 1024), edge(1, 2, 0), edge(0, 2, 1024)]);
        assert!(tasks.iter().all(|task| task.needs.cores == 1 && task.call.service == Service::StandIn));
    }

    #[test]
    fn what_is_wrong_is_told_with_the_nearest_name() {
        for (text, told) in [
            ("", "cannot be read"),
            ("7", "a task, or a list of tasks"),
            ("[{}] x", "trailing characters"),
            (r#"{"servise": "primes"}"#, "did you mean `service`?"),
            (r#"{"limits": {"fule": 3}}"#, "did you mean `fuel`?"),
            (r#"{"service": "prime"}"#, "did you mean `primes`?"),
            (r#"{"validation": "qorum"}"#, "did you mean `quorum`?"),
            (r#"{"work": "1 parsec"}"#, "unknown unit `parsec`"),
            (r#"{"work": 1}"#, "invalid type"),
            (r#"{"argument": "a", "argument_base64": "YQ=="}"#, "expected one of them"),
            (r#"{"argument_base64": "?"}"#, "not base64"),
            (r#"{"service": "wasm"}"#, "`wasm` needs a module"),
            (r#"{"service": "wasm", "module": "abc"}"#, "64 hexadecimal digits"),
            (r#"{"overlap": 0}"#, "from 1 to 64"),
            (r#"{"trust": -1}"#, "from 0 on"),
            (r#"{"limits": {"output": "1MiB"}}"#, "65,536"),
            (r#"[{"name": "load"}, {"after": ["laod"]}]"#, "did you mean `load`?"),
        ] {
            let problem = read(text.as_bytes()).unwrap_err();
            assert_eq!(problem.status, 400);
            assert!(problem.detail.contains(told), "{text}: {}", problem.detail);
        }
        let many = format!("[{}{{}}]", "{},".repeat(SUBMITTED_MAX));
        assert!(read(many.as_bytes()).unwrap_err().detail.contains("may have 10000 tasks"));
    }
}
