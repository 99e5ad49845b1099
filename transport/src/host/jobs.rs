//! Jobs: work that takes CPU time, done by services on threads of their own.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use seedbed_core::contract::{Protocol, Store, Subject};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::disk::JobBlobs;

/// Does jobs: given the configuration and the node's blobs. None ends a job without an outcome.
pub type Service<P> = dyn Fn(&<P as Protocol>::Config, &<P as Protocol>::Job, &dyn Store) -> Option<<P as Protocol>::Outcome>
    + Send
    + Sync;

/// The services of a node, by name, and which one does a job.
pub struct Services<P: Protocol> {
    named: Vec<(&'static str, Arc<Service<P>>)>,
    choose: fn(&P::Job) -> &'static str,
}

impl<P: Protocol> Clone for Services<P> {
    fn clone(&self) -> Self {
        Self { named: self.named.clone(), choose: self.choose }
    }
}

impl<P: Protocol> fmt::Debug for Services<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.named.iter().map(|(name, _)| name)).finish()
    }
}

/// The service that does what [`Subject::perform`] does.
const PERFORM: &str = "perform";

impl<P: Subject> Services<P> {
    /// Every job is done by the protocol's own [`Subject::perform`], under the name `perform`.
    #[must_use]
    pub fn registered() -> Self {
        Self::none().with(PERFORM, P::perform)
    }
}

impl<P: Protocol> Services<P> {
    /// No services: no job is ever done.
    #[must_use]
    pub fn none() -> Self {
        Self { named: Vec::new(), choose: |_| PERFORM }
    }

    /// Knows one more; a name given before means this one from now on.
    #[must_use]
    pub fn with(
        mut self,
        name: &'static str,
        service: impl Fn(&P::Config, &P::Job, &dyn Store) -> Option<P::Outcome> + Send + Sync + 'static,
    ) -> Self {
        self.named.retain(|(other, _)| *other != name);
        self.named.push((name, Arc::new(service)));
        self
    }

    /// Names the service for a job; without this it is `perform`.
    #[must_use]
    pub fn choosing(mut self, choose: fn(&P::Job) -> &'static str) -> Self {
        self.choose = choose;
        self
    }

    fn find(&self, job: &P::Job) -> Option<Arc<Service<P>>> {
        let name = (self.choose)(job);
        self.named.iter().find(|(other, _)| *other == name).map(|(_, service)| Arc::clone(service))
    }
}

/// The jobs of one life. Each that runs has a thread; there are at most so many, and a job that is given up keeps its
/// own until it really ends: a thread cannot be stopped from outside.
pub(super) struct Jobs<P: Protocol> {
    services: Services<P>,
    config: Arc<P::Config>,
    limits: Limits,
    running: usize,
    waiting: VecDeque<(Arc<Service<P>>, P::Job, JobBlobs)>,
    /// At most two for each job that runs.
    news: UnboundedReceiver<News<P>>,
    tell: UnboundedSender<News<P>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) running: usize,
    pub(super) waiting: usize,
    pub(super) time: Duration,
}

/// What becomes of a job that was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asked {
    Taken,
    /// Too many wait.
    Overflowed,
    /// No service does it.
    Unknown,
}

/// What became of a job that ran.
pub(super) enum News<P: Protocol> {
    Done {
        job: P::Job,
        outcome: P::Outcome,
    },
    Failed,
    TimedOut,
    /// One that had timed out has ended at last.
    Freed,
}

impl<P: Protocol> Jobs<P> {
    pub(super) fn new(services: Services<P>, config: Arc<P::Config>, limits: Limits) -> Self {
        let (tell, news) = unbounded_channel();
        Self { services, config, limits, running: 0, waiting: VecDeque::new(), news, tell }
    }

    /// Begins a job, now or when its turn comes.
    pub(super) fn ask(&mut self, job: P::Job, blobs: JobBlobs) -> Asked {
        let Some(service) = self.services.find(&job) else { return Asked::Unknown };
        if self.running < self.limits.running.max(1) {
            self.begin(service, job, blobs);
        } else if self.waiting.len() < self.limits.waiting {
            self.waiting.push_back((service, job, blobs));
        } else {
            return Asked::Overflowed;
        }
        Asked::Taken
    }

    /// What becomes of a job next.
    pub(super) async fn next(&mut self) -> News<P> {
        match self.news.recv().await {
            Some(news) => news,
            // Cannot be: one sender is here.
            None => std::future::pending().await,
        }
    }

    /// To be called with every news: a job that waits may begin.
    pub(super) fn heed(&mut self, news: &News<P>) {
        if matches!(news, News::TimedOut) {
            return;
        }
        self.running = self.running.saturating_sub(1);
        if let Some((service, job, blobs)) = self.waiting.pop_front() {
            self.begin(service, job, blobs);
        }
    }

    fn begin(&mut self, service: Arc<Service<P>>, job: P::Job, blobs: JobBlobs) {
        self.running += 1;
        let (config, (done, ended)) = (Arc::clone(&self.config), oneshot::channel());
        let work = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| service(&config, &job, &blobs)));
            let _ = done.send(outcome.ok().flatten().map(|outcome| (job, outcome)));
        };
        // Without a thread the other end is dropped, and the job has failed.
        drop(thread::Builder::new().name("job".into()).spawn(work));
        tokio::spawn(attend(ended, self.limits.time, self.tell.clone()));
    }
}

/// Waits for a job, but not for ever.
async fn attend<P: Protocol>(
    mut ended: oneshot::Receiver<Option<(P::Job, P::Outcome)>>,
    limit: Duration,
    tell: UnboundedSender<News<P>>,
) {
    let news = match tokio::time::timeout(limit, &mut ended).await {
        Ok(Ok(Some((job, outcome)))) => News::Done { job, outcome },
        Ok(_) => News::Failed,
        Err(_) => {
            let _ = tell.send(News::TimedOut);
            let _ = ended.await;
            News::Freed
        }
    };
    let _ = tell.send(news);
}
