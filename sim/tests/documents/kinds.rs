//! Collections that come and go, and fields of every kind, in worlds drawn by proptest.

use std::collections::BTreeMap;

use proptest::prelude::*;
use seedbed_core::contract::{Json, NodeId, Time, View};
use seedbed_core::sync::replica::{Command, Parameters};
use seedbed_core::sync::{Deletes, DocumentId, FieldKind, Name, Schema};
use seedbed_sim::fault::{Schedule, Timed};

use crate::bench::Bench;
use crate::ground::{ms, secs};
use crate::properties::{config, faults, parameters, world};

fn collection() -> impl Strategy<Value = Name> {
    prop::sample::select(vec!["one", "two"]).prop_map(|name| name.parse().unwrap())
}

fn document() -> impl Strategy<Value = DocumentId> {
    (1..6u64).prop_map(DocumentId::numbered)
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn schema(deletes: Deletes) -> Schema {
    let kinds = [("/n", FieldKind::Counter), ("/s", FieldKind::Set), ("/m", FieldKind::MultiValue)];
    Schema::new(deletes, kinds.map(|(path, kind)| (path.parse().unwrap(), kind))).unwrap()
}

fn command() -> impl Strategy<Value = Command> {
    let bodies = vec![json(r#"{"f":{"g":1}}"#), json(r#"{"n":3,"s":["a","b"],"m":0}"#)];
    let patches = [
        r#"{"f":1}"#,
        r#"{"f":{"g":2}}"#,
        r#"{"n":{"$add":1}}"#,
        r#"{"n":null}"#,
        r#"{"s":{"$add":["a",1]}}"#,
        r#"{"s":{"$remove":["a"]}}"#,
        r#"{"m":"x"}"#,
        r#"{"m":null}"#,
    ];
    let patch = prop::sample::select(patches.map(json).to_vec());
    let deletes = prop::sample::select(vec![Deletes::Win, Deletes::YieldToUpdates]);
    prop_oneof![
        2 => (collection(), deletes).prop_map(|(collection, deletes)| {
            Command::CreateCollection { collection, schema: schema(deletes) }
        }),
        1 => collection().prop_map(|collection| Command::DeleteCollection { collection }),
        6 => (collection(), document(), prop::sample::select(bodies)).prop_map(
            |(collection, id, document)| Command::PutDocument { collection, id, document, expected: None }
        ),
        12 => (collection(), document(), patch).prop_map(
            |(collection, id, patch)| Command::UpdateDocument { collection, id, patch, expected: None }
        ),
        2 => (collection(), document()).prop_map(
            |(collection, id)| Command::DeleteDocument { collection, id, expected: None }
        ),
        3 => (collection(), document()).prop_map(
            |(collection, id)| Command::GetDocument { collection, id }
        ),
    ]
}

proptest! {
    #![proptest_config(config())]

    /// Whatever is asked, of collections that come and go as well, replicas agree in the end, and keep what they promised.
    #[test]
    fn replicas_agree_on_collections_and_fields_of_every_kind(
        parameters in parameters(),
        setup in world(),
        faults in faults(),
        asked in prop::collection::vec((0..6_000u64, any::<u32>(), command()), 1..120),
    ) {
        let nodes = setup.nodes;
        let mut bench = Bench::new(&Parameters { preload: 0, differ: 0, ..parameters }, setup);
        bench.world.set_faults(Schedule::concrete(faults));
        for name in ["one", "two"] {
            let collection = name.parse().unwrap();
            bench.command(0, Command::CreateCollection { collection, schema: schema(Deletes::Win) });
        }
        for (after, node, command) in asked {
            bench.command_at(ms(after), node % nodes, command);
        }
        bench.run_for(secs(7));
        prop_assert!(bench.settle(secs(120)), "no agreement");
        let findings = bench.finish();
        prop_assert_eq!(findings.violated, BTreeMap::new(), "{:?}", findings.violations);
    }

    /// A counter counts every addition that was acknowledged, and none twice.
    #[test]
    fn counters_count_each_addition_once(
        parameters in parameters(),
        setup in world(),
        faults in faults(),
        asked in prop::collection::vec((1_000..6_000u64, any::<u32>()), 1..100),
    ) {
        let nodes = setup.nodes;
        let mut bench = Bench::new(&Parameters { collections: Vec::new(), preload: 0, differ: 0, ..parameters }, setup);
        let (collection, id): (Name, _) = ("one".parse().unwrap(), DocumentId::numbered(1));
        bench.command(0, Command::CreateCollection { collection: collection.clone(), schema: schema(Deletes::Win) });
        let put = Command::PutDocument { collection: collection.clone(), id, document: json("{}"), expected: None };
        bench.command_at(ms(1), 0, put);
        bench.run_for(secs(1));
        prop_assert!(bench.settle(secs(60)), "no agreement without faults");
        let began = bench.eyes.findings.numbers.get("writes").copied().unwrap_or_default();
        prop_assert_eq!(began, 1.0);
        let now = bench.world.now();
        let later = faults.into_iter().map(|Timed { at, action }| Timed { at: now + at.since(Time::ZERO), action });
        bench.world.set_faults(Schedule::concrete(later.collect()));
        for (after, node) in &asked {
            let (collection, patch) = (collection.clone(), json(r#"{"n":{"$add":1}}"#));
            let add = Command::UpdateDocument { collection, id, patch, expected: None };
            bench.command_at(ms(*after), node % nodes, add);
        }
        bench.run_for(secs(7));
        prop_assert!(bench.settle(secs(120)), "no agreement");
        let document = View::state(&bench.world, NodeId(0)).unwrap().store().get("one", id).unwrap().body();
        let counted = document.value()["n"].as_f64().unwrap_or_default();
        let findings = bench.finish();
        prop_assert!(counted <= asked.len() as f64 && counted >= findings.numbers["writes"] - 1.0, "{} of {:?}", counted, findings.numbers);
    }
}
