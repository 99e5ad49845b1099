//! Looks on while a world runs: tells the probe, minds the clients, keeps the log.

use seedbed_core::contract::{CommandId, Findings, Life, NodeId, Observation, Probe, Subject};
use seedbed_sim::fault::Action;
use seedbed_sim::{Down, Watch, World};

use super::clients::Clients;

/// Looks on for one run.
pub(super) struct Observer<P: Subject> {
    pub(super) probe: P::Probe,
    pub(super) findings: Findings,
    pub(super) clients: Option<Clients>,
}

impl<P: Subject> Observer<P> {
    pub(super) fn observe(&mut self, what: Observation<'_, P>, world: &World<P>) {
        self.probe.observe(what, world, &mut self.findings);
    }
}

impl<P: Subject> Watch<P> for Observer<P> {
    fn sent(&mut self, world: &World<P>, from: NodeId, to: NodeId, _: u64, message: &P::Message) {
        self.observe(Observation::Sent { from, to, message }, world);
    }
    fn command(&mut self, world: &World<P>, node: NodeId, id: CommandId, command: &P::Command) {
        self.observe(Observation::Command { node, id, command }, world);
    }
    fn notice(&mut self, world: &World<P>, node: NodeId, notice: &P::Notice) {
        self.observe(Observation::Notice { node, notice }, world);
    }
    fn reply(&mut self, world: &World<P>, node: NodeId, id: CommandId, reply: &P::Reply) {
        self.observe(Observation::Reply { node, id, reply }, world);
        if let Some(clients) = &mut self.clients {
            clients.replied(world.keys(), id, P::answer(reply), world.now());
        }
    }
    fn refused(&mut self, world: &World<P>, _: NodeId, id: CommandId) {
        if let Some(clients) = &mut self.clients {
            clients.refused(world.keys(), id, world.now());
        }
    }
    fn up(&mut self, world: &World<P>, node: NodeId, life: Life) {
        self.observe(Observation::Up { node, life }, world);
    }
    fn down(&mut self, world: &World<P>, node: NodeId, _: Down) {
        self.observe(Observation::Down { node }, world);
    }
    fn fault(&mut self, world: &World<P>, action: &Action) {
        if matches!(action, Action::Disturb { .. } | Action::Calm { .. }) {
            self.observe(Observation::Links, world);
        }
    }
}
