use bytes::Bytes;
use seedbed_core::contract::Wire;
use seedbed_core::contract::frame::{self, Header};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::*;

#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
struct Word(String);
impl Wire for Word {}

/// The receiving end of a link: what a test puts in comes out.
struct Pipe(mpsc::UnboundedReceiver<Incoming>);

impl Link for Pipe {
    fn send(&mut self, _: NodeId, _: Lane, write: &mut dyn FnMut(&mut Vec<u8>)) -> Result<(), Refused> {
        write(&mut Vec::new());
        Ok(())
    }
    fn flush(&mut self) {}
    async fn receive(&mut self) -> Option<Incoming> {
        self.0.recv().await
    }
    fn hang_up(&mut self, _: NodeId) {}
    async fn close(self) {}
}

const PEER: NodeId = NodeId(1);

fn framed(ordinal: u64, word: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = Header { protocol: 0, life: Life(3), ordinal };
    frame::encode(header, &Word(word.into()), &mut bytes).unwrap();
    bytes
}

fn frames(bytes: Vec<u8>) -> Incoming {
    Incoming::Frames(Frames::new(PEER, Lane::Control, Bytes::from(bytes)))
}

/// Everything that comes out, as words, after all of `incoming` went in and the link was closed.
async fn passed(sky: impl Sky, cuts: Cuts, incoming: Vec<Incoming>) -> Vec<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    incoming.into_iter().for_each(|incoming| sender.send(incoming).unwrap());
    drop(sender);
    let mut weather = Weather::new(Pipe(receiver), sky, cuts).unwrap();
    let mut words = Vec::new();
    while let Some(incoming) = weather.receive().await {
        match incoming {
            Incoming::Frames(frames) => {
                let mut rest = frames.bytes.as_ref();
                while !rest.is_empty() {
                    let (_, Word(word), taken) = frame::decode(rest).unwrap();
                    words.push(word);
                    rest = &rest[taken..];
                }
            }
            Incoming::Up(peer) => words.push(format!("{peer} up")),
            Incoming::Down(peer) => words.push(format!("{peer} down")),
        }
    }
    words
}

/// Decides by ordinal.
struct By(fn(u64) -> Option<Fate>);

impl Sky for By {
    fn fate(&mut self, passage: Passage) -> Option<Fate> {
        assert_eq!((passage.from, passage.life), (PEER, Life(3)));
        (self.0)(passage.ordinal)
    }
    fn hint(&mut self, _: NodeId, up: bool) -> Option<Duration> {
        up.then_some(Duration::ZERO)
    }
}

fn after(millis: u64) -> Option<Fate> {
    Some(Fate { delay: Duration::from_millis(millis), again: None })
}

#[tokio::test]
async fn fair_weather_changes_nothing() {
    let batch = [framed(1, "a"), framed(2, "b")].concat();
    let all = vec![Incoming::Up(PEER), frames(batch), frames(framed(3, "c")), Incoming::Down(PEER)];
    assert_eq!(passed(Calm, Cuts::default(), all).await, ["n1 up", "a", "b", "c", "n1 down"]);
}

#[tokio::test]
async fn messages_come_when_they_are_due_twice_or_never() {
    let sky = By(|ordinal| match ordinal {
        1 => after(60),
        2 => None,
        3 => Some(Fate { delay: Duration::ZERO, again: Some(Duration::from_millis(90)) }),
        _ => after(30),
    });
    let batch = [framed(1, "late"), framed(2, "lost"), framed(3, "twice"), framed(4, "soon")].concat();
    let all = vec![frames(batch), Incoming::Up(PEER), Incoming::Down(PEER)];
    assert_eq!(passed(sky, Cuts::default(), all).await, ["twice", "n1 up", "soon", "late", "twice"]);
}

#[tokio::test]
async fn a_cut_stops_what_is_sent_and_what_is_under_way() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let cuts = Cuts::default();
    let mut weather = Weather::new(Pipe(receiver), By(|_| after(20)), cuts.clone()).unwrap();
    let send = |ordinal, word| sender.send(frames(framed(ordinal, word))).unwrap();
    send(1, "under way");
    // Taken in, and not due yet.
    tokio::select! {
        biased;
        _ = weather.receive() => panic!("nothing is due yet"),
        () = std::future::ready(()) => {}
    }
    cuts.cut(PEER, Way::From);
    let mut written = 0;
    weather.send(PEER, Lane::Control, &mut |_| written += 1).unwrap();
    cuts.cut(PEER, Way::To);
    weather.send(PEER, Lane::Control, &mut |_| written += 1).unwrap();
    assert_eq!((written, cuts.list()), (1, vec![(PEER, Way::Both)]));
    send(2, "cut");
    tokio::select! {
        _ = weather.receive() => panic!("everything is cut"),
        () = tokio::time::sleep(Duration::from_millis(40)) => {}
    }
    cuts.heal(PEER, Way::From);
    send(3, "healed");
    let Some(Incoming::Frames(came)) = weather.receive().await else { panic!("it is healed") };
    assert_eq!(came.bytes, framed(3, "healed"));
    assert_eq!(cuts.list(), [(PEER, Way::To)]);
}

#[tokio::test]
async fn what_comes_while_peers_meet_is_received_afterwards() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let other = NodeId(2);
    let all = [Incoming::Up(PEER), frames(framed(1, "early")), Incoming::Down(PEER), Incoming::Up(other)];
    all.into_iter().chain([Incoming::Up(PEER), Incoming::Down(other)]).for_each(|incoming| {
        sender.send(incoming).unwrap();
    });
    let mut weather = Weather::new(Pipe(receiver), Calm, Cuts::default()).unwrap();
    weather.meet([PEER, other].into()).await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(match weather.receive().await {
            Some(Incoming::Up(peer)) => format!("{peer} up"),
            Some(Incoming::Down(peer)) => format!("{peer} down"),
            Some(Incoming::Frames(_)) => "frames".into(),
            None => panic!("it is open"),
        });
    }
    assert_eq!(seen, ["n1 up", "frames", "n1 down", "n2 up", "n1 up", "n2 down"]);
}

#[tokio::test]
async fn bytes_that_are_no_frames_are_left_to_the_node() {
    for bytes in [vec![1, 2, 3], vec![0; 40], vec![0xff; 64], framed(9, "x")[..20].to_vec()] {
        let (sender, receiver) = mpsc::unbounded_channel();
        sender.send(frames(bytes.clone())).unwrap();
        let mut weather = Weather::new(Pipe(receiver), By(|_| None), Cuts::default()).unwrap();
        let Some(Incoming::Frames(came)) = weather.receive().await else { panic!("they come") };
        assert_eq!(came.bytes, bytes);
    }
}
