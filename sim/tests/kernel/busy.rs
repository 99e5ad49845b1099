//! A world in which everything happens: a ring of puppets that use every effect, over a bad network, on slow disks,
//! by wrong clocks, while everything goes wrong that can.

use seedbed_core::contract::{
    Blob, BlobId, BlobInput, CommandId, Context, Duration, Input, InputOf, NodeId, Time,
};
use seedbed_sim::clock::Clocks;
use seedbed_sim::fault::{Generator, Kind, Schedule, Selector, When};
use seedbed_sim::law::Law;
use seedbed_sim::network::{Burst, Disturbance, Link, Network, Reorder};
use seedbed_sim::{DiskModel, Loss, Setup, World};

use crate::puppet::{Log, Message, Puppet, at, begin, constant, ms, share, uniform};

/// How many puppets play; further nodes stand by and do nothing.
pub(crate) const RING: u32 = 6;
/// How long the play lasts.
pub(crate) const END: Time = at(1_500);

const BEAT: u32 = 0;
const LOOK: u32 = 1;

/// Every effect there is. A message's number is unguessable, so it names the message in all the world.
pub(crate) fn play(puppet: &mut Puppet, input: InputOf<Puppet>, cx: &mut Context<'_, Puppet>) {
    if puppet.me.0 >= RING {
        return;
    }
    let next = NodeId((puppet.me.0 + 1) % RING);
    let number = cx.dice.below(u64::MAX);
    match input {
        Input::Start { log } => {
            puppet.numbers = log;
            cx.set_within(BEAT, ms(0)..ms(20));
            cx.set_within(LOOK, ms(30)..ms(90));
        }
        Input::Timer { timer: BEAT } => {
            cx.send_now(next, Message::new(number));
            cx.persist(number % 1_000);
            cx.send(next, Message { is_bulk: true, claims: Some(number % 3_000), ..Message::new(!number) });
            cx.store(blob(number % 8));
            cx.set_within(BEAT, ms(5)..ms(25));
        }
        Input::Timer { .. } => {
            cx.load(blob(number % 8).id());
            cx.drop_blob(blob(number / 8 % 8).id());
            cx.checkpoint(vec![number % 7]);
            cx.send(puppet.me, Message::new(number));
            cx.set_within(LOOK, ms(30)..ms(90));
        }
        Input::Message { message, blob, .. } => {
            cx.notify(message.number);
            puppet.numbers.push(message.number);
            puppet.numbers.drain(..puppet.numbers.len().saturating_sub(8));
            if cx.dice.chance(1, 3) && blob.is_none() {
                cx.cancel(LOOK);
                cx.set_within(LOOK, ms(1)..ms(40));
                cx.send_blob(next, Message::new(number), self::blob(number % 8));
            }
            cx.run(message.number % 300_000);
        }
        Input::Command { id, command } => {
            cx.persist(command);
            cx.reply(id, command);
            cx.reply_now(id, number);
        }
        Input::Ran { outcome, .. } => cx.notify(outcome),
        Input::Full { record } => cx.notify(record),
        Input::Blob(BlobInput::Loaded { blob, .. }) => {
            cx.send_blob(next, Message::new(number), blob);
        }
        Input::Blob(_) | Input::Link { .. } | Input::Members(_) => cx.notify(number),
    }
}

fn blob(name: u64) -> Blob {
    Blob::synthetic(BlobId([name as u8; 32]), 100 * name)
}

pub(crate) fn setup(seed: u64) -> Setup {
    let link = Link {
        loss: share(0.02),
        burst: Some(Burst { begin: share(0.01), end: share(0.2), loss_good: 0, loss_bad: share(0.5) }),
        duplicate: share(0.03),
        reorder: Some(Reorder { share: share(0.05), by: constant(10) }),
        bandwidth: Some(3_000_000),
        queue: 10_000,
        ..Link::new(Law::lognormal(ms(8), 0.5).unwrap())
    };
    let ordered = Link { is_ordered: true, ..Link::new(uniform(4_000, 9_000)) };
    let network = Network::uniform(link).with_exceptions([(NodeId(2), NodeId(3))], ordered);
    Setup {
        nodes: RING,
        seed,
        network,
        disk: DiskModel {
            write: Some(uniform(100, 2_000)),
            sync: Some(Law::exponential(ms(4)).unwrap()),
            throughput: Some(1_000_000),
            capacity: Some(4_000),
            is_blocking: false,
            sync_error: share(0.002),
        },
        clocks: Clocks { skew: Some(constant(500)), drift_ppb: 200_000, slack: None },
        step_cost: Some(uniform(10, 300)),
        start: Some(uniform(0, 10_000)),
        hints: Some(ms(50)),
        ..Setup::default()
    }
}

/// One process of each kind of fault.
pub(crate) fn faults() -> Vec<Generator> {
    let again = |kind, gap, lasts| Generator {
        kind,
        when: When::Repeatedly {
            first: None,
            gap: Law::exponential(ms(gap)).unwrap(),
            until: Time::MAX,
            count: u64::MAX,
        },
        lasts: Some(Law::exponential(ms(lasts)).unwrap()),
    };
    let of = |text: &str| text.parse::<Selector>().unwrap();
    vec![
        again(Kind::Crash(of("random(1)"), Loss::Torn), 200, 60),
        again(Kind::Crash(of("3"), Loss::Everything), 400, 30),
        again(Kind::Pause(of("random(2)")), 150, 30),
        again(Kind::Partition(vec![of("minority")]), 300, 40),
        again(Kind::Links(of("0"), of("1+2"), true, Disturbance::Loss(share(0.5))), 200, 50),
        again(Kind::Links(of("4"), of("all"), false, Disturbance::Delay(ms(5))), 200, 50),
        again(Kind::DiskStall(of("fraction(0.3)")), 200, 30),
        again(Kind::DiskFull(of("random")), 150, 40),
        again(Kind::DiskError(of("5")), 700, 10),
        again(Kind::DiskRot(of("1")), 900, 10),
        again(Kind::ClockJump(of("random(2)"), -7_000_000), 200, 10),
        again(Kind::ClockDrift(of("random(2)"), 60_000_000), 200, 80),
    ]
}

/// A world before its first event after the start, with commands on their way and everything to go wrong.
pub(crate) fn world(setup: Setup, faults: Vec<Generator>) -> (World<Puppet>, Log) {
    let (mut world, log) = begin(setup, play);
    let faults = Schedule::new(faults, world.keys());
    world.set_faults(faults);
    for number in 0..100_u32 {
        let moment = Time::ZERO + ms(10) + Duration::from_millis(13) * u64::from(number);
        world.command(moment, NodeId(number % RING), CommandId(u64::from(number)), u64::from(number));
    }
    (world, log)
}

/// The same, run to its end.
pub(crate) fn ended(setup: Setup, faults: Vec<Generator>) -> (World<Puppet>, Log) {
    let (mut world, mut log) = self::world(setup, faults);
    world.run_until(END, &mut log);
    (world, log)
}
