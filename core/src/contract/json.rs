//! JSON as one canonical string of bytes, so that equal values are equal data.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How deep arrays and objects may nest: deeper input is refused while it is read.
pub(crate) const DEPTH_MAX: usize = 64;

/// A JSON value as canonical bytes: no spaces, object keys sorted and unique, numbers in one form. Equal values have equal
/// bytes.
///
/// A number is the nearest of a signed or unsigned 64-bit integer or a binary64, written as briefly as it reads back; whole
/// ones up to 2^53 have no fraction, and zero has no sign.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Json(Arc<str>);

/// Why a text is not acceptable JSON.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JsonError {
    /// It does not parse.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// Arrays and objects nest too deep.
    #[error("JSON nests deeper than {DEPTH_MAX} levels")]
    TooDeep,
}

impl Json {
    /// Reads a JSON text, whatever its spaces and order of keys. Of a key given twice the last one counts.
    ///
    /// # Errors
    /// If it is not JSON or nests too deep; found before anything is built from it.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        if deepest(text) > DEPTH_MAX {
            return Err(JsonError::TooDeep);
        }
        let mut value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| JsonError::Syntax(error.to_string()))?;
        one_form(&mut value);
        let text = serde_json::to_string(&value).map_err(|error| JsonError::Syntax(error.to_string()))?;
        Ok(Self(text.into()))
    }

    /// Text that is known to be canonical, because it was put together from canonical parts.
    pub(crate) fn canonical(text: String) -> Self {
        debug_assert_eq!(Self::parse(&text).as_ref().map(Self::as_str), Ok(text.as_str()));
        Self(text.into())
    }

    /// How deep arrays and objects nest: 0 for a scalar.
    #[must_use]
    pub fn depth(&self) -> usize {
        deepest(&self.0)
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value, to look inside.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

/// Gives equal numbers one form: whole floats become integers.
fn one_form(value: &mut serde_json::Value) {
    /// Up to here every integer is a binary64 (2^53).
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    match value {
        serde_json::Value::Number(number) if number.is_f64() => {
            if let Some(float) =
                number.as_f64().filter(|float| float.trunc() == *float && float.abs() <= WHOLE_MAX)
            {
                *number = (float as i64).into();
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(one_form),
        serde_json::Value::Object(members) => members.values_mut().for_each(one_form),
        _ => {}
    }
}

/// The deepest nesting of brackets outside strings.
fn deepest(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Bytes from outside are read again: only canonical data gets in.
impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_bytes() {
        let one = Json::parse(r#"{ "b": [1, 2.50], "a": "x" }"#).unwrap();
        let same = Json::parse(r#"{"a":"x","b":[1,2.5]}"#).unwrap();
        assert_eq!(one, same);
        assert_eq!(one.as_str(), r#"{"a":"x","b":[1,2.5]}"#);
    }

    #[test]
    fn equal_numbers_have_one_form_and_stay_as_they_are() {
        for (text, form) in [
            ("[1.0,-0.0,0,1e2,-3.0e0]", "[1,0,0,100,-3]"),
            ("[0.1,1e-7,2.5,1e300,18446744073709551615]", "[0.1,1e-7,2.5,1e+300,18446744073709551615]"),
            ("[9007199254740993.0,18446744073709551616]", "[9007199254740992,1.8446744073709552e+19]"),
            // A reader that rounds carelessly moves this one by a bit each time.
            (
                "[2.2250738585072014e-308,5e-324,123456789.12345679e-30]",
                "[2.2250738585072014e-308,5e-324,1.234567891234568e-22]",
            ),
        ] {
            let json = Json::parse(text).unwrap();
            assert_eq!(json.as_str(), form);
            assert_eq!(Json::parse(json.as_str()).unwrap(), json);
        }
        assert!(Json::parse("1e400").is_err());
        assert_eq!(Json::parse("[{\"a\":[]}]").unwrap().depth(), 3);
    }

    #[test]
    fn deep_nesting_is_refused_before_it_is_built() {
        let deep = "[".repeat(100_000);
        assert_eq!(Json::parse(&deep), Err(JsonError::TooDeep));
        let brackets_in_a_string = format!("\"{}\\\"{}\"", "[".repeat(500), "{".repeat(500));
        assert!(Json::parse(&brackets_in_a_string).is_ok());
        assert!(matches!(Json::parse("{"), Err(JsonError::Syntax(_))));
    }

    #[test]
    fn the_wire_cannot_bring_what_is_not_canonical() {
        let loose = postcard::to_allocvec("{ \"a\" : 1 }").unwrap();
        let read: Json = postcard::from_bytes(&loose).unwrap();
        assert_eq!(read.as_str(), "{\"a\":1}");
        let broken = postcard::to_allocvec("{").unwrap();
        assert!(postcard::from_bytes::<Json>(&broken).is_err());
    }
}
