//! Recorded failures: which node was down from when until when, as text.

use std::collections::{BTreeMap, BTreeSet};

use seedbed_core::contract::{Duration, NodeId, Time};
use thiserror::Error;

/// The most outages of a trace.
pub const OUTAGES_MAX: usize = 1_000_000;
/// The latest moment of a trace in seconds: some 31 years.
const SECONDS_MAX: f64 = 1e9;

/// One time that a node was down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outage {
    /// Which node.
    pub node: NodeId,
    /// Since when.
    pub from: Time,
    /// It is up again then; never at [`Time::MAX`].
    pub until: Time,
}

/// The outages of a recorded system. What overlaps or touches at a node is one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// In the order of their beginnings.
    spans: Vec<Span>,
}

/// An outage in nanoseconds since the trace begins, of the node at this place.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Span {
    place: u64,
    from: u64,
    until: u64,
}

/// Why a text is not a trace.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum TraceError {
    /// A line that is not as it should be.
    #[error("line {line}: {problem}")]
    Malformed {
        /// From 1.
        line: u64,
        /// What was expected, and what was found.
        problem: String,
    },
    /// A system that the trace does not have.
    #[error("there is no system {system} with numbered nodes in it: it has {known}")]
    NoSystem {
        /// That was asked for.
        system: u64,
        /// Those that there are.
        known: String,
    },
    /// There is nothing in it.
    #[error("there is no outage in it")]
    Empty,
}

/// A record with the node as the file names it.
struct Record {
    system: u64,
    node: u64,
    from: i64,
    until: i64,
}

/// What stands in which column.
enum Columns {
    /// Our own: seconds since the beginning.
    Plain([usize; 3]),
    /// The failure data that the Los Alamos National Laboratory published: times of the calendar.
    Lanl([usize; 4]),
}

impl Trace {
    /// Reads a text in CSV whose first line names the columns, in any order and among others:
    ///
    /// - `node,down_s,up_s`: the number of a node, and seconds since the trace begins; without `up_s` it stays down.
    /// - `System,nodenumz,Prob Started,Prob Fixed`, as in the failure data of the Los Alamos National Laboratory
    ///   (LA-UR-05-7318): times such as `6/21/2005 10:54`. Nodes are numbered anew by system and number, because the
    ///   data have gaps; so only nodes that ever failed count. The trace begins with the first failure. Records
    ///   without the number of a node (all of system 17) are nobody's and left out. `system` takes one system alone.
    ///
    /// # Errors
    /// What is wrong, and at which line.
    pub fn parse(text: &str, system: Option<u64>) -> Result<Self, TraceError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut builder = csv::ReaderBuilder::new();
        builder.flexible(true).comment(Some(b'#')).trim(csv::Trim::All).has_headers(false);
        let mut rows = builder.from_reader(text.as_bytes()).into_records();
        let header = row(text, rows.next().ok_or(TraceError::Empty)?)?;
        let columns = Columns::find(&header)?;
        if let (Columns::Plain(_), Some(system)) = (&columns, system) {
            return Err(TraceError::NoSystem { system, known: "no column `System`".into() });
        }
        let mut records = Vec::new();
        for record in rows {
            let record = row(text, record)?;
            if records.len() == OUTAGES_MAX {
                return Err(malformed(&record, format!("more than {OUTAGES_MAX} outages")));
            }
            records.extend(columns.read(&record)?);
        }
        let systems: BTreeSet<u64> = records.iter().map(|record| record.system).collect();
        if let Some(system) = system.filter(|system| !systems.contains(system)) {
            let known: Vec<String> = systems.iter().map(u64::to_string).collect();
            return Err(TraceError::NoSystem { system, known: known.join(", ") });
        }
        records.retain(|record| system.is_none_or(|system| record.system == system));
        Self::of(&records, matches!(columns, Columns::Lanl(_))).ok_or(TraceError::Empty)
    }

    /// Joins what overlaps, and numbers the nodes anew if they are numbered by systems.
    fn of(records: &[Record], is_calendar: bool) -> Option<Self> {
        let first = records.iter().map(|record| record.from).min()?;
        let nodes: BTreeSet<_> = records.iter().map(|record| (record.system, record.node)).collect();
        let places: BTreeMap<_, u64> = nodes.into_iter().zip(0..).collect();
        let span = |record: &Record| {
            let (place, zero) = match is_calendar {
                true => (places[&(record.system, record.node)], first),
                false => (record.node, 0),
            };
            let since = |moment: i64| moment.saturating_sub(zero).try_into().unwrap_or(0);
            let until = if record.until == i64::MAX { u64::MAX } else { since(record.until) };
            Span { place, from: since(record.from), until }
        };
        let mut spans: Vec<Span> = records.iter().map(span).collect();
        spans.sort_unstable();
        spans.dedup_by(|next, last| {
            let is_one = next.place == last.place && next.from <= last.until;
            if is_one {
                last.until = last.until.max(next.until);
            }
            is_one
        });
        spans.sort_unstable_by_key(|span| (span.from, span.place));
        Some(Self { spans })
    }

    /// How many nodes have outages.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.spans.iter().map(|span| span.place).collect::<BTreeSet<_>>().len()
    }

    /// The outages of these nodes, in order: the first is number 0 of the trace, and so on. Numbers beyond them are left
    /// out. The world begins `skip` after the trace, and an hour of the trace lasts as long as `hour`. What is over by
    /// then is left out; who is down then is down from the beginning.
    #[must_use]
    pub fn outages(&self, nodes: &[NodeId], skip: Duration, hour: Duration) -> Vec<Outage> {
        let moment = |nanos: u64| match nanos {
            u64::MAX => Time::MAX,
            _ => {
                let since = u128::from(nanos.saturating_sub(skip.as_nanos()));
                let scaled = since * u128::from(hour.as_nanos()) / HOUR;
                Time::ZERO + Duration::from_nanos(u64::try_from(scaled).unwrap_or(u64::MAX))
            }
        };
        let outage = |span: &Span| {
            let node = *nodes.get(usize::try_from(span.place).ok()?)?;
            let is_over = span.until <= skip.as_nanos() && span.from < skip.as_nanos();
            (!is_over).then(|| Outage { node, from: moment(span.from), until: moment(span.until) })
        };
        self.spans.iter().filter_map(outage).collect()
    }
}

/// An hour, in nanoseconds.
const HOUR: u128 = 3_600 * SECOND as u128;
const SECOND: i64 = 1_000_000_000;

impl Columns {
    fn find(header: &csv::StringRecord) -> Result<Self, TraceError> {
        let column = |name: &str| header.iter().position(|field| field.eq_ignore_ascii_case(name));
        let plain = ["node", "down_s", "up_s"].map(column);
        let lanl = ["System", "nodenumz", "Prob Started", "Prob Fixed"].map(column);
        match (plain, lanl) {
            ([Some(node), Some(down), Some(up)], _) => Ok(Self::Plain([node, down, up])),
            (_, [Some(system), Some(node), Some(from), Some(until)]) => {
                Ok(Self::Lanl([system, node, from, until]))
            }
            _ => Err(malformed(
                header,
                format!(
                    "expected the columns `node,down_s,up_s`, or `System`, `nodenumz`, `Prob Started` and `Prob \
                     Fixed`, found `{}`",
                    excerpt(&header.iter().collect::<Vec<_>>().join(","))
                ),
            )),
        }
    }

    /// A record, if it is about a node.
    fn read(&self, row: &csv::StringRecord) -> Result<Option<Record>, TraceError> {
        let field = |column: usize| row.get(column).unwrap_or_default();
        let wrong = |what: &str, found: &str| {
            malformed(
                row,
                format!(
                    "expected {what}, found {}",
                    match found {
                        "" => "nothing".to_owned(),
                        found => format!("`{}`", excerpt(found)),
                    }
                ),
            )
        };
        let number =
            |column: usize, what: &str| field(column).parse::<u64>().map_err(|_| wrong(what, field(column)));
        let record = match *self {
            Self::Plain([node, down, up]) => {
                let seconds = |column: usize| {
                    let time = field(column).parse::<f64>().ok();
                    let time = time.filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds));
                    let nanos = time.map(|seconds| libm::round(seconds * SECOND as f64) as i64);
                    nanos.ok_or_else(|| wrong("a time from 0 to 1e9 seconds", field(column)))
                };
                let until = if field(up).is_empty() { i64::MAX } else { seconds(up)? };
                Record { system: 0, node: number(node, "the number of a node")?, from: seconds(down)?, until }
            }
            Self::Lanl([system, node, from, until]) => {
                let moment = |column: usize| {
                    let what = "a time such as `6/21/2005 10:54`";
                    calendar(field(column)).ok_or_else(|| wrong(what, field(column)))
                };
                let (system, from, until) =
                    (number(system, "the number of a system")?, moment(from)?, moment(until)?);
                if field(node).is_empty() {
                    return Ok(None);
                }
                Record { system, node: number(node, "the number of a node")?, from, until }
            }
        };
        if record.until < record.from {
            return Err(malformed(row, "expected an outage that begins before it ends".into()));
        }
        Ok(Some(record))
    }
}

/// `month/day/year hours:minutes` of the Gregorian calendar, in nanoseconds since 1970.
fn calendar(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(' ')?;
    let number = |text: &str, least: i64, most: i64| {
        let digits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let value: i64 = digits.then(|| text.parse().ok())??;
        (least..=most).contains(&value).then_some(value)
    };
    let mut parts = date.splitn(3, '/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let (month, year) = (number(month, 1, 12)?, number(year, 1970, 2_200)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let day = number(day, 1, days[month as usize - 1])?;
    let before: i64 = days[..month as usize - 1].iter().sum();
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let days = (year - 1970) * 365 + leaps(year - 1) - leaps(1969) + before + day - 1;
    let (hours, minutes) = time.trim().split_once(':')?;
    let minutes = number(hours, 0, 23)? * 60 + number(minutes, 0, 59)?;
    Some((days * 1_440 + minutes) * 60 * SECOND)
}

/// A row that knows its line: the reader counts from before what it skips.
fn row(text: &str, read: Result<csv::StringRecord, csv::Error>) -> Result<csv::StringRecord, TraceError> {
    let mut row = read.map_err(|error| {
        let line = error.position().map_or(1, csv::Position::line);
        TraceError::Malformed { line, problem: format!("no CSV: {error}") }
    })?;
    if let Some(mut position) = row.position().cloned() {
        let rest = text.get(position.byte() as usize..).unwrap_or_default();
        let skipped = rest.lines().take_while(|line| line.is_empty() || line.starts_with('#')).count();
        position.set_line(position.line() + skipped as u64);
        row.set_position(Some(position));
    }
    Ok(row)
}

fn malformed(row: &csv::StringRecord, problem: String) -> TraceError {
    TraceError::Malformed { line: row.position().map_or(1, csv::Position::line), problem }
}

/// Enough of a text to recognise it.
fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn nodes(count: u32) -> Vec<NodeId> {
        (0..count).map(NodeId).collect()
    }

    /// Node, beginning and end in seconds.
    fn shown(trace: &Trace, count: u32, skip: u64, hour: Duration) -> Vec<(u32, u64, u64)> {
        let seconds = |time: Time| time.since(Time::ZERO).as_nanos() / SECOND as u64;
        let outages = trace.outages(&nodes(count), Duration::from_secs(skip), hour);
        outages.iter().map(|outage| (outage.node.0, seconds(outage.from), seconds(outage.until))).collect()
    }

    #[test]
    fn a_plain_trace_says_which_node_is_down_from_when_until_when() {
        let text = "# ours\nup_s, node, down_s, why\n20,1,10,disk\n5.5,0,2,\n40,1,15,\"power, net\"\n60,1,40,\n,2,50,\n9,7,1,\n";
        let trace = Trace::parse(text, None).unwrap();
        let never = u64::MAX / SECOND as u64;
        assert_eq!(shown(&trace, 8, 0, HOUR), [(7, 1, 9), (0, 2, 5), (1, 10, 60), (2, 50, never)]);
        assert_eq!(trace.nodes(), 4);
        // Who is not there does not fail; what is over is left out; who is down is so from the beginning.
        assert_eq!(shown(&trace, 3, 30, HOUR), [(1, 0, 30), (2, 20, never)]);
        assert_eq!(shown(&trace, 2, 0, HOUR * 2), [(0, 4, 11), (1, 20, 120)]);
    }

    #[test]
    fn the_format_of_lanl_is_read_by_its_columns() {
        let text = "System,nodenumz,fru type,Prob Started,Prob Fixed\n\
                    20,5,\"a, b\",12/31/1999 23:30,1/1/2000 0:10\n\
                    20,9,x,2/28/2000 23:59,3/1/2000 0:00\n\
                    3,5,x,12/31/1999 22:30,12/31/1999 22:30\n\
                    17,,x,1/8/1997 8:40,1/8/1997 8:50\n";
        let trace = Trace::parse(text, Some(20)).unwrap();
        let leap = (58 * 1_440 + 24 * 60 + 29) * 60;
        assert_eq!(shown(&trace, 2, 0, HOUR), [(0, 0, 2_400), (1, leap, leap + 86_460)]);
        // All systems, one after the other: the node of system 3 comes first.
        let trace = Trace::parse(text, None).unwrap();
        assert_eq!(shown(&trace, 2, 0, HOUR), [(0, 0, 0), (1, 3_600, 6_000)]);
        assert_eq!(trace.nodes(), 3);
        let error = Trace::parse(text, Some(17)).unwrap_err().to_string();
        assert_eq!(error, "there is no system 17 with numbered nodes in it: it has 3, 20");
    }

    #[test]
    fn damage_is_told_with_its_line_and_what_was_expected() {
        let lanl = "System,nodenumz,Prob Started,Prob Fixed\n";
        for (text, error) in [
            ("", "there is no outage in it"),
            ("node,down_s,up_s\n", "there is no outage in it"),
            (
                "0,1,2\n",
                "line 1: expected the columns `node,down_s,up_s`, or `System`, `nodenumz`, `Prob Started` and `Prob Fixed`, found `0,1,2`",
            ),
            ("node,down_s,up_s\n0,1,2\nx,1,2\n", "line 3: expected the number of a node, found `x`"),
            (
                "node,down_s,up_s\n\n# no\n0,-1,2\n",
                "line 4: expected a time from 0 to 1e9 seconds, found `-1`",
            ),
            ("node,down_s,up_s\n0\n", "line 2: expected a time from 0 to 1e9 seconds, found nothing"),
            ("node,down_s,up_s\n0,1,NaN\n", "line 2: expected a time from 0 to 1e9 seconds, found `NaN`"),
            ("node,down_s,up_s\n0,3,2\n", "line 2: expected an outage that begins before it ends"),
            (
                &format!("{lanl}2,0,2/29/1999 1:00,3/1/1999 1:00"),
                "line 2: expected a time such as `6/21/2005 10:54`, found `2/29/1999 1:00`",
            ),
            (
                &format!("{lanl}2,0,1/1/1999 24:00,3/1/1999 1:00"),
                "line 2: expected a time such as `6/21/2005 10:54`, found `1/1/1999 24:00`",
            ),
            (
                &format!("{lanl}two,0,1/1/1999 1:00,3/1/1999 1:00"),
                "line 2: expected the number of a system, found `two`",
            ),
        ] {
            assert_eq!(Trace::parse(text, None).unwrap_err().to_string(), error, "{text:?}");
        }
        let error = Trace::parse("node,down_s,up_s\n0,1,2\n", Some(2)).unwrap_err();
        assert!(error.to_string().ends_with("it has no column `System`"), "{error}");
    }

    proptest! {
        /// Nothing that a file can hold ends anything but with an error, and what is read is in order and apart.
        #[test]
        fn any_text_is_a_trace_or_an_error(rows in proptest::collection::vec("[0-9a/: .,\"#-]{0,20}", 0..8), plain: bool) {
            let header = if plain { "node,down_s,up_s" } else { "System,nodenumz,Prob Started,Prob Fixed" };
            let _ = Trace::parse(&rows.join("\n"), None);
            let _ = Trace::parse(&format!("{header}\n{}", rows.join("\n")), None);
        }

        #[test]
        fn outages_of_a_node_never_touch(spans in proptest::collection::vec((0_u32..3, 0_u32..50, 0_u32..9), 1..30)) {
            let rows: Vec<_> = spans.iter().map(|(node, from, lasts)| format!("{node},{from},{}", from + lasts)).collect();
            let trace = Trace::parse(&format!("node,down_s,up_s\n{}", rows.join("\n")), None).unwrap();
            let outages = trace.outages(&nodes(3), Duration::ZERO, HOUR);
            prop_assert!(outages.is_sorted_by_key(|outage| outage.from));
            for node in nodes(3) {
                let own: Vec<_> = outages.iter().filter(|outage| outage.node == node).collect();
                prop_assert!(own.windows(2).all(|pair| pair[0].until < pair[1].from));
                let seconds = |at: u32| Time::ZERO + Duration::from_secs(u64::from(at));
                for &(_, from, lasts) in spans.iter().filter(|span| span.0 == node.0) {
                    prop_assert!(own.iter().any(|own| own.from <= seconds(from) && seconds(from + lasts) <= own.until));
                }
            }
        }
    }
}
