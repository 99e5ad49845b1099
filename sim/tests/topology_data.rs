//! The topologies that scenarios use, and published ones as strangers bring them.

#![expect(clippy::disallowed_methods, reason = "files stand beside the project, not in a scenario's folder")]

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use seedbed_core::contract::Duration;
use seedbed_sim::topology::Matrix;

/// A file of this project.
fn own(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/data").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file of the public data beside the project, which a clone alone does not have.
fn shared(name: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = folder.join(name);
    let text = fs::read_to_string(&path).ok();
    if text.is_none() {
        assert!(!folder.exists(), "{} is missing, though its folder is there", path.display());
        // Not `eprintln`, which the test harness keeps to itself when a test passes.
        let notice = format!("\nSKIPPED: {} is missing; nothing was compared with it\n", path.display());
        io::stderr().write_all(notice.as_bytes()).expect("stderr is open");
    }
    text
}

fn zoo(name: &str) -> Option<Matrix> {
    let text = shared(&format!("topology/{name}.graphml"))?;
    Some(Matrix::from_graphml(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn between(matrix: &Matrix, from: &str, to: &str) -> f64 {
    let index = |region| matrix.index(region).unwrap_or_else(|| panic!("no region {region}"));
    matrix.between(index(from), index(to)).as_millis_f64()
}

#[test]
fn the_aws_matrix_is_the_published_one() {
    let matrix = Matrix::from_csv(&own("aws-one-way-ms.csv")).unwrap();
    assert_eq!(matrix.regions.len(), 13);
    assert_eq!(between(&matrix, "n-virginia", "frankfurt"), 44.0);
    assert_eq!([between(&matrix, "tokyo", "seoul"), between(&matrix, "seoul", "tokyo")], [16.0, 17.0]);

    let Some(published) = shared("latency/aws-latencies.csv") else { return };
    let published = Matrix::from_csv(&published).unwrap();
    let renamed: Vec<_> =
        published.regions.iter().map(|name| name.to_lowercase().replace('_', "-")).collect();
    assert_eq!(matrix.regions, renamed);
    for (from, name) in renamed.iter().enumerate() {
        for (to, other) in renamed.iter().enumerate() {
            assert_eq!(matrix.between(from, to), published.between(from, to), "{name} to {other}");
        }
    }
}

/// Great circles by the haversine formula, computed apart with a radius of 6,371.0088 km.
#[test]
fn the_ring_leads_the_shorter_way_round() {
    let ring = Matrix::from_graphml(&own("ring6.graphml")).unwrap();
    assert_eq!(ring.regions, ["london", "amsterdam", "berlin", "vienna", "milan", "paris"]);
    let near = |from, to, ms: f64| {
        let got = between(&ring, from, to);
        assert!((got - ms).abs() < 1e-4, "{from} to {to}: {got} ms is not {ms} ms");
        assert_eq!(got, between(&ring, to, from));
    };
    near("london", "paris", 1.682_534);
    near("london", "berlin", 1.752_720 + 2.821_333);
    near("london", "milan", 1.682_534 + 3.132_214);
    near("london", "vienna", 1.752_720 + 2.821_333 + 2.564_013);
    // 900 km are given, which is more than the great circle.
    near("vienna", "milan", 900.0 / 204.190);
    near("berlin", "milan", 2.564_013 + 900.0 / 204.190);
}

#[test]
fn the_topology_zoo_is_read_as_published() {
    for (name, regions) in
        [("Abilene", 11), ("Cogentco", 186), ("Geant2012", 40), ("Nsfnet", 13), ("Sprint", 11)]
    {
        let Some(matrix) = zoo(name) else { return };
        assert_eq!(matrix.regions.len(), regions, "{name}");
        for from in 0..regions {
            assert_eq!(matrix.between(from, from), Duration::ZERO);
            for to in 0..regions {
                let direct = matrix.between(from, to);
                assert_eq!(direct, matrix.between(to, from), "{name}: {from} {to}");
                // Half around the Earth takes light 98 ms in fibre; no way in these networks is longer.
                assert!(direct < Duration::from_millis(98), "{name}: {from} {to} {direct}");
                let through =
                    (0..regions).map(|via| matrix.between(from, via) + matrix.between(via, to)).min();
                assert_eq!(through, Some(direct), "{name}: a detour is shorter");
            }
        }
    }
}

/// Computed apart: haversine distances, shortest ways by hand-written Dijkstra over the published links.
#[test]
fn published_maps_give_known_latencies() {
    let Some(abilene) = zoo("Abilene") else { return };
    let near = |matrix: &Matrix, from, to, ms: f64| {
        let got = between(matrix, from, to);
        assert!((got - ms).abs() < 1e-5, "{from} to {to}: {got} ms is not {ms} ms");
    };
    near(&abilene, "New York", "Chicago", 5.611_630);
    near(&abilene, "Seattle", "Atlanta", 19.350_490);
    near(&abilene, "New York", "Los Angeles", 22.208_441);

    // Ukraine, Moldova and Belarus have no coordinates and one link each, which gets the median.
    let Some(geant) = zoo("Geant2012") else { return };
    for (from, to) in [("UA", "PL"), ("BY", "PL"), ("MD", "RO")] {
        near(&geant, from, to, 2.612_647);
    }
    near(&geant, "UK", "UA", 9.229_980);
    near(&geant, "MT", "IL", 23.085_147);
}
