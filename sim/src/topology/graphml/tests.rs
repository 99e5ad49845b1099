use proptest::prelude::*;

use super::super::*;
use super::*;

/// A map of these nodes and edges, with the attributes that the Topology Zoo uses and some more.
fn graphml(body: &str) -> String {
    let keys = ["label", "Latitude", "Longitude", "hyperedge", "Latency", "length"];
    let keys: String = keys.map(|key| format!("<key id='{key}' attr.name='{key}'/>")).concat();
    format!("<graphml>{keys}\n<graph edgedefault='undirected'>{body}</graph></graphml>")
}

fn node(id: &str, data: &[(&str, &str)]) -> String {
    format!("<node id='{id}'>{}</node>", all(data))
}

fn edge(from: &str, to: &str, data: &[(&str, &str)]) -> String {
    format!("<edge source='{from}' target='{to}'>{}</edge>", all(data))
}

fn all(data: &[(&str, &str)]) -> String {
    data.iter().map(|(key, text)| format!("<data key='{key}'>{text}</data>")).collect()
}

fn placed(id: &str, latitude: &str, longitude: &str) -> String {
    node(id, &[("Latitude", latitude), ("Longitude", longitude)])
}

fn read(body: &[String]) -> Result<Matrix, TopologyError> {
    Matrix::from_graphml(&graphml(&body.concat()))
}

fn row(matrix: &Matrix, from: usize) -> Vec<f64> {
    matrix.one_way[from].iter().map(|one_way| (one_way.as_millis_f64() * 1e3).round() / 1e3).collect()
}

/// A degree of the equator is 111.195 km: 0.545 ms.
#[test]
fn a_link_lasts_as_its_latency_its_length_or_its_ends_say() {
    let nodes =
        [placed("a", "0", "0"), placed("b", "0", "10"), placed("c", "0", "20"), placed("d", "0", "30")];
    let edges = [
        edge("a", "b", &[("Latency", "1.5"), ("length", "99")]),
        edge("b", "c", &[("length", "2041.9")]),
        edge("c", "d", &[]),
    ];
    let matrix = read(&[nodes.concat(), edges.concat()]).unwrap();
    assert_eq!(row(&matrix, 0), [0.0, 1.5, 11.5, 16.946]);
}

#[test]
fn the_other_side_of_the_earth_is_98_ms_away() {
    let nodes = [placed("a", "0", "-90"), placed("b", "0", "90"), placed("c", "90", "0")];
    let matrix = read(&[nodes.concat(), edge("a", "b", &[]), edge("b", "c", &[])]).unwrap();
    assert_eq!(row(&matrix, 1), [98.022, 0.0, 49.011]);
}

#[test]
fn a_node_without_place_stands_amid_its_neighbours_or_a_median_link_away() {
    let nodes = [placed("a", "0", "0"), placed("b", "0", "10"), node("amid", &[]), node("leaf", &[])];
    let edges = [
        edge("a", "b", &[("Latency", "7")]),
        edge("a", "amid", &[]),
        edge("amid", "b", &[]),
        edge("b", "leaf", &[]),
    ];
    let matrix = read(&[nodes.concat(), edges.concat()]).unwrap();
    assert_eq!(row(&matrix, 1), [5.446, 0.0, 2.723, 7.0]);
}

#[test]
fn a_directed_link_leads_one_way() {
    let nodes = [placed("a", "0", "0"), placed("b", "0", "10"), placed("c", "0", "20")].concat();
    let ring =
        ["<edge source='a' target='b'/><edge source='b' target='c'/><edge source='c' target='a'/>"].concat();
    let text = graphml(&(nodes.clone() + &ring)).replace("undirected", "directed");
    assert_eq!(row(&Matrix::from_graphml(&text).unwrap(), 1), [16.337, 0.0, 5.446]);
    let one_way = graphml(&(nodes + &ring.replace("<edge ", "<edge directed='true' ")));
    assert_eq!(Matrix::from_graphml(&one_way), Matrix::from_graphml(&text));
}

#[test]
fn regions_are_named_by_label_and_junctions_are_none() {
    let edges: String = ["0", "1", "2"].map(|id| edge(id, "3", &[("Latency", "1")])).concat();
    let nodes = [
        node("0", &[("label", " Rome ")]),
        node("1", &[("label", "Athens")]),
        node("2", &[("label", "Rome")]),
        node("3", &[("label", "Rome"), ("hyperedge", "1")]),
        node("4", &[("label", "")]),
    ];
    let matrix = read(&[nodes.concat(), edges, edge("4", "0", &[("Latency", "2")])]).unwrap();
    assert_eq!(matrix.regions, ["Rome (0)", "Athens", "Rome (2)", "4"]);
    assert_eq!(row(&matrix, 0), [0.0, 2.0, 2.0, 2.0]);
}

#[test]
fn what_is_no_map_is_refused_with_its_place() {
    let (a, b) = (|| placed("a", "0", "0"), || placed("b", "0", "1"));
    let (x, labelled_x) = (|| node("x (1)", &[]), |id| node(id, &[("label", "x")]));
    let alone = |latency| edge("a", "a", &[("Latency", latency)]);
    for (body, place, problem) in [
        (vec![], "<graph ", "the graph has no node"),
        (vec!["<node/>".into()], "<node", "the node has no id"),
        (vec!["<hyperedge/>".into()], "<hyper", "hyperedges are not supported: link their ends to a node"),
        (vec![a(), "<edge source='x'/>".into()], "<edge", "the source \"x\" is not a node"),
        (vec![a(), "<edge source='a'/>".into()], "<edge", "the edge has no target"),
        (vec![a(), b(), a()], "<node id='a'", "a second node \"a\""),
        (vec![placed("a", "91", "0")], "<data key='La", "expected degrees from -90 to 90, found \"91\""),
        (vec![placed("a", "0", "NaN")], "<data key='Lo", "expected degrees from -180 to 180, found \"NaN\""),
        (vec![a(), alone("-1")], "<data key='La", "expected milliseconds from 0 to 86400000, found \"-1\""),
        (
            vec![labelled_x("1"), labelled_x("2"), x()],
            "<node id='x",
            "a second node would be named \"x (1)\"",
        ),
    ] {
        let text = graphml(&body.concat());
        let line = text.lines().last().unwrap();
        let column = line.rfind(place).unwrap() + 1;
        let error = Matrix::from_graphml(&text).unwrap_err().to_string();
        assert_eq!(error, format!("line 2, column {column}: {problem}"));
    }
    let parted = read(&[a(), b()]).unwrap_err().to_string();
    assert_eq!(parted, "no way leads from a to b");
    let nowhere = read(&[node("a", &[]), node("b", &[("label", "B")]), edge("b", "a", &[])]).unwrap_err();
    let reason = "B has no Latitude and Longitude, and no link of the map has a length that could stand in";
    assert_eq!(nowhere.to_string(), reason);
}

#[test]
fn a_map_has_bounds() {
    let nodes: String = (0..=REGIONS_MAX).map(|id| node(&id.to_string(), &[])).collect();
    assert!(read(&[nodes]).unwrap_err().to_string().ends_with("more than 1024 nodes"));
    let edges = edge("a", "a", &[]).repeat(LINKS_MAX + 1);
    assert!(
        read(&[placed("a", "0", "0"), edges]).unwrap_err().to_string().ends_with("more than 16384 links")
    );
}

#[test]
fn hostile_documents_end_in_an_error() {
    let deep = format!("{}{}", "<a>".repeat(300_000), "</a>".repeat(300_000));
    let wide = "<a/>".repeat(XML_NODES_MAX as usize);
    let attributes: String = (0..100_000).map(|index| format!(" a{index}=''")).collect();
    let namespaces: String = (0..100).map(|index| format!("<a xmlns:n{index}='{index}'>")).collect();
    let laughs = "<!DOCTYPE graphml [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><graphml>&b;</graphml>";
    for text in [
        "",
        "\0",
        "<",
        "<graphml>",
        "<html/>",
        "<graphml/>",
        "<other><graph><node id='a'/></graph></other>",
        laughs,
        &deep,
        &format!("<graphml>{wide}</graphml>"),
        &format!("<graphml{attributes}/>"),
        &namespaces,
    ] {
        let error = Matrix::from_graphml(text).unwrap_err();
        assert!(matches!(error, TopologyError::Malformed { .. }), "{}: {error}", excerpt(text));
    }
}

proptest! {
    #[test]
    fn any_damage_to_a_map_is_a_matrix_or_an_error(cut in 0_usize..2_000, add in "[<>/'a0&-]{0,4}") {
        let nodes = [placed("a", "0", "0"), placed("b", "1", "10"), node("c", &[("label", "C")])];
        let edges = [edge("a", "b", &[("length", "5")]), edge("b", "c", &[]), edge("c", "a", &[("Latency", "1")])];
        let mut text = graphml(&(nodes.concat() + &edges.concat()));
        let cut = cut % text.len();
        text.replace_range(cut..(cut + 2).min(text.len()), &add);
        if let Ok(matrix) = Matrix::from_graphml(&text) {
            prop_assert!(matrix.one_way.iter().all(|row| row.len() == matrix.regions.len()));
        }
    }
}
