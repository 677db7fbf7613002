//! What psql writes to its standard error: messages, of which the last tells why it stopped.

use std::path::{Path, PathBuf};

use crate::io::child::OutputStream;
use crate::seed::events::{ApplyEvent, EventSink};

/// How many lines of one message are kept.
const MOST_LINES: usize = 200;

/// Hands out messages as they come, each when it is complete, so that the one that ends psql is not handed out.
pub(super) struct PsqlOutput<'e> {
    events: &'e EventSink,
    /// The lines of the message that may not be complete.
    pending: Vec<String>,
}

/// A message of psql about a place in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PsqlMessage {
    /// The script as psql was told of it, and the line in it, from 1. psql knows the line in which a statement ends.
    pub(super) place: Option<(PathBuf, u64)>,
    /// The message with all its lines: `LINE`, `DETAIL`, `HINT` and others.
    pub(super) text: String,
}

impl<'e> PsqlOutput<'e> {
    pub(super) fn new(events: &'e EventSink) -> Self {
        Self { events, pending: Vec::new() }
    }

    pub(super) fn take(&mut self, line: &str) {
        // What ends the connection is followed by psql's own words on that.
        let ends_connection =
            |first: &String| first.contains(": FATAL:  ") || first.ends_with("closed the connection unexpectedly");
        if line.starts_with("psql:") && !self.pending.first().is_some_and(ends_connection) {
            self.hand_out();
        }
        if self.pending.len() < MOST_LINES {
            self.pending.push(without_socket(line));
        }
    }

    /// Hands out the rest, of a psql that did its work.
    pub(super) fn succeed(mut self) {
        self.hand_out();
    }

    /// The last message, of a psql that did not; `None` when it wrote nothing.
    pub(super) fn fail(self) -> Option<PsqlMessage> {
        let first = self.pending.first()?;
        let (place, text) = match first.strip_prefix("psql:").and_then(place_and_text) {
            Some((place, text)) => (Some(place), text),
            None => (None, first.strip_prefix("psql: ").unwrap_or(first)),
        };
        let lines: Vec<&str> = [text].into_iter().chain(self.pending.iter().skip(1).map(String::as_str)).collect();
        Some(PsqlMessage { place, text: lines.join("\n").trim_end().to_owned() })
    }

    fn hand_out(&mut self) {
        for line in self.pending.drain(..) {
            self.events.send(ApplyEvent::Output { stream: OutputStream::Stderr, line: &line });
        }
    }
}

/// The line without the path of the private socket, which means nothing to a user.
pub(super) fn without_socket(line: &str) -> String {
    const BEFORE: &str = " on socket \"";
    let cut = line.split_once(BEFORE).and_then(|(before, rest)| Some((before, rest.split_once('"')?.1)));
    cut.map_or_else(|| line.to_owned(), |(before, after)| format!("{before}{after}"))
}

/// Takes `schema.sql:3: ERROR:  …` apart. The path may have colons in it.
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
    fn the_last_message_tells_the_place_and_all_that_the_server_said() {
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
    fn what_ends_the_connection_is_told_with_what_psql_says_about_it() {
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
    fn a_message_about_no_script_has_no_place() {
        let message = failed(&["psql: error: connection to server failed"]).unwrap();
        assert_eq!(message, PsqlMessage { place: None, text: "error: connection to server failed".to_owned() });
        assert_eq!(failed(&[]), None);
    }

    #[test]
    fn messages_are_handed_out_but_for_the_one_that_ends_psql() {
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
