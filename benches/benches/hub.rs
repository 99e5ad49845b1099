//! What a task costs the hub by itself: 50,000 no-op tasks come in entries of 1,000, then two workers of many cores answer
//! one by one, first come, first served. Throughput is tasks from submission to acceptance; nothing is stored or sent.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use seedbed_core::contract::{CommandId, Duration, Machine, Time};
use seedbed_core::scheduler::call::Call;
use seedbed_core::scheduler::hub::{
    Capacity, CopyId, Entry, Event, Hub, Needs, Outcome, Output, Parameters, Rules, Spec, UserId,
};
use seedbed_core::scheduler::trust::{self, Comparator, Fixed, Identity, Validation};
use seedbed_core::settings::{Bytes, Probability, Rate};

const TASKS: usize = 50_000;
const BATCH: usize = 1_000;
const CORES: u32 = 64;

fn spec(name: usize) -> Spec {
    Spec {
        name: name.to_string(),
        needs: Needs { cores: 1, ram: Bytes(1 << 20), tags: Vec::new() },
        call: Arc::new(Call::default()),
        work: Duration::from_millis(1),
        input: Bytes(0),
        output: Bytes(0),
        trust: Fixed::ZERO,
        validation: None,
        overlap: None,
        priority: 0,
        deadline: None,
        retries: 0,
    }
}

/// Two workers, and a log that brings the tasks.
fn prepare(validation: Validation) -> (Hub, Vec<Entry>) {
    // Few enough saboteurs that two workers can decide a task.
    let trust =
        trust::Parameters { validation, prior: Probability::of(0.05), ..trust::Parameters::default() };
    let mut hub = Hub::new(Arc::new(Rules::new(&Parameters::default(), &trust, Comparator::Exact)));
    for worker in [1, 2].map(Identity) {
        let capacity = Capacity {
            cores: CORES,
            ram: Bytes(64 << 30),
            tags: Vec::new(),
            speed: Fixed::ONE,
            rate: Rate(1_000_000_000),
        };
        hub.apply(Time::ZERO, &Entry { draw: 0, event: Event::WorkerJoined { worker, capacity } });
    }
    let submissions = (0..TASKS).step_by(BATCH).map(|first| {
        let tasks = (first..first + BATCH).map(spec).collect();
        let event = Event::Submit { command: CommandId(0), user: UserId(0), tasks, edges: Vec::new() };
        Entry { draw: first as u64, event }
    });
    (hub, submissions.collect())
}

/// Until all tasks are done; returns how many answers that took.
fn run(hub: &mut Hub, submissions: &[Entry]) -> u64 {
    let answer = Comparator::Exact.read(b"00000000");
    let mut had: VecDeque<(Identity, CopyId)> = VecDeque::new();
    let collect = |outputs: Vec<Output>, had: &mut VecDeque<(Identity, CopyId)>| {
        had.extend(outputs.iter().filter_map(|output| match output {
            Output::Assign { worker, copy, .. } => Some((*worker, *copy)),
            _ => None,
        }));
    };
    for entry in submissions {
        collect(hub.apply(Time::ZERO, entry), &mut had);
    }
    let mut answers = 0;
    while let Some((worker, copy)) = had.pop_front() {
        answers += 1;
        let outcome = Outcome::Answered(answer.clone());
        let entry = Entry {
            draw: u64::wrapping_mul(answers, 0x9E37_79B9_7F4A_7C15),
            event: Event::Result { worker, copy, outcome },
        };
        collect(hub.apply(Time::ZERO, black_box(&entry)), &mut had);
    }
    assert_eq!(hub.open(), 0);
    answers
}

fn tasks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hub");
    group.throughput(Throughput::Elements(TASKS as u64)).sample_size(10);
    for validation in [Validation::None, Validation::MFirst, Validation::Credibility] {
        group.bench_function(BenchmarkId::new("tasks", validation.name()), |bencher| {
            bencher.iter_batched_ref(
                || prepare(validation),
                |(hub, submissions)| run(hub, submissions),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, tasks);
criterion_main!(benches);
