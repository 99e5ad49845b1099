//! What steps cost, and what jobs run on.

use seedbed_core::scheduler::dag::Speed;
use seedbed_core::settings;
use seedbed_core::settings::Spanned;
use seedbed_sim::law::Spec;
use seedbed_sim::{CpuModel, Discipline};

/// The most cores of a node.
const CORES_MAX: u32 = 65_536;
/// The least speed, which is also what all are multiples of, and the greatest.
const SPEED_MIN: f64 = 1e-6;
const SPEED_MAX: f64 = 1e6;

settings! {
    /// CPUs. Without anything a step takes no time, and a node runs its jobs on the cores that its protocol says it has, or
    /// one after another.
    pub struct CpuSpec {
        /// How long each step keeps its node busy.
        pub step: Option<Spanned<Spec>> = None;
        /// How many cores a node has for its jobs.
        pub cores: u32 = 1, in 1..=CORES_MAX;
        /// How much CPU time a core gives in a second.
        pub speed: f64 = 1.0, in SPEED_MIN..=SPEED_MAX;
        /// Which jobs run when there are more of them than cores.
        pub discipline: Discipline = Discipline::FirstCome;
        /// Where nodes differ: the CPU of each, in order and from the start again.
        pub node: Vec<CpuOf> = Vec::new(), in 0..=1000;
    }
}

settings! {
    /// The CPU of some nodes. What it does not say is as for all.
    pub struct CpuOf {
        /// How many cores.
        pub cores: Option<u32> = None, in 1..=CORES_MAX;
        /// How fast they are.
        pub speed: Option<f64> = None, in SPEED_MIN..=SPEED_MAX;
    }
}

/// A speed as the simulator counts it.
#[must_use]
pub fn speed_of(speed: f64) -> Speed {
    Speed((speed * Speed::ONE.0 as f64).round() as u64)
}

impl CpuSpec {
    /// Whether it says nothing of cores and speeds: then a protocol that knows those of its nodes says it.
    #[must_use]
    pub fn is_unsaid(&self) -> bool {
        let usual = Self::default();
        self.cores == usual.cores && self.speed == usual.speed && self.node.is_empty()
    }

    /// The CPUs of the nodes, in order and from the start again.
    #[must_use]
    pub fn models(&self) -> Vec<CpuModel> {
        let model =
            |cores, speed: f64| CpuModel { cores, speed: speed_of(speed), discipline: self.discipline };
        if self.node.is_empty() {
            return vec![model(self.cores, self.speed)];
        }
        let of = |of: &CpuOf| model(of.cores.unwrap_or(self.cores), of.speed.unwrap_or(self.speed));
        self.node.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_does_not_say_is_as_for_all() {
        assert_eq!(CpuSpec::default().models(), [CpuModel::default()]);
        let node = vec![
            CpuOf { cores: Some(16), ..CpuOf::default() },
            CpuOf { speed: Some(0.3), ..CpuOf::default() },
        ];
        let discipline = Discipline::ProcessorSharing;
        let spec = CpuSpec { cores: 4, speed: 1.5, discipline, node, ..CpuSpec::default() };
        let expected = [(16, 1_500_000), (4, 300_000)].map(|(cores, speed)| CpuModel {
            cores,
            speed: Speed(speed),
            discipline,
        });
        assert_eq!(spec.models(), expected);
    }
}
