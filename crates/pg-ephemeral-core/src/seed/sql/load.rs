//! Reads a script and the files that it includes.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use super::scan::{Purpose, Reference, Scan, Start};
use super::source::SqlSource;
use crate::io::content::{Content, Stamp};
use crate::io::known_hashes::{KnownContent, KnownHashes};
use crate::model::seed::spec::GitRevision;
use crate::postgres::client::MirroredFile;
use crate::seed::archive::{self, ArchiveFormat, ForeignFormat};
use crate::seed::files::HashedFile;
use crate::seed::git::{self, GitError};

/// A script for psql.
#[derive(Debug, Clone)]
pub(crate) struct SqlScript {
    pub(crate) source: SqlSource,
    pub(crate) content: Content,
    /// The working directory of psql.
    pub(crate) folder: PathBuf,
    pub(crate) hash: blake3::Hash,
    /// The state of the script's file when it was read.
    stamp: Option<Stamp>,
    pub(crate) includes: Vec<Include>,
}

/// A file that a script names.
#[derive(Debug, Clone)]
pub(crate) struct Include {
    /// The path as the scripts name it, absolute or relative to the working directory of psql.
    pub(crate) name: PathBuf,
    pub(crate) file: MirroredFile,
    pub(crate) hash: blake3::Hash,
    stamp: Option<Stamp>,
}

/// An error while reading a script.
#[derive(Debug)]
pub(crate) enum LoadSqlError {
    /// The file, by the path that the user gave, can't be read.
    Open { path: PathBuf, source: io::Error },
    /// git can't read the file.
    Git { path: PathBuf, source: GitError },
    /// The file is an archive that only pg_restore can read.
    Archive { path: PathBuf, format: ArchiveFormat },
    /// The file has to be unpacked first.
    Foreign { path: PathBuf, format: ForeignFormat },
}

/// The place that files are read from.
#[derive(Debug, Clone, Copy)]
enum Origin<'a> {
    WorkingTree,
    Revision(&'a GitRevision),
}

/// A script or file that was read: its content, and the files that it names.
struct Examined {
    content: Content,
    hash: blake3::Hash,
    stamp: Option<Stamp>,
    references: Vec<Reference>,
    archive: Option<ArchiveFormat>,
    foreign: Option<ForeignFormat>,
}

impl SqlScript {
    /// Creates a script from a text. Files that it includes are looked for from `folder`, an absolute path.
    pub(crate) async fn of_text(text: &str, folder: &Path) -> Result<Self, LoadSqlError> {
        let failed = |source| LoadSqlError::Open { path: PathBuf::new(), source };
        let examined = examine(Content::text(text)).await.map_err(failed)?;
        Self::assemble(SqlSource::Statement, examined, Path::new(""), folder, Origin::WorkingTree).await
    }

    /// Reads a script from a file, or from a file of a git revision. A relative path starts from `folder`, an absolute
    /// path.
    pub(crate) async fn of_file(
        path: &Path,
        revision: Option<&GitRevision>,
        folder: &Path,
        known: &KnownHashes,
    ) -> Result<Self, LoadSqlError> {
        let (origin, source) = match revision {
            None => (Origin::WorkingTree, SqlSource::File(path.to_owned())),
            Some(revision) => {
                (Origin::Revision(revision), SqlSource::Revision { revision: revision.clone(), path: path.to_owned() })
            }
        };
        let full = folder.join(path);
        let examined = match origin {
            Origin::WorkingTree => {
                if let Ok(Some(format @ ArchiveFormat::Directory)) = ArchiveFormat::of_path(&full) {
                    return Err(LoadSqlError::Archive { path: path.to_owned(), format });
                }
                let opened = blocking(move || Content::file(&full)).await;
                match opened {
                    Ok(content) => examine_known(content, known).await,
                    Err(error) => Err(error),
                }
            }
            Origin::Revision(revision) => {
                let file = git::file(&full, revision).await;
                let file = file.map_err(|source| LoadSqlError::Git { path: path.to_owned(), source })?;
                match Content::unnamed(file) {
                    Ok(content) => examine(content).await,
                    Err(error) => Err(error),
                }
            }
        };
        let examined = examined.map_err(|source| LoadSqlError::Open { path: path.to_owned(), source })?;
        if let Some(format) = examined.archive {
            return Err(LoadSqlError::Archive { path: path.to_owned(), format });
        }
        if let Some(format) = examined.foreign {
            return Err(LoadSqlError::Foreign { path: path.to_owned(), format });
        }
        Self::assemble(source, examined, path, folder, origin).await
    }

    async fn assemble(
        source: SqlSource,
        main: Examined,
        path: &Path,
        folder: &Path,
        origin: Origin<'_>,
    ) -> Result<Self, LoadSqlError> {
        let includes = includes(main.references, path, folder, origin).await?;
        Ok(Self {
            source,
            content: main.content,
            folder: folder.to_owned(),
            hash: main.hash,
            stamp: main.stamp,
            includes,
        })
    }

    /// Creates a script without reading any file.
    #[cfg(test)]
    pub(crate) fn of_content(source: SqlSource, text: &str) -> Self {
        let hash = blake3::hash(text.as_bytes());
        let folder = PathBuf::from("/project");
        Self { source, content: Content::text(text), folder, hash, stamp: None, includes: Vec::new() }
    }

    /// Adds files that the script reads, except for those that it has already.
    pub(crate) fn with_files(mut self, files: Vec<HashedFile>) -> Self {
        for HashedFile { name, path, hash } in files {
            if self.includes.iter().any(|include| include.file.path == path) {
                continue;
            }
            let stamp = Stamp::of(&path).ok();
            let content = Content::of_plain_file(path.clone());
            self.includes.push(Include { name, file: MirroredFile { path, content }, hash, stamp });
        }
        self
    }

    /// Returns the first file that has changed since it was read.
    pub(crate) fn changed_file(&self) -> Option<PathBuf> {
        let is_changed = |content: &Content, stamp: &Option<Stamp>| content.stamp().ok().as_ref() != Some(stamp);
        if is_changed(&self.content, &self.stamp) {
            return self.source.path().map(Path::to_owned);
        }
        let changed = self.includes.iter().find(|include| is_changed(&include.file.content, &include.stamp));
        changed.map(|include| include.name.clone())
    }
}

/// Reads the files that a script at `path` names, and the files that those name. A missing file is left out; psql
/// reports it if it gets to that place.
async fn includes(
    references: Vec<Reference>,
    path: &Path,
    folder: &Path,
    origin: Origin<'_>,
) -> Result<Vec<Include>, LoadSqlError> {
    let mut includes = Vec::new();
    let mut seen = BTreeSet::new();
    let mut queue: VecDeque<_> = named(references, path).collect();
    while let Some((name, purpose)) = queue.pop_front() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let full = folder.join(&name);
        let content = match origin {
            Origin::WorkingTree => {
                let full = full.clone();
                blocking(move || Content::file_as_it_is(&full)).await.ok()
            }
            Origin::Revision(revision) => match git::file(&full, revision).await {
                Ok(file) => Some(Content::unnamed_as_it_is(file)),
                Err(error @ (GitError::Start(_) | GitError::Temporary(_))) => {
                    return Err(LoadSqlError::Git { path: name, source: error });
                }
                Err(_) => None,
            },
        };
        let Some(content) = content else { continue };
        let examined = match examine(content).await {
            Ok(examined) => examined,
            Err(source) => return Err(LoadSqlError::Open { path: name, source }),
        };
        if purpose == Purpose::Run {
            queue.extend(named(examined.references, &name));
        }
        let file = MirroredFile { path: full, content: examined.content };
        includes.push(Include { name, file, hash: examined.hash, stamp: examined.stamp });
    }
    Ok(includes)
}

/// Returns the files that a script at `script` names, by their paths from the working directory of psql.
fn named(references: Vec<Reference>, script: &Path) -> impl Iterator<Item = (PathBuf, Purpose)> + use<> {
    let script_folder = script.parent().unwrap_or(Path::new("")).to_owned();
    references.into_iter().map(move |reference| {
        let name = match reference.start {
            Start::WorkingDirectory => reference.path,
            Start::Script => script_folder.join(reference.path),
        };
        (name, reference.purpose)
    })
}

/// Returns the commands of a script at `path`, and of the files that it includes, whose file is only known when psql
/// runs. Files that can't be read are skipped. This function blocks.
pub(crate) fn unknown_includes(script: Content, path: &Path, folder: &Path) -> Vec<String> {
    let mut unknown = Vec::new();
    let mut seen = BTreeSet::new();
    let mut queue = VecDeque::from([(script, path.to_owned())]);
    while let Some((content, path)) = queue.pop_front() {
        let mut scan = Scan::default();
        if content.examine(|piece| scan.take(piece)).is_err() {
            continue;
        }
        let found = scan.finish();
        unknown.extend(found.unknown);
        for (name, _) in named(found.references, &path).filter(|(_, purpose)| *purpose == Purpose::Run) {
            if seen.insert(name.clone())
                && let Ok(content) = Content::file_as_it_is(&folder.join(&name))
            {
                queue.push_back((content, name));
            }
        }
    }
    unknown
}

/// Examines a script like [`examine`], without reading a large script that is known to name no files.
async fn examine_known(content: Content, known: &KnownHashes) -> io::Result<Examined> {
    let Some((path, stamp)) = content.path().map(Path::to_owned).zip(content.stamp()?) else {
        return examine(content).await;
    };
    if let Some(KnownContent { hash, names_no_files: true }) = known.find(&path, &stamp) {
        return blocking(move || {
            let start = content.start(archive::START as u64)?;
            let (archive, foreign) = (ArchiveFormat::of_start(&start), ForeignFormat::of_start(&start));
            Ok(Examined { content, hash, stamp: Some(stamp), references: Vec::new(), archive, foreign })
        })
        .await;
    }
    let examined = examine(content).await?;
    if examined.references.is_empty() {
        known.remember(&path, &stamp, KnownContent { hash: examined.hash, names_no_files: true });
    }
    Ok(examined)
}

async fn examine(content: Content) -> io::Result<Examined> {
    blocking(move || {
        // The stamp is taken first: if the file changes from here on, its stamp is another one after the script has
        // run.
        let stamp = content.stamp()?;
        let mut scan = Scan::default();
        let mut start = Vec::new();
        let hash = content.examine(|piece| {
            let missing = archive::START.saturating_sub(start.len());
            start.extend_from_slice(&piece[..missing.min(piece.len())]);
            scan.take(piece);
        })?;
        let archive = ArchiveFormat::of_start(&start);
        let foreign = ForeignFormat::of_start(&start);
        Ok(Examined { content, hash, stamp, references: scan.finish().references, archive, foreign })
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    ociman::blocking::run(work).await?
}
