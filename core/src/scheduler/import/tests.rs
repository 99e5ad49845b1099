use proptest::prelude::*;

use super::*;
use crate::contract::Duration;
use crate::scheduler::dag::TaskGraph;
use crate::settings::Bytes;

/// Two tasks between the dummies.
const STG: &str = "  2
  0  0  0
  1  7  1  0
  2 10  2  0  1
  3  0  2  1  2
# Made for this test
";

const SWF: &str = "\
; Version: 2.2
; Made for this test
  1    0  4  90.5  8  88.21  -1  8  120  -1  1  3  1  -1  1  1 -1 -1
  2   60 -1    -1 16     -1 512 -1   -1  -1  0 -1 -1  -1 -1 -1 -1 -1
  3   60 -1     0 -1     -1 512  4   -1  1024  0 7 -1  -1 -1 -1 -1 -1
";

const WFCOMMONS: &str = r#"{
  "name": "made for this test",
  "schemaVersion": "1.5",
  "workflow": {
    "specification": {
      "tasks": [
        {"name": "split", "id": "s", "parents": [], "children": ["l", "r"],
         "inputFiles": ["in"], "outputFiles": ["a", "b"]},
        {"name": "work", "id": "l", "parents": ["s"], "children": ["j"],
         "inputFiles": ["a"], "outputFiles": ["c"]},
        {"name": "work", "id": "r", "parents": [], "children": [],
         "inputFiles": ["b", "a", "in"], "outputFiles": []},
        {"name": "join", "id": "j", "parents": ["l", "r"], "children": [],
         "inputFiles": ["c", "c"]}
      ],
      "files": [
        {"id": "in", "sizeInBytes": 1000}, {"id": "a", "sizeInBytes": 20},
        {"id": "b", "sizeInBytes": 3}, {"id": "c", "sizeInBytes": 4}
      ]
    },
    "execution": {
      "makespanInSeconds": 9,
      "executedAt": "now",
      "tasks": [
        {"id": "j", "runtimeInSeconds": 0}, {"id": "s", "runtimeInSeconds": 2.774},
        {"id": "l", "runtimeInSeconds": 1e-9}, {"id": "r", "runtimeInSeconds": 3}
      ]
    }
  }
}"#;

const UNIT: Duration = Duration::from_secs(1);

fn edges(graph: &TaskGraph) -> Vec<(u32, u32, u64)> {
    graph.edges().map(|edge| (edge.from, edge.to, edge.data.0)).collect()
}

fn works(graph: &TaskGraph) -> Vec<u64> {
    graph.tasks().map(|task| task.work.as_nanos()).collect()
}

#[test]
fn a_graph_of_the_standard_set_is_read() {
    let graph = stg(STG, Duration::from_nanos(3)).unwrap();
    assert_eq!(works(&graph), [0, 21, 30, 0]);
    assert_eq!(edges(&graph), [(0, 1, 0), (0, 2, 0), (1, 2, 0), (1, 3, 0), (2, 3, 0)]);
    assert_eq!(graph.task(2).name, "2");
}

#[test]
fn arrivals_are_read() {
    let first = Arrival {
        job: 1,
        submit: Duration::ZERO,
        run: Some(Duration::from_millis(90_500)),
        processors: Some(8),
        user: Some(3),
        memory: None,
    };
    // What it asked for is not known: what it got is.
    let second = Arrival {
        job: 2,
        submit: Duration::from_secs(60),
        run: None,
        processors: Some(16),
        user: None,
        memory: Some(Bytes(512 << 10)),
    };
    let third = Arrival {
        job: 3,
        submit: Duration::from_secs(60),
        run: Some(Duration::ZERO),
        processors: Some(4),
        user: Some(7),
        memory: Some(Bytes(1 << 20)),
    };
    assert_eq!(swf(SWF), Ok(vec![first, second, third]));
    assert_eq!(swf("; nothing\n\n"), Ok(Vec::new()));
}

#[test]
fn a_workflow_is_read() {
    let graph = wfcommons(WFCOMMONS).unwrap();
    let names: Vec<_> = graph.tasks().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["s", "l", "r", "j"]);
    assert_eq!(works(&graph), [2_774_000_000, 1, 3_000_000_000, 0]);
    // What only one side tells counts, too; so does a file once that is named twice.
    assert_eq!(edges(&graph), [(0, 1, 20), (0, 2, 23), (1, 3, 4), (2, 3, 0)]);
    let later = WFCOMMONS.replace(r#""1.5""#, r#""1.6""#);
    assert_eq!(wfcommons(&later), Ok(graph));
}

/// What a text becomes, what it says of that.
fn told<T: std::fmt::Debug>(result: Result<T, ImportError>) -> String {
    result.expect_err("an error").to_string()
}

#[test]
fn a_damaged_graph_of_the_standard_set_is_told_by_line_and_column() {
    for (from, to, expected) in [
        (STG, "", "line 1, column 1: there is nothing, expected the number of tasks"),
        ("  2\n", "  two\n", "line 1, column 3: `two`, expected the number of tasks"),
        ("  2\n", "  2 5\n", "line 1, column 5: `5`, expected the end of the line"),
        ("  2\n", "  999999\n", "line 1, column 3: `999999`, expected at most 999998 tasks"),
        ("  2\n", "  3\n", "line 6, column 1: the text ends after 4 tasks, expected 5"),
        ("  2\n", "  1\n", "line 5, column 1: there is one more line, expected 3 tasks only"),
        ("1  7", "2  7", "line 3, column 3: `2`, expected task 1, for tasks are numbered in order"),
        ("1  7", "1 -7", "line 3, column 5: `-7`, expected a processing time, a whole number"),
        (
            "1  7",
            "1  18446744074",
            "line 3, column 6: `18446744074`, expected a processing time that can be counted in nanoseconds",
        ),
        ("7  1  0", "7", "line 3, column 7: the line ends, expected how many tasks this one needs"),
        ("7  1  0", "7  x", "line 3, column 9: `x`, expected how many tasks this one needs, a whole number"),
        (
            "2  0  1",
            "2  0",
            "line 4, column 13: the line ends, expected 2 tasks that this one needs, found 1",
        ),
        ("2  0  1", "2  0  1  1", "line 4, column 18: `1`, expected the end of the line"),
        ("2  0  1", "2  0  9", "line 4, column 15: there is no task `9`, expected one from 0 to 3"),
        ("2  0  1", "2  0  +1", "line 4, column 15: `+1`, expected the number of a task, 0 to 3"),
        ("2  0  1", "2  0  0", "line 4, column 1: there are two edges from task `0` to task `2`"),
        ("2  0  1", "2  0  2", "line 4, column 1: task `2` needs itself: it lies on a cycle"),
    ] {
        assert!(STG.contains(from), "{from}");
        assert_eq!(told(stg(&STG.replacen(from, to, 1), UNIT)), expected);
    }
    // Counted, not believed.
    let huge = "1\n0 1 99999999999 0";
    let expected =
        "line 2, column 18: the line ends, expected 99999999999 tasks that this one needs, found 1";
    assert_eq!(told(stg(huge, UNIT)), expected);
}

#[test]
fn a_damaged_log_is_told_by_line_and_column() {
    let (run, job) = (" 90.5", "  1    0");
    for (from, to, expected) in [
        (run, " fast", "the run time, a number from 0 on, or -1 if it is not known"),
        (run, " -2.5", "the run time, a number from 0 on, or -1 if it is not known"),
        (run, " 1e10", "the run time, a number from 0 on, or -1 if it is not known"),
        (run, " 9.", "the run time, a number from 0 on, or -1 if it is not known"),
        (run, " 18446744074", "the run time, at most 584 years"),
        ("1  3  1", "1  3.5  1", "the user, a whole number"),
        ("1  3  1", "1  4294967296  1", "the user, at most 4294967295"),
        ("1  1 -1 -1", "1  1 -1 -1 7", "the end of the line"),
        (job, " -1    0", "the job number, which must be known"),
        (job, "  1   -1", "the submit time, which must be known"),
    ] {
        assert!(SWF.contains(from), "{from}");
        let message = told(swf(&SWF.replacen(from, to, 1)));
        assert!(message.starts_with("line 3, column "), "{message}");
        assert!(message.ends_with(&format!(", expected {expected}")), "{message}");
    }
    let cut = "; log\n1 0 4";
    assert_eq!(told(swf(cut)), "line 2, column 6: the line ends, expected the run time, field 4 of 18");
    assert_eq!(
        told(swf("\u{e4}\u{f6}  x")),
        "line 1, column 1: `\u{e4}\u{f6}`, expected the job number, a number from 0 on, or -1 if it is not known"
    );
    let long = "9".repeat(1_000);
    assert!(told(swf(&long)).len() < 200, "a stranger's word is shortened");
}

#[test]
fn a_damaged_workflow_is_told_by_its_place() {
    let tasks = "workflow.specification.tasks";
    for (from, to, expected) in [
        (r#""1.5""#, r#""1.4""#, "schemaVersion: `1.4`, expected `1.5` or `1.6`".to_owned()),
        (r#""1.5""#, "1.5", "line 3, column 22: invalid type: floating point `1.5`, expected a string".into()),
        (r#""id": "l", "#, "", "line 10, column 51: missing field `id`".into()),
        (r#"["s"]"#, r#"["t"]"#, format!("{tasks}[1].parents[0]: `t`, expected the id of one of {tasks}")),
        (r#"["l", "r"]"#, r#"["l", "q"]"#, format!("{tasks}[0].children[1]: `q`, expected the id of one of {tasks}")),
        (
            r#"["l", "r"], "children": []"#,
            r#"["l", "r"], "children": ["j"]"#,
            format!("{tasks}[3]: task `j` needs itself: it lies on a cycle"),
        ),
        (
            r#"["a"], "outputFiles""#,
            r#"["z"], "outputFiles""#,
            format!("{tasks}[1].inputFiles[0]: `z`, expected the id of one of workflow.specification.files"),
        ),
        (
            r#""id": "r", "parents""#,
            r#""id": "l", "parents""#,
            format!("{tasks}[2].id: `l` is the id of {tasks}[1] already, expected another"),
        ),
        (
            r#"{"id": "b""#,
            r#"{"id": "a""#,
            "workflow.specification.files[2].id: `a` is the id of workflow.specification.files[1] already, expected another".into(),
        ),
        (
            r#"{"id": "j", "runtimeInSeconds": 0}, "#,
            "",
            "workflow.execution.tasks: there is no runtime of `j`, expected one of each task".into(),
        ),
        (
            r#"{"id": "j", "run"#,
            r#"{"id": "s", "run"#,
            "workflow.execution.tasks[1].id: `s` comes twice, expected once".into(),
        ),
        (
            r#"{"id": "j", "run"#,
            r#"{"id": "k", "run"#,
            format!("workflow.execution.tasks[0].id: `k`, expected the id of one of {tasks}"),
        ),
        (
            "2.774",
            "-2.774",
            "workflow.execution.tasks[1].runtimeInSeconds: -2.774, expected seconds, at least 0".into(),
        ),
        (
            "2.774",
            "1e11",
            "workflow.execution.tasks[1].runtimeInSeconds: 100000000000, expected seconds, at least 0".into(),
        ),
    ] {
        assert!(WFCOMMONS.contains(from), "{from}");
        let damaged = WFCOMMONS.replacen(from, to, 1);
        assert_eq!(told(wfcommons(&damaged)), expected);
    }
    let sizes = WFCOMMONS.replace("20", &u64::MAX.to_string());
    let expected = format!(
        "{tasks}[2].inputFiles: the files together are larger than can be counted, expected less than 16 EiB"
    );
    assert_eq!(told(wfcommons(&sizes)), expected);
    let cut = &WFCOMMONS[..90];
    assert!(told(wfcommons(cut)).starts_with("line 5, column "), "{}", told(wfcommons(cut)));
    assert!(told(wfcommons(&"[".repeat(100_000))).starts_with("line 1, column "));
}

/// A text in which every task hands every file to every other would take hours to read.
#[test]
fn too_many_files_in_common_are_refused_at_once() {
    let list = |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<_>>().join(",");
    let names = |count: usize| list(&mut (0..count).map(|nth| format!("\"{nth}\"")));
    let givers = names(410);
    let files = names(400);
    let giver = |nth| format!(r#"{{"id":"{nth}","parents":[],"children":[],"outputFiles":[{files}]}}"#);
    let taker =
        |nth| format!(r#"{{"id":"t{nth}","parents":[{givers}],"children":[],"inputFiles":[{files}]}}"#);
    let tasks = list(&mut (0..410).map(giver).chain((0..410).map(taker)));
    let runs = (0..410).map(|nth| format!("{nth}")).chain((0..410).map(|nth| format!("t{nth}")));
    let runs = list(&mut runs.map(|id| format!(r#"{{"id":"{id}","runtimeInSeconds":1}}"#)));
    let sizes = list(&mut (0..400).map(|nth| format!(r#"{{"id":"{nth}","sizeInBytes":1}}"#)));
    let text = format!(
        r#"{{"schemaVersion":"1.5","workflow":{{"specification":{{"tasks":[{tasks}],"files":[{sizes}]}},
        "execution":{{"tasks":[{runs}]}}}}}}"#
    );
    let expected = "workflow.specification.tasks: 67240000 files to compare, expected at most 67108864";
    assert_eq!(told(wfcommons(&text)), expected);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[ 0-9.#;\\-\n\\[\\]{}\",:a-z]{0,200}|.{0,60}") {
        let _ = (stg(&text, UNIT), swf(&text), wfcommons(&text));
    }

    /// Numbers where numbers belong, so that what is read gets further.
    #[test]
    fn any_numbers_are_read_or_refused(count in 0..6_u64, rows in proptest::collection::vec(
        proptest::collection::vec(prop_oneof![0..8_u64, any::<u64>()], 0..20), 0..8)) {
        let lines = rows.iter().enumerate().map(|(index, row)| {
            let words = row.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
            format!("{index} {words}\n")
        });
        let lines: String = lines.collect();
        let _ = (stg(&format!("{count}\n{lines}"), UNIT), swf(&lines));
    }
}
