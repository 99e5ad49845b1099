//! The graph of figure 2 and the costs of table 1 of Topcuoglu, Hariri, Wu: IEEE TPDS 13(3), 2002, and what is published
//! of it there and in Arabnejad, Barbosa: IEEE TPDS 25(3), 2014.

use super::*;

/// Ten tasks on three processors; a unit of the paper is a nanosecond here.
const COSTS: [[u64; 3]; 10] = [
    [14, 16, 9],
    [13, 19, 18],
    [11, 13, 19],
    [13, 8, 17],
    [12, 13, 10],
    [13, 16, 9],
    [7, 15, 11],
    [5, 11, 14],
    [18, 12, 20],
    [21, 7, 16],
];
const EDGES: [(u32, u32, u64); 15] = [
    (0, 1, 18),
    (0, 2, 12),
    (0, 3, 9),
    (0, 4, 11),
    (0, 5, 14),
    (1, 7, 19),
    (1, 8, 16),
    (2, 6, 23),
    (3, 7, 27),
    (3, 8, 23),
    (4, 8, 13),
    (5, 7, 15),
    (6, 9, 17),
    (7, 9, 11),
    (8, 9, 13),
];

fn canonical() -> (TaskGraph, Costs) {
    let rows = COSTS.iter().map(|row| row.iter().map(|cost| ns(*cost)).collect()).collect();
    let costs = Costs { execution: Execution::Matrix(rows), network: Network::Uniform(UNIT) };
    (graph(&[0; 10], &EDGES), costs)
}

fn scheduled(policy: Policy) -> Schedule {
    let (graph, costs) = canonical();
    let instance = Instance::new(&graph, &costs).unwrap();
    let schedule = policy.schedule(&instance).unwrap();
    assert_eq!(schedule.verify(&instance), Ok(()), "{policy}");
    schedule
}

#[test]
fn upward_ranks_are_those_of_the_paper() {
    let (graph, costs) = canonical();
    let instance = Instance::new(&graph, &costs).unwrap();
    // In thirds: 108, 77, 80, 80, 69, 63.333, 42.667, 35.667, 44.333, 14.667.
    let thirds = [324, 231, 240, 240, 207, 190, 128, 107, 133, 44];
    assert_eq!(instance.scale(), 6);
    assert_eq!(upward_ranks(&instance), thirds.map(|third| third * 2));
}

/// By hand from the definition: 0, 31, 25, 22, 24, 27, 62.333, 66.667, 63.667, 93.333.
#[test]
fn downward_ranks_are_those_of_the_definition() {
    let (graph, costs) = canonical();
    let instance = Instance::new(&graph, &costs).unwrap();
    let thirds = [0, 93, 75, 66, 72, 81, 187, 200, 191, 280];
    assert_eq!(downward_ranks(&instance), thirds.map(|third| third * 2));
}

#[test]
fn makespans_are_the_published_ones() {
    for (policy, makespan, slr) in
        [(Policy::Heft, 80, 1.951), (Policy::Cpop, 86, 2.098), (Policy::Peft, 85, 2.073)]
    {
        let schedule = scheduled(policy);
        assert_eq!(schedule.makespan(), ns(makespan), "{policy}");
        let (graph, costs) = canonical();
        let instance = Instance::new(&graph, &costs).unwrap();
        assert!((schedule.slr(&instance) - slr).abs() < 0.0005, "{policy}: {}", schedule.slr(&instance));
        let speedup = 127.0 / makespan as f64;
        assert_eq!(schedule.speedup(&instance), speedup);
        assert_eq!(schedule.efficiency(&instance), speedup / 3.0);
    }
}

#[test]
fn the_whole_schedule_of_heft_is_the_published_one() {
    let expected = [
        place(2, 0, 9),
        place(0, 27, 40),
        place(2, 9, 28),
        place(1, 18, 26),
        place(2, 28, 38),
        place(1, 26, 42),
        place(2, 38, 49),
        place(0, 57, 62),
        place(1, 56, 68),
        place(1, 73, 80),
    ];
    assert_eq!(scheduled(Policy::Heft).places, expected);
}

#[test]
fn the_bounds_are_the_published_ones() {
    let (graph, costs) = canonical();
    let instance = Instance::new(&graph, &costs).unwrap();
    assert_eq!(instance.critical_path(), ns(41));
    assert_eq!(instance.sequential(), ns(127));
    // The least costs sum up to 99, which three processors share in 33: the critical path is longer.
    assert_eq!(instance.lower_bound(), ns(41));
}

/// The same in other units, and on a network told pair by pair, is the same.
#[test]
fn units_and_the_form_of_the_network_change_nothing() {
    let times = 1_000_003;
    let edges = EDGES.map(|(from, to, data)| (from, to, data * times));
    let graph = graph(&[0; 10], &edges);
    let rows = COSTS.iter().map(|row| row.iter().map(|cost| ns(*cost * times)).collect()).collect();
    let costs = Costs { execution: Execution::Matrix(rows), network: Network::Pairs(vec![vec![UNIT; 3]; 3]) };
    let instance = Instance::new(&graph, &costs).unwrap();
    for policy in Policy::ALL {
        let long = policy.schedule(&instance).unwrap();
        let short = scheduled(*policy);
        let stretched = short.places.iter().map(|place| Placement {
            processor: place.processor,
            start: place.start * times,
            finish: place.finish * times,
        });
        assert_eq!(long.places, stretched.collect::<Vec<_>>(), "{policy}");
    }
}
