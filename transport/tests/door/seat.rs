//! Nodes of some protocol, behind doors with the protocol's own resources.

use std::sync::Arc;

use seedbed_core::contract::{NodeId, Subject};
use seedbed_transport::Knobs;
use seedbed_transport::door::events::{EventLog, Observer};
use seedbed_transport::door::{About, Door, Hosted, Lanes, Resources, Settings, Token};
use seedbed_transport::host::{self, Handle, Setup};
use seedbed_transport::link::Config;
use seedbed_transport::link::memory::Net;
use seedbed_transport::store::memory::Memory;

use crate::bed::TOKEN;

pub(crate) async fn alone<P: Subject>(
    config: P::Config,
    resources: Resources<P>,
    change: impl FnOnce(&mut Settings),
) -> (Door, Handle<P>) {
    let setup = Setup::new(NodeId(0), Arc::new(config));
    among(&Net::default(), setup, &[], resources, change).await
}

/// One of several on a net.
pub(crate) async fn among<P: Subject>(
    net: &Net,
    setup: Setup<P>,
    peers: &[NodeId],
    resources: Resources<P>,
    change: impl FnOnce(&mut Settings),
) -> (Door, Handle<P>) {
    let log = EventLog::new();
    let (observer, observed) = Observer::new(log.clone());
    let opened = Memory::new().open();
    let link = Config {
        me: setup.me,
        life: opened.life,
        cluster: "some".into(),
        protocol: "some".into(),
        version: 1,
        knobs: Knobs::default(),
        freight: None,
    };
    let link = net.join(link, peers.iter().copied(), Arc::new(Lanes::default()));
    let handle = host::start(setup, link, opened, observer);
    let hosted = Hosted {
        about: About::default(),
        handle: handle.clone(),
        observed,
        events: log,
        lanes: Lanes::default(),
        counters: None,
        cuts: None,
        keys: None,
        resources: Some(resources),
    };
    let mut settings = Settings::new("127.0.0.1:0".parse().unwrap()).with_token(Token::new(TOKEN).unwrap());
    change(&mut settings);
    (Door::open(settings, Arc::new(hosted)).await.unwrap(), handle)
}
