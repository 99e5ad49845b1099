//! Tables of latencies as text.

use std::collections::BTreeMap;

use seedbed_core::contract::Duration;

use super::{Matrix, REGIONS_MAX, TopologyError, excerpt, latency, malformed, name};

pub(super) fn matrix(text: &str) -> Result<Matrix, TopologyError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = (1..).zip(text.lines()).map(|(number, text)| Line { number, text });
    let mut rows = lines.by_ref().filter(Line::says_something);
    let header =
        rows.next().ok_or_else(|| malformed(1, 1, "expected a header with the names of the regions"))?;
    let names = header_names(&header)?;

    let mut one_way = vec![None; names.len()];
    for line in rows {
        let (name, row) = read_row(&line, names.len())?;
        let index = *names.get(name.text).ok_or_else(|| {
            line.wrong(&name, format!("{:?} is not one of the regions in the header", excerpt(name.text)))
        })?;
        if one_way[index].replace(row).is_some() {
            return Err(line.wrong(&name, format!("a second row for {:?}", name.text)));
        }
    }

    let mut regions = vec![String::new(); names.len()];
    for (name, &index) in &names {
        regions[index] = (*name).to_owned();
    }
    let rows = one_way.into_iter().zip(&regions).map(|(row, name)| {
        row.ok_or_else(|| malformed(header.number, 1, format!("the table has no row for {name:?}")))
    });
    Ok(Matrix { one_way: rows.collect::<Result<_, _>>()?, regions })
}

/// The regions by name, with their column.
fn header_names<'a>(header: &Line<'a>) -> Result<BTreeMap<&'a str, usize>, TopologyError> {
    let mut names = BTreeMap::new();
    for (index, cell) in header.cells().skip(1).enumerate() {
        if index == REGIONS_MAX {
            return Err(header.wrong(&cell, format!("more than {REGIONS_MAX} regions")));
        }
        let name = name(cell.text).map_err(|problem| header.wrong(&cell, problem))?;
        if names.insert(name, index).is_some() {
            return Err(header.wrong(&cell, format!("the region {name:?} stands here a second time")));
        }
    }
    match names.is_empty() {
        true => Err(malformed(
            header.number,
            1,
            "expected a first cell and the names of the regions, with commas",
        )),
        false => Ok(names),
    }
}

/// A row's name and its latencies, one for each region.
fn read_row<'a>(line: &Line<'a>, regions: usize) -> Result<(Cell<'a>, Vec<Duration>), TopologyError> {
    let mut cells = line.cells();
    let name = cells.next().unwrap_or(Cell { start: 0, text: "" });
    let mut row = Vec::with_capacity(regions);
    for cell in cells {
        if row.len() == regions {
            return Err(line.wrong(&cell, format!("more than the {regions} latencies of the header")));
        }
        row.push(latency(cell.text).map_err(|problem| line.wrong(&cell, problem))?);
    }
    match row.len() == regions {
        true => Ok((name, row)),
        false => Err(malformed(
            line.number,
            line.column(line.text.len()),
            format!("the row ends after {} of {regions} latencies", row.len()),
        )),
    }
}

struct Line<'a> {
    number: u32,
    text: &'a str,
}

/// A cell without the blanks around it.
struct Cell<'a> {
    /// Where it starts in its line, in bytes.
    start: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn says_something(&self) -> bool {
        !self.text.trim().is_empty() && !self.text.starts_with('#')
    }

    fn cells(&self) -> impl Iterator<Item = Cell<'a>> + use<'a> {
        let mut end = 0;
        self.text.split(',').map(move |cell| {
            let start = end + (cell.len() - cell.trim_start().len());
            end += cell.len() + 1;
            Cell { start, text: cell.trim() }
        })
    }

    fn column(&self, byte: usize) -> u32 {
        self.text[..byte].chars().count() as u32 + 1
    }

    fn wrong(&self, cell: &Cell<'_>, problem: String) -> TopologyError {
        malformed(self.number, self.column(cell.start), problem)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::*;

    #[test]
    fn rows_in_any_order_with_comments_blanks_and_fractions() {
        let text = "\u{feff}# measured\r\nFrom/to, a ,b\r\n\r\nb, 1.25,0.5\r\na,0,30\r\n";
        let matrix = Matrix::from_csv(text).unwrap();
        assert_eq!(matrix.regions, ["a", "b"]);
        let micros = |from, to| matrix.between(from, to).as_nanos() / 1_000;
        assert_eq!([micros(0, 0), micros(0, 1), micros(1, 0), micros(1, 1)], [0, 30_000, 1_250, 500]);
        assert_eq!((matrix.index("b"), matrix.index("c")), (Some(1), None));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let many = format!("x{}", ",r".repeat(REGIONS_MAX + 1));
        let long = format!("x,{}", "r".repeat(NAME_MAX + 1));
        for (text, error) in [
            ("", "line 1, column 1: expected a header with the names of the regions"),
            ("# nothing\n\n", "line 1, column 1: expected a header with the names of the regions"),
            ("alone", "line 1, column 1: expected a first cell and the names of the regions, with commas"),
            ("x,a,,b", "line 1, column 5: a region needs a name"),
            ("x,a,b, a", "line 1, column 8: the region \"a\" stands here a second time"),
            (&many, "line 1, column 5: the region \"r\" stands here a second time"),
            (
                &long,
                "line 1, column 3: the name \"rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\"... is longer than 128 bytes",
            ),
            ("x,a,b\na,0,1\nc,1,0", "line 3, column 1: \"c\" is not one of the regions in the header"),
            ("x,a,b\na,0,1\na,1,0", "line 3, column 1: a second row for \"a\""),
            ("x,a,b\na,0,1", "line 1, column 1: the table has no row for \"b\""),
            ("x,a,b\na,0\nb,1,0", "line 2, column 4: the row ends after 1 of 2 latencies"),
            ("x,a,b\na,0,1,2", "line 2, column 7: more than the 2 latencies of the header"),
            ("x,ä\nä, -1", "line 2, column 4: expected milliseconds from 0 to 86400000, found \"-1\""),
            ("x,a\na,NaN", "line 2, column 3: expected milliseconds from 0 to 86400000, found \"NaN\""),
            ("x,a\na,1e300", "line 2, column 3: expected milliseconds from 0 to 86400000, found \"1e300\""),
            ("x,a\na,", "line 2, column 3: expected milliseconds from 0 to 86400000, found \"\""),
        ] {
            assert_eq!(Matrix::from_csv(text).unwrap_err().to_string(), error, "{:?}", excerpt(text));
        }
        let distinct: String = (0..=REGIONS_MAX).map(|index| format!(",r{index}")).collect();
        assert!(Matrix::from_csv(&distinct).unwrap_err().to_string().ends_with("more than 1024 regions"));
        let endless = " ".repeat(TEXT_MAX + 1);
        assert_eq!(Matrix::from_csv(&endless), Err(TopologyError::TooLong { bytes: TEXT_MAX + 1 }));
    }

    proptest! {
        #[test]
        fn any_text_is_a_matrix_or_an_error(text in "([a-c#\"é]{0,2}[0-9.,\r\n -]{0,6}){0,12}") {
            if let Ok(matrix) = Matrix::from_csv(&text) {
                prop_assert_eq!(matrix.one_way.len(), matrix.regions.len());
                prop_assert!(matrix.one_way.iter().all(|row| row.len() == matrix.regions.len()));
            }
        }

        #[test]
        fn what_is_written_is_read(cells in proptest::collection::vec(0_u64..86_400_000_000, 9)) {
            let micros = |cell: &u64| format!("{}.{:03}", cell / 1_000, cell % 1_000);
            let row = |(name, cells): (&str, &[u64])| {
                format!("{name},{}\n", cells.iter().map(micros).collect::<Vec<_>>().join(","))
            };
            let body: String = ["a", "b", "c"].into_iter().zip(cells.chunks(3)).map(row).collect();
            let matrix = Matrix::from_csv(&format!("From/to,a,b,c\n{body}")).unwrap();
            let read: Vec<_> = matrix.one_way.iter().flatten().map(|one_way| one_way.as_nanos() / 1_000).collect();
            prop_assert_eq!(read, cells);
        }
    }
}
