//! One past, several futures: a world is a value, so it can be cloned in the middle of a run.
//!
//! Five nodes elect a leader. After two seconds the world is cloned, and each copy goes on in its own way for two more.
//! Where nothing else happens the copies stay equal to the last bit, as their digests show.
//!
//! ```text
//! cargo run --example branch
//! ```

use std::error::Error;
use std::sync::Arc;

use seedbed::contract::{Duration, NodeId, Protocol, Subject, View};
use seedbed::election::raft::{Parameters, Raft};
use seedbed::sim::fault::Action;
use seedbed::sim::law::Law;
use seedbed::sim::network::{Disturbance, Link, Network};
use seedbed::sim::{Loss, Services, Setup, World};

const NODES: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let latency = Law::uniform(Duration::from_millis(5), Duration::from_millis(15))?;
    let setup =
        Setup { nodes: NODES, seed: 7, network: Network::uniform(Link::new(latency)), ..Setup::default() };
    let config = Raft::config(&Parameters::default(), NODES)?;
    let mut past: World<Raft> = World::new(Arc::new(config), setup, Services::registered());
    past.start(&mut ());
    go_on("the past", &mut past);
    let leader = *leaders(&past).first().ok_or("two seconds were too short for an election")?;
    let others: Vec<NodeId> = (0..NODES).map(NodeId).filter(|&node| node != leader).collect();

    let mut undisturbed = past.clone();
    go_on("nothing happens", &mut undisturbed);
    let mut again = past.clone();
    go_on("nothing happens, again", &mut again);
    assert_eq!(undisturbed.digest(), again.digest());

    let mut crashed = past.clone();
    crashed.act(Action::Crash { node: leader, loss: Loss::Unsynced }, &mut ());
    go_on("the leader crashes", &mut crashed);

    let mut cut = past.clone();
    for (number, from, to) in [(0, vec![leader], others.clone()), (1, others, vec![leader])] {
        cut.act(Action::Disturb { number, from, to, how: Disturbance::Cut }, &mut ());
    }
    go_on("the leader is cut off", &mut cut);

    let mut reseeded = past;
    reseeded.reseed(8);
    go_on("other draws from here on", &mut reseeded);
    Ok(())
}

/// Two more seconds, and who leads then. A leader that is cut off goes on leading, in a term that is over.
fn go_on(what: &str, world: &mut World<Raft>) {
    let until = world.now() + Duration::from_secs(2);
    world.run_until(until, &mut ());
    let leaders: Vec<String> = leaders(world).iter().map(NodeId::to_string).collect();
    println!("{what:26} digest {:016x}  leads: {}", world.digest(), leaders.join(" and "));
}

fn leaders(world: &World<Raft>) -> Vec<NodeId> {
    let leads = |&node: &NodeId| world.state(node).is_some_and(|raft| raft.role() == "leader");
    (0..NODES).map(NodeId).filter(leads).collect()
}
