//! The hub: it answers nodes and clients, and looks at its board now and then.

use std::sync::Arc;

use serde::Serialize;

use super::board::Board;
use super::messages::{Command, Message, Notice, Reply, Timer};
use super::parameters::Config;
use super::{Cx, DistriCloud};
use crate::contract::{Input, InputOf, NodeId};

/// Node 0.
#[derive(Clone, Debug, Serialize)]
pub struct Hub {
    #[serde(skip)]
    config: Arc<Config>,
    board: Board,
}

impl Hub {
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self { config: Arc::clone(config), board: Board::new(config) }
    }

    /// What it knows.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    pub(super) fn step(&mut self, input: InputOf<DistriCloud>, cx: &mut Cx<'_>) {
        match input {
            Input::Start { .. } => self.start(cx),
            Input::Timer { timer: Timer::Pass } => {
                self.pass(cx);
                cx.set(Timer::Pass, self.config.parameters.orchestration);
            }
            Input::Timer { timer: Timer::Health } => {
                let told = self.board.look(cx.now);
                tell(told, cx);
                cx.set(Timer::Health, self.config.parameters.health);
            }
            Input::Message { from, message, .. } => self.hear(from, message, cx),
            Input::Command { id, command: Command::Submit(spec) } => {
                let reply = match self.board.submit(spec, cx.now, &mut cx.dice) {
                    Ok((task, notice)) => {
                        cx.notify(notice);
                        Reply::Submitted(task)
                    }
                    Err(refusal) => Reply::Refused(refusal),
                };
                cx.reply_now(id, reply);
            }
            _ => {}
        }
    }

    fn start(&mut self, cx: &mut Cx<'_>) {
        *self = Self::new(&self.config);
        self.board.open(cx.now, &mut cx.dice);
        cx.set(Timer::Pass, self.config.parameters.orchestration);
        cx.set(Timer::Health, self.config.parameters.health);
    }

    fn hear(&mut self, from: NodeId, message: Message, cx: &mut Cx<'_>) {
        match message {
            Message::Heartbeat => self.board.hear(from, cx.now),
            Message::Poll => {
                if self.config.parameters.pass_at_poll {
                    self.pass(cx);
                }
                cx.send_now(from, Message::Work(self.board.work(from)));
            }
            Message::Submit { task, output } => {
                let told = self.board.answer(task, from, output, &mut cx.dice);
                tell(told, cx);
            }
            Message::Work(_) => {}
        }
    }

    fn pass(&mut self, cx: &mut Cx<'_>) {
        let told = self.board.pass(cx.now, &mut cx.dice);
        tell(told, cx);
    }
}

fn tell(told: Vec<Notice>, cx: &mut Cx<'_>) {
    told.into_iter().for_each(|notice| cx.notify(notice));
}
