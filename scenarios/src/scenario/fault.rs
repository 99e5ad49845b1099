//! `[[fault]]`: what goes wrong, when, for how long, and to whom.

use seedbed_core::contract::{Duration, NodeId, Time};
use seedbed_core::settings::{Node, Probability, Problem, Problems, Setting, Shape, Spanned, Value};
use seedbed_core::{choice, settings, variants};
use seedbed_sim::Loss;
use seedbed_sim::fault::{Fit, Generator, Kind, Profile, Selector, Trace, When};
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
        /// Nodes come and go, each on its own: it is up for a while, crashes, is down for a while, and so on. All are up in
        /// the beginning.
        Churn {
            /// Which.
            target: Spanned<Selector> = Selector::All.into();
            /// A system whose nodes were watched.
            profile: Option<Spanned<Profile>> = None;
            /// The law that was fitted to what was measured there; gamma, if nothing is said.
            law: Option<Fit> = None;
            /// How long an hour of the profile lasts here; an hour, if nothing is said.
            scale: Option<Duration> = None, in HOURS;
            /// How long a node is up, without a profile.
            up: Option<Spanned<Spec>> = None;
            /// How long a node is down, without a profile.
            down: Option<Spanned<Spec>> = None;
            /// What becomes of the disk.
            disk: DiskLoss = DiskLoss::Unsynced;
        }
        /// Nodes come and go as recorded in a file.
        ChurnTrace {
            /// Which: the first of them is the trace's node 0, and so on.
            target: Spanned<Selector> = Selector::All.into();
            /// The file, beside the scenario: `node,down_s,up_s`, or the failure data of Los Alamos.
            file: Spanned<String>;
            /// This system of Los Alamos alone; all of them, one after the other, if nothing is said.
            system: Option<u64> = None;
            /// How much of the trace is left out at its beginning.
            from: Duration = Duration::ZERO;
            /// How long an hour of the trace lasts here.
            scale: Duration = HOUR, in HOURS;
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

const HOUR: Duration = Duration::from_secs(3_600);
/// What an hour of a profile or trace may be made to last.
const HOURS: std::ops::RangeInclusive<Duration> =
    Duration::from_micros(1)..=Duration::from_secs(365 * 86_400);

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
        if let What::Churn { .. } | What::ChurnTrace { .. } = self.what {
            return self.has_times_of_its_own();
        }
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

    /// Churn says itself when and for how long.
    fn has_times_of_its_own(&self) -> Result<(), (&'static str, String)> {
        for (key, is_said) in [
            ("at", self.at.is_some()),
            ("every", self.every.is_some()),
            ("first", self.first.is_some()),
            ("until", self.until.is_some()),
            ("count", self.count != u64::MAX >> 1),
            ("each", self.each),
            ("lasts", self.lasts.is_some()),
        ] {
            if is_said {
                return Err((
                    key,
                    format!("does not go with `{}`, which has times of its own", self.what.name()),
                ));
            }
        }
        let What::Churn { profile, law, scale, up, down, .. } = &self.what else { return Ok(()) };
        match (profile, up, down) {
            (None, None, None) => Err(("kind", "says no time: write `profile`, or `up` and `down`".into())),
            (Some(_), Some(_), _) => Err(("up", "does not go with `profile`".into())),
            (Some(_), _, Some(_)) => Err(("down", "does not go with `profile`".into())),
            (None, Some(_), None) => Err(("up", "needs `down` beside it".into())),
            (None, None, Some(_)) => Err(("down", "needs `up` beside it".into())),
            (None, ..) if law.is_some() => Err(("law", "goes with `profile`".into())),
            (None, ..) if scale.is_some() => Err(("scale", "goes with `profile`".into())),
            _ => Ok(()),
        }
    }

    /// Whether each node of its target has a process of its own; then the target must stay the same.
    #[must_use]
    pub const fn is_by_node(&self) -> bool {
        self.each || matches!(self.what, What::Churn { .. } | What::ChurnTrace { .. })
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
            | What::Churn { target, .. }
            | What::ChurnTrace { target, .. }
            | What::Pause { target }
            | What::DiskStall { target }
            | What::DiskFull { target }
            | What::DiskError { target }
            | What::DiskRot { target }
            | What::ClockJump { target, .. }
            | What::ClockDrift { target, .. } => Some(target),
        }
    }

    /// The generator that the simulator runs; `nodes` are those of its target if that has to stay the same.
    ///
    /// # Errors
    /// If a file of samples or a trace cannot be read.
    pub fn generator(&self, nodes: &[NodeId], files: &dyn Files) -> Result<Generator, Problem> {
        let built = |spec: &Spanned<Spec>| law(spec, files);
        let moment = |after: Duration| Time::ZERO + after;
        let mut lasts = self.lasts.as_ref().map(built).transpose()?;
        let when = match (&self.what, &self.at, &self.every) {
            (What::Churn { profile: Some(profile), law, scale, .. }, ..) => {
                let fitted = profile.value.laws(law.unwrap_or(Fit::Gamma), scale.unwrap_or(HOUR));
                let [up, down] = fitted.map_err(|error| Problem::new(profile.span, error.to_string()))?;
                lasts = Some(down);
                When::Alternating { nodes: nodes.to_vec(), up }
            }
            (What::Churn { up: Some(up), down: Some(down), .. }, ..) => {
                lasts = Some(built(down)?);
                When::Alternating { nodes: nodes.to_vec(), up: built(up)? }
            }
            (What::ChurnTrace { file, system, from, scale, .. }, ..) => {
                When::Recorded(outages(file, *system, files)?.outages(nodes, *from, *scale).into())
            }
            (_, Some(at), _) => When::At(at.0.iter().copied().map(moment).collect()),
            (_, None, Some(every)) => When::Repeatedly {
                first: self.first.map(moment),
                gap: built(every)?,
                until: self.until.map_or(Time::MAX, moment),
                count: self.count,
            },
            (_, None, None) => When::At(Vec::new()),
        };
        Ok(Generator { kind: self.what.kind(), when, lasts })
    }
}

impl What {
    fn kind(&self) -> Kind {
        match self {
            Self::Crash { target, disk } => Kind::Crash(target.value.clone(), disk.loss()),
            Self::Churn { target, disk, .. } | Self::ChurnTrace { target, disk, .. } => {
                Kind::Crash(target.value.clone(), disk.loss())
            }
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

/// The trace in a file.
fn outages(file: &Spanned<String>, system: Option<u64>, files: &dyn Files) -> Result<Trace, Problem> {
    let unreadable =
        |error| Problem::new(file.span, error).expected("a file, named from the scenario's folder");
    let text = files.read(file).map_err(unreadable)?;
    Trace::parse(&text, system).map_err(|error| Problem::new(file.span, format!("{}: {error}", file.value)))
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
