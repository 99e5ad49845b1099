//! Policies on whatever graphs, processors and networks there are.

use super::*;

/// A few tasks, edges from lower to higher places in a drawn order of the tasks, and costs of either form.
fn instances() -> impl Strategy<Value = (TaskGraph, Costs)> {
    (1..14_usize, 1..5_usize).prop_flat_map(|(count, processors)| {
        let order = Just((0..count as u32).collect::<Vec<_>>()).prop_shuffle();
        let pairs = vec(proptest::option::weighted(0.3, 0..40_u64), count * (count - 1) / 2);
        // Many equal values, and zeros: ties and empty tasks.
        let time = || prop_oneof![0..4_u64, 0..50_u64].prop_map(ns);
        let works = vec(prop_oneof![0..4_u64, 0..50_u64], count);
        let speeds = vec((1..4_u64).prop_map(|half| Speed(half * 500_000)), processors);
        let execution = prop_oneof![
            vec(vec(time(), processors), count).prop_map(Execution::Matrix),
            speeds.prop_map(Execution::Speeds),
        ];
        let link = || {
            let bandwidth = prop_oneof![Just(Rate::MAX), (1..30_u64).prop_map(|gigabit| Rate(gigabit << 30))];
            (0..9_u64, bandwidth).prop_map(|(latency, bandwidth)| Link { latency: ns(latency), bandwidth })
        };
        let network = prop_oneof![
            link().prop_map(Network::Uniform),
            vec(vec(link(), processors), processors).prop_map(Network::Pairs),
        ];
        (order, pairs, works, execution, network).prop_map(|(order, pairs, works, execution, network)| {
            let ends = (0..order.len()).flat_map(|to| (0..to).map(move |from| (from, to)));
            let edges =
                ends.zip(pairs).filter_map(|((from, to), data)| Some((order[from], order[to], data?)));
            (graph(&works, &edges.collect::<Vec<_>>()), Costs { execution, network })
        })
    })
}

proptest! {
    #[test]
    fn every_policy_makes_a_schedule_that_verifies((graph, costs) in instances()) {
        let instance = Instance::new(&graph, &costs).unwrap();
        for policy in Policy::ALL {
            let schedule = policy.schedule(&instance).unwrap();
            prop_assert_eq!(schedule.verify(&instance), Ok(()), "{}", policy);
            prop_assert!(schedule.makespan() >= instance.lower_bound(), "{} beats the lower bound", policy);
            prop_assert_eq!(&policy.schedule(&instance).unwrap(), &schedule);
        }
    }

    /// Graham, SIAM J. Appl. Math. 17(2), 1969: not his factor, for which the optimum must be known (as it is in
    /// `core/tests/task_graphs`), but the inequality from which it follows.
    #[test]
    fn a_greedy_list_obeys_graham((graph, _) in instances(), processors in 1..6_usize) {
        let costs = Costs::identical(processors);
        let instance = Instance::new(&graph, &costs).unwrap();
        let makespan = Policy::DynamicList.schedule(&instance).unwrap().makespan().as_nanos();
        let work: u64 = graph.tasks().map(|task| task.work.as_nanos()).sum();
        let (path, processors) = (instance.critical_path().as_nanos(), processors as u64);
        prop_assert!(makespan * processors <= work + (processors - 1) * path);
    }

    /// Ranks from the definition, by all paths, in floats.
    #[test]
    fn ranks_are_longest_paths((graph, costs) in instances()) {
        let instance = Instance::new(&graph, &costs).unwrap();
        let mean_cost = |task| {
            let costs = (0..instance.processors()).map(|on| instance.cost(task, on).as_nanos() as f64);
            costs.sum::<f64>() / instance.processors() as f64
        };
        let mean_time = |data| {
            let processors = 0..instance.processors();
            let pairs = processors.clone().flat_map(|from| processors.clone().map(move |to| (from, to)));
            let times: Vec<f64> = pairs.filter(|(from, to)| from != to)
                .map(|(from, to)| instance.communication(data, from, to).as_nanos() as f64).collect();
            times.iter().sum::<f64>() / times.len().max(1) as f64
        };
        fn longest(at: usize, graph: &TaskGraph, cost: &dyn Fn(usize) -> f64, time: &dyn Fn(Bytes) -> f64) -> f64 {
            let rest = graph.successors(at).map(|(next, data)| time(data) + longest(next, graph, cost, time));
            cost(at) + rest.fold(0.0, f64::max)
        }
        let ranks = upward_ranks(&instance);
        for (task, rank) in ranks.iter().enumerate() {
            let expected = longest(task, &graph, &mean_cost, &mean_time);
            let got = *rank as f64 / instance.scale() as f64;
            // Each transfer on the way is rounded up where it is paid, and not where means are taken.
            prop_assert!((got - expected).abs() < graph.len() as f64, "{task}: {got}, expected {expected}");
        }
    }
}
