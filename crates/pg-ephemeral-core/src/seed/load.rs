//! From what the user wrote to seeds that can be applied: bodies are read, CSV files hashed, key programs run. It knows
//! no server, and what it reads it does not judge.

use std::path::{Component, Path, PathBuf};
use std::process::ExitStatus;

use futures_util::StreamExt;
use futures_util::stream;
use indexmap::IndexMap;

use super::csv::{CsvFile, CsvFileError};
use super::events::OutputStream;
use super::loaded::{Body, CacheKey, LoadedSeed, LoadedSeeds, ScriptFile, SqlSource};
use super::process::{Program, ProgramText, run};
use super::spec::{CacheStrategy, SeedSpec};
use super::sql::Place;
use crate::instance::SeedName;

pub use git::GitError;

mod git;

/// How many seeds are loaded at once: some run programs.
const AT_ONCE: usize = 8;

/// How much of what a key program wrote to its standard error is kept, in bytes.
const LONGEST_MESSAGE: usize = 4096;

/// Why a seed could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder that paths start from is relative, and there is no working directory.
    #[error("find the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file named in the configuration could not be read.
    #[error("read seed {seed}: open {}", path.display())]
    Open {
        /// The seed.
        seed: SeedName,
        /// The file, as the user wrote it.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Two files of a container script would be one.
    #[error("read seed {seed}: two of its files are {name} inside the image")]
    SameFile {
        /// The seed.
        seed: SeedName,
        /// The file, from the script's working directory.
        name: String,
    },
    /// A file of SQL is not UTF-8.
    #[error("read seed {seed}: {file}:{place} is not UTF-8")]
    NotUtf8 {
        /// The seed.
        seed: SeedName,
        /// The file.
        file: SqlSource,
        /// Where the first byte is that can't be.
        place: Place,
    },
    /// A CSV file could not be read.
    #[error("read seed {seed}")]
    Csv {
        /// The seed.
        seed: SeedName,
        /// What came of it.
        #[source]
        source: CsvFileError,
    },
    /// A file of a git revision could not be read.
    #[error("read seed {seed}: {}", path.display())]
    Git {
        /// The seed.
        seed: SeedName,
        /// The file, as the user wrote it.
        path: PathBuf,
        /// What came of it.
        #[source]
        source: GitError,
    },
    /// The program that makes a part of the key could not be run.
    #[error("read seed {seed}: start {program} of its cache key")]
    StartKey {
        /// The seed.
        seed: SeedName,
        /// What was run, in words.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The program that makes a part of the key failed.
    #[error("read seed {seed}: {program} of its cache key ended with {status}{}", quoted(message))]
    Key {
        /// The seed.
        seed: SeedName,
        /// What was run, in words.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote to its standard error.
        message: String,
    },
}

fn quoted(message: &str) -> String {
    let message = message.trim();
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// Reads everything that seeds point to. `folder` is where their relative paths start and their programs run.
///
/// # Errors
/// The first seed, in their order, that can't be loaded.
pub async fn load(seeds: &IndexMap<SeedName, SeedSpec>, folder: &Path) -> Result<LoadedSeeds, LoadError> {
    let folder = std::path::absolute(folder).map_err(|source| LoadError::Folder { path: folder.to_owned(), source })?;
    let loading: Vec<_> = seeds.iter().map(|(name, spec)| Loader { name, folder: &folder }.load(spec)).collect();
    let loaded: Vec<_> = stream::iter(loading).buffered(AT_ONCE).collect().await;
    loaded.into_iter().collect::<Result<_, _>>().map(LoadedSeeds::new)
}

/// Loads one seed.
struct Loader<'a> {
    name: &'a SeedName,
    folder: &'a Path,
}

impl Loader<'_> {
    async fn load(self, spec: &SeedSpec) -> Result<LoadedSeed, LoadError> {
        let body = match spec {
            SeedSpec::SqlFile { path, git_revision: None } => {
                let bytes = self.read(path).await?;
                self.sql(bytes, SqlSource::File(path.clone()))?
            }
            SeedSpec::SqlFile { path, git_revision: Some(revision) } => {
                let bytes = git::file(&self.folder.join(path), revision).await;
                let bytes = bytes.map_err(|source| LoadError::Git { seed: self.seed(), path: path.clone(), source })?;
                self.sql(bytes, SqlSource::Revision { revision: revision.clone(), path: path.clone() })?
            }
            SeedSpec::SqlStatement { statement } => Body::Sql { text: statement.clone(), source: SqlSource::Statement },
            SeedSpec::CsvFile { path, table, delimiter } => {
                let file = CsvFile::read(self.folder.join(path), path.clone(), table.clone(), *delimiter).await;
                Body::Csv(file.map_err(|source| LoadError::Csv { seed: self.seed(), source })?)
            }
            SeedSpec::Script { script, cache } => Body::Program {
                program: self.program(ProgramText::Script(script.clone())),
                cache: self.cache_key(cache).await?,
            },
            SeedSpec::Command { command, arguments, cache } => Body::Program {
                program: self.program(ProgramText::Command { command: command.clone(), arguments: arguments.clone() }),
                cache: self.cache_key(cache).await?,
            },
            SeedSpec::ContainerScript { script, files } => {
                Body::ContainerScript { script: script.clone(), files: self.script_files(files).await? }
            }
        };
        Ok(LoadedSeed::new(self.seed(), body))
    }

    fn seed(&self) -> SeedName {
        self.name.clone()
    }

    async fn read(&self, path: &Path) -> Result<Vec<u8>, LoadError> {
        let full = self.folder.join(path);
        let read = tokio::task::spawn_blocking(move || std::fs::read(full)).await;
        let read = read.unwrap_or_else(|stopped| Err(std::io::Error::other(stopped)));
        read.map_err(|source| LoadError::Open { seed: self.seed(), path: path.to_owned(), source })
    }

    async fn script_files(&self, paths: &[PathBuf]) -> Result<Vec<ScriptFile>, LoadError> {
        let mut files: Vec<ScriptFile> = Vec::new();
        for path in paths {
            let name = name_inside(path);
            if files.iter().any(|file| file.name == name) {
                return Err(LoadError::SameFile { seed: self.seed(), name });
            }
            files.push(ScriptFile { name, content: self.read(path).await? });
        }
        Ok(files)
    }

    fn sql(&self, bytes: Vec<u8>, source: SqlSource) -> Result<Body, LoadError> {
        match String::from_utf8(bytes) {
            Ok(text) => {
                // The mark that some programs put at the start of a UTF-8 file; the server does not take it.
                let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
                Ok(Body::Sql { text, source })
            }
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let before = String::from_utf8_lossy(&error.as_bytes()[..valid]);
                let place = Place::of_byte(&before, valid);
                Err(LoadError::NotUtf8 { seed: self.seed(), file: source, place })
            }
        }
    }

    fn program(&self, text: ProgramText) -> Program {
        Program { text, folder: self.folder.to_owned() }
    }

    async fn cache_key(&self, cache: &CacheStrategy) -> Result<CacheKey, LoadError> {
        match cache {
            CacheStrategy::CommandHash => Ok(CacheKey::Nothing),
            CacheStrategy::None => Ok(CacheKey::Uncacheable),
            CacheStrategy::KeyCommand { command, arguments } => {
                let text = ProgramText::Command { command: command.clone(), arguments: arguments.clone() };
                self.output_hash(self.program(text)).await
            }
            CacheStrategy::KeyScript { script } => {
                self.output_hash(self.program(ProgramText::Script(script.clone()))).await
            }
        }
    }

    async fn output_hash(&self, program: Program) -> Result<CacheKey, LoadError> {
        let mut output = blake3::Hasher::new();
        let mut message = Vec::new();
        let take = |stream, piece: &[u8]| match stream {
            OutputStream::Stdout => {
                output.update(piece);
            }
            OutputStream::Stderr => {
                message.extend_from_slice(piece);
                message.drain(..message.len().saturating_sub(LONGEST_MESSAGE));
            }
        };
        let ended = run(&program, |_| {}, take).await;
        let status =
            ended.map_err(|source| LoadError::StartKey { seed: self.seed(), program: program.to_string(), source })?;
        if status.success() {
            return Ok(CacheKey::Output(output.finalize()));
        }
        let message = String::from_utf8_lossy(&message).into_owned();
        Err(LoadError::Key { seed: self.seed(), program: program.to_string(), status, message })
    }
}

/// Where a container script finds a file, from its working directory: where the configuration does, unless that is
/// outside of its folder.
fn name_inside(path: &Path) -> String {
    let below: Option<PathBuf> = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| if let Component::Normal(name) = part { Some(name) } else { None })
        .collect();
    let name = below.or_else(|| path.file_name().map(PathBuf::from)).unwrap_or_default();
    name.to_string_lossy().into_owned()
}

impl LoadError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Git { source, .. } => source.hint(),
            Self::NotUtf8 { .. } => Some("convert the file to UTF-8, for example with iconv"),
            Self::Csv { source: CsvFileError::Header { .. }, .. } => {
                Some("the first row names the columns, with the delimiter of the seed between them")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
