//! The collection of one server, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::parameters::Parameters;

/// Documents by name, each with the revision that its client gave it, and a counter of changes for all.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Database {
    documents: BTreeMap<u64, u32>,
    version: u64,
}

impl Database {
    /// Adds a document or replaces it.
    pub(super) fn save(&mut self, id: u64, revision: u32) {
        self.documents.insert(id, revision);
        self.version = self.version.saturating_add(1);
    }

    /// How many documents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// The revision of a document.
    #[must_use]
    pub fn revision(&self, id: u64) -> Option<u32> {
        self.documents.get(&id).copied()
    }

    /// The names of all documents, ascending.
    pub fn ids(&self) -> impl Iterator<Item = u64> {
        self.documents.keys().copied()
    }

    /// How many changes have been counted.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether another one holds the same documents; versions may differ.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        self.documents == other.documents
    }

    pub(super) fn snapshot(&self) -> Arc<[(u64, u32)]> {
        self.documents.iter().map(|(&id, &revision)| (id, revision)).collect()
    }

    /// Takes in another server's state as the parameters say. How many documents, or later revisions of them, were lost to
    /// it; none if it was not taken in.
    pub(super) fn sync(
        &mut self,
        version: u64,
        documents: &[(u64, u32)],
        parameters: &Parameters,
    ) -> Option<u32> {
        if !parameters.overwrite {
            return self.join(version, documents).then_some(0);
        }
        let is_newer = version > self.version
            || (version == self.version
                && !parameters.equal_versions
                && digest(documents) > digest(&self.snapshot()));
        is_newer.then(|| {
            let theirs: BTreeMap<u64, u32> = documents.iter().copied().collect();
            let is_lost =
                |(id, revision): &(&u64, &u32)| theirs.get(id).is_none_or(|theirs| theirs < revision);
            let lost = self.documents.iter().filter(is_lost).count() as u32;
            *self = Self { documents: theirs, version };
            lost
        })
    }

    /// Keeps the latest revision of every document of both. Whether anything was new.
    fn join(&mut self, version: u64, documents: &[(u64, u32)]) -> bool {
        let mut is_new = false;
        for &(id, revision) in documents {
            let mine = self.documents.entry(id).or_default();
            is_new |= revision > *mine;
            *mine = revision.max(*mine);
        }
        self.version = self.version.max(version);
        is_new
    }
}

/// Equal for equal documents, and hardly ever else.
fn digest(documents: &[(u64, u32)]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for (id, revision) in documents {
        hasher.update(&id.to_le_bytes());
        hasher.update(&revision.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(ids: &[u64]) -> Database {
        let mut database = Database::default();
        ids.iter().for_each(|&id| database.save(id, 1));
        database
    }

    fn sync(mine: &mut Database, theirs: &Database, parameters: &Parameters) -> Option<u32> {
        mine.sync(theirs.version(), &theirs.snapshot(), parameters)
    }

    #[test]
    fn a_higher_version_replaces_all_and_loses_what_was_only_here() {
        let parameters = Parameters::default();
        let (mut mine, theirs) = (database(&[1, 2]), database(&[2, 3, 4]));
        assert_eq!(sync(&mut mine, &theirs, &parameters), Some(1));
        assert_eq!(mine, theirs);
        let mut older = database(&[9]);
        assert_eq!(sync(&mut mine, &older, &parameters), None, "a lower version is not looked at");
        assert_eq!(sync(&mut older, &mine, &parameters), Some(1));
    }

    #[test]
    fn a_later_revision_counts_as_lost_like_a_document() {
        let (mut mine, theirs) = (database(&[1]), database(&[1, 2, 3]));
        mine.save(1, 2);
        assert_eq!(sync(&mut mine, &theirs, &Parameters::default()), Some(1));
        assert_eq!(mine.revision(1), Some(1));
    }

    #[test]
    fn equal_versions_never_converge_unless_digests_are_compared() {
        let (one, other) = (database(&[1]), database(&[2]));
        let faithful = Parameters::default();
        let (mut left, mut right) = (one.clone(), other.clone());
        assert_eq!(sync(&mut left, &other, &faithful), None);
        assert_eq!(sync(&mut right, &one, &faithful), None);
        assert!(!left.agrees(&right));

        let compared = Parameters { equal_versions: false, ..faithful };
        let adopted = [sync(&mut left, &other, &compared), sync(&mut right, &one, &compared)];
        assert_eq!(adopted.iter().flatten().count(), 1, "exactly one side gives in: {adopted:?}");
        assert!(left.agrees(&right));
    }

    #[test]
    fn joined_states_lose_nothing_whatever_their_versions() {
        let parameters = Parameters { overwrite: false, ..Parameters::default() };
        let (mut mine, theirs) = (database(&[1, 2]), database(&[2, 3, 4]));
        mine.save(2, 2);
        assert_eq!(sync(&mut mine, &theirs, &parameters), Some(0));
        assert_eq!(*mine.snapshot(), [(1, 1), (2, 2), (3, 1), (4, 1)]);
        assert_eq!(sync(&mut mine, &theirs, &parameters), None, "nothing new");
        let mut theirs = theirs;
        assert_eq!(sync(&mut theirs, &mine, &parameters), Some(0));
        assert!(theirs.agrees(&mine));
    }
}
