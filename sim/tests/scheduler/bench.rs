//! A world of a hub and workers with clients at the hub's door, and the probe.

use std::sync::Arc;

use seedbed_core::contract::{
    CommandId, Dice, Duration, Findings, Keys, Life, NodeId, Observation, Probe, Purpose, Subject, Time, Turn,
};
use seedbed_core::scheduler::cluster::{
    Asked, Cluster, ClusterProbe, Command, HUB, Load, Message, Notice, Parameters, Reply,
};
use seedbed_sim::{Down, Services, Setup, Watch, World};

use crate::ground::ms;

/// Not a node: whose dice clients throw.
const CLIENTS: NodeId = NodeId(u32::MAX);

pub(crate) struct Bench {
    pub(crate) world: World<Cluster>,
    pub(crate) eyes: Eyes,
    asked: u64,
    /// When the last client asks.
    last: Time,
}

/// Shows the world to the probe.
pub(crate) struct Eyes {
    pub(crate) probe: ClusterProbe,
    pub(crate) findings: Findings,
    pub(crate) replies: Vec<Reply>,
}

impl Bench {
    /// Nodes that have just started, on CPUs as their parameters say.
    pub(crate) fn new(parameters: &Parameters, setup: Setup) -> Self {
        let config = Arc::new(Cluster::config(parameters, setup.nodes).expect("sound parameters"));
        let cpu = |node| {
            let (cores, _) = Cluster::cores(&config, NodeId(node)).unwrap_or((1, 1.0));
            seedbed_sim::CpuModel { cores, ..seedbed_sim::CpuModel::default() }
        };
        let setup = Setup { cpus: (0..setup.nodes).map(cpu).collect(), ..setup };
        let probe = ClusterProbe::new(&config, setup.nodes);
        let mut world = World::new(config, setup, Services::registered());
        let mut eyes = Eyes { probe, findings: Findings::default(), replies: Vec::new() };
        world.start(&mut eyes);
        Self { world, eyes, asked: 0, last: Time::ZERO }
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.world.now() + time;
        self.world.run_until(until, &mut self.eyes);
    }

    /// Clients ask so often, after gaps that are drawn with this mean.
    pub(crate) fn ask(&mut self, asked: Asked, mean_gap: Duration, times: u64) {
        let mut at = self.world.now();
        let load = Load::of(asked);
        let keys = Keys::from_seed(self.world.keys().roll(Purpose::Workload).at(0, self.asked));
        for _ in 0..times {
            let mut dice = Dice::new(&keys, CLIENTS, Life(0), self.asked);
            let turn = Turn { number: self.asked, client: self.asked, nth: 0 };
            let command = Cluster::command(&load, turn, &mut dice).expect("there is always more");
            self.world.command(at, HUB, CommandId(self.asked), command);
            self.last = at;
            self.asked += 1;
            let even = (dice.below(1 << 53) as f64 + 0.5) / (1_u64 << 53) as f64;
            at += Duration::from_nanos((-libm::log(even) * mean_gap.as_nanos() as f64) as u64);
        }
    }

    /// Ends all faults, and waits until every task has ended or the time is over. Whether they have.
    pub(crate) fn settle(&mut self, patience: Duration) -> bool {
        self.world.heal(&mut self.eyes);
        let end = self.world.now().max(self.last) + patience;
        while self.world.now() < end {
            if self.world.now() > self.last && self.eyes.probe.holds("all-done", &self.world) {
                return true;
            }
            self.run_for(ms(500));
        }
        false
    }

    pub(crate) fn finish(mut self) -> Findings {
        self.eyes.show(&self.world, Observation::End);
        self.eyes.findings
    }
}

impl Eyes {
    fn show(&mut self, world: &World<Cluster>, what: Observation<'_, Cluster>) {
        self.probe.observe(what, world, &mut self.findings);
    }
}

impl Watch<Cluster> for Eyes {
    fn sent(&mut self, world: &World<Cluster>, from: NodeId, to: NodeId, _: u64, message: &Message) {
        self.show(world, Observation::Sent { from, to, message });
    }
    fn notice(&mut self, world: &World<Cluster>, node: NodeId, notice: &Notice) {
        self.show(world, Observation::Notice { node, notice });
    }
    fn command(&mut self, world: &World<Cluster>, node: NodeId, id: CommandId, command: &Command) {
        self.show(world, Observation::Command { node, id, command });
    }
    fn reply(&mut self, world: &World<Cluster>, node: NodeId, id: CommandId, reply: &Reply) {
        self.replies.push(reply.clone());
        self.show(world, Observation::Reply { node, id, reply });
    }
    fn up(&mut self, world: &World<Cluster>, node: NodeId, life: Life) {
        self.show(world, Observation::Up { node, life });
    }
    fn down(&mut self, world: &World<Cluster>, node: NodeId, _: Down) {
        self.show(world, Observation::Down { node });
    }
}
