//! Parses the text of `database.toml` into a [`Config`]. The module `read_seed` reads the individual seeds.

use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use indexmap::IndexMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostics, Position, Problems};
use super::parsed::{Config, folder_of};
use super::problem::{Problem, TablePath};
use super::read_seed;
use super::reader::{Entry, Table, reason};
use super::settings::{BackendChoice, Durability, InstanceConfig, Settings};
use crate::model::seed::spec::SeedSpec;
use crate::model::{
    CacheRegistry, InstanceName, LocaleProvider, ParameterName, ParameterValue, Parameters, SeedName, SslConfig,
    sets_ssl,
};

/// The maximum of `wait_available_timeout`. A server that accepts no connections after this time never will.
const MAX_WAIT_AVAILABLE_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

impl Config {
    /// Parses the text of a configuration file. `path` is named in errors, and relative paths start from its folder.
    /// The file itself is not read.
    ///
    /// # Errors
    /// Returns all problems of the text with their positions. If the text is not valid TOML, only the syntax errors are
    /// reported.
    pub fn parse(text: &str, path: impl Into<PathBuf>) -> Result<Self, Diagnostics> {
        let path = path.into();
        let document = document(text, &path)?;
        let mut problems = Problems::default();
        let table = Table::new(document.get_ref(), 0..0, TablePath::default(), &mut problems);
        let read = top_level(text, table);
        problems.into_result(text, &path)?;

        let mut instances = read.instances;
        if instances.is_empty() {
            instances.insert(InstanceName::default(), InstanceConfig::default());
        }
        Ok(Self {
            folder: folder_of(&path),
            path: Some(path),
            backend: read.backend,
            cache_registry: read.cache_registry,
            default_instance: read.default_instance,
            defaults: read.defaults,
            instances,
        })
    }
}

/// Parses the text as TOML, without interpreting the keys.
fn document<'t>(text: &'t str, path: &Path) -> Result<Spanned<DeTable<'t>>, Diagnostics> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut problems = Problems::default();
    note_syntax_errors(text, &errors, &mut problems);
    problems.into_result(text, path)?;
    Ok(document)
}

/// Adds the errors of the TOML parser to the problems. The parser continues after an error, but further errors on the
/// same line are only consequences of the first one, so they are left out.
fn note_syntax_errors(text: &str, errors: &[toml::de::Error], problems: &mut Problems) {
    let mut places: Vec<(Range<usize>, &str)> =
        errors.iter().map(|error| (error.span().unwrap_or(text.len()..text.len()), error.message())).collect();
    places.sort_by_key(|(span, _)| span.start);
    places.dedup_by(|(later, _), (earlier, _)| {
        text.get(earlier.start..later.start).is_some_and(|between| !between.contains('\n'))
    });
    for (span, message) in places {
        let problem = match (message, text.get(span.clone())) {
            ("duplicate key", Some(key)) => Problem::DuplicateKey { key: key.to_owned() },
            _ => Problem::Syntax { message: message.to_owned() },
        };
        problems.add(span, problem);
    }
}

struct TopLevel {
    backend: Option<BackendChoice>,
    cache_registry: Option<CacheRegistry>,
    default_instance: Option<InstanceName>,
    defaults: Settings,
    instances: IndexMap<InstanceName, InstanceConfig>,
}

fn top_level(text: &str, mut table: Table<'_, '_>) -> TopLevel {
    let (defaults, ssl_parameters) = settings(text, &mut table);
    let backend = backend(&mut table);
    let cache_registry = table.parsed("cache_registry");
    let default_instance = table.take("default_instance");
    table.refuse("seeds", "seeds belong to an instance, as in [instances.main.seeds.schema]");

    let mut instances = IndexMap::new();
    let mut an_instance_has_ssl = false;
    for entry in named_tables(&mut table, "instances") {
        let path = TablePath::default().join("instances").join(entry.key);
        let name = name::<InstanceName>("instance", &entry, table.problems);
        let Some(table) = entry.table(path, table.problems) else {
            continue;
        };
        let (instance, has_ssl) = instance(text, table, defaults.ssl_config.is_some());
        an_instance_has_ssl |= has_ssl;
        if let Some(name) = name {
            instances.insert(name, instance);
        }
    }

    let default_instance = default_instance.and_then(|entry| default_among(&entry, &instances, table.problems));

    if defaults.ssl_config.is_some() || an_instance_has_ssl {
        refuse_ssl_parameters(&ssl_parameters, table.problems);
    }
    table.finish();
    TopLevel { backend, cache_registry, default_instance, defaults, instances }
}

/// Reads the default instance. It must be an instance of the file, or `main` if the file has no instances.
fn default_among(
    entry: &Entry<'_>,
    instances: &IndexMap<InstanceName, InstanceConfig>,
    problems: &mut Problems,
) -> Option<InstanceName> {
    let name = entry.string(problems)?;
    let main = InstanceName::main();
    let names = if instances.is_empty() { vec![&main] } else { instances.keys().collect() };
    let found = names.iter().find(|known| known.as_str() == name);
    if found.is_none() {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        problems.add(
            entry.span(),
            entry.bad_value(&format!("there is no such instance: {}", super::effective::listed(&names))),
        );
    }
    found.map(|&name| name.clone())
}

/// Reads one instance. Also returns `true` if it has an `ssl_config` of its own.
fn instance(text: &str, mut table: Table<'_, '_>, top_level_has_ssl: bool) -> (InstanceConfig, bool) {
    let (settings, ssl_parameters) = settings(text, &mut table);
    let has_ssl = settings.ssl_config.is_some();
    if has_ssl || top_level_has_ssl {
        refuse_ssl_parameters(&ssl_parameters, table.problems);
    }

    let mut seeds: IndexMap<SeedName, SeedSpec> = IndexMap::new();
    let seeds_path = table.path.join("seeds");
    for entry in named_tables(&mut table, "seeds") {
        let name = name::<SeedName>("seed", &entry, table.problems);
        let Some(table) = entry.table(seeds_path.join(entry.key), table.problems) else {
            continue;
        };
        if let (Some(name), Some(seed)) = (name, read_seed::seed(table)) {
            seeds.insert(name, seed);
        }
    }

    table.refuse("backend", "it is the same for all instances, so it belongs to the top level");
    table.refuse("default_instance", "it chooses among the instances, so it belongs to the top level");
    table.refuse("cache_registry", "it is the same for all instances, so it belongs to the top level");
    table.finish();
    (InstanceConfig { settings, seeds }, has_ssl)
}

/// Reads the settings that can be set both at the top level and in an instance. Also returns the entries of the `ssl*`
/// parameters.
fn settings<'t>(text: &str, table: &mut Table<'t, '_>) -> (Settings, Vec<Entry<'t>>) {
    let mut settings = Settings {
        image: table.parsed("image"),
        wait_available_timeout: timeout(table),
        durability: table.boolean("durability").map(Durability::from),
        superuser: table.parsed("superuser"),
        database: table.parsed("database"),
        locale: table.parsed("locale"),
        encoding: table.parsed("encoding"),
        locale_provider: locale_provider(table),
        icu_locale: table.parsed("icu_locale"),
        ssl_config: ssl_config(table),
        parameters: Parameters::default(),
    };
    let (parameters, ssl_parameters) = parameters(text, table);
    settings.parameters = parameters;
    (settings, ssl_parameters)
}

fn backend(table: &mut Table<'_, '_>) -> Option<BackendChoice> {
    table.choice("backend", &BackendChoice::NAMES)?.parse().ok()
}

fn locale_provider(table: &mut Table<'_, '_>) -> Option<LocaleProvider> {
    table.choice("locale_provider", &LocaleProvider::NAMES)?.parse().ok()
}

fn timeout(table: &mut Table<'_, '_>) -> Option<Duration> {
    let entry = table.take("wait_available_timeout")?;
    let DeValue::String(text) = entry.value.get_ref() else {
        table.problems.add(entry.span(), entry.wrong_type("a string such as \"30s\""));
        return None;
    };
    let problem = match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => entry.bad_value(&"it must be more than zero"),
        Ok(duration) if duration > MAX_WAIT_AVAILABLE_TIMEOUT => entry.bad_value(&"it must be at most a day"),
        Ok(duration) => return Some(duration),
        Err(error) => entry.bad_value(&reason(&error)),
    };
    table.problems.add(entry.span(), problem);
    None
}

fn ssl_config(table: &mut Table<'_, '_>) -> Option<SslConfig> {
    let path = table.path.join("ssl_config");
    let mut table = table.take("ssl_config")?.table(path, table.problems)?;
    let hostname = table.require_parsed("hostname");
    table.finish();
    Some(SslConfig { hostname: hostname? })
}

fn parameters<'t>(text: &str, table: &mut Table<'t, '_>) -> (Parameters, Vec<Entry<'t>>) {
    let mut parameters = Parameters::default();
    let mut ssl_parameters = Vec::new();
    let mut seen: Vec<(ParameterName, Entry<'t>)> = Vec::new();
    for entry in named_tables(table, "parameters") {
        let problems = &mut *table.problems;
        let name = name::<ParameterName>("parameter", &entry, problems);
        let value = parameter_value(&entry, problems);
        let Some(name) = name else { continue };
        if let Some((_, first)) = seen.iter().find(|(seen, _)| *seen == name) {
            let problem = Problem::DuplicateParameter {
                name: entry.key.to_owned(),
                first: first.key.to_owned(),
                first_line: Position::of(text, first.key_span.start).line,
            };
            problems.add(entry.key_span.clone(), problem);
            continue;
        }
        if sets_ssl(entry.key) {
            ssl_parameters.push(entry.clone());
        }
        seen.push((name.clone(), entry));
        if let Some(value) = value {
            parameters.insert(name, value);
        }
    }
    (parameters, ssl_parameters)
}

fn parameter_value(entry: &Entry<'_>, problems: &mut Problems) -> Option<ParameterValue> {
    let problem = match parameter_text(entry) {
        Ok(text) => match text.parse() {
            Ok(value) => return Some(value),
            Err(error) => entry.bad_value(&reason(&error)),
        },
        Err(problem) => problem,
    };
    problems.add(entry.span(), problem);
    None
}

/// Returns the value as the text that PostgreSQL accepts: numbers in decimal, booleans as `true` and `false`.
fn parameter_text(entry: &Entry<'_>) -> Result<String, Problem> {
    match entry.value.get_ref() {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Boolean(value) => Ok(value.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map(|value| value.to_string())
            .map_err(|_| entry.bad_value(&"it does not fit into 64 bits")),
        DeValue::Float(float) => match float.as_str().parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(float.as_str().to_owned()),
            _ => Err(entry.bad_value(&"it is not a finite number")),
        },
        DeValue::Table(table) if !table.is_empty() => {
            let rest = table.keys().next().map_or("", |key| key.get_ref());
            Err(Problem::DottedParameter { key: entry.key.to_owned(), name: format!("{}.{rest}", entry.key) })
        }
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            Err(entry.wrong_type("a string, a number or a boolean"))
        }
    }
}

fn refuse_ssl_parameters(entries: &[Entry<'_>], problems: &mut Problems) {
    for entry in entries {
        problems.add(entry.key_span.clone(), Problem::SslParameter { name: entry.key.to_owned() });
    }
}

/// Returns the entries of a table whose keys are names. The list is empty if the table is absent.
fn named_tables<'t>(table: &mut Table<'t, '_>, key: &'static str) -> Vec<Entry<'t>> {
    let path = table.path.join(key);
    let Some(entry) = table.take(key) else {
        return Vec::new();
    };
    entry.table(path, table.problems).map(|mut table| table.take_all()).unwrap_or_default()
}

/// Parses a key as a name.
fn name<T>(thing: &'static str, entry: &Entry<'_>, problems: &mut Problems) -> Option<T>
where
    T: FromStr<Err: Error>,
{
    match entry.key.parse() {
        Ok(name) => Some(name),
        Err(error) => {
            let problem = Problem::BadName { thing, name: entry.key.to_owned(), reason: reason(&error) };
            problems.add(entry.key_span.clone(), problem);
            None
        }
    }
}
