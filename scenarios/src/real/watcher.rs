//! What a node tells the conductor of its run: each step with what is to be observed of it, as the simulator would.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::time::Instant;

use seedbed_core::contract::{CommandId, Effect, EffectOf, Input, InputOf, Life, NodeId, Protocol, Time};
use seedbed_transport::host::{Moment, Watch};

use super::conduct::{Event, News};

/// Something to be observed.
#[derive(Debug)]
pub(super) enum Told<P: Protocol> {
    Notice(P::Notice),
    Sent(NodeId, P::Message),
    Command(CommandId, P::Command),
    Reply(CommandId, P::Reply),
}

/// Looks on at one life of one node.
pub(super) struct Watcher<P: Protocol> {
    node: NodeId,
    life: Life,
    news: Sender<News<P>>,
    /// A command that the step under way handles.
    command: Option<Told<P>>,
    is_message: bool,
    /// What waits for the disk, each with the step that must be durable before.
    gated: VecDeque<(u64, Told<P>)>,
    /// The last step that wrote something, while that is not durable.
    written: Option<u64>,
}

impl<P: Protocol> Watcher<P> {
    pub(super) fn new(node: NodeId, life: Life, news: Sender<News<P>>) -> Self {
        let (command, gated) = (None, VecDeque::new());
        Self { node, life, news, command, is_message: false, gated, written: None }
    }

    fn tell(&self, event: Event<P>) {
        // The run may be over.
        let _ = self.news.send(News { node: self.node, life: self.life, at: Instant::now(), event });
    }

    /// Tells now, or when the disk has what stands before it.
    fn promise(&mut self, durable: bool, told: Told<P>, now: &mut Vec<Told<P>>) {
        match self.written.filter(|_| durable) {
            Some(step) => self.gated.push_back((step, told)),
            None => now.push(told),
        }
    }
}

impl<P: Protocol> Watch<P> for Watcher<P> {
    fn up(&mut self, _: NodeId, _: Life, _: &[u8; 32]) {
        self.tell(Event::Up);
    }

    fn input(&mut self, _: Moment, input: &InputOf<P>) {
        self.is_message = matches!(input, Input::Message { .. });
        match input {
            Input::Command { id, command } => self.command = Some(Told::Command(*id, command.clone())),
            // What waited for the disk has been dropped.
            Input::Full { .. } => {
                self.gated.clear();
                self.written = None;
            }
            _ => {}
        }
    }

    fn stepped(&mut self, moment: Moment, state: &P, effects: &VecDeque<EffectOf<P>>) {
        let mut told = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send { to, durable, message, .. } => {
                    self.promise(*durable, Told::Sent(*to, message.clone()), &mut told);
                }
                Effect::Reply { id, durable, reply } => {
                    self.promise(*durable, Told::Reply(*id, reply.clone()), &mut told);
                }
                Effect::Notify { notice } => told.push(Told::Notice(notice.clone())),
                Effect::Persist { .. } | Effect::Checkpoint { .. } => self.written = Some(moment.step),
                _ => {}
            }
        }
        let (command, is_message, clock) = (self.command.take(), self.is_message, moment.now);
        self.tell(Event::Step(Box::new(Step { state: state.clone(), clock, is_message, command, told })));
    }

    fn durable(&mut self, step: u64) {
        self.written = self.written.filter(|written| *written > step);
        let mut told = Vec::new();
        while let Some((_, kept)) = self.gated.pop_front_if(|(needs, _)| *needs <= step) {
            told.push(kept);
        }
        if !told.is_empty() {
            self.tell(Event::Kept(told));
        }
    }
}

/// One step of a node.
#[derive(Debug)]
pub(super) struct Step<P: Protocol> {
    /// As it left it.
    pub(super) state: P,
    /// The node's steady clock.
    pub(super) clock: Time,
    /// Whether a message was delivered with it.
    pub(super) is_message: bool,
    /// To be observed before it, in the state before.
    pub(super) command: Option<Told<P>>,
    /// To be observed after it.
    pub(super) told: Vec<Told<P>>,
}
