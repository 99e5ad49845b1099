//! Settings as a file that a person can read and change.

use std::fmt::Write;

use seedbed_core::settings::{Node, Setting, Spanned, Table, Value};

use super::{Api, Limits, LogLevel, NodeFile};

/// A document: plain keys first, then tables, then lists of tables. What is the same in `usual` is left out.
pub(super) fn document(table: &Table, usual: &Table) -> String {
    let mut text = String::new();
    let (mut plain, mut tables, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    for entry in table.entries() {
        let usual = usual.find(&entry.key);
        if usual.is_some_and(|usual| usual.value == entry.node.value) {
            continue;
        }
        match &entry.node.value {
            Value::Table(inner) => tables.push((&entry.key, inner, usual.and_then(Node::table))),
            Value::List(nodes) if !nodes.is_empty() && nodes.iter().all(|node| node.table().is_some()) => {
                lists.push((&entry.key, nodes));
            }
            value => plain.push((&entry.key, value)),
        }
    }
    plain.into_iter().for_each(|(key, value)| line(&mut text, key, value));
    for (name, table, usual) in tables {
        let is_usual = |key: &str, value: &Value| {
            usual.and_then(|usual| usual.find(key)).is_some_and(|usual| usual.value == *value)
        };
        let written = table.entries().iter().filter(|entry| !is_usual(&entry.key, &entry.node.value));
        let mut written = written.peekable();
        if written.peek().is_some() {
            let _ = writeln!(text, "\n[{}]", key(name));
            written.for_each(|entry| line(&mut text, &entry.key, &entry.node.value));
        }
    }
    for (name, nodes) in lists {
        for table in nodes.iter().filter_map(Node::table) {
            let _ = writeln!(text, "\n[[{}]]", key(name));
            table.entries().iter().for_each(|entry| line(&mut text, &entry.key, &entry.node.value));
        }
    }
    text
}

fn line(text: &mut String, name: &str, value: &Value) {
    let _ = writeln!(text, "{} = {value}", key(name));
}

/// A key as it is written: in quotes where it needs them.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.chars().all(bare) {
        true => name.into(),
        false => Value::Text(name.into()).to_string(),
    }
}

/// The keys of a setting that is a table.
pub(super) fn table(setting: &impl Setting) -> Table {
    match setting.write() {
        Some(Value::Table(table)) => table,
        _ => Table::default(),
    }
}

/// What a machine that joins is handed: the keys that are the same on all nodes.
const SHARED: &[&str] = &["epoch", "protocol", "params", "limits", "faults"];

impl NodeFile {
    /// As a file that a person can read; what is as usual is left out.
    #[must_use]
    pub fn document(&self) -> String {
        document(&table(self), &self.usual())
    }

    /// What is the same on all nodes, as a part of such a file.
    #[must_use]
    pub fn shared(&self) -> String {
        let entries = table(self).entries().to_vec();
        let shared = entries.into_iter().filter(|entry| SHARED.contains(&entry.key.as_str()));
        document(&Table::from_entries(shared.collect()), &self.usual())
    }

    /// Keys that need not be written, with their values.
    fn usual(&self) -> Table {
        let usual = Self {
            cluster: Spanned::default(),
            epoch: 0,
            node: Spanned::default(),
            name: None,
            protocol: Spanned::default(),
            params: None,
            key: String::new(),
            data: String::new(),
            listen: self.listen.clone(),
            api: Api::default(),
            member: Vec::new(),
            limits: Limits::default(),
            record: None,
            faults: false,
            log: LogLevel::Info,
        };
        let mut usual = table(&usual);
        ["listen", "node"].into_iter().for_each(|key| drop(usual.remove(key)));
        usual
    }
}
