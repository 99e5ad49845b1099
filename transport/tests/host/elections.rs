//! Nodes of one process elect their leader, as they do in the simulator.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use seedbed_core::contract::{Effect, EffectOf, Life, NodeId, Subject};
use seedbed_core::election::Notice;
use seedbed_core::election::raft::{Message, Parameters, Raft};
use seedbed_transport::host::{Ended, Handle, Moment, Setup, Watch, start};
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
struct Cluster {
    net: Net,
    shelves: Vec<Shelf>,
    config: Arc<Config>,
    handles: Vec<Handle<Raft>>,
    seen: UnboundedReceiver<Seen>,
    look: UnboundedSender<Seen>,
    leaders: BTreeMap<u64, NodeId>,
    votes: BTreeMap<(NodeId, u64), NodeId>,
}

impl Cluster {
    fn new(nodes: u32) -> Self {
        let (look, seen) = unbounded_channel();
        let config = Arc::new(Raft::config(&Parameters::default(), nodes).unwrap());
        let shelves = (0..nodes).map(|_| Shelf::default()).collect();
        let (leaders, votes, handles) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let mut cluster = Self { net: Net::default(), shelves, config, handles, seen, look, leaders, votes };
        cluster.handles = (0..nodes).map(|node| cluster.begin(NodeId(node))).collect();
        cluster
    }

    fn begin(&self, node: NodeId) -> Handle<Raft> {
        let setup = Setup::new(node, Arc::clone(&self.config));
        let opened = self.shelves[node.0 as usize].open();
        start(setup, self.net.join(node), opened, Look(self.look.clone()))
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
    async fn leader(&mut self) -> (NodeId, u64) {
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
        for life in 0..4 {
            let (leader, term) = cluster.leader().await;
            cluster.handles[leader.0 as usize].kill();
            let (died, _) = cluster.down().await;
            assert_eq!(died, leader, "life {life}");
            let ended = soon(cluster.handles[leader.0 as usize].ended()).await;
            assert!(matches!(ended, Ended::Killed), "{ended}");
            let (next, later) = cluster.leader().await;
            assert!(next != leader && later > term);
            cluster.handles[leader.0 as usize] = cluster.begin(leader);
            // It takes the lead from nobody: the next kill finds the same leader.
            cluster.handles[next.0 as usize].kill();
            soon(cluster.handles[next.0 as usize].ended()).await;
            cluster.handles[next.0 as usize] = cluster.begin(next);
        }
        for handle in &cluster.handles {
            assert!(matches!(soon(handle.stop()).await, Ended::Stopped));
        }
    }
}
