//! What is seen of a cluster: one row for each node, drawn anew in place on a terminal, told as changes elsewhere.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::Instant;

use console::{Term, measure_text_width, truncate_str};

/// One node, as it was last seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) node: u32,
    /// What it is: its role, or how it ended.
    pub(super) role: String,
    /// What its protocol tells of it, such as leader and term.
    pub(super) facts: BTreeMap<String, String>,
    pub(super) life: Option<u32>,
    /// How many of its links are up, of how many.
    pub(super) links: Option<(usize, usize)>,
    /// The last thing that happened to it, and its number.
    pub(super) event: Option<(u64, String)>,
}

/// Shows rows.
#[derive(Debug)]
pub(super) struct View {
    /// Where rows are drawn in place; none where they are told.
    term: Option<Term>,
    drawn: Vec<String>,
    told: BTreeMap<u32, Row>,
    began: Instant,
}

impl View {
    pub(super) fn new() -> Self {
        let term = std::io::stdout().is_terminal().then(Term::stdout);
        Self { term, drawn: Vec::new(), told: BTreeMap::new(), began: Instant::now() }
    }

    /// Shows the cluster as it is now. Nobody may be looking.
    pub(super) fn show(&mut self, rows: &[Row]) {
        match self.term.clone() {
            Some(term) => drop(self.draw(&term, rows)),
            None => self.tell(rows),
        }
    }

    /// Says something in a line that stays.
    pub(super) fn say(&mut self, line: &str) {
        if let Some(term) = &self.term {
            let _ = term.clear_last_lines(self.drawn.len());
            self.drawn.clear();
        }
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    fn draw(&mut self, term: &Term, rows: &[Row]) -> std::io::Result<()> {
        let (height, width) = term.size();
        let mut lines = table(rows);
        // What does not fit could not be taken back.
        lines.truncate(usize::from(height).saturating_sub(1).max(1));
        let lines: Vec<String> =
            lines.iter().map(|line| truncate_str(line, usize::from(width), "").into_owned()).collect();
        if lines == self.drawn {
            return Ok(());
        }
        term.clear_last_lines(self.drawn.len())?;
        lines.iter().try_for_each(|line| term.write_line(line))?;
        self.drawn = lines;
        Ok(())
    }

    fn tell(&mut self, rows: &[Row]) {
        let mut out = std::io::stdout().lock();
        for row in rows {
            let last = self.told.insert(row.node, row.clone()).unwrap_or_default();
            if let Some(change) = change(&last, row) {
                let time = self.began.elapsed().as_secs_f64();
                let _ = writeln!(out, "{time:9.3} s  n{}  {change}", row.node);
            }
        }
    }
}

/// What is another now, in words.
fn change(last: &Row, row: &Row) -> Option<String> {
    let mut parts = Vec::new();
    if last.role != row.role {
        parts.push(row.role.clone());
    }
    let facts = row.facts.iter().filter(|(name, value)| last.facts.get(*name) != Some(*value));
    parts.extend(facts.map(|(name, value)| format!("{name} {value}")));
    if let Some(life) = row.life.filter(|life| last.life != Some(*life)) {
        parts.push(format!("life {life}"));
    }
    if let Some((up, all)) = row.links.filter(|links| last.links != Some(*links)) {
        parts.push(format!("links {up}/{all}"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The rows below their heads, in columns.
fn table(rows: &[Row]) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    for name in rows.iter().flat_map(|row| row.facts.keys()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let head =
        ["node", "role"].into_iter().chain(names.iter().copied()).chain(["life", "links", "last event"]);
    let mut cells: Vec<Vec<String>> = vec![head.map(str::to_owned).collect()];
    for row in rows {
        let facts = names.iter().map(|name| row.facts.get(*name).cloned().unwrap_or_default());
        let mut line = vec![format!("n{}", row.node), row.role.clone()];
        line.extend(facts);
        line.push(row.life.map_or_else(String::new, |life| life.to_string()));
        line.push(row.links.map_or_else(String::new, |(up, all)| format!("{up}/{all}")));
        line.push(row.event.as_ref().map_or_else(String::new, |(_, event)| event.clone()));
        cells.push(line);
    }
    let width = |column: usize| cells.iter().map(|line| measure_text_width(&line[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..cells[0].len()).map(width).collect();
    let aligned = |line: &Vec<String>| {
        let padded = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    cells.iter().map(aligned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(node: u32, role: &str, term: &str) -> Row {
        let facts = BTreeMap::from([("leader".into(), "n1".into()), ("term".into(), term.into())]);
        Row {
            node,
            role: role.into(),
            facts,
            life: Some(2),
            links: Some((3, 4)),
            event: Some((9, "voted".into())),
        }
    }

    #[test]
    fn a_table_has_a_column_for_each_fact() {
        let gone = Row { node: 10, role: "killed by signal 9".into(), ..Row::default() };
        assert_eq!(
            table(&[row(1, "leader", "17"), gone]),
            [
                "node  role                leader  term  life  links  last event",
                "n1    leader              n1      17    2     3/4    voted",
                "n10   killed by signal 9",
            ]
        );
    }

    #[test]
    fn only_changes_are_told() {
        let (before, after) = (row(1, "follower", "16"), row(1, "leader", "17"));
        assert_eq!(change(&before, &before), None);
        assert_eq!(change(&before, &after).as_deref(), Some("leader, term 17"));
        assert_eq!(
            change(&Row::default(), &after).as_deref(),
            Some("leader, leader n1, term 17, life 2, links 3/4")
        );
    }
}
