//! Reads the first row of a CSV file, with quotes as in PostgreSQL.

use std::collections::HashSet;

use crate::model::seed::spec::CsvDelimiter;

/// The maximum length of a header, in bytes. PostgreSQL's longest column names fit, as many as a table can have.
const LONGEST: usize = 256 * 1024;

/// The mark that some programs put at the start of a UTF-8 file.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A reader that takes a file piece by piece until its first row is complete.
#[derive(Debug)]
pub(super) struct HeaderReader {
    delimiter: u8,
    fields: Vec<Vec<u8>>,
    field: Vec<u8>,
    state: State,
    length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Outside quotes.
    Plain,
    /// Inside quotes.
    Quoted,
    /// After a quote inside quotes: it is the end of the quoted part, or the first half of a doubled quote.
    Quote,
    /// The row is complete.
    Done,
}

/// An error in the first row of a CSV file, which names the columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsvHeaderError {
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
    /// The row is longer than 256 KiB.
    #[error("the header is longer than {LONGEST} bytes")]
    TooLong,
    /// A quote is not closed.
    #[error("a quote in the header is not closed")]
    OpenQuote,
    /// A name is not UTF-8.
    #[error("the name of column {number} is not UTF-8")]
    NotUtf8 {
        /// The column, from 1.
        number: usize,
    },
    /// A column has no name.
    #[error("column {number} has no name")]
    NoName {
        /// The column, from 1.
        number: usize,
    },
    /// Two columns have the same name.
    #[error("two columns have the name {name:?}")]
    Duplicate {
        /// The name.
        name: String,
    },
}

impl HeaderReader {
    pub(super) fn new(delimiter: CsvDelimiter) -> Self {
        Self {
            // A delimiter is ASCII.
            delimiter: u8::try_from(delimiter.as_char()).unwrap_or(b','),
            fields: Vec::new(),
            field: Vec::new(),
            state: State::Plain,
            length: 0,
        }
    }

    /// Takes the next piece of the file. Everything after the first row is ignored.
    pub(super) fn take(&mut self, piece: &[u8]) {
        for &byte in piece {
            if self.state == State::Done || self.length > LONGEST {
                return;
            }
            self.length += 1;
            self.take_byte(byte);
        }
    }

    fn take_byte(&mut self, byte: u8) {
        match (self.state, byte) {
            (State::Quoted, b'"') => self.state = State::Quote,
            (State::Quote, b'"') => {
                self.field.push(b'"');
                self.state = State::Quoted;
            }
            (State::Quoted, byte) => self.field.push(byte),
            (_, b'"') => self.state = State::Quoted,
            (_, b'\n' | b'\r') => {
                self.end_field();
                self.state = State::Done;
            }
            (_, byte) => {
                self.state = State::Plain;
                if byte == self.delimiter { self.end_field() } else { self.field.push(byte) }
            }
        }
    }

    fn end_field(&mut self) {
        self.fields.push(std::mem::take(&mut self.field));
    }

    /// Returns the names of the columns, after the whole file was taken.
    pub(super) fn columns(mut self) -> Result<Vec<String>, CsvHeaderError> {
        if self.length > LONGEST {
            return Err(CsvHeaderError::TooLong);
        }
        if self.length == 0 {
            return Err(CsvHeaderError::Empty);
        }
        match self.state {
            State::Done => {}
            State::Quoted => return Err(CsvHeaderError::OpenQuote),
            State::Plain | State::Quote => self.end_field(),
        }
        let names = self.fields.into_iter().zip(1..).map(|(field, number)| name(field, number));
        let names: Vec<String> = names.collect::<Result<_, _>>()?;
        let mut seen = HashSet::new();
        match names.iter().find(|name| !seen.insert(name.as_str())) {
            Some(name) => Err(CsvHeaderError::Duplicate { name: name.clone() }),
            None => Ok(names),
        }
    }
}

fn name(field: Vec<u8>, number: usize) -> Result<String, CsvHeaderError> {
    let name = String::from_utf8(field).map_err(|_| CsvHeaderError::NotUtf8 { number })?;
    let name = if number == 1 { name.trim_start_matches(BYTE_ORDER_MARK) } else { &name };
    if name.is_empty() { Err(CsvHeaderError::NoName { number }) } else { Ok(name.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(text: &[u8], delimiter: &str) -> Result<Vec<String>, CsvHeaderError> {
        let mut whole = HeaderReader::new(delimiter.parse().unwrap());
        whole.take(text);
        let mut bytewise = HeaderReader::new(delimiter.parse().unwrap());
        text.iter().for_each(|byte| bytewise.take(&[*byte]));
        let columns = whole.columns();
        assert_eq!(columns, bytewise.columns());
        columns
    }

    #[test]
    fn names_end_at_delimiters_and_the_row_ends_at_the_line_break() {
        assert_eq!(columns(b"id,name\n1,x\n", ",").unwrap(), ["id", "name"]);
        assert_eq!(columns(b"id;a,b\r\n1;x\r\n", ";").unwrap(), ["id", "a,b"]);
        assert_eq!(columns("id\tüber".as_bytes(), "\t").unwrap(), ["id", "über"]);
    }

    #[test]
    fn quotes_hide_delimiters_line_ends_and_doubled_quotes() {
        assert_eq!(columns(b"\"a,\nb\",\"c\"\"d\",e\"f\"g\n", ",").unwrap(), ["a,\nb", "c\"d", "efg"]);
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_first_name() {
        assert_eq!(columns("\u{feff}id,x\n".as_bytes(), ",").unwrap(), ["id", "x"]);
        assert_eq!(columns("\u{feff}\"id\"\n".as_bytes(), ",").unwrap(), ["id"]);
    }

    #[test]
    fn a_row_that_names_no_columns_is_refused() {
        for (text, error) in [
            (&b""[..], CsvHeaderError::Empty),
            (b"\n1", CsvHeaderError::NoName { number: 1 }),
            (b"a,,b\n", CsvHeaderError::NoName { number: 2 }),
            (b"a,b,a\n", CsvHeaderError::Duplicate { name: "a".to_owned() }),
            (b"a,\"b\n", CsvHeaderError::OpenQuote),
            (b"a,\xff\n", CsvHeaderError::NotUtf8 { number: 2 }),
            (&[b'a'; LONGEST + 1], CsvHeaderError::TooLong),
        ] {
            assert_eq!(columns(text, ","), Err(error));
        }
    }
}
