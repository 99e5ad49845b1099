//! Nodes of one process elect their leader, as they do in the simulator.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seedbed_core::contract::{Effect, EffectOf, Life, NodeId, Subject};
use seedbed_core::election::Notice;
use seedbed_core::election::raft::{Message, Parameters, Raft};
use seedbed_transport::host::{Ended, Handle, Moment, Setup, Watch, start};
use seedbed_transport::recording::{About, Recorder};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::bed::{Net, Shelf, soon};

type Config = <Raft as seedbed_core::contract::Protocol>::Config;

/// What one who looks on sees of an election.
#[derive(Debug, Eq, PartialEq)]
enum Seen {
    Leads(NodeId, u64),
    Votes { from: NodeId, term: u64, to: NodeId },
    Down(NodeId, Life),
}

struct Look(UnboundedSender<Seen>);

impl Watch<Raft> for Look {
    fn stepped(&mut self, moment: Moment, _: &Raft, effects: &VecDeque<EffectOf<Raft>>) {
        for effect in effects {
            let seen = match *effect {
                Effect::Notify { notice: Notice::Leading { term } } => Seen::Leads(moment.node, term),
                Effect::Send { to, message: Message::Vote { term, granted: true }, .. } => {
                    Seen::Votes { from: moment.node, term, to }
                }
                _ => continue,
            };
            let _ = self.0.send(seen);
        }
    }

    fn down(&mut self, node: NodeId, life: Life) {
        let _ = self.0.send(Seen::Down(node, life));
    }
}

/// A cluster, and what has been seen of it: no term has two leaders, nobody votes twice in one.
pub(crate) struct Cluster {
    net: Net,
    recordings: Option<(PathBuf, About)>,
    shelves: Vec<Shelf>,
    config: Arc<Config>,
    handles: Vec<Handle<Raft>>,
    seen: UnboundedReceiver<Seen>,
    look: UnboundedSender<Seen>,
    leaders: BTreeMap<u64, NodeId>,
    votes: BTreeMap<(NodeId, u64), NodeId>,
}

impl Cluster {
    pub(crate) fn new(nodes: u32) -> Self {
        Self::begun(nodes, None)
    }

    /// All lives are recorded in this folder.
    pub(crate) fn recorded(nodes: u32, dir: &Path, about: About) -> Self {
        Self::begun(nodes, Some((dir.into(), about)))
    }

    fn begun(nodes: u32, recordings: Option<(PathBuf, About)>) -> Self {
        let (look, seen) = unbounded_channel();
        let config = Arc::new(Raft::config(&Parameters::default(), nodes).unwrap());
        let shelves = (0..nodes).map(|_| Shelf::default()).collect();
        let (leaders, votes, handles) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let net = Net::default();
        let mut cluster = Self { net, recordings, shelves, config, handles, seen, look, leaders, votes };
        cluster.handles = (0..nodes).map(|node| cluster.begin(NodeId(node))).collect();
        cluster
    }

    fn begin(&self, node: NodeId) -> Handle<Raft> {
        let setup = Setup::new(node, Arc::clone(&self.config));
        let opened = self.shelves[node.0 as usize].open();
        let (link, look) = (self.net.join(node), Look(self.look.clone()));
        match &self.recordings {
            None => start(setup, link, opened, look),
            Some((dir, about)) => {
                let recorder = Recorder::create(dir, node, opened.life, about.clone()).unwrap();
                start(setup, link, opened, (look, recorder))
            }
        }
    }

    /// Kills a node, and lets it begin again at once.
    pub(crate) async fn restart(&mut self, node: NodeId) {
        let handle = &self.handles[node.0 as usize];
        handle.kill();
        let ended = soon(handle.ended()).await;
        assert!(matches!(ended, Ended::Killed), "{ended}");
        self.handles[node.0 as usize] = self.begin(node);
    }

    pub(crate) async fn stop(&self) {
        for handle in &self.handles {
            assert!(matches!(soon(handle.stop()).await, Ended::Stopped));
        }
    }

    async fn look(&mut self) -> Seen {
        let seen = soon(self.seen.recv()).await.unwrap();
        match seen {
            Seen::Leads(node, term) => {
                let leader = *self.leaders.entry(term).or_insert(node);
                assert_eq!(leader, node, "two leaders in term {term}");
            }
            Seen::Votes { from, term, to } => {
                let voted = *self.votes.entry((from, term)).or_insert(to);
                assert_eq!(voted, to, "{from} votes twice in term {term}");
            }
            Seen::Down(..) => {}
        }
        seen
    }

    /// The next one to lead.
    pub(crate) async fn leader(&mut self) -> (NodeId, u64) {
        loop {
            if let Seen::Leads(node, term) = self.look().await {
                return (node, term);
            }
        }
    }

    async fn down(&mut self) -> (NodeId, Life) {
        loop {
            if let Seen::Down(node, life) = self.look().await {
                return (node, life);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_and_five_nodes_elect_a_leader_and_another_one_when_it_is_killed() {
    for nodes in [3, 5] {
        let mut cluster = Cluster::new(nodes);
        for _ in 0..4 {
            let (leader, term) = cluster.leader().await;
            cluster.handles[leader.0 as usize].kill();
            while cluster.down().await.0 != leader {}
            let (next, later) = cluster.leader().await;
            assert!(next != leader && later > term);
            // It takes the lead from nobody.
            cluster.restart(leader).await;
            cluster.restart(next).await;
        }
        cluster.stop().await;
    }
}
