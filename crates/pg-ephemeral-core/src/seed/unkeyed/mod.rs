//! Finds files of the project that a script or a command names, but no cache key covers. If such a file changes, its
//! seed does not run again. This module only reads files; it runs and prints nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use indexmap::IndexMap;

use super::files;
use super::spec::{CacheStrategy, FileGlob, SeedSpec};
use super::sql::unknown_includes;
use crate::io::content::Content;
use crate::model::{InstanceName, SeedName};

mod words;

/// How deep scripts in quotes may be nested in other scripts to be examined.
const DEEPEST: usize = 3;

/// The files that a seed names, but its layer's key does not cover. Displayed as a sentence without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnkeyedFiles {
    /// The instance.
    pub instance: InstanceName,
    /// The seed.
    pub seed: SeedName,
    /// The files, folders (with a slash at the end) and globs that the seed names, relative to the configuration's
    /// folder; or commands of psql, such as `\i :file`, whose file is only known when psql runs.
    pub named: Vec<String>,
    /// The globs that the seed's `files` needs to cover them, including those that it has already.
    pub files: Vec<FileGlob>,
    remedy: Remedy,
}

/// The change to the seed that makes the files a part of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    /// The seed needs `files`.
    Add,
    /// The seed's `files` need more globs.
    Change,
    /// The seed needs `files`, with paths that only its author knows.
    AddUnknown,
    /// A seed of another type is needed, one that has `files`.
    OtherType,
}

impl UnkeyedFiles {
    /// Returns the line of `database.toml` that adds the files to the key; `None` if it is not known which files they
    /// are.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        let globs = self.files.iter().map(|glob| toml::Value::from(glob.as_str()));
        (!self.files.is_empty()).then(|| format!("files = {}", toml::Value::Array(globs.collect())))
    }

    /// Returns what the user can do about the files.
    #[must_use]
    pub fn hint(&self) -> String {
        let line = self.line().unwrap_or_default();
        match self.remedy {
            Remedy::Add => format!("add this line to the seed: {line}"),
            Remedy::Change => format!("change the seed's `files` to: {line}"),
            Remedy::AddUnknown => "list the files that are included this way in the seed's `files`".to_owned(),
            Remedy::OtherType => {
                "use a seed of type sql-file, and list the files that are included this way in its `files`".to_owned()
            }
        }
    }
}

impl fmt::Display for UnkeyedFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, seed, named, remedy, .. } = self;
        write!(formatter, "seed \"{seed}\" of instance {instance} uses ")?;
        let named: Vec<String> = match remedy {
            Remedy::Add | Remedy::Change => named.clone(),
            Remedy::AddUnknown | Remedy::OtherType => {
                named.iter().map(|command| format!("what `{command}` names")).collect()
            }
        };
        match named.as_slice() {
            [file] => write!(
                formatter,
                "{file}, which is not part of its cache key; the seed does not run again when it changes"
            ),
            [first @ .., last] => write!(
                formatter,
                "{} and {last}, which are not part of its cache key; the seed does not run again when they change",
                first.join(", ")
            ),
            [] => formatter.write_str("no file that is not part of its cache key"),
        }
    }
}

/// Finds the files that each seed of an instance names, but no key covers, in the order of the seeds. This function
/// blocks.
///
/// If the key of an earlier seed covers a file, the file is covered, because each layer's key is computed from the one
/// before.
#[must_use]
pub fn unkeyed_files(
    instance: &InstanceName,
    seeds: &IndexMap<SeedName, SeedSpec>,
    folder: &Path,
) -> Vec<UnkeyedFiles> {
    (0..seeds.len()).filter_map(|index| of_seed(instance, seeds, index, folder)).collect()
}

/// Finds the files like [`unkeyed_files`], for the seed at one index of the chain.
pub(crate) fn of_seed(
    instance: &InstanceName,
    seeds: &IndexMap<SeedName, SeedSpec>,
    index: usize,
    folder: &Path,
) -> Option<UnkeyedFiles> {
    let (seed, spec) = seeds.get_index(index)?;
    if let Some((named, remedy)) = unknown_files(spec, folder) {
        return Some(UnkeyedFiles { instance: instance.clone(), seed: seed.clone(), named, files: Vec::new(), remedy });
    }
    let mut named: Vec<Named> = Vec::new();
    for text in texts(spec) {
        if let Some(found) = Named::find(folder, &text)
            && !named.contains(&found)
        {
            named.push(found);
        }
    }
    if named.is_empty() {
        return None;
    }
    let covered: BTreeSet<PathBuf> = seeds.values().take(index + 1).flat_map(|spec| covered_by(spec, folder)).collect();
    named.retain(|named| !named.is_covered(&covered));
    if named.is_empty() {
        return None;
    }
    let mut files = spec.files().to_vec();
    files.extend(named.iter().map(|named| named.glob().clone()));
    Some(UnkeyedFiles {
        instance: instance.clone(),
        seed: seed.clone(),
        named: named.iter().map(ToString::to_string).collect(),
        files,
        remedy: if spec.files().is_empty() { Remedy::Add } else { Remedy::Change },
    })
}

/// Returns the commands of psql in a seed's SQL whose file is not known. Returns `None` if there are none, or if the
/// seed has `files`, which may list these files.
fn unknown_files(spec: &SeedSpec, folder: &Path) -> Option<(Vec<String>, Remedy)> {
    let (content, path, remedy) = match spec {
        SeedSpec::SqlFile { path, git_revision: None, files } if files.is_empty() => {
            (Content::file(&folder.join(path)).ok()?, path.as_path(), Remedy::AddUnknown)
        }
        SeedSpec::SqlStatement { statement } => (Content::text(statement), Path::new(""), Remedy::OtherType),
        _ => return None,
    };
    let commands = unknown_includes(content, path, folder);
    (!commands.is_empty()).then_some((commands, remedy))
}

/// Returns every text of a seed that may name a file; none for a seed whose key already covers everything that it
/// reads.
fn texts(spec: &SeedSpec) -> Vec<String> {
    let mut texts = Vec::new();
    match spec {
        SeedSpec::Script { script, cache: CacheStrategy::CommandHash, .. } => add_script(script, 0, &mut texts),
        SeedSpec::Command { command, arguments, cache: CacheStrategy::CommandHash, .. } => {
            if command.contains('/') {
                texts.push(command.clone());
            }
            for argument in arguments {
                add_word(argument, &mut texts);
                // This may be a script, the argument of `sh -c`.
                if argument.contains(char::is_whitespace) {
                    add_script(argument, 0, &mut texts);
                }
            }
        }
        _ => {}
    }
    texts
}

fn add_script(script: &str, depth: usize, texts: &mut Vec<String>) {
    for word in words::words(script) {
        // The shell looks for a program without a slash on `PATH`, not in the folder.
        if !word.is_program || word.text.contains('/') {
            add_word(&word.text, texts);
        }
        let may_be_script = word.text.contains(|character: char| character.is_whitespace() || character == '(');
        if word.is_quoted && may_be_script && depth < DEEPEST {
            add_script(&word.text, depth + 1, texts);
        }
    }
}

/// Adds the forms in which a word may name a file: `x`, `--file=x`, `-fx`, `@x`, `file://x`, `x,y`, `$PWD/x`.
fn add_word(word: &str, texts: &mut Vec<String>) {
    texts.push(word.to_owned());
    let value = word.split_once('=').map(|(_, value)| value);
    let attached = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')).and_then(|rest| {
        let mut rest = rest.chars();
        rest.next().map(|_| rest.as_str())
    });
    for form in [Some(word), value, attached].into_iter().flatten() {
        for part in form.split(',') {
            let prefixes = ["@", "file://", "file:", "$PWD/", "${PWD}/"];
            let stripped = prefixes.iter().filter_map(|prefix| part.strip_prefix(prefix));
            texts.extend(stripped.chain([part]).filter(|part| *part != word).map(str::to_owned));
        }
    }
}

/// Returns the files that the key of a seed covers, relative to the folder. If one of its globs matches nothing, the
/// files of its globs are left out.
fn covered_by(spec: &SeedSpec, folder: &Path) -> Vec<PathBuf> {
    let path = match spec {
        SeedSpec::SqlFile { path, git_revision: None, .. }
        | SeedSpec::Dump { path, .. }
        | SeedSpec::CsvFile { path, .. } => below(folder, path),
        _ => None,
    };
    let found = files::find(folder, spec.files()).unwrap_or_default();
    path.into_iter().chain(found.iter().filter_map(|file| below(folder, &file.name))).collect()
}

/// A file, folder or glob of the project that a text names. All paths are relative to the project's folder.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    File { path: PathBuf, glob: FileGlob },
    Folder { path: PathBuf, glob: FileGlob },
    Glob { matched: Vec<PathBuf>, glob: FileGlob },
}

impl Named {
    fn find(folder: &Path, text: &str) -> Option<Self> {
        if text.contains(char::is_control) {
            return None;
        }
        let path = below(folder, Path::new(text))?;
        let plain = path.to_str()?;
        match folder.join(&path).metadata() {
            Ok(metadata) if metadata.is_file() => {
                let glob = FileGlob::of_path(plain).ok()?;
                Some(Self::File { path, glob })
            }
            // A word without a slash, as in `npm test`, seldom means a folder.
            Ok(metadata) if metadata.is_dir() && text.contains('/') => {
                let glob = format!("{}/**/*", FileGlob::of_path(plain).ok()?).parse().ok()?;
                files::matches_any(folder, &glob).then_some(Self::Folder { path, glob })
            }
            _ if plain.contains(['*', '?', '[']) => {
                let glob: FileGlob = plain.parse().ok()?;
                let found = files::find(folder, std::slice::from_ref(&glob)).ok()?;
                Some(Self::Glob { matched: found.into_iter().map(|file| file.name).collect(), glob })
            }
            _ => None,
        }
    }

    fn glob(&self) -> &FileGlob {
        match self {
            Self::File { glob, .. } | Self::Folder { glob, .. } | Self::Glob { glob, .. } => glob,
        }
    }

    /// Returns `true` if the named files are among `covered`. For a folder, one of its files is enough, because the
    /// seed may not read all of them.
    fn is_covered(&self, covered: &BTreeSet<PathBuf>) -> bool {
        match self {
            Self::File { path, .. } => covered.contains(path),
            Self::Folder { path, .. } => covered.iter().any(|file| file.starts_with(path)),
            Self::Glob { matched, .. } => matched.iter().all(|file| covered.contains(file)),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(formatter, "{}", path.display()),
            Self::Folder { path, .. } => write!(formatter, "{}/", path.display()),
            Self::Glob { glob, .. } => write!(formatter, "{glob}"),
        }
    }
}

/// Returns a path relative to the folder, without `.` and `..`; `None` for the folder itself and for paths outside of
/// it.
fn below(folder: &Path, path: &Path) -> Option<PathBuf> {
    let relative = if path.is_absolute() { path.strip_prefix(folder).ok()? } else { path };
    let mut below = PathBuf::new();
    for component in relative.components() {
        match component {
            Component::Normal(name) => below.push(name),
            Component::CurDir => {}
            Component::ParentDir if below.pop() => {}
            _ => return None,
        }
    }
    (!below.as_os_str().is_empty()).then_some(below)
}

#[cfg(test)]
mod tests;
