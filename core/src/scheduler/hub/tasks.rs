//! The tasks that a hub remembers, by their number.
//!
//! Numbers are given out in turn, and tasks are forgotten about in that order. So tasks stand on pages of many numbers in a
//! row: to find one is to find its page among few, however many tasks there are. A page is dropped with the last task on it.

use std::collections::BTreeMap;
use std::ops::{Index, RangeFrom};

use serde::{Deserialize, Serialize, Serializer};

use super::entry::TaskId;
use super::state::Task;

/// How many numbers are on one page.
const PAGE: u64 = 128;

type Page = Box<[Option<Box<Task>>]>;

/// A map. It is encoded as one, too.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(from = "BTreeMap<TaskId, Task>")]
pub(super) struct Tasks {
    pages: BTreeMap<u64, Page>,
    len: usize,
}

const fn place(id: TaskId) -> (u64, usize) {
    (id.0 / PAGE, (id.0 % PAGE) as usize)
}

impl Tasks {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, id: &TaskId) -> Option<&Task> {
        let (page, at) = place(*id);
        self.pages.get(&page)?[at].as_deref()
    }

    pub(super) fn get_mut(&mut self, id: &TaskId) -> Option<&mut Task> {
        let (page, at) = place(*id);
        self.pages.get_mut(&page)?[at].as_deref_mut()
    }

    /// What was there before is gone.
    pub(super) fn insert(&mut self, id: TaskId, task: Task) {
        let (page, at) = place(id);
        let page = self.pages.entry(page).or_insert_with(|| (0..PAGE).map(|_| None).collect());
        self.len += usize::from(page[at].is_none());
        page[at] = Some(Box::new(task));
    }

    pub(super) fn remove(&mut self, id: TaskId) -> Option<Task> {
        let (number, at) = place(id);
        let page = self.pages.get_mut(&number)?;
        let task = page[at].take()?;
        self.len -= 1;
        if page.iter().all(Option::is_none) {
            self.pages.remove(&number);
        }
        Some(*task)
    }

    /// All, in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.range(TaskId(0)..)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Task> {
        self.iter().map(|(_, task)| task)
    }

    /// Those from a number on, in ascending order.
    pub(super) fn range(&self, from: RangeFrom<TaskId>) -> impl Iterator<Item = (TaskId, &Task)> {
        let (first, at) = place(from.start);
        self.pages.range(first..).flat_map(move |(number, page)| {
            let skipped = if *number == first { at } else { 0 };
            let tasks = page.iter().enumerate().skip(skipped);
            tasks.filter_map(move |(at, task)| Some((TaskId(number * PAGE + at as u64), task.as_deref()?)))
        })
    }
}

impl Index<&TaskId> for Tasks {
    type Output = Task;

    fn index(&self, id: &TaskId) -> &Task {
        self.get(id).expect("there is such a task")
    }
}

impl From<BTreeMap<TaskId, Task>> for Tasks {
    fn from(tasks: BTreeMap<TaskId, Task>) -> Self {
        let mut all = Self::default();
        tasks.into_iter().for_each(|(id, task)| all.insert(id, task));
        all
    }
}

impl Serialize for Tasks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;

        // Postcard wants to know how many there are.
        let mut map = serializer.serialize_map(Some(self.len))?;
        self.iter().try_for_each(|(id, task)| map.serialize_entry(&id, task))?;
        map.end()
    }
}
