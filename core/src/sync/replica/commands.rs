//! What clients ask.

use std::collections::BTreeMap;

use super::messages::{Command, Found, Reply, Version};
use super::{Flaw, Replica};
use crate::contract::{CommandId, Context, Json};
use crate::sync::reconcile::Method;
use crate::sync::store::{self, Change, Record, Written};
use crate::sync::{DocumentId, DocumentState, Name, Pointer, Refusal};

impl Replica {
    pub(super) fn command(&mut self, id: CommandId, command: Command, cx: &mut Context<'_, Self>) {
        let answers_early = self.config.parameters.flaw == Flaw::AnswerEarly;
        match self.execute(command, cx) {
            Ok(reply) if answers_early => cx.reply_now(id, reply),
            // A read, too, waits for what it has read to be on disk.
            Ok(reply) => cx.reply(id, reply),
            Err(refusal) => cx.reply_now(id, Reply::Refused(refusal)),
        }
    }

    fn execute(&mut self, command: Command, cx: &mut Context<'_, Self>) -> Result<Reply, Refusal> {
        match command {
            Command::CreateCollection { collection, schema } => {
                let record = self.store.create_collection(&collection, schema, cx.wall)?;
                self.commit(record, cx);
                Ok(Reply::Done)
            }
            Command::DeleteCollection { collection } => {
                let record = self.store.delete_collection(collection.as_str(), cx.wall)?;
                self.commit(record, cx);
                Ok(Reply::Done)
            }
            Command::AddDocument { collection, document } => {
                let fresh = DocumentId::new(cx.wall, &mut cx.dice);
                let written = self.store.add(collection.as_str(), fresh, &document, cx.wall)?;
                Ok(self.written(written, cx))
            }
            Command::WriteDocuments { collection, documents } => self.write_each(&collection, &documents, cx),
            Command::UpdateDocument { collection, id, patch, expected } => {
                let expected = expected.as_ref().map(|version| &version.0);
                let written = self.store.update(collection.as_str(), id, &patch, expected, cx.wall)?;
                Ok(self.written(written, cx))
            }
            Command::PutDocument { collection, id, document, expected } => {
                let expected = expected.as_ref().map(|version| &version.0);
                let written = self.store.put(collection.as_str(), id, &document, expected, cx.wall)?;
                Ok(self.written(written, cx))
            }
            Command::DeleteDocument { collection, id, expected } => {
                let expected = expected.as_ref().map(|version| &version.0);
                let deleted = self.store.delete(collection.as_str(), id, expected, cx.wall)?;
                Ok(self.deleted(vec![deleted], cx))
            }
            Command::DeleteMatching { collection, document } => {
                let deleted = self.store.delete_matching(collection.as_str(), &document, cx.wall)?;
                Ok(self.deleted(deleted, cx))
            }
            read => self.read(read),
        }
    }

    fn read(&self, command: Command) -> Result<Reply, Refusal> {
        match command {
            Command::GetDocument { collection, id } => {
                let found = self.store.get(collection.as_str(), id)?;
                Ok(Reply::Document(self.found(&collection, &found)))
            }
            Command::ReadCollection { collection, query } => {
                let page = self.store.find(collection.as_str(), &query)?;
                let documents = page.documents.iter().map(|found| self.found(&collection, found)).collect();
                Ok(Reply::Documents { documents, next: page.next, changes: page.changes })
            }
            Command::ReadChanges { collection, after, limit } => {
                let feed = self.store.changes(collection.as_str(), after.as_deref(), limit)?;
                let told = |change: &store::Happened| Found {
                    id: change.id,
                    version: Version(change.hash),
                    stamp: change.stamp,
                    document: change.state.as_ref().and_then(|state| state.body(change.id)),
                    siblings: self.siblings(&collection, change.state.as_ref()),
                };
                Ok(Reply::Changes { documents: feed.changes.iter().map(told).collect(), next: feed.next })
            }
            _ => Ok(Reply::Collections(self.store.collections().map(|(name, _)| name.clone()).collect())),
        }
    }

    fn write_each(
        &mut self,
        collection: &Name,
        documents: &[(Option<DocumentId>, Json)],
        cx: &mut Context<'_, Self>,
    ) -> Result<Reply, Refusal> {
        if !self.store.collections().any(|(name, _)| name == collection) {
            return Err(Refusal::NoSuchCollection);
        }
        let mut write = |(id, document): &(Option<DocumentId>, Json)| {
            let written = match id {
                Some(id) => self.store.put(collection.as_str(), *id, document, None, cx.wall)?,
                None => {
                    let fresh = DocumentId::new(cx.wall, &mut cx.dice);
                    self.store.add(collection.as_str(), fresh, document, cx.wall)?
                }
            };
            self.log(written.record, cx);
            Ok(written.id)
        };
        let outcomes = documents.iter().map(&mut write).collect();
        self.compact(cx);
        Ok(Reply::WrittenEach(outcomes))
    }

    fn written(&mut self, written: Written, cx: &mut Context<'_, Self>) -> Reply {
        let version = match &written.record {
            Record::Changed { change: Change::Document { state, .. }, .. } => Version(state.hash()),
            _ => Version([0; 32]),
        };
        self.commit(written.record, cx);
        Reply::Written { id: written.id, version, stamp: written.stamp, is_new: written.is_new }
    }

    fn deleted(&mut self, deleted: Vec<Written>, cx: &mut Context<'_, Self>) -> Reply {
        let stamp = deleted.last().map(|deleted| deleted.stamp).unwrap_or_default();
        let ids = deleted.iter().map(|deleted| deleted.id).collect();
        deleted.into_iter().for_each(|deleted| self.commit(deleted.record, cx));
        Reply::Deleted { ids, stamp }
    }

    fn commit(&mut self, record: Record, cx: &mut Context<'_, Self>) {
        self.log(record, cx);
        self.compact(cx);
    }

    /// Logs a write of a client, and tells of it.
    fn log(&mut self, record: Record, cx: &mut Context<'_, Self>) {
        self.index(&record);
        self.db_version += 1;
        self.holds_off_until = cx.now + self.config.parameters.hold_off;
        let change = if let Record::Changed { change, .. } = &record { Some(change.clone()) } else { None };
        if let Some(Change::Document { collection, state, .. }) = &change {
            self.claim(collection, state.seen().time(self.me));
        }
        self.persist(record, cx);
        if self.config.parameters.method == Method::Overwrite {
            self.write(super::Record::Version(self.db_version), cx);
        }
        // After the disk: what others hear of is not forgotten here.
        match change {
            Some(Change::Document { collection, id, .. }) => self.tell_soon((None, collection, id), cx),
            Some(change) => {
                self.catalogue = self.fingerprint();
                self.push(vec![change], None, cx);
            }
            None => {}
        }
    }

    /// A document that is there, as clients see it.
    fn found(&self, collection: &Name, found: &store::Found) -> Found {
        let state = &found.state;
        Found {
            id: found.id,
            version: Version(state.hash()),
            stamp: state.version(),
            document: Some(found.body()),
            siblings: self.siblings(collection, Some(state)),
        }
    }

    /// Fields with several values: looked for only where there may be any.
    fn siblings(&self, collection: &Name, state: Option<&DocumentState>) -> BTreeMap<Pointer, Vec<Json>> {
        let state = state.filter(|_| self.store.keeps_siblings(collection.as_str()));
        state.map(DocumentState::siblings).unwrap_or_default().into_iter().collect()
    }
}
