//! CPUs: cores, speeds, both disciplines, against a model that counts every share anew and exactly.

use proptest::prelude::*;
use seedbed_core::contract::{CommandId, Context, Input, InputOf, NodeId, Time, View};
use seedbed_core::scheduler::dag::Speed;
use seedbed_sim::fault::Action;
use seedbed_sim::{CpuModel, Discipline, Loss, Setup, World};

use crate::busy;
use crate::puppet::{Log, MS, NTH, Puppet, at, begin, ms, plain};
use crate::statistics::pinned;

const ZERO: NodeId = NodeId(0);

fn cpu(cores: u32, discipline: Discipline) -> CpuModel {
    CpuModel { cores, discipline, ..CpuModel::default() }
}

/// Runs what it is told to, and notifies of what is done.
fn run(puppet: &mut Puppet, input: InputOf<Puppet>, cx: &mut Context<'_, Puppet>) {
    match input {
        Input::Command { command, .. } => cx.run(command),
        Input::Ran { outcome, .. } => {
            puppet.numbers.push(outcome);
            cx.notify(outcome);
        }
        _ => {}
    }
}

/// Nodes with such CPUs, the first of which gets jobs of these costs at these times, in nanoseconds.
fn with_jobs(cpus: &[CpuModel], jobs: &[(u64, u64)]) -> (World<Puppet>, Log) {
    let setup = Setup { cpus: cpus.to_vec(), ..plain(cpus.len() as u32) };
    let (mut world, log) = begin(setup, run);
    for (&(at, cost), nth) in jobs.iter().zip(0..) {
        world.command(Time(at), ZERO, CommandId(nth), nth * NTH + cost);
    }
    (world, log)
}

/// When which of its jobs was done on the first node.
fn done(log: &Log) -> Vec<(u64, u64)> {
    log.notices(0).into_iter().map(|(at, job)| (at, job / NTH)).collect()
}

/// When the jobs are done, all in milliseconds.
fn done_on(model: CpuModel, jobs: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let jobs: Vec<_> = jobs.iter().map(|(at, cost)| (at * MS, cost * MS)).collect();
    let (mut world, mut log) = with_jobs(&[model], &jobs);
    world.run_until(Time::MAX, &mut log);
    done(&log).into_iter().map(|(at, nth)| (at / MS, nth)).collect()
}

#[test]
fn who_comes_first_has_a_core_first() {
    let jobs = [(0, 10), (0, 20), (1, 5), (12, 4), (40, 1), (41, 1)];
    let one = [(10, 0), (30, 1), (35, 2), (39, 3), (41, 4), (42, 5)];
    assert_eq!(done_on(cpu(1, Discipline::FirstCome), &jobs), one);
    let two = [(10, 0), (15, 2), (19, 3), (20, 1), (41, 4), (42, 5)];
    assert_eq!(done_on(cpu(2, Discipline::FirstCome), &jobs), two);
    let many = [(6, 2), (10, 0), (16, 3), (20, 1), (41, 4), (42, 5)];
    assert_eq!(done_on(cpu(6, Discipline::FirstCome), &jobs), many);
}

#[test]
fn who_shares_has_an_equal_part_and_at_most_a_core() {
    let sharing = |cores| cpu(cores, Discipline::ProcessorSharing);
    // Both at half speed; then the longer one alone, until it shares with the third.
    assert_eq!(done_on(sharing(1), &[(0, 3), (0, 1), (3, 1)]), [(2, 1), (5, 0), (5, 2)]);
    // Three on two cores at two thirds, then each on its own.
    assert_eq!(done_on(sharing(2), &[(0, 2), (0, 2), (0, 4)]), [(3, 0), (3, 1), (5, 2)]);
    assert_eq!(done_on(sharing(4), &[(0, 3), (0, 1)]), [(1, 1), (3, 0)], "nobody has two cores");
}

#[test]
fn a_speed_divides_what_a_job_costs_and_rounds_up() {
    for &discipline in Discipline::ALL {
        for (speed, cost, span) in
            [(2_000_000, 10, 5), (3_000_000, 10, 4), (250_000, 10, 40), (1_500_000, 0, 0)]
        {
            let model = CpuModel { speed: Speed(speed), ..cpu(1, discipline) };
            let (mut world, mut log) = with_jobs(&[model], &[(7, cost)]);
            world.run_until(Time::MAX, &mut log);
            assert_eq!(done(&log), [(7 + span, 0)]);
        }
        for never in [CpuModel { speed: Speed(0), ..cpu(1, discipline) }, cpu(0, discipline)] {
            let (mut world, mut log) = with_jobs(&[never], &[(7, 1), (8, 1)]);
            world.run_until(Time::MAX, &mut log);
            assert_eq!(done(&log), []);
        }
    }
}

#[test]
fn cpus_are_given_to_nodes_in_turn() {
    let fast = CpuModel { speed: Speed(2_000_000), ..cpu(1, Discipline::FirstCome) };
    let cpus = vec![cpu(1, Discipline::FirstCome), cpu(1, Discipline::ProcessorSharing), fast];
    let (mut world, mut log) = begin(Setup { cpus, ..plain(5) }, run);
    for (node, nth) in (0..5).flat_map(|node| [(node, 0), (node, 1)]) {
        world.command(Time::ZERO, NodeId(node), CommandId(nth), nth * NTH + 4 * MS);
    }
    world.run_until(Time::MAX, &mut log);
    let ends = |node| log.notices(node).iter().map(|(at, _)| at / MS).collect::<Vec<_>>();
    let (first_come, shared, fast) = ([4, 8], [8, 8], [2, 4]);
    assert_eq!([0, 1, 2, 3, 4].map(ends), [first_come, shared, fast, first_come, shared]);
}

#[test]
fn without_a_word_a_node_has_one_core_of_speed_one() {
    let said = Setup { cpus: vec![CpuModel::default()], ..busy::setup(5) };
    let (unsaid, log) = busy::ended(busy::setup(5), busy::faults());
    let (said, same) = busy::ended(said, busy::faults());
    assert_eq!((unsaid.digest(), log), (said.digest(), same));
}

#[test]
fn a_crash_ends_all_jobs_and_what_is_left_of_them_means_nothing() {
    for &discipline in Discipline::ALL {
        let (mut world, mut log) = with_jobs(&[cpu(1, discipline)], &[(0, 10 * MS), (MS, 20 * MS)]);
        world.run_until(at(5), &mut log);
        world.act(Action::Crash { node: ZERO, loss: Loss::Nothing }, &mut log);
        world.act(Action::Restart { node: ZERO }, &mut log);
        world.command(at(6), ZERO, CommandId(7), 7 * NTH + 30 * MS);
        world.run_until(Time::MAX, &mut log);
        assert_eq!(done(&log), [(36 * MS, 7)], "{discipline}");
    }
}

/// Nor does a disk that stalls, or a clock that runs fast.
#[test]
fn a_cpu_works_on_while_its_node_is_paused() {
    let jobs = [(0, 10 * MS), (0, 6 * MS), (0, 100 * MS)];
    let orders = [(Discipline::FirstCome, [0, 1, 2]), (Discipline::ProcessorSharing, [1, 0, 2])];
    for (discipline, order) in orders {
        let (mut world, mut log) = with_jobs(&[cpu(1, discipline)], &jobs);
        world.run_until(at(1), &mut log);
        world.act(Action::Pause { node: ZERO }, &mut log);
        world.act(Action::ClockDrift { node: ZERO, ppb: 100_000_000 }, &mut log);
        world.act(Action::DiskStall { node: ZERO, lasts: ms(500) }, &mut log);
        world.run_until(at(60), &mut log);
        assert_eq!(done(&log), []);
        world.act(Action::Resume { node: ZERO }, &mut log);
        world.run_until(at(200), &mut log);
        let expected = [60, 60, 116].map(|end| end * MS).into_iter().zip(order).collect::<Vec<_>>();
        assert_eq!(done(&log), expected, "{discipline}");
    }
}

#[test]
fn a_clone_has_the_same_future_and_neither_sees_the_other() {
    for &discipline in Discipline::ALL {
        let jobs: Vec<_> = (0..50).map(|nth| (nth * 1_000, 1_000 + nth * 37 % 5_000)).collect();
        let (mut world, mut log) = with_jobs(&[cpu(2, discipline)], &jobs);
        world.run_until(Time(25_000), &mut log);
        let (mut twin, mut other) = (world.clone(), world.clone());
        let (mut same, mut changed) = (log.clone(), log.clone());
        other.command(Time(25_000), ZERO, CommandId(50), 50 * NTH + 60_000);
        other.run_until(Time::MAX, &mut changed);
        world.run_until(Time::MAX, &mut log);
        twin.run_until(Time::MAX, &mut same);
        assert_eq!((world.digest(), &log), (twin.digest(), &same));
        assert_eq!(world.state(ZERO).map(|puppet| puppet.numbers.len()), Some(50));
        assert_eq!((done(&changed).len(), done(&changed) == done(&log)), (51, false));
    }
}

#[test]
fn every_job_is_done_when_ties_are_drawn() {
    for &discipline in Discipline::ALL {
        let setup = Setup { shuffles_ties: true, cpus: vec![cpu(3, discipline)], ..plain(1) };
        let (mut world, mut log) = begin(setup, run);
        for nth in 0..200 {
            world.command(Time(nth / 5), ZERO, CommandId(nth), nth * NTH + nth % 7);
        }
        world.run_until(at(1), &mut log);
        let mut jobs: Vec<u64> = done(&log).iter().map(|(_, nth)| *nth).collect();
        jobs.sort_unstable();
        assert_eq!(jobs, (0..200).collect::<Vec<_>>());
        // 594 ns of work on three cores, which come within 40 ns.
        let last = done(&log).last().map(|(at, _)| *at);
        assert!(last.is_some_and(|at| (195..=210).contains(&at)), "{last:?}");
    }
}

/// The least common multiple of 1 to 40: a share of a core among as many is a whole number of these parts.
const PARTS: i128 = 5_342_931_457_063_200;

/// When which job is done, counted anew at every event and without rounding. Times are whole nanoseconds.
fn counted(model: CpuModel, jobs: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let span = |cost: u64| i128::from((cost * 1_000_000).div_ceil(model.speed.0));
    let mut coming = jobs.iter().zip(0..).peekable();
    let mut left: Vec<(i128, u64)> = Vec::new();
    let (mut now, mut done) = (0, Vec::new());
    loop {
        while let Some((&(_, cost), nth)) = coming.next_if(|((at, _), _)| *at == now) {
            left.push((span(cost) * PARTS, nth));
        }
        let (cores, count) = (model.cores as usize, left.len());
        let share = |place: usize| match model.discipline {
            Discipline::FirstCome if place >= cores => 0,
            Discipline::FirstCome => PARTS,
            Discipline::ProcessorSharing => PARTS * cores.min(count) as i128 / count as i128,
        };
        let ends = left.iter().enumerate().filter(|(place, _)| share(*place) > 0);
        let ends = ends.map(|(place, (left, _))| ((left + share(place) - 1) / share(place)) as u64);
        let next = coming.peek().map(|((at, _), _)| at - now);
        let Some(step) = ends.chain(next).min() else { return done };
        left.iter_mut().enumerate().for_each(|(place, (left, _))| *left -= share(place) * i128::from(step));
        now += step;
        let mut places = (0..count).map(share);
        // Whoever waits for a core is not done, even if nothing is left to do.
        let is_over = |(left, _): &mut (i128, u64)| places.next() > Some(0) && *left <= 0;
        let mut over: Vec<_> = left.extract_if(.., is_over).collect();
        over.sort_unstable();
        done.extend(over.into_iter().map(|(_, nth)| (now, nth)));
    }
}

proptest! {
    #![proptest_config(pinned(400))]

    #[test]
    fn jobs_end_when_and_in_the_order_that_exact_shares_say(
        cores in 1_u32..6,
        discipline in prop::sample::select(Discipline::ALL),
        speed in prop::sample::select(vec![1_000_000, 3_000_000, 700_000]),
        gaps in prop::collection::vec((prop_oneof![0_u64..3, 0_u64..400], 0_u64..300), 1..=40),
    ) {
        let model = CpuModel { cores, speed: Speed(speed), discipline };
        let mut now = 0;
        let jobs: Vec<_> = gaps.into_iter().map(|(gap, cost)| { now += gap; (now, cost) }).collect();
        let (mut world, mut log) = with_jobs(&[model], &jobs);
        world.run_until(Time::MAX, &mut log);
        prop_assert_eq!(done(&log), counted(model, &jobs));
    }
}
