//! What varies from run to run: axes of a sweep, and the points that they span.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use seedbed_core::settings;
use seedbed_core::settings::{Node, Problem, Problems, Span, Spanned, Value};

use super::{Assignments, Range, overlay};

/// A sweep has at most so many points.
pub const POINTS_MAX: usize = 10_000;

const NAME_LEN: RangeInclusive<usize> = 1..=100;

settings! {
    /// One axis of a sweep: a key with its values, or cases that each set several keys.
    pub struct Axis {
        /// The key that varies, with dots: `params.timeout_min`, `fault.leader-crash.every`.
        pub key: Option<Spanned<String>> = None;
        /// What tables and charts call it. The key, if nothing is said.
        pub name: Option<Spanned<String>> = None, in NAME_LEN;
        /// The values, one by one.
        pub values: Option<Spanned<Vec<Node>>> = None;
        /// The values, by their bounds.
        pub range: Option<Spanned<Range>> = None;
        /// Cases, each with a label and the keys that it sets.
        pub cases: Option<Spanned<Vec<Case>>> = None;
    }
    verify = Axis::consistent;
}

settings! {
    /// One case of an axis.
    pub struct Case {
        /// What tables and charts call it.
        pub label: String, in NAME_LEN;
        /// The keys that it sets: `{ params.pre_vote = false, "network.loss" = 0.1 }`.
        pub set: Assignments;
    }
}

/// One combination of the values of all axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// Its place in the order: the last axis varies fastest.
    pub index: usize,
    /// For each axis its name and the value's text.
    pub labels: Vec<(String, String)>,
    /// The same as `--set` takes it.
    pub arguments: Vec<(String, String)>,
    /// The keys to set, and to what.
    pub overlay: Vec<(Spanned<String>, Node)>,
}

/// What an axis does at one of its values.
struct Step {
    label: String,
    argument: String,
    sets: Vec<(Spanned<String>, Node)>,
}

/// All points, in order; without axes, the one point that sets nothing.
///
/// # Errors
/// If an axis repeats itself or another's key, or if there are more than [`POINTS_MAX`] points.
pub fn expand(axes: &[Axis]) -> Result<Vec<Point>, Problems> {
    let (mut problems, mut names, mut keys) = (Problems::default(), BTreeSet::new(), BTreeSet::new());
    let mut points = vec![Point::default()];
    for axis in axes {
        let steps = axis.steps();
        if !names.insert(axis.name()) {
            problems.push(Problem::new(axis.span(), format!("two axes are called `{}`", axis.name())));
        }
        let own: BTreeSet<_> =
            steps.iter().flat_map(|step| &step.sets).map(|(key, _)| key.value.clone()).collect();
        if let Some(key) = own.iter().find(|key| keys.contains(*key)) {
            problems.push(Problem::new(axis.span(), format!("two axes set `{key}`")));
        }
        keys.extend(own);
        let mut labels = BTreeSet::new();
        if let Some(step) = steps.iter().find(|step| !labels.insert(&step.label)) {
            problems.push(Problem::new(axis.span(), format!("`{}` appears twice", step.label)));
        }
        if points.len().saturating_mul(steps.len()) > POINTS_MAX {
            let problem = Problem::new(axis.span(), "the sweep has too many points");
            problems.push(problem.expected(format!("at most {POINTS_MAX}")));
            break;
        }
        points =
            points.iter().flat_map(|point| steps.iter().map(|step| point.with(axis.name(), step))).collect();
    }
    points.iter_mut().enumerate().for_each(|(index, point)| point.index = index);
    if problems.is_empty() { Ok(points) } else { Err(problems) }
}

impl Point {
    fn with(&self, axis: &str, step: &Step) -> Self {
        let mut point = self.clone();
        point.labels.push((axis.into(), step.label.clone()));
        point.arguments.push((axis.into(), step.argument.clone()));
        point.overlay.extend(step.sets.iter().cloned());
        point
    }
}

impl Axis {
    /// What tables and charts call it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_ref().or(self.key.as_ref()).map_or("", |name| name)
    }

    /// Where it is written: its key, or its name.
    #[must_use]
    pub fn span(&self) -> Span {
        self.key.as_ref().or(self.name.as_ref()).map_or(Span::default(), |name| name.span)
    }

    /// Whether `--set` means it by this key.
    #[must_use]
    pub fn is_meant(&self, key: &str) -> bool {
        self.name() == key || self.key.as_ref().is_some_and(|own| own.value == key)
    }

    /// What its values are called.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.steps().into_iter().map(|step| step.label).collect()
    }

    /// The values that it gives to this key.
    pub fn values_of(&self, key: &str) -> impl Iterator<Item = Node> {
        let sets = self.steps().into_iter().flat_map(|step| step.sets);
        sets.filter(move |(name, _)| name.value == key).map(|(_, value)| value)
    }

    /// Leaves one value only: the case of this label, as it was said or as it was read, or any value of its key.
    ///
    /// # Errors
    /// If there is no such case.
    pub fn narrow(&mut self, said: &str, value: Node) -> Result<(), Problem> {
        let wanted = label(&value.value);
        let Some(cases) = &mut self.cases else {
            self.range = None;
            self.values = Some(Spanned { span: value.span, value: vec![value] });
            return Ok(());
        };
        let is_wanted = |case: &Case| case.label == said.trim() || case.label == wanted;
        match cases.iter().position(is_wanted) {
            Some(place) => cases.value = vec![cases.value.swap_remove(place)],
            None => {
                let labels = cases.iter().map(|case| case.label.as_str());
                return Err(Problem::unknown(value.span, "case", said.trim(), labels));
            }
        }
        Ok(())
    }

    fn steps(&self) -> Vec<Step> {
        if let Some(cases) = &self.cases {
            let step = |case: &Case| Step {
                label: case.label.clone(),
                argument: argument(&Value::Text(case.label.clone())),
                sets: case.set.0.clone(),
            };
            return cases.iter().map(step).collect();
        }
        let key = self.key.clone().unwrap_or_else(|| String::new().into());
        let step = |node: Node| Step {
            label: label(&node.value),
            argument: argument(&node.value),
            sets: vec![(key.clone(), node)],
        };
        let listed = self.values.iter().flat_map(|values| values.iter().cloned());
        let ranged = self.range.iter().flat_map(|range| range.nodes(range.span));
        listed.chain(ranged).map(step).collect()
    }

    fn consistent(&self) -> Result<(), (&'static str, String)> {
        let given = [
            ("values", self.values.as_ref().map(|values| values.is_empty())),
            ("range", self.range.as_ref().map(|_| false)),
            ("cases", self.cases.as_ref().map(|cases| cases.is_empty())),
        ];
        let given: Vec<_> = given.into_iter().filter_map(|(name, empty)| Some((name, empty?))).collect();
        match (given.as_slice(), &self.key, &self.name) {
            ([], ..) => Err(("key", "has no values: write `values`, `range` or `cases`".into())),
            ([_, (second, _), ..], ..) => Err((second, "does not go with the values given before".into())),
            ([(only, true)], ..) => Err((only, "is empty: the sweep would run nothing".into())),
            ([("cases", _)], Some(_), _) => {
                Err(("key", "does not go with `cases`, which name their keys".into()))
            }
            ([("cases", _)], None, None) => Err(("cases", "needs a `name` beside it".into())),
            ([(only @ ("values" | "range"), _)], None, _) => Err((only, "needs a `key` beside it".into())),
            _ => Ok(()),
        }
    }
}

/// A value in a table of results: a text without its quotes.
fn label(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value as an argument that is read as the same again: a text without its quotes, where they are not needed.
fn argument(value: &Value) -> String {
    match value {
        Value::Text(text) if overlay::is_read_as_text(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Document;

    settings! {
        /// A sweep, and nothing else that is read.
        struct Swept {
            /// The axes.
            sweep: Vec<Axis>;
            /// What varies.
            params: Option<Node> = None;
        }
    }

    fn axes(text: &str) -> Vec<Axis> {
        let document = Document::parse("file.toml", text).expect("it is TOML");
        document.read::<Swept>().map_err(|report| report.to_string()).expect("it is a sweep").sweep
    }

    #[test]
    fn points_are_the_product_in_the_order_of_the_file() {
        let axes = axes(
            "
            [[sweep]]
            name = \"variant\"
            cases = [
                { label = \"bare\", set = { params.pre_vote = false, \"params.lease\" = false } },
                { label = \"full\", set = { params = { pre_vote = true } } },
            ]
            [[sweep]]
            key = \"nodes\"
            values = [3, 5]
        ",
        );
        let points = expand(&axes).unwrap();
        let text = |point: &Point| {
            let labels: Vec<_> = point.labels.iter().map(|(axis, label)| format!("{axis} {label}")).collect();
            let sets: Vec<_> =
                point.overlay.iter().map(|(key, node)| format!("{}={}", key.value, node.value)).collect();
            format!("{} {} | {}", point.index, labels.join(", "), sets.join(", "))
        };
        assert_eq!(
            points.iter().map(text).collect::<Vec<_>>(),
            [
                "0 variant bare, nodes 3 | params.pre_vote=false, params.lease=false, nodes=3",
                "1 variant bare, nodes 5 | params.pre_vote=false, params.lease=false, nodes=5",
                "2 variant full, nodes 3 | params={ pre_vote = true }, nodes=3",
                "3 variant full, nodes 5 | params={ pre_vote = true }, nodes=5",
            ]
        );
        assert_eq!(expand(&[]).unwrap().len(), 1);
    }

    #[test]
    fn a_point_is_laid_over_the_document() {
        let text = "params = { a = 1, b = 2 }\nsweep = [{ key = \"params.b\", values = [3, \"x\"] }]";
        let document = Document::parse("file.toml", text).unwrap();
        let points = expand(&document.read::<Swept>().unwrap().sweep).unwrap();
        let params = |point: &Point| {
            let swept: Swept = document.with(&point.overlay).unwrap().read().unwrap();
            swept.params.unwrap().value.to_string()
        };
        assert_eq!(params(&points[0]), "{ a = 1, b = 3 }");
        assert_eq!(params(&points[1]), "{ a = 1, b = \"x\" }");
        let (key, value) = points[1].overlay[0].clone();
        let lost = [(Spanned { value: "params.a.c".into(), ..key }, value)];
        let shown = document.with(&lost).unwrap_err().to_string();
        assert!(
            shown.contains("`c` cannot be set in integer 1") && shown.contains("file.toml:2:18"),
            "{shown}"
        );
    }

    #[test]
    fn an_axis_is_narrowed_to_one_value_that_can_be_said_again() {
        let text = "sweep = [{ key = \"x\", values = [1, \"1\", 2.50, \"a b\", \"[\"] },
            { name = \"c\", cases = [{ label = \"1e3\", set.y = 1 }, { label = \"d\", set.y = 2 }] }]";
        let axes = axes(&text.replace('\n', ""));
        for axis in &axes {
            let whole = expand(std::slice::from_ref(axis));
            for point in whole.iter().flatten() {
                let mut document = Document::parse("file.toml", "").unwrap();
                let value = document.argument(axis.name(), &point.arguments[0].1).unwrap();
                let mut narrowed = axis.clone();
                narrowed.narrow(&point.arguments[0].1, value).unwrap();
                let again = expand(&[narrowed]).unwrap();
                let values =
                    |point: &Point| point.overlay.iter().map(|(_, n)| n.value.clone()).collect::<Vec<_>>();
                assert_eq!((again.len(), values(&again[0])), (1, values(point)), "{:?}", point.arguments);
                assert_eq!(again[0].labels, point.labels);
            }
        }
        let said = |text: &str| axes[1].clone().narrow(text, Node::unwritten(Value::Text(text.into())));
        let problem = said("dd").unwrap_err();
        assert_eq!(problem.to_string(), "unknown case `dd`: expected one of `1e3`, `d`; did you mean `d`?");
    }

    #[test]
    fn sweeps_that_repeat_themselves_or_never_end_are_refused() {
        let cases = [
            ("sweep = [{ key = \"x\", values = [1, 2, 1] }]", "`1` appears twice"),
            ("sweep = [{ key = \"x\", values = [1] }, { key = \"x\", values = [2] }]", "two axes set `x`"),
            (
                "sweep = [{ key = \"x\", values = [1] }, { key = \"y\", name = \"x\", values = [2] }]",
                "two axes are called `x`",
            ),
            (
                "[[sweep]]\nkey = \"x\"\nrange = { from = 1, to = 1000, step = 1 }\n\
                 [[sweep]]\nkey = \"y\"\nrange = { from = 1, to = 1000, step = 1 }",
                "the sweep has too many points",
            ),
        ];
        for (text, message) in cases {
            let problems = expand(&axes(text)).unwrap_err().to_string();
            assert!(problems.contains(message), "{problems}");
        }
    }
}
