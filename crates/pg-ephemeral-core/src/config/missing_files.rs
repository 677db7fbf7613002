//! Which files an instance's seeds need and do not find. The one thing here that looks beside the configuration, for
//! those who check one before they use it.

use std::fmt;
use std::path::PathBuf;

use super::EffectiveInstance;
use crate::instance::{InstanceName, SeedName};
use crate::seed::spec::SeedSpec;

/// A file that a seed needs and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingFile {
    /// The instance.
    pub instance: InstanceName,
    /// The seed.
    pub seed: SeedName,
    /// The file, as the configuration names it.
    pub path: PathBuf,
}

impl fmt::Display for MissingFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "seed {} of {}: no file {}", self.seed, self.instance, self.path.display())
    }
}

impl EffectiveInstance {
    /// The files of the working tree that seeds name and that are not there. Files of a git revision, and what programs
    /// need, are not looked for.
    #[must_use]
    pub fn missing_files(&self) -> Vec<MissingFile> {
        let files = self.seeds.iter().flat_map(|(seed, spec)| files(spec).iter().map(move |path| (seed, path)));
        let missing = files.filter(|(_, path)| !self.folder.join(path).is_file());
        missing
            .map(|(seed, path)| MissingFile { instance: self.name.clone(), seed: seed.clone(), path: path.to_owned() })
            .collect()
    }
}

fn files(spec: &SeedSpec) -> &[PathBuf] {
    match spec {
        SeedSpec::SqlFile { path, git_revision: None } | SeedSpec::CsvFile { path, .. } => std::slice::from_ref(path),
        SeedSpec::ContainerScript { files, .. } => files,
        _ => &[],
    }
}
