//! Keeps the roster of one node true: what other members say of members, who joins here, and what of it must outlive
//! the process.
//!
//! The members a node starts with stand in its configuration. What came later is kept in one small file, which is
//! replaced whole. What this node lets in is durable before anybody hears of it; what it hears of others, soon after.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use seedbed_core::contract::NodeId;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};

use super::errand::{Caller, ERRANDS_MAX};
use super::join::{Denied, Request, Welcome};
use super::token::TokenId;
use super::{Member, PublicKey, Refused, Roster, SecretKey, Signed, Statement, node_for, roster};

/// Shared by all that must know; clones are the same.
#[derive(Clone)]
pub struct Registrar(Arc<Inner>);

struct Inner {
    this: Node,
    /// With which it speaks now.
    key: RwLock<SecretKey>,
    /// Which is to replace it.
    next: RwLock<Option<SecretKey>>,
    roster: Roster,
    ledger: Mutex<Ledger>,
    /// For errands of members, and of strangers: so that these keep nobody from hearing who is revoked.
    places: [Semaphore; 2],
    /// Which version of the roster other members have been told of.
    told: watch::Sender<BTreeMap<NodeId, u64>>,
}

/// A node, as its configuration has it.
#[derive(Clone, Debug)]
pub struct Node {
    /// What its cluster is called.
    pub cluster: String,
    /// Its name.
    pub node: NodeId,
    /// Its key, until [`Registrar::speak_with`] gives it another.
    pub key: SecretKey,
    /// The members it starts with, itself included.
    pub members: Vec<Member>,
    /// What a new member needs to know besides: handed to it as it is, [`SETTINGS_MAX`] bytes at most.
    pub settings: String,
}

/// What must outlive the process.
struct Ledger {
    file: PathBuf,
    kept: Kept,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    cluster: String,
    /// In the order in which they were acted on.
    statements: Vec<Signed>,
    /// Tokens that were used, and when they end.
    used: BTreeMap<TokenId, u64>,
    revoked: Vec<PublicKey>,
}

/// More settings than that are not handed to new members.
pub const SETTINGS_MAX: usize = 64 << 10;
/// More statements are refused.
const STATEMENTS_MAX: usize = 2 * super::MEMBERS_MAX;
/// More tokens that were used and have not ended are refused.
const USED_MAX: usize = 4_096;
/// More keys that were revoked are refused.
pub(super) const REVOKED_MAX: usize = 4_096;
/// A longer file was not written by a node.
const FILE_MAX: u64 = 8 << 20;

impl Registrar {
    /// Of this node, with what it has kept in `file`, if that is there.
    ///
    /// # Errors
    /// If the file is damaged or another cluster's: nothing is forgotten silently. If the members contradict each other.
    pub fn open(this: Node, file: &Path) -> Result<Self, RegistrarError> {
        let broken = |error| RegistrarError::Members { error };
        let roster = Roster::new(this.members.iter().cloned()).map_err(broken)?;
        let kept = Kept::load(file, &this.cluster)?;
        let (revoked, key) = (kept.revoked.clone(), RwLock::new(this.key.clone()));
        let ledger = Mutex::new(Ledger { file: file.into(), kept: Kept { statements: Vec::new(), ..kept } });
        let places = [Semaphore::new(ERRANDS_MAX), Semaphore::new(ERRANDS_MAX)];
        let told = watch::Sender::default();
        let registrar =
            Self(Arc::new(Inner { this, key, next: RwLock::default(), roster, ledger, places, told }));
        let mut ledger = registrar.ledger();
        // What rested on a member that the configuration no longer has is dropped.
        let _ = registrar.act(&mut ledger.kept, kept.statements);
        drop(ledger);
        // Comes last: what a key said before it was revoked holds, above all that another one replaces it.
        revoked.iter().for_each(|key| registrar.roster().revoke(key));
        Ok(registrar)
    }

    /// Whom this node knows.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.0.roster
    }

    /// What its cluster is called.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.0.this.cluster
    }

    /// Which node this is.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.0.this.node
    }

    /// The key with which it speaks now.
    #[must_use]
    pub fn key(&self) -> SecretKey {
        self.0.key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on it speaks with this key, which others must know already: see [`rotate`](Self::rotate). Tokens that
    /// were made with the old one are worth nothing any more.
    pub fn speak_with(&self, key: SecretKey) {
        *self.0.key.write().unwrap_or_else(PoisonError::into_inner) = key;
        *self.0.next.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// This key is to replace the other. Members that do not take the other any more are told with it.
    pub fn speak_next_with(&self, key: SecretKey) {
        *self.0.next.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }

    /// The key that is to replace the other, while that is under way.
    #[must_use]
    pub fn next_key(&self) -> Option<SecretKey> {
        self.0.next.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn places(&self, who: Caller) -> &Semaphore {
        let [members, strangers] = &self.0.places;
        match who {
            Caller::Member(..) => members,
            Caller::Joiner(_) => strangers,
        }
    }

    /// All that was said and is kept.
    #[must_use]
    pub fn statements(&self) -> Vec<Signed> {
        self.ledger().kept.statements.clone()
    }

    pub(super) fn note_told(&self, node: NodeId, version: u64) {
        self.0.told.send_modify(|told| {
            let last = told.entry(node).or_default();
            *last = version.max(*last);
        });
    }

    /// The other members that have a key, and have not been told all that this node knows of members.
    #[must_use]
    pub fn behind(&self) -> BTreeSet<NodeId> {
        let (version, told) = (self.0.roster.version(), self.0.told.borrow());
        let is_behind = |node: &NodeId| told.get(node).is_none_or(|told| *told < version);
        self.others().into_iter().filter(is_behind).collect()
    }

    /// The other members that have a key: those that can be told anything.
    #[must_use]
    pub fn others(&self) -> BTreeSet<NodeId> {
        let members = self.0.roster.members().into_iter();
        let others = members.filter(|member| member.node != self.node() && !member.keys.is_empty());
        others.map(|member| member.node).collect()
    }

    /// Returns once `is_so` holds of those who are [`behind`](Self::behind).
    pub async fn until_told(&self, is_so: impl Fn(&BTreeSet<NodeId>) -> bool) {
        let (mut told, mut changes) = (self.0.told.subscribe(), self.0.roster.changes());
        while !is_so(&self.behind()) {
            tokio::select! {
                _ = told.changed() => {}
                () = changes.next() => {}
            }
        }
    }

    /// What is kept already is no news. That it is in force does not suffice.
    pub(super) fn forget_known(&self, said: &mut Vec<Signed>, revoked: &mut Vec<PublicKey>) {
        let ledger = self.ledger();
        let known: BTreeSet<&Signed> = ledger.kept.statements.iter().collect();
        said.retain(|signed| !known.contains(signed));
        let known: BTreeSet<&PublicKey> = ledger.kept.revoked.iter().collect();
        revoked.retain(|key| !known.contains(key));
    }

    /// Acts on what was said, and keeps it. Returns how much was news, once that is durable.
    ///
    /// # Errors
    /// If some of it is not acted on. The rest is.
    pub fn learn(&self, mut said: Vec<Signed>) -> Result<usize, Refused> {
        let count = said.len();
        said.retain(|signed| signed.is_genuine(self.cluster()));
        let forged = if said.len() < count { Err(Refused::Forged) } else { Ok(()) };
        let mut ledger = self.ledger();
        let before = ledger.kept.statements.len();
        let acted = self.act(&mut ledger.kept, said);
        let news = ledger.kept.statements.len() - before;
        if news > 0 && ledger.save().is_err() {
            ledger.kept.statements.truncate(before);
            return Err(Refused::Unkept);
        }
        forged.and(acted).map(|()| news)
    }

    /// Acts on genuine statements, on each as soon as those are known on which it rests: a key may vouch that is not
    /// yet known, or soon will be replaced. Hence admissions come before rotations where both can.
    fn act(&self, kept: &mut Kept, mut said: Vec<Signed>) -> Result<(), Refused> {
        let now = roster::now();
        said.sort_by_key(|signed| !signed.statement.is_admission());
        let mut refused = Ok(());
        loop {
            let mut acted = None;
            for (index, signed) in said.iter().enumerate() {
                if kept.statements.len() >= STATEMENTS_MAX {
                    return Err(Refused::Full);
                }
                match self.0.roster.change(|state| state.hear(signed, now)) {
                    Ok(is_news) => {
                        acted = Some((index, is_news));
                        break;
                    }
                    Err(error) => refused = Err(error),
                }
            }
            let Some((index, is_news)) = acted else { return if said.is_empty() { Ok(()) } else { refused } };
            let signed = said.remove(index);
            // What is known from the configuration is kept, too: others may have to be told.
            if is_news || !kept.statements.contains(&signed) {
                kept.statements.push(signed);
            }
        }
    }

    /// Lets a joiner in that has shown on the connection with this exporter value that it knows a token.
    pub(super) fn admit(
        &self,
        joiner: PublicKey,
        request: Request,
        exporter: &[u8; 32],
    ) -> Result<Welcome, Denied> {
        let (this, key, now) = (&self.0.this, self.key(), roster::now());
        let grant = &request.grant;
        if grant.cluster != this.cluster {
            return Err(Denied::OtherCluster);
        }
        if grant.until <= now {
            return Err(Denied::Expired);
        }
        if !grant.is_proven(&key, exporter, &joiner, &request.proof) {
            return Err(Denied::Forged);
        }
        let node = node_for(&joiner);
        let mut ledger = self.ledger();
        ledger.kept.used.retain(|_, until| now < *until);
        if ledger.kept.used.contains_key(&grant.id) {
            return Err(Denied::Used);
        }
        if ledger.kept.used.len() >= USED_MAX || ledger.kept.statements.len() >= STATEMENTS_MAX {
            return Err(Denied::Full);
        }
        let statement = Statement::Admission {
            cluster: this.cluster.clone(),
            node,
            key: joiner,
            address: request.listen,
        };
        let signed = statement.sign(&key);
        // First on disk, then in force: what was promised survives, and a token is not used twice across a crash.
        let before = ledger.kept.clone();
        ledger.kept.used.insert(grant.id, grant.until);
        ledger.kept.statements.push(signed.clone());
        if ledger.save().is_err() {
            ledger.kept = before;
            return Err(Denied::Failed);
        }
        match self.0.roster.change(|state| state.hear(&signed, now)) {
            Ok(_) => {}
            Err(error) => {
                ledger.kept = before;
                return Err(if ledger.save().is_ok() { error.into() } else { Denied::Failed });
            }
        }
        let statements = ledger.kept.statements.clone();
        let (members, settings) = (this.members.clone(), this.settings.clone());
        Ok(Welcome { node, members, statements, revoked: self.0.roster.revoked(), settings })
    }

    /// Says that this node's key is replaced by a new one, and that the one in use ends after `overlap`. All members
    /// are told over live connections; once they are, the node can start with the new key.
    ///
    /// # Errors
    /// If the new key is not free, or what was said could not be kept.
    pub fn rotate(&self, new: &PublicKey, overlap: Duration) -> Result<Signed, Refused> {
        let this = &self.0.this;
        let now = roster::now();
        // Rises even if the configuration has been written anew since the last change, and does not know of it.
        let epoch =
            self.0.roster.member(this.node).map_or(0, |member| member.epoch.saturating_add(1)).max(now);
        let until = now.saturating_add(overlap.as_secs());
        let cluster = this.cluster.clone();
        let signed =
            Statement::Rotation { cluster, node: this.node, key: *new, epoch, until }.sign(&self.key());
        self.learn(vec![signed.clone()]).map(|_| signed)
    }

    /// These keys are nobody's any more for this node, which remembers that, and for all members whom it tells: they
    /// take it from a member that votes. Returns how much was news, once that is durable.
    ///
    /// # Errors
    /// If there is no room: none of them is revoked. If the disk fails: they are, for this life.
    pub fn revoke(&self, keys: &[PublicKey]) -> Result<usize, Refused> {
        let mut ledger = self.ledger();
        let before = ledger.kept.revoked.len();
        let known: BTreeSet<PublicKey> = ledger.kept.revoked.iter().copied().collect();
        let news: BTreeSet<PublicKey> = keys.iter().copied().filter(|key| !known.contains(key)).collect();
        if before + news.len() > REVOKED_MAX {
            return Err(Refused::Full);
        }
        ledger.kept.revoked.extend(&news);
        let saved = if news.is_empty() { Ok(()) } else { ledger.save() };
        keys.iter().for_each(|key| self.0.roster.revoke(key));
        if saved.is_err() {
            ledger.kept.revoked.truncate(before);
            return Err(Refused::Unkept);
        }
        Ok(news.len())
    }

    /// A panic elsewhere leaves what is kept as it was: it is changed whole.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says whose it is, and nothing of tokens.
impl fmt::Debug for Registrar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registrar").field("this", &self.0.this).field("roster", &self.0.roster).finish()
    }
}

impl Ledger {
    fn save(&mut self) -> io::Result<()> {
        self.kept.save(&self.file)
    }
}

impl Kept {
    /// Of this cluster; empty if there is no file.
    fn load(path: &Path, cluster: &str) -> Result<Self, RegistrarError> {
        let failed = |error| RegistrarError::Failed { path: path.into(), error };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { cluster: cluster.into(), ..Self::default() });
            }
            Err(error) => return Err(failed(error)),
        };
        let mut text = Vec::new();
        file.take(FILE_MAX).read_to_end(&mut text).map_err(failed)?;
        let damaged = |what| RegistrarError::Damaged { path: path.into(), what };
        let kept: Self = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if kept.cluster != cluster {
            return Err(damaged(format!("it is the cluster {}'s, and not {cluster}'s", kept.cluster)));
        }
        match kept.statements.iter().all(|signed| signed.is_genuine(cluster)) {
            true => Ok(kept),
            false => Err(damaged("a signature is wrong".into())),
        }
    }

    /// Replaces the file; it is durable when this returns.
    fn save(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = path.with_extension("new");
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    }
}

/// Writes the file of a node that has just been let in, so that it knows from the start who else belongs.
///
/// # Errors
/// If the disk fails.
pub fn remember(cluster: &str, statements: &[Signed], revoked: &[PublicKey], file: &Path) -> io::Result<()> {
    let (statements, revoked) = (statements.to_vec(), revoked.to_vec());
    Kept { cluster: cluster.into(), statements, revoked, ..Kept::default() }.save(file)
}

/// Why a registrar cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RegistrarError {
    /// Members contradict each other.
    #[error("the members cannot be: {error}")]
    Members {
        /// Why.
        error: super::Unacceptable,
    },
    /// The file is not what was written.
    #[error(
        "{} is damaged: {what}; put back a copy, or move it away and let those join again that it let in",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The disk failed.
    #[error("{}: {error}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}
