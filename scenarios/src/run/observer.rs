//! Looks on while a world runs: tells the probe, minds the clients, keeps the log.

use seedbed_core::contract::{CommandId, Findings, Keys, Life, NodeId, Observation, Probe, Subject, View};
use seedbed_sim::fault::Action;
use seedbed_sim::network::Traffic;
use seedbed_sim::{Down, Tally, Watch, World};

use super::clients::Clients;
use super::execute::Prepared;

/// Looks on for one run.
pub(crate) struct Observer<P: Subject> {
    pub(crate) probe: P::Probe,
    pub(crate) findings: Findings,
    pub(crate) clients: Option<Clients>,
}

impl<P: Subject> Observer<P> {
    /// Before the first moment.
    pub(crate) fn new(prepared: &Prepared<P>, keys: &Keys) -> Self {
        Self {
            probe: P::Probe::new(&prepared.config, prepared.plan.setup.nodes),
            findings: Findings::default(),
            clients: prepared.plan.clients.as_ref().map(|plan| Clients::new(plan, keys)),
        }
    }

    /// What was found, with what every run counts.
    pub(crate) fn finish(self, traffic: Traffic, tally: Tally) -> Findings {
        let Self { mut findings, clients, .. } = self;
        if let Some(clients) = clients {
            clients.finish(&mut findings);
        }
        findings.number("sent", traffic.sent as f64);
        findings.number("delivered", traffic.delivered as f64);
        let dropped = traffic.lost + traffic.cut + traffic.overflowed + traffic.damaged + traffic.unheard;
        findings.number("dropped", dropped as f64);
        findings.number("crashes", tally.crashes as f64);
        findings.number("halts", tally.halts as f64);
        findings.number("records_lost", tally.records_lost as f64);
        findings
    }

    pub(crate) fn observe(&mut self, what: Observation<'_, P>, view: &dyn View<P>) {
        self.probe.observe(what, view, &mut self.findings);
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
