//! Leaders die, or are cut off, and there is a new one each time: never two of one term, never a vote given twice.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::bed::{Bed, within};

const ALL: [u32; 5] = [0, 1, 2, 3, 4];

#[test]
fn a_killed_leader_is_followed_by_another_and_follows_it_when_it_is_back() {
    const ROUNDS: u32 = 20;
    let mut bed = Bed::up("kills", &[]);
    let (mut leader, mut term) = bed.leader(&ALL, |_, _| true);
    for round in 0..ROUNDS {
        bed.kill(leader);
        let others: Vec<u32> = ALL.into_iter().filter(|node| *node != leader).collect();
        let (next, later) = bed.leader(&others, |next, later| next != leader && later > term);
        bed.restart(leader);
        let back = within("the old leader to follow", || {
            let status = bed.status(leader)?;
            (status["role"] == "follower" && status["facts"]["leader"] != "none").then_some(status)
        });
        assert!(back["life"].as_u64() > Some(0), "round {round}: {back}");
        (leader, term) = bed.leader(&ALL, |_, now| now >= later);
        assert!(term >= later, "round {round}: n{next} led in term {later}, now it is {term}");
    }
    check_votes(&bed);
    assert!(leaders(&bed).len() > ROUNDS as usize);
}

#[test]
fn a_leader_that_is_cut_off_gives_up_and_follows_when_it_is_healed() {
    const ROUNDS: u32 = 5;
    let bed = Bed::up("cuts", &["--set", "faults=true"]);
    let (mut leader, mut term) = bed.leader(&ALL, |_, _| true);
    for _ in 0..ROUNDS {
        let others: Vec<u32> = ALL.into_iter().filter(|node| *node != leader).collect();
        bed.cut(leader, &others);
        let (_, later) = bed.leader(&others, |next, later| next != leader && later > term);
        within("the old leader to give up", || {
            bed.status(leader).filter(|status| status["role"] != "leader")
        });
        bed.cut(leader, &[]);
        (leader, term) = bed.leader(&ALL, |_, now| now >= later);
    }
    check_votes(&bed);
    assert!(leaders(&bed).len() > ROUNDS as usize);
}

/// Who has ever led, by term. No term has two.
fn leaders(bed: &Bed) -> BTreeMap<u64, u32> {
    let mut leaders = BTreeMap::new();
    for (node, events) in bed.events() {
        for event in events.iter().filter(|event| event["kind"] == "notice") {
            if let Some(term) = event["what"]["Leading"]["term"].as_u64() {
                let first = *leaders.entry(term).or_insert(node);
                assert_eq!(first, node, "two leaders of term {term}");
            }
        }
    }
    leaders
}

/// No node has ever written down two votes of one term, and who led had votes of a majority.
fn check_votes(bed: &Bed) {
    let mut votes: BTreeMap<(u32, u64), u64> = BTreeMap::new();
    for (node, events) in bed.events() {
        assert!(!events.is_empty(), "n{node} has told nothing");
        for record in events.iter().flat_map(records) {
            let (Some(term), Some(choice)) = (record["term"].as_u64(), record["voted_for"].as_u64()) else {
                continue;
            };
            let first = *votes.entry((node, term)).or_insert(choice);
            assert_eq!(first, choice, "n{node} voted twice in term {term}");
        }
    }
    for (term, leader) in leaders(bed) {
        let own = votes.get(&(leader, term));
        assert_eq!(own, Some(&u64::from(leader)), "n{leader} led in term {term} without its own vote");
    }
}

/// The records that an event tells of.
fn records(event: &Value) -> Vec<&Value> {
    match event["kind"].as_str() {
        Some("record") => vec![&event["what"]],
        Some("checkpoint") => event["what"]["records"].as_array().into_iter().flatten().collect(),
        _ => Vec::new(),
    }
}
