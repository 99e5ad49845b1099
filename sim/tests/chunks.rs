//! The chunk store in a simulated world: the published availability, detection and silent loss, and what a crash at
//! any moment leaves.

use std::sync::Arc;

use seedbed_core::chunks::{Chunks, ChunksProbe, Command, Load, Notice, Parameters, Reply};
use seedbed_core::contract::{
    CommandId, Dice, Duration, Findings, Keys, Life, NodeId, Observation, Probe, Subject, Time, Turn, View,
};
use seedbed_core::settings::{Bytes, Rate};
use seedbed_sim::fault::{Action, Generator, Kind, Schedule, Selector, When};
use seedbed_sim::law::Law;
use seedbed_sim::network::{Link, Network};
use seedbed_sim::{DiskModel, Down, Loss, Services, Setup, Watch, World};

const GATEWAY: NodeId = NodeId(0);

/// Shows the world to the probe of the protocol.
struct Probed {
    probe: ChunksProbe,
    findings: Findings,
    replies: Vec<(CommandId, Reply)>,
    offline: u64,
}

impl Probed {
    fn new(world: &World<Chunks>) -> Self {
        let probe = ChunksProbe::new(world.config(), world.nodes());
        Self { probe, findings: Findings::default(), replies: Vec::new(), offline: 0 }
    }

    fn show(&mut self, world: &World<Chunks>, what: Observation<'_, Chunks>) {
        self.probe.observe(what, world, &mut self.findings);
    }

    fn finish(mut self, world: &World<Chunks>) -> Findings {
        self.show(world, Observation::End);
        self.findings
    }

    fn reply(&self, id: u64) -> Option<&Reply> {
        self.replies.iter().find(|(of, _)| *of == CommandId(id)).map(|(_, reply)| reply)
    }
}

impl Watch<Chunks> for Probed {
    fn command(&mut self, world: &World<Chunks>, node: NodeId, id: CommandId, command: &Command) {
        self.show(world, Observation::Command { node, id, command });
    }
    fn notice(&mut self, world: &World<Chunks>, node: NodeId, notice: &Notice) {
        self.offline += u64::from(matches!(notice, Notice::Offline { .. }));
        self.show(world, Observation::Notice { node, notice });
    }
    fn reply(&mut self, world: &World<Chunks>, node: NodeId, id: CommandId, reply: &Reply) {
        self.replies.push((id, reply.clone()));
        self.show(world, Observation::Reply { node, id, reply });
    }
    fn up(&mut self, world: &World<Chunks>, node: NodeId, life: Life) {
        self.show(world, Observation::Up { node, life });
    }
    fn down(&mut self, world: &World<Chunks>, node: NodeId, _: Down) {
        self.show(world, Observation::Down { node });
    }
}

fn law(duration: Duration) -> Law {
    Law::constant(duration).unwrap()
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn at(seconds: u64) -> Time {
    Time::ZERO + secs(seconds)
}

fn millis(millis: u64) -> Time {
    Time::ZERO + Duration::from_millis(millis)
}

fn setup(nodes: u32, seed: u64) -> Setup {
    let link = Link::new(Law::uniform(Duration::from_micros(200), Duration::from_millis(2)).unwrap());
    Setup { nodes, seed, network: Network::uniform(link), ..Setup::default() }
}

fn world(parameters: &Parameters, setup: Setup) -> (World<Chunks>, Probed) {
    let config = Arc::new(Chunks::config(parameters, setup.nodes).unwrap());
    let mut world = World::new(config, setup, Services::registered());
    let mut probed = Probed::new(&world);
    world.start(&mut probed);
    (world, probed)
}

fn upload(length: u64) -> Command {
    Command::Upload { name: "a".into(), seed: 1, length }
}

fn download() -> Command {
    Command::Download { name: "a".into() }
}

/// Published: a file on c nodes is there with p^c. Nodes fail after 1,000 s on average and are away for 250 s on
/// average, both exponential: p = 0.8. Downloads come every 2,000 s, ten times the relaxation time, so they are as good
/// as independent, and each share must be within four standard deviations.
#[test]
fn a_file_is_there_with_p_to_the_c() {
    const DOWNLOADS: u64 = 4_000;
    const P: f64 = 0.8;
    for (length, expected) in [(3_000_000, P * P * P), (3_000_001, P * P * P * P)] {
        let parameters = Parameters { wipe_on_restart: false, ..Parameters::default() };
        let (mut world, mut probed) = world(&parameters, setup(7, 1));
        let load = Load { files: 6, sizes: vec![Bytes(length)], ..Load::default() };
        let keys = Keys::from_seed(2);
        let mut command = |number: u64, at| {
            let mut dice = Dice::new(&keys, NodeId(0), Life(0), number);
            let command = Chunks::command(&load, Turn { number, client: number, nth: 0 }, &mut dice).unwrap();
            world.command(at, GATEWAY, CommandId(number), command);
        };
        (0..6).for_each(|number| command(number, at(1 + number)));
        (6..6 + DOWNLOADS).for_each(|number| command(number, at(2_000 * number)));
        let exponential = |mean| Law::exponential(secs(mean)).unwrap();
        let failing = |node| Generator {
            kind: Kind::Crash(Selector::Index(node), Loss::Nothing),
            when: When::Repeatedly {
                first: Some(at(100)),
                gap: exponential(1_000),
                until: Time::MAX,
                count: u64::MAX,
            },
            lasts: Some(exponential(250)),
        };
        let faults = Schedule::new((1..7).map(failing).collect(), world.keys());
        world.set_faults(faults);
        world.run_until(at(2_000 * (DOWNLOADS + 7)), &mut probed);

        let findings = probed.finish(&world);
        let n = DOWNLOADS as f64;
        let within = |metric, expected: f64, n: f64| {
            let found: f64 = findings.numbers[metric];
            let bound = 4.0 * (expected * (1.0 - expected) / n).sqrt();
            assert!((found - expected).abs() < bound, "{metric}: {found}, expected {expected} +- {bound}");
        };
        within("node_availability", P, 6.0 * n);
        within("available", expected, n);
        // The formula's p is measured: its error is c p^(c-1) times that of p, which is smaller than that of a share.
        within("availability_formula", expected, n);
        let (done, failed) = (findings.numbers["downloads"], findings.numbers["download_failed"]);
        assert_eq!(done + failed, n);
        assert!((done / n - findings.numbers["available"]).abs() < 2.0 / n, "a download sees what there is");
        assert_eq!(findings.numbers["silent_losses"], 0.0);
        assert!(findings.violations.is_empty(), "{:?}", findings.violations);
    }
}

#[test]
fn a_restart_loses_what_the_gateway_counts_on() {
    // Killing the process harms no disk: only the wipe, or the loss of the disk, loses chunks.
    for (wipe_on_restart, loss, is_lost) in [
        (true, Loss::Nothing, true),
        (false, Loss::Nothing, false),
        (false, Loss::Unsynced, false),
        (false, Loss::Everything, true),
    ] {
        let (mut world, mut probed) =
            world(&Parameters { wipe_on_restart, ..Parameters::default() }, setup(5, 3));
        world.command(at(1), GATEWAY, CommandId(1), upload(1_000_000));
        world.run_until(at(60), &mut probed);
        world.act(Action::Crash { node: NodeId(2), loss }, &mut probed);
        world.run_until(at(65), &mut probed);
        world.act(Action::Restart { node: NodeId(2) }, &mut probed);
        world.command(at(100), GATEWAY, CommandId(2), download());
        world.run_until(at(200), &mut probed);
        assert_ne!(probed.probe.holds("all-files-whole", &world), is_lost);
        let back = matches!(probed.reply(2), Some(Reply::Downloaded { .. }));
        let findings = probed.finish(&world);
        assert_eq!(back, !is_lost);
        assert_eq!(findings.numbers["silent_losses"], f64::from(is_lost), "{wipe_on_restart} {loss:?}");
        assert_eq!(findings.violated.get("no-silent-loss").copied(), is_lost.then_some(1));
        assert_eq!(findings.violated.get("downloads-are-right"), None);
    }
}

/// Published: 60-90 s. That is the silence; from the crash it takes up to 30 s less.
#[test]
fn detection_takes_60_to_90_seconds() {
    let (mut least, mut most) = (f64::MAX, 0.0_f64);
    for seed in 0..100 {
        let start = Some(Law::uniform(Duration::ZERO, secs(30)).unwrap());
        let (mut world, mut probed) = world(&Parameters::default(), Setup { start, ..setup(4, seed) });
        world.run_until(Time::ZERO + Duration::from_millis(100_000 + 300 * seed), &mut probed);
        world.act(Action::Crash { node: NodeId(2), loss: Loss::Nothing }, &mut probed);
        world.run_until(at(400), &mut probed);
        let findings = probed.finish(&world);
        let (silence, detection) = (&findings.samples["silence_ms"], &findings.samples["detection_ms"]);
        assert_eq!((silence.len(), detection.len()), (1, 1));
        assert!(silence[0] > 60_000.0 && silence[0] <= 90_000.0, "seed {seed}: {silence:?}");
        assert!(detection[0] > 30_000.0 && detection[0] <= 90_000.0, "seed {seed}: {detection:?}");
        least = least.min(silence[0]);
        most = most.max(silence[0]);
    }
    assert!(least < 63_000.0 && most > 87_000.0, "the whole range is seen: {least} to {most}");
}

/// What the gateway confirmed survives a crash of the gateway or of a storage node at any moment, as confirmations wait
/// for the disk. Every millisecond of an upload is tried.
#[test]
fn what_is_confirmed_survives_a_crash_at_any_moment() {
    let parameters = Parameters { wipe_on_restart: false, ..Parameters::default() };
    let disk = DiskModel {
        write: Some(law(Duration::from_millis(2))),
        sync: Some(law(Duration::from_millis(10))),
        ..DiskModel::default()
    };
    let (mut begun, mut watching) = world(&parameters, Setup { disk, ..setup(5, 4) });
    begun.command(at(2), GATEWAY, CommandId(1), upload(1_000));
    begun.run_until(at(2), &mut watching);
    let mut confirmed = 0;
    for (moment, node) in (0..80).flat_map(|moment| [(moment, GATEWAY), (moment, NodeId(1))]) {
        let mut world = begun.clone();
        let mut probed = Probed::new(&world);
        world.run_until(millis(2_000 + moment), &mut probed);
        world.act(Action::Crash { node, loss: Loss::Unsynced }, &mut probed);
        world.run_until(at(20), &mut probed);
        world.act(Action::Restart { node }, &mut probed);
        world.command(at(60), GATEWAY, CommandId(2), download());
        world.run_until(at(80), &mut probed);
        if matches!(probed.reply(1), Some(Reply::Uploaded { .. })) {
            confirmed += 1;
            let back = probed.reply(2);
            assert!(matches!(back, Some(Reply::Downloaded { .. })), "{node} at {moment} ms: {back:?}");
        }
    }
    assert!((20..150).contains(&confirmed), "crashes fell before and after the confirmation: {confirmed}");
}

/// Twenty seconds of chunks on a slow link, heartbeats every second.
#[test]
fn a_chunk_never_delays_a_heartbeat() {
    let parameters = Parameters {
        heartbeat: secs(1),
        monitor: secs(1),
        offline_after: secs(2),
        request_timeout: secs(60),
        hash_rate: Rate(8_000_000),
        ..Parameters::default()
    };
    let mut link = Link::new(law(Duration::from_millis(1)));
    (link.bandwidth, link.queue) = (Some(8_000_000), 1 << 40);
    let (mut world, mut probed) =
        world(&parameters, Setup { network: Network::uniform(link), ..setup(4, 5) });
    world.command(at(5), GATEWAY, CommandId(1), upload(60_000_000));
    world.run_until(at(44), &mut probed);
    assert_eq!(probed.reply(1), None, "20 s on the wire and 20 s of hashing");
    world.run_until(at(47), &mut probed);
    assert_eq!(probed.reply(1), Some(&Reply::Uploaded { chunks: 3 }));
    world.command(at(50), GATEWAY, CommandId(2), download());
    world.run_until(at(100), &mut probed);
    assert!(matches!(probed.reply(2), Some(Reply::Downloaded { length: 60_000_000, .. })));
    assert_eq!(probed.offline, 0);
}

#[test]
fn a_bad_network_makes_no_wrong_download() {
    for seed in 0..20 {
        let mut link = Link::new(Law::exponential(Duration::from_millis(300)).unwrap());
        (link.loss, link.duplicate, link.corrupt) = (u64::MAX / 50, u64::MAX / 20, u64::MAX / 50);
        let setup = Setup { network: Network::uniform(link), is_wire: seed % 2 == 0, ..setup(6, seed) };
        let parameters = Parameters { leave_orphans: seed % 4 < 2, ..Parameters::default() };
        let (mut world, mut probed) = world(&parameters, setup);
        let load =
            Load { files: 10, sizes: vec![Bytes(10), Bytes(1_000), Bytes(1 << 30)], ..Load::default() };
        let keys = Keys::from_seed(seed);
        for number in 0..60 {
            let mut dice = Dice::new(&keys, NodeId(0), Life(0), number);
            let command = Chunks::command(&load, Turn { number, client: number, nth: 0 }, &mut dice).unwrap();
            world.command(at(1 + 3 * number), GATEWAY, CommandId(number), command);
        }
        world.run_until(at(300), &mut probed);
        assert_eq!(probed.replies.len(), 60, "every command is answered");
        let findings = probed.finish(&world);
        assert!(findings.numbers["downloads"] > 5.0 && findings.numbers["download_failed"] > 0.0);
        assert!(findings.violations.is_empty(), "{:?}", findings.violations);
    }
}

#[test]
fn equal_seeds_give_equal_worlds() {
    let run = |seed| {
        let (mut world, mut probed) = world(&Parameters::default(), setup(6, seed));
        world.command(at(1), GATEWAY, CommandId(1), upload(5_000));
        world.run_until(at(40), &mut probed);
        world.act(Action::Crash { node: NodeId(1), loss: Loss::Unsynced }, &mut probed);
        world.run_until(at(200), &mut probed);
        world.digest()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_probe_sees_the_world_as_it_is() {
    let (mut world, mut probed) = world(&Parameters::default(), setup(5, 6));
    world.command(at(1), GATEWAY, CommandId(1), upload(5_000));
    world.run_until(at(40), &mut probed);
    assert!(probed.probe.holds("all-files-whole", &world));
    world.act(Action::Crash { node: NodeId(4), loss: Loss::Nothing }, &mut probed);
    assert!(!probed.probe.holds("all-files-whole", &world) && !world.is_up(NodeId(4)));
}
