//! The keys themselves, and the files that hold them.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::base32;

/// Who a node is: an ed25519 public key.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct PublicKey(#[serde(with = "base32::text")] pub [u8; 32]);

impl PublicKey {
    /// Whether whoever holds the secret key has signed this.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32::encode(&self.0))
    }
}

/// Enough of it to tell keys apart in a log.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..", &base32::encode(&self.0)[..12])
    }
}

impl FromStr for PublicKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let bytes = base32::decode(text).ok_or(NotAKey)?;
        bytes.try_into().map(Self).map_err(|_| NotAKey)
    }
}

/// This text is no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a public key is 52 letters and digits, as `seedbed key new` prints it")]
pub struct NotAKey;

/// What proves who a node is. Cheap to clone; it never shows in any output but its own file.
#[derive(Clone)]
pub struct SecretKey {
    pair: Arc<Ed25519KeyPair>,
    seed: Arc<[u8; 32]>,
}

/// What a file with a secret key begins with.
const FILE_PREFIX: &str = "seedbed-secret-key-1 ";
/// More bytes than any file with a secret key has.
const FILE_MAX: u64 = 4096;
/// What stands before the seed in PKCS #8 (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

impl SecretKey {
    /// A new one, from the randomness of the operating system.
    ///
    /// # Errors
    /// If the system has none to give.
    pub fn generate() -> io::Result<Self> {
        random()
            .and_then(|seed| Self::from_seed(seed).map_err(|_| io::Error::other("the new key is unusable")))
    }

    /// The one that grows from these bytes: for tests, and for whoever keeps seeds himself.
    ///
    /// # Errors
    /// Never for 32 bytes; the library that is asked may think otherwise.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, NotAKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| NotAKey)?;
        Ok(Self { pair: Arc::new(pair), seed: Arc::new(seed) })
    }

    /// What others know it by.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(bytes)
    }

    /// The signature of a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.pair.sign(message).as_ref());
        bytes
    }

    /// A key for one purpose, from which this one cannot be found.
    pub(super) fn derive(&self, purpose: &str) -> hmac::Key {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*self.seed), purpose.as_bytes());
        hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref())
    }

    /// As TLS wants to have it.
    pub(super) fn pkcs8(&self) -> Vec<u8> {
        [&PKCS8_PREFIX[..], &self.seed[..]].concat()
    }

    /// Writes a new file that only its owner can read. It is there whole or not at all.
    ///
    /// # Errors
    /// If the file is there already: a key is never overwritten. If the disk fails.
    pub fn save(&self, path: &Path) -> Result<(), KeyFileError> {
        let failed = |error| KeyFileError::Failed { path: path.into(), error };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = folder.join(format!(".key-{}", base32::encode(&random::<10>().map_err(failed)?)));
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(format!("{FILE_PREFIX}{}\n", base32::encode(&*self.seed)).as_bytes())?;
            file.sync_all()?;
            // A link, unlike a renaming, does not replace what is there.
            std::fs::hard_link(&temporary, path)
        };
        let written = write();
        let removed = std::fs::remove_file(&temporary);
        written.and(removed).and_then(|()| File::open(folder)?.sync_all()).map_err(failed)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If anyone but its owner may read or change it, if it holds no key, if the disk fails.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let failed = |error| KeyFileError::Failed { path: path.into(), error };
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
        let mut bytes = Vec::new();
        file.take(FILE_MAX).read_to_end(&mut bytes).map_err(failed)?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        let seed = text.trim_end().strip_prefix(FILE_PREFIX).and_then(base32::decode);
        let seed = seed.and_then(|seed| <[u8; 32]>::try_from(seed).ok());
        let key = seed.and_then(|seed| Self::from_seed(seed).ok());
        let key = key.ok_or_else(|| KeyFileError::NotAKey { path: path.into() })?;
        // Only now: of another file nobody is told how open it should be.
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed { path: path.into(), mode });
        }
        Ok(key)
    }
}

/// Shows whose it is, and nothing of the secret.
impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("public", &self.public()).finish_non_exhaustive()
    }
}

/// Why a key could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Others can read or change the file.
    #[error("{} is open to others (mode {mode:04o}): chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is something else in it. What, is not said: it may be a secret.
    #[error("{} holds no secret key of Seedbed", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The disk failed, or the file is there already, or is not.
    #[error("{}: {error}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map(|()| bytes).map_err(|_| io::Error::other("the system has no randomness to give"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_rfc_8032_does() {
        // Section 7.1, test 1: the empty message.
        let seed = base16("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = base16("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let key = SecretKey::from_seed(seed.try_into().unwrap()).unwrap();
        assert_eq!(key.public().0.as_slice(), public);
        assert_eq!(key.sign(b"")[..4], [0xe5, 0x56, 0x43, 0x00]);
        assert!(key.public().has_signed(b"", &key.sign(b"")));
        assert!(!key.public().has_signed(b"x", &key.sign(b"")));
    }

    fn base16(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn a_public_key_is_read_as_it_is_written() {
        let key = PublicKey([7; 32]);
        let text = key.to_string();
        assert_eq!((text.len(), text.parse()), (52, Ok(key)));
        assert_eq!(text[1..].parse::<PublicKey>(), Err(NotAKey));
        assert_eq!(format!("{key:?}"), "a4dqobyha4dq..");
    }

    #[test]
    fn nothing_of_a_secret_is_shown() {
        let key = SecretKey::from_seed([0x5a; 32]).unwrap();
        let shown = format!("{key:?} {key:#?}");
        assert!(!shown.contains(&base32::encode(&[0x5a; 32])[..8]), "{shown}");
        assert!(!shown.contains("90"), "{shown}");
    }
}
