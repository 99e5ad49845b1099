//! What DistriCloud's author measured, beside which a report puts ours.

use super::parameters::Rule;

/// One run of the thesis' experiment on distribution: when assignments were done, counted from its start, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// The earliest.
    pub min_s: f64,
    /// On average.
    pub mean_s: f64,
    /// The latest.
    pub max_s: f64,
}

impl Published {
    /// The runs in figures 6.5 and 6.6 of so many nodes (the hub aside) and tasks by this rule, if there were.
    #[must_use]
    pub fn of(nodes: u32, tasks: u64, rule: Rule) -> Option<[Self; 2]> {
        let row = TABLE.iter().find(|row| (row.0, row.1) == (nodes, tasks))?;
        let figures = match rule {
            Rule::Custom => [row.2[0], row.2[2]],
            Rule::Fifo => [row.2[1], row.2[3]],
            _ => return None,
        };
        Some(figures.map(|(min_s, mean_s, max_s)| Self { min_s, mean_s, max_s }))
    }
}

type Figure = (f64, f64, f64);

/// Nodes, tasks; figure 6.5 custom and FIFO, figure 6.6 custom and FIFO. One run each, so how far they vary is not known.
///
/// Source: "Components for a Decentralized Cloud" (Dragos), figures 6.5 and 6.6.
const TABLE: [(u32, u64, [Figure; 4]); 4] = [
    (10, 50, [(1.0, 29.0, 68.0), (1.2, 31.4, 72.7), (1.0, 29.0, 64.8), (1.1, 30.7, 68.7)]),
    (10, 100, [(1.0, 74.6, 160.7), (1.0, 73.4, 140.7), (0.8, 62.5, 130.8), (1.0, 73.8, 154.6)]),
    (20, 50, [(0.9, 24.1, 62.5), (1.1, 29.1, 60.2), (1.0, 27.1, 52.9), (1.2, 32.8, 64.0)]),
    (20, 100, [(1.0, 48.6, 103.7), (1.0, 61.3, 130.5), (0.6, 47.1, 103.3), (0.7, 55.2, 121.0)]),
];
