//! A worker that is not to be trusted: an unchanged one, with somebody between it and the world who changes what it hears
//! and what its computations come to.

use std::sync::Arc;

use serde::Serialize;

use super::messages::{Message, Outcome};
use super::parameters::Config;
use super::worker::Worker;
use super::{Cluster, Cx, HUB};
use crate::contract::{Duration, Input, InputOf, NodeId};
use crate::scheduler::trust::{Moment, Saboteur};

/// A worker that is not to be trusted.
#[derive(Clone, Debug, Serialize)]
pub struct Byzantine {
    worker: Worker,
    #[serde(skip)]
    conduct: Saboteur,
    /// How many jobs it has answered.
    answered: u64,
    is_distrusted: bool,
}

impl Byzantine {
    pub(super) fn new(config: &Arc<Config>, me: NodeId, conduct: &Saboteur) -> Self {
        Self {
            worker: Worker::unhurried(config, me),
            conduct: conduct.clone(),
            answered: 0,
            is_distrusted: false,
        }
    }

    /// The worker inside.
    #[must_use]
    pub const fn worker(&self) -> &Worker {
        &self.worker
    }

    pub(super) fn step(&mut self, mut input: InputOf<Cluster>, cx: &mut Cx<'_>) {
        let mut renames = false;
        match &mut input {
            Input::Message { from: HUB, message: Message::Refused { worker, is_barred }, .. }
                if *worker == self.worker.identity() =>
            {
                self.is_distrusted |= *is_barred;
                renames = self.is_distrusted && matches!(self.conduct, Saboteur::Whitewashing { .. });
            }
            // Who is slow or lazy is so from the beginning of a job, whatever it is about.
            Input::Message { from: HUB, message: Message::Assign { assignments }, .. }
                if matches!(self.conduct, Saboteur::Lazy { .. } | Saboteur::Slow { .. }) =>
            {
                for assignment in assignments {
                    let conduct = self.conduct.answer(b"", self.moment(), &mut cx.dice);
                    // No time at all is what lazy ones take, and only they.
                    let honest = assignment.work.max(Duration::from_nanos(1));
                    assignment.work = honest * u64::from(conduct.times);
                }
            }
            Input::Ran { job, outcome: Outcome::Answered(right) } => {
                let moment = self.moment();
                self.answered += 1;
                match self.conduct {
                    Saboteur::Lazy { .. } if job.work.is_zero() => *right = bytes::Bytes::new(),
                    Saboteur::Lazy { .. } | Saboteur::Slow { .. } => {}
                    _ => {
                        let conduct = self.conduct.answer(right, moment, &mut cx.dice);
                        *right = conduct.answer.unwrap_or_default().into();
                        renames = conduct.renames;
                    }
                }
            }
            _ => {}
        }
        self.worker.step(input, cx);
        if renames {
            self.is_distrusted = false;
            self.worker.rename(cx);
        }
    }

    const fn moment(&self) -> Moment {
        Moment { me: self.worker.identity(), nth: self.answered, is_distrusted: self.is_distrusted }
    }
}
