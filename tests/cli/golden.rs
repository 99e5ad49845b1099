//! Golden digests: what these nine scenarios come to, event by event, is fixed. Debug and release builds and every
//! machine must give the same; CI runs this test in both builds.
//!
//! The digests change only in a commit that raises `MODEL_VERSION` and says why. A failure prints the table as it would
//! have to be: `cargo test --test cli golden`.

use std::fmt::Write as _;
use std::path::Path;

use crate::bed::Bed;

/// The model version that the digests belong to.
const MODEL_VERSION: u32 = 4;

/// For each scenario of `tests/golden/` its digests: all seeds of the first point, then of the next.
const GOLDEN: [(&str, &[&str]); 9] = [
    ("raft", &["acfbcaa9799540c8", "3df7b249134af6bd"]),
    ("regions", &["c4280ba948bbb294", "6f6f4f6fa900e5c7", "10a8220e6e86c4f0", "41d3efc3a98e44f1"]),
    ("documents", &["b54794e9cd556de1", "bd12d2006701186a", "e94c9d745bfde05d", "ab45f297e63cc65e"]),
    ("chunks", &["7868a4348c4d92bc", "ae3344177db26ae7"]),
    ("network", &["25499dc0b63022b1", "5f7e988a0add0dc1"]),
    ("clocks", &["07cb19a18feee6f3", "b28f99cbdd3f0052"]),
    ("distri", &["6e61b3a9ba9a8526", "6ad49e4f7b885053", "188c0b7538705e47", "042fd453abcd6c89"]),
    (
        "districloud",
        &["de1e6340f159a1db", "afe5f7d668682251", "59f98df58ca45deb", "e222ead04b7ffbc4", "e0b8de96530066f6"],
    ),
    (
        "scheduler",
        &[
            "be056ab9eabb40e8",
            "8576af0a52141551",
            "1c2e476ab5fb615f",
            "4f980846d4a82a5a",
            "707a9bf1d7fef626",
            "e7fc4d99e2039250",
            "0efa5d2556be61e5",
        ],
    ),
];

#[test]
fn digests_are_golden() {
    let bed = Bed::new("golden");
    let mut table = String::new();
    for (name, _) in GOLDEN {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.toml"));
        bed.run(&file.display().to_string(), name, &[]);
        let runs = bed.table(&format!("{name}/runs.csv"));
        let digests: Vec<&str> = runs.iter().map(|run| run.get("digest")).collect();
        let _ = writeln!(table, "    (\"{name}\", &{digests:?}),");
    }
    let expected: String =
        GOLDEN.iter().map(|(name, digests)| format!("    (\"{name}\", &{digests:?}),\n")).collect();
    let note: serde_json::Value = serde_json::from_str(&bed.read("raft/run.json")).expect("run.json is JSON");
    assert_eq!(note["model"], MODEL_VERSION, "digests belong to a model version");
    assert!(table == expected, "the table as it would have to be:\n{table}");
}
