//! `[network]`: latency, loss and bandwidth, for all links, by regions, and for single links.

use seedbed_core::contract::Duration;
use seedbed_core::settings;
use seedbed_core::settings::{Bytes, Probability, Problem, Rate, Spanned};
use seedbed_sim::fault::Selector;
use seedbed_sim::law::{Files, Spec};
use seedbed_sim::network::{Burst, Link, Reorder};

use super::law;

settings! {
    /// What joins the nodes.
    pub struct NetworkSpec {
        /// How long a message takes. Beside a `map`: what is added to the map's latency.
        pub latency: Option<Spanned<Spec>> = None;
        /// A file with the latency between regions: a matrix in CSV or a topology in GraphML.
        pub map: Option<Spanned<String>> = None;
        /// The regions of the map that are used, in this order; all, if nothing is said.
        pub regions: Vec<Spanned<String>> = Vec::new();
        /// How long a message takes within a region of the map.
        pub local: Duration = Duration::from_micros(500);
        /// The probability that a message is lost.
        pub loss: Probability = Probability::NEVER;
        /// Loss in bursts, after Gilbert and Elliott.
        pub burst: Option<BurstSpec> = None;
        /// The probability that a message arrives twice.
        pub duplicate: Probability = Probability::NEVER;
        /// Messages held back, so that others overtake them.
        pub reorder: Option<ReorderSpec> = None;
        /// The probability that a frame is damaged on the way; the codec refuses it.
        pub corrupt: Probability = Probability::NEVER;
        /// Bits per second of each link, for both lanes together; what is in the control lane goes first.
        pub bandwidth: Option<Rate> = None, in Rate(1)..=Rate::MAX;
        /// How much may wait for the bandwidth of a link.
        pub queue: Bytes = Bytes(16 << 20);
        /// What the machines add to every message, such as `seedbed calibrate` measures it.
        pub overhead: Option<Spanned<Spec>> = None;
        /// Messages of one lane keep their order on a link, as over a connection.
        pub ordered: bool = false;
        /// Nodes are told of others that stop or start, after this time.
        pub hints: Option<Duration> = None;
        /// Links that differ.
        pub link: Vec<Exception> = Vec::new(), in 0..=10_000;
    }
}

settings! {
    /// Loss in bursts: a link is good or bad, and may change at each message.
    pub struct BurstSpec {
        /// The probability that a good link turns bad.
        pub begin: Probability;
        /// The probability that a bad link turns good.
        pub end: Probability;
        /// Loss on a good link.
        pub loss_good: Probability = Probability::NEVER;
        /// Loss on a bad link.
        pub loss_bad: Probability = Probability::ALWAYS;
    }
}

settings! {
    /// Messages held back.
    pub struct ReorderSpec {
        /// The probability that a message is held back.
        pub share: Probability;
        /// For how long.
        pub by: Spanned<Spec>;
    }
}

settings! {
    /// Links that differ from the others; what is not said stays.
    pub struct Exception {
        /// From these nodes,
        pub from: Spanned<Selector>;
        /// to these,
        pub to: Spanned<Selector>;
        /// and back.
        pub both: bool = true;
        /// How long a message takes, map or not.
        pub latency: Option<Spanned<Spec>> = None;
        /// The probability that a message is lost.
        pub loss: Option<Probability> = None;
        /// Bits per second.
        pub bandwidth: Option<Rate> = None, in Rate(1)..=Rate::MAX;
        /// Loss in bursts.
        pub burst: Option<BurstSpec> = None;
    }
}

impl NetworkSpec {
    /// The link that all others are made from.
    ///
    /// # Errors
    /// If a file of samples cannot be read.
    pub fn link(&self, files: &dyn Files) -> Result<Link, Problem> {
        let built = |spec: &Spanned<Spec>| law(spec, files);
        let latency = match &self.latency {
            Some(latency) => built(latency)?,
            None if self.map.is_some() => built(&Spec::constant(Duration::ZERO).into())?,
            None => built(&Spec::constant(Duration::from_millis(1)).into())?,
        };
        let reorder = match &self.reorder {
            None => None,
            Some(reorder) => Some(Reorder { share: reorder.share.parts(), by: built(&reorder.by)? }),
        };
        Ok(Link {
            loss: self.loss.parts(),
            burst: self.burst.as_ref().map(BurstSpec::burst),
            duplicate: self.duplicate.parts(),
            reorder,
            corrupt: self.corrupt.parts(),
            bandwidth: self.bandwidth.map(|rate| rate.0),
            queue: self.queue.0,
            is_ordered: self.ordered,
            ..Link::new(latency)
        })
    }
}

impl BurstSpec {
    fn burst(&self) -> Burst {
        Burst {
            begin: self.begin.parts(),
            end: self.end.parts(),
            loss_good: self.loss_good.parts(),
            loss_bad: self.loss_bad.parts(),
        }
    }
}

impl Exception {
    /// This link as an exception to `usual`.
    ///
    /// # Errors
    /// If a file of samples cannot be read.
    pub fn link(&self, usual: &Link, files: &dyn Files) -> Result<Link, Problem> {
        let mut link = usual.clone();
        if let Some(latency) = &self.latency {
            link.latency = law(latency, files)?;
        }
        if let Some(loss) = self.loss {
            link.loss = loss.parts();
        }
        if let Some(bandwidth) = self.bandwidth {
            link.bandwidth = Some(bandwidth.0);
        }
        if let Some(burst) = &self.burst {
            link.burst = Some(burst.burst());
        }
        Ok(link)
    }
}
