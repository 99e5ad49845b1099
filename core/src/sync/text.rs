//! Looking into canonical JSON without building anything: its parts are slices of the text.

use std::borrow::Cow;
use std::cmp::Ordering;

/// The members of a canonical object, in the order of their names; empty for any other value.
pub(super) fn members(object: &str) -> Members<'_> {
    Members { rest: object.strip_prefix('{').unwrap_or("") }
}

/// The elements of a canonical array; empty for any other value.
pub(super) fn elements(array: &str) -> Elements<'_> {
    Elements { rest: array.strip_prefix('[').unwrap_or("") }
}

/// See [`members`].
pub(super) struct Members<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = split_value(self.rest)?;
        let (value, rest) = split_value(rest.strip_prefix(':')?)?;
        self.rest = rest.strip_prefix(',').unwrap_or(rest);
        Some((string(name)?, value))
    }
}

/// See [`elements`].
pub(super) struct Elements<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (value, rest) = split_value(self.rest)?;
        self.rest = rest.strip_prefix(',').unwrap_or(rest);
        Some(value)
    }
}

/// The characters of a canonical string, `None` for any other value.
pub(super) fn string(text: &str) -> Option<Cow<'_, str>> {
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') {
        serde_json::from_str(text).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inside))
    }
}

/// Appends a string as canonical JSON.
pub(super) fn push_string(out: &mut String, string: &str) {
    if string.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        out.push_str(&serde_json::Value::from(string).to_string());
    } else {
        out.push('"');
        out.push_str(string);
        out.push('"');
    }
}

/// The value that a text begins with, and what follows.
fn split_value(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let end = match bytes.first()? {
        b'"' => string_end(bytes, 0)?,
        b'{' | b'[' => nested_end(bytes)?,
        b'}' | b']' => return None,
        _ => bytes.iter().position(|byte| matches!(byte, b',' | b']' | b'}')).unwrap_or(bytes.len()),
    };
    text.split_at_checked(end)
}

/// The end of the string whose opening quote stands at `start`.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The end of the array or object that `bytes` begin with.
fn nested_end(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => at = string_end(bytes, at)? - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return Some(at + 1),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
}

/// The order of canonical values: null, false, true, numbers by value, strings by code point, arrays, objects by
/// their text.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    rank(one).cmp(&rank(other)).then_with(|| match rank(one) {
        NUMBER => compare_numbers(one, other),
        STRING => string(one).cmp(&string(other)),
        ARRAY => compare_arrays(one, other),
        _ => one.cmp(other),
    })
}

/// Whether two canonical values are of one JSON type.
pub(super) fn is_one_type(one: &str, other: &str) -> bool {
    rank(one) == rank(other)
}

const NUMBER: u8 = 2;
const STRING: u8 = 3;
const ARRAY: u8 = 4;

/// The place of a value's type in the order of types.
fn rank(text: &str) -> u8 {
    match text.as_bytes().first() {
        None | Some(b'n') => 0,
        Some(b'f' | b't') => 1,
        Some(b'"') => STRING,
        Some(b'[') => ARRAY,
        Some(b'{') => 5,
        Some(_) => NUMBER,
    }
}

fn compare_arrays(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (elements(one), elements(other));
    loop {
        match (ones.next(), others.next()) {
            (Some(one), Some(other)) => match compare(one, other) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
            (one, other) => return one.is_some().cmp(&other.is_some()),
        }
    }
}

/// By value: integers among themselves exactly, a whole float as the integer it is.
fn compare_numbers(one: &str, other: &str) -> Ordering {
    let (Some(one), Some(other)) = (Number::read(one), Number::read(other)) else { return one.cmp(other) };
    one.whole.cmp(&other.whole).then(one.part.total_cmp(&other.part))
}

/// A number in two parts whose order is the number's own, for floats as well as for integers that no float can be.
struct Number {
    whole: i128,
    part: f64,
}

impl Number {
    fn read(text: &str) -> Option<Self> {
        if let Ok(whole) = text.parse::<i128>() {
            return Some(Self { whole, part: 0.0 });
        }
        let float: f64 = text.parse().ok()?;
        // A float beyond the range of i128 is whole: it saturates here, and the second part orders it.
        let whole = float.floor() as i128;
        let part = if whole == i128::MAX || whole == i128::MIN { float } else { float - float.floor() };
        Some(Self { whole, part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Json;

    #[test]
    fn the_parts_of_a_text_are_its_slices() {
        let json =
            Json::parse(r#"{"a":[1,{"x":"]}\""},[]],"b\n":"\\\"}","c":-1.5,"d":{},"e":null}"#).unwrap();
        let found: Vec<_> = members(json.as_str()).map(|(name, value)| (name.into_owned(), value)).collect();
        let expected = [
            ("a", r#"[1,{"x":"]}\""},[]]"#),
            ("b\n", r#""\\\"}""#),
            ("c", "-1.5"),
            ("d", "{}"),
            ("e", "null"),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(elements(found[0].1).collect::<Vec<_>>(), ["1", r#"{"x":"]}\""}"#, "[]"]);
        assert_eq!(
            members("{}").count() + members("[1]").count() + elements("[]").count() + elements("3").count(),
            0
        );
    }

    #[test]
    fn values_of_all_types_have_one_order() {
        let sorted = [
            "null",
            "false",
            "true",
            "-1e+300",
            "-9223372036854775808",
            "-1.5",
            "-1",
            "-0.5",
            "0",
            "5e-324",
            "1",
            "1.5",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551615",
            "1e+300",
            "1.7e+308",
            "\"\"",
            "\"\\n\"",
            "\"a\"",
            "\"b\"",
            "\"ba\"",
            "[]",
            "[1]",
            "[1,0]",
            "[2]",
            "{\"a\":1}",
            "{}",
        ];
        for (i, one) in sorted.iter().enumerate() {
            for (j, other) in sorted.iter().enumerate() {
                assert_eq!(compare(one, other), i.cmp(&j), "{one} {other}");
            }
        }
    }
}
