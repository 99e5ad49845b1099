//! The event log: one line per event, in fixed columns.
//!
//! ```text
//! seconds.nanoseconds  node  event     peer  detail
//! ```

use std::fmt::Write as _;
use std::io::Write;

use seedbed_core::contract::{CommandId, Life, NodeId, Subject};
use seedbed_sim::fault::Action;
use seedbed_sim::{Down, Drop, Watch, World};

/// Where lines go. The first error is kept, and nothing is written after it.
pub struct EventLog {
    out: Box<dyn Write>,
    error: Option<std::io::Error>,
    lines: u64,
}

impl std::fmt::Debug for EventLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventLog").field("lines", &self.lines).finish_non_exhaustive()
    }
}

/// Details longer than this are cut: a log of one line per event must stay readable.
const DETAIL_MAX: usize = 200;

impl EventLog {
    /// Writes to `out`, which should be buffered.
    #[must_use]
    pub fn new(out: Box<dyn Write>) -> Self {
        Self { out, error: None, lines: 0 }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The first that there was.
    pub fn finish(mut self) -> std::io::Result<u64> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.lines),
        }
    }

    fn line(&mut self, line: &str) {
        if self.error.is_none() {
            self.lines += 1;
            self.error = self.out.write_all(line.as_bytes()).err();
        }
    }
}

/// Turns what happens into lines.
pub(super) struct Logger<'a> {
    log: &'a mut EventLog,
    text: String,
}

impl<'a> Logger<'a> {
    pub(super) fn new(log: &'a mut EventLog) -> Self {
        let header = format!("{:>20} {:>8} {:<9} {:>8} detail\n", "time", "node", "event", "peer");
        log.line(&header);
        Self { log, text: String::new() }
    }

    fn write<P: Subject>(
        &mut self,
        world: &World<P>,
        node: Option<NodeId>,
        event: &str,
        peer: Option<NodeId>,
        detail: std::fmt::Arguments<'_>,
    ) {
        let name = |node: Option<NodeId>| node.map_or_else(|| "-".to_owned(), |node| node.to_string());
        self.text.clear();
        // Writing to a string cannot fail.
        let _ = write!(
            self.text,
            "{:>20} {:>8} {event:<9} {:>8} ",
            world.now().to_string(),
            name(node),
            name(peer)
        );
        let start = self.text.len();
        let _ = write!(self.text, "{detail}");
        if self.text.len() - start > DETAIL_MAX {
            let end = self.text.floor_char_boundary(start + DETAIL_MAX);
            self.text.truncate(end);
            self.text.push_str("..");
        }
        self.text.push('\n');
        self.log.line(&self.text);
    }
}

impl<P: Subject> Watch<P> for Logger<'_> {
    fn sent(&mut self, world: &World<P>, from: NodeId, to: NodeId, ordinal: u64, message: &P::Message) {
        let (step, nth) = (ordinal >> 24, ordinal & 0xff_ffff);
        self.write(world, Some(from), "send", Some(to), format_args!("{message:?} #{step}.{nth}"));
    }
    fn delivered(&mut self, world: &World<P>, from: NodeId, to: NodeId, message: &P::Message) {
        self.write(world, Some(to), "receive", Some(from), format_args!("{message:?}"));
    }
    fn dropped(&mut self, world: &World<P>, from: NodeId, to: NodeId, why: Drop) {
        self.write(world, Some(to), "drop", Some(from), format_args!("{why:?}"));
    }
    fn timer(&mut self, world: &World<P>, node: NodeId, timer: &P::Timer) {
        self.write(world, Some(node), "timer", None, format_args!("{timer:?}"));
    }
    fn command(&mut self, world: &World<P>, node: NodeId, id: CommandId, command: &P::Command) {
        self.write(world, Some(node), "command", None, format_args!("#{} {command:?}", id.0));
    }
    fn notice(&mut self, world: &World<P>, node: NodeId, notice: &P::Notice) {
        self.write(world, Some(node), "notice", None, format_args!("{notice:?}"));
    }
    fn reply(&mut self, world: &World<P>, node: NodeId, id: CommandId, reply: &P::Reply) {
        self.write(world, Some(node), "reply", None, format_args!("#{} {reply:?}", id.0));
    }
    fn refused(&mut self, world: &World<P>, node: NodeId, id: CommandId) {
        self.write(world, Some(node), "refuse", None, format_args!("#{}", id.0));
    }
    fn up(&mut self, world: &World<P>, node: NodeId, life: Life) {
        self.write(world, Some(node), "up", None, format_args!("life {}", life.0));
    }
    fn down(&mut self, world: &World<P>, node: NodeId, why: Down) {
        self.write(world, Some(node), "down", None, format_args!("{why:?}"));
    }
    fn fault(&mut self, world: &World<P>, action: &Action) {
        self.write(world, action.node(), "fault", None, format_args!("{action}"));
    }
}
