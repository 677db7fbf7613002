//! Checks that the configuration can be read, that it is valid, and that the files that it names exist.

use std::path::Path;

use super::backends::with_causes;
use super::finding::{Area, Finding, Level};
use crate::config::{Config, EffectiveInstance, LoadError, Overrides, UntrustedConfig};

pub(super) fn examine(path: Option<&Path>) -> (Option<Config>, Vec<Finding>) {
    let Some(path) = path else {
        let message = "there is no database.toml: the defaults hold";
        return (None, vec![Finding::new(Area::Configuration, "none", Level::Ok, message)]);
    };
    let subject = path.display().to_string();
    let finding = |level, message: String| Finding::new(Area::Configuration, subject.clone(), level, message);
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => {
            return (
                None,
                vec![finding(Level::Missing, first_line(&error)).advice("`pg-ephemeral config check` shows the place")],
            );
        }
    };
    let mut findings = Vec::new();
    let mut instances: Vec<EffectiveInstance> = Vec::new();
    for name in config.instances().keys() {
        match config.instance(name, &Overrides::default()) {
            Ok(instance) => instances.push(instance),
            Err(error) => findings.push(finding(Level::Missing, with_causes(&error))),
        }
    }
    for missing in instances.iter().flat_map(EffectiveInstance::missing_files) {
        findings.push(finding(Level::Missing, missing.to_string()).advice(missing.hint()));
    }
    if findings.is_empty() {
        let noun = if instances.len() == 1 { "instance" } else { "instances" };
        findings.push(finding(Level::Ok, format!("valid: {} {noun}", instances.len())));
    }
    (Some(config), findings)
}

/// Returns the finding for a configuration that is not trusted. Such a file is not read.
pub(super) fn refused(refused: &UntrustedConfig) -> Finding {
    let subject = refused.path.display().to_string();
    Finding::new(Area::Configuration, subject, Level::Missing, with_causes(refused)).advice(refused.hint())
}

/// Returns only the first line of the error, because a finding has one line and the error also shows the place in the
/// file.
fn first_line(error: &LoadError) -> String {
    with_causes(error).lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(text: &str) -> Vec<(Level, String)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("database.toml");
        std::fs::write(&path, text).unwrap();
        examine(Some(&path)).1.into_iter().map(|finding| (finding.level, finding.message)).collect()
    }

    #[test]
    fn a_configuration_is_reported_as_valid_as_broken_or_with_its_missing_files() {
        assert_eq!(levels("[instances.main]\n"), [(Level::Ok, "valid: 1 instance".to_owned())]);
        let broken = levels("imgae = 1\n");
        assert!(broken[0].0 == Level::Missing && broken[0].1.contains(":1:1: unknown key `imgae`"), "{broken:?}");
        let missing = levels("[instances.main.seeds.a]\ntype = \"sql-file\"\npath = \"nosuch.sql\"\n");
        assert_eq!(missing, [(Level::Missing, "seed a of main: no file nosuch.sql".to_owned())]);
        assert_eq!(examine(None).1[0].level, Level::Ok);
    }
}
