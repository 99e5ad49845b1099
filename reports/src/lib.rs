//! What came out: tables, statistics, charts, pages.
