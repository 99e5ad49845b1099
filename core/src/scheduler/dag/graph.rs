//! Tasks and what they need of each other.

use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use petgraph::{Direction, Incoming, Outgoing};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::contract::Duration;
use crate::settings::Bytes;

/// The most tasks of a graph.
pub const TASKS_MAX: usize = 1_000_000;
/// The most edges of a graph.
pub const EDGES_MAX: usize = 10_000_000;
/// The longest name of a task, in bytes.
pub const NAME_MAX: usize = 1_024;

/// One piece of work, done by one processor from its start to its end.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Task {
    /// Its name, which no other task of the graph has.
    pub name: String,
    /// The CPU time that it takes at speed one.
    pub work: Duration,
}

/// What one task hands to another, which cannot start without it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Edge {
    /// The index of the task that gives.
    pub from: u32,
    /// The index of the task that takes.
    pub to: u32,
    /// How much is handed over.
    pub data: Bytes,
}

/// A directed graph of tasks without a cycle, and with at least one task. Tasks are named by their index.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct TaskGraph {
    graph: DiGraph<Task, Bytes>,
    /// The tasks, each after all that it needs.
    order: Vec<u32>,
}

/// What a graph is made of, as it is stored and sent.
#[derive(Deserialize, Serialize)]
struct Parts {
    tasks: Vec<Task>,
    edges: Vec<Edge>,
}

/// Why tasks and edges make no [`TaskGraph`].
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum GraphError {
    /// Nothing to do.
    #[error("there are no tasks, expected at least one")]
    Empty,
    /// More tasks than [`TASKS_MAX`].
    #[error("{0} tasks are more than the {TASKS_MAX} that a graph may have")]
    TooManyTasks(usize),
    /// More edges than [`EDGES_MAX`].
    #[error("{0} edges are more than the {EDGES_MAX} that a graph may have")]
    TooManyEdges(usize),
    /// A name longer than [`NAME_MAX`].
    #[error("the name of task {task} has {bytes} bytes, more than the {NAME_MAX} that it may have")]
    LongName {
        /// The task's index.
        task: usize,
        /// The length of its name.
        bytes: usize,
    },
    /// Two tasks of one name.
    #[error("there are two tasks `{name}`")]
    DuplicateTask {
        /// The index of the second.
        task: usize,
        /// Their name.
        name: String,
    },
    /// An edge of a task that is not there.
    #[error("an edge names task {task}, but there are only {tasks} tasks, counted from 0")]
    UnknownTask {
        /// The index that the edge names.
        task: usize,
        /// How many tasks there are.
        tasks: usize,
    },
    /// Two edges between the same tasks.
    #[error("there are two edges from task `{from}` to task `{to}`")]
    DuplicateEdge {
        /// The name of the task that gives.
        from: String,
        /// The index of the task that takes.
        task: usize,
        /// Its name.
        to: String,
    },
    /// Tasks that wait for each other.
    #[error("task `{name}` needs itself: it lies on a cycle")]
    Cycle {
        /// The index of a task on the cycle.
        task: usize,
        /// Its name.
        name: String,
    },
    /// All work together is longer than time can be counted.
    #[error("the work of all tasks together is longer than 584 years")]
    TooMuchWork,
}

impl GraphError {
    /// The task to blame, where there is one: its index.
    #[must_use]
    pub const fn task(&self) -> Option<usize> {
        match self {
            Self::LongName { task, .. }
            | Self::DuplicateTask { task, .. }
            | Self::DuplicateEdge { task, .. }
            | Self::Cycle { task, .. } => Some(*task),
            Self::Empty
            | Self::TooManyTasks(_)
            | Self::TooManyEdges(_)
            | Self::UnknownTask { .. }
            | Self::TooMuchWork => None,
        }
    }
}

impl TaskGraph {
    /// A graph of these tasks and edges. The order of the edges does not matter.
    ///
    /// # Errors
    /// See [`GraphError`].
    pub fn new(tasks: Vec<Task>, mut edges: Vec<Edge>) -> Result<Self, GraphError> {
        check_tasks(&tasks)?;
        if edges.len() > EDGES_MAX {
            return Err(GraphError::TooManyEdges(edges.len()));
        }
        edges.sort_unstable();
        check_edges(&tasks, &edges)?;
        let mut graph = DiGraph::with_capacity(tasks.len(), edges.len());
        for task in tasks {
            graph.add_node(task);
        }
        for edge in edges {
            graph.add_edge(edge.from.into(), edge.to.into(), edge.data);
        }
        let order = toposort(&graph, None).map_err(|cycle| {
            let task = cycle.node_id();
            GraphError::Cycle { task: task.index(), name: graph[task].name.clone() }
        })?;
        let order = order.into_iter().map(|task| task.index() as u32).collect();
        Ok(Self { graph, order })
    }

    /// How many tasks there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// The tasks by their index.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.graph.node_weights()
    }

    /// One task.
    ///
    /// # Panics
    /// If there is no task of that index.
    #[must_use]
    pub fn task(&self, task: usize) -> &Task {
        &self.graph[NodeIndex::new(task)]
    }

    /// The edges, by the task that gives, then by the one that takes.
    pub fn edges(&self) -> impl Iterator<Item = Edge> {
        self.graph.edge_references().map(|edge| Edge {
            from: edge.source().index() as u32,
            to: edge.target().index() as u32,
            data: *edge.weight(),
        })
    }

    /// What a task needs: the tasks that give, each with how much.
    pub fn predecessors(&self, task: usize) -> impl Iterator<Item = (usize, Bytes)> {
        self.around(task, Incoming).map(|edge| (edge.source().index(), *edge.weight()))
    }

    /// Who needs a task: the tasks that take, each with how much.
    pub fn successors(&self, task: usize) -> impl Iterator<Item = (usize, Bytes)> {
        self.around(task, Outgoing).map(|edge| (edge.target().index(), *edge.weight()))
    }

    fn around(
        &self,
        task: usize,
        direction: Direction,
    ) -> impl Iterator<Item = petgraph::graph::EdgeReference<'_, Bytes>> {
        self.graph.edges_directed(NodeIndex::new(task), direction)
    }

    /// For each task, how many others it needs.
    #[must_use]
    pub fn needs(&self) -> Vec<u32> {
        let mut needs = vec![0; self.len()];
        for edge in self.edges() {
            needs[edge.to as usize] += 1;
        }
        needs
    }

    /// All tasks, each after those that it needs.
    pub fn order(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.order.iter().map(|task| *task as usize)
    }
}

/// Equal tasks and equal edges.
impl PartialEq for TaskGraph {
    fn eq(&self, other: &Self) -> bool {
        self.tasks().eq(other.tasks()) && self.edges().eq(other.edges())
    }
}
impl Eq for TaskGraph {}

impl TryFrom<Parts> for TaskGraph {
    type Error = GraphError;
    fn try_from(parts: Parts) -> Result<Self, GraphError> {
        Self::new(parts.tasks, parts.edges)
    }
}

impl From<TaskGraph> for Parts {
    fn from(graph: TaskGraph) -> Self {
        let edges = graph.edges().collect();
        let tasks = graph.graph.into_nodes_edges().0.into_iter().map(|node| node.weight).collect();
        Self { tasks, edges }
    }
}

fn check_tasks(tasks: &[Task]) -> Result<(), GraphError> {
    if tasks.is_empty() {
        return Err(GraphError::Empty);
    }
    if tasks.len() > TASKS_MAX {
        return Err(GraphError::TooManyTasks(tasks.len()));
    }
    if let Some(task) = tasks.iter().position(|task| task.name.len() > NAME_MAX) {
        return Err(GraphError::LongName { task, bytes: tasks[task].name.len() });
    }
    let mut by_name: Vec<usize> = (0..tasks.len()).collect();
    by_name.sort_by_key(|task| &tasks[*task].name);
    if let Some(twins) = by_name.windows(2).find(|pair| tasks[pair[0]].name == tasks[pair[1]].name) {
        return Err(GraphError::DuplicateTask { task: twins[1], name: tasks[twins[1]].name.clone() });
    }
    let mut works = tasks.iter().map(|task| task.work.as_nanos());
    works.try_fold(0_u64, u64::checked_add).map(|_| ()).ok_or(GraphError::TooMuchWork)
}

/// Of edges in order.
fn check_edges(tasks: &[Task], edges: &[Edge]) -> Result<(), GraphError> {
    let ends = edges.iter().flat_map(|edge| [edge.from as usize, edge.to as usize]);
    if let Some(task) = ends.into_iter().find(|end| *end >= tasks.len()) {
        return Err(GraphError::UnknownTask { task, tasks: tasks.len() });
    }
    let same = |pair: &&[Edge]| (pair[0].from, pair[0].to) == (pair[1].from, pair[1].to);
    match edges.windows(2).find(same) {
        None => Ok(()),
        Some(twins) => {
            let (from, task) = (twins[1].from as usize, twins[1].to as usize);
            let [from, to] = [from, task].map(|end| tasks[end].name.clone());
            Err(GraphError::DuplicateEdge { from, task, to })
        }
    }
}
