//! What came out: tables, statistics, charts, pages.
//!
//! An [`Experiment`] is a set of tables with one struct per row. [`Experiment::write`] makes a run folder of
//! them, and [`render`] draws everything else from that folder's CSV files alone: `summary.csv`, charts as SVG
//! and PNG, `report.html`, `tables.tex` and `tables.md`. Same tables, same bytes. This crate knows tables, not
//! protocols, and depends on no other crate of the project.

mod chart;
mod compare;
mod data;
mod error;
mod figures;
mod folder;
mod grid;
mod page;
mod quantity;
mod render;
mod rows;
pub mod stats;
mod summary;
mod tables;
mod terminal;

pub use chart::Drawing;
pub use compare::{Comparison, Row as Compared, compare};
pub use error::{Error, Result};
pub use folder::{Experiment, sample_columns, sample_values};
pub use quantity::{Dimension, Quantity, natural_order};
pub use render::{Rendered, draw, render};
pub use rows::*;
pub use summary::{Summary, summarise};
