//! Figures in the text format of Prometheus, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::node::{Figure, FigureKind};

/// The media type of the format.
pub(super) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All figures of one name stand together below their description. Of several with the same name and labels the last one
/// counts, because a reader refuses them all otherwise.
pub(super) fn render(figures: &[Figure]) -> String {
    let mut families: BTreeMap<String, (&Figure, BTreeMap<String, f64>)> = BTreeMap::new();
    for figure in figures {
        let (_, values) = families.entry(name(figure)).or_insert_with(|| (figure, BTreeMap::new()));
        values.insert(labels(figure), figure.value);
    }
    let mut text = String::new();
    for (name, (figure, values)) in families {
        let kind = match figure.kind {
            FigureKind::Counter => "counter",
            FigureKind::Gauge => "gauge",
        };
        let help = figure.help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "{name}{labels} {}", number(value));
        }
    }
    text
}

/// The name, as the format allows it; that of a counter ends in `_total`.
fn name(figure: &Figure) -> String {
    let mut name = word(figure.name, ':');
    if figure.kind == FigureKind::Counter && !name.ends_with("_total") {
        name.push_str("_total");
    }
    name
}

fn labels(figure: &Figure) -> String {
    if figure.labels.is_empty() {
        return String::new();
    }
    let label = |(name, value): &(&str, String)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{}=\"{value}\"", word(name, '_'))
    };
    format!("{{{}}}", figure.labels.iter().map(label).collect::<Vec<_>>().join(","))
}

/// Letters, digits, `_` and one other; no digit first.
fn word(text: &str, other: char) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == other { c } else { '_' };
    let word: String = text.chars().map(allowed).collect();
    if word.starts_with(|c: char| c.is_ascii_digit()) || word.is_empty() { format!("_{word}") } else { word }
}

fn number(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".into(),
        f64::INFINITY => "+Inf".into(),
        f64::NEG_INFINITY => "-Inf".into(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_stand_together_with_their_description() {
        let figures = [
            Figure::counter("frames_sent", "Frames that left.", 2).with("peer", "1"),
            Figure::gauge("up", "Whether it is up.", 1.0),
            Figure::counter("frames_sent", "Frames that left.", 3).with("peer", "2"),
            Figure::counter("frames_sent", "Frames that left.", 4).with("peer", "2"),
        ];
        let text = "# HELP frames_sent_total Frames that left.\n\
                    # TYPE frames_sent_total counter\n\
                    frames_sent_total{peer=\"1\"} 2\n\
                    frames_sent_total{peer=\"2\"} 4\n\
                    # HELP up Whether it is up.\n\
                    # TYPE up gauge\n\
                    up 1\n";
        assert_eq!(render(&figures), text);
    }

    #[test]
    fn what_would_break_a_line_is_escaped() {
        let figure = Figure::gauge("9 lives-left", "A \\ and\na new line.", f64::INFINITY)
            .with("a name", "quote \" slash \\ line \n end");
        let text = "# HELP _9_lives_left A \\\\ and\\na new line.\n\
                    # TYPE _9_lives_left gauge\n\
                    _9_lives_left{a_name=\"quote \\\" slash \\\\ line \\n end\"} +Inf\n";
        assert_eq!(render(&[figure]), text);
    }

    #[test]
    fn numbers_are_written_in_full() {
        for (value, text) in [(0.0, "0"), (0.25, "0.25"), (-3.0, "-3"), (1e21, "1000000000000000000000")] {
            assert_eq!(number(value), text);
        }
        assert_eq!([f64::NAN, f64::NEG_INFINITY].map(number), ["NaN", "-Inf"]);
    }
}
