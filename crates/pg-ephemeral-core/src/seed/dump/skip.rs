//! Leaves out of a plain dump what makes, or drops, the role and the database that are there from the start.

use std::io::{self, Read};

/// Reads a plain dump without the statements `CREATE ROLE`, `DROP ROLE`, `CREATE DATABASE` and `DROP DATABASE` for one role
/// and one database. In their place stands an empty line, so that the numbers of lines hold.
///
/// pg_dump and pg_dumpall write each of them on a line of its own. Roles stand before the first `\connect`; a database is
/// announced by a comment such as `-- Name: shop; Type: DATABASE; Schema: -; Owner: postgres`, and dropped before anything
/// of it is announced. The same words elsewhere, such as in the rows of a table, are data.
pub(crate) struct SkipExisting<R> {
    reader: R,
    role: Vec<Vec<u8>>,
    database: Vec<Vec<u8>>,
    state: State,
    buffer: Vec<u8>,
    /// What was read and not looked at.
    unread: Vec<u8>,
    /// What can be given out.
    ready: Vec<u8>,
    given: usize,
    has_ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before anything was announced: roles, and what is dropped.
    Start,
    /// The head of the dump of one database, before anything was announced: the database may be dropped.
    Head,
    /// The lines behind the announcement of the database.
    Announced,
    /// The rows of a `COPY`.
    Rows,
    /// Anything else.
    Objects,
    /// The rest of a line that is too long to be one of those.
    LongLine(Then),
}

/// What follows a long line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Start,
    Rows,
    Objects,
}

/// The longest line that is looked at, in bytes. A name has at most 63.
const LONGEST_LINE: usize = 16 << 10;

impl<R: Read> SkipExisting<R> {
    pub(crate) fn new(reader: R, role: &str, database: &str) -> Self {
        Self {
            reader,
            role: spellings(role),
            database: spellings(database),
            state: State::Start,
            buffer: vec![0; 64 << 10],
            unread: Vec::new(),
            ready: Vec::new(),
            given: 0,
            has_ended: false,
        }
    }

    /// Looks at the lines that are complete.
    fn advance(&mut self) {
        let unread = std::mem::take(&mut self.unread);
        let mut rest = unread.as_slice();
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            let line = match end {
                Some(end) => &rest[..=end],
                None if self.has_ended || rest.len() > LONGEST_LINE || matches!(self.state, State::LongLine(_)) => rest,
                None => break,
            };
            self.take(line, end.is_some());
            rest = &rest[line.len()..];
        }
        self.unread = rest.to_vec();
    }

    fn take(&mut self, line: &[u8], is_whole: bool) {
        let text = line.trim_ascii_end();
        let then = match self.state {
            State::Start => Then::Start,
            State::Rows | State::LongLine(Then::Rows) => Then::Rows,
            State::LongLine(then) => then,
            State::Head | State::Announced | State::Objects => Then::Objects,
        };
        let was_long = matches!(self.state, State::LongLine(_));
        let skipped = is_whole && !was_long && self.is_skipped(text);
        self.ready.extend_from_slice(if skipped { b"\n" } else { line });
        self.state = match then {
            then if !is_whole => State::LongLine(then),
            then if was_long => then.into(),
            Then::Rows if text == b"\\." => State::Objects,
            Then::Rows => State::Rows,
            _ if text.starts_with(b"COPY ") && text.ends_with(b"FROM stdin;") => State::Rows,
            _ if self.announces(text) => State::Announced,
            _ if text == b"-- PostgreSQL database dump" => State::Head,
            Then::Objects if self.state == State::Head && !text.starts_with(b"-- Name: ") => State::Head,
            Then::Objects if self.state == State::Announced && (text.is_empty() || text == b"--" || skipped) => {
                State::Announced
            }
            Then::Start if !text.starts_with(b"\\connect ") && !text.starts_with(b"-- Name: ") => State::Start,
            _ => State::Objects,
        };
    }

    /// Whether a line is the comment before the database is made.
    fn announces(&self, text: &[u8]) -> bool {
        let announced = text.strip_prefix(b"-- Name: ").and_then(|rest| rest.strip_prefix(self.bare_database()));
        announced.is_some_and(|rest| rest.starts_with(b"; Type: DATABASE;"))
    }

    /// Comments have names without quotes.
    fn bare_database(&self) -> &[u8] {
        self.database.first().map_or(b"", Vec::as_slice)
    }

    fn is_skipped(&self, text: &[u8]) -> bool {
        let drops = |what: &[u8], names: &[Vec<u8>]| {
            text.strip_prefix(b"DROP ")
                .and_then(|rest| rest.strip_prefix(what))
                .map(|rest| rest.strip_prefix(b" IF EXISTS").unwrap_or(rest))
                .is_some_and(|rest| names.iter().any(|name| rest == [b" ", name.as_slice(), b";"].concat()))
        };
        match self.state {
            State::Start => {
                let makes = |name: &Vec<u8>| text == [b"CREATE ROLE ", name.as_slice(), b";"].concat();
                self.role.iter().any(makes) || drops(b"ROLE", &self.role) || drops(b"DATABASE", &self.database)
            }
            State::Head => drops(b"DATABASE", &self.database),
            State::Announced => self.database.iter().any(|name| {
                let rest = text.strip_prefix([b"CREATE DATABASE ", name.as_slice()].concat().as_slice());
                rest.is_some_and(|rest| rest.ends_with(b";") && matches!(rest.first(), Some(b' ' | b';')))
            }),
            State::Rows | State::Objects | State::LongLine(_) => false,
        }
    }
}

impl From<Then> for State {
    fn from(then: Then) -> Self {
        match then {
            Then::Start => Self::Start,
            Then::Rows => Self::Rows,
            Then::Objects => Self::Objects,
        }
    }
}

impl<R: Read> Read for SkipExisting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() && !(self.has_ended && self.unread.is_empty()) {
            self.ready.clear();
            self.given = 0;
            let length = self.reader.read(&mut self.buffer)?;
            self.unread.extend_from_slice(&self.buffer[..length]);
            self.has_ended = length == 0;
            self.advance();
        }
        let ready = &self.ready[self.given..];
        let length = ready.len().min(buffer.len());
        buffer[..length].copy_from_slice(&ready[..length]);
        self.given += length;
        Ok(length)
    }
}

/// A name without quotes, and in quotes: pg_dump quotes what is no plain name.
fn spellings(name: &str) -> Vec<Vec<u8>> {
    vec![name.as_bytes().to_vec(), format!("\"{}\"", name.replace('"', "\"\"")).into_bytes()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Slow<'t>(&'t [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    fn without(text: &str, role: &str, database: &str) -> String {
        let mut results = [1, 7, 1 << 20].map(|step| {
            let mut result = String::new();
            SkipExisting::new(Slow(text.as_bytes(), step), role, database).read_to_string(&mut result).unwrap();
            result
        });
        results.sort();
        assert_eq!(results.first(), results.last());
        results[0].clone()
    }

    #[test]
    fn the_role_and_the_database_that_are_there_are_left_out_and_nothing_else() {
        let text = "--\n-- Roles\n--\n\nDROP ROLE IF EXISTS me;\nCREATE ROLE me;\nCREATE ROLE other;\nALTER ROLE me WITH LOGIN;\n\n\
                    --\n-- Name: shop; Type: DATABASE; Schema: -; Owner: me\n--\n\nCREATE DATABASE shop WITH TEMPLATE = template0;\n\n\n\
                    ALTER DATABASE shop OWNER TO me;\n\\connect shop\n\n\
                    --\n-- Name: shop2; Type: DATABASE; Schema: -; Owner: me\n--\n\nCREATE DATABASE shop2 WITH TEMPLATE = template0;\n";
        let expected = text
            .replace("DROP ROLE IF EXISTS me;", "")
            .replace("CREATE ROLE me;", "")
            .replace("CREATE DATABASE shop WITH TEMPLATE = template0;", "");
        assert_eq!(without(text, "me", "shop"), expected);
    }

    #[test]
    fn a_database_that_a_dump_of_the_cluster_drops_first_is_kept() {
        let text = "DROP ROLE IF EXISTS me;\n\\connect template1\n\n--\n-- PostgreSQL database dump\n--\n\nSET lock_timeout = 0;\n\
                    DROP DATABASE IF EXISTS shop;\n--\n-- Name: shop; Type: DATABASE; Schema: -; Owner: me\n--\n\n\
                    CREATE DATABASE shop WITH TEMPLATE = template0;\n\\connect shop\nDROP DATABASE IF EXISTS shop;\n";
        let expected = text
            .replacen("DROP ROLE IF EXISTS me;", "", 1)
            .replacen("DROP DATABASE IF EXISTS shop;", "", 1)
            .replacen("CREATE DATABASE shop WITH TEMPLATE = template0;", "", 1);
        assert_eq!(without(text, "me", "shop"), expected);
    }

    #[test]
    fn names_in_quotes_are_known() {
        let text = "CREATE ROLE \"My \"\"Role\";\n-- Name: The Shop; Type: DATABASE; Schema: -; Owner: x\n--\n\nCREATE DATABASE \"The Shop\" WITH X;\n";
        assert_eq!(
            without(text, "My \"Role", "The Shop"),
            "\n-- Name: The Shop; Type: DATABASE; Schema: -; Owner: x\n--\n\n\n"
        );
    }

    #[test]
    fn what_looks_the_same_in_data_stays() {
        let text = "-- Name: t; Type: TABLE; Schema: public; Owner: me\nCREATE ROLE me;\nCOPY public.t (line) FROM stdin;\n\
                    -- Name: shop; Type: DATABASE; Schema: -; Owner: me\n--\n\nCREATE DATABASE shop;\n\\.\n\
                    DROP DATABASE shop;\nCREATE DATABASE shop;\n";
        assert_eq!(without(text, "me", "shop"), text);
    }

    #[test]
    fn long_lines_and_a_missing_line_end_are_kept() {
        let text =
            format!("{}\nCREATE ROLE me;\nCOPY t FROM stdin;\n{}\n\\.\nend", "x".repeat(40_000), "y".repeat(40_000));
        assert_eq!(without(&text, "me", "me"), text.replace("CREATE ROLE me;", ""));
    }
}
