//! Published task graphs and logs, against what is published of them; and the same, damaged.

#![expect(clippy::disallowed_methods, reason = "files stand beside the project, not in a scenario's folder")]

mod damage;
mod standard;
mod workflows;

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

/// The contents of a file of the public data beside the project, which a clone alone does not have; unpacked, if it is
/// packed as `.xz`.
fn shared(name: &str) -> Option<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = folder.join(name);
    let Ok(bytes) = fs::read(&path) else {
        assert!(!folder.exists(), "{} is missing, though its folder is there", path.display());
        // Not `eprintln`, which the test harness keeps to itself when a test passes.
        let notice = format!("\nSKIPPED: {} is missing; nothing was compared with it\n", path.display());
        io::stderr().write_all(notice.as_bytes()).expect("stderr is open");
        return None;
    };
    if !name.ends_with(".xz") {
        return Some(bytes);
    }
    let mut unpacked = Vec::new();
    lzma_rust2::XzReader::new(bytes.as_slice(), false).read_to_end(&mut unpacked).expect("packed by xz");
    Some(unpacked)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}
