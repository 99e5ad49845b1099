//! Nodes as processes of their own: the file that describes one node, the file that describes a cluster, and what
//! becomes of them.
