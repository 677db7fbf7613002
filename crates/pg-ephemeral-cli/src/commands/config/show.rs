//! `config show`: prints the effective settings of an instance and the origin of each value.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use pg_ephemeral_core::choose::{ChoiceSource, effective_choice};
use pg_ephemeral_core::config::{Effective, EffectiveInstance, Origin};
use serde::Serialize;

use crate::args::{Format, Global};
use crate::commands::context::Context;
use crate::output::{Failure, print_json, print_line, print_table};

/// The output of `config show --format json`.
#[derive(Debug, Serialize)]
struct Shown {
    /// The instance.
    instance: String,
    /// The configuration file; `null` if there is none.
    file: Option<PathBuf>,
    /// The folder that relative paths start from.
    folder: PathBuf,
    /// The effective settings, by their keys in the configuration file.
    settings: IndexMap<&'static str, ShownValue>,
    /// The server parameters, by name.
    parameters: IndexMap<String, ShownValue>,
    /// The seeds, in order.
    seeds: Vec<ShownSeed>,
}

#[derive(Debug, Serialize)]
struct ShownValue {
    /// The value as text.
    value: String,
    /// `command line`, `instance`, `top level`, `default`, or the name of a variable or a file.
    origin: String,
}

#[derive(Debug, Serialize)]
struct ShownSeed {
    /// The name of the seed.
    name: String,
    /// The type of the seed.
    r#type: &'static str,
    /// The globs of the seed's `files`.
    files: Vec<String>,
}

pub(super) fn run(global: &Global) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let instance = context.instance()?;
    let shown = Shown {
        instance: instance.name.to_string(),
        file: context.config.path().map(Path::to_path_buf),
        folder: instance.folder.clone(),
        settings: settings(&instance)?,
        parameters: parameters(&instance),
        seeds: instance
            .seeds
            .iter()
            .map(|(name, spec)| ShownSeed {
                name: name.to_string(),
                r#type: spec.type_name(),
                files: spec.files().iter().map(ToString::to_string).collect(),
            })
            .collect(),
    };
    match global.format {
        Format::Json => print_json(&shown),
        _ => print_shown(&shown),
    }
}

fn settings(instance: &EffectiveInstance) -> Result<IndexMap<&'static str, ShownValue>, Failure> {
    let mut settings = IndexMap::new();
    settings.insert("image", value(&instance.image, ToString::to_string));
    settings.insert("backend", backend(instance)?);
    if let Some(registry) = &instance.cache_registry {
        settings.insert("cache_registry", value(registry, ToString::to_string));
    }
    let timeout = value(&instance.wait_available_timeout, |limit| humantime::format_duration(*limit).to_string());
    settings.insert("wait_available_timeout", timeout);
    settings.insert("durability", value(&instance.durability, |durability| bool::from(*durability).to_string()));
    settings.insert("superuser", value(&instance.superuser, ToString::to_string));
    settings.insert("database", value(&instance.database, ToString::to_string));
    settings.insert("locale", value(&instance.locale, ToString::to_string));
    settings.insert("encoding", value(&instance.encoding, ToString::to_string));
    settings.insert("locale_provider", value(&instance.locale_provider, ToString::to_string));
    if let Some(icu_locale) = &instance.icu_locale {
        settings.insert("icu_locale", value(icu_locale, ToString::to_string));
    }
    if let Some(ssl) = &instance.ssl_config {
        settings.insert("ssl_config.hostname", value(ssl, |ssl| ssl.hostname.to_string()));
    }
    Ok(settings)
}

fn value<T>(effective: &Effective<T>, text: impl FnOnce(&T) -> String) -> ShownValue {
    ShownValue { value: text(&effective.value), origin: effective.origin.to_string() }
}

/// Returns the backend and its origin. Unlike other settings, the backend can also come from an environment variable,
/// which ranks between the command line and the configuration file, and from the user's `ociman.toml`, which ranks
/// after the configuration file.
fn backend(instance: &EffectiveInstance) -> Result<ShownValue, Failure> {
    if instance.backend.origin == Origin::CommandLine {
        return Ok(value(&instance.backend, ToString::to_string));
    }
    let (choice, source) = effective_choice(None, instance.backend.value)?;
    let origin = match source {
        ChoiceSource::Caller | ChoiceSource::Configuration => instance.backend.origin.to_string(),
        ChoiceSource::Environment => ociman::BACKEND_VARIABLE.to_owned(),
        ChoiceSource::UserConfig(path) => path.display().to_string(),
        ChoiceSource::Automatic => Origin::Default.to_string(),
    };
    Ok(ShownValue { value: choice.to_string(), origin })
}

fn parameters(instance: &EffectiveInstance) -> IndexMap<String, ShownValue> {
    let parameters = instance.parameters.iter();
    let shown =
        parameters.map(|(name, effective)| (name.to_string(), value(effective, |value| value.as_str().to_owned())));
    let mut shown: IndexMap<String, ShownValue> = shown.collect();
    shown.sort_unstable_keys();
    shown
}

fn print_shown(shown: &Shown) -> Result<(), Failure> {
    let file = shown.file.as_ref().map_or("none".to_owned(), |file| file.display().to_string());
    print_line(&format!("instance {}, configuration {file}", shown.instance))?;
    let settings = shown.settings.iter().map(|(key, shown)| row((*key).to_owned(), shown));
    let parameters = shown.parameters.iter().map(|(name, shown)| row(format!("parameters.{name}"), shown));
    print_table(["KEY", "VALUE", "FROM"], settings.chain(parameters))?;
    for (index, seed) in shown.seeds.iter().enumerate() {
        let files = if seed.files.is_empty() { String::new() } else { format!(", files {}", seed.files.join(" ")) };
        print_line(&format!("seed {}: {} ({}){files}", index + 1, seed.name, seed.r#type))?;
    }
    Ok(())
}

fn row(key: String, shown: &ShownValue) -> [String; 3] {
    [key, shown.value.clone(), shown.origin.clone()]
}
