//! A network in two parts, with a majority in one: who leads in the other, and who does when it is whole again?

use std::collections::BTreeMap;

use seedbed_core::election::bully::{self, Bully};
use seedbed_core::election::raft::{self, Raft};
use seedbed_core::election::ring::{self, Ring};

use crate::bench::{Bench, Settings, Subjected};
use crate::ground::{secs, setup};

/// Who leads after five seconds, after ten more with the highest two of five nodes cut off, and after two more with all
/// links whole.
fn leaders<P: Subjected>(parameters: &Settings<P>, seed: u64) -> [Vec<u32>; 3] {
    let mut bench: Bench<P> = Bench::new(parameters, setup(5, seed));
    bench.run_for(secs(5));
    let before = bench.leaders();
    bench.cut(&[0, 1, 2], &[3, 4]);
    bench.cut(&[3, 4], &[0, 1, 2]);
    bench.run_for(secs(10));
    let apart = bench.leaders();
    bench.heal();
    bench.run_for(secs(2));
    let after = bench.leaders();
    assert!(bench.has_one_leader());
    assert_eq!(bench.finish().violated, BTreeMap::new());
    [before, apart, after]
}

#[test]
fn bully_and_ring_lead_on_both_sides() {
    for seed in 0..20 {
        let expected = [vec![4], vec![2, 4], vec![4]];
        assert_eq!(leaders::<Bully>(&bully::Parameters::default(), seed), expected);
        assert_eq!(leaders::<Ring>(&ring::Parameters::default(), seed), expected);
    }
}

#[test]
fn raft_leads_where_the_majority_is() {
    let parameters = raft::Parameters {
        pre_vote: true,
        stickiness: true,
        check_quorum: true,
        ..raft::Parameters::default()
    };
    for seed in 0..20 {
        let [before, apart, after] = leaders::<Raft>(&parameters, seed);
        assert_eq!([before.len(), apart.len(), after.len()], [1, 1, 1]);
        assert!(apart[0] <= 2, "node {} leads a minority", apart[0]);
    }
}
