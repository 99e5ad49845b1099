//! A CPU in a steady state asks for no memory of its own: an event that is neither message nor timer is boxed, and that is
//! all that a job costs.

mod counting;

use std::sync::Arc;

use counting::allocations;
use seedbed_core::contract::{Context, Duration, Input, InputOf, Never, NodeId, Protocol, Time};
use seedbed_sim::{CpuModel, Discipline, Services, Setup, World};
use serde::Serialize;

/// So many jobs are always there.
const JOBS: u64 = 40;

/// Runs a job for every one that is done.
#[derive(Clone, Serialize)]
struct Mill;

impl Protocol for Mill {
    const VERSION: u16 = 1;
    type Config = ();
    type Message = Never;
    type Timer = Never;
    type Command = Never;
    type Reply = Never;
    type Record = Never;
    type Notice = Never;
    type Job = u64;
    type Outcome = ();

    fn boot(_: &Arc<()>, _: NodeId) -> Self {
        Self
    }

    fn step(&mut self, input: InputOf<Self>, cx: &mut Context<'_, Self>) {
        let jobs = match input {
            Input::Start { .. } => JOBS,
            Input::Ran { .. } => 1,
            _ => return,
        };
        for _ in 0..jobs {
            let cost = 1 + cx.dice.below(1_000);
            cx.run(cost);
        }
    }
}

#[test]
fn a_cpu_asks_for_no_memory_but_for_its_events() {
    for &discipline in Discipline::ALL {
        let cpus = vec![CpuModel { cores: 4, discipline, ..CpuModel::default() }];
        let services = Services { cost: |_, job| Duration::from_nanos(*job), perform: |_, _, _| Some(()) };
        let mut world = World::<Mill>::new(
            Arc::new(()),
            Setup { nodes: 10, seed: 1, cpus, ..Setup::default() },
            services,
        );
        world.start(&mut ());
        world.run_until(Time(10_000_000), &mut ());
        let before = (allocations(), world.tally().events, world.under_way() as u64, world.tally().steps);
        world.run_until(Time(20_000_000), &mut ());
        let events = world.tally().events - before.1 + world.under_way() as u64 - before.2;
        assert_eq!(allocations() - before.0, events, "{discipline}");
        // An outcome for each job; an entry when it comes, one that was too early, and one when it ends.
        let jobs = world.tally().steps - before.3;
        assert!(jobs > 500_000 && events < 4 * jobs, "{discipline}: {events} events, {jobs} jobs");
    }
}
