//! A machine joins a running cluster with one pasted line.

use seedbed::scenarios::deploy::NodePlan;
use seedbed::scenarios::run::Registry;
use serde_json::Value;

use crate::bed::{Bed, within};

const ALL: &[u32] = &[0, 1, 2, 3, 4];

fn token(bed: &Bed, node: u32) -> String {
    let told = bed.seedbed(["token", "new", &format!("five/n{node}/NODE.toml")]);
    assert_eq!((told.code, told.out.lines().count()), (Some(0), 1), "{told:?}");
    told.out.trim().into()
}

/// What a node that joined in this folder says of itself.
fn status(bed: &Bed, folder: &str) -> Option<Value> {
    let plan = NodePlan::load(&bed.path(&format!("{folder}/NODE.toml")), &Registry::ours()).ok()?;
    bed.ask_at(&plan.file.api.listen?.to_string(), "/api/v1/status")
}

/// Once it follows this leader.
fn follows(bed: &Bed, folder: &str, (leader, term): (u32, u64)) -> Value {
    let (leader, term) = (format!("n{leader}"), term.to_string());
    within("the new member to follow", || {
        let status = status(bed, folder)?;
        let facts = &status["facts"];
        (facts["leader"] == leader && facts["term"] == term).then_some(status)
    })
}

#[test]
fn a_machine_joins_follows_and_is_remembered() {
    let mut bed = Bed::up("join", &[]);
    let leader = bed.leader(ALL, |_, _| true);
    let token = token(&bed, 0);
    let joined = bed.spawn(["join", &token, "--dir", "new"], "log");
    let seen = follows(&bed, "new", leader);
    assert_eq!(seen["role"], "follower");
    assert!(seen["node"].as_u64() >= Some(1 << 16), "{seen}");

    let again = bed.seedbed(["join", &token, "--dir", "other"]);
    assert_eq!((again.code, again.err.contains("the token has been used")), (Some(2), true), "{again:?}");

    // Without the one that let it in, and with another leader.
    bed.kill(leader.0);
    let rest: Vec<u32> = ALL.iter().copied().filter(|node| *node != leader.0).collect();
    let next = bed.leader(&rest, |_, term| term > leader.1);
    follows(&bed, "new", next);

    // Everybody remembers it, and it remembers everybody.
    bed.child(joined).ask_to_stop();
    assert_eq!(bed.end(joined), Some(0), "{}", bed.read("log"));
    bed.seedbed(["down", "--dir", "five"]);
    let up = bed.seedbed(["up", "five.toml", "--dir", "five", "--detach"]);
    assert_eq!(up.code, Some(0), "{up:?}");
    let file = bed.path("new/NODE.toml").display().to_string();
    bed.spawn(["node", &file], "log");
    let leader = bed.leader(ALL, |_, term| term > next.1);
    follows(&bed, "new", leader);
}
