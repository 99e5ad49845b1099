//! A key is replaced while the cluster runs: both are good for a while, then only the new one.

use std::time::Duration;

use seedbed_core::contract::NodeId;
use seedbed_transport::identity::{
    Arrival, Entrance, PublicKey, Refused, Registrar, Roster, Signed, Statement, client_config,
};

use crate::bed::{CLUSTER, Folder, Server, key, listen, meet, member, registrar, until};

fn open(folder: &Folder, node: u32, seed: u8) -> Registrar {
    registrar(folder, node, seed, vec![member(0, 10), member(1, 11)])
}

/// Whether a node that shows this key is let in as node 1.
async fn comes_in(roster: &Roster, seed: u8) -> bool {
    let entrance = Entrance::new(&key(10), roster).unwrap();
    let config = client_config(&key(seed), roster, NodeId(0)).unwrap();
    let met = meet(&entrance, &config).await;
    matches!(met.acceptor, Ok(Arrival::Peer(NodeId(1), _, _)))
}

#[tokio::test]
async fn both_keys_are_good_for_the_overlap() {
    let folder = Folder::new("overlap");
    let node = open(&folder, 1, 11);
    node.rotate(&key(31).public(), Duration::from_secs(3600)).unwrap();
    assert!(comes_in(node.roster(), 11).await && comes_in(node.roster(), 31).await);
    let again = open(&folder, 1, 31);
    assert!(comes_in(again.roster(), 11).await && comes_in(again.roster(), 31).await);
}

#[tokio::test]
async fn then_only_the_new_one_is() {
    let folder = Folder::new("after");
    let node = open(&folder, 1, 11);
    let roster = node.roster().clone();
    let old = key(11).public();
    let lost = async { tokio::time::timeout(crate::bed::PATIENCE, roster.lost(NodeId(1), &old)).await };
    node.rotate(&key(31).public(), Duration::from_secs(1)).unwrap();
    lost.await.expect("live connections with the old key are not ended");
    assert!(!comes_in(&roster, 11).await && comes_in(&roster, 31).await);
    assert!(!comes_in(open(&folder, 1, 31).roster(), 11).await, "it came back with a restart");
}

#[tokio::test]
async fn the_other_members_hear_of_it() {
    let folder = Folder::new("spread");
    let (mut members, mut servers) = (vec![member(0, 10), member(1, 11)], Vec::new());
    let (here, there) = (listen().await, listen().await);
    (members[0].address, members[1].address) = (here.1, there.1);
    for (node, listener) in [(0, here.0), (1, there.0)] {
        let seed = 10 + node as u8;
        servers.push(Server::start(registrar(&folder, node, seed, members.clone()), seed, listener));
    }
    servers[1].registrar.rotate(&key(31).public(), Duration::from_secs(3600)).unwrap();
    until(servers[0].registrar.roster(), |roster| roster.node_of(&key(31).public()) == Some(NodeId(1))).await;
}

#[tokio::test]
async fn nobody_rotates_the_key_of_another() {
    let folder = Folder::new("foreign");
    let said = |node, epoch, by| -> Signed {
        let until = u64::MAX;
        let cluster = CLUSTER.to_owned();
        Statement::Rotation { cluster, node: NodeId(node), key: key(31).public(), epoch, until }
            .sign(&key(by))
    };
    let node = open(&folder, 0, 10);
    assert_eq!(node.learn(vec![said(1, 1, 10)]), Err(Refused::Stranger));
    assert_eq!(node.learn(vec![said(1, 1, 99)]), Err(Refused::Stranger));
    assert_eq!(node.learn(vec![said(1, 0, 11)]), Err(Refused::Old));
    let mut forged = said(1, 1, 11);
    forged.statement = said(0, 1, 11).statement;
    assert_eq!(node.learn(vec![forged]), Err(Refused::Forged));
    assert_eq!(node.learn(vec![said(1, 1, 11)]), Ok(1));
    assert_eq!(node.learn(vec![said(1, 1, 11)]), Err(Refused::Old));
}

#[tokio::test]
async fn what_rests_on_a_later_statement_waits_for_it() {
    let folder = Folder::new("order");
    let node = open(&folder, 1, 11);
    let rotation = node.rotate(&key(31).public(), Duration::ZERO).unwrap();
    let cluster = CLUSTER.to_owned();
    let (new, address) = (key(20).public(), "127.0.0.1:7300".to_owned());
    let name = seedbed_transport::identity::node_for(&new);
    let admission = Statement::Admission { cluster, node: name, key: new, address }.sign(&key(31));
    let other = open(&folder, 0, 10);
    assert_eq!(other.learn(vec![admission, rotation]), Ok(2));
    assert_eq!(other.roster().node_of(&new), Some(name));
}

#[tokio::test]
async fn a_revocation_reaches_all_members_and_outlives_who_told_it() {
    let folder = Folder::new("revocation");
    let (mut members, mut servers) = (vec![member(0, 10), member(1, 11), member(2, 12)], Vec::new());
    let places = [listen().await, listen().await];
    for (member, place) in members.iter_mut().zip(&places) {
        member.address.clone_from(&place.1);
    }
    for (node, (listener, _)) in (0..).zip(places) {
        let seed = 10 + node as u8;
        servers.push(Server::start(registrar(&folder, node, seed, members.clone()), seed, listener));
    }
    let gone = key(12).public();
    assert_eq!(servers[0].registrar.revoke(&[gone]), Ok(1));
    assert_eq!(servers[0].registrar.revoke(&[gone]), Ok(0));
    until(servers[1].registrar.roster(), |roster| roster.node_of(&gone).is_none()).await;
    servers[0].registrar.until_told(|behind| behind.is_empty()).await;
    drop(servers);
    // Nobody is left who could say it again.
    let again = registrar(&folder, 1, 11, members);
    assert_eq!((again.roster().node_of(&gone), again.roster().revoked()), (None, vec![gone]));
}

#[tokio::test]
async fn who_has_missed_the_end_of_its_old_key_tells_with_the_new_one() {
    let folder = Folder::new("ended");
    let (mut members, (listener, address)) = (vec![member(0, 10), member(1, 11)], listen().await);
    members[0].address = address;
    let other = Server::start(registrar(&folder, 0, 10, members.clone()), 10, listener);
    let node = registrar(&folder, 1, 11, members);
    // The other has heard already that the old key is over.
    let said = node.rotate(&key(31).public(), Duration::ZERO).unwrap();
    other.registrar.learn(vec![said]).unwrap();
    assert_eq!(other.registrar.roster().node_of(&key(11).public()), None);
    node.speak_next_with(key(31));
    let told = node.until_told(|behind| behind.is_empty());
    tokio::select! {
        () = told => {}
        () = node.spread() => {}
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("nobody takes either key"),
    }
}

#[tokio::test]
async fn who_does_not_vote_revokes_nobody_else() {
    let folder = Folder::new("unheeded");
    let (mut members, places) = (vec![member(0, 10), member(1, 11)], [listen().await, listen().await]);
    (members[0].address, members[1].address) = (places[0].1.clone(), places[1].1.clone());
    members[1].votes = false;
    let mut servers = Vec::new();
    for (node, (listener, _)) in (0..).zip(places) {
        let seed = 10 + node as u8;
        servers.push(Server::start(registrar(&folder, node, seed, members.clone()), seed, listener));
    }
    servers[1].registrar.revoke(&[key(77).public()]).unwrap();
    // What it says of itself is heard on the same errand.
    servers[1].registrar.rotate(&key(31).public(), Duration::from_secs(3600)).unwrap();
    until(servers[0].registrar.roster(), |roster| roster.node_of(&key(31).public()).is_some()).await;
    assert_eq!(servers[0].registrar.roster().revoked(), []);
}

#[tokio::test]
async fn the_new_key_of_a_node_outlives_the_revocation_of_the_old_one() {
    let folder = Folder::new("replaced");
    let node = open(&folder, 0, 10);
    let other = open(&folder, 1, 11);
    let said = other.rotate(&key(31).public(), Duration::from_secs(3600)).unwrap();
    node.learn(vec![said]).unwrap();
    node.revoke(&[key(11).public()]).unwrap();
    for roster in [node.roster(), open(&folder, 0, 10).roster()] {
        assert!(!comes_in(roster, 11).await && comes_in(roster, 31).await);
    }
}

#[test]
fn what_the_disk_did_not_take_is_news_again() {
    let folder = Folder::new("unkept");
    let node = open(&folder, 1, 11);
    let rotation = open(&folder, 1, 11);
    std::fs::remove_dir_all(&folder.0).unwrap();
    let gone = key(10).public();
    assert_eq!(node.revoke(&[gone]), Err(Refused::Unkept));
    assert_eq!(node.roster().node_of(&gone), None, "it is in force");
    let said = rotation.rotate(&key(31).public(), Duration::from_secs(3600));
    assert_eq!(said, Err(Refused::Unkept));

    std::fs::create_dir_all(&folder.0).unwrap();
    assert_eq!(node.revoke(&[gone]), Ok(1));
    assert_eq!(open(&folder, 1, 11).roster().revoked(), [gone]);
}

#[test]
fn no_more_keys_are_revoked_than_there_is_room_for() {
    let folder = Folder::new("revoked-full");
    let node = open(&folder, 1, 11);
    let many: Vec<PublicKey> = (0..5_000_u32)
        .map(|number| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            PublicKey(bytes)
        })
        .collect();
    assert_eq!(node.revoke(&many), Err(Refused::Full));
    assert_eq!(node.roster().revoked(), []);
    // The same key twice is one.
    assert_eq!(node.revoke(&[many[0], many[1], many[0]]), Ok(2));
}
