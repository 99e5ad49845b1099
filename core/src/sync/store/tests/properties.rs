//! Queries beside a plain search, logs, and what was acknowledged.

use super::*;

/// Filters on any path, the name included; all of them must hold.
#[test]
fn filters_look_at_any_path_and_all_of_them_hold() {
    let mut store = store(0);
    for number in 0..20 {
        let text = format!(r#"{{"n":{number},"d":{{"x":{{"y":"{}{number:02}"}}}}}}"#, ["p", "q"][number % 2]);
        store.add(BOOKS, id(number as u32), &json(&text), wall(1)).unwrap();
    }
    let filter = |path: &str, test: Test| Filter { path: path.parse().unwrap(), test };
    let found = |filters: Vec<Filter>| -> Vec<u64> {
        let query = Query {
            filters,
            order: Order::Field("/n".parse().unwrap()),
            descending: true,
            ..Query::default()
        };
        let page = store.find(BOOKS, &query).unwrap();
        page.documents.iter().map(|found| found.body().value()["n"].as_u64().unwrap()).collect()
    };
    let starts = |path: &str, text: &str| filter(path, Test::StartsWith(text.to_owned()));
    let within = |path: &str, from: &str, to: &str| {
        filter(path, Test::Within(Bound::Included(json(from)), Bound::Excluded(json(to))))
    };
    assert_eq!(found(vec![starts("/d/x/y", "q0"), within("/n", "3", "9")]), [7, 5, 3]);
    assert_eq!(found(vec![within("/d/x/y", "\"p04\"", "\"p08\"")]), [6, 4]);
    assert_eq!(found(vec![filter("/d/x", Test::Equals(json(r#"{"y":"p02"}"#)))]), [2]);
    assert_eq!(found(vec![filter("/_id", Test::Equals(json(&format!("\"{}\"", id(11)))))]), [11]);
    assert_eq!(found(vec![starts("/_id", &id(0).to_string()[..8])]).len(), 20);
    assert!(found(vec![starts("/n", "1")]).is_empty(), "a number begins with nothing");
    assert!(found(vec![filter("/none", Test::Within(Bound::Unbounded, Bound::Unbounded))]).is_empty());
}

/// One of few documents, so that values collide.
fn body() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec![
        "null",
        "true",
        "1",
        "1.5",
        "2",
        "-3",
        "\"a\"",
        "\"ab\"",
        "\"b\"",
        "[1]",
        "{}",
        "{\"c\":1}",
    ]);
    (value.clone(), value).prop_map(|(one, other)| format!(r#"{{"a":{one},"b":{{"c":{other}}}}}"#))
}

fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::Id),
        Just(Order::Written),
        Just(Order::Field("/b/c".parse().unwrap())),
        Just(Order::Field("/a".parse().unwrap()))
    ]
}

proptest! {
    #![proptest_config(cases(600))]

    /// Whatever is inserted, changed or deleted elsewhere while pages are read: what is there all the time is on exactly one.
    #[test]
    fn pages_are_the_whole(
        bodies in proptest::collection::vec(body(), 1..40),
        order in orders(), descending: bool, limit in 1..6_u32,
        meanwhile in proptest::collection::vec((0..80_u32, 0..3_u8, body()), 0..30),
    ) {
        let mut store = store(0);
        let mut steady: BTreeSet<DocumentId> = BTreeSet::new();
        for (number, text) in bodies.iter().enumerate() {
            let id = id(number as u32 * 2);
            store.add(BOOKS, id, &json(text), wall(number as u64 % 3)).unwrap();
            steady.insert(id);
        }
        let mut meanwhile = meanwhile.into_iter();
        let mut query = Query { order, descending, limit, ..Query::default() };
        let mut seen = Vec::new();
        loop {
            let page = store.find(BOOKS, &query).unwrap();
            prop_assert!(page.documents.len() <= limit as usize);
            seen.extend(page.documents.iter().map(|found| found.id));
            let Some(next) = page.next else { break };
            query.after = Some(next);
            if let Some((number, what, text)) = meanwhile.next() {
                let id = id(number);
                let done = match what {
                    0 => store.put(BOOKS, id, &json(&text), None, wall(1)),
                    1 => store.update(BOOKS, id, &json(&text), None, wall(1)),
                    _ => store.delete(BOOKS, id, None, wall(1)),
                };
                if done.is_ok() {
                    steady.remove(&id);
                }
            }
        }
        let unique: BTreeSet<_> = seen.iter().copied().collect();
        prop_assert_eq!(unique.len(), seen.len(), "a document is on two pages");
        prop_assert!(steady.is_subset(&unique));
    }

    /// Filters and orders against a model that looks at whole bodies.
    #[test]
    fn a_query_finds_what_a_plain_search_finds(
        bodies in proptest::collection::vec(body(), 0..40), order in orders(), descending: bool, which in 0..6_u8, bound in body(),
    ) {
        let mut store = store(0);
        let mut model: BTreeMap<DocumentId, serde_json::Value> = BTreeMap::new();
        for (number, text) in bodies.iter().enumerate() {
            store.add(BOOKS, id(number as u32), &json(text), wall(1)).unwrap();
            model.insert(id(number as u32), json(text).value());
        }
        let bound = json(&bound).value()["a"].clone();
        let text = json(&bound.to_string());
        let test = match which {
            0 => Test::Equals(text),
            1 => Test::Within(Bound::Included(text), Bound::Unbounded),
            2 => Test::Within(Bound::Excluded(text.clone()), Bound::Unbounded),
            3 => Test::Within(Bound::Unbounded, Bound::Included(text)),
            4 => Test::Within(Bound::Unbounded, Bound::Excluded(text)),
            _ => Test::StartsWith("a".to_owned()),
        };
        let holds = |value: &serde_json::Value| {
            let order = match (value, &bound) {
                (serde_json::Value::Number(one), serde_json::Value::Number(other)) => one.as_f64().partial_cmp(&other.as_f64()),
                (serde_json::Value::String(one), serde_json::Value::String(other)) => Some(one.cmp(other)),
                (one, other) if one == other => Some(std::cmp::Ordering::Equal),
                (serde_json::Value::Object(_), serde_json::Value::Object(_)) => {
                    Some(value.to_string().cmp(&bound.to_string()))
                }
                _ => None,
            };
            match which {
                0 => order.is_some_and(|order| order.is_eq()) ,
                1 => order.is_some_and(|order| order.is_ge()),
                2 => order.is_some_and(|order| order.is_gt()),
                3 => order.is_some_and(|order| order.is_le()),
                4 => order.is_some_and(|order| order.is_lt()),
                _ => value.as_str().is_some_and(|value| value.starts_with('a')),
            }
        };
        let expected: BTreeSet<DocumentId> =
            model.iter().filter(|(_, value)| holds(&value["b"]["c"])).map(|(id, _)| *id).collect();
        let filters = vec![Filter { path: "/b/c".parse().unwrap(), test }];
        let page = store.find(BOOKS, &Query { filters, order: order.clone(), descending, ..Query::default() }).unwrap();
        let found: Vec<DocumentId> = page.documents.iter().map(|found| found.id).collect();
        prop_assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), expected);
        if let Order::Id | Order::Written = order {
            prop_assert!(found.is_sorted_by(|one, next| (one < next) != descending));
        } else {
            let numbers = page.documents.iter().filter_map(|found| {
                let value = found.body().value();
                let value = if order == Order::Field("/a".parse().unwrap()) { &value["a"] } else { &value["b"]["c"] };
                value.as_f64()
            });
            prop_assert!(numbers.collect::<Vec<_>>().is_sorted_by(|one, next| one == next || (one < next) != descending));
        }
    }

    /// A store comes back from its log, from a snapshot and the log after it, and from its bytes; and two stores that were
    /// told all hold the same.
    #[test]
    fn a_log_brings_the_store_back(
        steps in proptest::collection::vec((0..2_usize, 0..7_u8, 0..6_u32, body(), 0..9_u64), 1..40), cut in 0..40_usize,
    ) {
        let mut stores = [store(0), store(1)];
        let mut replayed = stores.clone();
        let mut restored = stores.clone();
        for (nth, (at, what, number, text, millis)) in steps.into_iter().enumerate() {
            if nth == cut {
                restored = [0, 1].map(|at| {
                    let mut fresh = Store::new(NodeId(at as u32), *stores[at].limits());
                    stores[at].snapshot().for_each(|record| fresh.restore(&record));
                    fresh
                });
            }
            let (id, wall) = (id(number), wall(millis));
            let [one, other] = &mut stores;
            let (here, there) = if at == 0 { (one, other) } else { (other, one) };
            let record = match what {
                0 => here.add(BOOKS, id, &json(&text), wall).ok().map(|done| done.record),
                1 => here.update(BOOKS, id, &json(&text), None, wall).ok().map(|done| done.record),
                2 => here.delete(BOOKS, id, None, wall).ok().map(|done| done.record),
                3 => {
                    let state = there.state(BOOKS, id).cloned();
                    let epoch = there.collections[BOOKS].state.epoch;
                    let told = state.map(|state| Change::Document { collection: name(BOOKS), epoch, id, state });
                    told.and_then(|told| here.apply(&told, wall).ok().flatten())
                }
                4 => here.collect(BOOKS, &[id]).ok().flatten(),
                5 if number == 0 => here.delete_collection(BOOKS, wall).ok(),
                _ => here.create_collection(&name(BOOKS), Schema::default(), wall).ok(),
            };
            if let Some(record) = record {
                let record: Record = postcard::from_bytes(&postcard::to_allocvec(&record).unwrap()).unwrap();
                replayed[at].restore(&record);
                restored[at].restore(&record);
            }
        }
        prop_assert_eq!(&stores, &replayed);
        prop_assert_eq!(&stores, &restored);
        let bytes = postcard::to_allocvec(&stores[0]).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<Store>(&bytes).unwrap(), &stores[0]);
        let [one, other] = &mut stores;
        tell(one, other);
        tell(other, one);
        prop_assert!(one.collection_states().eq(other.collection_states()));
        prop_assert!(one.entries(BOOKS).eq(other.entries(BOOKS)));
        prop_assert_eq!(one.seen(BOOKS), other.seen(BOOKS));
        let writes = |store: &Store| -> BTreeSet<_> { (0..2).flat_map(|node| store.written_since(BOOKS, NodeId(node), 0).collect::<Vec<_>>()).collect() };
        let expected: BTreeSet<_> = one.entries(BOOKS).flat_map(|(id, state)| state.seen().iter().map(|stamp| (stamp, id)).collect::<Vec<_>>()).collect();
        prop_assert_eq!(writes(one), expected);
    }

    /// Every acknowledged write is held by whoever was told all, or was superseded.
    #[test]
    fn acknowledged_writes_are_held(
        steps in proptest::collection::vec((0..3_usize, 0..5_u8, 0..3_u32, body(), 0..9_u64), 1..40),
    ) {
        let mut stores = [store(0), store(1), store(2)];
        let mut receipts = Vec::new();
        for (at, what, number, text, millis) in steps {
            let (id, wall) = (id(number), wall(millis));
            let done = match what {
                0 => stores[at].put(BOOKS, id, &json(&text), None, wall),
                1 | 2 => stores[at].update(BOOKS, id, &json(&text), None, wall),
                3 => stores[at].delete(BOOKS, id, None, wall),
                _ => {
                    let from = stores[(at + 1) % 3].clone();
                    tell(&from, &mut stores[at]);
                    continue;
                }
            };
            receipts.extend(done.ok().and_then(|done| done.receipt()));
        }
        let [one, two, mut three] = stores;
        receipts.iter().filter(|receipt| one.holds(receipt) == Some(false)).for_each(|receipt| {
            assert_ne!(receipt.stamp.node, NodeId(0), "a store holds what it acknowledged");
        });
        tell(&one, &mut three);
        tell(&two, &mut three);
        for receipt in receipts {
            prop_assert_eq!(three.holds(&receipt), Some(true), "{:?}", receipt);
        }
    }
}
