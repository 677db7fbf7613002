//! The `database.toml` for new projects.

/// Returns a `database.toml` in which all settings are shown and commented out, so that it has the same effect as no
/// file.
///
/// A comment line that starts with `# ` is an explanation. One that starts with `#` and no space is a setting; to set
/// it, remove the `#`.
#[must_use]
pub fn template() -> &'static str {
    include_str!("template.toml")
}
