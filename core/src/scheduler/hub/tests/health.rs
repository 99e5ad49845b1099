//! Workers that fall silent.

use super::*;

/// Beats `times` times at the given distance; returns after how long a silence it counts as gone.
fn missed_after(parameters: &Parameters, gap: Duration, times: u32) -> Duration {
    let mut shell = Shell::new(parameters, Validation::None);
    shell.join(1, 1);
    for _ in 0..times {
        shell.pass(gap);
        assert_eq!(shell.apply(Event::Heartbeat { worker: Identity(1), running: Vec::new() }), []);
    }
    let last = shell.at;
    while shell.hub.state().workers.len() > 0 {
        let at = shell.hub.wake_at().expect("it listens");
        shell.at = at;
        shell.apply(Event::Tick);
    }
    shell.at.since(last)
}

#[test]
fn a_steady_worker_is_missed_by_its_own_rhythm() {
    let parameters = Parameters { health: Health::PhiAccrual, ..Parameters::default() };
    // A second, and 5.612001 times the least deviation of 100 ms.
    assert_eq!(missed_after(&parameters, SECOND, 40), Duration::from_nanos(1_561_200_100));
    // Too little is known of it.
    assert_eq!(missed_after(&parameters, SECOND, 2), SECOND * 120);
    // Never later than by the fixed time.
    assert_eq!(missed_after(&parameters, SECOND * 119, 4), Duration::from_nanos(119_561_200_100));
    let slow = Parameters { silence: SECOND * 60, pause: SECOND * 50, ..parameters };
    assert_eq!(missed_after(&slow, SECOND * 20, 9), SECOND * 60);
}

#[test]
fn a_worker_that_beats_unevenly_is_given_more_time() {
    let parameters = Parameters { health: Health::PhiAccrual, ..Parameters::default() };
    let mut shell = Shell::new(&parameters, Validation::None);
    shell.join(1, 1);
    for gap in [1_000, 2_000, 3_000].repeat(6) {
        shell.pass(Duration::from_millis(gap));
        assert_eq!(shell.apply(Event::Heartbeat { worker: Identity(1), running: Vec::new() }), []);
    }
    // Mean 2 s, deviation sqrt(2/3) s: gone after 6.58 s.
    shell.pass(Duration::from_millis(6_500));
    assert_eq!(shell.hub.state().workers.len(), 1);
    shell.pass(Duration::from_millis(100));
    assert_eq!(shell.hub.state().workers.len(), 0);
}

/// The published settings of two systems: beats each 30 s; silence and time between looks as below.
#[test]
fn silence_is_found_when_it_is_looked_for() {
    for (silence, check, expected) in [(120, 60, 120), (60, 30, 60), (50, 0, 50), (50, 40, 60)] {
        let (silence, check) = (SECOND * silence, SECOND * check);
        let parameters = Parameters { silence, check, ..Parameters::default() };
        // The last beat is at 60 s.
        assert_eq!(missed_after(&parameters, SECOND * 30, 2), SECOND * expected);
    }
}
