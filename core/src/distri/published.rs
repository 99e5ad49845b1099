//! What Distri's authors measured, beside which a report puts ours.

/// One run of the original's test of the database: clients that make four requests each, one after the other, all at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// How many servers.
    pub servers: u32,
    /// How many clients.
    pub clients: u32,
    /// Requests that failed, of four per client.
    pub failed: u32,
    /// Documents that were saved, of one per client.
    pub entries: u32,
    /// How long the four requests of a client took on average, in milliseconds.
    pub response_ms: f64,
}

impl Published {
    /// The run with so many servers and clients, if there was one.
    #[must_use]
    pub fn of(servers: u32, clients: u32) -> Option<Self> {
        let row = TABLE.iter().find(|row| (row.0, row.1) == (servers, clients))?;
        let &(servers, clients, failed, entries, response_ms) = row;
        Some(Self { servers, clients, failed, entries, response_ms })
    }
}

/// Servers, clients, failed, entries, response. One run each, so how far they vary is not known.
///
/// Failures and entries: the published table of the database test (failures at 50 clients and response times: the file
/// `example/stats_db.csv` of the project's repository, Spospider/distri, which has 17 entries for 3 servers and 50 clients
/// where the table says 50).
const TABLE: [(u32, u32, u32, u32, f64); 12] = [
    (1, 50, 0, 50, 2_016.1),
    (1, 500, 0, 500, 2_871.6),
    (1, 1000, 0, 1000, 7_891.4),
    (1, 2500, 3694, 2499, 26_293.2),
    (2, 50, 2, 47, 2_295.6),
    (2, 500, 178, 496, 16_658.9),
    (2, 1000, 453, 663, 19_974.9),
    (2, 2500, 5028, 136, 31_648.4),
    (3, 50, 0, 50, 2_299.8),
    (3, 500, 8, 497, 3_636.3),
    (3, 1000, 816, 723, 22_393.9),
    (3, 2500, 5220, 164, 41_088.3),
];
