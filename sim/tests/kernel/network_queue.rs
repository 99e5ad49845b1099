//! Bandwidth: serialisation, queues and their overflow, lanes, order; and a queue of the textbook.

use seedbed_core::contract::frame::HEADER_SIZE;
use seedbed_core::contract::{Blob, BlobId, Duration, Input, NodeId};
use seedbed_sim::law::Law;
use seedbed_sim::network::{Link, Reorder};

use crate::puppet::{MS, Message, Seen, at, begin, constant, joined, run, share, uniform};
use crate::statistics::batch_means;

const ONE: NodeId = NodeId(1);

/// Takes `bytes` on the wire, its header included.
fn sized(number: u64, bytes: u64) -> Message {
    Message { claims: Some(bytes - HEADER_SIZE as u64), ..Message::new(number) }
}

fn bulky(number: u64, bytes: u64) -> Message {
    Message { is_bulk: true, ..sized(number, bytes) }
}

#[test]
fn serialisation_is_exact() {
    // 8 Mbit/s: a byte takes a microsecond.
    let link = Link { bandwidth: Some(8_000_000), ..Link::new(constant(10)) };
    let sizes = [1_000_u64, 23, 500, 60_000];
    let (_, log) = run(joined(2, 1, link), Vec::new(), at(1_000), move |puppet, input, cx| {
        if puppet.me == NodeId(0) && matches!(input, Input::Start { .. }) {
            sizes.iter().zip(0..).for_each(|(&bytes, number)| cx.send(ONE, sized(number, bytes)));
            let blob = Blob::synthetic(BlobId([1; 32]), 7_000);
            cx.send_blob(ONE, sized(4, 1_000), blob);
        }
    });
    let ends = [1_000, 1_023, 1_523, 61_523, 69_523_u64];
    let expected: Vec<_> =
        ends.iter().zip(0..).map(|(end, number)| (10 * MS + end * 1_000, number)).collect();
    assert_eq!(log.delivered(1), expected);
}

#[test]
fn a_full_queue_refuses_and_an_empty_one_takes_any_message() {
    let link = Link { bandwidth: Some(8_000_000), queue: 5_000, ..Link::new(constant(1)) };
    let (world, log) = run(joined(2, 1, link), Vec::new(), at(10_000), |puppet, input, cx| {
        if puppet.me != NodeId(0) {
            return;
        }
        match input {
            Input::Start { .. } => {
                (0..8).for_each(|number| cx.send(ONE, sized(number, 1_000)));
                cx.set(0, Duration::from_millis(4));
                cx.set(1, Duration::from_secs(1));
            }
            // After 4 ms 1,000 bytes are left.
            Input::Timer { timer: 0 } => (10..18).for_each(|number| cx.send(ONE, sized(number, 1_000))),
            Input::Timer { .. } => cx.send(ONE, sized(20, 1 << 20)),
            _ => {}
        }
    });
    let arrived: Vec<u64> = log.delivered(1).iter().map(|(_, number)| *number).collect();
    assert_eq!(arrived, [0, 1, 2, 3, 4, 10, 11, 12, 13, 20]);
    assert_eq!(world.traffic().overflowed, 7);
}

#[test]
fn control_goes_first_and_both_lanes_share_the_bandwidth() {
    // 1 byte per microsecond; 200 ms of bulk are queued, and every millisecond half of it goes to control.
    let link = Link { bandwidth: Some(8_000_000), ..Link::new(constant(0)) };
    let (_, log) = run(joined(2, 1, link), Vec::new(), at(1_000), |puppet, input, cx| {
        if puppet.me != NodeId(0) || !matches!(input, Input::Start { .. } | Input::Timer { .. }) {
            return;
        }
        let beat = puppet.numbers.len() as u64;
        puppet.numbers.push(0);
        if beat < 200 {
            cx.send(ONE, bulky(10_000 + beat, 1_000));
            cx.send(ONE, sized(beat, 500));
            cx.set(0, Duration::from_millis(1));
        }
    });
    for (at, number) in log.delivered(1).into_iter().filter(|(_, number)| *number < 10_000) {
        assert_eq!(at, number * MS + MS / 2, "a heartbeat waits for no chunk");
    }
    let last = log.delivered(1).last().copied().unwrap();
    // 200 * 1,500 bytes; what had been promised before a control message came is not moved: one chunk at most.
    assert!((299 * MS..=300 * MS).contains(&last.0), "{last:?}");
}

#[test]
fn bulk_waits_for_control_and_a_second_copy_for_the_first() {
    let link = Link { bandwidth: Some(8_000_000), duplicate: u64::MAX, ..Link::new(constant(3)) };
    let (_, log) = run(joined(2, 1, link), Vec::new(), at(100), |puppet, input, cx| {
        if puppet.me == NodeId(0) && matches!(input, Input::Start { .. }) {
            cx.send(ONE, sized(1, 1_000));
            cx.send(ONE, bulky(2, 1_000));
        }
    });
    assert_eq!(log.delivered(1), [(4 * MS, 1), (4 * MS, 1), (5 * MS, 2), (5 * MS, 2)]);
}

#[test]
fn ordered_links_never_let_one_overtake_another() {
    for is_ordered in [true, false] {
        let link = Link {
            is_ordered,
            duplicate: share(0.2),
            loss: share(0.1),
            reorder: Some(Reorder { share: share(0.1), by: constant(30) }),
            ..Link::new(uniform(1_000, 20_000))
        };
        let (_, log) = run(joined(2, 6, link), Vec::new(), at(5_000), |puppet, input, cx| {
            if puppet.me == NodeId(0) && matches!(input, Input::Start { .. } | Input::Timer { .. }) {
                cx.send(ONE, sized(puppet.numbers.len() as u64, 100));
                puppet.numbers.push(0);
                cx.set(0, Duration::from_millis(1));
            }
        });
        let numbers: Vec<u64> = log.delivered(1).iter().map(|(_, number)| *number).collect();
        assert!(numbers.len() > 4_000);
        assert_eq!(numbers.is_sorted(), is_ordered);
    }
}

/// Poisson arrivals at a link with exponential sizes are the queue M/M/1: with load r and mean service s the mean wait
/// before service is r / (1 - r) * s (Kleinrock, Queueing Systems I, section 3.2).
#[test]
fn a_link_is_the_queue_of_the_textbook() {
    const COUNT: usize = 100_000;
    const LOAD: f64 = 0.6;
    // A byte takes a nanosecond, a message a millisecond on average.
    let service = Law::exponential(Duration::from_millis(1)).unwrap();
    let gap = Law::exponential(Duration::from_nanos((1e6 / LOAD) as u64)).unwrap();
    let link = Link { bandwidth: Some(8_000_000_000), queue: 1 << 40, ..Link::new(constant(0)) };
    let (mut world, mut log) = begin(joined(2, 12, link), move |puppet, input, cx| {
        if puppet.me != NodeId(0) || !matches!(input, Input::Start { .. } | Input::Timer { .. }) {
            return;
        }
        // The number says the size, and when it was sent is seen.
        let bytes = service.draw(cx.dice.below(u64::MAX)).max(HEADER_SIZE as u64);
        cx.send(ONE, sized(bytes, bytes));
        let wait = gap.draw(cx.dice.below(u64::MAX));
        cx.set(0, Duration::from_nanos(wait));
    });
    while world.traffic().sent < COUNT as u64 + 5_000 {
        world.run_until(world.now() + Duration::from_secs(10), &mut log);
    }
    let sent = log.pick(|seen| match *seen {
        Seen::Sent { number, .. } => Some(number),
        _ => None,
    });
    let served = log.delivered(1);
    // First come, first served: the n-th to be sent is the n-th to arrive. The queue fills before it is measured.
    let waits: Vec<f64> = sent
        .iter()
        .zip(&served)
        .map(|(&(sent, bytes), &(arrived, same))| {
            assert_eq!(bytes, same);
            (arrived - sent - bytes) as f64 / 1e6
        })
        .skip(5_000)
        .take(COUNT)
        .collect();
    let expected = LOAD / (1.0 - LOAD);
    let (found, error) = batch_means(&waits);
    assert!((found - expected).abs() < error, "{found} +- {error}, expected {expected}");
    assert!(error < 0.1 * expected, "the interval says something: {error}");
    let free = waits.iter().filter(|&&wait| wait == 0.0).count() as f64 / COUNT as f64;
    assert!((free - (1.0 - LOAD)).abs() < 0.01, "a share of 1 - r finds the link free, not {free}");
}
