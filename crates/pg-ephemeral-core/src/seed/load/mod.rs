//! Turns seeds as the user wrote them into seeds that can be applied: reads their bodies, hashes CSV files, runs key
//! programs. This module connects to no server, and does not check the SQL that it reads.

use std::path::{Component, Path, PathBuf};
use std::process::ExitStatus;

use futures_util::StreamExt;
use futures_util::stream;
use indexmap::IndexMap;

use super::archive::{ArchiveFormat, ForeignFormat};
use super::csv::{CsvFile, CsvFileError};
use super::dump::{Dump, LoadDumpError};
use super::events::OutputStream;
use super::files::{self, FilesError};
use super::git::GitError;
use super::process::{Program, ProgramText};
use super::read_seeds::{Body, CacheKey, ReadSeed, ReadSeeds, ScriptFile};
use super::spec::{CacheStrategy, FileGlob, SeedSpec};
use super::sql::{LoadSqlError, SqlScript};
use crate::io::child::{self, Input};
use crate::io::known_hashes::KnownHashes;
use crate::model::SeedName;

/// The number of seeds that are read at the same time. It is limited because some of them run programs.
const AT_ONCE: usize = 8;

/// How much of a key program's standard error is kept, in bytes from its end.
const LONGEST_MESSAGE: usize = 4096;

/// An error while reading a seed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The folder that paths start from is relative, and there is no working directory.
    #[error("failed to find the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The underlying I/O error.
        #[source]
        source: std::io::Error,
    },
    /// The file named in the configuration could not be read.
    #[error("failed to read seed \"{seed}\": can't open {}", path.display())]
    Open {
        /// The seed.
        seed: SeedName,
        /// The file, as the user wrote it.
        path: PathBuf,
        /// The underlying I/O error.
        #[source]
        source: std::io::Error,
    },
    /// The files that the seed's globs match could not be read.
    #[error("failed to read seed \"{seed}\"")]
    Files {
        /// The seed.
        seed: SeedName,
        /// The cause, which names the glob or file.
        #[source]
        source: FilesError,
    },
    /// Two files of a container script would have the same path inside the image.
    #[error("failed to read seed \"{seed}\": two of its files are {name} inside the image")]
    SameFile {
        /// The seed.
        seed: SeedName,
        /// The path of the file, relative to the script's working directory.
        name: String,
    },
    /// The file of a `sql-file` seed is an archive, which psql can't read.
    #[error("seed \"{seed}\" of type sql-file can't run {}: it is an archive of pg_dump in {format} format", path.display())]
    Archive {
        /// The seed.
        seed: SeedName,
        /// The file, as the user wrote it.
        path: PathBuf,
        /// The format of the archive.
        format: ArchiveFormat,
    },
    /// The file of a `sql-file` seed has to be unpacked first.
    #[error("seed \"{seed}\" can't run {}: it is {format}", path.display())]
    Foreign {
        /// The seed.
        seed: SeedName,
        /// The file, as the user wrote it.
        path: PathBuf,
        /// The format of the file.
        format: ForeignFormat,
    },
    /// A dump can't be used.
    #[error("failed to read seed \"{seed}\"")]
    Dump {
        /// The seed.
        seed: SeedName,
        /// The cause.
        #[source]
        source: LoadDumpError,
    },
    /// A CSV file could not be read.
    #[error("failed to read seed \"{seed}\"")]
    Csv {
        /// The seed.
        seed: SeedName,
        /// The cause.
        #[source]
        source: CsvFileError,
    },
    /// A file of a git revision could not be read.
    #[error("failed to read seed \"{seed}\": {}", path.display())]
    Git {
        /// The seed.
        seed: SeedName,
        /// The file, as the user wrote it.
        path: PathBuf,
        /// The cause.
        #[source]
        source: GitError,
    },
    /// The program of the seed's cache key could not be started.
    #[error("failed to read seed \"{seed}\": can't start {program} of its cache key")]
    StartKey {
        /// The seed.
        seed: SeedName,
        /// The program, described for the user.
        program: String,
        /// What the user can do about the error, if anything.
        hint: Option<&'static str>,
        /// The underlying I/O error.
        #[source]
        source: std::io::Error,
    },
    /// The program of the seed's cache key failed.
    #[error("failed to read seed \"{seed}\": {program} of its cache key ended with {status}{}", quoted(message))]
    Key {
        /// The seed.
        seed: SeedName,
        /// The program, described for the user.
        program: String,
        /// The exit status of the program.
        status: ExitStatus,
        /// The end of its standard error, at most 4096 bytes.
        message: String,
    },
}

fn quoted(message: &str) -> String {
    let message = message.trim();
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// Reads everything that seeds point to, and runs the programs of their cache keys. Relative paths start from `folder`,
/// and programs run in it.
///
/// # Errors
/// Returns the error of the first seed, in their order, that can't be read.
pub async fn read(seeds: &IndexMap<SeedName, SeedSpec>, folder: &Path) -> Result<ReadSeeds, ReadError> {
    read_with(seeds, folder, &KnownHashes::default()).await
}

/// Reads seeds like [`read`], without reading large files whose hashes are known.
pub(crate) async fn read_with(
    seeds: &IndexMap<SeedName, SeedSpec>,
    folder: &Path,
    known: &KnownHashes,
) -> Result<ReadSeeds, ReadError> {
    let folder = std::path::absolute(folder).map_err(|source| ReadError::Folder { path: folder.to_owned(), source })?;
    let loading: Vec<_> = seeds.iter().map(|(name, spec)| Loader { name, folder: &folder, known }.load(spec)).collect();
    let loaded: Vec<_> = stream::iter(loading).buffered(AT_ONCE).collect().await;
    loaded.into_iter().collect::<Result<_, _>>().map(ReadSeeds::new)
}

/// The context in which one seed is read.
struct Loader<'a> {
    name: &'a SeedName,
    folder: &'a Path,
    known: &'a KnownHashes,
}

impl Loader<'_> {
    async fn load(self, spec: &SeedSpec) -> Result<ReadSeed, ReadError> {
        let body = match spec {
            SeedSpec::SqlFile { path, git_revision, files } => {
                let named =
                    files::hash(self.folder, files, self.known).await.map_err(|error| self.files_failed(error))?;
                let script = SqlScript::of_file(path, git_revision.as_ref(), self.folder, self.known).await;
                self.sql(script.map(|script| script.with_files(named)))?
            }
            SeedSpec::SqlStatement { statement } => self.sql(SqlScript::of_text(statement, self.folder).await)?,
            SeedSpec::Dump { path, options } => {
                let dump = Dump::load(path, options, self.folder, self.known).await;
                Body::Dump(dump.map_err(|source| ReadError::Dump { seed: self.seed(), source })?)
            }
            SeedSpec::CsvFile { path, table, delimiter } => {
                let file = CsvFile::read(self.folder.join(path), path.clone(), table.clone(), *delimiter).await;
                Body::Csv(file.map_err(|source| ReadError::Csv { seed: self.seed(), source })?)
            }
            SeedSpec::Script { script, files, cache } => Body::Program {
                program: self.program(ProgramText::Script(script.clone())),
                files: files::hash(self.folder, files, self.known).await.map_err(|source| self.files_failed(source))?,
                cache: self.cache_key(cache).await?,
            },
            SeedSpec::Command { command, arguments, files, cache } => Body::Program {
                program: self.program(ProgramText::Command { command: command.clone(), arguments: arguments.clone() }),
                files: files::hash(self.folder, files, self.known).await.map_err(|source| self.files_failed(source))?,
                cache: self.cache_key(cache).await?,
            },
            SeedSpec::ContainerScript { script, files } => {
                Body::ContainerScript { script: script.clone(), files: self.script_files(files).await? }
            }
        };
        Ok(ReadSeed::new(self.seed(), body))
    }

    fn seed(&self) -> SeedName {
        self.name.clone()
    }

    async fn read(&self, path: &Path) -> Result<Vec<u8>, ReadError> {
        let full = self.folder.join(path);
        let read = ociman::blocking::run(move || ociman::files::read(&full)).await;
        read.flatten().map_err(|source| ReadError::Open { seed: self.seed(), path: path.to_owned(), source })
    }

    async fn script_files(&self, globs: &[FileGlob]) -> Result<Vec<ScriptFile>, ReadError> {
        let found = files::find_on_a_thread(self.folder, globs).await.map_err(|source| self.files_failed(source))?;
        let mut files: Vec<ScriptFile> = Vec::new();
        for file in found {
            let name = name_inside(&file.name);
            if files.iter().any(|file| file.name == name) {
                return Err(ReadError::SameFile { seed: self.seed(), name });
            }
            files.push(ScriptFile { name, content: self.read(&file.name).await? });
        }
        Ok(files)
    }

    fn files_failed(&self, source: FilesError) -> ReadError {
        ReadError::Files { seed: self.seed(), source }
    }

    fn sql(&self, script: Result<SqlScript, LoadSqlError>) -> Result<Body, ReadError> {
        let seed = self.seed();
        script.map(Body::Sql).map_err(|error| match error {
            LoadSqlError::Open { path, source } => ReadError::Open { seed, path, source },
            LoadSqlError::Git { path, source } => ReadError::Git { seed, path, source },
            LoadSqlError::Archive { path, format } => ReadError::Archive { seed, path, format },
            LoadSqlError::Foreign { path, format } => ReadError::Foreign { seed, path, format },
        })
    }

    fn program(&self, text: ProgramText) -> Program {
        Program { text, folder: self.folder.to_owned() }
    }

    async fn cache_key(&self, cache: &CacheStrategy) -> Result<CacheKey, ReadError> {
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

    async fn output_hash(&self, program: Program) -> Result<CacheKey, ReadError> {
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
        let ended = child::run(program.command(), Input::Empty, |_| {}, take).await;
        let status = ended.map_err(|error| ReadError::StartKey {
            seed: self.seed(),
            program: program.started(),
            hint: program.hint(),
            source: error.into_source(),
        })?;
        if status.success() {
            return Ok(CacheKey::Output(output.finalize()));
        }
        let message = String::from_utf8_lossy(&message).into_owned();
        Err(ReadError::Key { seed: self.seed(), program: program.to_string(), status, message })
    }
}

/// Returns the path of a file, relative to the working directory of a container script. It is the path relative to the
/// configuration's folder; for a file outside of that folder, it is the file's name.
fn name_inside(path: &Path) -> String {
    let below: Option<PathBuf> = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| if let Component::Normal(name) = part { Some(name) } else { None })
        .collect();
    let name = below.or_else(|| path.file_name().map(PathBuf::from)).unwrap_or_default();
    name.to_string_lossy().into_owned()
}

impl ReadError {
    /// Returns what the user can do about the error, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Git { source, .. } => source.hint(),
            Self::Dump { source, .. } => source.hint(),
            Self::Archive { .. } => Some("use a seed with `type = \"dump\"`, which restores it with pg_restore"),
            Self::Foreign { .. } => Some(ForeignFormat::HINT),
            Self::Files { source, .. } => source.hint(),
            Self::StartKey { hint, .. } => *hint,
            Self::Csv { source: CsvFileError::Header { .. }, .. } => {
                Some("the first row names the columns, with the delimiter of the seed between them")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
