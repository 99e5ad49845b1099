//! What is there from the start, because a scenario says so.

use super::forge::cancelling;
use super::{Index, Replica};
use crate::contract::{Context, Json, NodeId};
use crate::sync::document::Writing;
use crate::sync::store::Change;
use crate::sync::{CollectionState, Deletes, DocumentId, DocumentState, Name, Schema, Stamp};

/// Bits of a stamp below its milliseconds.
const COUNTER_BITS: u32 = 16;

impl Replica {
    /// Makes the collections and documents that a scenario asks for. Every replica makes the same, so they need no sync, and
    /// a later life finds them on its disk.
    pub(super) fn furnish(&mut self, cx: &mut Context<'_, Self>) {
        let parameters = &self.config.parameters;
        let deletes = if parameters.updates_win { Deletes::YieldToUpdates } else { Deletes::Win };
        let Ok(schema) = Schema::new(deletes, []) else { return };
        let names: Vec<Name> = parameters.collections.iter().filter_map(|name| name.parse().ok()).collect();
        for name in &names {
            let created = Some((Stamp { time: 1, node: NodeId(0) }, schema.clone()));
            let state = CollectionState { epoch: Stamp::ZERO, created };
            // Refused only by a clock that stands before 1970.
            let _ = self.apply(&Change::Collection { name: name.clone(), state }, cx);
        }
        self.catalogue = self.fingerprint();
        let nobody = NodeId(self.config.nodes);
        let is_done = |index: &Index| index.heard.contains_key(&nobody);
        let name = names.first().filter(|name| !self.indexes.get(*name).is_some_and(is_done));
        if let Some(name) =
            name.filter(|_| self.config.parameters.preload + self.config.parameters.differ > 0)
        {
            self.preload(name, &schema, cx);
        }
    }

    fn preload(&mut self, name: &Name, schema: &Schema, cx: &mut Context<'_, Self>) {
        let parameters = self.config.parameters.clone();
        let (common, own) = (parameters.preload, parameters.differ);
        let all = common + own;
        // Common documents have a writer of their own, of which every replica has everything.
        let nobody = NodeId(self.config.nodes);
        let mut forged = Vec::new();
        for place in 0..all {
            // Own ones come last, or are spread evenly.
            let before = |place: u64| place * own / all.max(1);
            let (is_own, nth) = if parameters.recent {
                (place >= common, place.saturating_sub(common))
            } else {
                (before(place + 1) > before(place), before(place))
            };
            let writer = NodeId((nth % u64::from(self.config.nodes.max(1))) as u32);
            if is_own && writer != self.me {
                continue;
            }
            let stamp =
                Stamp { time: (place + 1) << COUNTER_BITS, node: if is_own { writer } else { nobody } };
            if is_own && parameters.forged {
                forged.push((place, stamp));
            } else if let Some(state) = self.document(place, stamp, ".", schema) {
                self.put_in_place(name, place, state, cx);
            }
        }
        self.forge(name, &forged, schema, cx);
        let last = all << COUNTER_BITS;
        self.learn(name, nobody, last);
        self.learn(name, self.me, last);
        self.keep_knowledge(name, cx);
    }

    /// A document made of one letter.
    fn document(&self, place: u64, stamp: Stamp, letter: &str, schema: &Schema) -> Option<DocumentState> {
        let (id, limits) = (DocumentId::numbered(place), *self.store.limits());
        let text = letter.repeat(self.config.parameters.preload_bytes as usize);
        let body = Json::parse(&format!("{{\"text\":\"{text}\"}}")).ok()?;
        DocumentState::put(None, &body, &Writing { id, schema, limits: &limits, stamp }).ok()
    }

    fn put_in_place(&mut self, name: &Name, place: u64, state: DocumentState, cx: &mut Context<'_, Self>) {
        let (collection, id) = (name.clone(), DocumentId::numbered(place));
        let _ = self.apply(&Change::Document { collection, epoch: Stamp::ZERO, id, state }, cx);
    }

    /// Makes documents whose hashes cancel out by exclusive or: dots or dashes, as it takes.
    fn forge(&mut self, name: &Name, places: &[(u64, Stamp)], schema: &Schema, cx: &mut Context<'_, Self>) {
        let Some(key) = self.indexes.get(name).map(|index| index.key) else { return };
        let form = |place, stamp, letter| self.document(place, stamp, letter, schema);
        let forms: Vec<[DocumentState; 2]> = places
            .iter()
            .filter_map(|&(place, stamp)| Some([form(place, stamp, ".")?, form(place, stamp, "-")?]))
            .collect();
        let hash = |place, state: &DocumentState| key.hash(DocumentId::numbered(place), state.as_bytes());
        let hashes: Vec<[[u8; 32]; 2]> = places
            .iter()
            .zip(&forms)
            .map(|(&(place, _), forms)| forms.each_ref().map(|state| hash(place, state)))
            .collect();
        let chosen = cancelling(&hashes).unwrap_or_else(|| vec![false; hashes.len()]);
        for ((&(place, _), forms), second) in places.iter().zip(forms).zip(chosen) {
            let [dots, dashes] = forms;
            self.put_in_place(name, place, if second { dashes } else { dots }, cx);
        }
    }
}
