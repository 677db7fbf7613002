//! Problems with their positions in the file: as structured data for front ends that draw them in their own way, and as
//! plain text.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::picture;
use super::problem::Problem;

/// A position in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters (not bytes), counted from 1.
    pub column: usize,
}

impl Position {
    /// Returns the position of the byte at `offset`. An offset inside a character counts as the start of that
    /// character, and an offset after the end of the text counts as the end.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..floor_boundary(text, offset)).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let in_line = before.get(line_start..).unwrap_or_default();
        Self { line: before.matches('\n').count() + 1, column: without_mark(in_line, line_start).chars().count() + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// One problem and its place in the file.
///
/// A diagnostic is displayed as plain text of several lines: the file, line, column and message, then the line with
/// carets under the place, then the hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    path: PathBuf,
    position: Position,
    span: Range<usize>,
    line_text: String,
    offending: String,
    problem: Problem,
}

impl Diagnostic {
    /// Creates a diagnostic. `span` must be inside `text`.
    fn new(text: &str, path: &Path, span: Range<usize>, problem: Problem) -> Self {
        let line_start = text.get(..span.start).unwrap_or_default().rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let offending = text.get(span.clone()).unwrap_or_default();
        Self {
            path: path.to_owned(),
            position: Position::of(text, span.start),
            line_text: without_mark(line, line_start).to_owned(),
            offending: offending.to_owned(),
            span,
            problem,
        }
    }

    /// Returns the path of the file, as it was passed to the function that read it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the position of the start of the place.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Returns the place as a range of bytes of the file's text. The range is empty if something is missing there.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Returns the whole line in which the place starts, without the line end.
    #[must_use]
    pub fn line_text(&self) -> &str {
        &self.line_text
    }

    /// Returns the text at the place.
    #[must_use]
    pub fn offending(&self) -> &str {
        &self.offending
    }

    /// Returns the problem. Its `Display` is the message without the position.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Returns what the user can do about the problem, if there is a hint.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.problem.hint()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}:{}: {}", self.path.display(), self.position, self.problem)?;
        let first_line = self.offending.lines().next().unwrap_or_default();
        let place = picture::Excerpt {
            number: self.position.line,
            line: &self.line_text,
            first: self.position.column - 1,
            count: first_line.chars().count(),
        };
        formatter.write_str(&picture::draw(&place))?;
        match self.hint() {
            Some(hint) => write!(formatter, "\n  = hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// The problems of a configuration, in file order. There is at least one.
///
/// They are displayed one after the other, separated by empty lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    first: Box<Diagnostic>,
    rest: Vec<Diagnostic>,
    omitted: usize,
}

impl Diagnostics {
    /// The maximum number of problems that are kept. A longer list would not help the user.
    pub const MAX: usize = 20;

    /// Returns the first problem in the file.
    #[must_use]
    pub fn first(&self) -> &Diagnostic {
        &self.first
    }

    /// Returns an iterator over the problems that are kept, in file order.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        std::iter::once(self.first()).chain(&self.rest)
    }

    /// Returns the number of problems after the first [`Diagnostics::MAX`], which are not kept.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.first)?;
        for diagnostic in &self.rest {
            write!(formatter, "\n\n{diagnostic}")?;
        }
        match self.omitted {
            0 => Ok(()),
            omitted => write!(formatter, "\n\nand {omitted} more"),
        }
    }
}

impl std::error::Error for Diagnostics {}

/// Collects problems, so that one pass over a file finds all of them.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<(Range<usize>, Problem)>);

impl Problems {
    pub(super) fn add(&mut self, span: Range<usize>, problem: Problem) {
        self.0.push((span, problem));
    }

    pub(super) fn into_result(self, text: &str, path: &Path) -> Result<(), Diagnostics> {
        let shown = |(span, problem)| (inside(text, span), problem);
        let mut found: Vec<_> = self.0.into_iter().map(shown).collect();
        found.sort_by_key(|(span, _)| span.start);
        let omitted = found.len().saturating_sub(Diagnostics::MAX);
        found.truncate(Diagnostics::MAX);
        let mut diagnostics = found.into_iter().map(|(span, problem)| Diagnostic::new(text, path, span, problem));
        match diagnostics.next() {
            Some(first) => Err(Diagnostics { first: Box::new(first), rest: diagnostics.collect(), omitted }),
            None => Ok(()),
        }
    }
}

/// Returns the part of `span` that is inside the text, without line ends at its end. If the span starts at the end of
/// the text, it is moved back to the end of the last visible character.
fn inside(text: &str, span: Range<usize>) -> Range<usize> {
    let mut start = floor_boundary(text, span.start);
    let end = floor_boundary(text, span.end).max(start);
    if start == text.len() {
        let visible = text.trim_end().len();
        return visible..visible;
    }
    let (before, rest) = text.split_at(start);
    if rest.starts_with('\n') && before.ends_with('\r') {
        start -= 1;
    }
    let marked = text.get(start..end).unwrap_or_default().trim_end_matches(['\r', '\n']);
    start..start + marked.len()
}

fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Returns the line without the byte order mark that may be at the start of the file.
fn without_mark(line: &str, line_start: usize) -> &str {
    if line_start == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line }
}
