//! How the lives of nodes begin.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration as Span, Instant};

use seedbed_core::contract::{Duration, Keys, Life, NodeId, Purpose, Subject};
use seedbed_sim::law::Law;
use seedbed_transport::Knobs;
use seedbed_transport::clock::Skew;
use seedbed_transport::host::{self, Services, Setup};
use seedbed_transport::link::weather::{Cuts, Weather};
use seedbed_transport::store::StoreError;
use seedbed_transport::store::faulty::{Faults, Faulty, Settings};
use seedbed_transport::store::log::{Log, Options};
use tokio::runtime::Runtime;

use super::air::Air;
use super::conduct::{Event, News};
use super::links::Links;
use super::watcher::Watcher;

/// What all lives of all nodes of a run share.
pub(super) struct Lives<P: Subject> {
    pub(super) runtime: Runtime,
    pub(super) folder: PathBuf,
    pub(super) config: Arc<P::Config>,
    pub(super) keys: Keys,
    /// What the keys of this run are made from.
    pub(super) key: [u8; 32],
    pub(super) began: Instant,
    pub(super) air: Air,
    pub(super) hints: Option<Duration>,
    pub(super) links: Arc<Links>,
    pub(super) news: Sender<News<P>>,
    pub(super) knobs: Knobs,
    /// Who does jobs, and how many a node does at once: the nodes take these numbers in turn.
    pub(super) services: Services<P>,
    pub(super) cores: Vec<usize>,
    /// How disks behave; each has a seed of its own.
    pub(super) disk: Settings,
}

impl<P: Subject> Lives<P> {
    /// The folder of a node's store.
    pub(super) fn store(&self, node: NodeId) -> PathBuf {
        self.folder.join(node.to_string())
    }

    /// Begins a life of a node, at least its `number`-th, once it is connected with these peers: in a simulation nobody
    /// has to connect. What becomes of it is told as news.
    pub(super) fn begin(&self, node: NodeId, number: u32, skew: Skew, peers: BTreeSet<NodeId>) {
        let (store, links, news) = (self.store(node), self.links.clone(), self.news.clone());
        let sky = self.air.over(node, &self.keys, self.began, self.hints);
        let jobs_max = (node.0 as usize).checked_rem(self.cores.len()).map_or(1, |nth| self.cores[nth]);
        let setup = Setup {
            knobs: Knobs { jobs_max, ..self.knobs.clone() },
            key: Some(self.key),
            services: self.services.clone(),
            skew,
            ..Setup::new(node, self.config.clone())
        };
        let tell = move |life, event| {
            // The run may be over.
            let _ = news.send(News { node, life, at: Instant::now(), event });
        };
        let watcher_news = self.news.clone();
        let seed = self.keys.roll(Purpose::Disk).at(u64::from(node.0), u64::from(number));
        let disk = Settings { seed, ..self.disk.clone() };
        self.runtime.spawn(async move {
            let options = Options { create: true, ..Options::default() };
            let opened = tokio::task::spawn_blocking(move || Log::open(&store, options)).await;
            let (mut opened, faults) = match opened {
                Ok(Ok(opened)) => Faulty::around(opened, disk),
                Ok(Err(error)) => return tell(Life(number), Event::Unopened(error)),
                Err(_) => return,
            };
            // One whose disk was replaced counts its lives from zero, but addresses must not come again.
            opened.life = Life(opened.life.0.max(number));
            let life = opened.life;
            let link = match links.join(node, life, &setup.knobs).await {
                Ok(link) => link,
                Err(error) => return tell(life, Event::Unequipped(error.to_string())),
            };
            let mut weather = match Weather::new(link, sky, Cuts::default()) {
                Ok(weather) => weather,
                Err(error) => return tell(life, Event::Unequipped(error.to_string())),
            };
            // Whoever cannot be reached then may never be.
            let _ = tokio::time::timeout(MEETING, weather.meet(peers)).await;
            let handle = host::start(setup, weather, opened, Watcher::new(node, life, watcher_news));
            tell(life, Event::Begun(handle.clone(), faults));
            let end = handle.ended().await;
            tell(life, Event::Ended(end));
        });
    }
}

/// How long a node tries to reach the others before it begins to live.
const MEETING: Span = Span::from_secs(1);

/// A law as a table of values, each as likely.
pub(super) fn table(law: Option<&Law>) -> Vec<Span> {
    const STEPS: u64 = 512;
    let value =
        |step| Span::from_nanos(law.map_or(0, |law| law.draw((2 * step + 1) * (u64::MAX / (2 * STEPS)))));
    if law.is_none() { Vec::new() } else { (0..STEPS).map(value).collect() }
}

/// What a life has its disk's faults from.
pub(super) type Disk = Faults<Log>;

/// Whether a store that cannot be opened is damaged, which halts its node and nothing else.
pub(super) const fn is_damage(error: &StoreError) -> bool {
    matches!(error, StoreError::Damaged { .. })
}
