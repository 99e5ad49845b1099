//! Task graphs, and the policies that lay them out on processors.
