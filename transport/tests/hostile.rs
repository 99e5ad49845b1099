//! What comes from strangers and broken peers, over real sockets: connections end, counters rise, the node lives on.

use std::sync::Arc;
use std::time::Duration;

use seedbed_core::contract::frame::{self, HEADER_SIZE, Header, KIND_LINK_MIN, KIND_MESSAGE};
use seedbed_core::contract::{Lane, Life, NodeId};
use seedbed_transport::Knobs;
use seedbed_transport::identity::{Member, Roster, SecretKey};
use seedbed_transport::link::tcp::Tcp;
use seedbed_transport::link::tls::Tls;
use seedbed_transport::link::{Config, Count, Incoming, Link, Refused, StreamLink};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(30);
const HELLO: u8 = KIND_LINK_MIN;
const REFUSE: u8 = KIND_LINK_MIN + 1;
const CREDIT: u8 = KIND_LINK_MIN + 3;
/// The attacker has got so far that it passes for this node.
const ATTACKER: NodeId = NodeId(0);
const VICTIM: NodeId = NodeId(1);

fn config(me: NodeId) -> Config {
    let knobs = Knobs {
        control_frame_max: 8 << 10,
        outbox_max: 1 << 20,
        reconnect_min: Duration::from_millis(5),
        reconnect_max: Duration::from_millis(50),
        ..Knobs::default()
    };
    Config {
        me,
        life: Life(0),
        cluster: "test".into(),
        protocol: "talk".into(),
        version: 1,
        knobs,
        freight: None,
    }
}

/// Starts the victim; says where it listens.
async fn victim(config: Config) -> (StreamLink, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let link = StreamLink::start(config, Tcp::new(listener), Arc::new(()));
    link.peers().insert(ATTACKER, None);
    (link, address)
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::seal(Header { protocol: 0, life: Life(0), ordinal: 0 }, kind, body, &mut out).unwrap();
    out
}

fn hello(lane: Lane) -> Vec<u8> {
    let (link_version, credits, version) = (2_u16, 2_u32, 1_u16);
    let hello = ("test", "talk", version, ATTACKER, Life(0), lane, credits);
    let body = postcard::to_extend(&hello, link_version.to_le_bytes().to_vec()).unwrap();
    frame(HELLO, &body)
}

/// A raw connection that has said hello, and heard one.
async fn greeted(address: &str, lane: Lane) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&hello(lane)).await.unwrap();
    let mut answer = [0; HEADER_SIZE];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[10], HELLO);
    let mut rest = vec![0; u32::from_le_bytes(answer[..4].try_into().unwrap()) as usize + 4 - HEADER_SIZE];
    stream.read_exact(&mut rest).await.unwrap();
    stream
}

/// Waits until the other end closes; what it says before that is of no interest.
async fn closes(stream: &mut TcpStream) {
    let closed = async {
        let mut bytes = [0; 4 << 10];
        while !matches!(stream.read(&mut bytes).await, Ok(0) | Err(_)) {}
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("the connection stays open");
}

/// Waits until something has been counted.
async fn counted(link: &StreamLink, count: Count, least: u64) {
    let counters = link.counters();
    let enough = async {
        while counters.of(count) < least {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, enough).await.is_ok();
    assert!(in_time, "{} of {least} in {counters:?}", count.name());
}

/// After all that, an honest peer connects and is heard.
async fn still_works(victim: &mut StreamLink, address: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut honest = StreamLink::start(config(ATTACKER), Tcp::new(listener), Arc::new(()));
    honest.peers().insert(VICTIM, Some(address.into()));
    let heard = async {
        while !matches!(honest.receive().await, Some(Incoming::Up(_))) {}
        honest.send(VICTIM, Lane::Control, &mut |out| out.extend(frame(KIND_MESSAGE, b"honest"))).unwrap();
        honest.flush();
        loop {
            if let Some(Incoming::Frames(frames)) = victim.receive().await
                && frames.bytes.ends_with(b"honest")
            {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("an honest peer is not heard");
}

/// Resident memory of this process in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn impossible_lengths_end_the_connection_before_anything_is_allocated() {
    let (mut link, address) = victim(config(VICTIM)).await;
    let before = memory();
    let lengths = [u32::MAX, u32::MAX - 3, 0, 1, 18, (8 << 10) - 3, 16 << 20];
    for (round, length) in lengths.into_iter().enumerate() {
        let mut stream = greeted(&address, Lane::Control).await;
        stream.write_all(&length.to_le_bytes()).await.unwrap();
        closes(&mut stream).await;
        counted(&link, Count::BadLengths, round as u64 + 1).await;
    }
    assert!(memory() < before + (16 << 10), "{} KiB more", memory() - before);
    still_works(&mut link, &address).await;
}

#[tokio::test]
async fn a_truncated_frame_is_never_handed_over() {
    let (mut link, address) = victim(config(VICTIM)).await;
    let whole = frame(KIND_MESSAGE, b"truncated");
    for length in [1, 4, 11, HEADER_SIZE, whole.len() - 1] {
        let mut stream = greeted(&address, Lane::Control).await;
        stream.write_all(&whole[..length]).await.unwrap();
        stream.shutdown().await.unwrap();
        closes(&mut stream).await;
    }
    // Only the honest peer's frames come.
    still_works(&mut link, &address).await;
    counted(&link, Count::Disconnected, 5).await;
}

#[tokio::test]
async fn a_frame_that_comes_byte_by_byte_has_a_limit() {
    let mut brief = config(VICTIM);
    brief.knobs.frame = Duration::from_millis(150);
    let (mut link, address) = victim(brief).await;
    let mut stream = greeted(&address, Lane::Control).await;
    for byte in frame(KIND_MESSAGE, &[0; 1_000]) {
        if stream.write_all(&[byte]).await.is_err() || link.counters().of(Count::SlowFrames) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    counted(&link, Count::SlowFrames, 1).await;
    still_works(&mut link, &address).await;
}

#[tokio::test]
async fn a_silent_peer_is_dead() {
    let mut brief = config(VICTIM);
    brief.knobs.dead = Duration::from_millis(100);
    let (link, address) = victim(brief).await;
    let mut stream = greeted(&address, Lane::Control).await;
    closes(&mut stream).await;
    counted(&link, Count::Dead, 1).await;
}

#[tokio::test]
async fn no_hello_or_a_senseless_one_is_refused() {
    let mut brief = config(VICTIM);
    brief.knobs.hello = Duration::from_millis(100);
    let (mut link, address) = victim(brief).await;
    let mut silent = TcpStream::connect(&address).await.unwrap();
    closes(&mut silent).await;
    counted(&link, Count::HandshakesFailed, 1).await;

    let mut other_version = hello(Lane::Control);
    other_version[HEADER_SIZE] = 9;
    let senseless = [
        frame(KIND_MESSAGE, b"no hello"),
        frame(HELLO, b""),
        frame(HELLO, b"\x01\x00nonsense"),
        vec![0xff; 64],
        vec![0; 64],
        other_version,
    ];
    for (round, bytes) in senseless.iter().enumerate() {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        closes(&mut stream).await;
        counted(&link, Count::Refused, round as u64 + 1).await;
    }
    still_works(&mut link, &address).await;
}

#[tokio::test]
async fn senseless_frames_of_the_links_own_end_the_connection() {
    let (mut link, address) = victim(config(VICTIM)).await;
    let mut damaged = frame(CREDIT, &1_u32.to_le_bytes());
    damaged[HEADER_SIZE - 1] ^= 1;
    let cases = [
        (damaged, Count::Damaged, 1),
        (frame(CREDIT, b"too long for a number"), Count::Damaged, 2),
        (frame(REFUSE, b"\xff\xff"), Count::Damaged, 3),
        (frame(CREDIT, &1_u32.to_le_bytes()), Count::Overdrawn, 1),
        (frame(CREDIT, &u32::MAX.to_le_bytes()), Count::Overdrawn, 2),
        (frame(CREDIT, &[0; 2 << 10]), Count::BadLengths, 1),
    ];
    for (bytes, count, times) in cases {
        let mut stream = greeted(&address, Lane::Bulk).await;
        stream.write_all(&bytes).await.unwrap();
        closes(&mut stream).await;
        counted(&link, count, times).await;
    }
    still_works(&mut link, &address).await;
}

#[tokio::test]
async fn bulk_without_credit_ends_the_connection() {
    let (mut link, address) = victim(config(VICTIM)).await;
    let mut stream = greeted(&address, Lane::Bulk).await;
    // Two may come, and nobody lets go of them.
    for _ in 0..3 {
        stream.write_all(&frame(KIND_MESSAGE, &[0; 100 << 10])).await.unwrap();
    }
    closes(&mut stream).await;
    counted(&link, Count::Overdrawn, 1).await;
    still_works(&mut link, &address).await;
}

#[tokio::test]
async fn two_hundred_mutated_streams_do_no_harm() {
    let (mut link, address) = victim(config(VICTIM)).await;
    let before = memory();
    let mut chance = Chance(7);
    for round in 0..200 {
        let lane = if round % 2 == 0 { Lane::Control } else { Lane::Bulk };
        let mut bytes = hello(lane);
        let hello_length = bytes.len();
        for body in [&b"one"[..], &[9; 300], b"three"] {
            bytes.extend(frame(KIND_MESSAGE, body));
        }
        bytes.extend(frame(KIND_LINK_MIN + 2, b""));
        bytes.extend(frame(77, b"of a later version"));
        // Most hellos are left alone, or nothing would get further.
        let from = if round % 4 == 0 { 0 } else { hello_length };
        for _ in 0..1 + chance.below(4) {
            let at = from + chance.below(bytes.len() - from);
            bytes[at] = chance.below(256) as u8;
        }
        let mut stream = TcpStream::connect(&address).await.unwrap();
        // It may close before all is said.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        // The node takes whatever comes: it would keep the readers waiting otherwise.
        tokio::select! {
            () = closes(&mut stream) => {}
            () = async { while link.receive().await.is_some() {} } => panic!("the link closed"),
        }
    }
    let counters = link.counters();
    for count in [Count::Refused, Count::BadLengths, Count::UnknownKinds, Count::Connected] {
        assert!(counters.of(count) > 0, "{} in {counters:?}", count.name());
    }
    assert!(memory() < before + (32 << 10), "{} KiB more", memory() - before);
    still_works(&mut link, &address).await;
}

#[tokio::test]
async fn more_handshakes_than_the_limit_are_turned_away() {
    let mut few = config(VICTIM);
    few.knobs.handshakes_max = 4;
    few.knobs.hello = Duration::from_millis(300);
    let (mut link, address) = victim(few).await;
    let mut strangers = Vec::new();
    for _ in 0..12 {
        strangers.push(TcpStream::connect(&address).await.unwrap());
    }
    counted(&link, Count::TurnedAway, 8).await;
    for stranger in &mut strangers {
        closes(stranger).await;
    }
    counted(&link, Count::HandshakesFailed, 4).await;
    still_works(&mut link, &address).await;
}

#[tokio::test]
async fn half_open_tls_handshakes_end_in_time_and_number() {
    let mut few = config(VICTIM);
    few.knobs.handshakes_max = 4;
    few.knobs.handshake = Duration::from_millis(300);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let key = SecretKey::from_seed([1; 32]).unwrap();
    let roster = Roster::new([Member::new(VICTIM, "", true, key.public())]).unwrap();
    let tls = Tls::new(listener, key, roster).unwrap();
    let link = StreamLink::start(few, tls, Arc::new(()));
    let mut strangers = Vec::new();
    for round in 0..12_u8 {
        let mut stranger = TcpStream::connect(&address).await.unwrap();
        // The beginning of a hello of TLS, or nothing.
        let _ = stranger.write_all(&[22, 3, 1, 2, 0, 1][..usize::from(round % 2) * 6]).await;
        strangers.push(stranger);
    }
    counted(&link, Count::TurnedAway, 8).await;
    for stranger in &mut strangers {
        closes(stranger).await;
    }
    counted(&link, Count::HandshakesFailed, 4).await;
    // What is no TLS at all fails at once.
    let mut stranger = TcpStream::connect(&address).await.unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    closes(&mut stranger).await;
    counted(&link, Count::HandshakesFailed, 5).await;
}

#[tokio::test]
async fn a_peer_that_never_reads_costs_an_outbox_and_then_its_connection() {
    let mut brief = config(VICTIM);
    brief.knobs.frame = Duration::from_millis(300);
    let (mut link, address) = victim(brief).await;
    let before = memory();
    let (mut control, bulk) = (greeted(&address, Lane::Control).await, greeted(&address, Lane::Bulk).await);
    while !matches!(link.receive().await, Some(Incoming::Up(_))) {}
    let body = frame(KIND_MESSAGE, &[0; 4 << 10]);
    let mut refused = 0;
    while link.counters().of(Count::Stalled) == 0 {
        match link.send(ATTACKER, Lane::Control, &mut |out| out.extend_from_slice(&body)) {
            Ok(()) => link.flush(),
            Err(Refused::Full) => {
                refused += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(other) => assert_eq!(other, Refused::Unconnected),
        }
        tokio::task::yield_now().await;
    }
    assert!(refused > 0);
    assert!(link.counters().of(Count::DroppedFull) > 0);
    assert!(memory() < before + (48 << 10), "{} KiB more", memory() - before);
    closes(&mut control).await;
    drop(bulk);
    still_works(&mut link, &address).await;
}

/// The same numbers in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}
