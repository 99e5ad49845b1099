//! Conditions that are looked at while a run goes on: what must always hold, and what must come to hold once
//! everything is healed.

use seedbed_core::contract::{Duration, Probe, Subject, Time, View};

use super::execute::Broken;
use super::prepare::Plan;
use crate::scenario::Rule;

/// The conditions of one run, each until it is decided.
pub(crate) struct Conditions<'a> {
    /// The rule's index, the condition, and from when it must hold.
    always: Vec<(usize, &'a str, Time)>,
    /// The rule's index, the condition, and how long after healing it may take.
    eventually: Vec<(usize, &'a str, Duration)>,
    healed: Option<Time>,
    broken: Vec<Broken>,
}

impl<'a> Conditions<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let mut conditions =
            Self { always: Vec::new(), eventually: Vec::new(), healed: None, broken: Vec::new() };
        for (index, rule) in plan.rules.iter().enumerate() {
            match rule {
                Rule::Always(name, from) => conditions.always.push((index, name, Time::ZERO + *from)),
                Rule::Eventually(name, within) => {
                    conditions.eventually.push((index, name, within.unwrap_or(plan.heal)));
                }
                Rule::Promise(_) | Rule::Metric(_) => {}
            }
        }
        conditions
    }

    /// When something begins that must always hold, in order.
    pub(crate) fn beginnings(&self) -> Vec<Time> {
        let mut froms: Vec<Time> = self.always.iter().map(|(_, _, from)| *from).collect();
        froms.sort_unstable();
        froms
    }

    /// Everything is healed: from here on liveness is owed.
    pub(crate) fn heal(&mut self, at: Time) {
        self.healed = Some(at);
    }

    /// Looks at all that is undecided. What must always hold is looked at until it is first broken.
    pub(crate) fn look<P: Subject>(&mut self, probe: &P::Probe, view: &dyn View<P>) {
        let (now, broken) = (view.now(), &mut self.broken);
        self.always.retain(|(rule, name, from)| {
            let holds = now < *from || probe.holds(name, view);
            if !holds {
                let message = format!("{name} does not hold");
                broken.push(Broken { rule: *rule, at: Some(now), message });
            }
            holds
        });
        if let Some(healed) = self.healed {
            self.eventually
                .retain(|(_, name, within)| now.since(healed) > *within || !probe.holds(name, view));
        }
    }

    /// What was broken. In a run that ended before its time, what has yet to hold is not.
    pub(crate) fn finish(self, is_over: bool) -> Vec<Broken> {
        let mut broken = self.broken;
        if let Some(healed) = self.healed.filter(|_| is_over) {
            broken.extend(self.eventually.into_iter().map(|(rule, name, within)| {
                let message = format!("{name} did not come to hold within {within} of healing");
                Broken { rule, at: Some(healed + within), message }
            }));
        }
        broken
    }
}
