//! Jobs run beside their node, at most so many at once, and not for ever.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use seedbed_core::contract::{Blob, BlobInput, Input, Tag};
use seedbed_transport::host::{Ended, Services, Setup};

use crate::bed::{Net, Shelf, soon};
use crate::puppet::{Act, Lived, Puppet, setup};

/// Jobs that stand still until a test lets them go on.
#[derive(Clone, Default)]
struct Brake(Arc<(Mutex<bool>, Condvar)>);

impl Brake {
    fn release(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn wait(&self) {
        let mut released = self.0.0.lock().unwrap();
        while !*released {
            released = self.0.1.wait(released).unwrap();
        }
    }
}

fn with(services: Services<Puppet>) -> Setup<Puppet> {
    Setup { services, ..setup() }
}

fn ran(input: Input<crate::puppet::Message, u8, Vec<Act>, u64, u64, u64>) -> Option<(u64, u64)> {
    match input {
        Input::Ran { job, outcome } => Some((job, outcome)),
        _ => None,
    }
}

#[tokio::test]
async fn a_job_brings_its_outcome_and_one_that_fails_brings_none() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let services = Services::none()
        .with("double", |_, job, _| Some(job * 2))
        .with("fail", |_, _, _| None)
        .with("panic", |_, _, _| panic!("as told"))
        .choosing(|job| ["double", "fail", "panic", "nobody"][*job as usize % 4]);
    let mut node = Lived::new(with(services), &net, &shelf);
    Lived::tell(&net, [1, 2, 3, 4].map(Act::Run));
    assert_eq!(node.input(|_, input| ran(input)).await, (4, 8));
    Lived::tell(&net, [Act::Run(8)]);
    assert_eq!(node.input(|_, input| ran(input)).await, (8, 16));
    let counters = loop {
        let counters = node.handle.counters();
        if counters.jobs_failed == 3 {
            break counters;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((counters.jobs, counters.jobs_timed_out, counters.jobs_overflowed), (4, 0, 0));
}

#[tokio::test]
async fn only_so_many_jobs_run_and_wait() {
    let (net, shelf, brake) = (Net::default(), Shelf::default(), Brake::default());
    let theirs = brake.clone();
    let services = Services::none().with("perform", move |_, job, _| {
        theirs.wait();
        Some(*job)
    });
    let mut setup = with(services);
    (setup.knobs.jobs_max, setup.knobs.jobs_waiting_max) = (2, 3);
    let mut node = Lived::new(setup, &net, &shelf);
    node.ask((0..8).map(Act::Run).chain([Act::ReplyNow(0)]).collect::<Vec<_>>()).await;
    let counters = node.handle.counters();
    assert_eq!((counters.jobs, counters.jobs_overflowed), (5, 3));
    brake.release();
    let mut done = Vec::new();
    for _ in 0..5 {
        done.push(node.input(|_, input| ran(input)).await.0);
    }
    done.sort_unstable();
    assert_eq!(done, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_given_up_and_keeps_its_place_until_it_ends() {
    let (net, shelf, brake) = (Net::default(), Shelf::default(), Brake::default());
    let theirs = brake.clone();
    let services = Services::none().with("perform", move |_, job, _| {
        if *job == 0 {
            theirs.wait();
        }
        Some(*job)
    });
    let mut setup = with(services);
    (setup.knobs.jobs_max, setup.knobs.job) = (1, Duration::from_millis(20));
    let mut node = Lived::new(setup, &net, &shelf);
    node.ask([Act::Run(0), Act::Run(1), Act::ReplyNow(0)]).await;
    while node.handle.counters().jobs_timed_out == 0 {
        tokio::task::yield_now().await;
    }
    brake.release();
    // The first one's outcome came too late; the second could begin only then.
    assert_eq!(node.input(|_, input| ran(input)).await, (1, 1));
    soon(node.handle.stop()).await;
    // A node ends although a job would run for ever.
    let stuck = Brake::default();
    let theirs = stuck.clone();
    let services = Services::none().with("perform", move |_, job, _| {
        theirs.wait();
        Some(*job)
    });
    let next = Lived::new(with(services), &net, &shelf);
    next.ask([Act::Run(0), Act::ReplyNow(0)]).await;
    assert!(matches!(soon(next.handle.stop()).await, Ended::Stopped));
    stuck.release();
}

#[tokio::test]
async fn a_job_sees_the_blobs_of_its_node() {
    let (net, shelf) = (Net::default(), Shelf::default());
    let blob = Blob::new(*b"what a job reads");
    let (here, gone) = (blob.id(), Blob::new(*b"never stored").id());
    let services = Services::none().with("perform", move |_, job, store| {
        store.blob(if *job == 0 { here } else { gone }).map(|blob| blob.length())
    });
    let mut node = Lived::new(with(services), &net, &shelf);
    let news = |_, input| match input {
        Input::Blob(news) => Some(news),
        _ => None,
    };
    Lived::tell(&net, [Act::Store(blob.clone())]);
    assert_eq!(node.input(news).await, BlobInput::Stored { tag: Tag(0), id: here });
    Lived::tell(&net, [Act::Run(1), Act::Run(0), Act::Load(here), Act::Drop(here), Act::Load(here)]);
    assert_eq!(node.input(news).await, BlobInput::Loaded { tag: Tag(0), blob });
    assert_eq!(node.input(news).await, BlobInput::Missing { tag: Tag(0), id: here });
    shelf.fill(true);
    Lived::tell(&net, [Act::Store(Blob::new(*b"too much"))]);
    let refused = BlobInput::Refused { tag: Tag(0), id: Blob::new(*b"too much").id() };
    assert_eq!(node.input(news).await, refused);
    let counters = node.handle.counters();
    assert_eq!(counters.jobs, 2);
}
