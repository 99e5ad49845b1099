//! `[[fault]]`: what goes wrong, when, for how long, and to whom.

use seedbed_core::contract::{Duration, Time};
use seedbed_core::settings::{Node, Probability, Problem, Problems, Setting, Shape, Spanned, Value};
use seedbed_core::{choice, settings, variants};
use seedbed_sim::Loss;
use seedbed_sim::fault::{Generator, Kind, Selector, When};
use seedbed_sim::law::{Files, Spec};
use seedbed_sim::network::Disturbance;

use super::law;

settings! {
    /// A fault, once or again and again.
    pub struct Fault {
        /// What sweeps and `--set` call it: `fault.NAME.every`.
        pub name: Option<Spanned<String>> = None, in 1..=100;
        /// What goes wrong.
        pub what: What, flat;
        /// At these times.
        pub at: Option<Spanned<Times>> = None;
        /// The time between two firings: constant, or any law; exponential makes a Poisson process.
        pub every: Option<Spanned<Spec>> = None;
        /// The first time, with `every`; one gap after the beginning, if nothing is said.
        pub first: Option<Duration> = None;
        /// No more from then on, with `every`.
        pub until: Option<Duration> = None;
        /// At most so often, with `every`.
        pub count: u64 = u64::MAX >> 1, in 1..=u64::MAX >> 1;
        /// Each node of the target has a process of its own: independent churn.
        pub each: bool = false;
        /// How long each lasts; for ever, if nothing is said.
        pub lasts: Option<Spanned<Spec>> = None;
    }
    verify = Fault::consistent;
}

variants! {
    /// What goes wrong.
    pub enum What by "kind" {
        /// Nodes stop and lose their memory; they start again when it is over.
        Crash {
            /// Whom it strikes.
            target: Spanned<Selector>;
            /// What becomes of the disk.
            disk: DiskLoss = DiskLoss::Unsynced;
        }
        /// Nodes stand still; what comes to them waits.
        Pause {
            /// Whom it strikes.
            target: Spanned<Selector>;
        }
        /// Nothing passes between the sides.
        Partition {
            /// The sides; who is in none is on one more side.
            sides: Vec<Spanned<Selector>>, in 1..=64;
        }
        /// Nothing passes from some nodes to others.
        Cut {
            /// From these,
            from: Spanned<Selector>;
            /// to these,
            to: Spanned<Selector>;
            /// and back.
            both: bool = true;
        }
        /// More is lost from some nodes to others.
        Lossy {
            /// From these,
            from: Spanned<Selector> = Selector::All.into();
            /// to these,
            to: Spanned<Selector> = Selector::All.into();
            /// and back.
            both: bool = true;
            /// The probability, on top of the link's own.
            loss: Probability;
        }
        /// Everything takes longer from some nodes to others.
        Slow {
            /// From these,
            from: Spanned<Selector> = Selector::All.into();
            /// to these,
            to: Spanned<Selector> = Selector::All.into();
            /// and back.
            both: bool = true;
            /// By so much.
            by: Duration;
        }
        /// Disks do nothing while it lasts.
        DiskStall {
            /// Whom it strikes.
            target: Spanned<Selector>;
        }
        /// Disks have no more room.
        DiskFull {
            /// Whom it strikes.
            target: Spanned<Selector>;
        }
        /// The next sync fails, which ends the node's life.
        DiskError {
            /// Whom it strikes.
            target: Spanned<Selector>;
        }
        /// A record in the middle of the log and a blob are damaged.
        DiskRot {
            /// Whom it strikes.
            target: Spanned<Selector>;
        }
        /// Wall clocks jump.
        ClockJump {
            /// Whom it strikes.
            target: Spanned<Selector>;
            /// By so much.
            by: Duration;
            /// Into the past.
            back: bool = false;
        }
        /// Clocks run at another rate.
        ClockDrift {
            /// Whom it strikes.
            target: Spanned<Selector>;
            /// Faster than true by so many parts per million; slower if negative.
            ppm: i64, in -100_000..=100_000;
        }
    }
}

choice! {
    /// What a crash does to the disk.
    pub enum DiskLoss {
        /// What was not synced is lost: the power went.
        Unsynced,
        /// A drawn part of what was not synced survives, the record after it is torn.
        Torn,
        /// Nothing is lost: the process was killed, the machine lives.
        Nothing,
        /// Everything is lost: the disk is replaced.
        Everything,
    }
}

/// One time or several.
#[derive(Clone, Debug, PartialEq)]
pub struct Times(Vec<Duration>);

impl Setting for Times {
    fn shape() -> Shape {
        Shape::Either(vec![Duration::shape(), Vec::<Duration>::shape()])
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node.value {
            Value::List(_) => Vec::read(node, problems).map(Self),
            _ => Duration::read(node, problems).map(|time| Self(vec![time])),
        }
    }
    fn write(&self) -> Option<Value> {
        self.0.write()
    }
}

impl Fault {
    fn consistent(&self) -> Result<(), (&'static str, String)> {
        let needs_period = self.first.is_some() || self.until.is_some();
        match (&self.at, &self.every, &self.what) {
            (None, None, _) => Err(("kind", "says no time: write `at` or `every`".into())),
            (Some(_), Some(_), _) => Err(("every", "does not go with `at`".into())),
            (Some(at), ..) if at.0.is_empty() => Err(("at", "is empty: the fault would never strike".into())),
            (Some(_), ..) if needs_period => Err(("at", "does not go with `first` and `until`".into())),
            _ if self.each && self.target().is_none() => {
                Err(("each", "goes with kinds that have a `target`".into()))
            }
            (.., What::DiskStall { .. }) if self.lasts.is_none() => {
                Err(("kind", "needs `lasts`: a disk that stalls for ever is a crash".into()))
            }
            (.., What::DiskError { .. } | What::DiskRot { .. } | What::ClockJump { .. })
                if self.lasts.is_some() =>
            {
                Err(("lasts", format!("does not go with `{}`, which is over at once", self.what.name())))
            }
            _ => Ok(()),
        }
    }

    /// What reports call it.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_ref().map_or(self.what.name(), |name| name)
    }

    /// The selectors in it, to be checked against the cluster.
    #[must_use]
    pub fn selectors(&self) -> Vec<&Spanned<Selector>> {
        match &self.what {
            What::Partition { sides } => sides.iter().collect(),
            What::Cut { from, to, .. } | What::Lossy { from, to, .. } | What::Slow { from, to, .. } => {
                vec![from, to]
            }
            _ => self.target().into_iter().collect(),
        }
    }

    /// The nodes it strikes, if it strikes nodes.
    #[must_use]
    pub fn target(&self) -> Option<&Spanned<Selector>> {
        match &self.what {
            What::Partition { .. } | What::Cut { .. } | What::Lossy { .. } | What::Slow { .. } => None,
            What::Crash { target, .. }
            | What::Pause { target }
            | What::DiskStall { target }
            | What::DiskFull { target }
            | What::DiskError { target }
            | What::DiskRot { target }
            | What::ClockJump { target, .. }
            | What::ClockDrift { target, .. } => Some(target),
        }
    }

    /// The generator that the simulator runs.
    ///
    /// # Errors
    /// If a file of samples cannot be read.
    pub fn generator(&self, files: &dyn Files) -> Result<Generator, Problem> {
        let built = |spec: &Spanned<Spec>| law(spec, files);
        let moment = |after: Duration| Time::ZERO + after;
        let when = match (&self.at, &self.every) {
            (Some(at), _) => When::At(at.0.iter().copied().map(moment).collect()),
            (None, Some(every)) => When::Repeatedly {
                first: self.first.map(moment),
                gap: built(every)?,
                until: self.until.map_or(Time::MAX, moment),
                count: self.count,
            },
            (None, None) => When::At(Vec::new()),
        };
        let lasts = self.lasts.as_ref().map(built).transpose()?;
        Ok(Generator { kind: self.what.kind(), when, lasts })
    }
}

impl What {
    fn kind(&self) -> Kind {
        match self {
            Self::Crash { target, disk } => Kind::Crash(target.value.clone(), disk.loss()),
            Self::Pause { target } => Kind::Pause(target.value.clone()),
            Self::Partition { sides } => {
                Kind::Partition(sides.iter().map(|side| side.value.clone()).collect())
            }
            Self::Cut { from, to, both } => links(from, to, *both, Disturbance::Cut),
            Self::Lossy { from, to, both, loss } => links(from, to, *both, Disturbance::Loss(loss.parts())),
            Self::Slow { from, to, both, by } => links(from, to, *both, Disturbance::Delay(*by)),
            Self::DiskStall { target } => Kind::DiskStall(target.value.clone()),
            Self::DiskFull { target } => Kind::DiskFull(target.value.clone()),
            Self::DiskError { target } => Kind::DiskError(target.value.clone()),
            Self::DiskRot { target } => Kind::DiskRot(target.value.clone()),
            Self::ClockJump { target, by, back } => {
                let by = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
                Kind::ClockJump(target.value.clone(), if *back { -by } else { by })
            }
            Self::ClockDrift { target, ppm } => Kind::ClockDrift(target.value.clone(), ppm * 1000),
        }
    }
}

fn links(from: &Spanned<Selector>, to: &Spanned<Selector>, both: bool, how: Disturbance) -> Kind {
    Kind::Links(from.value.clone(), to.value.clone(), both, how)
}

impl DiskLoss {
    const fn loss(self) -> Loss {
        match self {
            Self::Unsynced => Loss::Unsynced,
            Self::Torn => Loss::Torn,
            Self::Nothing => Loss::Nothing,
            Self::Everything => Loss::Everything,
        }
    }
}
