//! Where a value stands in a document: JSON pointers (RFC 6901) through objects.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Stands before each name of a path. No name contains it, and it sorts before all else: so in sorted paths, what is below a
/// path follows it directly.
pub(super) const MARK: char = '\0';

/// The path of a field: names of objects' members from the root on. Arrays are values, so nothing points into them.
///
/// It is written as a JSON pointer: `/address/city`, with `~1` for a slash and `~0` for a tilde in a name; the empty text is
/// the whole document.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Pointer(String);

/// Why a text is no pointer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no path: write `/name/name`, with ~1 for a slash and ~0 for a tilde in a name")]
pub struct BadPointer(String);

impl Pointer {
    /// A path in the form of registers.
    pub(super) fn from_path(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// In the form of registers: every name after a [`MARK`].
    pub(super) fn path(&self) -> &str {
        &self.0
    }
}

/// Whether `path` is `above` or below it.
pub(super) fn is_within(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(MARK))
}

/// In the form of registers, whose order is that of pointers.
impl Borrow<str> for Pointer {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for Pointer {
    type Err = BadPointer;

    fn from_str(text: &str) -> Result<Self, BadPointer> {
        let bad = || BadPointer(text.chars().take(80).collect());
        let mut path = String::with_capacity(text.len());
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            path.push(match letter {
                '/' => MARK,
                _ if path.is_empty() || letter == MARK => return Err(bad()),
                '~' => match letters.next() {
                    Some('0') => '~',
                    Some('1') => '/',
                    _ => return Err(bad()),
                },
                letter => letter,
            });
        }
        Ok(Self(path))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            MARK => f.write_str("/"),
            '/' => f.write_str("~1"),
            '~' => f.write_str("~0"),
            letter => write!(f, "{letter}"),
        })
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_read_back_as_rfc_6901_writes_them() {
        for (text, path) in [
            ("", ""),
            ("/foo", "\0foo"),
            ("/", "\0"),
            ("/a~1b/m~0n", "\0a/b\0m~n"),
            ("/ / ", "\0 \0 "),
            ("/~01", "\0~1"),
        ] {
            let pointer: Pointer = text.parse().unwrap();
            assert_eq!((pointer.path(), pointer.to_string().as_str()), (path, text));
        }
        for text in ["a", "/~", "/~2", "/a\0b"] {
            assert!(text.parse::<Pointer>().is_err(), "{text:?}");
        }
    }
}
