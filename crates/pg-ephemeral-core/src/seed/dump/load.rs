//! Reads a dump: its format, and the values that its key is computed from.

use std::io;
use std::path::{Path, PathBuf};

use crate::io::content::{Content, Stamp};
use crate::io::known_hashes::KnownHashes;
use crate::model::KeyHasher;
use crate::model::seed::spec::{DumpOptions, DumpOwner, DumpSection};
use crate::postgres::client::MirroredFile;
use crate::seed::archive::{self, ArchiveFormat, ForeignFormat};

/// A dump that can be restored.
#[derive(Debug, Clone)]
pub(crate) struct Dump {
    /// The path as the user wrote it.
    pub(crate) path: PathBuf,
    /// The folder that a relative path starts from.
    pub(crate) folder: PathBuf,
    pub(crate) form: DumpForm,
    pub(crate) options: DumpOptions,
    /// The hash of the file, or of the names and contents of a folder's files.
    pub(crate) hash: blake3::Hash,
    /// The files that were read, with their states at that time.
    stamps: Vec<(PathBuf, Stamp)>,
}

/// The form of a dump, with its content.
#[derive(Debug, Clone)]
pub(crate) enum DumpForm {
    /// A script for psql.
    Plain(Content),
    /// One file for pg_restore.
    Archive(Content, ArchiveFormat),
    /// A folder for pg_restore, with its files.
    Folder(Vec<MirroredFile>),
}

/// An error in a dump, or while reading it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadDumpError {
    /// The file or folder can't be read.
    #[error("failed to open {}", path.display())]
    Open {
        /// The file or folder.
        path: PathBuf,
        /// The underlying I/O error.
        #[source]
        source: io::Error,
    },
    /// The path is a folder that pg_dump did not write.
    #[error("{} is a folder without a file toc.dat, which pg_dump writes in directory format", path.display())]
    NoArchive {
        /// The folder.
        path: PathBuf,
    },
    /// The file is only a part of a dump in directory format.
    #[error("{} is the table of contents of a dump in directory format", path.display())]
    TableOfContents {
        /// The file.
        path: PathBuf,
    },
    /// The file has to be unpacked first.
    #[error("{} is {format}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The format.
        format: ForeignFormat,
    },
    /// The dump is a script for psql, and an option is set that only pg_restore supports.
    #[error("{} is a plain dump, and `{option}` is for what pg_restore reads", path.display())]
    PlainWithOption {
        /// The file.
        path: PathBuf,
        /// The name of the option.
        option: &'static str,
    },
    /// A tar archive can't be restored in parallel.
    #[error("{} is a tar archive: `jobs` is for the formats custom and directory", path.display())]
    TarWithJobs {
        /// The file.
        path: PathBuf,
    },
}

impl LoadDumpError {
    /// Returns what the user can do about the error, if anything.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::PlainWithOption { .. } => Some("leave the option out, or dump with `pg_dump --format=custom`"),
            Self::TarWithJobs { .. } => Some("leave `jobs` out, or dump with `pg_dump --format=custom`"),
            Self::TableOfContents { .. } => Some("set `path` to the folder that the file is in"),
            Self::Foreign { .. } => Some(ForeignFormat::HINT),
            Self::Open { .. } | Self::NoArchive { .. } => None,
        }
    }
}

impl Dump {
    /// Reads a dump and computes its hash. A relative path starts from `folder`, an absolute path.
    pub(crate) async fn load(
        path: &Path,
        options: &DumpOptions,
        folder: &Path,
        known: &KnownHashes,
    ) -> Result<Self, LoadDumpError> {
        let (path, folder, options, known) = (path.to_owned(), folder.to_owned(), options.clone(), known.clone());
        let shown = path.clone();
        let loaded = ociman::blocking::run(move || Self::read(path, options, folder, &known)).await;
        loaded.unwrap_or_else(|source| Err(LoadDumpError::Open { path: shown, source }))
    }

    fn read(path: PathBuf, options: DumpOptions, folder: PathBuf, known: &KnownHashes) -> Result<Self, LoadDumpError> {
        let full = folder.join(&path);
        let open = |source| LoadDumpError::Open { path: path.clone(), source };
        let mut stamps = Vec::new();
        let (form, hash) = if full.is_dir() {
            if ArchiveFormat::of_path(&full).map_err(open)?.is_none() {
                return Err(LoadDumpError::NoArchive { path });
            }
            read_folder(&full, &mut stamps, known).map_err(open)?
        } else {
            stamps.push((full.clone(), Stamp::of(&full).map_err(open)?));
            let (form, hash, foreign) = read_file(&full, known).map_err(open)?;
            if let Some(format) = foreign {
                return Err(LoadDumpError::Foreign { path, format });
            }
            (form, hash)
        };
        match &form {
            DumpForm::Plain(_) => {
                if let Some(option) = options.first_set() {
                    return Err(LoadDumpError::PlainWithOption { path, option });
                }
            }
            DumpForm::Archive(_, ArchiveFormat::Directory) => return Err(LoadDumpError::TableOfContents { path }),
            DumpForm::Archive(_, ArchiveFormat::Tar) if options.jobs.is_some() => {
                return Err(LoadDumpError::TarWithJobs { path });
            }
            DumpForm::Archive(..) | DumpForm::Folder(_) => {}
        }
        Ok(Self { path, folder, form, options, hash, stamps })
    }

    /// Adds everything that changes the dump's effect to a key. The number of jobs does not change it.
    pub(crate) fn add_to(&self, key: &mut KeyHasher) {
        key.hash("dump", &self.hash);
        key.text("owner", self.options.owner.unwrap_or_default().as_str());
        key.texts("sections", self.options.sections.iter().copied().map(DumpSection::as_str));
    }

    /// Returns the first file that has changed since it was read.
    pub(crate) fn changed_file(&self) -> Option<&Path> {
        let is_changed = |(path, stamp): &&(PathBuf, Stamp)| Stamp::of(path).ok().as_ref() != Some(stamp);
        self.stamps.iter().find(is_changed).map(|(path, _)| path.as_path())
    }

    /// Returns the options of pg_restore.
    pub(crate) fn restore_options(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.options.owner == Some(DumpOwner::Drop) {
            words.extend(["--no-owner", "--no-privileges"].map(str::to_owned));
        }
        words.extend(self.options.jobs.map(|jobs| format!("--jobs={jobs}")));
        words.extend(self.options.sections.iter().map(|section| format!("--section={}", section.as_str())));
        words
    }
}

fn read_file(path: &Path, known: &KnownHashes) -> io::Result<(DumpForm, blake3::Hash, Option<ForeignFormat>)> {
    let content = Content::file(path)?;
    let start = content.start(archive::START as u64)?;
    let hash = known.hash(path, || content.examine(|_| {}))?;
    let form = match ArchiveFormat::of_start(&start) {
        Some(format) => DumpForm::Archive(content, format),
        None => DumpForm::Plain(content),
    };
    Ok((form, hash, ForeignFormat::of_start(&start)))
}

fn read_folder(
    folder: &Path,
    stamps: &mut Vec<(PathBuf, Stamp)>,
    known: &KnownHashes,
) -> io::Result<(DumpForm, blake3::Hash)> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let mut key = KeyHasher::new("folder");
    let mut files = Vec::new();
    for path in paths {
        stamps.push((path.clone(), Stamp::of(&path)?));
        let content = Content::file_as_it_is(&path)?;
        key.text("name", &path.file_name().unwrap_or_default().to_string_lossy());
        key.hash("content", &known.hash(&path, || content.examine(|_| {}))?);
        files.push(MirroredFile { path, content });
    }
    Ok((DumpForm::Folder(files), key.finish()))
}
