//! `config check`: reads the configuration and looks for the files of its seeds.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use pg_ephemeral_core::config::{EffectiveInstance, MissingFile};
use pg_ephemeral_core::seed::UnkeyedFiles;
use serde::Serialize;

use crate::args::{Format, Global};
use crate::commands::context::Context;
use crate::output::{Failure, print_json, print_line, warn};

/// The output of `config check --format json`.
#[derive(Debug, Serialize)]
struct Checked {
    /// The configuration file; `null` if there is none.
    file: Option<PathBuf>,
    /// The instances, in the order of the file.
    instances: Vec<CheckedInstance>,
    /// Settings that are valid but likely a mistake.
    warnings: Vec<Warning>,
}

#[derive(Debug, Serialize)]
struct CheckedInstance {
    /// The name of the instance.
    name: String,
    /// The number of its seeds.
    seeds: usize,
}

/// The warning that a seed names files that its cache key does not cover.
#[derive(Debug, Serialize)]
struct Warning {
    /// The instance.
    instance: String,
    /// The seed.
    seed: String,
    /// The files, folders and globs that the seed names.
    named: Vec<String>,
    /// The warning, as a sentence.
    message: String,
    /// The line that the seed needs in `database.toml`, if known.
    line: Option<String>,
}

impl From<&UnkeyedFiles> for Warning {
    fn from(unkeyed: &UnkeyedFiles) -> Self {
        Self {
            instance: unkeyed.instance.to_string(),
            seed: unkeyed.seed.to_string(),
            named: unkeyed.named.clone(),
            message: unkeyed.to_string(),
            line: unkeyed.line(),
        }
    }
}

pub(super) fn run(global: &Global) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let instances = context.instances()?;
    let missing: Vec<MissingFile> = instances.iter().flat_map(EffectiveInstance::missing_files).collect();
    if !missing.is_empty() {
        let lines: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let mut hints: Vec<&str> = missing.iter().map(MissingFile::hint).collect();
        let mut told = HashSet::new();
        hints.retain(|hint| told.insert(*hint));
        return Err(Failure::message(lines.join("; "), hints.join("; ")));
    }
    let unkeyed: Vec<UnkeyedFiles> = instances.iter().flat_map(EffectiveInstance::unkeyed_files).collect();
    let checked = Checked {
        file: context.config.path().map(Path::to_path_buf),
        instances: instances
            .iter()
            .map(|instance| CheckedInstance { name: instance.name.to_string(), seeds: instance.seeds.len() })
            .collect(),
        warnings: unkeyed.iter().map(Warning::from).collect(),
    };
    if global.format == Format::Json {
        return print_json(&checked);
    }
    match &checked.file {
        Some(file) => print_line(&format!("{}: valid", file.display()))?,
        None => print_line("no database.toml: the defaults hold")?,
    }
    for instance in &checked.instances {
        let noun = if instance.seeds == 1 { "seed" } else { "seeds" };
        print_line(&format!("{}: {} {noun}", instance.name, instance.seeds))?;
    }
    if !global.quiet {
        unkeyed.iter().for_each(|unkeyed| warn(&unkeyed.to_string(), &unkeyed.hint()));
    }
    Ok(())
}
