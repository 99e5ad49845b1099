use super::*;
use crate::sync::reconcile::cells::mix;
use crate::sync::reconcile::session::MESSAGE_MAX;

/// A conversation of honest sides, as bytes, with the state of the receiver before each message.
fn conversation(method: Method, sets: &[EntrySet; 2]) -> Vec<(Option<Session>, usize, Vec<u8>)> {
    let (mut opener, first) = Session::open(method, KEY, 3, &sets[0], Options::default());
    let mut heard = vec![(None, 1, first.clone())];
    let (mut other, step) = Session::accept(KEY, &sets[1], Options::default(), &first).expect("honest");
    let mut message = step.messages.into_iter().next();
    let mut side = 0;
    while let Some(bytes) = message {
        let session = if side == 0 { &mut opener } else { &mut other };
        heard.push((Some(session.clone()), side, bytes.clone()));
        message = session.receive(&sets[side], &bytes).expect("honest").messages.into_iter().next();
        side = 1 - side;
    }
    heard
}

fn deliver(session: &Option<Session>, set: &EntrySet, bytes: &[u8]) -> Result<Step, Refusal> {
    match session {
        None => Session::accept(KEY, set, Options::default(), bytes).map(|(_, step)| step),
        Some(session) => session.clone().receive(set, bytes),
    }
}

fn mutated(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let draw = |nth: u64| mix(seed ^ mix(nth)) as usize;
    match seed % 4 {
        0 => bytes.truncate(draw(0) % bytes.len().max(1)),
        1 => bytes.extend((0..1 + draw(1) % 40).map(|nth| draw(2 + nth as u64) as u8)),
        _ => {
            for nth in 0..1 + draw(3) as u64 % 4 {
                let at = draw(4 + nth) % bytes.len().min(if seed % 8 == 2 { 24 } else { usize::MAX });
                bytes[at] = draw(9 + nth) as u8;
            }
        }
    }
    bytes
}

#[test]
fn no_message_breaks_a_session() {
    let entries: Vec<_> = (0..700).map(|id| entry(id, id + 1, (id % 3) as u32)).collect();
    let mut sets = [set_of(Order::Time, &entries[..600]), set_of(Order::Time, &entries[40..])];
    let (mut refused, mut taken) = (0, 0);
    for &method in Method::ALL {
        for (session, side, bytes) in conversation(method, &sets) {
            for seed in 0..100 {
                match deliver(&session, &sets[side], &mutated(&bytes, seed)) {
                    Ok(step) => {
                        taken += 1;
                        assert!(step.messages.iter().all(|message| message.len() <= MESSAGE_MAX));
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        // From here on, with knowledge.
        if method == Method::Auto {
            (0..3).for_each(|node| {
                sets[0].learn(NodeId(node), 590);
                sets[1].learn(NodeId(node), 700);
            });
        }
    }
    assert!(refused > 1_000 && taken > 1_000, "{refused} refused, {taken} taken");
}

#[test]
fn claims_are_refused_before_anything_is_allocated() {
    let set = set_of(Order::Id, &[entry(1, 1, 0)]);
    let (session, first) = Session::open(Method::Riblt, KEY, 3, &set, Options::default());
    assert_eq!(deliver(&None, &set, &vec![0; MESSAGE_MAX + 1]), Err(Refusal::TooLong(MESSAGE_MAX + 1)));
    assert_eq!(deliver(&None, &set, &first[..9]), Err(Refusal::Short));
    assert_eq!(deliver(&None, &EntrySet::new(Order::Time), &first), Err(Refusal::Order(Order::Id)));
    assert_eq!(deliver(&Some(session), &set, &[0x20]), Err(Refusal::OutOfTurn));
    let other = EntrySet::new(Order::Id);
    let (session, _) = Session::accept(KEY, &other, Options::default(), &first).expect("honest");
    // A request for two to the thirty cells.
    let request = [0x20, 0x80, 0x80, 0x80, 0x80, 0x04];
    assert_eq!(
        deliver(&Some(session.clone()), &other, &request),
        Err(Refusal::TooMany { count: 1 << 30, max: 1 << 16 })
    );
    // A result that lists as many.
    let result = [0x20, 0x00, 0x80, 0x80, 0x80, 0x80, 0x04];
    assert!(matches!(deliver(&Some(session), &other, &result), Err(Refusal::TooMany { .. })));
}

#[test]
fn a_peer_that_sends_the_session_round_in_circles_is_dropped() {
    let sets = [set_of(Order::Id, &[entry(1, 1, 0)]), set_of(Order::Id, &[entry(2, 1, 0)])];
    let (mut session, _) = Session::open(Method::Range, KEY, 3, &sets[0], Options::default());
    // RESTART digest CHECK with a wrong root, again and again.
    let restart = |turn: u8| [&[turn << 4 | 5, Method::Digest as u8, 0, 0, 0][..]].concat();
    let mut turn = 1;
    let end = loop {
        match session.receive(&sets[0], &restart(turn)) {
            Ok(_) if turn < 12 => turn += 2,
            other => break other,
        }
    };
    assert_eq!(end, Err(Refusal::Restarts));
}
