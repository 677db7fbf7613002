//! The file that a new project starts from.

/// A `database.toml` with every setting shown and switched off, so that it means the same as no file.
///
/// A line of comment that starts with `# ` is prose; one that starts with `#` alone is a setting to switch on.
#[must_use]
pub fn template() -> &'static str {
    include_str!("template.toml")
}
