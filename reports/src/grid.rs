//! A table of text, and its three forms: LaTeX with booktabs, GitHub's Markdown, and aligned columns.

use crate::Quantity;
use serde::Serialize;

/// Characters on a line of a LaTeX article in \footnotesize, and those that the gap between columns takes.
const LATEX_LINE: usize = 82;
const LATEX_COLUMN_GAP: usize = 3;
/// Columns without room in the terminal that are still named.
const LEFT_OUT_NAMED: usize = 6;

/// A table to print. Marks are ticks and crosses beside the text.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Grid {
    pub(crate) title: String,
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// What was left out, or how to read it.
    pub(crate) note: String,
    /// The number of columns at the left that name a row.
    pub(crate) keys: usize,
}

/// A cell: its text, and whether it is as expected where something was.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) is_right: Option<bool>,
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, is_right: None }
    }
}

impl Grid {
    /// Keeps the first rows and says so.
    pub(crate) fn limited(mut self, rows: usize, where_else: &str) -> Grid {
        if self.rows.len() > rows {
            let note =
                format!("{} of {} rows are shown; the rest is in {where_else}.", rows, self.rows.len());
            self.note = format!("{} {note}", self.note).trim().to_owned();
            self.rows.truncate(rows);
        }
        self
    }

    /// GitHub's Markdown.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = format!("### {}\n\n", markdown_text(&self.title));
        text += &line(self.header.iter().map(|cell| markdown_text(cell)).collect());
        text += &line(self.header.iter().enumerate().map(|(at, _)| self.dashes(at)).collect());
        for row in &self.rows {
            let mark = |cell: &Cell| cell.is_right.map_or("", |is_right| if is_right { " ✓" } else { " ✗" });
            text += &line(row.iter().map(|cell| markdown_text(&cell.text) + mark(cell)).collect());
        }
        if !self.note.is_empty() {
            text += &format!("\n{}\n", markdown_text(&self.note));
        }
        text
    }

    fn dashes(&self, column: usize) -> String {
        if self.is_numeric(column) { "---:".into() } else { ":---".into() }
    }

    /// One or more LaTeX table floats, so that each fits on a page's width; needs `booktabs`.
    pub(crate) fn latex(&self, label: &str) -> String {
        let parts = self.parts();
        let count = parts.len();
        let tables = parts.into_iter().zip(1..).map(|(mut part, number)| match count {
            1 => part.latex_float(label),
            _ => {
                part.title += &format!(" ({number} of {count})");
                part.latex_float(&format!("{label}-{number}"))
            }
        });
        tables.collect::<Vec<_>>().join("\n")
    }

    /// The columns in as many tables as a page's width needs, each with the columns that name its rows.
    fn parts(&self) -> Vec<Grid> {
        let widest = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| length(&cell.text));
            cells.chain([length(&self.header[at])]).max().unwrap_or(0) + LATEX_COLUMN_GAP
        };
        let named: usize = (0..self.keys).map(widest).sum();
        let mut parts: Vec<Vec<usize>> = vec![(0..self.keys).collect()];
        let mut used = named;
        for at in self.keys..self.header.len() {
            let last = parts.len() - 1;
            if used + widest(at) > LATEX_LINE && parts[last].len() > self.keys {
                parts.push((0..self.keys).collect());
                used = named;
            }
            used += widest(at);
            parts.last_mut().into_iter().for_each(|part| part.push(at));
        }
        let pick = |part: Vec<usize>| Grid {
            header: part.iter().map(|at| self.header[*at].clone()).collect(),
            rows: self.rows.iter().map(|row| part.iter().map(|at| row[*at].clone()).collect()).collect(),
            ..self.clone()
        };
        parts.into_iter().map(pick).collect()
    }

    fn latex_float(&self, label: &str) -> String {
        let alignment: String =
            (0..self.header.len()).map(|at| if self.is_numeric(at) { 'r' } else { 'l' }).collect();
        let line = |cells: Vec<String>| format!("    {} \\\\\n", cells.join(" & "));
        let mut text = format!(
            "\\begin{{table}}[htbp]\n  \\centering\\footnotesize\n  \\caption{{{}}}\\label{{tab:{label}}}\n",
            latex_text(&self.title)
        );
        text += &format!("  \\begin{{tabular}}{{@{{}}{alignment}@{{}}}}\n    \\toprule\n");
        text += &line(self.header.iter().map(|cell| latex_text(cell)).collect());
        text += "    \\midrule\n";
        for row in &self.rows {
            let mark = |cell: &Cell| match cell.is_right {
                None => "",
                Some(true) => "~\\(\\surd\\)",
                Some(false) => "~\\(\\times\\)",
            };
            text += &line(row.iter().map(|cell| latex_text(&cell.text) + mark(cell)).collect());
        }
        text += "    \\bottomrule\n  \\end{tabular}\n";
        if !self.note.is_empty() {
            text += &format!("  \\par\\smallskip\\footnotesize {}\n", latex_text(&self.note));
        }
        text + "\\end{table}\n"
    }

    /// Aligned columns of at most `width` characters; columns that find no room are named in a note.
    pub(crate) fn columns(&self, width: usize) -> String {
        let texts =
            |at: usize| self.rows.iter().map(move |row| row.get(at).map_or_else(String::new, terminal_text));
        let wide =
            |at: usize| texts(at).chain([terminal_line(&self.header[at])]).map(|text| length(&text)).max();
        let widths: Vec<usize> = (0..self.header.len()).map(|at| wide(at).unwrap_or(0)).collect();
        let mut used = 0;
        let fits = |wide: &&usize| {
            used += **wide + 2;
            used <= width + 2
        };
        let shown = widths.iter().take_while(fits).count().max(1).min(widths.len());
        let line = |cells: &mut dyn Iterator<Item = String>| {
            let padded = cells.take(shown).enumerate().map(|(at, text)| {
                let pad = " ".repeat(widths[at].saturating_sub(length(&text)));
                if self.is_numeric(at) { pad + &text } else { text + &pad }
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        let mut text = format!("{}\n\n", terminal_line(&self.title));
        text += &line(&mut self.header.iter().map(|cell| terminal_line(cell)));
        text += &line(&mut widths.iter().map(|width| "─".repeat(*width)));
        for row in &self.rows {
            text += &line(&mut row.iter().map(terminal_text));
        }
        if shown < widths.len() {
            let left = &self.header[shown..];
            let named = left[..left.len().min(LEFT_OUT_NAMED)].join(", ");
            let more = match left.len().saturating_sub(LEFT_OUT_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            text += &format!("No room for: {}{more}\n", terminal_line(&named));
        }
        if !self.note.is_empty() {
            text += &format!("{}\n", terminal_line(&self.note));
        }
        text
    }

    /// Whether a column holds figures, which are set flush right. What names a row may be a word that begins
    /// with a digit.
    pub(crate) fn is_numeric(&self, column: usize) -> bool {
        let starts_so = |text: &str| match column < self.keys {
            true => Quantity::parse(text).is_some(),
            false => text.starts_with(|c: char| c.is_ascii_digit() || c == '\u{2212}' || c == '–'),
        };
        let mut cells =
            self.rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.text.is_empty());
        cells.clone().next().is_some() && cells.all(|cell| starts_so(&cell.text))
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// One line without control characters: a table must not steer the terminal.
pub(crate) fn terminal_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .map(|c| if c == '\u{2009}' { ' ' } else { c })
        .collect()
}

fn terminal_text(cell: &Cell) -> String {
    let mark = cell.is_right.map_or("", |is_right| if is_right { " ✓" } else { " ✗" });
    terminal_line(&cell.text) + mark
}

/// Text that Markdown shows as it is.
pub(crate) fn markdown_text(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '\\' | '#' | '~' | '&' => {
                escaped.extend(['\\', c])
            }
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text that LaTeX shows as it is. What the standard fonts lack becomes a question mark.
pub(crate) fn latex_text(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', c]),
            '\\' => escaped += "\\textbackslash{}",
            '~' => escaped += "\\textasciitilde{}",
            '^' => escaped += "\\textasciicircum{}",
            '<' => escaped += "\\(<\\)",
            '>' => escaped += "\\(>\\)",
            '|' => escaped += "\\(|\\)",
            '"' | '”' => escaped += "''",
            '“' => escaped += "``",
            '[' | ']' => escaped.extend(['{', c, '}']),
            '±' => escaped += "\\(\\pm\\)",
            '×' => escaped += "\\(\\times\\)",
            '·' => escaped += "\\(\\cdot\\)",
            'µ' | 'μ' => escaped += "\\(\\mu\\)",
            '≤' => escaped += "\\(\\le\\)",
            '≥' => escaped += "\\(\\ge\\)",
            '\u{2212}' => escaped += "\\(-\\)",
            '\u{2009}' => escaped += "\\,",
            '–' => escaped += "--",
            '—' => escaped += "---",
            '…' => escaped += "\\ldots{}",
            '’' => escaped.push('\''),
            c if c.is_control() => escaped.push(' '),
            c if c.is_ascii() || ('\u{c0}'..='\u{17f}').contains(&c) => escaped.push(c),
            _ => escaped.push('?'),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let row = |name: &str, value: &str, is_right| {
            vec![Cell::from(name.to_owned()), Cell { text: value.into(), is_right }]
        };
        Grid {
            title: "50% of a|b".into(),
            header: vec!["who_is".into(), "value".into()],
            rows: vec![row("raft", "12 ± 3", None), row("ring & co", "4", Some(false))],
            note: String::new(),
            keys: 1,
        }
    }

    #[test]
    fn markdown_escapes_its_own_marks() {
        let expected = "### 50% of a\\|b\n\n| who\\_is | value |\n| :--- | ---: |\n| raft | 12 ± 3 |\n\
                        | ring \\& co | 4 ✗ |\n";
        assert_eq!(grid().markdown(), expected);
    }

    #[test]
    fn latex_escapes_its_own_marks() {
        let latex = grid().latex("t");
        assert!(
            latex.contains("\\caption{50\\% of a\\(|\\)b}")
                && latex.contains("ring \\& co & 4~\\(\\times\\)")
        );
        assert_eq!(latex_text("\\{}$✓é"), "\\textbackslash{}\\{\\}\\$?é");
    }

    #[test]
    fn columns_are_aligned_and_dropped_when_there_is_no_room() {
        let wide = grid().columns(80);
        let lines: Vec<&str> = wide.lines().collect();
        assert_eq!(
            lines[2..],
            ["who_is      value", "─────────  ──────", "raft       12 ± 3", "ring & co     4 ✗"]
        );
        assert!(grid().columns(10).ends_with("No room for: value\n"));
    }

    #[test]
    fn names_that_begin_with_a_digit_are_words() {
        let mut grid = grid();
        for (name, is_numeric) in [("3", true), ("150ms", true), ("1 chunk", false)] {
            grid.rows.iter_mut().for_each(|row| row[0].text = name.into());
            assert_eq!(grid.is_numeric(0), is_numeric, "{name}");
        }
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        let mut grid = grid();
        grid.rows[0][0].text = "\u{1b}[2Jraft".into();
        assert!(!grid.columns(80).contains('\u{1b}'));
    }
}
