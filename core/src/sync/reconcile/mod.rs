//! Finding what two replicas do not share, in few bytes.
