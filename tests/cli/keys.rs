//! Keys and tokens as a user makes them.

use std::os::unix::fs::PermissionsExt;

use crate::bed::Bed;

const NODE: &str = r#"
cluster = "elections"
epoch = 1
node = 0
protocol = "raft"
listen = "127.0.0.1:7100"

[[member]]
index = 0
address = "127.0.0.1:1"
keys = ["KEY"]
"#;

/// The folder of a node that has a key.
fn node(name: &str) -> Bed {
    let bed = Bed::new(name);
    let made = bed.seedbed(["key", "new"]);
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    bed.write("NODE.toml", NODE.replace("KEY", made.out.trim()));
    bed
}

/// A line of standard output, and nothing else.
fn line(bed: &Bed, arguments: &[&str]) -> String {
    let told = bed.seedbed(arguments.iter().copied());
    assert_eq!((told.code, told.err.as_str(), told.out.lines().count()), (0, "", 1), "{told:?}");
    told.out.trim().into()
}

fn refused(bed: &Bed, arguments: &[&str], why: &str) {
    let told = bed.seedbed(arguments.iter().copied());
    assert_eq!((told.code, told.out.as_str()), (2, ""), "{told:?}");
    assert!(told.err.contains(why), "{why}: {told:?}");
}

#[test]
fn a_key_is_made_once_and_its_public_half_shown() {
    let bed = Bed::new("keys");
    let public = line(&bed, &["key", "new", "my.key"]);
    assert_eq!(line(&bed, &["key", "show", "my.key"]), public);
    assert!(!bed.read("my.key").contains(&public));
    refused(&bed, &["key", "new", "my.key"], "my.key");
    assert_eq!(line(&bed, &["key", "show", "my.key"]), public);
    let open = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(bed.path("my.key"), open).unwrap();
    refused(&bed, &["key", "show", "my.key"], "chmod 600 my.key");
}

#[test]
fn a_token_is_one_line_and_shows_nothing_of_the_key() {
    let bed = node("tokens");
    let (one, other) =
        (line(&bed, &["token", "new"]), line(&bed, &["token", "new", "NODE.toml", "--lasts", "5m"]));
    assert!(one.starts_with("seedbed1-") && one != other);
    let secret = bed.read("key");
    let secret = secret.trim().rsplit(' ').next().unwrap();
    assert!(!one.contains(&secret[..20]));
    refused(&bed, &["token", "new", "NODE.toml", "--lasts", "soon"], "--lasts");
    for lasts in ["0s", "8d"] {
        refused(&bed, &["token", "new", "NODE.toml", "--lasts", lasts], "from 1 s to 7 days");
    }
}

#[test]
fn a_machine_that_cannot_join_is_told_why() {
    let bed = node("strangers");
    let token = line(&bed, &["token", "new"]);
    refused(&bed, &["join", &token[..token.len() - 1], "--dir", "new"], "not the whole of one");
    assert!(!bed.has("new"));
    // Nobody listens there.
    refused(&bed, &["join", &token, "--dir", "new"], "127.0.0.1:1: ");
    assert!(!bed.has("new/NODE.toml"));
    bed.write("new/NODE.toml", "");
    refused(&bed, &["join", &token, "--dir", "new"], "is there already");
}
