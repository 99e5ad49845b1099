//! Whom to believe: policies of validation, and the trust that nodes earn or lose by them.
