//! The jobs of a protocol run on the CPU of their node, whatever its steps cost.

use seedbed_core::contract::{Input, NodeId, Protocol};

use super::{Other, World};
use crate::cpu::{Cpu, CpuModel};
use crate::watch::Watch;

impl<P: Protocol> World<P> {
    /// A job comes to the CPU.
    pub(super) fn run_job(&mut self, node: NodeId, job: P::Job) {
        let cost = (self.services.cost)(&self.config, &job);
        let model = self.cpu_model(node);
        let (now, life, span) = (self.now, self.slots[node.0 as usize].life, model.span(cost));
        let cpu = self.rare(node).cpu.get_or_insert_with(|| Box::new(Cpu::new(model)));
        match &mut **cpu {
            Cpu::FirstCome(cores) => {
                let done = cores.add(now, span);
                self.other(done, node, Other::Ran { life, job });
            }
            Cpu::Sharing(sharing) => {
                sharing.add(now, span, job);
                if let Some(at) = sharing.next_entry() {
                    self.other(at, node, Other::Served { life });
                }
            }
        }
    }

    fn cpu_model(&self, node: NodeId) -> CpuModel {
        let cpus = &self.setup.cpus;
        (node.0 as usize).checked_rem(cpus.len()).map_or_else(CpuModel::default, |nth| cpus[nth])
    }

    /// The CPU works on while its node is held; an outcome is an input like any other.
    #[cold]
    pub(super) fn served(&mut self, node: NodeId) {
        let (now, life) = (self.now, self.slots[node.0 as usize].life);
        let Some(mut cpu) = self.rare(node).cpu.take() else { return };
        if let Cpu::Sharing(sharing) = &mut *cpu
            && sharing.come_up(now)
        {
            while let Some(job) = sharing.pop() {
                self.other(now, node, Other::Ran { life, job });
            }
            if let Some(at) = sharing.next_entry() {
                self.other(at, node, Other::Served { life });
            }
        }
        self.rare(node).cpu = Some(cpu);
    }

    pub(super) fn ran(&mut self, node: NodeId, job: P::Job, watch: &mut impl Watch<P>) {
        let perform = self.services.perform;
        let config = self.config.clone();
        let disk = self.rare(node).disk.get_or_insert_default();
        if let Some(outcome) = perform(&config, &job, disk) {
            self.step(node, Input::Ran { job, outcome }, watch);
        }
    }
}
