//! `seedbed up` and `seedbed down` as a user meets them.

use rustix::process::Signal;

use crate::bed::{Bed, FIVE, within};

#[test]
fn what_is_up_is_not_started_twice_and_what_is_down_stays_so() {
    let bed = Bed::up("twice", &[]);
    let before = bed.leader(&[0, 1, 2, 3, 4], |_, _| true);
    let again = bed.seedbed(["up", "five.toml", "--dir", "five", "--detach"]);
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.err.contains("is running already: node 0 is process"), "{again:?}");
    assert!(again.err.contains("seedbed down --dir five"), "{again:?}");
    assert_eq!(bed.leader(&[0, 1, 2, 3, 4], |_, _| true), before);

    let down = bed.seedbed(["down", "--dir", "five"]);
    assert_eq!((down.code, down.out.contains("5 nodes stopped")), (Some(0), true), "{down:?}");
    assert_eq!(bed.home().running().unwrap(), []);
    let down = bed.seedbed(["down", "--dir", "five"]);
    assert_eq!((down.code, down.out.contains("nothing runs")), (Some(0), true), "{down:?}");

    let up = bed.seedbed(["up", "five.toml", "--dir", "five", "--detach"]);
    assert_eq!(up.code, Some(0), "{up:?}");
    let (_, term) = bed.leader(&[0, 1, 2, 3, 4], |_, _| true);
    assert!(term > before.1, "what was kept is lost: term {term} after {}", before.1);
    assert_eq!(bed.status(0).unwrap()["life"], 1);
}

#[test]
fn who_votes_changes_with_a_new_epoch_only() {
    let bed = Bed::up("epochs", &[]);
    bed.seedbed(["down", "--dir", "five"]);
    let up = |sets: &[&str]| {
        let start = ["up", "five.toml", "--dir", "five", "--detach"].into_iter();
        bed.seedbed(start.chain(sets.iter().flat_map(|set| ["--set", set])))
    };
    let refused = up(&["nodes=3"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("write `epoch = 2` to begin a new one"), "{refused:?}");
    let fewer = up(&["nodes=3", "epoch=2"]);
    assert_eq!(fewer.code, Some(0), "{fewer:?}");
    bed.leader(&[0, 1, 2], |_, _| true);
    bed.seedbed(["down", "--dir", "five"]);
    let old = up(&[]);
    assert_eq!(old.code, Some(2), "{old:?}");
    assert!(old.err.contains("epoch 1 is over") && old.err.contains("five.toml"), "{old:?}");
}

#[test]
fn a_cluster_in_the_foreground_is_shown_and_stops_with_ctrl_c() {
    let mut bed = Bed::new("foreground");
    bed.write("five.toml", FIVE);
    let up = bed.spawn(["up", "five.toml", "--dir", "five"], "shown");
    within("a leader to be shown", || bed.read("shown").contains("  leader, ").then_some(()));
    bed.kill(3);
    within("the dead node to be shown", || {
        bed.read("shown").contains("n3  killed by signal 9").then_some(())
    });
    assert!(bed.process(3).is_none(), "nobody asked for it to be started again");
    signal(&bed, up, Signal::INT);
    assert_eq!(bed.end(up), Some(0), "{}", bed.read("shown"));
    assert_eq!(bed.home().running().unwrap(), []);
}

#[test]
fn a_node_that_dies_is_started_again_if_asked() {
    let mut bed = Bed::new("restarts");
    bed.write("five.toml", FIVE);
    let up = bed.spawn(["up", "five.toml", "--dir", "five", "--restart", "--set", "nodes=3"], "shown");
    within("a leader to be shown", || bed.read("shown").contains("  leader, ").then_some(()));
    bed.kill(1);
    within("its next life", || bed.status(1).filter(|status| status["life"] == 1));
    signal(&bed, up, Signal::TERM);
    assert_eq!(bed.end(up), Some(0), "{}", bed.read("shown"));
}

#[test]
fn a_wrong_file_is_shown_where_it_is_wrong_and_nothing_is_made() {
    let bed = Bed::new("wrong");
    bed.write("five.toml", &FIVE.replace("heartbeat =", "heartbaet ="));
    let told = bed.seedbed(["up", "five.toml", "--dir", "five", "--detach"]);
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(told.err.contains("five.toml:7:1") && told.err.contains("did you mean `heartbeat`?"), "{told:?}");
    assert!(!bed.path("five").exists());
    let told = bed.seedbed(["down"]);
    assert_eq!((told.code, told.err.contains("which cluster?")), (Some(2), true), "{told:?}");
}

fn signal(bed: &Bed, child: usize, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(bed.child(child).pid() as i32).expect("a number");
    rustix::process::kill_process(pid, signal).expect("it runs");
}
