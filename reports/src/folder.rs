//! A run folder: an experiment as CSV files, written once and read again by whoever draws or doubts it.
//!
//! The files follow RFC 4180 with LF line ends and hold nothing that changes when a run is repeated. Reading
//! trusts nothing: sizes are bounded, and damage is reported with the file, the line and what was expected.

use crate::rows::*;
use crate::{Error, Result, stats};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

/// The largest file of data, and of anything that describes them.
const DATA_BYTES_MAX: u64 = 2 << 30;
const DESCRIPTION_BYTES_MAX: u64 = 64 << 20;
const DRAWN_MAX: usize = 1_000;
const RECORDS_MAX: usize = 10_000_000;
const COLUMNS_MAX: usize = 2_000;
const FIELD_BYTES_MAX: usize = 1 << 20;

/// The columns that every `runs.csv` has, beside the experiment's own.
const META: [(&str, &str); 5] = [
    ("point", "index of the point in the sweep"),
    ("seed", "the seed; with the point it repeats the run exactly"),
    ("digest", "digest of every event, notice and final state of the run"),
    ("verdict", "`holds` if every check held, else `violated`"),
    ("violated", "names of the checks that did not hold, separated by `;`"),
];

/// Everything that came out of an experiment: what a run folder holds.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Experiment {
    pub about: Vec<About>,
    /// The columns of `runs.csv` other than [`Role::Meta`].
    pub columns: Vec<Column>,
    pub runs: Vec<Run>,
    pub samples: Vec<Sample>,
    pub spans: Vec<Span>,
    pub bars: Vec<Bar>,
    pub bar_nodes: Vec<BarNode>,
    pub faults: Vec<Fault>,
    pub series: Vec<Series>,
    pub checks: Vec<Check>,
    pub violations: Vec<Violation>,
    pub charts: Vec<Chart>,
    pub tables: Vec<Table>,
    pub expected: Vec<Expected>,
}

/// The columns that describe a sample metric in `runs.csv`: `x.n`, `x.mean`, `x.p50`, `x.p95`, `x.p99`,
/// `x.max`.
pub fn sample_columns(metric: &Column) -> [Column; 6] {
    let column = |stem: &str, unit: &str, what: &str| Column {
        name: format!("{}.{stem}", metric.name),
        role: Role::Metric,
        unit: unit.into(),
        about: format!("{what} {} within one run", metric.name),
    };
    [
        column("n", "", "number of values of"),
        column("mean", &metric.unit, "mean of"),
        column("p50", &metric.unit, "median of"),
        column("p95", &metric.unit, "95th percentile of"),
        column("p99", &metric.unit, "99th percentile of"),
        column("max", &metric.unit, "largest"),
    ]
}

/// The values of [`sample_columns`] for the values that one run gave, in any order.
pub fn sample_values(samples: &[f64]) -> [Value; 6] {
    let mut ascending = samples.to_vec();
    ascending.sort_by(f64::total_cmp);
    let value = |number: Option<f64>| number.map_or(Value::Empty, Value::number);
    let quantile = |p| value(stats::quantile(&ascending, p));
    let count = Value::Number(ascending.len() as f64);
    let mean = value(stats::mean(&ascending));
    [count, mean, quantile(0.5), quantile(0.95), quantile(0.99), value(ascending.last().copied())]
}

impl Experiment {
    /// The columns of the given roles, in order.
    pub fn columns_of(&self, roles: &[Role]) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(move |column| roles.contains(&column.role))
    }

    /// Writes every table into `dir`, which is created if it does not exist.
    ///
    /// Fails if the tables contradict each other (see [`Experiment::check`]) or a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        self.check()?;
        std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
        self.remove_drawings_of_others(dir)?;
        write_rows(dir, &self.about)?;
        write_rows(dir, &self.described())?;
        write_records(dir, "runs.csv", &self.runs_header(), self.runs.iter().map(run_record))?;
        write_rows(dir, &self.samples)?;
        write_rows(dir, &self.spans)?;
        write_rows(dir, &self.bars)?;
        write_rows(dir, &self.bar_nodes)?;
        write_rows(dir, &self.faults)?;
        write_rows(dir, &self.series)?;
        write_rows(dir, &self.checks)?;
        write_rows(dir, &self.violations)?;
        write_rows(dir, &self.charts)?;
        write_rows(dir, &self.tables)?;
        write_rows(dir, &self.expected)
    }

    /// Removes what an earlier experiment in the same folder has drawn and this one will not draw over.
    fn remove_drawings_of_others(&self, dir: &Path) -> Result<()> {
        let earlier: Vec<Chart> = read_rows(dir).unwrap_or_default();
        let is_ours = |name: &str| self.charts.iter().any(|chart| chart.name == name);
        for chart in earlier.iter().filter(|chart| chart.is_named_well() && !is_ours(&chart.name)) {
            for ending in ["svg", "png"] {
                let path = dir.join("charts").join(format!("{}.{ending}", chart.name));
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(Error::io(&path)(error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Reads a folder that [`Experiment::write`] wrote, or somebody edited.
    ///
    /// `about.csv`, `columns.csv` and `runs.csv` must exist; a table that does not is empty.
    pub fn read(dir: &Path) -> Result<Experiment> {
        for file in [About::FILE, Column::FILE, "runs.csv"] {
            std::fs::metadata(dir.join(file)).map_err(Error::io(&dir.join(file)))?;
        }
        let mut experiment = Experiment {
            about: read_rows(dir)?,
            columns: read_rows(dir)?,
            samples: read_rows(dir)?,
            spans: read_rows(dir)?,
            bars: read_rows(dir)?,
            bar_nodes: read_rows(dir)?,
            faults: read_rows(dir)?,
            series: read_rows(dir)?,
            checks: read_rows(dir)?,
            violations: read_rows(dir)?,
            charts: read_rows(dir)?,
            tables: read_rows(dir)?,
            expected: read_rows(dir)?,
            runs: Vec::new(),
        };
        experiment.columns.retain(|column| column.role != Role::Meta);
        experiment.check_columns()?;
        experiment.runs = experiment.read_runs(dir)?;
        experiment.check()?;
        Ok(experiment)
    }

    /// Whether the tables fit together: unique columns, charts and tables, one row per point and seed, equal keys within a point,
    /// and nothing that refers to a run that does not exist.
    pub fn check(&self) -> Result<()> {
        self.check_columns()?;
        check_names(Chart::FILE, self.charts.iter().map(|chart| chart.name.as_str()))?;
        check_names(Table::FILE, self.tables.iter().map(|table| table.name.as_str()))?;
        let mut seen = BTreeSet::new();
        let mut keys = std::collections::BTreeMap::new();
        let key_count = self.columns_of(&[Role::Key]).count();
        let value_count = self.columns_of(&[Role::Metric, Role::Text]).count();
        for (index, run) in self.runs.iter().enumerate() {
            let wrong = |problem: String| Err(Error::record("runs.csv", index, problem));
            if run.keys.len() != key_count || run.values.len() != value_count {
                return wrong(format!("expected {key_count} keys and {value_count} values"));
            }
            if !seen.insert((run.point, run.seed)) {
                return wrong(format!("point {} with seed {} occurs twice", run.point, run.seed));
            }
            if *keys.entry(run.point).or_insert(&run.keys) != &run.keys {
                return wrong(format!("point {} has other keys in an earlier record", run.point));
            }
        }
        check_refers(Sample::FILE, &seen, self.samples.iter().map(|row| (row.point, row.seed)))?;
        check_refers(Span::FILE, &seen, self.spans.iter().map(|row| (row.point, row.seed)))?;
        check_refers(Bar::FILE, &seen, self.bars.iter().map(|row| (row.point, row.seed)))?;
        check_refers(BarNode::FILE, &seen, self.bar_nodes.iter().map(|row| (row.point, row.seed)))?;
        check_refers(Fault::FILE, &seen, self.faults.iter().map(|row| (row.point, row.seed)))?;
        check_refers(Series::FILE, &seen, self.series.iter().map(|row| (row.point, row.seed)))?;
        check_periods(Span::FILE, self.spans.iter().map(|row| (row.from_s, row.to_s)))?;
        check_periods(Bar::FILE, self.bars.iter().map(|row| (row.from_s, row.to_s)))?;
        check_periods(Fault::FILE, self.faults.iter().map(|row| (row.from_s, row.to_s)))
    }

    fn check_columns(&self) -> Result<()> {
        let mut names: BTreeSet<&str> = META.iter().map(|(name, _)| *name).collect();
        for (index, column) in self.columns.iter().enumerate() {
            if column.role == Role::Meta || column.name.is_empty() || !names.insert(&column.name) {
                let problem = format!("column `{}` is unnamed, reserved or there twice", column.name);
                return Err(Error::record(Column::FILE, index, problem));
            }
        }
        Ok(())
    }

    /// The rows of `columns.csv`: in the order of the header, the meta columns among them.
    fn described(&self) -> Vec<Column> {
        let meta = META.iter().map(|(name, about)| Column {
            name: (*name).into(),
            role: Role::Meta,
            unit: String::new(),
            about: (*about).into(),
        });
        let keys = self.columns_of(&[Role::Key]).cloned();
        let values = self.columns_of(&[Role::Metric, Role::Text, Role::Sample, Role::Series]).cloned();
        meta.clone().take(1).chain(keys).chain(meta.skip(1)).chain(values).collect()
    }

    fn runs_header(&self) -> Vec<String> {
        let described = self.described().into_iter();
        described
            .filter(|column| ![Role::Sample, Role::Series].contains(&column.role))
            .map(|column| column.name)
            .collect()
    }

    fn read_runs(&self, dir: &Path) -> Result<Vec<Run>> {
        let roles: Vec<Role> =
            self.columns_of(&[Role::Metric, Role::Text]).map(|column| column.role).collect();
        let key_count = self.columns_of(&[Role::Key]).count();
        let header = self.runs_header();
        let mut runs = Vec::new();
        read_records(dir, "runs.csv", &header, |record| {
            runs.push(parse_run(record, key_count, &roles, &header)?);
            Ok(())
        })?;
        Ok(runs)
    }
}

fn run_record(run: &Run) -> Vec<String> {
    let verdict = match run.verdict {
        Verdict::Holds => "holds",
        Verdict::Violated => "violated",
    };
    let meta = [run.seed.to_string(), run.digest.clone(), verdict.into(), run.violated.join(";")];
    let start = [run.point.to_string()].into_iter().chain(run.keys.iter().cloned());
    start.chain(meta).chain(run.values.iter().map(Value::to_string)).collect()
}

fn parse_run(
    record: &csv::StringRecord,
    key_count: usize,
    roles: &[Role],
    header: &[String],
) -> std::result::Result<Run, String> {
    let field = |at: usize| record.get(at).unwrap_or_default();
    let expected =
        |at: usize, what: &str| format!("expected {what} in `{}`, found `{}`", header[at], field(at));
    let seed = key_count + 1;
    let verdict = match field(seed + 2) {
        "holds" => Verdict::Holds,
        "violated" => Verdict::Violated,
        _ => return Err(expected(seed + 2, "`holds` or `violated`")),
    };
    let value = |(role, at): (&Role, usize)| match (role, field(at)) {
        (_, "") => Ok(Value::Empty),
        (Role::Text, text) => Ok(Value::Text(text.into())),
        (_, text) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Number(number)),
            _ => Err(expected(at, "a finite number or nothing")),
        },
    };
    Ok(Run {
        point: field(0).parse().map_err(|_| expected(0, "a whole number"))?,
        keys: (1..seed).map(|at| field(at).to_owned()).collect(),
        seed: field(seed).parse().map_err(|_| expected(seed, "a whole number"))?,
        digest: field(seed + 1).into(),
        verdict,
        violated: field(seed + 3).split(';').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        values: roles.iter().zip(seed + 4..).map(value).collect::<std::result::Result<_, _>>()?,
    })
}

fn check_names<'n>(file: &str, names: impl Iterator<Item = &'n str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name) || index >= DRAWN_MAX {
            let problem =
                format!("expected at most {DRAWN_MAX} different names, found `{name}` again or as one more");
            return Err(Error::record(file, index, problem));
        }
    }
    Ok(())
}

fn check_refers(
    file: &str,
    runs: &BTreeSet<(u32, u64)>,
    referring: impl Iterator<Item = (u32, u64)>,
) -> Result<()> {
    let mut known = None;
    for (index, run) in referring.enumerate() {
        if known != Some(run) && !runs.contains(&run) {
            let problem = format!("point {} with seed {} is not in runs.csv", run.0, run.1);
            return Err(Error::record(file, index, problem));
        }
        known = Some(run);
    }
    Ok(())
}

fn check_periods(file: &str, periods: impl Iterator<Item = (f64, f64)>) -> Result<()> {
    for (index, (from, to)) in periods.enumerate() {
        if from < 0.0 || to < from {
            return Err(Error::record(
                file,
                index,
                format!("expected 0 <= from_s <= to_s, found {from}, {to}"),
            ));
        }
    }
    Ok(())
}

fn write_rows<R: Row>(dir: &Path, rows: &[R]) -> Result<()> {
    let path = dir.join(R::FILE);
    let mut writer = writer(&path)?;
    let header = writer.write_record(R::COLUMNS);
    let written = header.and_then(|()| rows.iter().try_for_each(|row| writer.serialize(row)));
    written.and_then(|()| Ok(writer.flush()?)).map_err(|error| csv_error(R::FILE, &path, error))
}

/// Writes a table of text with the given header.
pub(crate) fn write_records(
    dir: &Path,
    file: &str,
    header: &[String],
    records: impl Iterator<Item = Vec<String>>,
) -> Result<()> {
    let path = dir.join(file);
    let mut writer = writer(&path)?;
    let mut written = writer.write_record(header);
    for record in records {
        written = written.and_then(|()| writer.write_record(&record));
    }
    written.and_then(|()| Ok(writer.flush()?)).map_err(|error| csv_error(file, &path, error))
}

fn writer(path: &Path) -> Result<csv::Writer<File>> {
    let file = File::create(path).map_err(Error::io(path))?;
    Ok(csv::WriterBuilder::new().has_headers(false).from_writer(file))
}

fn read_rows<R: Row>(dir: &Path) -> Result<Vec<R>> {
    let path = dir.join(R::FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let header: Vec<String> = R::COLUMNS.iter().map(|column| (*column).into()).collect();
    let names = csv::StringRecord::from(R::COLUMNS.to_vec());
    let mut rows = Vec::new();
    read_records(dir, R::FILE, &header, |record| {
        rows.push(record.deserialize(Some(&names)).map_err(|error| explain(record, R::COLUMNS, error))?);
        Ok(())
    })?;
    Ok(rows)
}

/// Reads records of text under exactly the given header; `take` says what is wrong with one.
fn read_records(
    dir: &Path,
    file: &str,
    header: &[String],
    mut take: impl FnMut(&csv::StringRecord) -> std::result::Result<(), String>,
) -> Result<()> {
    let path = dir.join(file);
    let at = |line: u64, problem: String| Error::Table {
        file: file.into(),
        place: format!("line {line}"),
        problem,
    };
    let opened = File::open(&path).map_err(Error::io(&path))?;
    let size = opened.metadata().map_err(Error::io(&path))?.len();
    let is_data = ["runs.csv", Sample::FILE, Series::FILE, Span::FILE, Bar::FILE].contains(&file);
    let size_max = if is_data { DATA_BYTES_MAX } else { DESCRIPTION_BYTES_MAX };
    if size > size_max || header.len() > COLUMNS_MAX {
        return Err(at(1, format!("expected at most {size_max} bytes and {COLUMNS_MAX} columns")));
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(opened);
    let mut record = csv::StringRecord::new();
    let mut count = 0usize;
    while reader.read_record(&mut record).map_err(|error| csv_error(file, &path, error))? {
        let line = record.position().map_or(0, csv::Position::line);
        if count == 0 {
            if record.iter().ne(header.iter()) {
                return Err(at(line, format!("expected the header `{}`", header.join(","))));
            }
        } else if record.len() != header.len() {
            return Err(at(line, format!("expected {} fields, found {}", header.len(), record.len())));
        } else if count > RECORDS_MAX || record.iter().any(|field| field.len() > FIELD_BYTES_MAX) {
            let limits = format!("{RECORDS_MAX} records with fields of {FIELD_BYTES_MAX} bytes");
            return Err(at(line, format!("expected at most {limits}")));
        } else {
            take(&record).map_err(|problem| at(line, problem))?;
        }
        count += 1;
    }
    if count == 0 {
        return Err(at(1, format!("expected the header `{}`, found an empty file", header.join(","))));
    }
    Ok(())
}

fn explain(record: &csv::StringRecord, columns: &[&str], error: csv::Error) -> String {
    use csv::DeserializeErrorKind as Kind;
    let csv::ErrorKind::Deserialize { err, .. } = error.kind() else { return error.to_string() };
    let what = match err.kind() {
        Kind::ParseInt(_) => "expected a whole number".into(),
        Kind::ParseFloat(_) => "expected a number".into(),
        Kind::ParseBool(_) => "expected `true` or `false`".into(),
        Kind::Message(message) => message.clone(),
        other => other.to_string(),
    };
    match err.field().map(|at| at as usize) {
        Some(at) => format!(
            "{what} in `{}`, found `{}`",
            columns.get(at).unwrap_or(&"?"),
            record.get(at).unwrap_or_default()
        ),
        None => what,
    }
}

fn csv_error(file: &str, path: &Path, error: csv::Error) -> Error {
    let place = error.position().map_or_else(|| "record ?".into(), |at| format!("line {}", at.line()));
    let problem = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "expected UTF-8 text".into(),
        _ => error.to_string(),
    };
    match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::Io { path: path.to_owned(), source },
        _ => Error::Table { file: file.into(), place, problem },
    }
}
