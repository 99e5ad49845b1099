//! Graphs, costs and schedules as values: what is refused, what is computed.

use super::*;

#[test]
fn what_is_no_graph_is_refused() {
    let new = |works: &[u64], edges: &[(u32, u32)]| {
        let edges = edges.iter().map(|(from, to)| edge(*from, *to, 0)).collect();
        TaskGraph::new(tasks(works), edges)
    };
    assert_eq!(new(&[], &[]), Err(GraphError::Empty));
    assert_eq!(new(&[1], &[(0, 1)]), Err(GraphError::UnknownTask { task: 1, tasks: 1 }));
    let name = "0".to_owned();
    assert_eq!(new(&[1], &[(0, 0)]), Err(GraphError::Cycle { task: 0, name }));
    let twice = GraphError::DuplicateEdge { from: "0".into(), task: 1, to: "1".into() };
    assert_eq!(new(&[1, 1], &[(0, 1), (0, 1)]), Err(twice));
    assert_eq!(new(&[u64::MAX, 1], &[]), Err(GraphError::TooMuchWork));
    assert_eq!(new(&vec![0; TASKS_MAX + 1], &[]), Err(GraphError::TooManyTasks(TASKS_MAX + 1)));
    let mut named = tasks(&[1, 1, 1]);
    named[2].name = "0".into();
    let twins = GraphError::DuplicateTask { task: 2, name: "0".into() };
    assert_eq!(TaskGraph::new(named, Vec::new()), Err(twins));
    let long = vec![Task { name: "n".repeat(NAME_MAX + 1), work: ns(1) }];
    let expected = GraphError::LongName { task: 0, bytes: NAME_MAX + 1 };
    assert_eq!(TaskGraph::new(long, Vec::new()), Err(expected));
}

#[test]
fn more_edges_than_may_be_are_refused() {
    let edges = vec![edge(0, 1, 0); EDGES_MAX + 1];
    assert_eq!(TaskGraph::new(tasks(&[1, 1]), edges), Err(GraphError::TooManyEdges(EDGES_MAX + 1)));
}

/// Tasks before and after the cycle do not lie on it.
#[test]
fn a_cycle_is_told_by_one_of_its_tasks() {
    let edges = [(0, 1), (1, 2), (2, 3), (3, 1), (3, 4)].map(|(from, to)| edge(from, to, 0));
    match TaskGraph::new(tasks(&[1; 5]), edges.to_vec()) {
        Err(GraphError::Cycle { task, name }) => {
            assert!((1..=3).contains(&task), "task {task} lies on no cycle");
            assert_eq!(name, task.to_string());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_graph_is_stored_and_sent_and_checked_when_it_arrives() {
    let original = graph(&[5, 6, 7], &[(0, 2, 3), (0, 1, 9)]);
    let bytes = postcard::to_allocvec(&original).unwrap();
    assert_eq!(postcard::from_bytes::<TaskGraph>(&bytes), Ok(original));
    let json = r#"{"tasks":[{"name":"a","work":1}],"edges":[{"from":0,"to":0,"data":0}]}"#;
    let error = serde_json::from_str::<TaskGraph>(json).unwrap_err();
    assert!(error.to_string().contains("task `a` needs itself"), "{error}");
}

#[test]
fn links_and_speeds_round_up_to_a_nanosecond() {
    let link = Link { latency: ns(5), bandwidth: Rate(3_000_000_000) };
    // Eight bits by 3 Gbit/s are 2.67 ns.
    for (bytes, time) in [(0, 5), (1, 8), (3, 13), (3_000_000_000_000, 8_000_000_000_005)] {
        assert_eq!(link.time(Bytes(bytes)), Some(ns(time)), "{bytes} bytes");
    }
    assert_eq!(Link::FREE.time(Bytes(u64::MAX)), Some(ns(0)));
    assert_eq!(Link { latency: ns(1), bandwidth: Rate(0) }.time(Bytes(0)), None);
    assert_eq!(Link { latency: ns(1), bandwidth: Rate(1) }.time(Bytes(u64::MAX)), None);

    assert_eq!(Speed(1_500_000).time(ns(10)), Some(ns(7)));
    assert_eq!(Speed(500_000).time(ns(u64::MAX / 2)), Some(ns(u64::MAX - 1)));
    assert_eq!(Speed(500_000).time(ns(u64::MAX)), None);
    assert_eq!(Speed(0).time(ns(1)), None);
}

#[test]
fn costs_that_do_not_fit_are_refused() {
    let graph = graph(&[1, 1], &[(0, 1, 1)]);
    let refused = |execution, network| Instance::new(&graph, &Costs { execution, network }).unwrap_err();
    let free = || Network::Uniform(Link::FREE);
    let speeds = |count| Execution::Speeds(vec![Speed::ONE; count]);
    assert_eq!(refused(speeds(0), free()), InstanceError::Processors(0));
    let many = PROCESSORS_MAX + 1;
    assert_eq!(refused(speeds(many), free()), InstanceError::Processors(many));
    let rows = Execution::Matrix(vec![vec![ns(1)]]);
    assert_eq!(refused(rows, free()), InstanceError::Rows { rows: 1, tasks: 2 });
    let ragged = Execution::Matrix(vec![vec![ns(1)], vec![]]);
    let expected = InstanceError::Columns { matrix: "costs", row: 1, columns: 0, processors: 1 };
    assert_eq!(refused(ragged, free()), expected);
    let links = Network::Pairs(vec![vec![Link::FREE; 2]]);
    assert_eq!(refused(speeds(2), links), InstanceError::Links { rows: 1, processors: 2 });
    let ragged = Network::Pairs(vec![vec![Link::FREE; 2], vec![Link::FREE]]);
    let expected = InstanceError::Columns { matrix: "links", row: 1, columns: 1, processors: 2 };
    assert_eq!(refused(speeds(2), ragged), expected);
}

#[test]
fn what_takes_forever_is_refused() {
    let graph = graph(&[1, 1], &[(0, 1, 1)]);
    let refused = |execution, network| Instance::new(&graph, &Costs { execution, network }).unwrap_err();
    let free = || Network::Uniform(Link::FREE);
    let speeds = || Execution::Speeds(vec![Speed::ONE; 2]);
    for stopped in [0, 1 << 63] {
        let link = Link { latency: ns(stopped), bandwidth: Rate(u64::from(stopped > 0)) };
        assert_eq!(refused(speeds(), Network::Uniform(link)), InstanceError::Horizon);
        let pairs = vec![vec![Link::FREE, link], vec![Link::FREE, Link::FREE]];
        assert_eq!(refused(speeds(), Network::Pairs(pairs)), InstanceError::Horizon);
    }
    assert_eq!(refused(Execution::Speeds(vec![Speed::ONE, Speed(0)]), free()), InstanceError::Horizon);
    let endless = Execution::Matrix(vec![vec![ns(u64::MAX / 2)], vec![ns(1)]]);
    assert_eq!(refused(endless, free()), InstanceError::Horizon);
    // What nobody uses may be broken: the way from a processor to itself.
    let unused = Link { latency: ns(0), bandwidth: Rate(0) };
    let pairs = vec![vec![unused, Link::FREE], vec![Link::FREE, unused]];
    let costs = Costs { execution: speeds(), network: Network::Pairs(pairs) };
    assert!(Instance::new(&graph, &costs).is_ok());
}

/// Two links of 10 and 30 ns, one byte a nanosecond there and two back: 5 bytes take 15 and 33 (2.5 rounds up).
#[test]
fn means_over_unequal_links_are_those_of_their_times() {
    let graph = graph(&[4, 0], &[(0, 1, 5)]);
    let links = [[(0, 1), (10, 8)], [(30, 16), (0, 1)]].map(|row| {
        row.map(|(latency, gigabits)| Link {
            latency: ns(latency),
            bandwidth: Rate(gigabits * 1_000_000_000),
        })
        .to_vec()
    });
    let execution = Execution::Speeds(vec![Speed::ONE, Speed(2_000_000)]);
    let costs = Costs { execution, network: Network::Pairs(links.to_vec()) };
    let instance = Instance::new(&graph, &costs).unwrap();
    let there_and_back = [(0, 1), (1, 0)].map(|(from, to)| instance.communication(Bytes(5), from, to));
    assert_eq!(there_and_back, [ns(15), ns(33)]);
    assert_eq!(instance.communication(Bytes(5), 1, 1), ns(0));
    assert_eq!(instance.scale(), 2);
    // 47.5, rounded down, and 4 + 2.
    assert_eq!(instance.mean_communication(Bytes(5)), 47);
    assert_eq!(instance.mean_cost(0), 6);
    assert_eq!(upward_ranks(&instance), [53, 0]);
    assert_eq!(downward_ranks(&instance), [0, 53]);
    // Work of 4 shared by speeds 1 and 2 takes 1.33, on the faster one 2.
    assert_eq!(instance.lower_bound(), ns(2));
}

/// A hole between two tasks is filled by a third that fits exactly, not by one that is longer.
#[test]
fn tasks_are_inserted_where_there_is_room() {
    // 0 and 1 are first on processors of their own; 2 needs 1's data, so that a hole opens behind 0.
    let graph = graph(&[0; 5], &[(0, 2, 0), (1, 2, 6), (0, 3, 50), (0, 4, 50)]);
    let never = 1_000;
    let rows = [[4, never], [never, 4], [9, never], [6, never], [1, never]].map(|row| row.map(ns).to_vec());
    let costs = Costs { execution: Execution::Matrix(rows.to_vec()), network: Network::Uniform(UNIT) };
    let instance = Instance::new(&graph, &costs).unwrap();
    let schedule = Policy::Heft.schedule(&instance).unwrap();
    assert_eq!(schedule.verify(&instance), Ok(()));
    // By rank: 3 (503), 4 (500.5) and 2 (504.5) are ready once 0 is; 2 goes first, to 10..19.
    assert_eq!(schedule.places[2], place(0, 10, 19));
    assert_eq!(schedule.places[3], place(0, 4, 10));
    assert_eq!(schedule.places[4], place(0, 19, 20));
}

#[test]
fn each_flaw_of_a_schedule_is_found() {
    let graph = graph(&[5, 5, 0], &[(0, 1, 3)]);
    let execution = Execution::Speeds(vec![Speed::ONE; 2]);
    let costs = Costs { execution, network: Network::Uniform(UNIT) };
    let instance = Instance::new(&graph, &costs).unwrap();
    let verify = |places: &[Placement]| Schedule::new(places.to_vec(), 2).verify(&instance);
    // A task without work may lie within another.
    assert_eq!(verify(&[place(0, 0, 5), place(0, 5, 10), place(0, 7, 7)]), Ok(()));
    assert_eq!(verify(&[place(0, 0, 5), place(1, 8, 13), place(0, 7, 7)]), Ok(()));
    assert_eq!(verify(&[place(0, 0, 5)]), Err(Flaw::Count { places: 1, tasks: 3 }));
    let absent = Flaw::Processor { task: 1, processor: 2 };
    assert_eq!(verify(&[place(0, 0, 5), place(2, 8, 13), place(0, 7, 7)]), Err(absent));
    let short = Flaw::Length { task: 0, start: ns(0), finish: ns(4), cost: ns(5) };
    assert_eq!(verify(&[place(0, 0, 4), place(0, 5, 10), place(0, 7, 7)]), Err(short));
    let early = |giver, finish, takes| Flaw::Precedence { task: 1, start: ns(7), giver, finish, takes };
    let got = verify(&[place(0, 0, 5), place(1, 7, 12), place(0, 7, 7)]);
    assert_eq!(got, Err(early(0, ns(5), ns(3))));
    let got = verify(&[place(0, 3, 8), place(0, 7, 12), place(0, 7, 7)]);
    assert_eq!(got, Err(early(0, ns(8), ns(0))));

    let free = Costs::identical(1);
    let apart = super::graph(&[2, 9, 3], &[]);
    let instance = Instance::new(&apart, &free).unwrap();
    let places = vec![place(0, 20, 22), place(0, 0, 9), place(0, 8, 11)];
    let got = Schedule::new(places, 1).verify(&instance);
    assert_eq!(got, Err(Flaw::Overlap { first: 1, second: 2 }));
}

#[test]
fn policies_are_named_as_they_are_written() {
    let names: Vec<_> = Policy::ALL.iter().map(|policy| policy.name()).collect();
    assert_eq!(names, ["heft", "cpop", "peft", "dynamic-list"]);
}

#[test]
fn a_table_beyond_memory_is_refused() {
    let graph = graph(&vec![1; TABLE_MAX / PROCESSORS_MAX + 1], &[]);
    let costs = Costs::identical(PROCESSORS_MAX);
    let instance = Instance::new(&graph, &costs).unwrap();
    assert!(matches!(Policy::Peft.schedule(&instance), Err(InstanceError::Table { .. })));
}

#[test]
fn tasks_given_out_as_work_goes_on() {
    let graph = graph(&[10, 20, 5], &[(0, 2, 4), (1, 2, 6)]);
    let execution = Execution::Speeds(vec![Speed::ONE; 2]);
    let costs = Costs { execution, network: Network::Uniform(UNIT) };
    let instance = Instance::new(&graph, &costs).unwrap();
    let mut list = DynamicList::new(&instance);
    assert_eq!(list.next(&instance, ns(0), &[]), None);
    let first = list.next(&instance, ns(0), &[1, 0]).unwrap();
    // The most urgent; equal ends fall to the processor named first. To ask changes nothing.
    assert_eq!(first, Choice { task: 1, place: place(1, 0, 20) });
    assert_eq!(list.next(&instance, ns(0), &[1, 0]), Some(first));
    assert!(list.start(1) && !list.start(1), "it is given out once");
    assert_eq!(list.next(&instance, ns(0), &[0]), Some(Choice { task: 0, place: place(0, 0, 10) }));
    assert!(list.start(0));
    assert_eq!((list.ready(), list.next(&instance, ns(0), &[0])), (0, None));

    // Processor 1 is lost, then its task done by the other, and later than thought.
    assert!(list.give_back(1) && !list.give_back(1));
    assert!(list.finish(&instance, 0, 0, ns(12)));
    assert_eq!(list.next(&instance, ns(12), &[0]), Some(Choice { task: 1, place: place(0, 12, 32) }));
    assert!(list.start(1));
    assert!(!list.finish(&instance, 2, 0, ns(13)) && !list.give_back(2) && !list.start(2), "2 is not ready");
    assert!(list.finish(&instance, 1, 0, ns(40)));
    assert!(!list.finish(&instance, 1, 1, ns(41)) && !list.give_back(1), "1 has been done");
    // Both results lie at 0: from there to 1 takes 6 more.
    assert_eq!(list.next(&instance, ns(50), &[1]), Some(Choice { task: 2, place: place(1, 50, 55) }));
    assert_eq!(list.next(&instance, ns(42), &[1]), Some(Choice { task: 2, place: place(1, 46, 51) }));
    assert_eq!(list.next(&instance, ns(42), &[1, 0]), Some(Choice { task: 2, place: place(0, 42, 47) }));
    assert!(!list.start(3) && !list.give_back(3), "there is no task 3");
}

/// A result may come from a worker that was given up on, while its task waits to be given out again.
#[test]
fn a_late_result_counts() {
    let graph = graph(&[1, 1], &[(0, 1, 0)]);
    let costs = Costs::identical(1);
    let instance = Instance::new(&graph, &costs).unwrap();
    let mut list = DynamicList::new(&instance);
    assert!(list.start(0) && list.give_back(0));
    assert!(list.finish(&instance, 0, 0, ns(1)));
    assert_eq!(list.next(&instance, ns(1), &[0]).map(|choice| choice.task), Some(1));
}
