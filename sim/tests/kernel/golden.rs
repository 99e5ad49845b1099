//! Golden digests of three worlds. They change only in a commit that raises `MODEL_VERSION` and says why; debug and
//! release builds and every machine must give the same. To pin them anew, run
//! `cargo test -p seedbed-sim --test kernel golden` and copy what it prints.

use seedbed_core::contract::{Context, Input, InputOf, NodeId};
use seedbed_sim::law::Law;
use seedbed_sim::network::Link;
use seedbed_sim::{DiskModel, MODEL_VERSION, Setup};

use crate::busy;
use crate::puppet::{Message, Puppet, at, joined, ms, run};

/// The model version and, under it, the digests of the three worlds below.
const GOLDEN: (u32, [(&str, u64); 3]) = (
    4,
    [
        ("phold", 0x7706_caf4_c524_b31b),
        ("a bad network", 0x8f40_5c57_73c7_df67),
        ("disks, clocks and every fault", 0x4362_5969_0649_8afc),
    ],
);

/// Messages that go from node to node for ever, as in Fujimoto's PHOLD (Proc. SCS Multiconference, 1990).
fn phold(puppet: &mut Puppet, input: InputOf<Puppet>, cx: &mut Context<'_, Puppet>) {
    let hops = match input {
        Input::Start { .. } => u64::from(puppet.me.0),
        Input::Message { message, .. } => message.number,
        _ => return,
    };
    let to = NodeId(cx.dice.below(64) as u32);
    cx.send(to, Message::new(hops + 1));
}

#[test]
fn digests_are_golden() {
    let exponential = Link::new(Law::exponential(ms(10)).unwrap());
    let (phold, _) = run(joined(64, 1, exponential), Vec::new(), at(1_000), phold);
    let network = Setup { disk: DiskModel::default(), ..busy::setup(2) };
    let (network, _) = busy::ended(network, Vec::new());
    let (all, _) = busy::ended(busy::setup(3), busy::faults());
    let found = [&phold, &network, &all].map(|world| world.digest());
    let [(_, phold), (_, network), (_, all)] = GOLDEN.1;
    assert_eq!((MODEL_VERSION, found), (GOLDEN.0, [phold, network, all]), "pin {found:#018x?}");
}
