//! A file of SQL as a list of statements.

use std::fmt;

use super::lexer::{Token, TokenKind, Tokens};
use super::place::{Place, byte_of_character};

/// SQL that the server can run, taken apart.
#[derive(Debug)]
pub(in crate::seed) struct SqlScript<'t> {
    text: &'t str,
    statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug)]
struct Statement {
    /// Its first token, in bytes.
    start: usize,
    /// After its semicolon, or at the end of the text.
    end: usize,
    class: Class,
}

/// How a statement gets along with others in one message to the server, which is one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Ordinary,
    /// It starts a transaction: what stands before it must be in one of its own.
    Begin,
    /// It can't be in a transaction with others, or what it does can only be used after its transaction.
    Alone,
}

/// Statements that are sent in one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::seed) struct Batch<'t> {
    pub(in crate::seed) text: &'t str,
    /// Where the text starts in the script, in bytes.
    start: usize,
    /// The index of the first statement.
    first: usize,
    /// How many statements there are.
    len: usize,
}

impl Batch<'_> {
    /// How many statements there are, at least one.
    pub(in crate::seed) fn len(&self) -> usize {
        self.len
    }
}

impl<'t> SqlScript<'t> {
    /// Takes a text apart.
    pub(in crate::seed) fn parse(text: &'t str) -> Result<Self, PsqlOnly> {
        let mut statements = Vec::new();
        let mut parser = Parser::default();
        for token in Tokens::of(text) {
            if token.kind == TokenKind::Backslash {
                return Err(PsqlOnly {
                    feature: backslash_command(text, token.start),
                    place: Place::of_byte(text, token.start),
                });
            }
            if let Some(statement) = parser.take(&token) {
                statements.push(statement);
            }
            if let Some(feature) = parser.copy_through_client() {
                return Err(PsqlOnly { feature, place: Place::of_byte(text, parser.start) });
            }
        }
        statements.extend(parser.finish(text.len()));
        Ok(Self { text, statements })
    }

    /// The messages to send, one after the other.
    pub(in crate::seed) fn batches(&self) -> Vec<Batch<'t>> {
        let breaks = |left: &Statement, right: &Statement| {
            left.class == Class::Alone || right.class == Class::Alone || right.class == Class::Begin
        };
        let mut batches = Vec::new();
        let (mut start, mut first) = (0, 0);
        for statements in self.statements.chunk_by(|left, right| !breaks(left, right)) {
            let end = statements.last().map_or(start, |statement| statement.end);
            batches.push(Batch { text: &self.text[start..end], start, first, len: statements.len() });
            start = end;
            first += statements.len();
        }
        batches
    }

    /// How many statements there are.
    pub(in crate::seed) fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether a transaction is started by the script itself, so that it may be left open at its end.
    pub(in crate::seed) fn starts_transactions(&self) -> bool {
        self.statements.iter().any(|statement| statement.class == Class::Begin)
    }

    /// The place of a character of a batch, its number counted from 1.
    pub(in crate::seed) fn place_of_character(&self, batch: &Batch<'_>, number: u32) -> Place {
        Place::of_byte(self.text, batch.start + byte_of_character(batch.text, number))
    }

    /// Where a statement of a batch starts, its index counted from the batch's first one.
    pub(in crate::seed) fn place_of_statement(&self, batch: &Batch<'_>, index: usize) -> Place {
        let start = self.statements.get(batch.first + index).map_or(batch.start, |statement| statement.start);
        Place::of_byte(self.text, start)
    }
}

/// The words that a statement's class is told by, and where it ends, by the rules of psql.
#[derive(Default)]
struct Parser {
    /// The first words, in lower case.
    words: Vec<String>,
    start: usize,
    started: bool,
    parentheses: usize,
    /// Depth of `BEGIN … END` in the body of a function.
    blocks: usize,
    concurrently: bool,
    copies: Copies,
}

/// What a `COPY` is known to do so far.
#[derive(Default, Clone, Copy, PartialEq)]
enum Copies {
    #[default]
    Unknown,
    Direction,
    FromStdin,
    ToStdout,
}

/// More words than these tell nothing about a statement.
const TELLING_WORDS: usize = 4;

impl Parser {
    /// Takes the next token; gives back the statement that it ends.
    fn take(&mut self, token: &Token<'_>) -> Option<Statement> {
        if token.kind == TokenKind::Semicolon && self.parentheses == 0 && self.blocks == 0 {
            return std::mem::take(self).finish(token.start + 1);
        }
        if !self.started {
            self.started = true;
            self.start = token.start;
        }
        match token.kind {
            TokenKind::Open => self.parentheses += 1,
            TokenKind::Close => self.parentheses = self.parentheses.saturating_sub(1),
            TokenKind::Word => self.take_word(token.text),
            _ => {}
        }
        None
    }

    fn take_word(&mut self, word: &str) {
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        if self.words.len() < TELLING_WORDS {
            self.words.push(word.to_ascii_lowercase());
        }
        if self.parentheses > 0 {
            return;
        }
        self.concurrently |= is("concurrently");
        if self.is(&["copy"]) {
            self.copies = match self.copies {
                Copies::Direction if is("stdin") => Copies::FromStdin,
                Copies::Direction if is("stdout") => Copies::ToStdout,
                _ if is("from") || is("to") => Copies::Direction,
                Copies::Direction => Copies::Unknown,
                other => other,
            };
        }
        if self.creates_routine() {
            if is("begin") || (is("case") && self.blocks > 0) {
                self.blocks += 1;
            } else if is("end") {
                self.blocks = self.blocks.saturating_sub(1);
            }
        }
    }

    fn finish(self, end: usize) -> Option<Statement> {
        self.started.then(|| Statement { start: self.start, end, class: self.class() })
    }

    fn is(&self, start: &[&str]) -> bool {
        self.words.len() >= start.len() && self.words.iter().zip(start).all(|(word, wanted)| word == wanted)
    }

    fn creates_routine(&self) -> bool {
        let creates = |kind| self.is(&["create", kind]) || self.is(&["create", "or", "replace", kind]);
        creates("function") || creates("procedure")
    }

    fn copy_through_client(&self) -> Option<PsqlFeature> {
        match self.copies {
            Copies::FromStdin => Some(PsqlFeature::CopyFromStdin),
            Copies::ToStdout => Some(PsqlFeature::CopyToStdout),
            Copies::Unknown | Copies::Direction => None,
        }
    }

    fn class(&self) -> Class {
        const ALONE: [&[&str]; 19] = [
            &["vacuum"],
            &["cluster"],
            &["reindex"],
            &["call"],
            &["do"],
            &["discard"],
            &["create", "database"],
            &["drop", "database"],
            &["alter", "database"],
            &["create", "tablespace"],
            &["drop", "tablespace"],
            &["alter", "tablespace"],
            &["create", "subscription"],
            &["alter", "subscription"],
            &["drop", "subscription"],
            &["alter", "system"],
            &["alter", "type"],
            &["commit", "prepared"],
            &["rollback", "prepared"],
        ];
        if self.is(&["begin"]) || self.is(&["start", "transaction"]) {
            return Class::Begin;
        }
        if self.concurrently || ALONE.iter().any(|start| self.is(start)) { Class::Alone } else { Class::Ordinary }
    }
}

fn backslash_command(text: &str, offset: usize) -> PsqlFeature {
    let command = text[offset..].split(|character: char| character.is_whitespace() || character == ';').next();
    PsqlFeature::Backslash { command: command.unwrap_or_default().chars().take(20).collect() }
}

/// Something that only psql understands stands in SQL that goes to the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{feature} is for psql, the server does not know it")]
pub struct PsqlOnly {
    /// What it is.
    pub feature: PsqlFeature,
    /// Where it is in the SQL.
    pub place: Place,
}

/// What only psql understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PsqlFeature {
    /// A command that starts with a backslash.
    Backslash {
        /// The command with its backslash, without arguments.
        command: String,
    },
    /// `COPY … FROM STDIN`, with the rows in the file.
    CopyFromStdin,
    /// `COPY … TO STDOUT`.
    CopyToStdout,
}

impl fmt::Display for PsqlFeature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backslash { command } => write!(formatter, "the backslash command `{command}`"),
            Self::CopyFromStdin => formatter.write_str("`COPY … FROM STDIN` with rows in the file"),
            Self::CopyToStdout => formatter.write_str("`COPY … TO STDOUT`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(sql: &str) -> Vec<&str> {
        SqlScript::parse(sql).unwrap().batches().into_iter().map(|batch| batch.text.trim()).collect()
    }

    fn count(sql: &str) -> usize {
        SqlScript::parse(sql).unwrap().len()
    }

    fn refused(sql: &str) -> String {
        let error = SqlScript::parse(sql).unwrap_err();
        format!("{}: {}", error.place, error.feature)
    }

    #[test]
    fn ordinary_statements_go_in_one_message() {
        assert_eq!(batches("select 1; ;select ';';\n-- end\nselect 2"), ["select 1; ;select ';';\n-- end\nselect 2"]);
        assert_eq!(count("select 1; ;select ';';\n-- end\nselect 2"), 3);
        assert_eq!(batches("-- nothing"), [""; 0]);
    }

    #[test]
    fn a_statement_that_no_transaction_takes_is_sent_alone() {
        let sql = "create table t(); vacuum t; Create Index Concurrently i on t(a); select 1; select 2;";
        let expected =
            ["create table t();", "vacuum t;", "Create Index Concurrently i on t(a);", "select 1; select 2;"];
        assert_eq!(batches(sql), expected);
        assert_eq!(batches("alter type e add value 'x'; select 'x'::e").len(), 2);
    }

    #[test]
    fn a_transaction_does_not_take_in_what_stands_before_it() {
        assert_eq!(batches("select 1; begin; select 2; rollback; select 3;").len(), 2);
        assert!(SqlScript::parse("START TRANSACTION; select 1").unwrap().starts_transactions());
    }

    #[test]
    fn a_semicolon_in_a_routine_or_a_rule_ends_nothing() {
        let function = "create or replace function f() returns int begin atomic \
                        select case when true then 1 else 2 end; select 2; end; select 3;";
        assert_eq!(count(function), 2);
        assert_eq!(count("create rule r as on insert to t do also (select 1; select 2); select 3"), 2);
        assert_eq!(count("begin; select case when true then 1 end; end; select 1"), 4);
    }

    #[test]
    fn a_backslash_command_is_refused_with_its_place() {
        assert_eq!(refused("select 1;\n  \\i other.sql\n"), "2:3: the backslash command `\\i`");
        assert_eq!(refused("\\restrict abc"), "1:1: the backslash command `\\restrict`");
        assert_eq!(refused("select 1 \\gset\n"), "1:10: the backslash command `\\gset`");
        assert_eq!(refused("select 'é', \\g;"), "1:13: the backslash command `\\g`");
    }

    #[test]
    fn a_backslash_in_a_string_or_a_comment_is_nothing_special() {
        assert_eq!(count(r"select '\d', E'\\', $$\d$$; -- \d"), 1);
    }

    #[test]
    fn copying_through_the_client_is_refused_before_its_rows_are_taken_for_sql() {
        let sql = "select 1;\nCOPY public.t (a, b) FROM stdin;\n1\tit's\n\\.\n";
        assert_eq!(refused(sql), "2:1: `COPY … FROM STDIN` with rows in the file");
        assert_eq!(refused("copy (select 1) to STDOUT"), "1:1: `COPY … TO STDOUT`");
        assert_eq!(count("copy t from '/tmp/stdin'; copy stdin from program 'x';"), 2);
    }

    #[test]
    fn places_are_those_of_the_whole_text() {
        let sql = "select 1;\nvacuum;\n  select 2;\nselect é;\n";
        let script = SqlScript::parse(sql).unwrap();
        let batches = script.batches();
        assert_eq!(batches.len(), 3);
        let place = |batch: usize, index| script.place_of_statement(&batches[batch], index).to_string();
        assert_eq!(place(1, 0), "2:1");
        assert_eq!(place(2, 0), "3:3");
        assert_eq!(place(2, 1), "4:1");
        // The third message starts with the end of line 2.
        assert_eq!(script.place_of_character(&batches[2], 4).to_string(), "3:3");
    }
}
