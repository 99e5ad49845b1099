//! A machine joins with a token, once, and only with a token as it was issued.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use seedbed_core::contract::NodeId;
use seedbed_transport::identity::{
    ALPN_JOIN, ALPN_ROSTER, Denied, JoinError, REQUEST_MAX, SecretKey, Token, Trust, Welcome, dialling, join,
    nobody, node_for,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::bed::{Folder, PATIENCE, Server, key, listen, member, registrar, until};

async fn try_join(token: &Token, key: &SecretKey) -> Result<Welcome, JoinError> {
    tokio::time::timeout(PATIENCE, join(token, key, "127.0.0.1:7300")).await.expect("joining hangs")
}

fn altered(mut token: Token, alter: impl FnOnce(&mut Token)) -> Token {
    alter(&mut token);
    token
}

async fn denied(token: &Token, joiner: u8) -> Denied {
    match try_join(token, &key(joiner)).await {
        Err(JoinError::Denied(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_machine_joins_without_a_vote_and_learns_who_belongs() {
    let folder = Folder::new("joins");
    let server = Server::alone(&folder).await;
    let line = server.token().to_string();
    let welcome = try_join(&line.parse().unwrap(), &key(20)).await.unwrap();
    assert_eq!(welcome.node, node_for(&key(20).public()));
    assert!(welcome.node >= NodeId(1 << 16));
    assert_eq!((welcome.members.len(), welcome.settings.as_str()), (1, "protocol = \"raft\"\n"));
    let membership = server.registrar.roster().membership();
    assert_eq!((&*membership.voters, &*membership.others), (&[NodeId(0)][..], &[welcome.node][..]));
    assert_eq!(server.registrar.roster().member(welcome.node).unwrap().address, "127.0.0.1:7300");
}

#[tokio::test]
async fn a_token_lets_in_one_machine_even_across_a_restart() {
    let folder = Folder::new("once");
    let server = Server::alone(&folder).await;
    let token = server.token();
    try_join(&token, &key(20)).await.unwrap();
    assert_eq!(denied(&token, 21).await, Denied::Used);
    assert_eq!(denied(&token, 20).await, Denied::Used);
    drop(server);
    let (listener, address) = listen().await;
    let again = Server::start(registrar(&folder, 0, 10, vec![member(0, 10)]), 10, listener);
    assert_eq!(again.registrar.roster().node_of(&key(20).public()), Some(node_for(&key(20).public())));
    assert_eq!(denied(&altered(token, |token| token.address = address), 21).await, Denied::Used);
}

#[tokio::test]
async fn two_at_once_with_one_token_are_not_both_let_in() {
    let folder = Folder::new("race");
    let server = Server::alone(&folder).await;
    let (token, one, other) = (server.token(), key(20), key(21));
    let (one, other) = tokio::join!(try_join(&token, &one), try_join(&token, &other));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
}

#[tokio::test]
async fn a_token_that_has_expired_is_refused() {
    let folder = Folder::new("expired");
    let server = Server::alone(&folder).await;
    assert_eq!(denied(&server.token_for(crate::bed::CLUSTER, Duration::ZERO), 20).await, Denied::Expired);
}

#[tokio::test]
async fn a_token_for_another_cluster_is_refused() {
    let folder = Folder::new("elsewhere");
    let server = Server::alone(&folder).await;
    let elsewhere = server.token_for("other", Duration::from_secs(600));
    assert_eq!(denied(&elsewhere, 20).await, Denied::OtherCluster);
    let mut renamed = elsewhere;
    renamed.grant.cluster = crate::bed::CLUSTER.into();
    assert_eq!(denied(&renamed, 20).await, Denied::Forged);
}

#[tokio::test]
async fn a_token_that_was_altered_is_refused() {
    let folder = Folder::new("altered");
    let server = Server::alone(&folder).await;
    let mut longer = server.token();
    longer.grant.until += 1;
    assert_eq!(denied(&longer, 20).await, Denied::Forged);
    let (one, other) = (server.token(), server.token());
    assert_eq!(denied(&altered(other, |token| token.grant = one.grant), 20).await, Denied::Forged);
    // Another node of the same cluster did not issue it.
    let elsewhere = Folder::new("altered-other");
    let (listener, address) = listen().await;
    let another = Server::start(registrar(&elsewhere, 1, 11, vec![member(1, 11)]), 11, listener);
    let (foreign, own) = (server.token(), another.token());
    let redirected = altered(foreign, |token| (token.server, token.address) = (own.server, address));
    assert_eq!(denied(&redirected, 20).await, Denied::Forged);
    assert_eq!(server.registrar.roster().members().len(), 1);
}

#[tokio::test]
async fn a_joiner_speaks_with_no_other_server_than_the_tokens() {
    let folder = Folder::new("pinned");
    let server = Server::alone(&folder).await;
    let impostor = altered(server.token(), |token| token.server = key(98).public());
    let refused = try_join(&impostor, &key(20)).await.unwrap_err();
    assert!(matches!(refused, JoinError::Failed(_)), "{refused:?}");
    assert!(refused.to_string().contains("no node with the key that the token names"), "{refused}");
    assert_eq!(server.registrar.roster().members().len(), 1);
}

#[tokio::test]
async fn a_member_and_a_revoked_key_cannot_join() {
    let folder = Folder::new("known");
    let server = Server::alone(&folder).await;
    assert_eq!(denied(&server.token(), 10).await, Denied::Taken);
    server.registrar.revoke(&[key(20).public()]).unwrap();
    let token = server.token();
    assert_eq!(denied(&token, 20).await, Denied::Taken);
    // Nobody has come in with it, so it is still good.
    try_join(&token, &key(21)).await.unwrap();
}

#[tokio::test]
async fn other_members_hear_of_a_new_one_and_remember_it() {
    let folder = Folder::new("told");
    let (listeners, members) = three().await;
    let mut servers = Vec::new();
    for (node, listener) in (0..).zip(listeners) {
        let seed = 10 + node as u8;
        servers.push(Server::start(registrar(&folder, node, seed, members.clone()), seed, listener));
    }
    let welcome = try_join(&servers[1].token(), &key(20)).await.unwrap();
    for server in &servers {
        until(server.registrar.roster(), |roster| roster.node_of(&key(20).public()) == Some(welcome.node))
            .await;
        // What is heard is in force a moment before it is on disk; this waits for that.
        assert_eq!(server.registrar.statements().len(), 1);
    }
    drop(servers);
    let again = registrar(&folder, 2, 12, members);
    assert_eq!(again.roster().node_of(&key(20).public()), Some(welcome.node));
}

#[tokio::test]
async fn a_member_that_was_away_hears_of_it_later() {
    let folder = Folder::new("late");
    let (mut listeners, members) = three().await;
    let (late, _, first) = (listeners.pop().unwrap(), listeners.pop(), listeners.pop().unwrap());
    let server = Server::start(registrar(&folder, 0, 10, members.clone()), 10, first);
    try_join(&server.token(), &key(20)).await.unwrap();
    let late = Server::start(registrar(&folder, 2, 12, members), 12, late);
    until(late.registrar.roster(), |roster| roster.node_of(&key(20).public()).is_some()).await;
}

async fn three() -> (Vec<tokio::net::TcpListener>, Vec<seedbed_transport::identity::Member>) {
    let (mut listeners, mut members) = (Vec::new(), Vec::new());
    for node in 0..3u8 {
        let (listener, address) = listen().await;
        let mut member = member(node.into(), 10 + node);
        member.address = address;
        listeners.push(listener);
        members.push(member);
    }
    (listeners, members)
}

/// A stranger on the connection of those who want to join, with words of his own.
async fn stranger(server: &Server) -> TlsStream<TcpStream> {
    let trust = Trust::Keys([key(10).public()].into());
    let config = dialling(&key(20), trust, ALPN_JOIN).unwrap();
    let stream = TcpStream::connect(&server.address).await.unwrap();
    TlsConnector::from(config).connect(nobody(), stream).await.unwrap()
}

/// What comes until the other end hangs up, however it does that.
async fn rest(mut stream: TlsStream<TcpStream>) -> Vec<u8> {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    let _ = read.expect("the server does not hang up");
    rest
}

#[tokio::test]
async fn a_joiner_with_too_much_to_say_is_cut_off() {
    let folder = Folder::new("long");
    let server = Server::alone(&folder).await;
    for length in [REQUEST_MAX as u32 + 1, u32::MAX] {
        let mut stream = stranger(&server).await;
        stream.write_all(&length.to_le_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        assert!(rest(stream).await.len() < 16, "more than a refusal");
    }
    try_join(&server.token(), &key(20)).await.unwrap();
}

#[tokio::test]
async fn nonsense_from_a_joiner_is_refused() {
    let folder = Folder::new("nonsense");
    let server = Server::alone(&folder).await;
    for body in [vec![], vec![0xff; REQUEST_MAX], vec![0; 100]] {
        let mut stream = stranger(&server).await;
        stream.write_all(&(body.len() as u32).to_le_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        stream.flush().await.unwrap();
        assert!(rest(stream).await.len() < 16, "more than a refusal");
    }
    assert_eq!(server.registrar.roster().members().len(), 1);
}

#[tokio::test]
async fn a_joiner_that_dawdles_is_cut_off() {
    let folder = Folder::new("slow");
    let server = Server::alone(&folder).await;
    let mut stream = stranger(&server).await;
    stream.write_all(&[200, 0]).await.unwrap();
    stream.flush().await.unwrap();
    assert!(rest(stream).await.is_empty());
}

#[tokio::test]
async fn strangers_who_dawdle_keep_no_member_from_telling() {
    let folder = Folder::new("crowd");
    let server = Server::alone(&folder).await;
    server.registrar.roster().insert(member(1, 11)).unwrap();
    let mut strangers = FuturesUnordered::new();
    for _ in 0..32 {
        strangers.push(rest(stranger(&server).await));
    }
    // There is no room for one of them, and so for none of its kind.
    strangers.next().await;
    let trust = Trust::Keys([key(10).public()].into());
    let config = dialling(&key(11), trust, ALPN_ROSTER).unwrap();
    let stream = TcpStream::connect(&server.address).await.unwrap();
    let mut stream = TlsConnector::from(config).connect(nobody(), stream).await.unwrap();
    // No statements, and no revoked keys.
    stream.write_all(&[2, 0, 0, 0, 0, 0]).await.unwrap();
    stream.flush().await.unwrap();
    assert!(rest(stream).await.len() > 4, "the member is not heard");
}
