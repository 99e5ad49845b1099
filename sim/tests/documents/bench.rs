//! A world of replicas with clients at every door, and the probe.

use std::sync::Arc;

use seedbed_core::contract::{
    CommandId, Dice, Duration, Findings, Keys, Life, NodeId, Observation, Probe, Subject, Turn,
};
use seedbed_core::settings::Probability;
use seedbed_core::sync::replica::{Command, Load, Notice, Parameters, Replica, ReplicaProbe, Reply};
use seedbed_sim::fault::Action;
use seedbed_sim::network::Disturbance;
use seedbed_sim::{Down, Services, Setup, Watch, World};

use crate::ground::ms;

/// Not a node: whose dice clients throw.
const CLIENTS: NodeId = NodeId(u32::MAX);

pub(crate) struct Bench {
    pub(crate) world: World<Replica>,
    pub(crate) eyes: Eyes,
    asked: u64,
}

/// Shows the world to the probe.
pub(crate) struct Eyes {
    pub(crate) probe: ReplicaProbe,
    pub(crate) findings: Findings,
    pub(crate) refused: Vec<String>,
}

impl Bench {
    /// Nodes that have just started.
    pub(crate) fn new(parameters: &Parameters, setup: Setup) -> Self {
        let config = Arc::new(Replica::config(parameters, setup.nodes).unwrap());
        let probe = ReplicaProbe::new(&config, setup.nodes);
        let mut world = World::new(config, setup, Services::registered());
        let mut eyes = Eyes { probe, findings: Findings::default(), refused: Vec::new() };
        world.start(&mut eyes);
        Self { world, eyes, asked: 0 }
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.world.now() + time;
        self.world.run_until(until, &mut self.eyes);
    }

    /// Clients ask as `load` says, every `gap`, from now on for so long; each of a node in turn.
    pub(crate) fn ask(&mut self, load: &Load, gap: Duration, lasts: Duration) {
        let (mut at, end) = (self.world.now(), self.world.now() + lasts);
        let keys =
            Keys::from_seed(self.world.keys().roll(seedbed_core::contract::Purpose::Workload).at(0, 0));
        while at < end {
            let mut dice = Dice::new(&keys, CLIENTS, Life(0), self.asked);
            let node = NodeId(dice.below(u64::from(self.world.nodes())) as u32);
            let turn = Turn { number: self.asked, client: self.asked, nth: 0 };
            if let Some(command) = Replica::command(load, turn, &mut dice) {
                self.world.command(at, node, CommandId(self.asked), command);
            }
            self.asked += 1;
            at += gap;
        }
    }

    /// A client asks this now.
    pub(crate) fn command(&mut self, node: u32, command: Command) {
        self.command_at(Duration::ZERO, node, command);
    }

    /// A client asks this in a while.
    pub(crate) fn command_at(&mut self, after: Duration, node: u32, command: Command) {
        self.world.command(self.world.now() + after, NodeId(node), CommandId(self.asked), command);
        self.asked += 1;
    }

    /// Ends all faults, and waits until all agree or the time is over. Whether they do.
    pub(crate) fn settle(&mut self, patience: Duration) -> bool {
        self.eyes.show(&self.world, Observation::Healed);
        self.world.heal(&mut self.eyes);
        self.eyes.show(&self.world, Observation::Links);
        let end = self.world.now() + patience;
        while self.world.now() < end {
            if self.eyes.probe.holds("converged", &self.world) {
                return true;
            }
            self.run_for(ms(100));
        }
        false
    }

    pub(crate) fn finish(mut self) -> Findings {
        self.eyes.show(&self.world, Observation::End);
        self.eyes.findings
    }
}

impl Eyes {
    fn show(&mut self, world: &World<Replica>, what: Observation<'_, Replica>) {
        self.probe.observe(what, world, &mut self.findings);
    }
}

impl Watch<Replica> for Eyes {
    fn notice(&mut self, world: &World<Replica>, node: NodeId, notice: &Notice) {
        if let Notice::Refused { why, .. } = notice {
            self.refused.push(why.clone());
        }
        self.show(world, Observation::Notice { node, notice });
    }
    fn command(&mut self, world: &World<Replica>, node: NodeId, id: CommandId, command: &Command) {
        self.show(world, Observation::Command { node, id, command });
    }
    fn reply(&mut self, world: &World<Replica>, node: NodeId, id: CommandId, reply: &Reply) {
        self.show(world, Observation::Reply { node, id, reply });
    }
    fn up(&mut self, world: &World<Replica>, node: NodeId, life: Life) {
        self.show(world, Observation::Up { node, life });
    }
    fn down(&mut self, world: &World<Replica>, node: NodeId, _: Down) {
        self.show(world, Observation::Down { node });
    }
    fn fault(&mut self, world: &World<Replica>, action: &Action) {
        if matches!(action, Action::Disturb { how: Disturbance::Cut, .. } | Action::Calm { .. }) {
            self.show(world, Observation::Links);
        }
    }
}

/// Few documents, so that writes meet, and some deletions.
pub(crate) fn busy(documents: u64) -> Load {
    Load {
        documents,
        puts: Probability::of(0.3),
        updates: Probability::of(0.3),
        deletes: Probability::of(0.15),
        ..Load::default()
    }
}
