//! Workflows of WfCommons, and a log of the Parallel Workloads Archive.

use seedbed_core::contract::Duration;
use seedbed_core::scheduler::dag::{Costs, Execution, Instance, Link, Network, Policy, Speed};
use seedbed_core::scheduler::import::{self, Arrival};
use seedbed_core::settings::Rate;

use crate::{shared, text};

struct Published {
    file: &'static str,
    tasks: usize,
    edges: usize,
    /// Handed over along all edges, in bytes.
    data: u64,
    work_ms: u64,
    critical_path_ms: u64,
}

/// Counted apart from the files, with a JSON parser and a few lines of script.
const PUBLISHED: [Published; 3] = [
    Published {
        file: "epigenomics-chameleon-hep-1seq-100k-001.json",
        tasks: 41,
        edges: 48,
        data: 353_323_676,
        work_ms: 539_307,
        critical_path_ms: 104_822,
    },
    Published {
        file: "srasearch-chameleon-10a-001.json",
        tasks: 22,
        edges: 30,
        data: 10_763_460_131,
        work_ms: 6_996_779,
        critical_path_ms: 1_005_858,
    },
    Published {
        file: "montage-chameleon-2mass-005d-001.json",
        tasks: 58,
        edges: 114,
        data: 549_181_584,
        work_ms: 221_726,
        critical_path_ms: 21_385,
    },
];

#[test]
fn workflows_are_read_as_published_and_can_be_scheduled() {
    for published in PUBLISHED {
        let file = published.file;
        let Some(bytes) = shared(&format!("workflows/{file}")) else { return };
        let graph = import::wfcommons(&text(bytes)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!((graph.len(), graph.edges().count()), (published.tasks, published.edges), "{file}");
        assert_eq!(graph.edges().map(|edge| edge.data.0).sum::<u64>(), published.data, "{file}");

        let execution = Execution::Speeds([1_000_000, 1_500_000, 700_000, 1_000_000].map(Speed).to_vec());
        let ethernet = Link { latency: Duration::from_micros(500), bandwidth: Rate(100_000_000) };
        let unequal = Costs { execution, network: Network::Uniform(ethernet) };
        for costs in [Costs::identical(1), Costs::identical(4), unequal] {
            let instance = Instance::new(&graph, &costs).unwrap();
            for policy in Policy::ALL {
                let schedule = policy.schedule(&instance).unwrap();
                assert_eq!(schedule.verify(&instance), Ok(()), "{policy}, {file}");
                assert!(schedule.makespan() >= instance.lower_bound(), "{policy}, {file}");
                if instance.processors() == 1 {
                    assert_eq!(
                        schedule.makespan(),
                        Duration::from_millis(published.work_ms),
                        "{policy}, {file}"
                    );
                }
            }
        }
        let one = Costs::identical(1);
        let path = Instance::new(&graph, &one).unwrap().critical_path();
        assert_eq!(path, Duration::from_millis(published.critical_path_ms), "{file}");
    }
}

/// Counted apart with awk: 3,170 lines of a job, of which 3,145 tell the run time.
#[test]
fn a_log_is_read_as_published() {
    let Some(bytes) = shared("swf/hpc2n-excerpt.swf.xz") else { return };
    let arrivals = import::swf(&text(bytes)).unwrap();
    assert_eq!(arrivals.len(), 3_170);
    let first = Arrival {
        job: 1,
        submit: Duration::ZERO,
        run: Some(Duration::from_secs(31_405)),
        processors: Some(30),
        user: Some(1),
        memory: None,
    };
    assert_eq!(arrivals[0], first);
    let runs: Vec<u64> = arrivals.iter().filter_map(|job| Some(job.run?.as_nanos())).collect();
    assert_eq!((runs.len(), runs.iter().sum()), (3_145, 31_853_357_u64 * 1_000_000_000));
    let processors: u64 = arrivals.iter().filter_map(|job| job.processors).map(u64::from).sum();
    assert_eq!(processors, 62_836);
    let memory: Vec<u64> = arrivals.iter().filter_map(|job| Some(job.memory?.0)).collect();
    assert_eq!((memory.len(), memory.iter().sum()), (1_049, 183_246_848_u64 * 1_024));
    assert_eq!(arrivals.last().map(|job| job.submit), Some(Duration::from_secs(4_950_011)));
}
