//! A board with nodes and tasks as wanted, and what is done to it by hand.

mod board;
mod loops;
mod pass;

use std::sync::Arc;

use super::board::Board;
use super::messages::{Notice, Spec, TaskId};
use super::parameters::{Config, Parameters, Rule};
use super::task::State;
use crate::contract::{Dice, Duration, Keys, Life, NodeId, Time};
use crate::scheduler::trust::Fixed;

struct Bench {
    board: Board,
    now: Time,
    keys: Keys,
    step: u64,
}

impl Bench {
    /// Of nodes with so many cores, so much memory and trust, the first of them n1.
    fn new(parameters: Parameters, nodes: &[(u32, u32, f64)]) -> Self {
        let config = Arc::new(Config::new(&parameters, nodes.len() as u32 + 1));
        let mut bench =
            Self { board: Board::new(&config), now: Time(1 << 40), keys: Keys::from_seed(1), step: 0 };
        let now = bench.now;
        bench.with(|board, dice| board.open(now, dice));
        for ((node, member), (cpu, ram, trust)) in bench.board.members.iter_mut().zip(nodes) {
            (member.cpu, member.ram) = (*cpu, *ram);
            config.policy.introduce(&mut bench.board.book, (*node).into(), Fixed::of(*trust));
        }
        bench
    }

    fn with<T>(&mut self, run: impl FnOnce(&mut Board, &mut Dice<'_>) -> T) -> T {
        self.step += 1;
        run(&mut self.board, &mut Dice::new(&self.keys, NodeId(0), Life(0), self.step))
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn submit(&mut self, spec: Spec) -> TaskId {
        let now = self.now;
        self.with(|board, dice| board.submit(spec, now, dice)).unwrap().0
    }

    fn pass(&mut self) -> Vec<Notice> {
        let now = self.now;
        self.with(|board, dice| board.pass(now, dice))
    }

    fn answer(&mut self, task: TaskId, node: u32, output: Option<u64>) -> Vec<Notice> {
        self.with(|board, dice| board.answer(task, NodeId(node), output, dice))
    }

    fn beat(&mut self, node: u32) {
        self.board.hear(NodeId(node), self.now);
    }

    /// A minute in which only these nodes are heard, and a look at who is silent.
    fn minute(&mut self, nodes: &[u32]) -> Vec<Notice> {
        self.wait(60);
        nodes.iter().for_each(|&node| self.beat(node));
        self.board.look(self.now)
    }

    fn state(&self, task: TaskId) -> Option<State> {
        self.board.task(task).map(|task| task.state)
    }

    fn set(&mut self, task: TaskId, state: State, stale: u32) {
        let task = self.board.tasks.get_mut(&task).unwrap();
        (task.state, task.stale) = (state, stale);
    }

    fn has(&self, task: TaskId) -> Vec<u32> {
        self.board.task(task).unwrap().assignments.keys().map(|node| node.0).collect()
    }
}

/// A task with such needs for so many nodes, whatever their trust.
fn spec(cpu: u32, ram: u32, overlap: u32) -> Spec {
    let work = Duration::from_secs(1);
    Spec { cpu: Some(cpu), ram: Some(ram), overlap, trust: Some(Fixed::ONE), work }
}

fn rule(rule: Rule) -> Parameters {
    Parameters { rule, unread_capacity: false, ..Parameters::default() }
}

/// As many nodes, all alike.
fn alike(count: usize) -> Vec<(u32, u32, f64)> {
    vec![(4, 8, 5.0); count]
}
