//! What a reader sees of registers: one JSON value.

use super::super::collection::ID_FIELD;
use super::super::pointer::{MARK, is_within};
use super::super::text::{compare, push_string};
use super::super::{DocumentId, Pointer};
use super::fixed;
use super::register::{Content, Register};
use crate::contract::Json;

/// The whole document with its `_id`.
pub(super) fn body(registers: &[Register<'_>], id: DocumentId) -> Json {
    let member = |register: &Register<'_>| 4 + register.path.len() + register.content.text().len();
    let mut out = String::with_capacity(64 + registers.iter().map(member).sum::<usize>());
    push_object(&mut out, registers.get(1..).unwrap_or_default(), 0, Some(id));
    Json::canonical(out)
}

/// The value at one path as canonical text, if there is any.
pub(super) fn value(registers: &[Register<'_>], path: &str) -> Option<String> {
    let mut out = String::new();
    push_value(&mut out, &registers[within(registers, path)], path.len()).then_some(out)
}

/// The registers at a path and below.
pub(super) fn within(registers: &[Register<'_>], path: &str) -> std::ops::Range<usize> {
    let start = registers.partition_point(|register| *register.path < *path);
    let count = registers[start..].partition_point(|register| is_within(&register.path, path));
    start..start + count
}

/// The concurrent values of every field that has several, the one that a reader of the document sees first.
pub(super) fn siblings(registers: &[Register<'_>]) -> Vec<(Pointer, Vec<Json>)> {
    let mut fields: Vec<(Pointer, Vec<Json>)> = Vec::new();
    for register in registers {
        let Content::Sibling(text) = &register.content else { continue };
        let value = Json::canonical(text.clone().into_owned());
        match fields.last_mut() {
            Some((path, values)) if path.path() == register.path => values.insert(0, value),
            _ => fields.push((Pointer::from_path(&register.path), vec![value])),
        }
    }
    fields.retain(|(_, values)| values.len() > 1);
    fields
}

/// Appends the value of the registers at a path of `length` bytes and below it. Whether there is any.
fn push_value(out: &mut String, registers: &[Register<'_>], length: usize) -> bool {
    let own = registers.iter().take_while(|register| register.path.len() == length).count();
    let (own, below) = registers.split_at(own);
    // What is not covered was written after what stands above it: so there is an object again.
    if below.iter().any(Register::is_visible) {
        push_object(out, below, length, None);
        return true;
    }
    match own.last().map(|register| &register.content) {
        None | Some(Content::Removed) => return false,
        Some(Content::Object) => out.push_str("{}"),
        Some(Content::Leaf(text) | Content::Sibling(text)) => out.push_str(text),
        Some(Content::Contribution(_)) => out.push_str(&fixed::write(sum(own))),
        Some(Content::Set | Content::Element(_)) => push_set(out, own),
    }
    true
}

/// Appends the object whose members' registers these are.
fn push_object(out: &mut String, mut registers: &[Register<'_>], length: usize, mut id: Option<DocumentId>) {
    out.push('{');
    let first = out.len();
    while let Some(register) = registers.first() {
        let name = register.path.get(length + 1..).unwrap_or_default();
        let name = name.split_once(MARK).map_or(name, |(name, _)| name);
        if name >= ID_FIELD {
            push_id(out, first, id.take());
        }
        let start = out.len();
        if start > first {
            out.push(',');
        }
        push_string(out, name);
        out.push(':');
        let end = length + 1 + name.len();
        let path = register.path.get(..end).unwrap_or_default();
        let count = registers.iter().take_while(|other| is_within(&other.path, path)).count().max(1);
        let (member, rest) = registers.split_at(count);
        if !push_value(out, member, end) {
            out.truncate(start);
        }
        registers = rest;
    }
    push_id(out, first, id);
    out.push('}');
}

fn push_id(out: &mut String, first: usize, id: Option<DocumentId>) {
    let Some(id) = id else { return };
    if out.len() > first {
        out.push(',');
    }
    push_string(out, ID_FIELD);
    out.push_str(":\"");
    id.write(out);
    out.push('"');
}

/// A counter's value in millionths.
pub(super) fn sum(own: &[Register<'_>]) -> i128 {
    let contributions = own.iter().map(|register| match register.content {
        Content::Contribution(sum) => i128::from(sum),
        _ => 0,
    });
    contributions.sum()
}

fn push_set(out: &mut String, own: &[Register<'_>]) {
    let mut elements: Vec<&str> = own
        .iter()
        .filter_map(|register| match &register.content {
            Content::Element(text) => Some(&**text),
            _ => None,
        })
        .collect();
    elements.sort_unstable_by(|one, other| compare(one, other).then_with(|| one.cmp(other)));
    elements.dedup();
    out.push('[');
    for (nth, element) in elements.iter().enumerate() {
        if nth > 0 {
            out.push(',');
        }
        out.push_str(element);
    }
    out.push(']');
}
