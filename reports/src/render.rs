//! Draws everything that a run folder's CSV files say, and nothing else: the same again from a copied folder.

use crate::chart::Drawing;
use crate::data::Data;
use crate::grid::Grid;
use crate::rows::Chart;
use crate::summary::{self, Summary, summarise};
use crate::{Error, Experiment, Result, chart, page, tables, terminal};
use std::path::{Path, PathBuf};

/// Rows of the results table that a page still wants to see.
const RESULT_ROWS_MAX: usize = 200;
/// Rows that fit on a sheet of paper.
const PAPER_ROWS_MAX: usize = 45;

/// What was drawn, and from what.
#[derive(Debug)]
pub struct Rendered {
    /// The experiment, as read from the folder.
    pub experiment: Experiment,
    /// Every metric at every point.
    pub summary: Vec<Summary>,
    /// The page to open.
    pub page: PathBuf,
    /// Every file that was written.
    pub files: Vec<PathBuf>,
    results: Grid,
    matrices: Vec<Grid>,
}

impl Rendered {
    /// The results as text for a terminal of `width` columns: tables, then each check with a tick or a cross.
    pub fn terminal(&self, width: usize) -> String {
        terminal::print(&self.experiment, &self.results, &self.matrices, width)
    }
}

/// Draws a run folder: `summary.csv`, `charts/NAME.svg` and `.png`, `tables.tex`, `tables.md`, `report.html`.
///
/// Fails if a table is damaged, a chart refers to what is not there, or a file cannot be written.
pub fn render(dir: &Path) -> Result<Rendered> {
    let experiment = Experiment::read(dir)?;
    let summary = summarise(&experiment);
    let data = Data::new(&experiment);
    let results = tables::results(&data, &summary);
    let matrices: Vec<Grid> = experiment
        .tables
        .iter()
        .enumerate()
        .map(|(at, table)| tables::matrix(at, table, &data))
        .collect::<Result<_>>()?;
    summary::write(&experiment, &summary, dir)?;
    let mut files = vec![dir.join("summary.csv")];
    let mut write = |name: String, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).map_err(Error::io(&path))?;
        files.push(path);
        Ok::<(), Error>(())
    };
    let charts = dir.join("charts");
    std::fs::create_dir_all(&charts).map_err(Error::io(&charts))?;
    let mut drawings = Vec::new();
    for (at, row) in experiment.charts.iter().enumerate() {
        let drawing = chart::draw(at, row, &data)?;
        write(format!("charts/{}.svg", row.name), drawing.svg.as_bytes())?;
        write(format!("charts/{}.png", row.name), &drawing.png)?;
        drawings.push(drawing.svg);
    }
    let shown = results.clone().limited(RESULT_ROWS_MAX, "summary.csv");
    let matrix = |grid: &Grid| grid.clone().limited(tables::MATRIX_SIDE_MAX, "runs.csv");
    let grids: Vec<Grid> = [shown].into_iter().chain(matrices.iter().map(matrix)).collect();
    write("tables.tex".into(), latex(&experiment, &grids).as_bytes())?;
    write("tables.md".into(), markdown(&grids).as_bytes())?;
    let html = page::page(&experiment, &summary, &grids, &drawings)?;
    write("report.html".into(), html.as_bytes())?;
    drop(data);
    Ok(Rendered { experiment, summary, page: dir.join("report.html"), files, results, matrices })
}

/// Draws one chart of an experiment that need not be in a folder.
///
/// Fails if the tables contradict each other, or the chart refers to what is not there.
pub fn draw(experiment: &Experiment, chart: &Chart) -> Result<Drawing> {
    experiment.check()?;
    chart::draw(0, chart, &Data::new(experiment))
}

fn latex(experiment: &Experiment, grids: &[Grid]) -> String {
    let names = ["results"].into_iter().chain(experiment.tables.iter().map(|table| table.name.as_str()));
    let label = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let paper = |grid: &Grid| grid.clone().limited(PAPER_ROWS_MAX, "the CSV files");
    let tables = grids.iter().zip(names).map(|(grid, name)| paper(grid).latex(&label(name)));
    let head = "% \\input this file; the preamble needs \\usepackage{booktabs}.\n";
    [head.to_owned()].into_iter().chain(tables).collect::<Vec<_>>().join("\n")
}

fn markdown(grids: &[Grid]) -> String {
    grids.iter().map(Grid::markdown).collect::<Vec<_>>().join("\n")
}
