//! Lives a recorded life again.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use seedbed_core::contract::{
    Context, Dice, EffectOf, InputOf, Keys, Life as LifeNumber, NodeId, Protocol, Time,
};

use super::entry::{About, Entry, digest};
use super::reader::{Next, Reader, RecordingError, lives};

/// What a recorded life came to, lived again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Replayed {
    /// Which life.
    pub life: LifeNumber,
    /// Steps recorded with their effects, those included that can be read behind a damaged place.
    pub steps: u64,
    /// How many of them did the same again, up to the first difference.
    pub same: u64,
    /// What is to be said of it.
    pub verdict: Verdict,
    /// After the steps that are the same comes an entry that cannot be read: the last one of a writer that was killed, or a
    /// damaged one.
    pub is_torn: bool,
    /// The version of the program that recorded it.
    pub program: String,
}

/// Whether a life did the same again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Every effect is the same.
    Identical,
    /// A step did something else.
    Differs(Difference),
    /// A step panicked; with an input whose effects were never recorded, that is what happened then, too.
    Panicked {
        /// Which step.
        step: u64,
        /// Its input.
        input: String,
        /// What it said.
        message: String,
        /// Whether it had effects when it was recorded.
        is_new: bool,
    },
}

/// The first step that did something else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// Which step.
    pub step: u64,
    /// Its input.
    pub input: String,
    /// The fingerprint of its effects as recorded.
    pub recorded: u64,
    /// The fingerprint of its effects now.
    pub replayed: u64,
    /// Its effects now.
    pub effects: String,
}

impl Replayed {
    /// Whether everything that is recorded happened again.
    #[must_use]
    pub fn is_identical(&self) -> bool {
        !self.is_damaged()
            && matches!(self.verdict, Verdict::Identical | Verdict::Panicked { is_new: false, .. })
    }

    /// Whether more is recorded behind an entry that cannot be read: no writer that was killed leaves that.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.is_torn && self.same < self.steps
    }
}

/// Lives all recorded lives of a node again, each to its end or to the first difference. `configure` makes the
/// configuration from what a recording is about.
///
/// # Errors
/// If there is no recording of the node, or one cannot be used.
pub fn replay<P: Protocol>(
    dir: &Path,
    node: NodeId,
    configure: impl Fn(&About) -> Result<P::Config, String>,
) -> Result<Vec<Replayed>, RecordingError> {
    let lives = lives(dir, node)?;
    let open = |life| {
        let reader = Reader::open(dir, node, life)?;
        if reader.life.version != P::VERSION {
            let (then, now) = (reader.life.version, P::VERSION);
            return Err(
                reader.unusable(format!("was recorded with version {then} of the protocol; this is {now}"))
            );
        }
        let config = configure(&reader.life.about).map_err(|what| reader.unusable(what))?;
        Rerun::<P>::new(reader, &Arc::new(config)).run()
    };
    lives.into_iter().map(open).collect()
}

/// A life that is lived again.
struct Rerun<P: Protocol> {
    reader: Reader,
    keys: Keys,
    state: P,
    effects: VecDeque<EffectOf<P>>,
    steps: u64,
}

impl<P: Protocol> Rerun<P> {
    fn new(reader: Reader, config: &Arc<P::Config>) -> Self {
        let (keys, state) = (Keys::new(reader.life.key), P::boot(config, reader.life.node));
        Self { reader, keys, state, effects: VecDeque::new(), steps: 0 }
    }

    fn run(mut self) -> Result<Replayed, RecordingError> {
        let mut same = 0;
        let (mut verdict, mut is_torn) = (Verdict::Identical, false);
        loop {
            match self.reader.next::<InputOf<P>>() {
                Next::End => break,
                Next::Torn => {
                    is_torn = true;
                    break;
                }
                Next::Entry(Entry::Durable { .. } | Entry::Down) => {}
                Next::Entry(Entry::Step { seq, now, wall, input }) if seq == self.steps => {
                    let recorded = self.recorded(seq, &mut is_torn)?;
                    if let Some(found) = self.step(seq, (now, wall), input, recorded) {
                        verdict = found;
                        break;
                    }
                    same += u64::from(recorded.is_some());
                    if is_torn {
                        break;
                    }
                }
                Next::Entry(_) => {
                    let at = self.steps;
                    return Err(self.reader.unusable(format!("its steps are out of order after {at}")));
                }
            }
        }
        let (life, program) = (self.reader.life.life, self.reader.life.program.clone());
        // Those after a difference count, too: "identical 17/20".
        let mut steps = same + u64::from(matches!(verdict, Verdict::Differs(_)));
        if is_torn {
            self.reader.resume::<InputOf<P>>();
        }
        while let Next::Entry(entry) = self.reader.next::<InputOf<P>>() {
            steps += u64::from(matches!(entry, Entry::Effects { .. }));
        }
        Ok(Replayed { life, steps, same, verdict, is_torn, program })
    }

    /// The fingerprint that was recorded of this step; none if the recording ends before it.
    fn recorded(&mut self, seq: u64, is_torn: &mut bool) -> Result<Option<u64>, RecordingError> {
        match self.reader.next::<InputOf<P>>() {
            Next::Entry(Entry::Effects { seq: of, digest }) if of == seq => Ok(Some(digest)),
            Next::End | Next::Entry(Entry::Down) => Ok(None),
            Next::Torn => {
                *is_torn = true;
                Ok(None)
            }
            Next::Entry(_) => Err(self.reader.unusable(format!("step {seq} has no effects"))),
        }
    }

    /// Takes one step again; tells what is wrong with it, if anything is.
    fn step(
        &mut self,
        seq: u64,
        (now, wall): (Time, Time),
        input: InputOf<P>,
        recorded: Option<u64>,
    ) -> Option<Verdict> {
        self.steps += 1;
        self.effects.clear();
        let (node, life) = (self.reader.life.node, self.reader.life.life);
        let shown = input.clone();
        let dice = Dice::new(&self.keys, node, life, seq);
        let mut cx = Context::new(now, wall, node, dice, &mut self.effects);
        let stepped = catch_unwind(AssertUnwindSafe(|| self.state.step(input, &mut cx)));
        if let Err(panic) = stepped {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let message = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            let is_new = recorded.is_some();
            return Some(Verdict::Panicked { step: seq, input: format!("{shown:?}"), message, is_new });
        }
        let recorded = recorded?;
        let replayed = digest::<P>(&self.effects);
        (replayed != recorded).then(|| {
            Verdict::Differs(Difference {
                step: seq,
                input: format!("{shown:?}"),
                recorded,
                replayed,
                effects: format!("{:?}", self.effects),
            })
        })
    }
}
