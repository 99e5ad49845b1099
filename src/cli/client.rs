//! Asks the doors of nodes, over HTTP.

use std::fmt;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use ureq::http::{Method, Request, Response, Uri};
use ureq::{Agent, Body, BodyReader};

/// Who does not answer within this time is not there.
const CONNECT: Duration = Duration::from_secs(5);
/// An answer must begin within this time: longer than a node may take for a command.
const ANSWER: Duration = Duration::from_secs(20);
/// A stream that is silent for this time is dead: the door says something every ten seconds.
const SILENCE: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 16 << 20;

/// How to come in.
#[derive(Args, Debug, Default)]
pub(super) struct Entry {
    /// A file with the node's token: needed for whatever changes something, and for all else where the door can be
    /// reached from other machines.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The door of one node.
pub(super) struct Client {
    agent: Agent,
    /// `http://HOST:PORT`.
    base: String,
    token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    /// The entity tag, if there is one.
    pub(super) version: Option<String>,
    pub(super) text: String,
}

impl Answer {
    /// What it holds.
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.text).context("the node answers, but not in JSON: is the port right?")
    }
}

/// Why there is no answer to use.
#[derive(Debug)]
pub(super) struct Refused {
    /// None if there was no answer at all.
    pub(super) status: Option<u16>,
    message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

impl Refused {
    /// The same, saying what to do.
    pub(super) fn help(self, help: &str) -> Self {
        Self { message: format!("{}; {help}", self.message), ..self }
    }
}

impl Client {
    pub(super) fn new(api: &str, entry: &Entry) -> anyhow::Result<Self> {
        let base = base(api)?;
        let token = entry.token_file.as_deref().map(token).transpose()?;
        // What is asked of a node here goes to that node: never to a proxy, and not where it points.
        let agent = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(SILENCE))
            .build();
        Ok(Self { agent: agent.into(), base, token })
    }

    /// Where it is.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Asks in whatever way, with these headers and this body.
    pub(super) fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, Refused> {
        self.send_bytes(method, path, headers, body.as_bytes())
    }

    /// The same with a body of any bytes.
    pub(super) fn send_bytes(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Refused> {
        let mut answer = self.asked(method, path, headers, body)?;
        let version = answer.headers().get("etag").and_then(|tag| tag.to_str().ok());
        let version = version.map(|tag| tag.trim_matches('"').to_owned());
        let text = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_string();
        Ok(Answer { version, text: text.map_err(|error| self.unreachable(&error))? })
    }

    /// Reads what is there, whatever bytes it is.
    pub(super) fn download(&self, path: &str) -> Result<Vec<u8>, Refused> {
        let mut answer = self.asked(Method::GET, path, &[], &[])?;
        let bytes = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec();
        bytes.map_err(|error| self.unreachable(&error))
    }

    fn asked(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response<Body>, Refused> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        // A body of no bytes is none: some methods may not have one.
        let sent = match body {
            [] => request.body(()).map(|request| self.agent.run(request)),
            body => request.body(body).map(|request| self.agent.run(request)),
        };
        self.answered(sent.map_err(|error| self.refused(error))?)
    }

    /// A request that cannot be made.
    fn refused(&self, error: impl fmt::Display) -> Refused {
        Refused { status: Some(400), message: format!("{}: this cannot be asked: {error}", self.base) }
    }

    /// Reads what is there.
    pub(super) fn get(&self, path: &str) -> Result<Value, Refused> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        self.value(request.call())
    }

    /// Asks for something to be done.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        let mut request =
            self.agent.post(format!("{}{path}", self.base)).header("Content-Type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        self.value(request.send(body.to_string()))
    }

    /// Begins to read a stream.
    pub(super) fn stream(&self, path: &str) -> Result<BufReader<BodyReader<'static>>, Refused> {
        let mut request =
            self.agent.get(format!("{}{path}", self.base)).header("Accept", "text/event-stream");
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let answer = self.answered(request.call())?;
        Ok(BufReader::new(answer.into_body().into_reader()))
    }

    fn value(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Value, Refused> {
        let mut answer = self.answered(answer)?;
        let text = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_string();
        let text = text.map_err(|error| self.unreachable(&error))?;
        serde_json::from_str(&text).map_err(|_| self.stranger())
    }

    /// An answer of the kind that was hoped for.
    fn answered(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>, Refused> {
        let mut answer = answer.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_string().unwrap_or_default();
        let Some(detail) = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|problem| Some(problem.get("detail")?.as_str()?.to_owned()))
        else {
            return Err(self.stranger());
        };
        let help = match status.as_u16() {
            401 => ": name its token file with --token-file",
            _ => "",
        };
        let message = format!("{} answers: {detail}{help}", self.base);
        Err(Refused { status: Some(status.as_u16()), message })
    }

    /// What a stream says at its end, as problem details, when it could not go on.
    pub(super) fn ended(&self, problem: &Value) -> Refused {
        let status = problem["status"].as_u64().and_then(|status| status.try_into().ok());
        let detail = problem["detail"].as_str().unwrap_or_default();
        Refused { status, message: format!("{} ended: {detail}", self.base) }
    }

    fn unreachable(&self, error: &ureq::Error) -> Refused {
        let message = format!(
            "{} cannot be reached ({error}): is the node running, and is this the address of its [api]?",
            self.base
        );
        Refused { status: None, message }
    }

    fn stranger(&self) -> Refused {
        let message = format!("{} answers, but is not the door of a node: is the port right?", self.base);
        Refused { status: None, message }
    }
}

/// `HOST:PORT` or `http://HOST:PORT/`, as `http://HOST:PORT`.
fn base(api: &str) -> anyhow::Result<String> {
    const EXPECTED: &str = "expected http://HOST:PORT, such as http://127.0.0.1:7200";
    let text = if api.contains("://") { api.to_owned() } else { format!("http://{api}") };
    let uri: Uri = text.parse().with_context(|| format!("`{api}` is no address: {EXPECTED}"))?;
    if uri.scheme_str() == Some("https") {
        bail!("`{api}`: a door speaks plain HTTP; {EXPECTED}, and from afar use a tunnel");
    }
    let authority = uri.authority().filter(|authority| {
        // Nothing before the host, and nothing after it but a port.
        let rest = authority.as_str().strip_prefix(authority.host());
        let is_port = |port: &str| port.parse::<u16>().is_ok();
        rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
    });
    match (uri.scheme_str(), authority, uri.path_and_query().map(|path| path.as_str())) {
        (Some("http"), Some(authority), None | Some("/" | "")) if !authority.host().is_empty() => {
            Ok(format!("http://{authority}"))
        }
        _ => bail!("`{api}` is no address of a door: {EXPECTED}"),
    }
}

fn token(path: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("{} holds no token: expected one line of letters, digits and signs", path.display());
    }
    Ok(token.to_owned())
}

/// A JSON value as words: `{"Leading":{"term":3}}` as `Leading term 3`.
pub(super) fn words(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(words).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let pair = |(name, value): (&String, &Value)| format!("{name} {}", words(value));
            fields.iter().map(pair).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// What comes from a node, fit for a terminal: without characters that would steer it.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for api in ["127.0.0.1:7200", "http://127.0.0.1:7200", "http://127.0.0.1:7200/"] {
            assert_eq!(base(api).unwrap(), "http://127.0.0.1:7200");
        }
        assert_eq!(base("http://[::1]:7200").unwrap(), "http://[::1]:7200");
        assert_eq!(base("localhost:7200").unwrap(), "http://localhost:7200");
        let wrong = [
            ("https://127.0.0.1:7200", "plain HTTP"),
            ("ftp://127.0.0.1", "expected http://HOST:PORT"),
            ("http://127.0.0.1:7200/api/v1/status", "expected http://HOST:PORT"),
            ("http://", "expected http://HOST:PORT"),
            ("", "expected http://HOST:PORT"),
            ("http://me:secret@127.0.0.1", "expected http://HOST:PORT"),
            ("127.0.0.1:72000000", "expected http://HOST:PORT"),
            ("two words", "expected http://HOST:PORT"),
        ];
        for (api, told) in wrong {
            let error = format!("{:#}", base(api).unwrap_err());
            assert!(error.contains(told), "{api}: {error}");
        }
    }

    #[test]
    fn a_value_is_told_in_words_that_cannot_steer_a_terminal() {
        let value =
            serde_json::json!({ "Following": { "leader": 1, "term": 3 }, "of": [null, "a\u{1b}[2J"] });
        assert_eq!(plain(&words(&value)), "Following leader 1 term 3 of none a\u{fffd}[2J");
    }
}
