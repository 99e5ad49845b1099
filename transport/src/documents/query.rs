//! Queries as a request's query string says them, such as `where=/age>=18&where=/name^=An&sort=-/age&limit=20`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Bound;

use seedbed_core::contract::Json;
use seedbed_core::sync::Pointer;
use seedbed_core::sync::store::{Filter, Order, Query, Test};

use super::target::short;
use crate::door::Problem;

/// A name and a value of a query string.
type Pair<'q> = (Cow<'q, str>, Cow<'q, str>);

/// The name that may be given more than once.
const REPEATED: &str = "where";

/// The pairs of a query string, decoded. A name that is not known is refused: a misspelt filter would find everything. So is
/// one that is given twice, but for `where`: nobody could tell which of them counts.
pub(crate) fn pairs<'q>(query: Option<&'q str>, known: &[&str]) -> Result<Vec<Pair<'q>>, Problem> {
    let pairs: Vec<Pair<'q>> = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect();
    let mut given = BTreeSet::new();
    for (name, _) in &pairs {
        if !known.contains(&name.as_ref()) {
            let known = known.join("`, `");
            return Err(Problem::bad_request(format!("`{}` is none of `{known}`", short(name))));
        }
        if !given.insert(name) && name != REPEATED {
            return Err(Problem::bad_request(format!("`{name}` is given more than once")));
        }
    }
    Ok(pairs)
}

/// What is true or false.
pub(crate) fn flag(name: &str, value: &str) -> Result<bool, Problem> {
    value.parse().map_err(|_| Problem::bad_request(format!("`{name}` is true or false")))
}

/// A query of a collection.
pub(super) fn read(query: Option<&str>) -> Result<Query, Problem> {
    let mut read = Query { limit: LIMIT, ..Query::default() };
    for (name, value) in pairs(query, &[REPEATED, "sort", "limit", "after"])? {
        match name.as_ref() {
            REPEATED => read.filters.push(filter(&value)?),
            "sort" => (read.order, read.descending) = order(&value)?,
            "limit" => read.limit = limit(&value)?,
            _ => read.after = Some(value.into_owned()),
        }
    }
    Ok(read)
}

/// Documents of a page where nothing else is asked.
const LIMIT: u32 = 100;

/// A number of documents or changes.
pub(crate) fn limit(text: &str) -> Result<u32, Problem> {
    let limit = text.parse().ok().filter(|limit| *limit > 0);
    limit.ok_or_else(|| Problem::bad_request(format!("`limit={}`: a number from 1 on", short(text))))
}

fn order(text: &str) -> Result<(Order, bool), Problem> {
    let (descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
    let order = match name {
        "_id" => Order::Id,
        "written" => Order::Written,
        path => Order::Field(pointer(path)?),
    };
    Ok((order, descending))
}

fn pointer(text: &str) -> Result<Pointer, Problem> {
    if text == "/_id" || text.starts_with('/') {
        return text.parse().map_err(|error| Problem::bad_request(format!("{error}")));
    }
    let told = format!("`{}`: expected `_id`, `written` or a path such as `/age`", short(text));
    Err(Problem::bad_request(told))
}

/// Longer ones before those that begin like them.
const OPERATORS: [&str; 6] = ["<=", ">=", "^=", "=", "<", ">"];

/// `PATH OPERATOR VALUE`, such as `/age>=18`. The value is JSON, or else a string as it stands. A path that holds one of the
/// operators' signs stands in quotes, as a string of JSON.
fn filter(text: &str) -> Result<Filter, Problem> {
    let bad = || {
        let told = format!(
            "`where={}`: expected a path, one of = < <= > >= ^= and a value, such as /age>=18",
            short(text)
        );
        Problem::bad_request(told)
    };
    let (path, rest) = if text.starts_with('"') {
        let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let path = strings.next().and_then(Result::ok).ok_or_else(bad)?;
        (path, text.get(strings.byte_offset()..).unwrap_or_default())
    } else {
        let at = text.find(['=', '<', '>', '^']).ok_or_else(bad)?;
        (text[..at].to_owned(), &text[at..])
    };
    let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator)).ok_or_else(bad)?;
    let value = &rest[operator.len()..];
    let json = || {
        let parsed = Json::parse(value).or_else(|_| Json::parse(&serde_json::Value::from(value).to_string()));
        parsed.map_err(|_| bad())
    };
    let test = match operator {
        "=" => Test::Equals(json()?),
        "<" => Test::Within(Bound::Unbounded, Bound::Excluded(json()?)),
        "<=" => Test::Within(Bound::Unbounded, Bound::Included(json()?)),
        ">" => Test::Within(Bound::Excluded(json()?), Bound::Unbounded),
        ">=" => Test::Within(Bound::Included(json()?), Bound::Unbounded),
        _ => Test::StartsWith(serde_json::from_str(value).unwrap_or_else(|_| value.to_owned())),
    };
    Ok(Filter { path: pointer(&path).map_err(|_| bad())?, test })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn a_query_is_read_as_people_write_it() {
        let text = "where=/age%3E=18&where=/name%5E=An&where=%22/a=b%22%3C%22x%22&where=/is=true&sort=-/age&limit=7&after=abc";
        let query = read(Some(text)).unwrap();
        let filter = |path: &str, test| Filter { path: path.parse().unwrap(), test };
        assert_eq!(
            query.filters,
            [
                filter("/age", Test::Within(Bound::Included(json("18")), Bound::Unbounded)),
                filter("/name", Test::StartsWith("An".into())),
                filter("/a=b", Test::Within(Bound::Unbounded, Bound::Excluded(json("\"x\"")))),
                filter("/is", Test::Equals(json("true"))),
            ]
        );
        assert_eq!((query.order, query.descending), (Order::Field("/age".parse().unwrap()), true));
        assert_eq!((query.limit, query.after.as_deref()), (7, Some("abc")));
        assert_eq!(read(None).unwrap(), Query { limit: LIMIT, ..Query::default() });
    }

    #[test]
    fn a_value_that_is_no_json_is_a_string() {
        let query = read(Some("where=/city=Bad+Ems&where=/n=\"7\"&where=/x^=\"12\"")).unwrap();
        let tests: Vec<_> = query.filters.into_iter().map(|filter| filter.test).collect();
        assert_eq!(tests[0], Test::Equals(json("\"Bad Ems\"")));
        assert_eq!(tests[1], Test::Equals(json("\"7\"")));
        assert_eq!(tests[2], Test::StartsWith("12".into()));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for wrong in [
            "where=/age",
            "where=age=3",
            "where=",
            "where=%22/a=3",
            "limit=0",
            "limit=-1",
            "limit=many",
            "sort=age",
            "sort=",
            "filter=/a=1",
            "where=/a!3",
            "where=/a^3",
            "limit=2&limit=3",
            "limit=2&limit=2",
            "sort=_id&where=/a=1&sort=/a",
            "after=a&after=b",
        ] {
            assert!(read(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
