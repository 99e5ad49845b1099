//! Whom a fault strikes: resolved when it fires, by ranking nodes with a keyed hash, so that no draw depends on how
//! many nodes there are.

use std::fmt;
use std::str::FromStr;

use seedbed_core::contract::{NodeId, Roll};

/// Names nodes without knowing them: `2`, `all`, `alice`, `leader`, `role(worker)`, `random(2)`, `fraction(0.3)`, `minority`,
/// `majority`, `region(frankfurt)`, `except(0)`, or a list of these joined by `+`.
#[derive(Clone, Debug, PartialEq)]
pub enum Selector {
    /// The node of this index.
    Index(u32),
    /// Every node.
    All,
    /// The node of this name; or one node that has this role now: if several have it, a drawn one.
    One(String),
    /// Every node that has this role now.
    Role(String),
    /// So many drawn nodes.
    Random(u32),
    /// This share of the nodes, drawn, rounded to the nearest whole number.
    Fraction(f64),
    /// The largest number of drawn nodes that is less than half.
    Minority,
    /// The smallest number of drawn nodes that is more than half.
    Majority,
    /// Every node of a region.
    Region(String),
    /// Every node but those.
    Except(Box<Selector>),
    /// All of these.
    Union(Vec<Selector>),
}

/// Sides of a partition: each selector takes from what the ones before it left; who is in none stands alone on one
/// more side together.
pub type Groups = Vec<Selector>;

/// Why a text is not a selector, or does not fit the cluster.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub String);

/// The world as a selector sees it.
pub trait Scene {
    /// How many nodes there are.
    fn nodes(&self) -> u32;
    /// Whether a node is up.
    fn is_up(&self, node: NodeId) -> bool;
    /// What it is now; empty if it is down.
    fn role(&self, node: NodeId) -> &'static str;
    /// The name of its region; empty if there are none.
    fn region(&self, node: NodeId) -> &str;
    /// What it is called; empty if it has only its index.
    fn name(&self, node: NodeId) -> &str;
}

impl Selector {
    /// The nodes it means now, in ascending order. `address` is that of the fault. Only nodes that are up
    /// have a role or are drawn by number.
    #[must_use]
    pub fn resolve(&self, scene: &dyn Scene, roll: &Roll, address: u64) -> Vec<NodeId> {
        let all = || (0..scene.nodes()).map(NodeId);
        let count = scene.nodes();
        match self {
            // Not by looking at all of them: where each node has faults of its own, this is asked often.
            Self::Index(index) => (*index < count).then_some(NodeId(*index)).into_iter().collect(),
            Self::All => all().collect(),
            Self::One(name) if all().any(|node| scene.name(node) == name) => {
                all().filter(|&node| scene.name(node) == name).collect()
            }
            Self::One(role) => {
                drawn(all().filter(|&node| scene.role(node) == role).collect(), 1, roll, address)
            }
            Self::Role(role) => all().filter(|&node| scene.role(node) == role).collect(),
            Self::Random(wanted) => {
                drawn(all().filter(|&node| scene.is_up(node)).collect(), *wanted, roll, address)
            }
            Self::Fraction(share) => {
                drawn(all().collect(), (share * f64::from(count) + 0.5) as u32, roll, address)
            }
            Self::Minority => drawn(all().collect(), count.saturating_sub(1) / 2, roll, address),
            Self::Majority => drawn(all().collect(), count / 2 + 1, roll, address),
            Self::Region(name) => all().filter(|&node| scene.region(node) == name).collect(),
            Self::Except(inner) => {
                let out = inner.resolve(scene, roll, address);
                all().filter(|node| out.binary_search(node).is_err()).collect()
            }
            Self::Union(parts) => {
                let mut nodes: Vec<NodeId> =
                    parts.iter().flat_map(|part| part.resolve(scene, roll, address)).collect();
                nodes.sort_unstable();
                nodes.dedup();
                nodes
            }
        }
    }

    /// Whether it can mean something in a cluster of `nodes` nodes with these regions.
    ///
    /// # Errors
    /// What does not exist, and what does.
    pub fn check(&self, nodes: u32, regions: &[String]) -> Result<(), SelectorError> {
        match self {
            Self::Index(index) if *index >= nodes => Err(SelectorError(format!(
                "there is no node {index}: the cluster has {nodes}, counted from 0 to {}",
                nodes.saturating_sub(1)
            ))),
            Self::Random(wanted) if *wanted > nodes => {
                Err(SelectorError(format!("there are only {nodes} nodes to draw {wanted} from")))
            }
            Self::Region(name) if !regions.contains(name) => Err(SelectorError(if regions.is_empty() {
                "this network has no regions".into()
            } else {
                format!("there is no region `{name}` in this cluster: it has {}", regions.join(", "))
            })),
            Self::Except(inner) => inner.check(nodes, regions),
            Self::Union(parts) => parts.iter().try_for_each(|part| part.check(nodes, regions)),
            _ => Ok(()),
        }
    }

    /// The nodes it means at every moment, given what they are called; none if that changes.
    #[must_use]
    pub fn fixed<'a>(
        &self,
        nodes: u32,
        names: &[String],
        region: &dyn Fn(NodeId) -> &'a str,
    ) -> Option<Vec<NodeId>> {
        let keep = |is_meant: &dyn Fn(NodeId) -> bool| {
            (0..nodes).map(NodeId).filter(|&node| is_meant(node)).collect()
        };
        match self {
            Self::Index(index) => Some(keep(&|node| node.0 == *index)),
            Self::All => Some(keep(&|_| true)),
            Self::Region(name) => Some(keep(&|node| region(node) == name)),
            Self::One(name) => {
                let index = names.iter().position(|known| known == name)?;
                Some(keep(&|node| node.0 as usize == index))
            }
            Self::Except(inner) => {
                let out = inner.fixed(nodes, names, region)?;
                Some(keep(&|node| out.binary_search(&node).is_err()))
            }
            Self::Union(parts) => {
                let parts: Vec<_> =
                    parts.iter().map(|part| part.fixed(nodes, names, region)).collect::<Option<_>>()?;
                Some(keep(&|node| parts.iter().any(|part: &Vec<NodeId>| part.binary_search(&node).is_ok())))
            }
            _ => None,
        }
    }

    /// The roles it names.
    #[must_use]
    pub fn roles(&self) -> Vec<&str> {
        match self {
            Self::One(role) | Self::Role(role) => vec![role],
            Self::Except(inner) => inner.roles(),
            Self::Union(parts) => parts.iter().flat_map(Self::roles).collect(),
            _ => Vec::new(),
        }
    }
}

/// The `wanted` nodes of lowest rank; ranks are hashes of (fault, node).
fn drawn(mut nodes: Vec<NodeId>, wanted: u32, roll: &Roll, address: u64) -> Vec<NodeId> {
    let rank = |node: &NodeId| (roll.at(address, u64::from(node.0)), *node);
    let wanted = wanted as usize;
    if wanted < nodes.len() {
        nodes.sort_by_cached_key(rank);
        nodes.truncate(wanted);
        nodes.sort_unstable();
    }
    nodes
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let parts: Vec<&str> = split(text);
        match parts.as_slice() {
            [one] => parse_one(one.trim()),
            several => {
                several.iter().map(|part| parse_one(part.trim())).collect::<Result<_, _>>().map(Self::Union)
            }
        }
    }
}

/// Splits at `+` outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0i32, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            '+' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn parse_one(text: &str) -> Result<Selector, SelectorError> {
    let wrong = |why: &str| SelectorError(format!("`{text}` is not a selector of nodes: {why}"));
    if let Some((name, rest)) = text.split_once('(') {
        let inner = rest.strip_suffix(')').ok_or_else(|| wrong("a `)` is missing"))?.trim();
        return match name.trim() {
            "random" => {
                inner.parse().map(Selector::Random).map_err(|_| wrong("random(k) takes a whole number"))
            }
            "fraction" => match inner.parse::<f64>() {
                Ok(share) if (0.0..=1.0).contains(&share) => Ok(Selector::Fraction(share)),
                _ => Err(wrong("fraction(p) takes a number from 0 to 1")),
            },
            "role" if is_name(inner) => Ok(Selector::Role(inner.into())),
            "region" if is_name(inner) => Ok(Selector::Region(inner.into())),
            // Nested once at most: a text from outside must not decide how deep the stack grows.
            "except" if inner.contains("except") => Err(wrong("except(..) does not nest")),
            "except" => inner.parse().map(|inner| Selector::Except(Box::new(inner))),
            _ => Err(wrong("known are random(k), fraction(p), role(name), region(name) and except(..)")),
        };
    }
    match text {
        "all" => Ok(Selector::All),
        "minority" => Ok(Selector::Minority),
        "majority" => Ok(Selector::Majority),
        "random" => Ok(Selector::Random(1)),
        "" => Err(wrong("it is empty")),
        _ => {
            let digits = text.strip_prefix('n').unwrap_or(text);
            if let Ok(index) = digits.parse() {
                return Ok(Selector::Index(index));
            }
            if !is_name(text) {
                return Err(wrong(
                    "expected a node's index, a role such as `leader`, all, minority, majority, random(k), \
                     fraction(p), role(name), region(name) or except(..)",
                ));
            }
            Ok(Selector::One(text.into()))
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{index}"),
            Self::All => f.write_str("all"),
            Self::One(role) => f.write_str(role),
            Self::Role(role) => write!(f, "role({role})"),
            Self::Random(count) => write!(f, "random({count})"),
            Self::Fraction(share) => write!(f, "fraction({share})"),
            Self::Minority => f.write_str("minority"),
            Self::Majority => f.write_str("majority"),
            Self::Region(name) => write!(f, "region({name})"),
            Self::Except(inner) => write!(f, "except({inner})"),
            Self::Union(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    write!(f, "{}{part}", if index > 0 { "+" } else { "" })?;
                }
                Ok(())
            }
        }
    }
}

seedbed_core::written! { Selector: "nodes, such as 2, `all`, `leader`, `random(2)`, `minority` or `region(tokyo)`" }

#[cfg(test)]
mod tests {
    use seedbed_core::contract::{Keys, Purpose};

    use super::*;

    struct Five;
    impl Scene for Five {
        fn nodes(&self) -> u32 {
            5
        }
        fn is_up(&self, node: NodeId) -> bool {
            node.0 != 4
        }
        fn role(&self, node: NodeId) -> &'static str {
            if node.0 == 2 { "leader" } else { "follower" }
        }
        fn region(&self, node: NodeId) -> &str {
            if node.0 < 2 { "tokyo" } else { "london" }
        }
        fn name(&self, node: NodeId) -> &str {
            ["alice", "bob"].get(node.0 as usize).unwrap_or(&"")
        }
    }

    fn nodes(text: &str, address: u64) -> Vec<u32> {
        let keys = Keys::from_seed(1);
        let selector: Selector = text.parse().unwrap();
        assert_eq!(selector.to_string().parse::<Selector>().unwrap(), selector);
        selector.resolve(&Five, keys.roll(Purpose::Fault), address).iter().map(|node| node.0).collect()
    }

    #[test]
    fn each_selector_means_what_it_says() {
        for (text, expected) in [
            ("3", vec![3]),
            ("n3", vec![3]),
            ("all", vec![0, 1, 2, 3, 4]),
            ("leader", vec![2]),
            ("bob", vec![1]),
            ("except(bob + alice)", vec![2, 3, 4]),
            ("role(follower)", vec![0, 1, 3, 4]),
            ("region(tokyo)", vec![0, 1]),
            ("except(leader + 0)", vec![1, 3, 4]),
            ("0 + 4 + region(tokyo)", vec![0, 1, 4]),
            ("fraction(1)", vec![0, 1, 2, 3, 4]),
        ] {
            assert_eq!(nodes(text, 0), expected, "{text}");
        }
        assert_eq!(nodes("minority", 0).len(), 2);
        assert_eq!(nodes("majority", 0).len(), 3);
        assert_eq!(nodes("follower", 0).len(), 1);
        assert!((0..50).all(|address| !nodes("random(2)", address).contains(&4)), "node 4 is down");
        assert!((0..50).any(|address| nodes("random(2)", address) != nodes("random(2)", 0)));
    }

    #[test]
    fn wrong_texts_are_refused_with_a_reason() {
        for text in
            ["", "random(x)", "fraction(1.5)", "fraction(NaN)", "role()", "what(1)", "random(1", "a b"]
        {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
        let error = Selector::Index(9).check(5, &[]).unwrap_err();
        assert_eq!(error.to_string(), "there is no node 9: the cluster has 5, counted from 0 to 4");
    }
}
