//! An event comes up: it is handed to its node, or the node is found to be down, held, or gone.

use seedbed_core::contract::{CommandId, Context, Dice, Input, InputOf, NodeId, Protocol, Purpose, frame};

use super::{Body, Event, NOBODY, Other, Route, World};
use crate::timers::Due;
use crate::watch::{Drop, Watch};

/// How many inputs may wait for a node that is held: messages and commands that come on top are lost.
const INBOX_MAX: usize = 1 << 16;

/// Says in the digest that a timer, not a message, came up.
const TIMER: u64 = 1 << 63;
/// And that it was something else.
const OTHER: u64 = 1 << 62;

impl<P: Protocol> World<P> {
    #[inline(always)]
    pub(super) fn handle(&mut self, event: Event<P>, watch: &mut impl Watch<P>) {
        let Event { route, body } = event;
        let to = route.to();
        self.tally.events += 1;
        let slot = &self.slots[to.0 as usize];
        if slot.is_rare && self.rare_of(to).is_some_and(|rare| rare.held.any()) {
            return self.enqueue_or_take(route, body, watch);
        }
        self.take(route, body, false, watch);
    }

    /// `has_arrived` says of a message that it waited at its node: what is cut since then cannot stop it.
    #[inline(always)]
    fn take(&mut self, route: Route, body: Body<P>, has_arrived: bool, watch: &mut impl Watch<P>) {
        let (to, source) = (route.to(), route.source());
        match body {
            Body::Message { message } => {
                self.digest.fold(self.now, route.0);
                self.deliver(to, NodeId(source), message, None, has_arrived, watch);
            }
            Body::Timer { index } => self.timer(to, index, watch),
            Body::Other(other) => {
                // A message is a message, whether it travels as a value or as bytes.
                let kind = if source == NOBODY { OTHER } else { 0 };
                self.digest.fold(self.now, route.0 | kind);
                self.take_other(to, source, *other, has_arrived, watch);
            }
        }
    }

    #[inline(always)]
    fn deliver(
        &mut self,
        to: NodeId,
        from: NodeId,
        message: P::Message,
        blob: Option<seedbed_core::contract::Blob>,
        has_arrived: bool,
        watch: &mut impl Watch<P>,
    ) {
        if !has_arrived && !self.network.is_linked(from, to) {
            return self.drop_message(from, to, Drop::Cut, watch);
        }
        if !self.slots[to.0 as usize].is_up {
            return self.drop_message(from, to, Drop::Down, watch);
        }
        self.traffic.delivered += 1;
        if self.modes.is_audit {
            self.digest.encode(&message);
        }
        watch.delivered(self, from, to, &message);
        self.step(to, Input::Message { from, message, blob }, watch);
    }

    pub(super) fn drop_message(&mut self, from: NodeId, to: NodeId, why: Drop, watch: &mut impl Watch<P>) {
        self.traffic.count(why);
        watch.dropped(self, from, to, why);
    }

    #[inline]
    fn timer(&mut self, node: NodeId, index: u32, watch: &mut impl Watch<P>) {
        let now = self.now;
        let slot = self.slot(node);
        let due = slot.timers.due(index, now);
        self.fire(node, index, due, watch);
    }

    #[inline]
    fn fire(&mut self, node: NodeId, index: u32, due: Due<P::Timer>, watch: &mut impl Watch<P>) {
        match due {
            Due::Fire(timer) => {
                self.digest.fold(self.now ^ TIMER, u64::from(node.0) << 32 | u64::from(index));
                watch.timer(self, node, &timer);
                self.step(node, Input::Timer { timer }, watch);
            }
            Due::Later(at) => self.push(at, node, NOBODY, Body::Timer { index }),
            Due::Stale => {}
        }
    }

    /// One step of a node, and its effects.
    #[inline(always)]
    pub(super) fn step(&mut self, node: NodeId, input: InputOf<P>, watch: &mut impl Watch<P>) {
        let (now, wall) = self.clocks(node);
        let slot = &mut self.slots[node.0 as usize];
        let number = slot.steps;
        slot.steps += 1;
        let dice = Dice::new(&self.keys, node, slot.life(), number);
        slot.state.step(input, &mut Context::new(now, wall, node, dice, &mut self.effects));
        self.tally.steps += 1;
        if self.modes.steps_cost {
            return self.compute(node, number);
        }
        self.carry_out(node, number, watch);
    }

    /// A step takes its time: only when it is over does anything of it leave the node.
    #[cold]
    fn compute(&mut self, node: NodeId, step: u64) {
        let life = self.slots[node.0 as usize].life;
        let draw = self.keys.roll(Purpose::Cpu).at(u64::from(node.0) << 32 | u64::from(life), step);
        let cost = self.setup.step_cost.as_ref().map_or(0, |law| law.draw(draw));
        let done = self.now.saturating_add(cost);
        let effects = std::mem::take(&mut self.effects);
        let rare = self.rare(node);
        rare.held.computing = true;
        rare.computed_at = done;
        self.effects = std::mem::replace(&mut self.rare(node).computed, effects);
        self.other(done, node, Other::Idle { life });
    }

    /// The CPU has done a step. If its node is paused, that shows when it goes on.
    #[cold]
    pub(super) fn finish_step(&mut self, node: NodeId, watch: &mut impl Watch<P>) {
        let (now, step) = (self.now, self.slots[node.0 as usize].steps.wrapping_sub(1));
        let rare = self.rare(node);
        if rare.held.paused || rare.computed_at > now {
            return;
        }
        rare.held.computing = false;
        let effects = std::mem::take(&mut rare.computed);
        self.keep_promises(node, watch);
        let spare = std::mem::replace(&mut self.effects, effects);
        self.carry_out(node, step, watch);
        self.rare(node).computed = spare;
        self.release(node, watch);
    }

    #[cold]
    fn take_other(
        &mut self,
        to: NodeId,
        source: u32,
        other: Other<P>,
        has_arrived: bool,
        watch: &mut impl Watch<P>,
    ) {
        let slot = &self.slots[to.0 as usize];
        let (is_up, now_life) = (slot.is_up, slot.life);
        match other {
            Other::MessageWithBlob { message, blob } => {
                self.deliver(to, NodeId(source), message, Some(blob), has_arrived, watch);
            }
            Other::Frame { bytes, blob } => match frame::decode(&bytes) {
                Ok((_, message, _)) => {
                    self.deliver(to, NodeId(source), message, blob, has_arrived, watch);
                }
                Err(_) => self.drop_message(NodeId(source), to, Drop::Damaged, watch),
            },
            // A fault may have started it before, and stopped it since.
            Other::Start if slot.has_lived() => {}
            Other::Start => self.begin_life(to, watch),
            Other::Command { id, .. } if !is_up => watch.refused(self, to, id),
            Other::Command { id, command } => {
                watch.command(self, to, id, &command);
                self.step(to, Input::Command { id, command }, watch);
            }
            Other::Members(_) | Other::Link { .. } if !is_up => {}
            Other::Members(members) => self.step(to, Input::Members(members), watch),
            Other::Link { peer, up } => self.step(to, Input::Link { peer, up }, watch),
            Other::Unstalled => self.unstall(to, watch),
            Other::Disk { life, done } if is_up && life == now_life => self.disk_did(to, done, watch),
            Other::Blob { life, news } if is_up && life == now_life => {
                self.step(to, Input::Blob(news), watch)
            }
            Other::Full { life, record } if is_up && life == now_life => {
                self.rare(to).held.refused = false;
                self.step(to, Input::Full { record }, watch);
                self.release(to, watch);
            }
            Other::Ran { life, job } if is_up && life == now_life => self.ran(to, job, watch),
            Other::Served { life } if is_up && life == now_life => self.served(to),
            Other::Idle { life } if is_up && life == now_life => self.finish_step(to, watch),
            // It belonged to a life that is over.
            Other::Disk { .. }
            | Other::Blob { .. }
            | Other::Full { .. }
            | Other::Ran { .. }
            | Other::Served { .. }
            | Other::Idle { .. } => {}
        }
    }

    /// What comes to a node that stands still waits, except what its devices did, which work on, and the refusal of
    /// a record, which it must know before anything else.
    #[cold]
    fn enqueue_or_take(&mut self, route: Route, body: Body<P>, watch: &mut impl Watch<P>) {
        let is_urgent = |other: &Other<P>| {
            matches!(
                other,
                Other::Start
                    | Other::Idle { .. }
                    | Other::Disk { .. }
                    | Other::Unstalled
                    | Other::Served { .. }
                    | Other::Full { .. }
            )
        };
        match &body {
            Body::Other(other) if is_urgent(other) => self.take(route, body, false, watch),
            _ => self.enqueue(route, body, watch),
        }
    }

    fn enqueue(&mut self, route: Route, body: Body<P>, watch: &mut impl Watch<P>) {
        let (to, source, now) = (route.to(), route.source(), self.now);
        // A timer's entry has come up: from here on the inbox holds it.
        let body = match body {
            Body::Timer { index } => match self.slot(to).timers.due(index, now) {
                Due::Fire(_) => {
                    self.slot(to).timers.wait(index, now);
                    Body::Timer { index }
                }
                Due::Later(at) => return self.push(at, to, NOBODY, Body::Timer { index }),
                Due::Stale => return,
            },
            other => other,
        };
        if source != NOBODY && !self.network.is_linked(NodeId(source), to) {
            return self.drop_message(NodeId(source), to, Drop::Cut, watch);
        }
        // What the node itself brought about has its bounds there.
        let is_foreign = source != NOBODY || command(&body).is_some();
        let rare = self.rare(to);
        if is_foreign && rare.inbox.len() >= INBOX_MAX {
            self.abandon(to, source, &body, watch);
        } else {
            rare.inbox.push_back(Event { route, body });
        }
    }

    /// What waited for a node, or would have to, is lost.
    pub(super) fn abandon(&mut self, to: NodeId, source: u32, body: &Body<P>, watch: &mut impl Watch<P>) {
        if source != NOBODY {
            self.drop_message(NodeId(source), to, Drop::Down, watch);
        } else if let Some(id) = command(body) {
            watch.refused(self, to, id);
        }
    }

    /// Takes what waited for a node, as long as nothing holds it.
    #[cold]
    pub(super) fn release(&mut self, node: NodeId, watch: &mut impl Watch<P>) {
        while let Some(Event { route, body }) = {
            let rare = self.rare(node);
            if rare.held.any() { None } else { rare.inbox.pop_front() }
        } {
            match body {
                Body::Timer { index } => {
                    let now = self.now;
                    let due = self.slot(node).timers.check(index, now);
                    self.fire(node, index, due, watch);
                }
                other => self.take(route, other, true, watch),
            }
        }
    }
}

/// The number of the command that an event brings, if it does.
fn command<P: Protocol>(body: &Body<P>) -> Option<CommandId> {
    match body {
        Body::Other(other) => match **other {
            Other::Command { id, .. } => Some(id),
            _ => None,
        },
        _ => None,
    }
}
