//! Finds the files that a psql script names, without running it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use indexmap::IndexSet;

/// The maximum length of a command that is read, in bytes, up to the end of the path in it.
const LONGEST_COMMAND: usize = 8 << 10;

/// A file that a script names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Reference {
    /// The path as written, without its quotes.
    pub(crate) path: PathBuf,
    /// The folder that a relative path starts from.
    pub(crate) start: Start,
    /// What psql does with the file.
    pub(crate) purpose: Purpose,
}

/// The folder in which psql looks for a file that a script names by a relative path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Start {
    /// The working directory of psql.
    WorkingDirectory,
    /// The folder of the script.
    Script,
}

/// The use of a file that a script names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// psql runs the file as a script.
    Run,
    /// psql reads the file as data.
    Read,
}

/// A scan of a script that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The current line, from its first backslash on.
    line: Vec<u8>,
    /// The working directory, relative to the one at the start. A script can change it with `\cd`.
    folder: PathBuf,
    found: IndexSet<Reference>,
    unknown: IndexSet<String>,
}

/// The files that a script names.
#[derive(Debug)]
pub(crate) struct Found {
    /// The files, each once, in order.
    pub(crate) references: Vec<Reference>,
    /// The commands whose file is only known when psql runs, because a variable, the output of a program or the home
    /// folder is part of its path.
    pub(crate) unknown: Vec<String>,
}

impl Scan {
    /// Takes the next bytes of the script.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.line.is_empty() {
                let Some(backslash) = memchr::memchr(b'\\', bytes) else { return };
                bytes = &bytes[backslash..];
            }
            let end = memchr::memchr(b'\n', bytes);
            let room = (2 * LONGEST_COMMAND).saturating_sub(self.line.len());
            let length = end.unwrap_or(bytes.len()).min(room);
            self.line.extend_from_slice(&bytes[..length]);
            bytes = &bytes[length..];
            if end == Some(length) {
                self.end_line();
            } else if self.line.len() == 2 * LONGEST_COMMAND {
                self.end_half();
            }
        }
    }

    pub(crate) fn finish(mut self) -> Found {
        self.end_line();
        Found { references: self.found.into_iter().collect(), unknown: self.unknown.into_iter().collect() }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        for backslash in memchr::memchr_iter(b'\\', &line) {
            self.command(&line[backslash + 1..]);
        }
    }

    /// Reads the commands in the first half of a long line, and keeps the rest from the next backslash on, which may
    /// start a command.
    fn end_half(&mut self) {
        let line = std::mem::take(&mut self.line);
        for backslash in memchr::memchr_iter(b'\\', &line) {
            if backslash >= LONGEST_COMMAND {
                self.line = line[backslash..].to_vec();
                return;
            }
            self.command(&line[backslash + 1..]);
        }
    }

    /// Reads the text after a backslash, which may be a command.
    fn command(&mut self, text: &[u8]) {
        let name_end = text.iter().position(|byte| !(byte.is_ascii_lowercase() || *byte == b'_')).unwrap_or(text.len());
        let (name, rest) = text.split_at(name_end);
        if !rest.first().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\'')) {
            return;
        }
        let (path, start, purpose) = match name {
            b"i" | b"include" => (argument(rest), Start::WorkingDirectory, Purpose::Run),
            b"ir" | b"include_relative" => (argument(rest), Start::Script, Purpose::Run),
            b"lo_import" => (argument(rest), Start::WorkingDirectory, Purpose::Read),
            b"copy" => (copy_source(rest), Start::WorkingDirectory, Purpose::Read),
            b"cd" => {
                self.folder.extend(argument(rest).map(OsString::from_vec));
                return;
            }
            _ => return,
        };
        let is_home = path.as_ref().is_some_and(|path| path.starts_with(b"~"));
        if is_home || (path.is_none() && name != b"copy" && names_unknown_file(rest)) {
            self.unknown.insert(shown(text));
            return;
        }
        let Some(path) = path.filter(|path| !path.is_empty()).map(OsString::from_vec) else { return };
        let path = match start {
            Start::WorkingDirectory => self.folder.join(path),
            Start::Script => path.into(),
        };
        self.found.insert(Reference { path, start, purpose });
    }
}

/// Returns the references in a whole script, which comes in pieces.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn references_in<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<Reference> {
    let mut scan = Scan::default();
    pieces.into_iter().for_each(|piece| scan.take(piece));
    scan.finish().references
}

/// Returns `true` if the first argument of a command, which is not a plain path, contains a variable or the output of a
/// program.
fn names_unknown_file(text: &[u8]) -> bool {
    let word = trim_start(text);
    let word = word.split(|byte| matches!(byte, b' ' | b'\t' | b'\r')).next().unwrap_or_default();
    let is_closed = word.iter().filter(|byte| **byte == b'\'').count() % 2 == 0;
    !word.is_empty() && is_closed
}

/// Returns a command and its first argument as they are in the script, at most 60 characters.
fn shown(command: &[u8]) -> String {
    const MOST_CHARACTERS: usize = 60;
    let command = String::from_utf8_lossy(command);
    let mut words = command.split_whitespace();
    let shown: Vec<&str> = words.by_ref().take(2).collect();
    format!("\\{}", shown.join(" ")).chars().take(MOST_CHARACTERS).collect()
}

/// Returns the first argument of a command, as psql reads a file name: without quotes, and without semicolons at the
/// end. Returns `None` if a variable or the output of a program is part of it, or if a quote is not closed.
fn argument(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = trim_start(text).iter().copied().peekable();
    let mut argument = Vec::new();
    // The number of bytes at the end that are outside of quotes.
    let mut unquoted = 0_usize;
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\\' => break,
            b'`' => return None,
            b':' if bytes.peek().is_some_and(|next| is_variable_start(*next)) => return None,
            b'\'' => {
                unquoted = 0;
                loop {
                    match bytes.next()? {
                        b'\'' if bytes.peek() == Some(&b'\'') => argument.extend(bytes.next()),
                        b'\'' => break,
                        b'\\' => argument.push(escaped(&mut bytes)?),
                        byte => argument.push(byte),
                    }
                }
            }
            byte => {
                argument.push(byte);
                unquoted += 1;
            }
        }
    }
    while unquoted > 0 && argument.last() == Some(&b';') {
        argument.pop();
        unquoted -= 1;
    }
    Some(argument)
}

/// Returns the byte for an escape sequence inside quotes, reading it from the character after the backslash on.
fn escaped(bytes: &mut std::iter::Peekable<impl Iterator<Item = u8>>) -> Option<u8> {
    Some(match bytes.next()? {
        b'n' => b'\n',
        b't' => b'\t',
        b'b' => 8,
        b'r' => b'\r',
        b'f' => 12,
        b'x' | b'X' => digits(bytes, 16, 2, 0),
        first @ b'0'..=b'7' => digits(bytes, 8, 2, first - b'0'),
        other => other,
    })
}

/// Reads up to `most` digits more, and returns the number that starts with the digits of `value`.
fn digits(bytes: &mut std::iter::Peekable<impl Iterator<Item = u8>>, radix: u8, most: usize, mut value: u8) -> u8 {
    for _ in 0..most {
        let digit = bytes.peek().and_then(|byte| char::from(*byte).to_digit(radix.into()));
        let Some(digit) = digit.and_then(|digit| u8::try_from(digit).ok()) else { break };
        value = value.wrapping_mul(radix).wrapping_add(digit);
        bytes.next();
    }
    value
}

fn is_variable_start(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'_' | b'\'' | b'"' | b'{')
}

fn trim_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(text.len());
    &text[start..]
}

/// Returns the file that a `\copy` reads; `None` if it writes, or reads from a program or the script.
fn copy_source(text: &[u8]) -> Option<Vec<u8>> {
    let mut words = CopyWords(text);
    loop {
        match words.next()? {
            // A `\copy … to` writes its file.
            CopyWord::Bare(word) if word.eq_ignore_ascii_case(b"to") => return None,
            CopyWord::Bare(word) if word.eq_ignore_ascii_case(b"from") => break,
            _ => {}
        }
    }
    match words.next()? {
        CopyWord::Quoted(path) => Some(path),
        CopyWord::Bare(word) => {
            let is_no_file =
                [&b"stdin"[..], b"pstdin", b"program"].iter().any(|known| word.eq_ignore_ascii_case(known));
            (!is_no_file).then(|| word.to_vec())
        }
        CopyWord::Other => None,
    }
}

/// The words of a `\copy`. psql does not replace variables in them.
struct CopyWords<'t>(&'t [u8]);

enum CopyWord<'t> {
    Bare(&'t [u8]),
    Quoted(Vec<u8>),
    /// A quoted identifier, or something in parentheses.
    Other,
}

impl<'t> Iterator for CopyWords<'t> {
    type Item = CopyWord<'t>;

    fn next(&mut self) -> Option<CopyWord<'t>> {
        let text = trim_start(self.0);
        let first = *text.first()?;
        let (word, length) = match first {
            b'(' => (CopyWord::Other, parenthesised(text)?),
            b'"' => (CopyWord::Other, quoted(text, b'"')?.1),
            b'\'' => {
                let (content, length) = quoted(text, b'\'')?;
                (CopyWord::Quoted(content), length)
            }
            _ => {
                let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'(' | b'"' | b'\'');
                let length = text.iter().skip(1).position(is_end).map_or(text.len(), |end| end + 1);
                (CopyWord::Bare(&text[..length]), length)
            }
        };
        self.0 = &text[length..];
        Some(word)
    }
}

/// Returns the text between quotes, and the length including both quotes. A doubled quote stands for one quote.
fn quoted(text: &[u8], quote: u8) -> Option<(Vec<u8>, usize)> {
    let mut content = Vec::new();
    let mut index = 1;
    loop {
        match (*text.get(index)?, text.get(index + 1)) {
            (byte, Some(&next)) if byte == quote && next == quote => {
                content.push(quote);
                index += 2;
            }
            (byte, _) if byte == quote => return Some((content, index + 1)),
            (byte, _) => {
                content.push(byte);
                index += 1;
            }
        }
    }
}

/// Returns the length of a text in parentheses, including the parentheses.
fn parenthesised(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut index = 0;
    loop {
        match *text.get(index)? {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            quote @ (b'\'' | b'"') => index += quoted(&text[index..], quote)?.1 - 1,
            _ => {}
        }
        index += 1;
        if depth == 0 {
            return Some(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let whole = references_in([text.as_bytes()]);
        assert_eq!(references_in(text.as_bytes().chunks(1)), whole, "{text:?}");
        whole.iter().map(|reference| reference.path.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn includes_are_found_wherever_psql_takes_a_command() {
        let text = "select 1; \\i a.sql\n\\ir sub/b.sql\n  \\include 'c d.sql'\n\\include_relative e''f.sql;\n\\i g.sql \\i h.sql";
        assert_eq!(found(text), ["a.sql", "sub/b.sql", "c d.sql", "ef.sql", "g.sql", "h.sql"]);
    }

    #[test]
    fn quotes_and_escapes_are_read_as_psql_reads_them() {
        assert_eq!(found(r"\i 'it''s \x41\102.sql'"), ["it's AB.sql"]);
        assert_eq!(found(r"\i 'open"), Vec::<String>::new());
        assert_eq!(found("\\i a.sql;;\r\n"), ["a.sql"]);
    }

    #[test]
    fn a_path_with_a_variable_or_a_program_is_unknown() {
        for text in [r"\i :dir/a.sql", r"\i :'file'", r"\i `ls`", r"\i 'a'`b`", r"\ir :{?x}"] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_command_with_an_unknown_file_is_reported() {
        let unknown = |text: &str| {
            let mut scan = Scan::default();
            scan.take(text.as_bytes());
            let found = scan.finish();
            assert_eq!(found.references, [], "{text}");
            found.unknown
        };
        assert_eq!(unknown("select 1; \\i :dir/a.sql -- x\n\\ir `ls`\n"), [r"\i :dir/a.sql", r"\ir `ls`"]);
        assert_eq!(unknown("\\i ~/a.sql\n\\copy t from '~/t.csv'\n"), [r"\i ~/a.sql", r"\copy t"]);
        assert_eq!(unknown("\\lo_import :'file'\n"), [r"\lo_import :'file'"]);
        for text in [r"\i 'open", r"\i", r"\i ", r"\copy t from stdin", r"\copy t to :x", r"'\ix'"] {
            assert_eq!(unknown(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_script_may_change_its_working_directory() {
        let text = "\\cd parts\n\\i a.sql\n\\ir b.sql\n\\cd ../other\n\\copy t from t.csv\n\\cd /data\n\\i c.sql\n";
        assert_eq!(found(text), ["parts/a.sql", "b.sql", "parts/../other/t.csv", "/data/c.sql"]);
    }

    #[test]
    fn other_commands_name_no_file() {
        for text in [r"\if x", r"\i", r"\irony a.sql", r"\o out.txt", r"'\\x00'", r"\N", r"\g file"] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn copy_names_the_file_that_it_reads() {
        assert_eq!(found(r"\copy t from 'a b.csv' csv header"), ["a b.csv"]);
        assert_eq!(found(r#"\copy "from x"."t" (a, "from") FROM data/t.csv with (format csv)"#), ["data/t.csv"]);
        assert_eq!(found(r"\copy t(a,b) from 'it''s.csv'"), ["it's.csv"]);
        for text in [
            r"\copy (select 'x from y', 1) to 'out.csv'",
            r"\copy t to out.csv",
            r"\copy t from stdin",
            r"\copy t FROM PSTDIN",
            r"\copy t from program 'cat x'",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(found(r"\lo_import 'picture.png' 'comment'"), ["picture.png"]);
    }

    #[test]
    fn a_command_in_a_very_long_line_is_found() {
        for padding in [LONGEST_COMMAND - 3, 2 * LONGEST_COMMAND - 3, 5 * LONGEST_COMMAND] {
            let text = format!("\\x{}\\i a.sql\n\\i b.sql", "x".repeat(padding));
            assert_eq!(references_in([text.as_bytes()]).len(), 2, "{padding}");
            let text = format!("{}\\i a.sql\n\\i b.sql", "\\x".repeat(padding));
            assert_eq!(references_in([text.as_bytes()]).len(), 2, "{padding}");
        }
    }
}
