//! Server-sent events, as a door sends them.

use std::io::{BufRead, ErrorKind, Read, Result};

/// The longest line of a stream that is read, and the most data of a message, in bytes: a document of the largest size
/// fits.
const LINE_MAX: u64 = 4 << 20;

/// One message of a stream.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Message {
    pub(super) data: String,
    pub(super) event: String,
    /// Where to go on after it, if it says so.
    pub(super) id: Option<String>,
}

/// The next message that holds data; none at the end of the stream.
///
/// # Errors
/// If the stream breaks off: a message that is not whole is asked for again. If a message has no end.
pub(super) fn next(stream: &mut impl BufRead) -> Result<Option<Message>> {
    let mut message = Message::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.pop() != Some(b'\n') {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if (message.data.len() + line.len()) as u64 > LINE_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        match String::from_utf8_lossy(&line) {
            text if !text.is_empty() => message.field(&text),
            _ if message.data.is_empty() => message = Message::default(),
            _ => return Ok(Some(message)),
        }
    }
}

impl Message {
    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => self.data.push_str(value),
            "event" => value.clone_into(&mut self.event),
            "id" => self.id = Some(value.to_owned()),
            // A comment, or something that this version does not know.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_breaks_off_is_known_up_to_the_last_whole_message() {
        let mut text = ": hello\n\nretry: 7\n\nid: 3\nevent: x\ndata: {}\n\nid: 4\ndata: {\"se".as_bytes();
        let first = Message { data: "{}".into(), event: "x".into(), id: Some("3".into()) };
        assert_eq!(next(&mut text).unwrap(), Some(first));
        assert!(next(&mut text).is_err());
        assert_eq!(next(&mut "\n: bye\n\n".as_bytes()).unwrap(), None);
    }

    #[test]
    fn a_stream_without_an_end_is_refused() {
        assert!(next(&mut std::io::BufReader::new(std::io::repeat(b'x'))).is_err());
        let lines = format!("data: {}\n", "x".repeat(1 << 20)).repeat(5);
        assert_eq!(next(&mut lines.as_bytes()).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
