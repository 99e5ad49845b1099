//! Arrivals in the Standard Workload Format of the Parallel Workloads Archive (Chapin et al., JSSPP 1999).

use serde::{Deserialize, Serialize};

use super::ImportError;
use super::text::{Line, Word, lines};
use crate::contract::Duration;
use crate::settings::Bytes;

/// The most arrivals of a text.
pub const ARRIVALS_MAX: usize = 10_000_000;

/// A job that comes to a machine. What a log does not tell of it is none.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Arrival {
    /// The job's number in the log.
    pub job: u64,
    /// When it comes, since the start of the log.
    pub submit: Duration,
    /// How long it runs.
    pub run: Option<Duration>,
    /// How many processors it asks for; if the log tells only what it got, that.
    pub processors: Option<u32>,
    /// Whose it is.
    pub user: Option<u32>,
    /// How much memory it asks for on each processor; if the log tells only what it used, that.
    pub memory: Option<Bytes>,
}

/// The fields of a line, in order.
const FIELDS: [&str; 18] = [
    "job number",
    "submit time",
    "wait time",
    "run time",
    "allocated processors",
    "average CPU time",
    "used memory",
    "requested processors",
    "requested time",
    "requested memory",
    "status",
    "user",
    "group",
    "executable",
    "queue",
    "partition",
    "preceding job",
    "think time",
];

/// Reads a log in the Standard Workload Format: a line for each job, of 18 numbers; -1 is what is not known. What follows
/// a `;` at the start of a line is a comment.
///
/// # Errors
/// The first thing that is wrong, by line and column.
pub fn swf(text: &str) -> Result<Vec<Arrival>, ImportError> {
    let mut arrivals = Vec::new();
    for line in lines(text, ';') {
        if arrivals.len() == ARRIVALS_MAX {
            let problem = format!("there is one more job, expected at most {ARRIVALS_MAX}");
            return Err(ImportError::text(line.number, 1, problem));
        }
        arrivals.push(arrival(line)?);
    }
    Ok(arrivals)
}

fn arrival(line: Line<'_>) -> Result<Arrival, ImportError> {
    let mut words = line.words();
    let mut fields = [None; FIELDS.len()];
    for (nth, (field, name)) in fields.iter_mut().zip(FIELDS).enumerate() {
        let word = words.expect(&format!("the {name}, field {} of {}", nth + 1, FIELDS.len()))?;
        *field = Some(Field { word, name, value: decimal(word, name)? });
    }
    words.end()?;
    let [
        Some(job),
        Some(submit),
        _,
        Some(run),
        Some(allocated),
        _,
        Some(used),
        Some(requested),
        _,
        Some(requested_memory),
        _,
        Some(user),
        ..,
    ] = fields
    else {
        return Err(ImportError::text(line.number, 1, "fields are missing, expected 18"));
    };
    let processors = match requested.count()? {
        None => allocated.count()?,
        known => known,
    };
    let memory = match requested_memory.kilobytes()? {
        None => used.kilobytes()?,
        known => known,
    };
    Ok(Arrival {
        job: job.required(job.whole()?)?,
        submit: submit.required(submit.time()?)?,
        run: run.time()?,
        processors,
        user: user.count()?,
        memory,
    })
}

#[derive(Clone, Copy)]
struct Field<'a> {
    word: Word<'a>,
    name: &'static str,
    /// In thousand-millionths; none is -1.
    value: Option<u128>,
}

/// The parts of one that are kept of a number.
const PARTS: u128 = 1_000_000_000;

/// A number such as 552.21, in thousand-millionths, what is finer cut off; none for -1.
fn decimal(word: Word<'_>, name: &str) -> Result<Option<u128>, ImportError> {
    let wrong = || word.wrong(&format!("the {name}, a number from 0 on, or -1 if it is not known"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = word.text.split_once('.').unwrap_or((word.text, "0"));
    if !is_digits(fraction) {
        return Err(wrong());
    }
    if whole == "-1" && fraction.bytes().all(|digit| digit == b'0') {
        return Ok(None);
    }
    if !is_digits(whole) {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let parts = digits.fold(0, |parts, digit| parts * 10 + u128::from(digit - b'0'));
    Ok(Some(u128::from(whole) * PARTS + parts))
}

impl Field<'_> {
    fn wrong(self, expected: &str) -> ImportError {
        self.word.wrong(&format!("the {}, {expected}", self.name))
    }

    fn required<T>(self, value: Option<T>) -> Result<T, ImportError> {
        value.ok_or_else(|| self.wrong("which must be known"))
    }

    fn whole(self) -> Result<Option<u64>, ImportError> {
        match self.value {
            None => Ok(None),
            // It was read as this many and a fraction.
            Some(value) if value.is_multiple_of(PARTS) => Ok(u64::try_from(value / PARTS).ok()),
            Some(_) => Err(self.wrong("a whole number")),
        }
    }

    fn count(self) -> Result<Option<u32>, ImportError> {
        let narrow = |value| u32::try_from(value).map_err(|_| self.wrong("at most 4294967295"));
        self.whole()?.map(narrow).transpose()
    }

    /// Of seconds.
    fn time(self) -> Result<Option<Duration>, ImportError> {
        let narrow = |nanos| u64::try_from(nanos).map_err(|_| self.wrong("at most 584 years"));
        Ok(self.value.map(narrow).transpose()?.map(Duration::from_nanos))
    }

    fn kilobytes(self) -> Result<Option<Bytes>, ImportError> {
        let bytes = |value| u64::try_from(value * 1024 / PARTS).map_err(|_| self.wrong("at most 16 EiB"));
        Ok(self.value.map(bytes).transpose()?.map(Bytes))
    }
}
