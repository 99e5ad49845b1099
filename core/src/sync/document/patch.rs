//! A write to a document as registers: a JSON merge patch (RFC 7396), or a whole object.
//!
//! A scalar or array becomes the value of its path. An object that takes the place of something else becomes an empty one
//! there, and its members are written below. A member that is null takes away what it finds. Fields that the schema names
//! take their own operations.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use super::super::collection::ID_FIELD;
use super::super::pointer::MARK;
use super::super::text::{elements, members, string};
use super::super::{DocumentId, FieldKind, Limits, Pointer, Refusal, Schema, Stamp};
use super::register::{Content, Register};
use super::{fixed, render};

/// One write under way.
pub(super) struct Write<'a, 's> {
    pub(super) id: DocumentId,
    pub(super) schema: &'s Schema,
    pub(super) limits: &'s Limits,
    pub(super) stamp: Stamp,
    /// What the writer sees.
    pub(super) before: &'s [Register<'a>],
    /// Whether null is a value, as in a whole document, or takes away, as in a patch.
    pub(super) null_is_value: bool,
    /// What is written, in the order of registers.
    pub(super) writes: Vec<Register<'a>>,
    /// Dots among `before` that the write does away with.
    pub(super) dropped: BTreeSet<usize>,
}

impl<'a> Write<'a, '_> {
    /// Writes the members of `object` into the object at `path`, whose registers are `at`.
    pub(super) fn members(
        &mut self,
        path: &mut String,
        at: Range<usize>,
        object: &'a str,
    ) -> Result<(), Refusal> {
        let length = path.len();
        for (name, text) in members(object) {
            if length == 0 && name == ID_FIELD {
                self.check_id(text)?;
                continue;
            }
            if name.len() > self.limits.field_name_bytes as usize || name.contains(MARK) {
                return Err(Refusal::BadName { bytes_max: self.limits.field_name_bytes, is_field: true });
            }
            path.push(MARK);
            path.push_str(&name);
            let within = render::within(&self.before[at.clone()], path);
            self.field(path, at.start + within.start..at.start + within.end, text)?;
            path.truncate(length);
        }
        Ok(())
    }

    /// A document shows its own name, and no write changes it.
    fn check_id(&self, text: &str) -> Result<(), Refusal> {
        let id: DocumentId = string(text).and_then(|text| text.parse().ok()).ok_or(Refusal::BadId)?;
        if id == self.id { Ok(()) } else { Err(Refusal::OtherId) }
    }

    fn field(&mut self, path: &mut String, at: Range<usize>, text: &'a str) -> Result<(), Refusal> {
        let takes_away = text == "null" && !self.null_is_value;
        match self.schema.kind(path) {
            _ if takes_away => self.remove(path, at),
            Some(FieldKind::Counter) => return self.counter(path, at, text),
            Some(FieldKind::Set) => return self.set(path, at, text),
            Some(FieldKind::MultiValue) => return self.multi_value(path, at, text),
            None if text.starts_with('{') => {
                let is_object = self.is_object(&at, path.len());
                if !is_object {
                    self.put(path, Content::Object);
                }
                // Below what was no object nothing is seen, so there is nothing to take away.
                return self.members(path, if is_object { at } else { 0..0 }, text);
            }
            None => self.put(path, Content::Leaf(Cow::Borrowed(text))),
        }
        Ok(())
    }

    fn put(&mut self, path: &str, content: Content<'a>) {
        self.writes.push(Register::new(path, self.stamp, content));
    }

    /// Takes away what is seen: siblings as dots, so that one written concurrently stays; all else by a later value.
    fn remove(&mut self, path: &str, at: Range<usize>) {
        let siblings = self.drop_dots(at.clone(), |content| matches!(content, Content::Sibling(_)));
        let others = self.before[at].iter().filter(|register| register.is_visible()).count() > siblings;
        if others {
            self.put(path, Content::Removed);
        }
    }

    fn is_object(&self, at: &Range<usize>, length: usize) -> bool {
        let registers = &self.before[at.clone()];
        let below = registers.iter().any(|register| register.path.len() > length && register.is_visible());
        let own = registers.iter().take_while(|register| register.path.len() == length).last();
        below || own.is_some_and(|register| register.content == Content::Object)
    }

    /// A number sets what this replica shows, by adding the difference; `$add` adds.
    fn counter(&mut self, path: &str, at: Range<usize>, text: &str) -> Result<(), Refusal> {
        let wrong = || Refusal::WrongKind { path: Pointer::from_path(path), kind: FieldKind::Counter };
        let overflow = || Refusal::CounterOverflow(Pointer::from_path(path));
        let own = &self.before[at];
        let difference = if text.starts_with('{') {
            operations(text, ["$add"]).and_then(|[number]| fixed::read(number?)).map(i128::from)
        } else {
            fixed::read(text).map(|number| i128::from(number) - render::sum(own))
        };
        let mine = own.iter().find_map(|register| match register.content {
            Content::Contribution(sum) if register.stamp.node == self.stamp.node => Some(sum),
            _ => None,
        });
        let sum = i128::from(mine.unwrap_or(0)) + difference.ok_or_else(wrong)?;
        self.put(path, Content::Contribution(i64::try_from(sum).map_err(|_| overflow())?));
        Ok(())
    }

    /// An array sets the elements, by adding what is missing and removing what is too many; or `$add` and `$remove`.
    fn set(&mut self, path: &str, at: Range<usize>, text: &'a str) -> Result<(), Refusal> {
        let wrong = || Refusal::WrongKind { path: Pointer::from_path(path), kind: FieldKind::Set };
        let mut added: BTreeSet<&'a str>;
        if text.starts_with('[') {
            added = elements(text).collect();
            self.drop_dots(
                at.clone(),
                |content| matches!(content, Content::Element(text) if !added.contains(&**text)),
            );
            for register in &self.before[at.clone()] {
                if let Content::Element(text) = &register.content {
                    added.remove(&**text);
                }
            }
        } else {
            let [add, remove] = operations(text, ["$add", "$remove"]).ok_or_else(wrong)?;
            if [add, remove].iter().flatten().any(|list| !list.starts_with('[')) {
                return Err(wrong());
            }
            added = add.map(elements).into_iter().flatten().collect();
            let removed: BTreeSet<&str> = remove.map(elements).into_iter().flatten().collect();
            // What is added anew gets a new dot: so it stays even where the old one is removed.
            self.drop_dots(at.clone(), |content| {
                matches!(content, Content::Element(text) if removed.contains(&**text) || added.contains(&**text))
            });
            added.retain(|text| !removed.contains(text));
        }
        if !self.before[at].iter().any(|register| register.content == Content::Set) {
            self.put(path, Content::Set);
        }
        for text in added {
            self.put(path, Content::Element(Cow::Borrowed(text)));
        }
        Ok(())
    }

    fn multi_value(&mut self, path: &str, at: Range<usize>, text: &'a str) -> Result<(), Refusal> {
        if text.starts_with('{') {
            return Err(Refusal::WrongKind { path: Pointer::from_path(path), kind: FieldKind::MultiValue });
        }
        self.drop_dots(at, |content| matches!(content, Content::Sibling(_)));
        self.put(path, Content::Sibling(Cow::Borrowed(text)));
        Ok(())
    }

    /// How many dots the write does away with.
    fn drop_dots(&mut self, at: Range<usize>, is_gone: impl Fn(&Content<'a>) -> bool) -> usize {
        let gone = at.filter(|&nth| is_gone(&self.before[nth].content));
        let before = self.dropped.len();
        self.dropped.extend(gone);
        self.dropped.len() - before
    }
}

/// The arguments of an object that has only members of these names, at least one; else `None`.
fn operations<'a, const N: usize>(object: &'a str, names: [&str; N]) -> Option<[Option<&'a str>; N]> {
    let mut arguments = [None; N];
    for (name, text) in members(object) {
        let nth = names.iter().position(|known| *known == name)?;
        arguments[nth] = Some(text);
    }
    arguments.iter().any(Option::is_some).then_some(arguments)
}
