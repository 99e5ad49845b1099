//! The macros that make settings of ordinary Rust declarations.
//!
//! A field is `name: Type`, then `= default` if it may be left out, then `, in low..=high` to narrow it (of a
//! text or list: its length) or `, flat` if its keys stand in the same table; then `;`. Documentation comments
//! become the descriptions in schema and listings.

/// What the expansions of the macros call.
#[doc(hidden)]
pub mod support {
    pub use crate::settings::names::{about, kebab, kebab_len, plain};
    use crate::settings::{
        Field, Fields, Keys, Node, Problem, Problems, Setting, Settings, Shape, Span, Table, Value,
    };

    /// Reads a table that belongs to `T` alone.
    pub fn read<T: Settings>(node: &Node, problems: &mut Problems) -> Option<T> {
        let mut keys = Keys::of(node, &T::shape(), problems)?;
        let value = T::take(&mut keys);
        keys.finish();
        value
    }

    /// Reads the short form of what may also be a table.
    pub fn read_short<T: Setting>(node: &Node, whole: &Shape, problems: &mut Problems) -> Option<T> {
        let mut found = Problems::default();
        let value = T::read(node, &mut found);
        let also = |problem: &Problem| Problem { expected: Some(whole.to_string()), ..problem.clone() };
        problems.extend(found.list().iter().map(also));
        value
    }

    /// Writes a table that belongs to `T` alone.
    pub fn write<T: Settings>(value: &T) -> Option<Value> {
        let mut table = Table::default();
        value.put(&mut table);
        Some(Value::Table(table))
    }

    /// Writes one key.
    pub fn put<T: Setting>(table: &mut Table, name: &str, value: &T) {
        if let Some(value) = value.write() {
            table.insert(name, Span::default(), Node::unwritten(value));
        }
    }

    /// Describes one key.
    pub fn describe<T: Setting>(
        fields: &mut Fields,
        name: &str,
        about: String,
        shape: Shape,
        default: Option<T>,
    ) {
        let required = default.is_none();
        let default = default.and_then(|default| default.write()).map(|value| value.to_string());
        fields.plain.push(Field { name: name.into(), about, shape, required, default });
    }
}

/// A struct whose fields are the keys of a table. See the module [`settings`](mod@crate::settings).
///
/// Derives `Clone`, `Debug`, `PartialEq`, and `Default` if every field has a default. `struct Name or Short as
/// path` also reads a `Short` and turns it into the struct by the function `path`. After the braces, `verify =
/// path;` names a function that sees the whole: `fn(&Self) -> Result<(), (&'static str, String)>`, the key to
/// blame and what is wrong with it.
#[macro_export]
macro_rules! settings {
    (
        $(#[$attr:ident $($attr_rest:tt)*])*
        $vis:vis struct $name:ident $(or $short:ty as $from:path)? {
            $(
                $(#[$fattr:ident $($frest:tt)*])*
                $fvis:vis $field:ident : $type:ty $(= $default:expr)? $(, $how:ident $($range:expr)?)? ;
            )*
        }
        $(verify = $verify:path;)?
    ) => {
        $(#[$attr $($attr_rest)*])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name {
            $( $(#[$fattr $($frest)*])* $fvis $field: $type, )*
        }

        $crate::__default! { $name { $( $field: $type $(= $default)?; )* } }

        impl $crate::settings::Settings for $name {
            fn fields() -> $crate::settings::Fields {
                let mut fields = $crate::settings::Fields::default();
                $( $crate::__describe!(
                    fields, $field: $type, [$($default)?], [$($how $($range)?)?], [$([$fattr $($frest)*])*]
                ); )*
                fields
            }
            fn take(keys: &mut $crate::settings::Keys<'_>) -> ::core::option::Option<Self> {
                $( let $field: ::core::option::Option<$type> =
                    $crate::__take!(keys, $field: $type, [$($default)?], [$($how $($range)?)?]); )*
                let value = Self { $( $field: $field?, )* };
                $( if let ::core::result::Result::Err((key, message)) = $verify(&value) {
                    keys.inconsistent(key, &message);
                    return ::core::option::Option::None;
                } )?
                ::core::option::Option::Some(value)
            }
            fn put(&self, table: &mut $crate::settings::Table) {
                $( $crate::__put!(table, $field, &self.$field, [$($how $($range)?)?]); )*
            }
        }

        $crate::__setting! { $name $(or $short as $from)? }
    };
}

/// An enum of which a table is one variant, chosen by a tag: `{ kind = "crash", at = "5s" }`.
///
/// `enum Name by "tag"`; each variant is a documented name, `= "text"` if that is not to be its name in
/// kebab-case, and its fields in braces, or `{}`. `or Short as path` and `verify` as in [`settings!`](crate::settings!).
/// Derives `Clone`, `Debug`, `PartialEq`.
#[macro_export]
macro_rules! variants {
    (
        $(#[$attr:ident $($attr_rest:tt)*])*
        $vis:vis enum $name:ident by $tag:literal $(or $short:ty as $from:path)? {
            $(
                $(#[$vattr:ident $($vrest:tt)*])*
                $variant:ident $(= $text:literal)? {
                    $(
                        $(#[$fattr:ident $($frest:tt)*])*
                        $field:ident : $type:ty $(= $default:expr)? $(, $how:ident $($range:expr)?)? ;
                    )*
                } $(,)?
            )*
        }
        $(verify = $verify:path;)?
    ) => {
        $(#[$attr $($attr_rest)*])*
        #[derive(Clone, Debug, PartialEq)]
        $vis enum $name {
            $(
                $(#[$vattr $($vrest)*])*
                $variant { $( $(#[$fattr $($frest)*])* $field: $type, )* },
            )*
        }

        impl $name {
            /// The tag's value: the variant's name as it is written.
            #[allow(dead_code)]
            #[must_use]
            $vis const fn name(&self) -> &'static str {
                match self {
                    $( Self::$variant { .. } => $crate::__name!($variant $($text)?), )*
                }
            }
        }

        impl $crate::settings::Settings for $name {
            fn fields() -> $crate::settings::Fields {
                let variants = ::std::vec![$( {
                    #[allow(unused_mut)]
                    let mut fields = $crate::settings::Fields::default();
                    $( $crate::__describe!(
                        fields, $field: $type, [$($default)?], [$($how $($range)?)?], [$([$fattr $($frest)*])*]
                    ); )*
                    $crate::settings::Variant {
                        name: $crate::__name!($variant $($text)?).into(),
                        about: $crate::__about!($([$vattr $($vrest)*])*),
                        fields,
                    }
                } ),*];
                let tagged = $crate::settings::Tagged { tag: $tag.into(), variants };
                $crate::settings::Fields { plain: ::std::vec::Vec::new(), tagged: ::std::vec![tagged] }
            }
            fn take(keys: &mut $crate::settings::Keys<'_>) -> ::core::option::Option<Self> {
                const NAMES: &[&str] = &[$( $crate::__name!($variant $($text)?) ),*];
                let chosen = NAMES[keys.tag($tag, NAMES)?];
                let value = 'chosen: {
                    $( if chosen == $crate::__name!($variant $($text)?) {
                        $( let $field: ::core::option::Option<$type> =
                            $crate::__take!(keys, $field: $type, [$($default)?], [$($how $($range)?)?]); )*
                        break 'chosen Self::$variant { $( $field: $field?, )* };
                    } )*
                    return ::core::option::Option::None;
                };
                $( if let ::core::result::Result::Err((key, message)) = $verify(&value) {
                    keys.inconsistent(key, &message);
                    return ::core::option::Option::None;
                } )?
                ::core::option::Option::Some(value)
            }
            fn put(&self, table: &mut $crate::settings::Table) {
                $crate::settings::support::put(table, $tag, &::std::string::String::from(self.name()));
                match self {
                    $( Self::$variant { $( $field, )* } => {
                        $( $crate::__put!(table, $field, $field, [$($how $($range)?)?]); )*
                    } )*
                }
            }
        }

        $crate::__setting! { $name $(or $short as $from)? }
    };
}

/// A plain enum, written as the name of its variant in kebab-case, or as `= "text"` says.
///
/// Derives everything that a plain enum can, but `Default` and serde's traits; has `ALL`, `name` and `Display`.
#[macro_export]
macro_rules! choice {
    (
        $(#[$attr:ident $($attr_rest:tt)*])*
        $vis:vis enum $name:ident {
            $(
                $(#[$vattr:ident $($vrest:tt)*])*
                $variant:ident $(= $text:literal)?
            ),* $(,)?
        }
    ) => {
        $(#[$attr $($attr_rest)*])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        $vis enum $name {
            $( $(#[$vattr $($vrest)*])* $variant, )*
        }

        #[allow(dead_code)]
        impl $name {
            /// All of them, in order.
            $vis const ALL: &'static [Self] = &[$( Self::$variant ),*];

            /// As it is written.
            #[must_use]
            $vis const fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $crate::__name!($variant $($text)?), )*
                }
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(self.name())
            }
        }

        impl $crate::settings::Setting for $name {
            fn shape() -> $crate::settings::Shape {
                $crate::settings::Shape::Choice(::std::vec![$( $crate::settings::Choice {
                    name: $crate::__name!($variant $($text)?).into(),
                    about: $crate::__about!($([$vattr $($vrest)*])*),
                } ),*])
            }
            fn read(
                node: &$crate::settings::Node,
                problems: &mut $crate::settings::Problems,
            ) -> ::core::option::Option<Self> {
                let Some(text) = node.text() else {
                    problems.push($crate::settings::Problem::wrong_type(node, &Self::shape()));
                    return ::core::option::Option::None;
                };
                let chosen = Self::ALL.iter().copied().find(|choice| choice.name() == text);
                if chosen.is_none() {
                    let valid = Self::ALL.iter().map(|choice| choice.name());
                    problems.push($crate::settings::Problem::unknown(node.span, "choice", text, valid));
                }
                chosen
            }
            fn write(&self) -> ::core::option::Option<$crate::settings::Value> {
                ::core::option::Option::Some($crate::settings::Value::Text(self.name().into()))
            }
        }
    };
}

/// Makes a setting of a type that reads itself from text (`FromStr`, with an error that can be shown) and
/// prints itself so that it can be read back (`Display`). The literal says what it looks like, to follow
/// "expected": ``written! { Selector: "a selector such as `leader` or `random(2)`" }``.
#[macro_export]
macro_rules! written {
    ($name:ty : $form:expr) => {
        impl $crate::settings::Setting for $name {
            fn shape() -> $crate::settings::Shape {
                $crate::settings::Shape::Text {
                    form: $form.into(),
                    min_len: 0,
                    max_len: $crate::settings::TEXT_MAX,
                }
            }
            fn read(
                node: &$crate::settings::Node,
                problems: &mut $crate::settings::Problems,
            ) -> ::core::option::Option<Self> {
                let problem = match node.text() {
                    None => $crate::settings::Problem::wrong_type(node, &Self::shape()),
                    Some(text) if text.len() > $crate::settings::TEXT_MAX => {
                        $crate::settings::Problem::new(node.span, "this text is too long").expected($form)
                    }
                    Some(text) => match text.parse::<Self>() {
                        Ok(value) => return ::core::option::Option::Some(value),
                        Err(error) => $crate::settings::Problem::new(node.span, ::std::format!("{error}"))
                            .expected($form),
                    },
                };
                problems.push(problem);
                ::core::option::Option::None
            }
            fn write(&self) -> ::core::option::Option<$crate::settings::Value> {
                let text = ::std::string::ToString::to_string(self);
                ::core::option::Option::Some($crate::settings::Value::Text(text))
            }
        }
    };
}

/// `Setting` by way of `Settings`.
#[doc(hidden)]
#[macro_export]
macro_rules! __setting {
    ($name:ident $(or $short:ty as $from:path)?) => {
        impl $crate::settings::Setting for $name {
            fn shape() -> $crate::settings::Shape {
                let table = $crate::settings::Shape::Table(<Self as $crate::settings::Settings>::fields());
                $( let table = $crate::settings::Shape::Either(::std::vec![
                    <$short as $crate::settings::Setting>::shape(),
                    table,
                ]); )?
                table
            }
            fn read(
                node: &$crate::settings::Node,
                problems: &mut $crate::settings::Problems,
            ) -> ::core::option::Option<Self> {
                $( if node.table().is_none() {
                    let short = $crate::settings::support::read_short(node, &Self::shape(), problems);
                    return short.map(|short: $short| $from(short));
                } )?
                $crate::settings::support::read(node, problems)
            }
            fn write(&self) -> ::core::option::Option<$crate::settings::Value> {
                $crate::settings::support::write(self)
            }
        }
    };
}

/// `Default`, if every field has one.
#[doc(hidden)]
#[macro_export]
macro_rules! __default {
    ($name:ident { $( $field:ident : $type:ty = $default:expr; )* }) => {
        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }
    };
    ($name:ident { $($fields:tt)* }) => {};
}

/// Describes one field.
#[doc(hidden)]
#[macro_export]
macro_rules! __describe {
    ($fields:ident, $field:ident : $type:ty, [], [flat], $attrs:tt) => {
        $fields.extend(<$type as $crate::settings::Settings>::fields())
    };
    ($fields:ident, $field:ident : $type:ty, [$($default:expr)?], [$(in $range:expr)?], [$($attr:tt)*]) => {
        $crate::settings::support::describe::<$type>(
            &mut $fields,
            $crate::settings::support::plain(stringify!($field)),
            $crate::__about!($($attr)*),
            $crate::__shape!($type $(, $range)?),
            $crate::__optional!($($default)?),
        )
    };
}

/// Reads one field.
#[doc(hidden)]
#[macro_export]
macro_rules! __take {
    ($keys:ident, $field:ident : $type:ty, [], [flat]) => {
        <$type as $crate::settings::Settings>::take($keys)
    };
    ($keys:ident, $field:ident : $type:ty, [$($default:expr)?], []) => {
        $keys.field::<$type>(
            $crate::settings::support::plain(stringify!($field)),
            $crate::__optional!($($default)?),
        )
    };
    ($keys:ident, $field:ident : $type:ty, [$($default:expr)?], [in $range:expr]) => {
        $keys.limited::<$type>(
            $crate::settings::support::plain(stringify!($field)),
            $crate::__optional!($($default)?),
            &($range),
        )
    };
}

/// Writes one field.
#[doc(hidden)]
#[macro_export]
macro_rules! __put {
    ($table:ident, $field:ident, $value:expr, [flat]) => {
        $crate::settings::Settings::put($value, $table)
    };
    ($table:ident, $field:ident, $value:expr, [$($how:tt)*]) => {
        $crate::settings::support::put($table, $crate::settings::support::plain(stringify!($field)), $value)
    };
}

/// The shape of a field, narrowed or not.
#[doc(hidden)]
#[macro_export]
macro_rules! __shape {
    ($type:ty) => {
        <$type as $crate::settings::Setting>::shape()
    };
    ($type:ty, $range:expr) => {
        <$type as $crate::settings::Limits>::limited(&($range))
    };
}

/// `Some` of what is there.
#[doc(hidden)]
#[macro_export]
macro_rules! __optional {
    () => {
        ::core::option::Option::None
    };
    ($default:expr) => {
        ::core::option::Option::Some($default)
    };
}

/// The documentation among attributes.
#[doc(hidden)]
#[macro_export]
macro_rules! __about {
    ($([$attr:ident $($rest:tt)*])*) => {
        $crate::settings::support::about(&[$( $crate::__line!($attr $($rest)*) ),*])
    };
}

/// The text of one attribute, if it is documentation.
#[doc(hidden)]
#[macro_export]
macro_rules! __line {
    (doc = $text:literal) => {
        $text
    };
    ($($other:tt)*) => {
        ""
    };
}

/// A variant's name as it is written.
#[doc(hidden)]
#[macro_export]
macro_rules! __name {
    ($variant:ident $text:literal) => {
        $text
    };
    ($variant:ident) => {{
        const LEN: usize = $crate::settings::support::kebab_len(stringify!($variant));
        const NAME: [u8; LEN] = $crate::settings::support::kebab(stringify!($variant));
        match ::core::str::from_utf8(&NAME) {
            Ok(name) => name,
            Err(_) => stringify!($variant),
        }
    }};
}
