//! Every class of wrong file, word for word; hostile texts; and what `--set` and sweeps do to a document.

use std::collections::BTreeMap;

use proptest::prelude::*;
use seedbed_core::contract::Duration;
use seedbed_core::settings::{Bytes, Node, Probability};
use seedbed_core::{choice, settings, variants};

use super::*;

choice! {
    /// A protocol.
    enum Protocol {
        /// By ballots.
        Raft,
        /// By force.
        Bully,
    }
}

variants! {
    /// A fault.
    enum Kind by "kind" {
        /// A node stops.
        Crash {
            /// Which.
            target: String;
        }
        /// A link loses packets.
        Loss {
            /// How many.
            share: Probability;
        }
    }
}

settings! {
    /// When and what.
    struct Fault {
        /// To name it by.
        name: Option<String> = None;
        /// The pause between two.
        every: Duration = Duration::from_secs(1);
        /// What happens.
        kind: Kind, flat;
    }
}

settings! {
    /// A small scenario.
    struct Scenario {
        /// Who elects.
        protocol: Protocol;
        /// How many nodes.
        nodes: u32 = 5, in 1..=100;
        /// The protocol's own.
        params: BTreeMap<String, Node> = BTreeMap::new();
        /// A message.
        size: Bytes = Bytes(100);
        /// What goes wrong.
        fault: Vec<Fault> = vec![];
        /// What varies.
        sweep: Vec<Axis> = vec![];
    }
}

fn complaint(text: &str) -> String {
    let read = Document::parse("file.toml", text).and_then(|document| document.read::<Scenario>());
    read.expect_err("something is wrong").to_string()
}

#[test]
fn an_unknown_key_is_shown_with_the_nearest_name() {
    assert_eq!(
        complaint("# Elections.\nprotocl = \"raft\"\nprotocol = \"raft\"\n"),
        "\
error: unknown key `protocl`
 --> file.toml:2:1
  |
2 | protocl = \"raft\"
  | ^^^^^^^ expected one of `protocol`, `nodes`, `params`, `size`, `fault`, `sweep`; did you mean `protocol`?
"
    );
}

#[test]
fn all_problems_are_shown_at_once() {
    let text = "protocol = \"raft\"\nnodes = 1000\n\n[[fault]]\nkind = \"crash\"\nevery = 5\n\n\
                [[fault]]\nkind = \"loss\"\nshare = 1.5\n";
    assert_eq!(
        complaint(text),
        "\
error: integer 1000 is out of range
 --> file.toml:2:9
  |
2 | nodes = 1000
  |         ^^^^ expected an integer between 1 and 100

error: wrong type: found integer 5
 --> file.toml:6:9
  |
6 | every = 5
  |         ^ expected a duration such as \"150ms\"
  |
  = help: write a unit, e.g. \"150ms\"

error: missing key `target`
 --> file.toml:4:1
  |
4 | [[fault]]
  | ^^^^^^^^^ expected a text

error: 1.5 is no probability
  --> file.toml:10:9
   |
10 | share = 1.5
   |         ^^^ expected a number between 0 and 1
"
    );
}

#[test]
fn tabs_wide_letters_and_line_ends_leave_the_caret_where_it_belongs() {
    assert_eq!(
        complaint("nodes = 5\r\n\tprotocol\t=\t\"r\u{e4}ft\" # \u{1f600}\r\n"),
        "\
error: unknown choice `r\u{e4}ft`
 --> file.toml:2:13
  |
2 |     protocol    =    \"r\u{e4}ft\" # \u{1f600}
  |                      ^^^^^^ expected one of `raft`, `bully`; did you mean `raft`?
"
    );
    assert_eq!(
        complaint("params = { \"\u{1f600}\u{1f600}\" = 1979-05-27 }"),
        "\
error: wrong type: found a date or time of day
 --> file.toml:1:19
  |
1 | params = { \"\u{1f600}\u{1f600}\" = 1979-05-27 }
  |                     ^^^^^^^^^^
  |
  = help: no setting is a date; a text stands in quotes
"
    );
}

#[test]
fn a_long_line_is_cut_to_what_matters() {
    let keys = |from: usize| (from..from + 50).map(|key| format!("k{key} = 1, ")).collect::<String>();
    assert_eq!(
        complaint(&format!("params = {{ {}x = 07:32:00, {} }}", keys(10), keys(70))),
        "\
error: wrong type: found a date or time of day
 --> file.toml:1:466
  |
1 | ...1, k54 = 1, k55 = 1, k56 = 1, k57 = 1, k58 = 1, k59 = 1, x = 07:32:00, k70 = 1, k71 = 1, k72 = 1, k73 = 1, k74 = 1, k75 = 1, k76 =...
  |                                                                 ^^^^^^^^
  |
  = help: no setting is a date; a text stands in quotes
"
    );
}

#[test]
fn what_is_not_toml_points_at_the_place() {
    let cases = [
        ("protocol = \"raft", "invalid basic string", "1:17"),
        ("protocol = raft", "string values must be quoted", "1:12"),
        ("protocol = \"raft\"\nprotocol = \"bully\"", "duplicate key", "2:1"),
        ("nodes = 99999999999999999999", "integer out of range", "1:9"),
        ("[params\nx = 1", "unclosed table", "1:8"),
        ("params = { x = 1", "unclosed inline table", "1:17"),
        ("a = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nested too deeply", "1:37"),
        (&format!("{}b = 1", "a.".repeat(500_000)), "nested too deeply", "1:66"),
    ];
    for (text, message, place) in cases {
        let shown = complaint(text);
        let expected = format!("error: {message}\n --> file.toml:{place}\n");
        assert!(shown.starts_with(&expected), "{shown}\nis not\n{expected}");
    }
}

#[test]
fn every_wrong_value_is_refused_with_what_was_expected() {
    let cases = [
        ("nodes = inf", "wrong type: found number inf", "expected an integer between 1 and 100"),
        ("nodes = \"5\"", "wrong type: found text \"5\"", "expected an integer between 1 and 100"),
        ("nodes = -1", "integer -1 is out of range", "expected an integer between 1 and 100"),
        ("size = -1", "integer -1 is out of range", "expected an integer of at least 0"),
        ("size = \"1.5B\"", "`1.5B` is finer than 1 byte", "expected a size such as \"64KiB\""),
        ("fault = 3", "wrong type: found integer 3", "expected a list"),
        ("fault = [3]", "wrong type: found integer 3", "expected a table with `kind`"),
        ("fault = [{ kind = \"crush\" }]", "unknown kind `crush`", "did you mean `crash`?"),
        (
            "fault = [{ every = \"-5s\", kind = \"loss\", share = 0 }]",
            "`-5s` is negative",
            "expected a duration",
        ),
        (
            "fault = [{ every = \"40000d\", kind = \"loss\", share = 0 }]",
            "longer than 100 years",
            "a duration",
        ),
        (
            "fault = [{ kind = \"loss\", share = nan }]",
            "nan is no probability",
            "expected a number between 0 and 1",
        ),
        ("fault = [{ kind = \"loss\", share = -0.1 }]", "-0.1 is no probability", "between 0 and 1"),
        ("params = [1]", "wrong type: found a list of 1", "expected a table"),
        (
            "sweep = [{ key = \"nodes\", values = [] }]",
            "`values` is empty: the sweep would run nothing",
            "^^",
        ),
        ("sweep = [{ key = \"nodes\" }]", "`key` has no values", "^"),
        ("sweep = [{ values = [1] }]", "`values` needs a `key` beside it", "^"),
        (
            "sweep = [{ name = \"x\", cases = [{ label = \"a\", set = 1 }] }]",
            "found integer 1",
            "expected a table",
        ),
        ("sweep = [{ key = \"x\", range = { from = 1, to = 2 } }]", "`to` says not how many", "^"),
        ("sweep = [{ key = \"x\", range = { from = 3, to = 2, step = 1 } }]", "`to` is below `from`", "^"),
        ("sweep = [{ key = \"x\", range = { from = 1, to = 2, step = 0 } }]", "`step` must be above 0", "^"),
        (
            "sweep = [{ key = \"x\", range = { from = 0, to = 9, per_decade = 3 } }]",
            "must be above 0 on",
            "^",
        ),
        ("sweep = [{ key = \"x\", range = { from = \"1s\", to = 9, step = 1 } }]", "is of another kind", "^"),
        (
            "sweep = [{ key = \"x\", range = { from = true, to = 9, step = 1 } }]",
            "is neither a number nor",
            "^",
        ),
        ("sweep = [{ key = \"x\", range = { from = 1, to = 1e9, step = 1 } }]", "`step` is too small", "^"),
    ];
    for (text, message, label) in cases {
        let shown = complaint(&format!("protocol = \"raft\"\n{text}\n"));
        assert!(shown.contains(message) && shown.contains(label), "{text}\n{shown}");
        assert_eq!(shown.matches("error:").count(), 1, "{text}\n{shown}");
    }
}

#[test]
fn files_that_cannot_be_used_say_why() {
    let folder = std::env::temp_dir().join(format!("seedbed-format-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let load = |name: &str| {
        let shown = Document::load(&folder.join(name)).expect_err("no such document").to_string();
        shown.replace(&folder.display().to_string(), "").replace('\\', "/")
    };
    assert_eq!(load(""), "error: this is a directory\n--> /\n = note: expected a file of text\n");
    assert!(load("none.toml").starts_with("error: cannot be read: "));
    std::fs::write(folder.join("latin.toml"), b"a = 1\nb = \"r\xe4ft\"\n").unwrap();
    assert!(load("latin.toml").starts_with("error: the file is not UTF-8\n --> /latin.toml:2:"));
    // 100 MB of which no byte is stored or read.
    std::fs::File::create(folder.join("large.toml")).unwrap().set_len(100_000_000).unwrap();
    assert_eq!(
        load("large.toml"),
        "error: the file is too large\n--> /large.toml\n = note: expected at most 1024 KiB\n"
    );
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(complaint(&"x".repeat(FILE_MAX as usize + 1)).starts_with("error: the file is too large"));
}

#[test]
fn colour_is_a_choice() {
    let report = Document::parse("file.toml", "a").unwrap_err();
    assert!(report.render(true).contains('\u{1b}'));
    assert!(!report.render(false).contains('\u{1b}'));
}

const VALID: &str = r#"
protocol = "raft" # by ballots
nodes = 0x1F
size = "64KiB"
[params]
timeout.min = "150ms"
list = [1, 2.5, { a = 'x', "b c" = """
y""" }]
[[fault]]
name = "leader-crash"
kind = "crash"
target = "leader"
[[fault]]
kind = "loss"
share = 0.25
every = "1.5s"
[[sweep]]
key = "nodes"
range = { from = 3, to = 9, step = 2 }
"#;

/// Reads a text in every way that there is; whatever it holds, nothing may panic.
fn survive(text: &str) {
    match Document::parse("file.toml", text) {
        Err(report) => drop(report.render(true)),
        Ok(mut document) => {
            match document.read::<Scenario>() {
                Err(report) => drop(report.to_string()),
                Ok(scenario) => drop(expand(&scenario.sweep).map(|points| points.len())),
            }
            drop(document.set("fault.0.every", text).map_err(|report| report.to_string()));
            drop(document.set(text, "1").map_err(|report| report.to_string()));
        }
    }
}

#[test]
fn a_valid_document_is_read() {
    let scenario: Scenario = Document::parse("file.toml", VALID).unwrap().read().unwrap();
    assert_eq!((scenario.nodes, scenario.size, scenario.fault.len()), (31, Bytes(65_536), 2));
    assert_eq!(scenario.fault[0].name.as_deref(), Some("leader-crash"));
    assert_eq!(expand(&scenario.sweep).unwrap().len(), 4);
    assert_eq!(scenario.params.keys().collect::<Vec<_>>(), ["list", "timeout"]);
}

#[test]
fn large_and_deep_texts_are_survived() {
    let size = FILE_MAX as usize - 10;
    let filled = |piece: &str| piece.repeat(size / piece.len());
    for piece in
        ["[", "{", "a.", "a={", "[[a]]\n", "\"", "\"\"\"", "'''", "1,", "\u{1f600}", "\0", "=\n", "[a.b]\n"]
    {
        survive(&filled(piece));
        survive(&format!("a = [{}", filled(piece)));
    }
    let keys: String = (0..60_000).map(|key| format!("k{key} = 1\n")).collect();
    survive(&keys);
    survive(&format!("fault = [{}]", filled("3,")));
    survive(&format!("sweep = [{{ key = 'nodes', values = [{}] }}]", filled("3,")));
    survive(&format!("protocol = \"{}\"", filled("raft")));
}

proptest! {
    #[test]
    fn random_text_never_panics(text in "\\PC{0,200}", toml in "([a-z]{1,3}|[0-9.]{1,3}|[\\[\\]{}=.,\"'#\n\r\t -]){0,60}") {
        survive(&text);
        survive(&toml);
    }

    #[test]
    fn a_damaged_document_never_panics(cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..20, "\\PC{0,3}|[\\[\\]{}=.,\"'\n]{0,3}"), 1..6)) {
        let mut text: Vec<char> = VALID.chars().collect();
        for (at, len, patch) in cuts {
            let at = at.index(text.len() + 1);
            let end = (at + len).min(text.len());
            text.splice(at..end, patch.chars());
        }
        survive(&text.into_iter().collect::<String>());
    }
}
