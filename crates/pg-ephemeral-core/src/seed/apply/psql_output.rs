//! Reads the messages that psql writes to its standard error. If psql fails, the last message says why.

use std::path::{Path, PathBuf};

use crate::io::child::OutputStream;
use crate::seed::events::{ApplyEvent, EventSink};

/// How many lines of a message are kept at most.
const MOST_LINES: usize = 200;

/// The messages of one psql. Each is sent as an event when it is complete, but the last one is kept: if psql fails, it
/// becomes the error.
pub(super) struct PsqlOutput<'e> {
    events: &'e EventSink,
    /// The lines of the last message, which may not be complete.
    pending: Vec<String>,
}

/// A message of psql about a place in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PsqlMessage {
    /// The script, by the path that psql got, and the line in it, from 1. psql reports the line in which a statement
    /// ends.
    pub(super) place: Option<(PathBuf, u64)>,
    /// The message with all its lines: `LINE`, `DETAIL`, `HINT` and others.
    pub(super) text: String,
}

impl<'e> PsqlOutput<'e> {
    pub(super) fn new(events: &'e EventSink) -> Self {
        Self { events, pending: Vec::new() }
    }

    pub(super) fn take(&mut self, line: &str) {
        // psql's own message about a lost connection belongs to the message before it, which says why the connection
        // ended.
        let ends_connection =
            |first: &String| first.contains(": FATAL:  ") || first.ends_with("closed the connection unexpectedly");
        if line.starts_with("psql:") && !self.pending.first().is_some_and(ends_connection) {
            self.forward();
        }
        if self.pending.len() < MOST_LINES {
            self.pending.push(without_socket(line));
        }
    }

    /// Sends the last message, after psql has succeeded.
    pub(super) fn succeed(mut self) {
        self.forward();
    }

    /// Returns the last message, after psql has failed; `None` if psql wrote nothing.
    pub(super) fn fail(self) -> Option<PsqlMessage> {
        let first = self.pending.first()?;
        let (place, text) = match first.strip_prefix("psql:").and_then(place_and_text) {
            Some((place, text)) => (Some(place), text),
            None => (None, first.strip_prefix("psql: ").unwrap_or(first)),
        };
        let lines: Vec<&str> = [text].into_iter().chain(self.pending.iter().skip(1).map(String::as_str)).collect();
        Some(PsqlMessage { place, text: lines.join("\n").trim_end().to_owned() })
    }

    fn forward(&mut self) {
        for line in self.pending.drain(..) {
            self.events.send(ApplyEvent::Output { stream: OutputStream::Stderr, line: &line });
        }
    }
}

/// Returns the line without the path of the private socket, which means nothing to a user.
pub(super) fn without_socket(line: &str) -> String {
    const BEFORE: &str = " on socket \"";
    let cut = line.split_once(BEFORE).and_then(|(before, rest)| Some((before, rest.split_once('"')?.1)));
    cut.map_or_else(|| line.to_owned(), |(before, after)| format!("{before}{after}"))
}

/// Splits a message such as `schema.sql:3: ERROR:  …` into path, line and text. The path may contain colons.
fn place_and_text(message: &str) -> Option<((PathBuf, u64), &str)> {
    let mut start = 0;
    loop {
        let colon = start + message.get(start..)?.find(':')?;
        let rest = &message[colon + 1..];
        if let Some((digits, text)) = rest.split_once(": ")
            && let Ok(line) = digits.parse()
        {
            return Some(((Path::new(&message[..colon]).to_owned(), line), text));
        }
        start = colon + 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn failed(lines: &[&str]) -> Option<PsqlMessage> {
        let events = EventSink::default();
        let mut output = PsqlOutput::new(&events);
        lines.iter().for_each(|line| output.take(line));
        output.fail()
    }

    #[test]
    fn the_last_message_contains_the_place_and_all_lines_of_the_server() {
        let message = failed(&[
            "psql:a.sql:1: NOTICE:  table \"t\" does not exist, skipping",
            "psql:dir/b c.sql:12: ERROR:  relation \"nope\" does not exist",
            "LINE 1: select * from nope",
            "                      ^",
            "HINT:  Think.",
        ]);
        let message = message.unwrap();
        assert_eq!(message.place, Some(("dir/b c.sql".into(), 12)));
        let text = "ERROR:  relation \"nope\" does not exist\nLINE 1: select * from nope\n                      ^\nHINT:  Think.";
        assert_eq!(message.text, text);
    }

    #[test]
    fn a_path_may_have_colons() {
        let message = failed(&["psql:C: 3:x:4: error: invalid command \\foo"]).unwrap();
        assert_eq!(message.place, Some(("C: 3:x".into(), 4)));
        assert_eq!(message.text, "error: invalid command \\foo");
    }

    #[test]
    fn a_fatal_error_of_the_server_is_reported_with_psql_s_message_about_the_connection() {
        let message = failed(&[
            "psql:a.sql:2: FATAL:  terminating connection due to administrator command",
            "psql:a.sql:2: error: connection to server was lost",
        ]);
        assert!(message.unwrap().text.starts_with("FATAL:  terminating connection"));
    }

    #[test]
    fn the_path_of_the_private_socket_is_left_out() {
        let line = "psql:a.sql:1: error: connection to server on socket \"/tmp/x/.s.PGSQL.5432\" failed: FATAL:  no";
        assert_eq!(failed(&[line]).unwrap().text, "error: connection to server failed: FATAL:  no");
        assert_eq!(without_socket("NOTICE:  on socket \"open"), "NOTICE:  on socket \"open");
    }

    #[test]
    fn a_message_that_is_not_about_a_script_has_no_place() {
        let message = failed(&["psql: error: connection to server failed"]).unwrap();
        assert_eq!(message, PsqlMessage { place: None, text: "error: connection to server failed".to_owned() });
        assert_eq!(failed(&[]), None);
    }

    #[test]
    fn all_messages_except_the_last_are_sent_as_events() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = lines.clone();
        let events = EventSink::new(move |event| {
            if let ApplyEvent::Output { line, .. } = event {
                kept.lock().unwrap().push(line.to_owned());
            }
        });
        let mut output = PsqlOutput::new(&events);
        output.take("psql:a.sql:1: NOTICE:  one");
        output.take("DETAIL:  more");
        output.take("psql:a.sql:2: ERROR:  two");
        assert_eq!(*lines.lock().unwrap(), ["psql:a.sql:1: NOTICE:  one", "DETAIL:  more"]);
        output.fail().unwrap();
        assert_eq!(lines.lock().unwrap().len(), 2);
    }
}
