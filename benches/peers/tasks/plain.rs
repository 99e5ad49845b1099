//! `tasks_plain hub ADDRESS` and `tasks_plain worker ADDRESS`: what a hub does at least. It takes tasks of a client, gives them
//! to workers in turn, remembers who has which, and hands the answers back, all in memory and unasked whether they are right.
//!
//! A task is its number, eight bytes, and so is its answer. Whoever connects first says what it is, in one byte. There is one
//! client at a time: the latest.
//!
//! `tasks_plain nats ADDRESS` is a worker of NATS core instead, by its protocol of text.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};

const TASK: usize = 8;
const WORKER: u8 = b'w';
const ROOM: usize = 1 << 16;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    match (words.next().as_deref(), words.next()) {
        (Some("hub"), Some(address)) => LocalSet::new().run_until(hub(&address)).await,
        (Some("worker"), Some(address)) => worker(&address).await,
        (Some("nats"), Some(address)) => nats_worker(&address).await,
        _ => Err(io::Error::other("tasks_plain hub|worker|nats ADDRESS")),
    }
}

#[derive(Default)]
struct Hub {
    workers: Vec<UnboundedSender<Vec<u8>>>,
    /// Who is next.
    turn: usize,
    client: Option<UnboundedSender<Vec<u8>>>,
    /// Which worker has which task.
    open: HashMap<u64, usize>,
}

async fn hub(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let hub = Rc::new(RefCell::new(Hub::default()));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let hub = Rc::clone(&hub);
        spawn_local(async move { serve(stream, &hub).await });
    }
}

async fn serve(stream: TcpStream, hub: &RefCell<Hub>) -> io::Result<()> {
    let (mut read, write) = stream.into_split();
    let is_worker = read.read_u8().await? == WORKER;
    let (out, queue) = unbounded_channel();
    spawn_local(write_all(write, queue));
    if is_worker {
        hub.borrow_mut().workers.push(out);
    } else {
        hub.borrow_mut().client = Some(out);
    }
    let mut buffer = Vec::with_capacity(ROOM);
    while read.read_buf(&mut buffer).await? > 0 {
        let tasks = take_whole(&mut buffer);
        let mut hub = hub.borrow_mut();
        if is_worker { hub.hand_back(tasks) } else { hub.deal(&tasks) }
    }
    Ok(())
}

impl Hub {
    fn deal(&mut self, tasks: &[u8]) {
        let count = (tasks.len() / TASK).div_ceil(self.workers.len().max(1)).max(1);
        for part in tasks.chunks(count * TASK) {
            self.turn = (self.turn + 1) % self.workers.len().max(1);
            let Some(worker) = self.workers.get(self.turn) else { return };
            self.open.extend(numbers(part).map(|task| (task, self.turn)));
            // One that is gone keeps what it has: nothing here is made up for.
            drop(worker.send(part.to_vec()));
        }
    }

    fn hand_back(&mut self, answers: Vec<u8>) {
        for task in numbers(&answers) {
            self.open.remove(&task);
        }
        if let Some(client) = &self.client {
            drop(client.send(answers));
        }
    }
}

fn numbers(tasks: &[u8]) -> impl Iterator<Item = u64> + '_ {
    tasks.chunks_exact(TASK).map(|task| u64::from_le_bytes(task.try_into().unwrap_or_default()))
}

/// Leaves in the buffer what has come of a task that has not come as a whole.
fn take_whole(buffer: &mut Vec<u8>) -> Vec<u8> {
    let mut rest = Vec::with_capacity(ROOM);
    rest.extend_from_slice(&buffer[buffer.len() / TASK * TASK..]);
    let mut whole = std::mem::replace(buffer, rest);
    whole.truncate(whole.len() / TASK * TASK);
    whole
}

/// Writes what waits in one piece.
async fn write_all(mut write: OwnedWriteHalf, mut queue: UnboundedReceiver<Vec<u8>>) -> io::Result<()> {
    while let Some(mut bytes) = queue.recv().await {
        while let Ok(more) = queue.try_recv() {
            bytes.extend_from_slice(&more);
        }
        write.write_all(&bytes).await?;
    }
    Ok(())
}

async fn worker(address: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_u8(WORKER).await?;
    let mut buffer = Vec::with_capacity(ROOM);
    while stream.read_buf(&mut buffer).await? > 0 {
        let done = take_whole(&mut buffer);
        stream.write_all(&done).await?;
    }
    Ok(())
}

/// Of each message with an inbox, `MSG tasks 1 INBOX 0`, it makes one to that inbox.
async fn nats_worker(address: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(b"CONNECT {\"verbose\":false}\r\nSUB tasks workers 1\r\n").await?;
    let (mut buffer, mut answers) = (Vec::with_capacity(ROOM), Vec::with_capacity(ROOM));
    while stream.read_buf(&mut buffer).await? > 0 {
        let whole = buffer.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        answers.clear();
        for line in buffer[..whole].split(|byte| *byte == b'\n') {
            if line.starts_with(b"PING") {
                answers.extend_from_slice(b"PONG\r\n");
            } else if line.starts_with(b"MSG ")
                && let Some(inbox) = line.split(|byte| *byte == b' ').nth(3)
            {
                answers.extend_from_slice(&[b"PUB ", inbox, b" 0\r\n\r\n"].concat());
            }
        }
        buffer.drain(..whole);
        stream.write_all(&answers).await?;
    }
    Ok(())
}
