//! Reads a parsed TOML table key by key. Each key that is read is removed from the table; the keys that remain at the
//! end are unknown.
//!
//! This module handles TOML types and positions, not the meaning of keys. A method that reads a key returns `None` if
//! the key is absent or its value is invalid. It adds an invalid value to [`Problems`], so that the caller can continue
//! and find further problems.

use std::error::Error;
use std::fmt::Display;
use std::num::NonZeroU16;
use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Problems;
use super::problem::{Problem, TablePath};
use super::suggest::closest;

/// One key of a table with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry<'t> {
    /// The key's text.
    pub(super) key: &'t str,
    /// The key's span.
    pub(super) key_span: Range<usize>,
    pub(super) value: &'t Spanned<DeValue<'t>>,
}

impl<'t> Entry<'t> {
    /// Returns the value's span. The span of a table is its header, or its key if the table has no header.
    pub(super) fn span(&self) -> Range<usize> {
        self.value.span()
    }

    pub(super) fn wrong_type(&self, expected: &'static str) -> Problem {
        Problem::WrongType { key: self.key.to_owned(), expected, found: type_name(self.value.get_ref()), quoted: None }
    }

    fn no_string(&self) -> Problem {
        let quoted = match self.value.get_ref() {
            DeValue::Integer(integer) => Some(integer.to_string()),
            DeValue::Float(float) => Some(float.to_string()),
            _ => None,
        };
        let (key, found) = (self.key.to_owned(), type_name(self.value.get_ref()));
        Problem::WrongType { key, expected: "a string", found, quoted }
    }

    pub(super) fn bad_value(&self, reason: &impl Display) -> Problem {
        Problem::BadValue { key: self.key.to_owned(), reason: reason.to_string() }
    }

    pub(super) fn string(&self, problems: &mut Problems) -> Option<&'t str> {
        let text = self.value.get_ref().as_str();
        if text.is_none() {
            problems.add(self.span(), self.no_string());
        }
        text
    }

    /// Reads a path, a script or a similar text, which can't be empty or contain NUL.
    pub(super) fn text(&self, problems: &mut Problems) -> Option<&'t str> {
        let text = self.string(problems)?;
        let reason = if text.trim().is_empty() {
            "it can't be empty"
        } else if text.contains('\0') {
            "it can't hold the NUL character"
        } else {
            return Some(text);
        };
        problems.add(self.span(), self.bad_value(&reason));
        None
    }

    pub(super) fn table<'p>(&self, path: TablePath, problems: &'p mut Problems) -> Option<Table<'t, 'p>> {
        match self.value.get_ref() {
            DeValue::Table(table) => Some(Table::new(table, self.span(), path, problems)),
            _ => {
                problems.add(self.span(), self.wrong_type("a table"));
                None
            }
        }
    }

    /// Returns the offset of the first occurrence of the key, or of a key in its table, since a table may be defined in
    /// several parts.
    fn first_place(&self) -> usize {
        first_place(self.key_span.start, self.value.get_ref(), 0)
    }
}

/// A table that is being read.
#[derive(Debug)]
pub(super) struct Table<'t, 'p> {
    pub(super) path: TablePath,
    pub(super) problems: &'p mut Problems,
    header: Range<usize>,
    entries: Vec<Entry<'t>>,
    valid: Vec<&'static str>,
}

impl<'t, 'p> Table<'t, 'p> {
    pub(super) fn new(
        table: &'t DeTable<'t>,
        header: Range<usize>,
        path: TablePath,
        problems: &'p mut Problems,
    ) -> Self {
        let mut entries: Vec<Entry<'t>> =
            table.iter().map(|(key, value)| Entry { key: key.get_ref(), key_span: key.span(), value }).collect();
        entries.sort_by_cached_key(Entry::first_place);
        Self { path, problems, header, entries, valid: Vec::new() }
    }

    /// Removes a key from the table and returns its entry. Records the key as a valid one.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Entry<'t>> {
        self.valid.push(key);
        self.take_out(key)
    }

    /// Does the same as [`Table::take`] for a required key.
    pub(super) fn require(&mut self, key: &'static str) -> Option<Entry<'t>> {
        self.require_one_of(key, &[])
    }

    fn require_one_of(&mut self, key: &'static str, valid: &[&'static str]) -> Option<Entry<'t>> {
        let entry = self.take(key);
        if entry.is_none() {
            let problem = Problem::MissingKey { key, table: self.path.clone(), valid: valid.to_vec() };
            self.problems.add(self.header.clone(), problem);
        }
        entry
    }

    /// Removes all keys and returns their entries in file order, for a table whose keys are names.
    pub(super) fn take_all(&mut self) -> Vec<Entry<'t>> {
        std::mem::take(&mut self.entries)
    }

    /// Adds a problem if the table has a key that belongs in another table.
    pub(super) fn refuse(&mut self, key: &str, reason: &'static str) {
        if let Some(entry) = self.take_out(key) {
            let problem = Problem::Misplaced { key: key.to_owned(), table: self.path.clone(), reason };
            self.problems.add(entry.key_span, problem);
        }
    }

    /// Adds a problem for each remaining key, which is unknown.
    pub(super) fn finish(self) {
        for entry in &self.entries {
            let problem = Problem::UnknownKey {
                key: entry.key.to_owned(),
                table: self.path.clone(),
                closest: closest(entry.key, self.valid.iter().copied()),
                valid: self.valid.clone(),
            };
            self.problems.add(entry.key_span.clone(), problem);
        }
    }

    /// Reads a string and parses it.
    pub(super) fn parsed<T>(&mut self, key: &'static str) -> Option<T>
    where
        T: FromStr<Err: Error>,
    {
        let entry = self.take(key)?;
        self.parse(&entry)
    }

    /// Does the same as [`Table::parsed`] for a required key.
    pub(super) fn require_parsed<T>(&mut self, key: &'static str) -> Option<T>
    where
        T: FromStr<Err: Error>,
    {
        let entry = self.require(key)?;
        self.parse(&entry)
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let entry = self.take(key)?;
        let value = entry.value.get_ref().as_bool();
        if value.is_none() {
            self.problems.add(entry.span(), entry.wrong_type("a boolean"));
        }
        value
    }

    /// Reads a string of a required key. The string can't be empty or contain NUL.
    pub(super) fn require_text(&mut self, key: &'static str) -> Option<&'t str> {
        self.require(key)?.text(self.problems)
    }

    /// Reads an array of strings. It is empty if the key is absent.
    pub(super) fn strings(&mut self, key: &'static str) -> Vec<String> {
        let Some(entry) = self.take(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = entry.value.get_ref() else {
            self.problems.add(entry.span(), entry.wrong_type("an array of strings"));
            return Vec::new();
        };
        let mut strings = Vec::new();
        for value in items {
            let item = Entry { key: entry.key, key_span: entry.key_span.clone(), value };
            match value.get_ref().as_str() {
                None => self.problems.add(item.span(), item.wrong_type("an array of strings")),
                Some(text) if text.contains('\0') => {
                    self.problems.add(item.span(), item.bad_value(&"it can't hold the NUL character"));
                }
                Some(text) => strings.push(text.to_owned()),
            }
        }
        strings
    }

    /// Reads a whole number from 1 to 65535.
    pub(super) fn positive(&mut self, key: &'static str) -> Option<NonZeroU16> {
        let entry = self.take(key)?;
        let DeValue::Integer(integer) = entry.value.get_ref() else {
            self.problems.add(entry.span(), entry.wrong_type("an integer"));
            return None;
        };
        let number = integer.to_string().parse().ok();
        if number.is_none() {
            self.problems.add(entry.span(), entry.bad_value(&"it must be a whole number from 1 to 65535"));
        }
        number
    }

    /// Reads an array of strings that must be in `valid`. It is empty if the key is absent.
    pub(super) fn choices(&mut self, key: &'static str, valid: &[&'static str]) -> Vec<&'static str> {
        let Some(entry) = self.take(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = entry.value.get_ref() else {
            self.problems.add(entry.span(), entry.wrong_type("an array of strings"));
            return Vec::new();
        };
        let items = items.iter().map(|value| Entry { key: entry.key, key_span: entry.key_span.clone(), value });
        items.filter_map(|item| self.choose(&item, valid)).collect()
    }

    /// Reads an array of strings and parses each of them. It is empty if the key is absent.
    pub(super) fn parsed_array<T>(&mut self, key: &'static str) -> Vec<T>
    where
        T: FromStr<Err: Error>,
    {
        let Some(entry) = self.take(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = entry.value.get_ref() else {
            self.problems.add(entry.span(), entry.wrong_type("an array of strings"));
            return Vec::new();
        };
        let mut values = Vec::new();
        for value in items {
            let item = Entry { key: entry.key, key_span: entry.key_span.clone(), value };
            match value.get_ref() {
                DeValue::String(_) => values.extend(self.parse(&item)),
                _ => self.problems.add(item.span(), item.wrong_type("an array of strings")),
            }
        }
        values
    }

    /// Reads a string that must be in `valid`.
    pub(super) fn choice(&mut self, key: &'static str, valid: &[&'static str]) -> Option<&'static str> {
        let entry = self.take(key)?;
        self.choose(&entry, valid)
    }

    /// Does the same as [`Table::choice`] for a required key.
    pub(super) fn require_choice(&mut self, key: &'static str, valid: &[&'static str]) -> Option<&'static str> {
        let entry = self.require_one_of(key, valid)?;
        self.choose(&entry, valid)
    }

    fn choose(&mut self, entry: &Entry<'t>, valid: &[&'static str]) -> Option<&'static str> {
        let text = entry.string(self.problems)?;
        let found = valid.iter().copied().find(|name| *name == text);
        if found.is_none() {
            let problem = Problem::UnknownChoice {
                key: entry.key.to_owned(),
                value: text.to_owned(),
                closest: closest(text, valid.iter().copied()),
                valid: valid.to_vec(),
            };
            self.problems.add(entry.span(), problem);
        }
        found
    }

    fn parse<T>(&mut self, entry: &Entry<'t>) -> Option<T>
    where
        T: FromStr<Err: Error>,
    {
        match entry.string(self.problems)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.add(entry.span(), entry.bad_value(&reason(&error)));
                None
            }
        }
    }

    fn take_out(&mut self, key: &str) -> Option<Entry<'t>> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(index))
    }
}

/// Returns the messages of an error and its causes in one line.
pub(super) fn reason(error: &dyn Error) -> String {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        reason.push_str(": ");
        reason.push_str(&error.to_string());
        cause = error.source();
    }
    reason
}

fn first_place(own: usize, value: &DeValue<'_>, depth: usize) -> usize {
    /// The maximum depth at which tables whose order matters are nested. The limit keeps the recursion short.
    const MAX_DEPTH: usize = 4;
    let mut first = own;
    if let (DeValue::Table(table), true) = (value, depth < MAX_DEPTH) {
        for (key, value) in table {
            first = first.min(first_place(key.span().start, value.get_ref(), depth + 1));
        }
    }
    first
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
