//! What can be wrong with a place in `database.toml`, in words. Where the place is, is the business of `diagnostic`.

use std::fmt;

/// What is wrong with one place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text is no TOML.
    #[error("{}", escape(.message))]
    Syntax {
        /// What the TOML parser says.
        message: String,
    },
    /// A key, an instance or a seed stands twice in one table.
    #[error("{} is there twice", Quoted(.key))]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// No such key belongs here.
    #[error("unknown key {} {table}", Quoted(.key))]
    UnknownKey {
        /// The key.
        key: String,
        /// The table it stands in.
        table: TablePath,
        /// The valid key it is nearest to.
        closest: Option<&'static str>,
        /// The keys that can stand here.
        valid: Vec<&'static str>,
    },
    /// The key is valid, but elsewhere.
    #[error("{} can't be set {table}: {reason}", Quoted(.key))]
    Misplaced {
        /// The key.
        key: String,
        /// The table it stands in.
        table: TablePath,
        /// Why, and where it belongs.
        reason: &'static str,
    },
    /// A key that must be there is not.
    #[error("missing key `{key}` {table}")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The table that needs it.
        table: TablePath,
        /// The values it can have, when they are few words.
        valid: Vec<&'static str>,
    },
    /// A value has another TOML type than it must have.
    #[error("{} must be {expected}, not {found}", Quoted(.key))]
    WrongType {
        /// The value's key.
        key: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
        /// The number as the string it most likely should be.
        quoted: Option<String>,
    },
    /// A value is none of the few words it can be.
    #[error("unknown value {} for {}", Quoted(.value), Quoted(.key))]
    UnknownChoice {
        /// The value's key.
        key: String,
        /// The value.
        value: String,
        /// The valid value it is nearest to.
        closest: Option<&'static str>,
        /// The values it can have.
        valid: Vec<&'static str>,
    },
    /// A value has the right type and does not make sense.
    #[error("invalid value for {}: {}", Quoted(.key), escape(.reason))]
    BadValue {
        /// The value's key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An instance, a seed or a parameter has a name it can't have.
    #[error("invalid {thing} name {}: {}", Quoted(.name), escape(.reason))]
    BadName {
        /// What it names.
        thing: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A parameter's name with a dot in it was not quoted, so that TOML made a table of it.
    #[error("{} must be a string, a number or a boolean, not a table", Quoted(.key))]
    DottedParameter {
        /// The part before the dot.
        key: String,
        /// The whole name.
        name: String,
    },
    /// Two parameter names differ in nothing but letter case.
    #[error("parameter {} is the same as {} on line {first_line}", Quoted(.name), Quoted(.first))]
    DuplicateParameter {
        /// The later name.
        name: String,
        /// The earlier name.
        first: String,
        /// The line of the earlier name, counted from 1.
        first_line: usize,
    },
    /// A parameter does by hand what `ssl_config` does.
    #[error("parameter {} can't be set beside `ssl_config`, which sets SSL up", Quoted(.name))]
    SslParameter {
        /// The parameter.
        name: String,
    },
}

impl Problem {
    /// What to do about it, when there is something to say.
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

/// The keys that lead to a table, shown as `in [instances.main]`, or `at the top level`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TablePath(Vec<String>);

impl TablePath {
    /// The keys, outermost first; none for the top level.
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

/// Somebody's text inside a message: between backticks, control characters escaped, cut when it is long.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", shorten(self.0))
    }
}

/// The text without control characters, and cut when it is long.
fn shorten(text: &str) -> String {
    const MAX_CHARACTERS: usize = 60;
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => escape(text.get(..end).unwrap_or(text)) + "…",
        None => escape(text),
    }
}

/// The text with its control characters escaped: no terminal obeys what stands in a file.
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
