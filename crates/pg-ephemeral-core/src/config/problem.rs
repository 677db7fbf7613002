//! The problems that a place in `database.toml` can have, with their messages. The module `diagnostic` adds the
//! positions.

use std::fmt;

/// A problem at one place of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text is not valid TOML.
    #[error("{}", escape(.message))]
    Syntax {
        /// The message of the TOML parser.
        message: String,
    },
    /// A table has the same key, instance or seed twice.
    #[error("{} is set twice", Quoted(.key))]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// The table has no such key.
    #[error("unknown key {} {table}", Quoted(.key))]
    UnknownKey {
        /// The key.
        key: String,
        /// The table that contains the key.
        table: TablePath,
        /// The most similar valid key.
        closest: Option<&'static str>,
        /// The valid keys of the table.
        valid: Vec<&'static str>,
    },
    /// The key is valid in another table, but not in this one.
    #[error("{} can't be set {table}: {reason}", Quoted(.key))]
    Misplaced {
        /// The key.
        key: String,
        /// The table that contains the key.
        table: TablePath,
        /// The reason, and the table to which the key belongs.
        reason: &'static str,
    },
    /// A required key is missing.
    #[error("missing key `{key}` {table}")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The table that requires the key.
        table: TablePath,
        /// The valid values of the key. The list is empty if the key has no fixed set of values.
        valid: Vec<&'static str>,
    },
    /// A value has the wrong TOML type.
    #[error("{} must be {expected}, not {found}", Quoted(.key))]
    WrongType {
        /// The value's key.
        key: String,
        /// The expected type.
        expected: &'static str,
        /// The type of the value.
        found: &'static str,
        /// The value as text, if it is a number and should probably be a string.
        quoted: Option<String>,
    },
    /// A value is not in the fixed set of valid values.
    #[error("unknown value {} for {}", Quoted(.value), Quoted(.key))]
    UnknownChoice {
        /// The value's key.
        key: String,
        /// The value.
        value: String,
        /// The most similar valid value.
        closest: Option<&'static str>,
        /// The valid values.
        valid: Vec<&'static str>,
    },
    /// A value has the right type but is not valid.
    #[error("invalid value for {}: {}", Quoted(.key), escape(.reason))]
    BadValue {
        /// The value's key.
        key: String,
        /// The reason why the value is not valid.
        reason: String,
    },
    /// An instance, a seed or a parameter has an invalid name.
    #[error("invalid {thing} name {}: {}", Quoted(.name), escape(.reason))]
    BadName {
        /// The kind of name, such as `instance`.
        thing: &'static str,
        /// The name.
        name: String,
        /// The reason why the name is not valid.
        reason: String,
    },
    /// The name of a parameter contains a dot and is not quoted, so TOML reads it as a table.
    #[error("{} must be a string, a number or a boolean, not a table", Quoted(.key))]
    DottedParameter {
        /// The part before the dot.
        key: String,
        /// The whole name.
        name: String,
    },
    /// Two parameter names differ only in letter case.
    #[error("parameter {} is the same as {} on line {first_line}", Quoted(.name), Quoted(.first))]
    DuplicateParameter {
        /// The later name.
        name: String,
        /// The earlier name.
        first: String,
        /// The line of the earlier name, counted from 1.
        first_line: usize,
    },
    /// An `ssl*` parameter is set together with `ssl_config`, although `ssl_config` already configures SSL.
    #[error("parameter {} can't be set beside `ssl_config`, which sets SSL up", Quoted(.name))]
    SslParameter {
        /// The parameter.
        name: String,
    },
}

impl Problem {
    /// Returns what the user can do about the problem, if there is a hint.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { closest, valid, .. } => Some(choices("keys", *closest, valid)),
            Self::UnknownChoice { closest, valid, .. } => Some(choices("values", *closest, valid)),
            Self::MissingKey { valid, .. } if !valid.is_empty() => Some(choices("values", None, valid)),
            Self::WrongType { quoted: Some(quoted), .. } => Some(format!("quote it: {quoted:?}")),
            Self::DottedParameter { name, .. } => Some(format!("quote a name that has a dot: \"{name}\" = …")),
            _ => None,
        }
    }
}

fn choices(what: &str, closest: Option<&str>, valid: &[&str]) -> String {
    let list = format!("valid {what}: {}", valid.join(", "));
    match closest {
        Some(closest) => format!("did you mean `{closest}`? {list}"),
        None => list,
    }
}

/// The keys that lead to a table, displayed as `in [instances.main]`, or as `at the top level`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TablePath(Vec<String>);

impl TablePath {
    /// Returns the keys, outermost first. The slice is empty for the top level.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.0
    }

    pub(super) fn join(&self, key: &str) -> Self {
        let mut keys = self.0.clone();
        keys.push(key.to_owned());
        Self(keys)
    }
}

impl fmt::Display for TablePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("at the top level");
        }
        let keys: Vec<String> = self.0.iter().map(|key| shorten(key)).collect();
        write!(formatter, "in [{}]", keys.join("."))
    }
}

/// Text from the file, for use in a message: in backticks, with control characters escaped, truncated if it is long.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", shorten(self.0))
    }
}

/// Returns the text with control characters escaped, truncated if it is long.
fn shorten(text: &str) -> String {
    const MAX_CHARACTERS: usize = 60;
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => escape(text.get(..end).unwrap_or(text)) + "…",
        None => escape(text),
    }
}

/// Returns the text with its control characters escaped, so that text from a file can't control the terminal.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}
