//! A node: in each round it asks the hub for a task, works, hands in what came out, and sleeps.

use std::sync::Arc;

use serde::Serialize;

use super::messages::{Message, Notice, Refusal, Reply, TaskId, Timer};
use super::parameters::{Config, Parameters};
use super::{Cx, DistriCloud, HUB};
use crate::contract::{Duration, Input, InputOf, NodeId};

/// A node.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    #[serde(skip)]
    config: Arc<Config>,
    is_malicious: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
enum Stage {
    Asleep,
    Asking,
    Working(TaskId),
}

impl Node {
    pub(super) fn new(config: &Arc<Config>, me: NodeId) -> Self {
        Self { config: Arc::clone(config), is_malicious: config.is_malicious(me), stage: Stage::Asleep }
    }

    /// What it works on.
    #[must_use]
    pub fn working(&self) -> Option<TaskId> {
        match self.stage {
            Stage::Working(task) => Some(task),
            Stage::Asleep | Stage::Asking => None,
        }
    }

    pub(super) fn step(&mut self, input: InputOf<DistriCloud>, cx: &mut Cx<'_>) {
        match input {
            Input::Start { .. } => {
                self.stage = Stage::Asleep;
                self.round(cx);
            }
            Input::Timer { timer: Timer::Round } => match self.stage {
                Stage::Asking => self.sleep(cx),
                Stage::Asleep => self.round(cx),
                Stage::Working(_) => {}
            },
            Input::Timer { timer: Timer::Heartbeat } if self.working().is_none() => self.beat(cx),
            Input::Timer { timer: Timer::Done } => self.hand_in(cx),
            Input::Message { from: HUB, message: Message::Work(work), .. } if self.stage == Stage::Asking => {
                match work {
                    Some((task, takes)) => self.work(task, takes, cx),
                    None => self.sleep(cx),
                }
            }
            Input::Command { id, .. } => cx.reply_now(id, Reply::Refused(Refusal::NotTheHub)),
            _ => {}
        }
    }

    fn round(&mut self, cx: &mut Cx<'_>) {
        self.beat(cx);
        cx.send_now(HUB, Message::Poll);
        self.stage = Stage::Asking;
        cx.set(Timer::Round, self.config.parameters.patience);
    }

    fn beat(&self, cx: &mut Cx<'_>) {
        cx.send_now(HUB, Message::Heartbeat);
        cx.set(Timer::Heartbeat, self.config.parameters.heartbeat);
    }

    /// While it works, it does nothing else: no heartbeat leaves.
    fn work(&mut self, task: TaskId, takes: Duration, cx: &mut Cx<'_>) {
        self.stage = Stage::Working(task);
        cx.cancel(Timer::Round);
        cx.cancel(Timer::Heartbeat);
        cx.set(Timer::Done, takes);
        cx.notify(Notice::Began(task));
    }

    fn hand_in(&mut self, cx: &mut Cx<'_>) {
        let Some(task) = self.working() else { return };
        let lies = self.is_malicious && self.config.parameters.lies.happens(cx.dice.below(u64::MAX));
        let output = if lies { task.wrong() } else { task.right() };
        cx.send_now(HUB, Message::Submit { task, output: Some(output) });
        cx.notify(Notice::Ended(task));
        cx.set(Timer::Heartbeat, self.config.parameters.heartbeat);
        self.sleep(cx);
    }

    fn sleep(&mut self, cx: &mut Cx<'_>) {
        let Parameters { sleep, .. } = self.config.parameters;
        self.stage = Stage::Asleep;
        cx.set(Timer::Round, sleep);
    }
}
