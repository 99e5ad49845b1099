//! Conditional requests: `If-Match` and `If-None-Match` (RFC 9110, section 13), on versions as entity tags.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use seedbed_core::sync::replica::{Command, Found, Replica, Reply, Version};
use seedbed_core::sync::{DocumentId, Name, Refusal};

use super::refused;
use crate::door::{Desk, Problem};

/// What a write may go on from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Expected {
    /// Whatever is there.
    Anything,
    /// This version, and no other.
    Version(Version),
    /// Nothing: there must be no such document.
    Absence,
}

impl Expected {
    /// As a command takes it that has no words for absence: what is absent is found to be so.
    pub(super) const fn version(self) -> Option<Version> {
        match self {
            Self::Version(version) => Some(version),
            Self::Anything | Self::Absence => None,
        }
    }
}

/// One of the two headers.
#[derive(Debug, Eq, PartialEq)]
struct Tags {
    any: bool,
    /// With whether they are weak.
    versions: Vec<(Version, bool)>,
}

impl Tags {
    /// Reads all fields of one name; none if there is none. Tags that are no versions fit nothing, and are left out.
    fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, Problem> {
        if !headers.contains_key(name) {
            return Ok(None);
        }
        let bad = || Problem::bad_request(format!("`{name}` takes `*` or entity tags in quotes"));
        let mut tags = Self { any: false, versions: Vec::new() };
        for field in headers.get_all(name) {
            let field = field.to_str().map_err(|_| bad())?;
            for tag in field.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                if tag == "*" {
                    tags.any = true;
                    continue;
                }
                let (is_weak, tag) = tag.strip_prefix("W/").map_or((false, tag), |tag| (true, tag));
                let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).ok_or_else(bad)?;
                tags.versions.extend(tag.parse().ok().map(|version| (version, is_weak)));
            }
        }
        Ok(Some(tags))
    }

    /// Strong comparison, for `If-Match`.
    fn is_strongly(&self, current: Option<Version>) -> bool {
        current.is_some_and(|current| self.any || self.versions.contains(&(current, false)))
    }

    /// Weak comparison, for `If-None-Match`.
    fn is_weakly(&self, current: Option<Version>) -> bool {
        current
            .is_some_and(|current| self.any || self.versions.iter().any(|(version, _)| *version == current))
    }
}

/// What a request may write over. Only one that names a single version needs no look at what is there.
pub(super) async fn expected(
    desk: &Desk<Replica>,
    headers: &HeaderMap,
    collection: &Name,
    id: DocumentId,
) -> Result<Expected, Problem> {
    let wanted = Tags::read(headers, &header::IF_MATCH)?;
    let unwanted = Tags::read(headers, &header::IF_NONE_MATCH)?;
    match (&wanted, &unwanted) {
        (None, None) => return Ok(Expected::Anything),
        (Some(Tags { any: false, versions }), None) if matches!(versions[..], [(_, false)]) => {
            return Ok(Expected::Version(versions[0].0));
        }
        _ => {}
    }
    let current = found(desk, collection, id).await?.map(|found| found.version);
    if wanted.is_some_and(|wanted| !wanted.is_strongly(current)) {
        return Err(refused::problem(&Refusal::HasChanged));
    }
    if unwanted.is_some_and(|unwanted| unwanted.is_weakly(current)) {
        return Err(Problem::new(StatusCode::PRECONDITION_FAILED, "the document is there"));
    }
    Ok(current.map_or(Expected::Absence, Expected::Version))
}

/// What a reader gets who has a version, or wants one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reading {
    /// The document.
    Whole,
    /// It has it already.
    Unchanged,
}

/// Whether a reader needs this version.
pub(super) fn reading(headers: &HeaderMap, version: Version) -> Result<Reading, Problem> {
    let wanted = Tags::read(headers, &header::IF_MATCH)?;
    if wanted.is_some_and(|wanted| !wanted.is_strongly(Some(version))) {
        return Err(refused::problem(&Refusal::HasChanged));
    }
    let known = Tags::read(headers, &header::IF_NONE_MATCH)?;
    Ok(if known.is_some_and(|known| known.is_weakly(Some(version))) {
        Reading::Unchanged
    } else {
        Reading::Whole
    })
}

/// A document, if there is one.
pub(super) async fn found(
    desk: &Desk<Replica>,
    collection: &Name,
    id: DocumentId,
) -> Result<Option<Found>, Problem> {
    match desk.ask(Command::GetDocument { collection: collection.clone(), id }).await? {
        Reply::Document(found) => Ok(Some(found)),
        Reply::Refused(Refusal::NoSuchDocument) => Ok(None),
        other => Err(refused::unexpected(other)),
    }
}

/// A version as an entity tag.
pub(super) fn tag(version: &Version) -> HeaderValue {
    // Hexadecimal digits in quotes are fit for a header.
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> Result<Option<Tags>, Problem> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::IF_MATCH, field.parse().unwrap());
        }
        Tags::read(&headers, &header::IF_MATCH)
    }

    #[test]
    fn tags_are_read_from_all_fields() {
        let (one, two) = (Version([1; 32]), Version([2; 32]));
        assert_eq!(read(&[]).unwrap(), None);
        let tags = read(&[&format!("\"{one}\" , W/\"{two}\""), "\"something else\""]).unwrap().unwrap();
        assert_eq!(tags, Tags { any: false, versions: vec![(one, false), (two, true)] });
        assert!(tags.is_strongly(Some(one)) && !tags.is_strongly(Some(two)) && tags.is_weakly(Some(two)));
        let any = read(&["*"]).unwrap().unwrap();
        assert!(any.is_strongly(Some(two)) && any.is_weakly(Some(one)) && !any.is_strongly(None));
        for wrong in ["word", "\"open", "W/*"] {
            assert_eq!(read(&[wrong]).unwrap_err().status, StatusCode::BAD_REQUEST, "{wrong}");
        }
    }
}
