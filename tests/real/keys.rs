//! Keys are replaced and taken out while a cluster runs.

use serde_json::Value;

use crate::bed::{Bed, Told, within};

const ALL: [u32; 5] = [0, 1, 2, 3, 4];

impl Bed {
    fn key(&self, node: u32, arguments: &[&str]) -> Told {
        let api = self.nodes()[node as usize].file.api.listen.clone().expect("a door").to_string();
        let command = ["key"].iter().chain(arguments).copied();
        self.seedbed(command.chain(["--api", api.as_str(), "--token-file", "five/token"]))
    }

    fn members(&self, node: u32) -> Option<Value> {
        self.ask(node, "/api/v1/members")
    }

    fn public(&self, node: u32) -> String {
        self.seedbed(["key", "show", &format!("five/n{node}/key")]).out.trim().to_owned()
    }
}

/// Whether a node holds both lanes to a peer.
fn is_linked(bed: &Bed, node: u32, peer: u32) -> Option<bool> {
    let status = bed.status(node)?;
    let link = status["links"].as_array()?.iter().find(|link| link["peer"] == peer)?.clone();
    Some(["control", "bulk"].iter().all(|lane| link["lanes"][lane]["up"] == true))
}

#[test]
fn a_revoked_member_is_out_everywhere_and_stays_out() {
    let mut bed = Bed::up("revoke", &[]);
    let (leader, _) = bed.leader(&ALL, |_, _| true);
    let gone = (leader + 1) % 5;
    let rest: Vec<u32> = ALL.into_iter().filter(|node| *node != gone).collect();
    let (name, away) = (format!("n{gone}"), rest[3]);
    within("all links", || rest.iter().all(|node| is_linked(&bed, *node, gone) == Some(true)).then_some(()));

    // One of them is away, and is told when it is back.
    bed.kill(away);
    let told = bed.key(rest[0], &["revoke", &name]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.out.contains(&bed.public(gone)) && told.out.contains(&format!("n{away}")), "{told:?}");
    bed.restart(away);
    for node in &rest {
        within("the revocation to be known", || {
            let members = bed.members(*node)?;
            (members["members"][gone.to_string()]["keys"] == serde_json::json!({})).then_some(())
        });
        within("the connections to end", || (is_linked(&bed, *node, gone) == Some(false)).then_some(()));
    }
    bed.leader(&rest, |leader, _| leader != gone);
    let again = bed.key(rest[0], &["revoke", &name]);
    assert_eq!((again.code, again.out.contains("no key any more")), (Some(0), true), "{again:?}");

    // Neither with its own restart, nor with that of the others.
    bed.seedbed(["down", "--dir", "five"]);
    let up = bed.seedbed(["up", "five.toml", "--dir", "five", "--detach"]);
    assert_eq!(up.code, Some(0), "{up:?}");
    bed.leader(&rest, |leader, _| leader != gone);
    within("the revoked one to be turned away", || {
        let log = bed.read(&format!("five/n{}/log", rest[0]));
        log.rsplit("stopped\n").next().filter(|life| life.contains("handshake with"))?;
        Some(())
    });
    assert!(rest.iter().all(|node| is_linked(&bed, *node, gone) != Some(true)));
}

#[test]
fn a_key_is_replaced_while_its_node_runs_on() {
    let bed = Bed::up("rotate", &[]);
    let before = bed.leader(&ALL, |_, _| true);
    let node = (before.0 + 1) % 5;
    let old = bed.public(node);
    let told = bed.key(node, &["rotate", "--overlap", "2s"]);
    assert_eq!((told.code, told.out.contains(&old)), (Some(0), true), "{told:?}");
    let new = within("the new key in its file", || Some(bed.public(node)).filter(|key| *key != old));
    assert!(told.out.contains(&new), "{told:?}");
    for other in ALL {
        within("the end of the old key", || {
            let roster = bed.members(other)?;
            let keys = roster["members"][node.to_string()]["keys"].as_object()?;
            (keys.len() == 1 && keys.contains_key(&new)).then_some(())
        });
        if other != node {
            within("connections with the new key", || {
                let lanes = is_linked(&bed, other, node)? && is_linked(&bed, node, other)?;
                lanes.then_some(())
            });
        }
    }
    assert_eq!(bed.status(node).unwrap()["life"], 0, "it was not started again");
    bed.seedbed(["down", "--dir", "five"]);
    let up = bed.seedbed(["up", "five.toml", "--dir", "five", "--detach"]);
    assert_eq!(up.code, Some(0), "{up:?}");
    bed.leader(&ALL, |_, term| term > before.1);
    let again = bed.key(node, &["rotate", "--overlap", "1h"]);
    assert_eq!(again.code, Some(0), "a second time, from files that are written anew: {again:?}");
}

#[test]
fn what_cannot_be_done_with_keys_is_said() {
    let bed = Bed::up("wrong-keys", &["--set", "nodes=2"]);
    bed.leader(&[0, 1], |_, _| true);
    let unknown = "a".repeat(52);
    for (arguments, code, expected) in [
        (&["revoke", "n9"][..], 2, "n9 is no member"),
        (&["revoke", "n0"], 2, "ask another member"),
        (&["revoke", "somebody"], 2, "neither a member, such as n2, nor a public key"),
        (&["revoke", &unknown], 2, "is no key of a member"),
        (&["rotate", "--overlap", "0s"], 2, "expected 1 to"),
        (&["list"], 0, "votes"),
    ] {
        let told = bed.key(0, arguments);
        assert_eq!(told.code, Some(code), "{arguments:?}: {told:?}");
        assert!(told.err.contains(expected) || told.out.contains(expected), "{arguments:?}: {told:?}");
    }
    let api = bed.nodes()[0].file.api.listen.clone().expect("a door").to_string();
    bed.write("wrong", "sesame-sesame-sesame");
    for entry in [&["--token-file", "wrong"][..], &[]] {
        let told = bed.seedbed(["key", "revoke", "n1", "--api", &api].iter().chain(entry));
        assert_eq!((told.code, told.err.contains("token")), (Some(2), true), "{told:?}");
    }
    assert_eq!(bed.members(0).unwrap()["revoked"], serde_json::json!([]));
}
