//! A world with an election in it, and its probe.

use std::sync::Arc;

use seedbed_core::contract::{
    CommandId, Duration, Findings, Life, NodeId, Observation, Probe, Subject, View,
};
use seedbed_core::election::{Command, ElectionProbe, Elector};
use seedbed_sim::fault::Action;
use seedbed_sim::network::Disturbance;
use seedbed_sim::{Down, Loss, Services, Setup, Watch, World};

use crate::ground::cut;

pub(crate) type Settings<P> = <P as Subject>::Settings;

/// An election that a scenario can name.
pub(crate) trait Subjected: Elector + Subject<Probe = ElectionProbe<Self>> {}
impl<P: Elector + Subject<Probe = ElectionProbe<P>>> Subjected for P {}

pub(crate) struct Bench<P: Subjected> {
    pub(crate) world: World<P>,
    pub(crate) eyes: Eyes<P>,
}

/// Shows the world to the probe.
pub(crate) struct Eyes<P: Subjected> {
    pub(crate) probe: ElectionProbe<P>,
    pub(crate) findings: Findings,
}

impl<P: Subjected> Bench<P> {
    /// Nodes that have just started.
    pub(crate) fn new(settings: &Settings<P>, setup: Setup) -> Self {
        let config = Arc::new(P::config(settings, setup.nodes).unwrap());
        let probe = P::Probe::new(&*config, setup.nodes);
        let mut world = World::new(config, setup, Services::registered());
        let mut eyes = Eyes { probe, findings: Findings::default() };
        world.start(&mut eyes);
        Self { world, eyes }
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.world.now() + time;
        self.world.run_until(until, &mut self.eyes);
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.world.act(action, &mut self.eyes);
    }

    pub(crate) fn crash(&mut self, node: u32) {
        self.act(Action::Crash { node: NodeId(node), loss: Loss::Unsynced });
    }

    /// Cuts the link from each of these to each of these.
    pub(crate) fn cut(&mut self, from: &[u32], to: &[u32]) {
        let number = self.world.fault_trace().len() as u64;
        self.act(cut(number, from, to));
    }

    pub(crate) fn campaign(&mut self, node: u32) {
        self.world.command(self.world.now(), NodeId(node), CommandId(0), Command::Campaign);
    }

    pub(crate) fn heal(&mut self) {
        self.eyes.show(&self.world, Observation::Healed);
        self.world.heal(&mut self.eyes);
        self.eyes.show(&self.world, Observation::Links);
    }

    pub(crate) fn leader(&self) -> Option<u32> {
        self.eyes.probe.effective_leader().map(|(node, _)| node.0)
    }

    pub(crate) fn has_one_leader(&self) -> bool {
        self.eyes.probe.holds("one-leader", &self.world)
    }

    pub(crate) fn leaders(&self) -> Vec<u32> {
        let leads = |node: &u32| self.world.state(NodeId(*node)).is_some_and(P::leads);
        (0..self.world.nodes()).filter(leads).collect()
    }

    pub(crate) fn sent(&self, metric: &str) -> u64 {
        self.eyes.probe.sent(metric)
    }

    pub(crate) fn finish(mut self) -> Findings {
        self.eyes.show(&self.world, Observation::End);
        self.eyes.findings
    }
}

impl<P: Subjected> Eyes<P> {
    fn show(&mut self, world: &World<P>, what: Observation<'_, P>) {
        self.probe.observe(what, world, &mut self.findings);
    }
}

impl<P: Subjected> Watch<P> for Eyes<P> {
    fn sent(&mut self, world: &World<P>, from: NodeId, to: NodeId, _: u64, message: &P::Message) {
        self.show(world, Observation::Sent { from, to, message });
    }
    fn notice(&mut self, world: &World<P>, node: NodeId, notice: &P::Notice) {
        self.show(world, Observation::Notice { node, notice });
    }
    fn command(&mut self, world: &World<P>, node: NodeId, id: CommandId, command: &P::Command) {
        self.show(world, Observation::Command { node, id, command });
    }
    fn up(&mut self, world: &World<P>, node: NodeId, life: Life) {
        self.show(world, Observation::Up { node, life });
    }
    fn down(&mut self, world: &World<P>, node: NodeId, _: Down) {
        self.show(world, Observation::Down { node });
    }
    fn fault(&mut self, world: &World<P>, action: &Action) {
        if matches!(action, Action::Disturb { how: Disturbance::Cut, .. } | Action::Calm { .. }) {
            self.show(world, Observation::Links);
        }
    }
}
