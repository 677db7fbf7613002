//! Leaves out the statements of a plain dump that create or drop the role and the database that a server has from the
//! start.

use std::io::{self, Read};

/// A reader of a plain dump that leaves out the statements `CREATE ROLE`, `DROP ROLE`, `CREATE DATABASE` and
/// `DROP DATABASE` for one role and one database. An empty line replaces each of them, so that line numbers stay the
/// same.
///
/// pg_dump and pg_dumpall write each of these statements on a line of its own. Statements about roles come before the
/// first `\connect`. `CREATE DATABASE` follows a comment that announces the database, such as
/// `-- Name: shop; Type: DATABASE; Schema: -; Owner: postgres`. `DROP DATABASE` comes before the first comment of this
/// kind. The same text elsewhere, such as in the rows of a table, is data and stays.
pub(crate) struct SkipExisting<R> {
    reader: R,
    role: Vec<Vec<u8>>,
    database: Vec<Vec<u8>>,
    state: State,
    buffer: Vec<u8>,
    /// The bytes that were read but not yet examined.
    unread: Vec<u8>,
    /// The bytes that can be returned to the caller.
    ready: Vec<u8>,
    given: usize,
    has_ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first `-- Name:` comment: statements about roles, and statements that drop objects.
    Start,
    /// The head of the dump of one database, before its first `-- Name:` comment. The database may be dropped here.
    Head,
    /// The lines after the comment that announces the database.
    Announced,
    /// The rows of a `COPY`.
    Rows,
    /// Anything else.
    Objects,
    /// The rest of a line that is too long to be one of the statements.
    LongLine(Then),
}

/// The state after a long line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Start,
    Rows,
    Objects,
}

/// The maximum length of a line that is examined, in bytes. A name has at most 63.
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

    /// Examines the lines that are complete.
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

    /// Returns `true` if a line is the comment that announces the database.
    fn announces(&self, text: &[u8]) -> bool {
        let announced = text.strip_prefix(b"-- Name: ").and_then(|rest| rest.strip_prefix(self.bare_database()));
        announced.is_some_and(|rest| rest.starts_with(b"; Type: DATABASE;"))
    }

    /// Returns the name of the database as it is in comments, without quotes.
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

/// Returns a name without quotes and in quotes, because pg_dump quotes a name only if it is not a plain one.
fn spellings(name: &str) -> Vec<Vec<u8>> {
    vec![name.as_bytes().to_vec(), format!("\"{}\"", name.replace('"', "\"\"")).into_bytes()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that returns a few bytes at a time.
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
    fn only_the_statements_about_the_existing_role_and_database_are_left_out() {
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
    fn a_drop_database_at_the_head_of_a_dump_of_a_cluster_is_left_out() {
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
    fn names_in_quotes_are_recognised() {
        let text = "CREATE ROLE \"My \"\"Role\";\n-- Name: The Shop; Type: DATABASE; Schema: -; Owner: x\n--\n\nCREATE DATABASE \"The Shop\" WITH X;\n";
        assert_eq!(
            without(text, "My \"Role", "The Shop"),
            "\n-- Name: The Shop; Type: DATABASE; Schema: -; Owner: x\n--\n\n\n"
        );
    }

    #[test]
    fn the_same_text_in_data_stays() {
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
