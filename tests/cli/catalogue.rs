//! What can be named: `list`, `schema` and `check` know the same protocols, keys and scenarios.

use std::path::{Path, PathBuf};

use crate::bed::Bed;
use serde_json::Value;

/// The scenarios that come with the project.
fn ours() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["scenarios", "tests/golden"].map(|name| std::fs::read_dir(folder.join(name)).expect(name));
    let files = folders.into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let is_scenario =
        |path: &PathBuf| path.extension().is_some_and(|end| end == "toml") && !path.ends_with("Cargo.toml");
    let mut files: Vec<PathBuf> = files.filter(is_scenario).collect();
    files.sort();
    files
}

#[test]
fn the_list_knows_protocols_faults_laws_and_workloads() {
    let bed = Bed::new("list");
    let all = bed.seedbed(["list"]);
    assert_eq!(all.code, 0);
    for part in ["raft", "bully", "ring", "chunks", "faults", "distributions", "workloads"] {
        let told = bed.seedbed(["list", part]);
        assert_eq!(told.code, 0, "{told:?}");
        assert!(all.out.contains(&told.out), "{part} is part of the whole");
    }
    let raft = bed.seedbed(["list", "raft"]).out;
    for name in [
        "pre_vote",
        "timeout_min",
        "unavailable_ms",
        "one-leader-per-term",
        "one-leader",
        "leader",
        "campaign",
    ] {
        assert!(raft.contains(name), "{name}\n{raft}");
    }
    let faults = bed.seedbed(["list", "faults"]).out;
    assert!(
        ["crash", "churn-trace", "planetlab-05", "partition", "disk-stall", "clock-jump"]
            .iter()
            .all(|kind| faults.contains(kind)),
        "{faults}"
    );
    let laws = bed.seedbed(["list", "distributions"]).out;
    assert!(["lognormal", "pareto", "empirical"].iter().all(|law| laws.contains(law)), "{laws}");
}

#[test]
fn every_scenario_of_ours_is_right() {
    let bed = Bed::new("check");
    let files: Vec<String> = ours().iter().map(|path| path.display().to_string()).collect();
    assert!(files.len() >= 8, "{files:?}");
    let told = bed.seedbed(["check"].into_iter().chain(files.iter().map(String::as_str)));
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(told.out.lines().count(), files.len());
    // The manifest that stands beside them comes along with `scenarios/*.toml`.
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/Cargo.toml");
    assert_eq!(bed.seedbed(["check", &files[0], manifest]).code, 0);
    assert_eq!(bed.seedbed(["check", manifest]).code, 2);
}

#[test]
fn the_schema_accepts_what_is_right_and_little_else() {
    let bed = Bed::new("schema");
    let told = bed.seedbed(["schema"]);
    assert_eq!(told.code, 0);
    let schema: Value = serde_json::from_str(&told.out).expect("it is JSON");
    assert!(schema["$schema"].as_str().is_some_and(|name| name.contains("json-schema.org")));
    for path in ours() {
        let text = std::fs::read_to_string(&path).expect("a scenario");
        let scenario: Value = toml::from_str(&text).expect("it is TOML");
        let refused = refusal(&schema, &schema, &scenario);
        assert_eq!(refused, None, "{}", path.display());
    }
    for wrong in [
        "title = \"no protocol\"",
        "protocol = 5",
        "protocol = \"raft\"\nprotocl = \"raft\"",
        "protocol = \"raft\"\nrun.seeds = 0",
        "protocol = \"raft\"\nrun.ties = \"drawn\"",
        "protocol = \"raft\"\nnetwork.loss = 1.5",
        "protocol = \"raft\"\nparams.prevote = true",
        "protocol = \"raft\"\nnetwork.latency = { law = \"normal\", mean = \"1ms\" }",
        "protocol = \"raft\"\nfault = [{ kind = \"crash\", at = \"1s\" }]",
        "protocol = \"raft\"\nfault = [{ kind = \"pause\", at = \"1s\", target = \"0\", disk = \"torn\" }]",
    ] {
        let scenario: Value = toml::from_str(wrong).expect("it is TOML");
        assert!(refusal(&schema, &schema, &scenario).is_some(), "{wrong}");
    }
}

/// Why a schema does not accept a value: as much of JSON Schema as ours uses; another keyword is an error.
fn refusal(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let Value::Object(keywords) = schema else {
        return (schema == &Value::Bool(false)).then(|| format!("nothing may stand here: {value}"));
    };
    let accepts = |schema: &Value| refusal(root, schema, value).is_none();
    let list = |given: &'_ Value| given.as_array().cloned().unwrap_or_default();
    keywords.iter().find_map(|(keyword, given)| {
        let holds = match keyword.as_str() {
            "$schema" | "title" | "description" | "default" | "$defs" | "examples" => true,
            "$ref" => {
                let pointer = given.as_str().expect("a reference").trim_start_matches('#');
                return refusal(root, root.pointer(pointer).expect("what it refers to"), value);
            }
            "type" => match given {
                Value::Array(types) => types.iter().any(|one| is_a(one.as_str().expect("a type"), value)),
                one => is_a(one.as_str().expect("a type"), value),
            },
            "enum" => list(given).contains(value),
            "const" => given == value,
            "minimum" => value.as_f64().is_none_or(|number| Some(number) >= given.as_f64()),
            "maximum" => value.as_f64().is_none_or(|number| Some(number) <= given.as_f64()),
            "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= given.as_u64().unwrap_or(0)),
            "maxLength" => value.as_str().is_none_or(|text| text.len() as u64 <= given.as_u64().unwrap_or(0)),
            "minItems" => {
                value.as_array().is_none_or(|items| items.len() as u64 >= given.as_u64().unwrap_or(0))
            }
            "maxItems" => {
                value.as_array().is_none_or(|items| items.len() as u64 <= given.as_u64().unwrap_or(0))
            }
            // Patterns only tell editors more about texts that other tests read.
            "pattern" => true,
            "items" => return value.as_array()?.iter().find_map(|item| refusal(root, given, item)),
            "required" => value.as_object().is_none_or(|table| {
                list(given).iter().all(|name| table.contains_key(name.as_str().expect("a name")))
            }),
            "properties" => {
                let (table, properties) = (value.as_object()?, given.as_object().expect("properties"));
                let known = table.iter().filter_map(|(name, value)| Some((properties.get(name)?, value)));
                return known.into_iter().find_map(|(schema, value)| refusal(root, schema, value));
            }
            "additionalProperties" | "unevaluatedProperties" => {
                let named = known_properties(root, schema, value);
                let mut others = value.as_object()?.iter().filter(|(name, _)| !named.contains(name));
                return others
                    .find_map(|(name, value)| Some(format!("{name}: {}", refusal(root, given, value)?)));
            }
            "anyOf" => list(given).iter().any(accepts),
            "oneOf" => list(given).iter().filter(|schema| accepts(schema)).count() == 1,
            "allOf" => return list(given).iter().find_map(|schema| refusal(root, schema, value)),
            other => panic!("the schema uses `{other}`, which this test does not know"),
        };
        (!holds).then(|| format!("{keyword} {given} refuses {value}"))
    })
}

/// The properties that a schema names, those of its matching alternatives included.
fn known_properties(root: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let own = schema["properties"].as_object().into_iter().flat_map(|properties| properties.keys().cloned());
    let parts =
        ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|keyword| schema[keyword].as_array()).flatten();
    let matching = parts.filter(|part| refusal(root, part, value).is_none());
    own.chain(matching.flat_map(|part| known_properties(root, part, value))).collect()
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("the schema has a type `{other}`"),
    }
}
