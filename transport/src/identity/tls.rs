//! TLS as nodes speak it: version 1.3, raw ed25519 keys on both sides (RFC 7250), and nothing that outlives a
//! connection.
//!
//! Resumption is off on both sides, and must stay so: who resumes a session is not asked for a key, so that a revoked
//! one would come back. Names are not sent and mean nothing: a node is its key. What is spoken above is told by ALPN.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, CommonState, DigitallySignedStruct, DistinguishedName, Error,
    PeerMisbehaved, ServerConfig, SignatureScheme,
};
use seedbed_core::contract::NodeId;

use super::{PublicKey, Roster, SecretKey};

/// What peers speak.
pub const ALPN_PEER: &[u8] = b"seedbed/1";
/// What members speak to tell each other about members.
pub const ALPN_ROSTER: &[u8] = b"seedbed-roster/1";
/// What those speak who want to become peers.
pub const ALPN_JOIN: &[u8] = b"seedbed-join/1";

/// What stands before the key in a SubjectPublicKeyInfo (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// Whose keys are good enough at the other end.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those of all members, as they are at the time of the handshake.
    Members(Roster),
    /// Those of one member, as they are at the time of the handshake.
    Member(Roster, NodeId),
    /// These.
    Keys(BTreeSet<PublicKey>),
    /// Any: whoever has one may try to join.
    Anyone,
}

impl Trust {
    fn covers(&self, key: &PublicKey) -> bool {
        match self {
            Self::Members(roster) => roster.node_of(key).is_some(),
            Self::Member(roster, node) => roster.node_of(key) == Some(*node),
            Self::Keys(keys) => keys.contains(key),
            Self::Anyone => true,
        }
    }
}

/// For connections from members: any key of theirs will do.
///
/// # Errors
/// If the TLS library refuses the key; it has no reason to.
pub fn server_config(key: &SecretKey, roster: &Roster) -> Result<Arc<ServerConfig>, Error> {
    serving(key, Trust::Members(roster.clone()), &[ALPN_PEER, ALPN_ROSTER])
}

/// For connections to a member: the key must be one of its own. What the roster says counts when the connection is
/// made, so that the configuration can be kept.
///
/// # Errors
/// As [`server_config`].
pub fn client_config(key: &SecretKey, roster: &Roster, to: NodeId) -> Result<Arc<ClientConfig>, Error> {
    dialling(key, Trust::Member(roster.clone(), to), ALPN_PEER)
}

/// For connections that bring in one of these protocols, from those whom `trust` covers.
///
/// # Errors
/// As [`server_config`].
pub fn serving(key: &SecretKey, trust: Trust, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let own = AlwaysResolvesServerRawPublicKeys::new(certified(key, &provider)?);
    let verifier = Arc::new(Verifier::new(trust, &provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(own));
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// For connections that speak this protocol, to those whom `trust` covers.
///
/// # Errors
/// As [`server_config`].
pub fn dialling(key: &SecretKey, trust: Trust, alpn: &[u8]) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let own = AlwaysResolvesClientRawPublicKeys::new(certified(key, &provider)?);
    let verifier = Arc::new(Verifier::new(trust, &provider));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(own));
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config.enable_early_data = false;
    Ok(Arc::new(config))
}

/// The name that a dialler must give to the TLS library, and that is never sent.
#[must_use]
pub fn nobody() -> ServerName<'static> {
    ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into())
}

/// The key with which the other end has proved itself; none before the handshake is over.
#[must_use]
pub fn peer_key(connection: &CommonState) -> Option<PublicKey> {
    match connection.peer_certificates()? {
        [key] => raw_key(key).ok(),
        _ => None,
    }
}

fn certified(key: &SecretKey, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, Error> {
    let signing = provider.key_provider.load_private_key(PrivatePkcs8KeyDer::from(key.pkcs8()).into())?;
    let public = [&SPKI_PREFIX[..], &key.public().0].concat();
    Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], signing)))
}

fn raw_key(spki: &CertificateDer<'_>) -> Result<PublicKey, Error> {
    let key = spki.strip_prefix(&SPKI_PREFIX).and_then(|key| key.try_into().ok());
    key.map(PublicKey).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))
}

/// Refuses, in the handshake, whoever is not to be trusted. The same for both directions.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn new(trust: Trust, provider: &CryptoProvider) -> Self {
        Self { trust, algorithms: provider.signature_verification_algorithms }
    }

    fn check(&self, end_entity: &CertificateDer<'_>, rest: &[CertificateDer<'_>]) -> Result<(), Error> {
        let key = raw_key(end_entity)?;
        if !rest.is_empty() {
            return Err(Error::InvalidCertificate(CertificateError::BadEncoding));
        }
        let is_trusted = self.trust.covers(&key);
        is_trusted
            .then_some(())
            .ok_or(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn check_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &spki, signed, &self.algorithms)
    }
}

/// Never asked for: older versions are not offered.
fn too_old() -> Result<HandshakeSignatureValid, Error> {
    Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity, intermediates).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
