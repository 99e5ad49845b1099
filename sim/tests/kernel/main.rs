//! The kernel against theory and against its own promises. Every test pins its seeds: a bound that holds today holds
//! tomorrow, and statistics cannot fail by chance.

mod busy;
mod clock;
mod cpu;
mod cpu_queues;
mod determinism;
mod disk;
mod disk_blobs;
mod faults;
mod future;
mod golden;
mod network;
mod network_queue;
mod puppet;
mod statistics;
mod world;
