//! Seeds, with the content of everything that they point to. These are plain values; this module neither reads files
//! nor applies seeds.

use std::fmt;

use super::SeedKind;
use super::csv::CsvFile;
use super::dump::Dump;
use super::files::HashedFile;
use super::process::{Program, ProgramText};
use super::sql::{SqlScript, SqlSource};
use crate::layer::{Chain, NewLink, UncacheableReason};
use crate::model::{KeyHasher, Parameters, SeedHash, SeedName};

/// All seeds of an instance, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadSeeds(Vec<ReadSeed>);

impl ReadSeeds {
    pub(super) fn new(seeds: Vec<ReadSeed>) -> Self {
        Self(seeds)
    }

    /// Returns the chain of the seeds' layers on top of the base layer.
    #[must_use]
    pub fn chain(&self, base: SeedHash) -> Chain {
        self.chain_with_libraries(base, &Parameters::new())
    }

    /// Returns the chain like [`chain`](Self::chain), where `libraries` are parameters that apply after the last
    /// container script. They are part of the key of the seed after that script, which is the first seed that they can
    /// affect.
    pub(crate) fn chain_with_libraries(&self, base: SeedHash, libraries: &Parameters) -> Chain {
        let mut chain = Chain::new(base);
        let last_script = self.0.iter().rposition(|seed| seed.kind() == SeedKind::ContainerScript);
        let first_with_libraries = last_script.map(|index| index + 1).filter(|_| !libraries.is_empty());
        for (index, seed) in self.0.iter().enumerate() {
            let with_libraries = first_with_libraries == Some(index);
            chain.push(NewLink {
                name: seed.name.clone(),
                kind: seed.kind(),
                description: seed.description(),
                content: if with_libraries { seed.content_with(libraries) } else { seed.content },
                uncacheable: seed.body.uncacheable(),
            });
        }
        chain
    }

    /// Returns `true` if one of the seeds is a container script.
    pub(crate) fn has_container_script(&self) -> bool {
        self.0.iter().any(|seed| seed.kind() == SeedKind::ContainerScript)
    }

    /// Returns a chain without a real base layer. It shows which seeds can be cached, but its keys are those of no
    /// layer.
    pub(crate) fn chain_without_base(&self) -> Chain {
        self.chain(KeyHasher::new("no base").finish_layer())
    }

    /// Returns the seed at an index of the chain, such as [`Step::seed`](crate::layer::Step::seed).
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&ReadSeed> {
        self.0.get(index)
    }

    /// Returns an iterator over the seeds, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, ReadSeed> {
        self.0.iter()
    }

    /// Returns the number of seeds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if there are no seeds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A seed that is ready to be applied. Two seeds are equal if they have the same name and the same effect.
#[derive(Debug, Clone)]
pub struct ReadSeed {
    pub(super) name: SeedName,
    pub(super) body: Body,
    /// The hash of everything that changes the seed's effect.
    content: blake3::Hash,
}

impl PartialEq for ReadSeed {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.content) == (&other.name, other.content)
    }
}

impl Eq for ReadSeed {}

/// The content of a seed.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Sql(SqlScript),
    Dump(Dump),
    Csv(CsvFile),
    Program { program: Program, files: Vec<HashedFile>, cache: CacheKey },
    ContainerScript { script: String, files: Vec<ScriptFile> },
}

/// A file that a container script finds in its working directory.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ScriptFile {
    /// The path, relative to the working directory.
    pub(crate) name: String,
    pub(crate) content: Vec<u8>,
}

impl fmt::Debug for ScriptFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({} bytes)", self.name, self.content.len())
    }
}

/// The part of the key that comes from a program's cache strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CacheKey {
    Nothing,
    /// The seed is not cached.
    Uncacheable,
    /// The hash of the standard output of the key's program.
    Output(blake3::Hash),
}

impl ReadSeed {
    pub(super) fn new(name: SeedName, body: Body) -> Self {
        let content = body.hash();
        Self { name, body, content }
    }

    fn content_with(&self, libraries: &Parameters) -> blake3::Hash {
        let names: Vec<_> = libraries.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let mut key = KeyHasher::new("seed with libraries");
        key.hash("seed", &self.content);
        key.texts("names", names.iter().map(String::as_str));
        key.texts("values", libraries.iter().map(|(_, value)| value.as_str()));
        key.finish()
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &SeedName {
        &self.name
    }

    /// Returns the type.
    #[must_use]
    pub fn kind(&self) -> SeedKind {
        self.body.kind()
    }

    /// Returns a short description: where the content comes from, such as a path, or its size. It contains neither the
    /// body nor the arguments of a command.
    #[must_use]
    pub fn description(&self) -> String {
        match &self.body {
            Body::Sql(script) => match &script.source {
                SqlSource::Statement => script.content.as_text().map_or_else(String::new, lines),
                source => source.to_string(),
            },
            Body::Dump(dump) => dump.path.display().to_string(),
            Body::Csv(file) => file.shown().display().to_string(),
            Body::Program { program, .. } => match &program.text {
                ProgramText::Script(script) => lines(script),
                ProgramText::Command { command, .. } => command.clone(),
            },
            Body::ContainerScript { script, .. } => lines(script),
        }
    }

    /// Returns the text of a container script; `None` for every other seed.
    #[must_use]
    pub fn container_script(&self) -> Option<&str> {
        match &self.body {
            Body::ContainerScript { script, .. } => Some(script),
            _ => None,
        }
    }

    /// Returns the files that a container script finds in its working directory.
    pub(crate) fn script_files(&self) -> &[ScriptFile] {
        match &self.body {
            Body::ContainerScript { files, .. } => files,
            _ => &[],
        }
    }
}

fn lines(text: &str) -> String {
    match text.trim().lines().count() {
        1 => "1 line".to_owned(),
        count => format!("{count} lines"),
    }
}

impl Body {
    fn kind(&self) -> SeedKind {
        match self {
            Self::Sql(SqlScript { source: SqlSource::Statement, .. }) => SeedKind::SqlStatement,
            Self::Sql(_) => SeedKind::SqlFile,
            Self::Dump(_) => SeedKind::Dump,
            Self::Csv(_) => SeedKind::CsvFile,
            Self::Program { program, .. } => match program.text {
                ProgramText::Script(_) => SeedKind::Script,
                ProgramText::Command { .. } => SeedKind::Command,
            },
            Self::ContainerScript { .. } => SeedKind::ContainerScript,
        }
    }

    fn uncacheable(&self) -> Option<UncacheableReason> {
        match self {
            Self::Program { cache: CacheKey::Uncacheable, .. } => Some(UncacheableReason::CacheNone),
            _ => None,
        }
    }

    /// Returns the hash of the type and of everything that changes the seed's effect. The content of the seed's own
    /// file is part of it, the file's path is not.
    fn hash(&self) -> blake3::Hash {
        let mut key = KeyHasher::new("seed");
        key.text("type", self.kind().as_str());
        match self {
            Self::Sql(script) => {
                key.hash("sql", &script.hash);
                for include in &script.includes {
                    key.text("include", &include.name.to_string_lossy());
                    key.hash("content", &include.hash);
                }
            }
            Self::Dump(dump) => dump.add_to(&mut key),
            Self::Csv(file) => {
                key.hash("content", file.content());
                key.text("schema", file.table().schema.as_str());
                key.text("table", file.table().table.as_str());
                key.text("delimiter", &file.delimiter().to_string());
            }
            Self::Program { program, files, cache } => {
                match &program.text {
                    ProgramText::Script(script) => key.text("script", script),
                    ProgramText::Command { command, arguments } => {
                        key.text("command", command);
                        key.texts("arguments", arguments.iter().map(String::as_str));
                    }
                }
                for file in files {
                    key.bytes("file", file.name.as_os_str().as_encoded_bytes());
                    key.hash("content", &file.hash);
                }
                cache.add_to(&mut key);
            }
            Self::ContainerScript { script, files } => {
                key.text("script", script);
                for file in files {
                    key.text("file", &file.name);
                    key.hash("content", &blake3::hash(&file.content));
                }
            }
        }
        key.finish()
    }
}

impl CacheKey {
    fn add_to(&self, key: &mut KeyHasher) {
        match self {
            Self::Nothing => key.text("cache", "command-hash"),
            Self::Uncacheable => key.text("cache", "none"),
            Self::Output(output) => key.hash("cache", output),
        }
    }
}

#[cfg(test)]
mod tests;
