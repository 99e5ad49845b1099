//! The chunk store, over real connections within the process and real files: blobs and jobs from end to end.

use std::sync::Arc;
use std::time::Duration;

use seedbed_core::chunks::{Chunks, Command, Parameters, Refusal, Reply, blobs, digest};
use seedbed_core::contract::{NodeId, Protocol, Subject};
use seedbed_transport::Knobs;
use seedbed_transport::host::{Ended, Handle, Setup, start};
use seedbed_transport::link::Config;
use seedbed_transport::link::memory::Net;
use seedbed_transport::recording::{About, Recorder, replay};
use seedbed_transport::store::log::{Log, Options};

use crate::bed::{Scratch, soon};

const NODES: u32 = 5;

fn parameters() -> Parameters {
    use seedbed_core::contract::Duration;
    // The first heartbeats find no connection yet.
    let heartbeat = Duration::from_millis(20);
    // Longer than any machine is late, and shorter than the test waits.
    let request_timeout = Duration::from_secs(3);
    Parameters { heartbeat, request_timeout, wipe_on_restart: false, ..Parameters::default() }
}

fn begin(net: &Net, scratch: &Scratch, me: NodeId) -> Handle<Chunks> {
    let config = Arc::new(Chunks::config(&parameters(), NODES).unwrap());
    let dir = scratch.path().join(format!("store-{me}"));
    let opened = Log::open(&dir, Options { create: true, ..Options::default() }).unwrap();
    let link = Config {
        me,
        life: opened.life,
        cluster: "test".into(),
        protocol: "chunks".into(),
        version: Chunks::VERSION,
        knobs: Knobs { reconnect_min: Duration::from_millis(5), ..Knobs::default() },
        freight: None,
    };
    let peers = (0..NODES).map(NodeId).filter(|peer| *peer != me);
    let about = About { protocol: "chunks".into(), nodes: NODES, params: String::new() };
    let recorder = Recorder::create(&scratch.path().join("recordings"), me, opened.life, about).unwrap();
    start(Setup::new(me, config), net.join(link, peers, Arc::new(())), opened, recorder)
}

/// Asks until the gateway has heard of enough nodes.
async fn upload(gateway: &Handle<Chunks>, name: &str, seed: u64, length: u64) -> u32 {
    let mut late = 0;
    loop {
        let command = Command::Upload { name: name.into(), seed, length };
        match soon(gateway.command(command)).await.unwrap() {
            Reply::Uploaded { chunks } => return chunks,
            Reply::Refused(Refusal::NoNodes) => tokio::task::yield_now().await,
            // A disk that all tests sync at once may stand still for longer than a gateway waits.
            Reply::Refused(Refusal::TimedOut) if late < 5 => late += 1,
            other => panic!("{other:?}"),
        }
    }
}

async fn online(gateway: &Handle<Chunks>, nodes: usize) {
    while !matches!(soon(gateway.command(Command::Nodes)).await.unwrap(), Reply::Nodes(seen) if seen.len() == nodes)
    {
        tokio::task::yield_now().await;
    }
}

async fn download(gateway: &Handle<Chunks>, name: &str) -> Reply {
    soon(gateway.command(Command::Download { name: name.into() })).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_come_back_as_they_were_stored_even_after_a_restart() {
    let (net, scratch) = (Net::default(), Scratch::new("chunks"));
    let mut handles: Vec<_> = (0..NODES).map(|node| begin(&net, &scratch, NodeId(node))).collect();
    let files = [("small", 1, 10), ("odd", 2, 50_001), ("large", 3, 65_536)];
    online(&handles[0], 4).await;
    for (name, seed, length) in files {
        assert!(upload(&handles[0], name, seed, length).await >= 3);
    }
    // A storage node is killed; it knows its chunks again from its log.
    handles[1].kill();
    assert!(matches!(soon(handles[1].ended()).await, Ended::Killed));
    handles[1] = begin(&net, &scratch, NodeId(1));
    for (name, seed, length) in files {
        let stored = Reply::Downloaded { length, digest: digest(&blobs(seed, length, true)) };
        // Until the connection is there again, chunks on that node do not come.
        while download(&handles[0], name).await != stored {}
    }
    for handle in &handles {
        assert!(matches!(soon(handle.stop()).await, Ended::Stopped));
    }
    let performed: u64 = handles.iter().map(|handle| handle.counters().jobs).sum();
    assert!(performed >= 6, "{performed}");
    for node in (0..NODES).map(NodeId) {
        let configure = |about: &About| Chunks::config(&parameters(), about.nodes);
        for life in replay::<Chunks>(&scratch.path().join("recordings"), node, configure).unwrap() {
            assert!(life.is_identical() && !life.is_torn, "{node}: {life:?}");
        }
    }
}
