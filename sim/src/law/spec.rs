//! Laws as a person writes them: `"10ms"`, or `{ law = "lognormal", median = "10ms", sigma = 0.5 }`.

use seedbed_core::contract::Duration;
use seedbed_core::{choice, settings, variants};
use thiserror::Error;

use super::{GAMMA_SHAPES, LONGEST, Law, LawError, SIGMA_MAX, WEIBULL_SHAPES};

/// The most samples of a file.
pub const SAMPLES_MAX: usize = 10_000_000;

/// Where files come from: a simulation reads none by itself. Any `Fn(&str) -> Result<String, String>` will do.
pub trait Files {
    /// The text of a file that a scenario names.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &str) -> Result<String, String>;
}

impl<F: Fn(&str) -> Result<String, String>> Files for F {
    fn read(&self, path: &str) -> Result<String, String> {
        self(path)
    }
}

variants! {
    /// How long something takes: a duration, or a law of chance.
    pub enum Spec by "law" or Duration as Spec::constant {
        /// Always the same.
        Constant {
            /// That long.
            value: Duration;
        }
        /// Anything between two bounds, each as likely.
        Uniform {
            /// The shortest.
            from: Duration = Duration::ZERO;
            /// The longest.
            to: Duration;
            /// What is done to every draw.
            adjust: Adjust, flat;
        }
        /// The bell curve, conditioned on being positive.
        Normal {
            /// The mean of the full curve.
            mean: Duration;
            /// The standard deviation of the full curve.
            sd: Duration;
            /// What is done to every draw.
            adjust: Adjust, flat;
        }
        /// A normal logarithm: the usual law of latencies.
        Lognormal {
            /// Half of all draws are shorter.
            median: Duration;
            /// The standard deviation of the logarithm.
            sigma: f64, in 0.0..=SIGMA_MAX;
            /// What is done to every draw.
            adjust: Adjust, flat;
        }
        /// The memoryless wait.
        Exponential {
            /// The mean.
            mean: Duration;
            /// What is done to every draw.
            adjust: Adjust, flat;
        }
        /// Longer than x with probability exp(-(x / scale)^shape); below shape 1, the older the likelier to last.
        Weibull {
            /// What 63 % of all draws are shorter than.
            scale: Duration;
            /// 1 is exponential.
            shape: f64, in WEIBULL_SHAPES;
            /// What is done to every draw.
            adjust: Adjust, flat;
        }
        /// A sum of `shape` memoryless waits, also where that is a fraction; below 1, the older the likelier to last.
        Gamma {
            /// The mean of each.
            scale: Duration;
            /// How many; 1 is exponential.
            shape: f64, in GAMMA_SHAPES;
            /// What is done to every draw.
            adjust: Adjust, flat;
        }
        /// Heavy tail: longer than x with probability (scale / x)^alpha, conditioned on not exceeding the cap.
        Pareto {
            /// The shortest.
            scale: Duration;
            /// How fast the tail falls; above 1 if there is no cap.
            alpha: f64, in 0.001..=1_000.0;
            /// The longest.
            cap: Option<Duration> = None;
            /// What is done to every draw.
            adjust: Adjust, flat;
        }
        /// Measured durations.
        Empirical {
            /// A file with one number per line, or in the first column. A first line without number is skipped, and
            /// so are lines that start with `#`.
            file: String, in 1..=4_096;
            /// What the numbers count.
            unit: Unit = Unit::Ms;
            /// What is done to every draw.
            adjust: Adjust, flat;
        }
    }
    verify = Spec::is_law;
}

settings! {
    /// What is done to every draw of a law: first the shift, then the minimum.
    pub struct Adjust {
        /// Added to every draw.
        pub shift: Duration = Duration::ZERO;
        /// Shorter draws are made as long as this.
        pub min: Duration = Duration::ZERO;
    }
}

choice! {
    /// A unit of time.
    pub enum Unit {
        /// Nanoseconds.
        Ns,
        /// Microseconds.
        Us,
        /// Milliseconds.
        Ms,
        /// Seconds.
        S,
    }
}

/// Why a law that was written cannot be had.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum SpecError {
    /// Its parameters make no law.
    #[error(transparent)]
    Law(#[from] LawError),
    /// Its file cannot be read.
    #[error("{file}: {reason}")]
    Unreadable {
        /// As written.
        file: String,
        /// Said by who tried.
        reason: String,
    },
    /// Its file does not hold samples.
    #[error("{file}, line {line}: {problem}")]
    Malformed {
        /// As written.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

impl Spec {
    /// Always `value`.
    #[must_use]
    pub const fn constant(value: Duration) -> Self {
        Self::Constant { value }
    }

    /// The law; `files` gives the samples of an empirical one.
    ///
    /// # Errors
    /// If the file cannot be read or is not one of samples, or the parameters make no law; the latter cannot happen
    /// with what was read as a setting.
    pub fn build(&self, files: &dyn Files) -> Result<Law, SpecError> {
        let (law, adjust) = match self {
            Self::Constant { value } => return Ok(Law::constant(*value)?),
            Self::Uniform { from, to, adjust } => (Law::uniform(*from, *to)?, adjust),
            Self::Normal { mean, sd, adjust } => (Law::normal(*mean, *sd)?, adjust),
            Self::Lognormal { median, sigma, adjust } => (Law::lognormal(*median, *sigma)?, adjust),
            Self::Exponential { mean, adjust } => (Law::exponential(*mean)?, adjust),
            Self::Weibull { scale, shape, adjust } => (Law::weibull(*scale, *shape)?, adjust),
            Self::Gamma { scale, shape, adjust } => (Law::gamma(*scale, *shape)?, adjust),
            Self::Pareto { scale, alpha, cap, adjust } => (Law::pareto(*scale, *alpha, *cap)?, adjust),
            Self::Empirical { file, unit, adjust } => {
                (Law::empirical(&samples(file, *unit, files)?)?, adjust)
            }
        };
        Ok(law.shifted(adjust.shift).at_least(adjust.min))
    }

    /// What the ranges of single keys do not say.
    fn is_law(&self) -> Result<(), (&'static str, String)> {
        match *self {
            Self::Uniform { from, to, .. } if to < from => {
                Err(("to", format!("is wrong: the range ends at {to}, before it begins at {from}")))
            }
            Self::Pareto { scale, cap: Some(cap), .. } if cap < scale => {
                Err(("cap", format!("is {cap}, below the `scale` of {scale}")))
            }
            Self::Pareto { alpha, cap: None, .. } if alpha <= 1.0 => {
                Err(("alpha", format!("is too small: {}", LawError::NoMean { alpha })))
            }
            _ => Ok(()),
        }
    }
}

impl Unit {
    fn nanos(self) -> f64 {
        match self {
            Self::Ns => 1.0,
            Self::Us => 1e3,
            Self::Ms => 1e6,
            Self::S => 1e9,
        }
    }
}

/// The numbers of a file.
fn samples(file: &str, unit: Unit, files: &dyn Files) -> Result<Vec<Duration>, SpecError> {
    let text = files.read(file).map_err(|reason| SpecError::Unreadable { file: file.into(), reason })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let malformed = |line, problem| SpecError::Malformed { file: file.into(), line, problem };
    let longest = LONGEST.as_nanos() as f64 / unit.nanos();
    let says_something = |line: &str| !line.is_empty() && !line.starts_with('#');
    let lines = (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| says_something(line));

    let mut samples = Vec::new();
    for (place, (number, line)) in lines.enumerate() {
        let first = line.split([',', ';', '\t', ' ']).next().unwrap_or_default();
        match first.parse::<f64>() {
            Ok(_) if samples.len() == SAMPLES_MAX => {
                return Err(malformed(number, format!("more than {SAMPLES_MAX} samples")));
            }
            Ok(value) if (0.0..=longest).contains(&value) => {
                samples.push(Duration::from_nanos(libm::round(value * unit.nanos()) as u64));
            }
            // A header.
            Err(_) if place == 0 => {}
            _ => {
                let found: String = first.chars().take(40).collect();
                let problem = format!("expected a number from 0 to {longest} ({unit}), found {found:?}");
                return Err(malformed(number, problem));
            }
        }
    }
    match samples.is_empty() {
        true => Err(malformed(1, "the file holds no number".into())),
        false => Ok(samples),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use seedbed_core::settings::{Node, Setting, Span, Table, Value, read};

    use super::*;

    fn no_files(_: &str) -> Result<String, String> {
        Err("there are no files".into())
    }

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    fn written<const N: usize>(law: &str, keys: [(&str, Value); N]) -> Node {
        let mut table = Table::default();
        for (key, value) in [("law", text(law))].into_iter().chain(keys) {
            table.insert(key, Span::default(), Node::unwritten(value));
        }
        Node::unwritten(Value::Table(table))
    }

    fn law<const N: usize>(name: &str, keys: [(&str, Value); N]) -> Law {
        let spec = read::<Spec>(&written(name, keys)).unwrap();
        let again = read::<Spec>(&Node::unwritten(spec.write().unwrap())).unwrap();
        assert_eq!(spec, again);
        spec.build(&no_files).unwrap()
    }

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn every_law_can_be_written() {
        let short = read::<Spec>(&Node::unwritten(text("10ms"))).unwrap();
        assert_eq!(short.build(&no_files).unwrap(), Law::constant(ms(10)).unwrap());
        for (written, meant) in [
            (law("constant", [("value", text("10ms"))]), Law::constant(ms(10))),
            (law("uniform", [("from", text("1ms")), ("to", text("5ms"))]), Law::uniform(ms(1), ms(5))),
            (law("normal", [("mean", text("9ms")), ("sd", text("2ms"))]), Law::normal(ms(9), ms(2))),
            (
                law("lognormal", [("median", text("10ms")), ("sigma", Value::Number(0.5))]),
                Law::lognormal(ms(10), 0.5),
            ),
            (
                law("exponential", [("mean", text("3ms")), ("shift", text("1ms")), ("min", text("2ms"))]),
                Law::exponential(ms(3)).map(|law| law.shifted(ms(1)).at_least(ms(2))),
            ),
            (
                law("weibull", [("scale", text("1ms")), ("shape", Value::Number(0.33))]),
                Law::weibull(ms(1), 0.33),
            ),
            (law("gamma", [("scale", text("1ms")), ("shape", Value::Integer(3))]), Law::gamma(ms(1), 3.0)),
            (
                law("pareto", [("scale", text("1ms")), ("alpha", Value::Integer(2))]),
                Law::pareto(ms(1), 2.0, None),
            ),
            (
                law("pareto", [("scale", text("1ms")), ("alpha", Value::Number(0.9)), ("cap", text("1s"))]),
                Law::pareto(ms(1), 0.9, Some(ms(1_000))),
            ),
        ] {
            assert_eq!(written, meant.unwrap());
        }
    }

    #[test]
    fn what_makes_no_law_is_a_problem_of_its_key() {
        for (node, reason) in [
            (written("uniform", [("from", text("5ms")), ("to", text("1ms"))]), "before it begins at 5ms"),
            (
                written(
                    "pareto",
                    [("scale", text("5ms")), ("alpha", Value::Number(2.0)), ("cap", text("1ms"))],
                ),
                "`cap` is 1ms, below the `scale` of 5ms",
            ),
            (written("pareto", [("scale", text("1s")), ("alpha", Value::Number(1.0))]), "has no mean"),
            (written("lognormal", [("median", text("1s")), ("sigma", Value::Number(11.0))]), "10"),
            (written("gaussian", []), "gaussian"),
            (written("normal", [("mean", text("-1ms")), ("sd", text("1ms"))]), "-1ms"),
        ] {
            let problems = read::<Spec>(&node).unwrap_err().to_string();
            assert!(problems.contains(reason), "{problems} should say {reason}");
        }
    }

    fn empirical(text: &'static str, unit: Unit) -> Result<Law, SpecError> {
        let spec = Spec::Empirical { file: "rtt.csv".into(), unit, adjust: Adjust::default() };
        spec.build(&|path: &str| match path {
            "rtt.csv" => Ok(text.to_owned()),
            _ => Err("no such file".into()),
        })
    }

    #[test]
    fn samples_stand_one_to_a_line_or_in_the_first_column() {
        let meant = Law::empirical(&[ms(1), ms(2), ms(4)]).unwrap();
        for text in ["1\n2\n4", "\u{feff}rtt,to\r\n1,x\r\n4,y\r\n2.0,z\r\n", "# ping\n\n4 a\n 2 b\n1\tc\n"] {
            assert_eq!(empirical(text, Unit::Ms), Ok(meant.clone()), "{text:?}");
        }
        assert_eq!(empirical("1e3\n2e3\n4e3", Unit::Us), Ok(meant.clone()));
        assert_eq!(empirical("0.001;\n.002;\n0.004;", Unit::S), Ok(meant.clone()));
        assert_eq!(empirical("1000000\n2000000\n4000000", Unit::Ns), Ok(meant));
    }

    #[test]
    fn a_file_without_samples_is_refused_with_its_line() {
        for (text, error) in [
            ("", "rtt.csv, line 1: the file holds no number"),
            ("rtt\n", "rtt.csv, line 1: the file holds no number"),
            ("rtt\n1\n\nx\n", "rtt.csv, line 4: expected a number from 0 to 3153600000000 (ms), found \"x\""),
            ("-1", "rtt.csv, line 1: expected a number from 0 to 3153600000000 (ms), found \"-1\""),
            ("1\nNaN", "rtt.csv, line 2: expected a number from 0 to 3153600000000 (ms), found \"NaN\""),
            ("1e13", "rtt.csv, line 1: expected a number from 0 to 3153600000000 (ms), found \"1e13\""),
        ] {
            assert_eq!(empirical(text, Unit::Ms).unwrap_err().to_string(), error);
        }
        let elsewhere = Spec::Empirical { file: "x.csv".into(), unit: Unit::Ms, adjust: Adjust::default() };
        assert_eq!(elsewhere.build(&no_files).unwrap_err().to_string(), "x.csv: there are no files");
    }

    proptest! {
        /// What is read as a setting is a law, so that nothing fails later.
        #[test]
        fn what_is_accepted_can_be_built(
            from in 0_u64..10, to in 0_u64..10, alpha in -1.0..5.0_f64, cap in proptest::option::of(0_u64..10),
        ) {
            let duration = |value: u64| text(&format!("{value}ms"));
            let uniform = written("uniform", [("from", duration(from)), ("to", duration(to))]);
            let mut pareto = vec![("scale", duration(from)), ("alpha", Value::Number(alpha))];
            pareto.extend(cap.map(|cap| ("cap", duration(cap))));
            let mut table = written("pareto", []);
            if let Value::Table(table) = &mut table.value {
                for (key, value) in pareto {
                    table.insert(key, Span::default(), Node::unwritten(value));
                }
            }
            for node in [uniform, table] {
                if let Ok(spec) = read::<Spec>(&node) {
                    prop_assert!(spec.build(&no_files).is_ok(), "{spec:?}");
                }
            }
        }
    }
}
