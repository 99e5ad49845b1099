//! A door with a node behind it that does what the test says, and a client that speaks HTTP by hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use seedbed_core::contract::{Life, NodeId};
use seedbed_transport::door::events::{EventLog, Happening, Kind};
use seedbed_transport::door::{
    BoxFuture, Cut, Door, Failure, Faults, Figure, LaneStatus, LinkStatus, Node, Settings, Status, Token,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const TOKEN: &str = "sesame-sesame-sesame";

/// A node that is nothing behind its door.
#[derive(Debug, Default)]
pub(crate) struct Puppet {
    pub(crate) log: EventLog,
    pub(crate) down: AtomicBool,
    pub(crate) takes_faults: bool,
}

impl Node for Puppet {
    fn status(&self) -> Status {
        Status {
            node: NodeId(3),
            protocol: "puppet".into(),
            role: "leader".into(),
            facts: [("leader".into(), "n3".into())].into(),
            links: vec![LinkStatus {
                peer: NodeId(1),
                up: true,
                lanes: [("control".into(), LaneStatus { up: true, connected: 5, trouble: None })].into(),
            }],
            events: self.log.last(3),
            ..Status::default()
        }
    }

    fn is_ready(&self) -> bool {
        !self.down.load(Ordering::Relaxed)
    }

    fn events(&self) -> &EventLog {
        &self.log
    }

    fn figures(&self) -> Vec<Figure> {
        vec![Figure::counter("seedbed_steps_total", "Steps.", 7).with("lane", "a\"b")]
    }

    /// Echoes what it understands.
    fn command(&self, command: Value) -> BoxFuture<'_, Result<Value, Failure>> {
        Box::pin(async move {
            match command.as_str() {
                Some("Sleep") => std::future::pending().await,
                Some("Die") => Err(Failure::Down),
                Some(word) => Ok(json!({ "Echo": word })),
                None => Err(Failure::Unreadable("expected a word".into())),
            }
        })
    }

    fn has_faults(&self) -> bool {
        self.takes_faults
    }

    fn faults(&self, faults: &Faults) -> Result<Vec<Cut>, Failure> {
        Ok(faults.cut.clone())
    }
}

/// A door, open on loopback.
pub(crate) struct Bed {
    pub(crate) door: Door,
    pub(crate) puppet: Arc<Puppet>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::with(Puppet::default(), |_| {}).await
    }

    pub(crate) async fn with(puppet: Puppet, change: impl FnOnce(&mut Settings)) -> Self {
        let token = Token::new(TOKEN).expect("long enough");
        let mut settings = Settings::new("127.0.0.1:0".parse().expect("an address")).with_token(token);
        change(&mut settings);
        let puppet = Arc::new(puppet);
        let door = Door::open(settings, Arc::clone(&puppet) as Arc<dyn Node>).await.expect("opens");
        Self { door, puppet }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(local(self.door.address())).await.expect("somebody listens")
    }

    /// Sends bytes and reads one answer.
    pub(crate) async fn send(&self, request: impl AsRef<[u8]>) -> Answer {
        send(local(self.door.address()), request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.post_with(path, &authorized(), body).await
    }

    pub(crate) async fn post_with(&self, path: &str, headers: &str, body: &str) -> Answer {
        self.send(posted(path, headers, body)).await
    }

    pub(crate) fn happens(&self, number: u64) -> u64 {
        self.puppet.log.append(happening(number))
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut fields = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        fields.next().map(|(_, value)| value.trim())
    }

    /// Of a refusal: its words.
    pub(crate) fn detail(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        problem["detail"].as_str().expect("words").to_owned()
    }
}

pub(crate) fn happening(number: u64) -> Happening {
    Happening {
        node: NodeId(3),
        life: Life(0),
        step: number,
        wall: "2026-11-21T12:00:00.000000000Z".into(),
        steady_ns: number,
        kind: Kind::Notice,
        what: json!({ "Number": number }),
    }
}

/// From this machine, also where it listens on all addresses.
fn local(address: SocketAddr) -> SocketAddr {
    ([127, 0, 0, 1], address.port()).into()
}

/// Sends bytes and reads one answer.
pub(crate) async fn send(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("somebody listens");
    stream.write_all(request.as_ref()).await.expect("is sent");
    answer(&mut stream).await
}

/// The header that shows the token.
pub(crate) fn authorized() -> String {
    format!("Authorization: Bearer {TOKEN}\r\n")
}

pub(crate) fn posted(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// No answer of the door takes that long.
const LIMIT: Duration = Duration::from_secs(60);

/// Reads one answer to its end.
pub(crate) async fn answer(stream: &mut TcpStream) -> Answer {
    let head = until(stream, "\r\n\r\n").await;
    answer_after(stream, head).await
}

/// Reads the rest of an answer that began so.
pub(crate) async fn answer_after(stream: &mut TcpStream, head: String) -> Answer {
    let status =
        head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{head:?}"));
    let mut answer = Answer { status, head, body: String::new() };
    if let Some(length) = answer.header("content-length").map(|length| length.parse().expect("a length")) {
        let mut body = vec![0; length];
        within(stream.read_exact(&mut body)).await.expect("all of it");
        answer.body = String::from_utf8(body).expect("text");
    } else {
        while let Some(chunk) = chunk(stream).await {
            answer.body += &chunk;
        }
    }
    answer
}

/// One chunk of an answer without a length; none at its end.
pub(crate) async fn chunk(stream: &mut TcpStream) -> Option<String> {
    let size = until(stream, "\r\n").await;
    let size = usize::from_str_radix(size.trim(), 16).unwrap_or_else(|_| panic!("{size:?} is no size"));
    let mut chunk = vec![0; size + 2];
    within(stream.read_exact(&mut chunk)).await.expect("all of it");
    chunk.truncate(size);
    (size > 0).then(|| String::from_utf8(chunk).expect("text"))
}

/// Reads up to and with these bytes.
pub(crate) async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        match within(stream.read_u8()).await {
            Ok(byte) => read.push(byte),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&read)),
        }
    }
    String::from_utf8(read).expect("text")
}

/// Whether the other end hangs up, and what it says before.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    // A reset is an end, too.
    let _ = within(stream.read_to_end(&mut read)).await;
    String::from_utf8_lossy(&read).into_owned()
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, what).await.expect("within a minute")
}
