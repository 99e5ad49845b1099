//! Nothing here: the benchmarks are separate targets.
