//! What the probe counts of writes that are not shown in the end.

use seedbed_core::contract::Json;
use seedbed_core::sync::DocumentId;
use seedbed_core::sync::replica::{Command, Parameters};

use crate::bench::Bench;
use crate::ground::{cut, ms, secs, setup};

fn patch(text: &str) -> Command {
    Command::UpdateDocument {
        collection: "documents".parse().unwrap(),
        id: DocumentId::numbered(1),
        patch: Json::parse(text).unwrap(),
        expected: None,
    }
}

/// One document on two replicas, and what each writes next: apart, or in a row.
fn counts(apart: bool, writes: [&str; 2]) -> [f64; 3] {
    let mut bench = Bench::new(&Parameters::default(), setup(2, 7));
    let (collection, id) = ("documents".parse().unwrap(), DocumentId::numbered(1));
    let document = Json::parse("{}").unwrap();
    bench.command(0, Command::PutDocument { collection, id, document, expected: None });
    bench.run_for(secs(3));
    if apart {
        bench.world.act(cut(1, &[0, 1], &[0, 1]), &mut bench.eyes);
    }
    for (node, text) in (0..).zip(writes) {
        bench.command(node, patch(text));
        bench.run_for(if apart { ms(10) } else { secs(3) });
    }
    assert!(bench.settle(secs(60)));
    let findings = bench.finish();
    ["lost", "superseded", "outdated"].map(|name| findings.numbers[name])
}

#[test]
fn losers_among_concurrent_writes_are_told_from_what_is_outdated() {
    let same = [r#"{"a":1}"#, r#"{"a":2}"#];
    assert_eq!(counts(true, same), [0.0, 1.0, 0.0]);
    assert_eq!(counts(false, same), [0.0, 0.0, 1.0]);
    assert_eq!(counts(true, [r#"{"a":1}"#, r#"{"b":2}"#]), [0.0; 3]);
}
