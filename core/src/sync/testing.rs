//! What the properties of this family share.

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// How many cases proptest takes if nobody says otherwise.
const UNTOLD: u32 = 256;

/// The same cases every time: so many, or as many as `PROPTEST_CASES` says. `.ci/run` sums up what is usual: the family has at
/// least ten thousand.
pub(super) fn cases(usual: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    let cases = if config.cases == UNTOLD { usual } else { config.cases };
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..config }
}
