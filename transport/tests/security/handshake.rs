//! Who is not on the list is refused in the handshake, whoever dials.

use std::sync::Arc;

use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::{AlertDescription, ClientConfig, Error};
use seedbed_core::contract::NodeId;
use seedbed_transport::identity::{
    ALPN_JOIN, ALPN_PEER, ALPN_ROSTER, Arrival, Caller, Entrance, Trust, client_config, dialling, peer_key,
};

use crate::bed::{Met, key, meet, roster};

fn dials(seed: u8, roster: &[(u32, u8)], node: u32) -> Arc<ClientConfig> {
    client_config(&key(seed), &crate::bed::roster(roster), NodeId(node)).unwrap()
}

fn entrance(seed: u8, members: &[(u32, u8)]) -> Entrance {
    Entrance::new(&key(seed), &roster(members)).unwrap()
}

const BOTH: &[(u32, u8)] = &[(0, 10), (1, 11)];

/// What went wrong in TLS.
fn cause(error: &std::io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

#[tokio::test]
async fn members_know_each_other() {
    let Met { dialler, acceptor } = meet(&entrance(10, BOTH), &dials(11, BOTH, 0)).await;
    let dialler = dialler.unwrap();
    assert_eq!(peer_key(dialler.get_ref().1), Some(key(10).public()));
    assert_eq!(dialler.get_ref().1.alpn_protocol(), Some(ALPN_PEER));
    match acceptor.unwrap() {
        Arrival::Peer(node, peer, _) => assert_eq!((node, peer), (NodeId(1), key(11).public())),
        Arrival::Errand(errand) => panic!("a member was taken for {errand:?}"),
    }
}

#[tokio::test]
async fn an_unknown_key_that_dials_is_refused_in_the_handshake() {
    let Met { dialler, acceptor } = meet(&entrance(10, BOTH), &dials(99, BOTH, 0)).await;
    let refused = acceptor.unwrap_err();
    assert!(matches!(cause(&refused), Some(Error::InvalidCertificate(_))), "{refused:?}");
    let told = dialler.unwrap_err();
    assert!(matches!(cause(&told), Some(Error::AlertReceived(_))), "{told:?}");
}

#[tokio::test]
async fn an_unknown_key_that_is_dialled_is_refused_in_the_handshake() {
    let Met { dialler, acceptor } = meet(&entrance(99, BOTH), &dials(11, BOTH, 0)).await;
    let refused = dialler.unwrap_err();
    assert!(matches!(cause(&refused), Some(Error::InvalidCertificate(_))), "{refused:?}");
    let told = acceptor.unwrap_err();
    assert!(matches!(cause(&told), Some(Error::AlertReceived(_))), "{told:?}");
}

#[tokio::test]
async fn a_member_that_is_not_the_one_dialled_is_refused() {
    let three = &[(0, 10), (1, 11), (2, 12)];
    let Met { dialler, acceptor } = meet(&entrance(12, three), &dials(11, three, 0)).await;
    assert!(matches!(cause(&dialler.unwrap_err()), Some(Error::InvalidCertificate(_))));
    assert!(acceptor.is_err());
}

#[tokio::test]
async fn what_neither_speaks_is_refused() {
    let config = dialling(&key(11), Trust::Members(roster(BOTH)), b"seedbed/0").unwrap();
    let Met { dialler, acceptor } = meet(&entrance(10, BOTH), &config).await;
    let told = dialler.unwrap_err();
    let expected = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    assert_eq!(cause(&told), Some(&expected));
    assert!(acceptor.is_err());
}

#[tokio::test]
async fn a_stranger_may_speak_only_to_join() {
    let join = |alpn| dialling(&key(99), Trust::Keys([key(10).public()].into()), alpn).unwrap();
    let met = meet(&entrance(10, BOTH), &join(ALPN_JOIN)).await;
    match met.acceptor.unwrap() {
        Arrival::Errand(errand) => assert_eq!(errand.who(), Caller::Joiner(key(99).public())),
        Arrival::Peer(..) => panic!("a stranger was taken for a member"),
    }
    // Nor to tell what only members tell.
    assert!(meet(&entrance(10, BOTH), &join(ALPN_ROSTER)).await.acceptor.is_err());
    // Who offers both is treated as a member, and this one is none.
    let mut both = (*join(ALPN_JOIN)).clone();
    both.alpn_protocols.push(ALPN_PEER.to_vec());
    assert!(meet(&entrance(10, BOTH), &Arc::new(both)).await.acceptor.is_err());
}

#[tokio::test]
async fn a_revoked_key_does_not_come_back_through_resumption() {
    let roster = roster(BOTH);
    let entrance = Entrance::new(&key(10), &roster).unwrap();
    // A dialler that would resume if it could.
    let mut eager = (*client_config(&key(11), &roster, NodeId(0)).unwrap()).clone();
    eager.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(8)));
    let eager = Arc::new(eager);
    for _ in 0..2 {
        let met = meet(&entrance, &eager).await;
        assert!(met.acceptor.is_ok());
        let kind = met.dialler.unwrap().get_ref().1.handshake_kind();
        assert_eq!(kind, Some(rustls::HandshakeKind::Full), "a session was resumed");
    }
    roster.revoke(&key(11).public());
    let met = meet(&entrance, &eager).await;
    assert!(matches!(cause(&met.acceptor.unwrap_err()), Some(Error::InvalidCertificate(_))));
}
