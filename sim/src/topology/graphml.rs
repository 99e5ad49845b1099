//! Maps as GraphML text.

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::{Document, Node, ParsingOptions};
use seedbed_core::contract::Duration;

use super::light::{FIBRE_KM_PER_S, Position};
use super::{LATENCY_MAX, LINKS_MAX, REGIONS_MAX, TopologyError, excerpt, latency, malformed, name};

/// The most elements and texts of a document: a node of the Topology Zoo takes about twenty.
const XML_NODES_MAX: u32 = 1_000_000;
/// The longest tag: an XML parser compares its attributes pair by pair.
const TAG_MAX: usize = 1 << 16;
/// The most namespace declarations: each may be copied into every element below it.
const NAMESPACES_MAX: usize = 64;

/// What a GraphML text says about places and links.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) sites: Vec<Site>,
    pub(super) links: Vec<Link>,
}

#[derive(Debug)]
pub(super) struct Site {
    pub(super) name: String,
    pub(super) position: Option<Position>,
    /// A point where links meet, and no place for a machine.
    pub(super) is_junction: bool,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) leads_back: bool,
    /// What the text says it takes.
    pub(super) given: Option<Duration>,
}

pub(super) fn map(text: &str) -> Result<Map, TopologyError> {
    // A document type could define entities, of which nothing is needed here.
    let options =
        ParsingOptions { allow_dtd: false, nodes_limit: XML_NODES_MAX, ..ParsingOptions::default() };
    if text.split('<').any(|tag| tag.len() > TAG_MAX) || text.matches("xmlns").nth(NAMESPACES_MAX).is_some() {
        return Err(malformed(1, 1, "this is no map: a tag is too long, or there are too many namespaces"));
    }
    let document = Document::parse_with_options(text, options)
        .map_err(|error| malformed(error.pos().row, error.pos().col, format!("not XML: {error}")))?;
    let source = Source { document: &document };
    let root = document.root_element();
    let graph = root.children().find(|child| child.tag_name().name() == "graph");
    match graph.filter(|_| root.tag_name().name() == "graphml") {
        Some(graph) => source.map(root, graph),
        None => Err(source.wrong(root, "expected <graphml> with a <graph>")),
    }
}

/// The attributes of an element by lower-case name, with the element that says so.
type Attributes<'a> = BTreeMap<String, (Node<'a, 'a>, &'a str)>;

struct Source<'a> {
    document: &'a Document<'a>,
}

impl<'a> Source<'a> {
    fn map(&self, root: Node<'a, 'a>, graph: Node<'a, 'a>) -> Result<Map, TopologyError> {
        let keys = elements(root, "key")
            .filter_map(|key| Some((key.attribute("id")?, key.attribute("attr.name")?.to_ascii_lowercase())))
            .collect::<BTreeMap<_, _>>();
        let attributes = |element: Node<'a, 'a>| -> Attributes<'a> {
            elements(element, "data")
                .filter_map(|data| {
                    let name = keys.get(data.attribute("key")?)?;
                    Some((name.clone(), (data, data.text()?.trim())))
                })
                .collect()
        };
        if let Some(hyperedge) = elements(graph, "hyperedge").next() {
            return Err(self.wrong(hyperedge, "hyperedges are not supported: link their ends to a node"));
        }
        let nodes: Vec<_> = elements(graph, "node").map(|node| (node, attributes(node))).collect();
        let edges = elements(graph, "edge").map(|edge| (edge, attributes(edge)));
        let (ids, sites) = self.sites(graph, &nodes)?;
        let both_ways = graph.attribute("edgedefault") != Some("directed");
        let mut links = Vec::new();
        for (edge, attributes) in edges {
            if links.len() == LINKS_MAX {
                return Err(self.wrong(edge, format!("more than {LINKS_MAX} links")));
            }
            links.push(self.link(edge, &attributes, &ids, both_ways)?);
        }
        Ok(Map { sites, links })
    }

    /// The nodes in order, and where each id is among them.
    fn sites(
        &self,
        graph: Node<'a, 'a>,
        nodes: &[(Node<'a, 'a>, Attributes<'a>)],
    ) -> Result<(BTreeMap<&'a str, usize>, Vec<Site>), TopologyError> {
        if nodes.is_empty() {
            return Err(self.wrong(graph, "the graph has no node"));
        }
        let is_junction = |attributes: &Attributes<'a>| text(attributes, "hyperedge") == Some("1");
        let (mut labels, mut ids) = (BTreeMap::<_, usize>::new(), BTreeMap::new());
        for (index, (node, attributes)) in nodes.iter().enumerate() {
            let id = node.attribute("id").ok_or_else(|| self.wrong(*node, "the node has no id"))?;
            if index == REGIONS_MAX {
                return Err(self.wrong(*node, format!("more than {REGIONS_MAX} nodes")));
            }
            if ids.insert(id, index).is_some() {
                return Err(self.wrong(*node, format!("a second node {:?}", excerpt(id))));
            }
            if !is_junction(attributes) {
                *labels.entry(text(attributes, "label")).or_default() += 1;
            }
        }
        let mut names = BTreeSet::new();
        let mut sites = Vec::with_capacity(nodes.len());
        for (node, attributes) in nodes {
            let id = node.attribute("id").unwrap_or_default();
            let own = match text(attributes, "label") {
                Some(label) if labels.get(&Some(label)) == Some(&1) => label.to_owned(),
                Some(label) => format!("{label} ({id})"),
                None => id.to_owned(),
            };
            name(&own).map_err(|problem| self.wrong(*node, problem))?;
            if !names.insert(own.clone()) {
                return Err(self.wrong(*node, format!("a second node would be named {own:?}")));
            }
            let position = self.position(attributes)?;
            sites.push(Site { name: own, position, is_junction: is_junction(attributes) });
        }
        Ok((ids, sites))
    }

    fn link(
        &self,
        edge: Node<'a, 'a>,
        attributes: &Attributes<'a>,
        ids: &BTreeMap<&str, usize>,
        both_ways: bool,
    ) -> Result<Link, TopologyError> {
        let end = |which| {
            let id =
                edge.attribute(which).ok_or_else(|| self.wrong(edge, format!("the edge has no {which}")))?;
            let known = ids.get(id).copied();
            known.ok_or_else(|| self.wrong(edge, format!("the {which} {:?} is not a node", excerpt(id))))
        };
        let leads_back = match edge.attribute("directed") {
            Some(directed) => directed != "true",
            None => both_ways,
        };
        Ok(Link { from: end("source")?, to: end("target")?, leads_back, given: self.given(attributes)? })
    }

    /// What the text says a link takes, in time or else in length.
    fn given(&self, attributes: &Attributes<'a>) -> Result<Option<Duration>, TopologyError> {
        let attribute = |names: [&str; 2]| names.into_iter().find_map(|name| attributes.get(name));
        if let Some((element, text)) = attribute(["latency", "delay"]) {
            return latency(text).map(Some).map_err(|problem| self.wrong(*element, problem));
        }
        let Some((element, text)) = attribute(["length", "distance"]) else { return Ok(None) };
        let longest = FIBRE_KM_PER_S * LATENCY_MAX.as_secs_f64();
        let kilometres = self.number(*element, text, 0.0, longest, "kilometres")?;
        Ok(Some(super::light::travel(kilometres)))
    }

    fn position(&self, attributes: &Attributes<'a>) -> Result<Option<Position>, TopologyError> {
        let (Some((north, latitude)), Some((east, longitude))) =
            (attributes.get("latitude"), attributes.get("longitude"))
        else {
            return Ok(None);
        };
        let latitude = self.number(*north, latitude, -90.0, 90.0, "degrees")?;
        let longitude = self.number(*east, longitude, -180.0, 180.0, "degrees")?;
        Ok(Some(Position::new(latitude, longitude)))
    }

    fn number(
        &self,
        element: Node<'a, 'a>,
        text: &str,
        least: f64,
        most: f64,
        unit: &str,
    ) -> Result<f64, TopologyError> {
        text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
            let found = excerpt(text);
            self.wrong(element, format!("expected {unit} from {least} to {most}, found {found:?}"))
        })
    }

    fn wrong(&self, element: Node<'a, 'a>, problem: impl Into<String>) -> TopologyError {
        let place = self.document.text_pos_at(element.range().start);
        malformed(place.row, place.col, problem)
    }
}

/// The children with this name, in any namespace.
fn elements<'a>(parent: Node<'a, 'a>, name: &'static str) -> impl Iterator<Item = Node<'a, 'a>> {
    parent.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

fn text<'a>(attributes: &Attributes<'a>, name: &str) -> Option<&'a str> {
    attributes.get(name).map(|(_, text)| *text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
