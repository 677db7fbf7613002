//! Finds the files and programs that an instance's seeds need and that do not exist, so that a configuration can be
//! checked before it is used. No other module of `config` looks at the files that a configuration names.

use std::fmt;
use std::path::{Path, PathBuf};

use super::EffectiveInstance;
use crate::model::seed::spec::{CacheStrategy, FileGlob, SeedSpec};
use crate::model::{InstanceName, SeedName};
use crate::seed::{COMMAND_HINT, FilesError, UnkeyedFiles, find_files, names_program_with_arguments, unkeyed_files};

/// A file or a program that a seed needs and that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingFile {
    /// The instance.
    pub instance: InstanceName,
    /// The seed.
    pub seed: SeedName,
    /// The file, the glob or the program, as the configuration names it.
    pub path: PathBuf,
    /// The reason why it counts as missing.
    pub kind: MissingKind,
}

/// The reason why a file or a program counts as missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissingKind {
    /// The file does not exist.
    File,
    /// The path of the file is that of a folder.
    FileIsFolder,
    /// The glob matches no file.
    Glob,
    /// The glob matches no file because it names a folder.
    GlobIsFolder,
    /// The program does not exist, because its name also contains its arguments.
    Command,
}

impl fmt::Display for MissingFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, seed, path, kind } = self;
        let path = path.display();
        write!(formatter, "seed {seed} of {instance}: ")?;
        match kind {
            MissingKind::File => write!(formatter, "no file {path}"),
            MissingKind::FileIsFolder => write!(formatter, "{path} is a folder, not a file"),
            MissingKind::Glob | MissingKind::GlobIsFolder => write!(formatter, "no file matches {path}"),
            MissingKind::Command => write!(formatter, "no program \"{path}\""),
        }
    }
}

impl MissingFile {
    /// Returns what the user can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.kind {
            MissingKind::File | MissingKind::Glob => "paths start from the folder of the configuration",
            MissingKind::FileIsFolder => "name a file in it; a folder that pg_dump wrote is for a seed of type dump",
            MissingKind::GlobIsFolder => FilesError::FOLDER_HINT,
            MissingKind::Command => COMMAND_HINT,
        }
    }
}

impl EffectiveInstance {
    /// Returns the files of the working tree that seeds name and that do not exist, the globs that match no file, and
    /// the commands that contain arguments. Files of a git revision and files that programs read are not checked.
    #[must_use]
    pub fn missing_files(&self) -> Vec<MissingFile> {
        let missing = |(seed, spec): (&SeedName, &SeedSpec)| {
            let globs = spec.files().iter().filter_map(|glob| missing_glob(glob, &self.folder));
            let missing = missing_file(spec, &self.folder).into_iter().chain(globs);
            let missing = missing.chain(missing_commands(spec, &self.folder));
            missing.map(move |(path, kind)| self.missing(seed, path, kind)).collect::<Vec<_>>()
        };
        self.seeds.iter().flat_map(missing).collect()
    }

    /// Returns the files of the project that scripts and commands name and that are not part of a layer's key.
    #[must_use]
    pub fn unkeyed_files(&self) -> Vec<UnkeyedFiles> {
        unkeyed_files(&self.name, &self.seeds, &self.folder)
    }

    fn missing(&self, seed: &SeedName, path: &Path, kind: MissingKind) -> MissingFile {
        MissingFile { instance: self.name.clone(), seed: seed.clone(), path: path.to_owned(), kind }
    }
}

fn missing_file<'a>(spec: &'a SeedSpec, folder: &Path) -> Option<(&'a Path, MissingKind)> {
    let (path, may_be_folder) = match spec {
        SeedSpec::SqlFile { path, git_revision: None, .. } | SeedSpec::CsvFile { path, .. } => (path, false),
        SeedSpec::Dump { path, .. } => (path, true),
        _ => return None,
    };
    let full = folder.join(path);
    let kind = match full.is_dir() {
        true if may_be_folder => return None,
        true => MissingKind::FileIsFolder,
        false if full.exists() => return None,
        false => MissingKind::File,
    };
    Some((path, kind))
}

fn missing_glob<'a>(glob: &'a FileGlob, folder: &Path) -> Option<(&'a Path, MissingKind)> {
    let kind = match find_files(folder, std::slice::from_ref(glob)) {
        Ok(_) => return None,
        Err(FilesError::NoMatch { is_folder: true, .. }) => MissingKind::GlobIsFolder,
        Err(_) => MissingKind::Glob,
    };
    Some((Path::new(glob.as_str()), kind))
}

fn missing_commands<'a>(spec: &'a SeedSpec, folder: &Path) -> impl Iterator<Item = (&'a Path, MissingKind)> {
    let (command, cache) = match spec {
        SeedSpec::Command { command, cache, .. } => (Some(command), Some(cache)),
        SeedSpec::Script { cache, .. } => (None, Some(cache)),
        _ => (None, None),
    };
    let key_command = cache.and_then(|cache| match cache {
        CacheStrategy::KeyCommand { command, .. } => Some(command),
        _ => None,
    });
    let commands = command.into_iter().chain(key_command);
    let missing = commands.filter(|command| names_program_with_arguments(command, folder));
    missing.map(|command| (Path::new(command), MissingKind::Command)).collect::<Vec<_>>().into_iter()
}
