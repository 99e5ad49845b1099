//! One thing that can be asked at a door, described: the router and the description of the API are made from the same list.

use axum::routing::MethodRouter;
use serde_json::Value;

/// A method of a path, and what answers it, which stands on an `S`.
#[derive(Clone, Debug)]
pub struct Route<S> {
    /// What can be asked.
    pub operation: Operation,
    /// What answers: an ordinary handler of `axum`, for this method only.
    pub handler: fn() -> MethodRouter<S>,
}

/// What can be asked, in the words of the API's description.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Such as `/api/v1/things/{thing}`.
    pub path: &'static str,
    /// In lower case.
    pub method: &'static str,
    /// Who may ask it.
    pub access: Access,
    /// What it does.
    pub about: &'static str,
    /// What stands in the path, the query and the head of a request.
    pub parameters: &'static [Parameter],
    /// What a request brings.
    pub body: Option<Body>,
    /// Whether it may come without.
    pub is_optional: bool,
    /// The longest body, in bytes; none stands for the door's own limit.
    pub body_max: Option<usize>,
    /// What it answers, beside refusals that all operations have in common.
    pub answers: &'static [Answer],
}

impl Operation {
    /// A question that anyone may ask who may read, without parameters or a body.
    #[must_use]
    pub const fn read(path: &'static str, about: &'static str, answers: &'static [Answer]) -> Self {
        Self {
            path,
            method: "get",
            access: Access::Reader,
            about,
            parameters: &[],
            body: None,
            is_optional: false,
            body_max: None,
            answers,
        }
    }

    /// A change, which needs the token.
    #[must_use]
    pub const fn write(
        method: &'static str,
        path: &'static str,
        about: &'static str,
        answers: &'static [Answer],
    ) -> Self {
        Self { method, access: Access::Writer, ..Self::read(path, about, answers) }
    }

    /// The same for anyone, because it tells nothing of the node.
    #[must_use]
    pub const fn open(self) -> Self {
        Self { access: Access::Anyone, ..self }
    }

    /// The same with parameters.
    #[must_use]
    pub const fn with(self, parameters: &'static [Parameter]) -> Self {
        Self { parameters, ..self }
    }

    /// The same with a body.
    #[must_use]
    pub const fn taking(self, body: Body) -> Self {
        Self { body: Some(body), ..self }
    }

    /// The same, with or without its body.
    #[must_use]
    pub const fn optionally(self) -> Self {
        Self { is_optional: true, ..self }
    }

    /// The same with a limit of its own for the body.
    #[must_use]
    pub const fn of_bytes(self, body_max: usize) -> Self {
        Self { body_max: Some(body_max), ..self }
    }
}

/// What an operation asks of who calls it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Nothing: it tells nothing of the node.
    Anyone,
    /// The token, unless the door is on loopback.
    Reader,
    /// The token.
    Writer,
}

/// Status, what it means, what the body is.
pub type Answer = (u16, &'static str, Body);

/// What a body holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body {
    /// There is none.
    Nothing,
    /// A page.
    Html,
    /// Plain text.
    Text,
    /// JSON of a schema, by the name of the schema.
    Json(&'static str),
    /// A JSON object.
    AnyJson,
    /// A merge patch, RFC 7396.
    MergePatch,
    /// JSON, a value on each line.
    JsonLines,
    /// Bytes of this media type.
    Bytes(&'static str),
    /// Server-sent events.
    Events,
    /// Problem details, RFC 9457.
    Problem,
}

/// What stands in the path, the query or the head of a request.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub place: Place,
    /// What it means.
    pub about: &'static str,
    /// Its schema.
    pub schema: fn() -> Value,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// In the path: always there.
    Path,
    /// In the query.
    Query,
    /// In the head.
    Header,
}
