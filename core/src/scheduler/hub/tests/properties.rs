//! What holds of every log, whatever is in it.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// One thing that happens, with numbers that are read as it needs them.
#[derive(Clone, Copy, Debug)]
struct Deed {
    kind: u8,
    numbers: [u16; 3],
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = (0_u8..20, any::<[u16; 3]>()).prop_map(|(kind, numbers)| Deed { kind, numbers });
    prop::collection::vec(deed, 1..60)
}

fn parameters() -> impl Strategy<Value = (Parameters, Validation)> {
    let queue = prop::sample::select(QueuePolicy::ALL);
    let node = prop::sample::select(NodePolicy::ALL);
    let validation = prop::sample::select(Validation::ALL);
    let dag = prop::sample::select(DagPolicy::ALL);
    let binding = prop::sample::select(Binding::ALL);
    let health = prop::sample::select(Health::ALL);
    let policies = (queue, node, (dag, binding, health), validation);
    (policies, 0_u32..4, 1_u32..5).prop_map(
        |((queue, node, (dag, binding, health), validation), stragglers, active)| {
            let patience = SECOND * 90;
            (
                Parameters {
                    queue,
                    node,
                    dag,
                    binding,
                    health,
                    stragglers,
                    active,
                    patience,
                    ..Parameters::default()
                },
                validation,
            )
        },
    )
}

/// A worker's name: few of them, so that they meet.
fn worker(number: u16) -> Identity {
    Identity(u64::from(number % 6))
}

fn tasks(numbers: [u16; 3]) -> (Vec<Spec>, Vec<Edge>) {
    let [shape, many, ties] = numbers;
    let count = 1 + usize::from(many % 4);
    let task = |at: usize| {
        let bits = usize::from(shape).rotate_right(at as u32 * 3);
        Spec {
            needs: Needs {
                cores: 1 + bits as u32 % 4,
                ram: Bytes(((bits as u64 >> 2) % 3) << 29),
                tags: if bits % 16 == 7 { vec!["gpu".into()] } else { Vec::new() },
            },
            trust: if bits % 8 == 3 { Fixed::of(4.9) } else { Fixed::ZERO },
            overlap: (bits % 3 == 0).then_some(1 + bits as u32 % 3),
            validation: (bits % 5 == 0).then(|| Validation::ALL[bits % 7]),
            priority: bits as u32 % 3,
            deadline: (bits % 4 == 1).then_some(SECOND * 30),
            retries: bits as u32 % 3,
            work: SECOND * (1 + bits as u64 % 20),
            ..spec(at)
        }
    };
    let pairs = (0..count as u32).flat_map(|to| (0..to).map(move |from| (from, to)));
    let edges =
        pairs.enumerate().filter(|(nth, _)| ties >> nth & 1 == 1).map(|(_, (from, to))| edge(from, to));
    ((0..count).map(task).collect(), edges.collect())
}

impl Shell {
    fn event(&mut self, Deed { kind, numbers }: Deed) -> Event {
        let [a, b, c] = numbers;
        let nth = self.jobs.keys().nth(usize::from(a) % self.jobs.len().max(1)).copied();
        match (kind, nth) {
            (0..4, _) => {
                let (tasks, edges) = tasks(numbers);
                Event::Submit { command: CommandId(0), user: UserId(u64::from(c % 3)), tasks, edges }
            }
            (4..7, _) => {
                let mut capacity = capacity(1 + u32::from(b % 5));
                if c % 3 == 0 {
                    capacity.tags.push("gpu".into());
                }
                self.jobs.retain(|_, job| job.worker != worker(a));
                Event::WorkerJoined { worker: worker(a), capacity }
            }
            (7, _) => {
                self.jobs.retain(|_, job| job.worker != worker(a) || b % 2 == 0);
                Event::WorkerLeft { worker: worker(a) }
            }
            (8, _) => {
                let mine = self.jobs.iter().filter(|(_, job)| job.worker == worker(a));
                Event::Heartbeat { worker: worker(a), running: mine.map(|(copy, _)| *copy).collect() }
            }
            (9, _) => {
                let task = TaskId(u64::from(a) % self.stages.len().max(1) as u64);
                Event::Cancel { command: CommandId(0), user: UserId(u64::from(b % 3)), task }
            }
            // From anybody, about anything.
            (10, _) => {
                let copy = CopyId(u64::from(b % 64));
                self.jobs.retain(|other, job| *other != copy || job.worker != worker(a));
                Event::Result { worker: worker(a), copy, outcome: answered("what") }
            }
            (11, _) if self.lesson.is_some() && b % 2 == 0 => {
                let (copy, _) = self.lesson.take().expect("there is one");
                Event::Learned { copy, outcome: if c % 3 == 0 { Outcome::Failed } else { answered("right") } }
            }
            (11..13, _) | (_, None) => {
                self.at += SECOND * u64::from(a % 40);
                Event::Tick
            }
            (_, Some(copy)) => {
                let outcome = match b % 8 {
                    0 => Outcome::Failed,
                    1 => answered(""),
                    2 => answered("wrong"),
                    _ => answered("right"),
                };
                let worker = self.jobs.remove(&copy).expect("it was found").worker;
                Event::Result { worker, copy, outcome }
            }
        }
    }

    /// Workers come back, others come, and all of them work honestly until there is nothing to do.
    fn settle_down(&mut self) {
        for worker in 0..16 {
            self.jobs.retain(|_, job| job.worker != Identity(worker));
            let capacity = Capacity { tags: vec!["gpu".into()], ..capacity(4) };
            self.apply(Event::WorkerJoined { worker: Identity(worker), capacity });
        }
        for _ in 0..20_000 {
            if self.hub.open() == 0 {
                return;
            }
            self.learn(|_| "right".into());
            if let Some(copy) = self.jobs.first_key_value().map(|(copy, _)| *copy) {
                self.outcome(copy, answered("right"));
            } else if let Some(at) = self.hub.wake_at() {
                self.at = self.at.max(at);
                for worker in (0..16).map(Identity) {
                    self.apply_unseen(Event::Heartbeat { worker, running: Vec::new() });
                }
                self.apply(Event::Tick);
            }
        }
        panic!("{} tasks have not ended: {:?}", self.hub.open(), self.stages);
    }
}

/// Nobody gets a task again before a new attempt of it has begun, and nobody gets one that is decided, but as a spot-check.
fn given_once(outputs: &[Output]) -> Result<(), TestCaseError> {
    let (mut had, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for output in outputs {
        match output {
            Output::Notice { task, stage: Stage::Resting } => had.retain(|(other, _)| other != task),
            Output::Notice { task, stage } if stage.is_final() => {
                prop_assert!(ended.insert(*task), "{task:?} ended twice");
            }
            Output::Assign { task, worker, .. } if !ended.contains(task) => {
                prop_assert!(had.insert((*task, *worker)), "{worker:?} got {task:?} twice");
            }
            _ => {}
        }
    }
    Ok(())
}

#[test]
fn a_task_that_is_given_twice_is_seen() {
    let assign = |copy| Output::Assign {
        worker: Identity(1),
        task: TaskId(0),
        copy: CopyId(copy),
        call: Arc::default(),
        work: SECOND,
        data: Bytes(0),
        lease: Time::ZERO,
    };
    let notice = |stage| Output::Notice { task: TaskId(0), stage };
    assert!(given_once(&[assign(0), notice(Stage::Queued), assign(1)]).is_err());
    assert!(given_once(&[assign(0), notice(Stage::Resting), assign(1)]).is_ok());
    assert!(given_once(&[notice(Stage::Cancelled), notice(Stage::Cancelled)]).is_err());
}

proptest! {
    #[test]
    fn no_task_is_lost_and_none_accepted_twice((parameters, validation) in parameters(), deeds in deeds()) {
        let mut shell = Shell::new(&parameters, validation);
        for deed in deeds {
            let event = shell.event(deed);
            shell.apply(event);
        }
        shell.settle_down();
        given_once(&shell.outputs)?;
        prop_assert!(shell.stages.values().all(|stage| stage.is_final()));
        prop_assert_eq!(shell.stages.len() as u64, shell.hub.state().next_task);
    }

    #[test]
    fn equal_logs_make_equal_hubs_also_from_a_stored_state(
        (parameters, validation) in parameters(),
        deeds in deeds(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut shell = Shell::new(&parameters, validation);
        for deed in deeds {
            let event = shell.event(deed);
            shell.apply_unseen(event);
        }
        let rules = rules(&parameters, validation);
        let mut other = Hub::new(Arc::clone(&rules));
        let (cut, mut outputs) = (cut.index(shell.log.len()), Vec::new());
        for (nth, (at, entry)) in shell.log.iter().enumerate() {
            if nth == cut {
                let stored = postcard::to_allocvec(other.state()).expect("it encodes");
                let state = postcard::from_bytes(&stored).expect("it decodes");
                prop_assert_eq!(&state, other.state());
                other = Hub::resume(Arc::clone(&rules), state);
            }
            let logged = postcard::to_allocvec(entry).expect("it encodes");
            outputs.extend(other.apply(*at, &postcard::from_bytes(&logged).expect("it decodes")));
        }
        prop_assert_eq!(other.state(), shell.hub.state());
        prop_assert_eq!(outputs, shell.outputs);
    }

    #[test]
    fn a_worker_never_has_more_than_it_can_hold((parameters, validation) in parameters(), deeds in deeds()) {
        let mut shell = Shell::new(&parameters, validation);
        let mut capacities = BTreeMap::new();
        for deed in deeds {
            // What workers are not asked about is not known to them, nor is what is told in their name.
            if matches!(deed.kind, 7 | 10) {
                continue;
            }
            let event = shell.event(deed);
            if let Event::WorkerJoined { worker, capacity } = &event {
                capacities.insert(*worker, capacity.clone());
            }
            shell.apply(event);
            for (who, capacity) in &capacities {
                let mine = shell.jobs.values().filter(|job| job.worker == *who);
                let needs: Vec<&Needs> = mine.map(|job| &shell.hub.state().tasks[&job.task].spec.needs).collect();
                prop_assert!(needs.iter().map(|needs| needs.cores).sum::<u32>() <= capacity.cores);
                prop_assert!(needs.iter().map(|needs| needs.ram.0).sum::<u64>() <= capacity.ram.0);
            }
        }
    }
}
