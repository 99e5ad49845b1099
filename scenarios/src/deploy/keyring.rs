//! The key of a node that runs, and the one that replaces it.
//!
//! ```text
//! key       with which the node speaks
//! key.next  with which it will speak: there from before others hear of it until they have heard
//! ```
//! So a node that is killed in between finds both, and the roster says which of them counts.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seedbed_core::contract::NodeId;
use seedbed_transport::door::{
    BoxFuture, Failure, Keys, MemberList, OVERLAP, Revoke, Revoked, Rotate, Rotated,
};
use seedbed_transport::identity::{
    Entrance, KeyFileError, PublicKey, Refused, Registrar, SecretKey, Statement,
};

use super::log::Log;

/// How long a request waits for other members to be told.
const TELLING: Duration = Duration::from_secs(3);
/// Between two looks at the clock while an old key lasts.
const LOOK: Duration = Duration::from_secs(1);

/// The files of a node's keys.
#[derive(Clone, Debug)]
pub(super) struct KeyFiles {
    path: PathBuf,
}

impl KeyFiles {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    fn next_path(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        name.push(".next");
        self.path.with_file_name(name)
    }

    pub(super) fn load(&self) -> Result<SecretKey, KeyFileError> {
        SecretKey::load(&self.path)
    }

    /// The key that is to replace the other, if others may have heard of it. One of which nobody has is removed.
    pub(super) fn next(&self, registrar: &Registrar) -> Result<Option<SecretKey>, KeyFileError> {
        let path = self.next_path();
        if !path.exists() {
            return Ok(None);
        }
        let next = SecretKey::load(&path)?;
        if registrar.roster().node_of(&next.public()) == Some(registrar.node()) {
            return Ok(Some(next));
        }
        let removed = fs::remove_file(&path).and_then(|()| self.sync_folder());
        removed.map_err(|error| KeyFileError::Failed { path, error })?;
        Ok(None)
    }

    /// The next key takes the place of the other; durable when this returns.
    pub(super) fn replace(&self) -> Result<(), KeyFileError> {
        let replaced = fs::rename(self.next_path(), &self.path).and_then(|()| self.sync_folder());
        replaced.map_err(|error| KeyFileError::Failed { path: self.path.clone(), error })
    }

    fn sync_folder(&self) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

/// Changes the keys of a node and of its cluster while it runs. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Keyring(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: KeyFiles,
    registrar: Registrar,
    entrance: Entrance,
    log: Log,
    /// Held by whoever begins to replace the key.
    turn: Mutex<()>,
}

impl Keyring {
    /// Of a node that has started with the first of its keys, and goes on to `next` if that was begun before.
    pub(super) fn new(
        files: KeyFiles,
        registrar: Registrar,
        entrance: Entrance,
        log: Log,
        next: Option<SecretKey>,
    ) -> Self {
        let keyring = Self(Arc::new(Inner { files, registrar, entrance, log, turn: Mutex::default() }));
        if let Some(next) = next {
            keyring.0.registrar.speak_next_with(next.clone());
            keyring.change_to(next);
        }
        keyring
    }

    /// Goes on with this key as soon as all have heard of it, or the old one has ended and somebody has.
    fn change_to(&self, next: SecretKey) {
        let keyring = self.clone();
        tokio::spawn(async move {
            let Inner { files, registrar, entrance, log, .. } = &*keyring.0;
            let (others, old) = (registrar.others().len(), registrar.key().public());
            let ended = async {
                while registrar.roster().node_of(&old).is_some() {
                    tokio::time::sleep(LOOK).await;
                }
                registrar.until_told(|behind| others == 0 || behind.len() < others).await;
            };
            tokio::select! {
                () = registrar.until_told(|behind| behind.is_empty()) => {}
                () = ended => {}
            }
            // If it cannot be kept, the next start finds both and goes on from here.
            if let Err(error) = files.replace() {
                log.warn(format_args!("the new key is in use, but: {error}"));
            }
            if let Err(error) = entrance.show(&next) {
                log.warn(format_args!("the new key cannot be used: {error}"));
                return;
            }
            log.info(format_args!("speaks with the key {:?} now, and no more with {old:?}", next.public()));
            registrar.speak_with(next);
        });
    }

    /// What a request means, and whether this node may do it.
    fn keys_to_revoke(&self, revoke: &Revoke) -> Result<Vec<PublicKey>, Failure> {
        let (registrar, roster) = (&self.0.registrar, self.0.registrar.roster());
        if !roster.member(registrar.node()).is_some_and(|me| me.votes) {
            let why = "this node has no vote, and others would not heed it: ask a member that votes";
            return Err(Failure::Refused(why.into()));
        }
        let keys = match (revoke.node, &revoke.key) {
            (Some(node), None) => {
                let member = roster.member(node);
                let member = member.ok_or_else(|| Failure::Unreadable(format!("{node} is no member")))?;
                member.keys.iter().map(|validity| validity.key).collect()
            }
            (None, Some(key)) => {
                let key = key.parse::<PublicKey>();
                vec![key.map_err(|error| Failure::Unreadable(error.to_string()))?]
            }
            _ => return Err(Failure::Unreadable("expected `node` or `key`".into())),
        };
        let is_known = |key: &PublicKey| {
            roster.revoked().contains(key)
                || roster.members().iter().any(|member| member.keys.iter().any(|known| known.key == *key))
        };
        if let Some(key) = keys.iter().find(|key| !is_known(key)) {
            return Err(Failure::Unreadable(format!("{key} is no key of a member")));
        }
        let own = [Some(registrar.key()), registrar.next_key()];
        if own.iter().flatten().any(|own| keys.contains(&own.public())) {
            let why =
                "this is the key of the node that you ask, which would shut itself out: ask another member";
            return Err(Failure::Refused(why.into()));
        }
        Ok(keys)
    }

    async fn behind(&self) -> Vec<NodeId> {
        let registrar = &self.0.registrar;
        let _ = tokio::time::timeout(TELLING, registrar.until_told(|behind| behind.is_empty())).await;
        registrar.behind().into_iter().collect()
    }

    /// Makes the next key, durable before anybody hears of it.
    fn begin(&self, overlap: Duration) -> Result<(SecretKey, u64), Failure> {
        let Inner { files, registrar, turn, .. } = &*self.0;
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        if registrar.next_key().is_some() {
            let why = "the key is being replaced already: wait until all members have heard of that";
            return Err(Failure::Refused(why.into()));
        }
        let failed = |error: &dyn std::fmt::Display| Failure::Failed(error.to_string());
        let next = SecretKey::generate().map_err(|error| failed(&error))?;
        next.save(&files.next_path()).map_err(|error| failed(&error))?;
        let said = registrar.rotate(&next.public(), overlap);
        let signed = said.map_err(|error| {
            let _ = fs::remove_file(files.next_path());
            failed(&error)
        })?;
        registrar.speak_next_with(next.clone());
        match signed.statement {
            Statement::Rotation { until, .. } => Ok((next, until)),
            Statement::Admission { .. } => Err(Failure::Failed("a rotation is no admission".into())),
        }
    }
}

impl Keys for Keyring {
    fn members(&self) -> MemberList {
        MemberList::of(self.0.registrar.roster(), self.0.registrar.behind())
    }

    fn revoke(&self, revoke: Revoke) -> BoxFuture<'_, Result<Revoked, Failure>> {
        Box::pin(async move {
            let keys = self.keys_to_revoke(&revoke)?;
            let (registrar, revoked) = (self.0.registrar.clone(), keys.clone());
            let done = tokio::task::spawn_blocking(move || registrar.revoke(&revoked)).await;
            let done = done.map_err(|error| Failure::Failed(error.to_string()))?;
            done.map_err(|error| match error {
                Refused::Unkept => Failure::Failed(
                    "revoked until this node's next start only: it cannot be kept on disk".into(),
                ),
                other => Failure::Failed(format!("nothing is revoked: {other}")),
            })?;
            for key in &keys {
                self.0.log.warn(format_args!("the key {key} is revoked"));
            }
            Ok(Revoked { revoked: keys, behind: self.behind().await })
        })
    }

    fn rotate(&self, rotate: Rotate) -> BoxFuture<'_, Result<Rotated, Failure>> {
        Box::pin(async move {
            if !OVERLAP.contains(&rotate.overlap_s) {
                let (least, most) = (OVERLAP.start(), OVERLAP.end());
                return Err(Failure::Unreadable(format!("overlap_s: expected {least} to {most} seconds")));
            }
            let old = self.0.registrar.key().public();
            let (keyring, overlap) = (self.clone(), Duration::from_secs(rotate.overlap_s));
            let begun = tokio::task::spawn_blocking(move || keyring.begin(overlap));
            let (next, until) = begun.await.map_err(|error| Failure::Failed(error.to_string()))??;
            let (node, new) = (self.0.registrar.node(), next.public());
            self.0.log.info(format_args!("the key {new} replaces {old}"));
            self.change_to(next);
            Ok(Rotated { node, old, new, until, behind: self.behind().await })
        })
    }
}
