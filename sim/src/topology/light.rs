//! Latencies on a map: how long light takes, along the shortest way.

use petgraph::algo::dijkstra;
use petgraph::graph::{DiGraph, NodeIndex};
use seedbed_core::contract::Duration;

use super::graphml::{Link, Map, Site};
use super::{Matrix, TopologyError};

/// Light in a standard single-mode fibre: 299,792.458 km/s in vacuum by an index of 1.4682 (Corning SMF-28 at 1,550 nm).
pub(super) const FIBRE_KM_PER_S: f64 = 204_190.0;
/// The mean radius of the Earth (Moritz, Geodetic Reference System 1980).
const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// A place on the globe, as a point of the unit sphere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position([f64; 3]);

impl Position {
    /// By latitude and longitude in degrees.
    pub(super) fn new(latitude: f64, longitude: f64) -> Self {
        let (north, east) = (latitude.to_radians(), longitude.to_radians());
        let from_axis = libm::cos(north);
        Self([from_axis * libm::cos(east), from_axis * libm::sin(east), libm::sin(north)])
    }

    /// Along the great circle: the haversine formula, of which the chord is the root.
    fn kilometres_to(self, other: Self) -> f64 {
        let square: f64 = self.0.iter().zip(other.0).map(|(a, b)| (a - b) * (a - b)).sum();
        2.0 * EARTH_RADIUS_KM * libm::asin((libm::sqrt(square) / 2.0).min(1.0))
    }

    /// In the middle of at least two others, unless they lie all around the globe.
    fn amid(others: &[Self]) -> Option<Self> {
        let sum = |axis: usize| others.iter().map(|position| position.0[axis]).sum::<f64>();
        let middle = [sum(0), sum(1), sum(2)];
        let length = libm::sqrt(middle.iter().map(|axis| axis * axis).sum());
        (others.len() > 1 && length > 1e-9).then(|| Self(middle.map(|axis| axis / length)))
    }
}

/// The time of light in so many kilometres of fibre.
pub(super) fn travel(kilometres: f64) -> Duration {
    Duration::from_nanos(libm::round(kilometres / FIBRE_KM_PER_S * 1e9) as u64)
}

/// The shortest ways between all regions of a map.
pub(super) fn matrix(map: &Map) -> Result<Matrix, TopologyError> {
    let mut graph = DiGraph::<(), u64>::with_capacity(map.sites.len(), 2 * map.links.len());
    let nodes: Vec<NodeIndex> = map.sites.iter().map(|_| graph.add_node(())).collect();
    for (link, takes) in map.links.iter().zip(times(map)?) {
        graph.add_edge(nodes[link.from], nodes[link.to], takes.as_nanos());
        if link.leads_back {
            graph.add_edge(nodes[link.to], nodes[link.from], takes.as_nanos());
        }
    }
    let regions: Vec<_> = map.sites.iter().zip(nodes).filter(|(site, _)| !site.is_junction).collect();
    let row = |&(from, start): &(&Site, NodeIndex)| {
        let ways = dijkstra(&graph, start, None, |edge| *edge.weight());
        let latency = |&(to, end): &(&Site, NodeIndex)| match ways.get(&end) {
            Some(&nanos) => Ok(Duration::from_nanos(nanos)),
            None => Err(TopologyError::Unreachable { from: from.name.clone(), to: to.name.clone() }),
        };
        regions.iter().map(latency).collect()
    };
    let one_way = regions.iter().map(row).collect::<Result<_, _>>()?;
    Ok(Matrix { regions: regions.iter().map(|(site, _)| site.name.clone()).collect(), one_way })
}

/// What each link takes.
fn times(map: &Map) -> Result<Vec<Duration>, TopologyError> {
    let own: Vec<_> = map.sites.iter().map(|site| site.position).collect();
    let placed: Vec<_> =
        (0..own.len()).map(|site| own[site].or_else(|| Position::amid(&around(map, site)))).collect();
    let time = |link: &Link, places: &[Option<Position>]| {
        link.given.or_else(|| Some(travel(places[link.from]?.kilometres_to(places[link.to]?))))
    };
    let mut known: Vec<_> = map.links.iter().filter_map(|link| time(link, &own)).collect();
    known.sort_unstable();
    let median = known.get(known.len() / 2).copied();
    let stand_in = |link: &Link| {
        let lost = [link.from, link.to].into_iter().find(|&site| placed[site].is_none());
        let node = map.sites[lost.unwrap_or(link.from)].name.clone();
        median.ok_or(TopologyError::NoPlace { node })
    };
    map.links.iter().map(|link| time(link, &placed).map_or_else(|| stand_in(link), Ok)).collect()
}

/// The places next to a site that the map gives.
fn around(map: &Map, site: usize) -> Vec<Position> {
    let other = |link: &Link| match (link.from == site, link.to == site) {
        (true, false) => map.sites[link.to].position,
        (false, true) => map.sites[link.from].position,
        _ => None,
    };
    map.links.iter().filter_map(other).collect()
}
