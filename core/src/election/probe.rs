//! One probe for every election: how long there was no leader, what it cost, and which promises were broken.
//!
//! A node is *led well* by a leader whom it follows in the same term over links that are open both ways. The
//! *effective leader* is a live leader of a majority of all nodes, itself included. Time without one, after the
//! first, is unavailable; time with two nodes that both believe to lead is split-brain, whatever their terms.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::{Class, Command, Elector, Notice};
use crate::contract::{Check, Duration, Findings, Metric, NodeId, Observation, Probe, Time, View};

const fn check(name: &'static str, about: &'static str) -> Check {
    Check { name, about }
}

/// What is measured of every election, beside the counts of its messages by kind.
pub const METRICS: &[Metric] = &[
    Metric::samples(
        "unavailable_ms",
        "ms",
        "each stretch without a leader that reaches a majority, after the first one",
    ),
    Metric::number("unavailable_total_ms", "ms", "the sum of these stretches"),
    Metric::number("first_leader_ms", "ms", "until the first leader that reaches a majority"),
    Metric::samples("split_brain_ms", "ms", "each stretch with two or more nodes that believe to lead"),
    Metric::number("split_brain_total_ms", "ms", "the sum of these stretches"),
    Metric::number("elections", "", "campaigns begun"),
    Metric::number("leader_changes", "", "times that a node began to lead, the first aside"),
    Metric::number("messages", "", "election messages sent, answers included"),
    Metric::number("heartbeats", "", "heartbeats, pings and their answers sent"),
    Metric::series("leaders", "", "nodes that believe to lead"),
    Metric::word(
        "outcome",
        "after the first cut: stable (the leader stayed), live (settled on one in the first half), stuck (none that \
         reaches a majority in the second half) or unstable",
    ),
    Metric::number(
        "settled_ms",
        "ms",
        "from the first cut to the last change of the leader that reaches a majority",
    ),
];

/// What every election promises.
pub const PROMISES: &[Check] = &[check(
    "bounded-messages",
    "no node begins two campaigns, or two polls, within half of its shortest time-out unless told to, and the messages sent, \
     answers aside, are no more than the campaigns begun can account for",
)];

/// What an election with terms promises in addition.
pub const TERM_PROMISES: &[Check] = &[
    check("one-leader-per-term", "no term is led twice"),
    check("one-vote-per-term", "no node gives two candidates its vote in one term, crashes or not"),
    check(
        "terms-never-go-back",
        "no node speaks of an earlier term than it has spoken of before, crashes or not",
    ),
    check("no-two-leases", "no two nodes hold a valid lease at the same time"),
];

/// What may be asked to hold.
pub const CONDITIONS: &[Check] = &[
    check("one-leader", "exactly one node leads, and every live node that it can talk to follows it"),
    check("majority-led", "some leader reaches a majority"),
];

/// Watches an election.
#[derive(Clone, Debug)]
pub struct ElectionProbe<P> {
    /// By kind.
    sent: Vec<u64>,
    asks: u64,
    asks_max: u64,
    campaign_gap: Duration,
    campaigns: u64,
    polls: u64,
    leaderships: u64,
    leader_of: BTreeMap<u64, NodeId>,
    vote_of: BTreeMap<(NodeId, u64), NodeId>,
    nodes: Vec<Watched>,
    effective: Option<Leader>,
    first_leader: Option<Time>,
    unavailable: Stretches,
    split_brain: Stretches,
    leaders: u32,
    trial: Option<Trial>,
    protocol: PhantomData<fn() -> P>,
}

/// Who leads, in which term.
type Leader = (NodeId, u64);

#[derive(Clone, Copy, Debug)]
struct Watched {
    state: &'static str,
    since: Time,
    /// The latest term that it has spoken of.
    term: u64,
    /// Its last poll in this life, by its own clock, unless it has been told to campaign since.
    polled: Option<Time>,
    /// Its last campaign, likewise.
    campaigned: Option<Time>,
}

/// Who led effectively since the first cut.
#[derive(Clone, Debug)]
struct Trial {
    cut: Time,
    before: Option<Leader>,
    changes: Vec<(Time, Option<Leader>)>,
    is_over: bool,
}

/// The maximal stretches of time in which something holds.
#[derive(Clone, Copy, Debug, Default)]
struct Stretches {
    since: Option<Time>,
    total_ms: f64,
}

impl<P: Elector> Probe<P> for ElectionProbe<P> {
    fn new(config: &P::Config, nodes: u32) -> Self {
        let unseen = Watched { state: DOWN, since: Time::ZERO, term: 0, polled: None, campaigned: None };
        Self {
            sent: vec![0; P::KINDS.len()],
            asks: 0,
            asks_max: P::asks_max(config, nodes.into()),
            campaign_gap: P::campaign_gap(config),
            campaigns: 0,
            polls: 0,
            leaderships: 0,
            leader_of: BTreeMap::new(),
            vote_of: BTreeMap::new(),
            nodes: vec![unseen; nodes as usize],
            effective: None,
            first_leader: None,
            unavailable: Stretches::default(),
            split_brain: Stretches::default(),
            leaders: 0,
            trial: None,
            protocol: PhantomData,
        }
    }

    fn observe(&mut self, what: Observation<'_, P>, view: &dyn View<P>, findings: &mut Findings) {
        match what {
            Observation::Sent { from, to, message } if from != to => {
                self.count(from, to, message, view, findings);
            }
            Observation::Notice { node, notice } => {
                self.noticed(node, *notice, view, findings);
                self.look(node, view, findings);
            }
            Observation::Up { node, .. } => {
                self.told(node);
                self.look(node, view, findings);
            }
            Observation::Down { node } => self.look(node, view, findings),
            Observation::Command { node, command: Command::Campaign, .. } => self.told(node),
            Observation::Links => {
                let (cut, before) = (view.now(), self.effective);
                self.trial.get_or_insert(Trial { cut, before, changes: Vec::new(), is_over: false });
                self.find_leader(view, findings);
            }
            Observation::Healed => self.judge(view.now(), findings),
            Observation::End => self.finish(view, findings),
            Observation::Sent { .. } | Observation::Command { .. } | Observation::Reply { .. } => {}
        }
    }

    fn holds(&self, condition: &str, view: &dyn View<P>) -> bool {
        match condition {
            "one-leader" => has_one_leader(view),
            "majority-led" => self.effective.is_some(),
            _ => true,
        }
    }
}

const DOWN: &str = "down";

impl<P: Elector> ElectionProbe<P> {
    /// How many messages of a kind were sent, named as its metric is.
    #[must_use]
    pub fn sent(&self, metric: &str) -> u64 {
        let counts = P::KINDS.iter().zip(&self.sent);
        counts.filter(|(kind, _)| kind.metric.name == metric).map(|(_, count)| count).sum()
    }

    /// How many campaigns were begun.
    #[must_use]
    pub fn campaigns(&self) -> u64 {
        self.campaigns
    }

    /// How many messages of these classes were sent.
    #[must_use]
    pub fn sent_of(&self, classes: &[Class]) -> u64 {
        let counts = P::KINDS.iter().zip(&self.sent);
        counts.filter(|(kind, _)| classes.contains(&kind.class)).map(|(_, count)| count).sum()
    }

    /// The live leader of a majority, with its term.
    #[must_use]
    pub fn effective_leader(&self) -> Option<(NodeId, u64)> {
        self.effective
    }

    fn count(
        &mut self,
        from: NodeId,
        to: NodeId,
        message: &P::Message,
        view: &dyn View<P>,
        findings: &mut Findings,
    ) {
        let kind = P::kind(message);
        self.sent[kind] += 1;
        if let Some(term) = P::spoken_term(message)
            && let Some(watched) = self.nodes.get_mut(from.0 as usize)
        {
            if term < watched.term {
                let before = watched.term;
                let text = || format!("{from} speaks of term {term} after term {before}");
                findings.violation("terms-never-go-back", view.now(), text);
            }
            watched.term = watched.term.max(term);
        }
        if P::KINDS[kind].class == Class::Heartbeat {
            return;
        }
        if let Some((term, candidate)) = P::vote(from, to, message) {
            let first = *self.vote_of.entry((from, term)).or_insert(candidate);
            if first != candidate {
                let text = || format!("{from} votes for {first} and for {candidate} in term {term}");
                findings.violation("one-vote-per-term", view.now(), text);
            }
        }
        if P::KINDS[kind].class == Class::Ask {
            self.asks += 1;
            let allowed = self.asks_max.saturating_mul(self.campaigns + self.polls);
            if self.asks > allowed {
                let asks = self.asks;
                let text = || format!("{asks} messages, but the campaigns begun account for {allowed}");
                findings.violation("bounded-messages", view.now(), text);
            }
        }
    }

    fn noticed(&mut self, node: NodeId, notice: Notice, view: &dyn View<P>, findings: &mut Findings) {
        match notice {
            Notice::Polling { .. } => {
                self.polls += 1;
                self.check_gap(node, |watched| &mut watched.polled, view, findings);
            }
            Notice::Campaigning { .. } => {
                self.campaigns += 1;
                self.check_gap(node, |watched| &mut watched.campaigned, view, findings);
            }
            Notice::Leading { term } => {
                self.leaderships += 1;
                if term > 0
                    && let Some(first) = self.leader_of.insert(term, node)
                {
                    let text = || format!("{first} and then {node} lead term {term}");
                    findings.violation("one-leader-per-term", view.now(), text);
                }
            }
            Notice::Leased { .. } => check_leases(node, view, findings),
            Notice::Following { .. } | Notice::SteppedDown { .. } => {}
        }
    }

    /// A node has reason to campaign, however short ago it last did.
    fn told(&mut self, node: NodeId) {
        if let Some(watched) = self.nodes.get_mut(node.0 as usize) {
            (watched.polled, watched.campaigned) = (None, None);
        }
    }

    fn check_gap(
        &mut self,
        node: NodeId,
        last: impl Fn(&mut Watched) -> &mut Option<Time>,
        view: &dyn View<P>,
        findings: &mut Findings,
    ) {
        let (gap, now) = (self.campaign_gap, view.clock(node));
        let Some(watched) = self.nodes.get_mut(node.0 as usize) else { return };
        if let Some(last) = last(watched).replace(now)
            && now.since(last) + now.since(last) < gap
        {
            // Half, because the rate of its clock may have changed meanwhile.
            let text = || format!("{node} campaigns again after {}, and not {gap}", now.since(last));
            findings.violation("bounded-messages", view.now(), text);
        }
    }

    /// Brings timeline and leader up to date after something happened to a node.
    fn look(&mut self, node: NodeId, view: &dyn View<P>, findings: &mut Findings) {
        let state = view.state(node).map_or(DOWN, P::role);
        if let Some(watched) = self.nodes.get_mut(node.0 as usize)
            && watched.state != state
        {
            findings.span(node, watched.state, watched.since, view.now());
            (watched.state, watched.since) = (state, view.now());
        }
        self.find_leader(view, findings);
    }

    fn find_leader(&mut self, view: &dyn View<P>, findings: &mut Findings) {
        let now = view.now();
        let mut leaders = 0;
        let mut effective = None;
        for (node, leader) in live(view).filter(|(_, state)| state.leads()) {
            leaders += 1;
            let followers =
                live(view).filter(|&(other, state)| is_led_well(view, (node, leader), (other, state)));
            if followers.count() > view.nodes() as usize / 2 {
                effective = effective.max(Some((leader.term(), node)));
            }
        }
        if leaders != self.leaders {
            self.leaders = leaders;
            findings.series("leaders", now, f64::from(leaders));
        }
        self.split_brain.mark(leaders > 1, "split_brain_ms", now, findings);
        let effective = effective.map(|(term, node)| (node, term));
        if effective.is_some() {
            self.first_leader.get_or_insert(now);
        }
        let is_unavailable = self.first_leader.is_some() && effective.is_none();
        self.unavailable.mark(is_unavailable, "unavailable_ms", now, findings);
        if effective != self.effective {
            self.effective = effective;
            if let Some(trial) = self.trial.as_mut().filter(|trial| !trial.is_over) {
                trial.changes.push((now, effective));
            }
        }
    }

    /// Says how the first cut ended, once: when everything is healed or the run is over.
    fn judge(&mut self, now: Time, findings: &mut Findings) {
        if let Some(trial) = self.trial.as_mut().filter(|trial| !trial.is_over) {
            trial.is_over = true;
            findings.word("outcome", trial.outcome(now));
            let last = trial.changes.last().map_or(trial.cut, |&(at, _)| at);
            findings.number("settled_ms", last.since(trial.cut).as_millis_f64());
        }
    }

    fn finish(&mut self, view: &dyn View<P>, findings: &mut Findings) {
        let now = view.now();
        self.judge(now, findings);
        for (node, watched) in (0..).map(NodeId).zip(&self.nodes) {
            findings.span(node, watched.state, watched.since, now);
        }
        self.unavailable.mark(false, "unavailable_ms", now, findings);
        self.split_brain.mark(false, "split_brain_ms", now, findings);
        findings.number("unavailable_total_ms", self.unavailable.total_ms);
        findings.number("split_brain_total_ms", self.split_brain.total_ms);
        if let Some(first) = self.first_leader {
            findings.number("first_leader_ms", first.since(Time::ZERO).as_millis_f64());
        }
        findings.number("elections", self.campaigns as f64);
        findings.number("leader_changes", self.leaderships.saturating_sub(1) as f64);
        findings.number("messages", self.sent_of(&[Class::Ask, Class::Answer]) as f64);
        findings.number("heartbeats", self.sent_of(&[Class::Heartbeat]) as f64);
        for (kind, &count) in P::KINDS.iter().zip(&self.sent) {
            findings.number(kind.metric.name, count as f64);
        }
    }
}

impl Trial {
    fn outcome(&self, end: Time) -> &'static str {
        let half = Time(self.cut.0.midpoint(end.0));
        let early = self.changes.iter().take_while(|(at, _)| *at <= half);
        let settled = early.last().map_or(self.before, |&(_, leader)| leader);
        let is_settled = self.changes.last().is_none_or(|(at, _)| *at <= half);
        match (is_settled, settled) {
            (true, Some(_)) if self.changes.is_empty() => "stable",
            (true, Some(_)) => "live",
            (true, None) => "stuck",
            (false, _) => "unstable",
        }
    }
}

impl Stretches {
    fn mark(&mut self, holds: bool, metric: &'static str, now: Time, findings: &mut Findings) {
        match (holds, self.since) {
            (true, None) => self.since = Some(now),
            (false, Some(since)) => {
                self.since = None;
                let length = now.since(since).as_millis_f64();
                if length > 0.0 {
                    self.total_ms += length;
                    findings.sample(metric, length);
                }
            }
            _ => {}
        }
    }
}

fn live<P: Elector>(view: &dyn View<P>) -> impl Iterator<Item = (NodeId, &P)> {
    (0..view.nodes()).map(NodeId).filter_map(|node| view.state(node).map(|state| (node, state)))
}

fn is_led_well<P: Elector>(view: &dyn View<P>, leader: (NodeId, &P), other: (NodeId, &P)) -> bool {
    follows(leader, other) && is_linked(view, leader.0, other.0)
}

fn follows<P: Elector>((leader, leading): (NodeId, &P), (_, following): (NodeId, &P)) -> bool {
    following.leader() == Some(leader) && following.term() == leading.term()
}

fn is_linked<P: Elector>(view: &dyn View<P>, one: NodeId, other: NodeId) -> bool {
    one == other || view.linked(one, other) && view.linked(other, one)
}

fn has_one_leader<P: Elector>(view: &dyn View<P>) -> bool {
    let mut leaders = live(view).filter(|(_, state)| state.leads());
    let (Some(leader), None) = (leaders.next(), leaders.next()) else { return false };
    live(view).all(|other| !is_linked(view, leader.0, other.0) || follows(leader, other))
}

/// A lease has just become valid. Two overlap if and only if one is valid when the other begins.
fn check_leases<P: Elector>(node: NodeId, view: &dyn View<P>, findings: &mut Findings) {
    let holds = |(other, state): &(NodeId, &P)| *other != node && state.holds_lease(view.clock(*other));
    if let Some((other, _)) = live(view).find(holds) {
        findings
            .violation("no-two-leases", view.now(), || format!("{node} gets a lease while {other} has one"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(before: Option<Leader>, changes: &[(u64, Option<Leader>)]) -> &'static str {
        let changes = changes.iter().map(|&(at, leader)| (Time(at), leader)).collect();
        Trial { cut: Time(100), before, changes, is_over: false }.outcome(Time(200))
    }

    #[test]
    fn outcomes_are_judged_by_the_second_half() {
        let (a, b) = (Some((NodeId(0), 1)), Some((NodeId(1), 2)));
        assert_eq!(outcome(a, &[]), "stable");
        assert_eq!(outcome(None, &[]), "stuck");
        assert_eq!(outcome(a, &[(110, None)]), "stuck");
        assert_eq!(outcome(a, &[(110, None), (150, b)]), "live");
        assert_eq!(outcome(a, &[(110, None), (151, b)]), "unstable");
        assert_eq!(outcome(a, &[(110, b), (199, None)]), "unstable");
    }
}
