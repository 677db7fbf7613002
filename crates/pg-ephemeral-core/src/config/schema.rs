//! The JSON Schema of `database.toml`, for editors that complete and check the file during typing.
//!
//! The schema can't express all rules: [`Config::parse`](super::Config::parse) decides what is valid.

use serde_json::{Map, Value, json};

use super::{BackendChoice, DEFAULT_WAIT_AVAILABLE_TIMEOUT, Encoding, Locale, LocaleProvider};
use crate::model::seed::spec::{DumpOwner, DumpSection, Identifier};

/// Returns the schema (JSON Schema draft 2020-12).
#[must_use]
pub fn schema() -> Value {
    let mut properties = settings();
    properties.insert(
        "backend".to_owned(),
        json!({
            "description": "The backend that runs servers. It is the same for all instances.",
            "enum": BackendChoice::NAMES,
            "default": BackendChoice::default().as_str(),
        }),
    );
    properties.insert(
        "cache_registry".to_owned(),
        text("Where `cache push` and `cache pull` keep layers: a registry, and a path in it."),
    );
    properties.insert(
        "default_instance".to_owned(),
        json!({
            "description": "The instance to use unless --instance or PG_EPHEMERAL_INSTANCE names another one. If it is not set, `main` is used, or the only instance.",
            "$ref": "#/$defs/name",
        }),
    );
    properties.insert(
        "instances".to_owned(),
        json!({
            "description": "Instances: named PostgreSQL set-ups.",
            "type": "object",
            "propertyNames": { "$ref": "#/$defs/name" },
            "additionalProperties": { "$ref": "#/$defs/instance" },
        }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "database.toml",
        "description": "Configuration of pg-ephemeral: temporary PostgreSQL servers.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "$defs": definitions(),
    })
}

/// Returns the properties that the top level and an instance have in common.
fn settings() -> Map<String, Value> {
    let timeout = humantime::format_duration(DEFAULT_WAIT_AVAILABLE_TIMEOUT).to_string();
    let entries = [
        ("image", text("A version of the official PostgreSQL image, such as 17, or a full image reference.")),
        (
            "wait_available_timeout",
            json!({
                "description": "The time within which a server must accept connections: more than zero, at most a day.",
                "type": "string",
                "default": timeout,
                "examples": ["30s", "1m 30s"],
            }),
        ),
        (
            "durability",
            json!({
                "description": "With false, servers are faster: fsync, synchronous_commit and full_page_writes are off.",
                "type": "boolean",
                "default": false,
            }),
        ),
        ("superuser", identifier("The role everything connects as.", Some("postgres"))),
        ("database", identifier("The database everything connects to.", Some("postgres"))),
        (
            "locale",
            name_for_initdb(
                "How text is sorted: a locale of the operating system; with the provider builtin C, C.UTF-8 or PG_UNICODE_FAST.",
                "_.@+-",
                Some(Locale::default().as_str()),
            ),
        ),
        ("encoding", name_for_initdb("The encoding of text.", "_-", Some(Encoding::default().as_str()))),
        (
            "locale_provider",
            json!({
                "description": "The provider that sorts text: the C library, ICU (PostgreSQL 15 and newer) or PostgreSQL itself (17 and newer).",
                "enum": LocaleProvider::NAMES,
                "default": LocaleProvider::default().as_str(),
            }),
        ),
        ("icu_locale", name_for_initdb("The locale that ICU sorts by, such as de-AT or en-u-kn-true.", "_@=-", None)),
        ("ssl_config", json!({ "$ref": "#/$defs/ssl_config" })),
        ("parameters", json!({ "$ref": "#/$defs/parameters" })),
    ];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn definitions() -> Value {
    let mut instance = settings();
    instance.insert(
        "seeds".to_owned(),
        json!({
            "description": "Named steps that load schema or data. They run in the order of the file.",
            "type": "object",
            "propertyNames": { "$ref": "#/$defs/name" },
            "additionalProperties": { "$ref": "#/$defs/seed" },
        }),
    );
    json!({
        "name": {
            "description": "Lower-case ASCII letters, digits and inner dashes.",
            "type": "string",
            "maxLength": 63,
            "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        },
        "instance": { "type": "object", "properties": instance, "additionalProperties": false },
        "ssl_config": table(
            "Servers speak SSL with a certificate of their own.",
            json!({ "hostname": text("The DNS name or IP address the certificate is made for.") }),
            &["hostname"],
        ),
        "parameters": {
            "description": "Server parameters, as in postgresql.conf. Quote a name that contains a dot.",
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_.]*$" },
            "additionalProperties": { "type": ["string", "integer", "number", "boolean"] },
        },
        "arguments": { "type": "array", "items": { "type": "string" }, "default": [] },
        "seed": { "type": "object", "required": ["type"], "oneOf": seeds() },
        "cache": { "type": "object", "required": ["type"], "oneOf": cache_strategies() },
    })
}

fn seeds() -> Value {
    let path = text("A file, relative to this file's folder.");
    let arguments = json!({ "$ref": "#/$defs/arguments" });
    let cache = json!({ "$ref": "#/$defs/cache" });
    let csv_table = table(
        "The table that takes the rows.",
        json!({
            "schema": identifier("The table's schema.", None),
            "table": identifier("The table's name.", None),
        }),
        &["schema", "table"],
    );
    let delimiter = json!({
        "description": "One ASCII character, not a quote or a line end.",
        "type": "string",
        "pattern": "^[\\x01-\\x09\\x0b\\x0c\\x0e-\\x21\\x23-\\x7f]$",
        "default": ",",
    });
    let files = globs("Globs from this file's folder. The names and contents of the files they match join the key.");
    let sql_files = globs(
        "More files that the script reads, as globs from this file's folder: those that only a variable names. Their names and contents join the key.",
    );
    let script_files = globs("Globs from this file's folder. It finds the files they match in its working directory.");
    json!([
        variant(
            "sql-file",
            "A script for psql, run as psql -X -v ON_ERROR_STOP=1 -f; it may be compressed by gzip or zstd.",
            json!({
                "path": &path,
                "git_revision": text("Take the file, and those that it includes, from this git revision."),
                "files": sql_files,
            }),
            &["path"],
        ),
        variant(
            "sql-statement",
            "A script for psql, written in this file.",
            json!({ "statement": text("One or more statements, with psql's own commands if need be.") }),
            &["statement"],
        ),
        variant(
            "dump",
            "What pg_dump or pg_dumpall wrote, in any format; a file may be compressed by gzip or zstd.",
            json!({
                "path": text("A file, or the folder of a dump in directory format, relative to this file's folder."),
                "jobs": {
                    "description": "The number of connections that restore at the same time. Only for the formats custom and directory.",
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 65535,
                },
                "owner": {
                    "description": "keep: owners and privileges are restored, and every role that they name must exist. drop: they are left out, and the superuser owns everything. Not for plain dumps.",
                    "enum": DumpOwner::NAMES,
                    "default": DumpOwner::default().as_str(),
                },
                "sections": {
                    "description": "The sections to restore. If it is not set or empty, all sections are restored. Not for plain dumps.",
                    "type": "array",
                    "items": { "enum": DumpSection::ALL.map(DumpSection::as_str) },
                    "default": [],
                },
            }),
            &["path"],
        ),
        variant(
            "csv-file",
            "A CSV file whose first row names the columns.",
            json!({ "path": &path, "table": csv_table, "delimiter": delimiter }),
            &["path", "table"],
        ),
        variant(
            "script",
            "A script run on this machine by sh -e -c.",
            json!({ "script": text("The script."), "files": &files, "cache": &cache }),
            &["script"],
        ),
        variant(
            "command",
            "A program run on this machine.",
            json!({ "command": text("The program."), "arguments": &arguments, "files": &files, "cache": &cache }),
            &["command"],
        ),
        variant(
            "container-script",
            "A script run inside the image while PostgreSQL is not running.",
            json!({ "script": text("The script."), "files": script_files }),
            &["script"],
        ),
    ])
}

fn cache_strategies() -> Value {
    let arguments = json!({ "$ref": "#/$defs/arguments" });
    json!([
        variant("command-hash", "Run again when the script or command changes. The default.", json!({}), &[]),
        variant("none", "Run at each boot.", json!({}), &[]),
        variant(
            "key-command",
            "Run again when the output of this program changes, too.",
            json!({ "command": text("The program."), "arguments": arguments }),
            &["command"],
        ),
        variant(
            "key-script",
            "Run again when the output of this script changes, too.",
            json!({ "script": text("The script.") }),
            &["script"],
        ),
    ])
}

fn globs(description: &str) -> Value {
    json!({
        "description": description,
        "type": "array",
        "items": { "type": "string", "minLength": 1 },
        "default": [],
        "examples": [["migrations/**/*.sql", "seed.py"]],
    })
}

fn text(description: &str) -> Value {
    json!({ "description": description, "type": "string", "minLength": 1 })
}

fn identifier(description: &str, default: Option<&str>) -> Value {
    let mut schema = text(description);
    schema["maxLength"] = json!(Identifier::MAX_BYTES);
    if let Some(default) = default {
        schema["default"] = json!(default);
    }
    schema
}

/// Returns the schema of a name of ASCII letters, digits and the characters in `punctuation`. The last of these must be
/// `-`, because they are put into a character class of a regular expression.
fn name_for_initdb(description: &str, punctuation: &str, default: Option<&str>) -> Value {
    let mut schema = text(description);
    schema["maxLength"] = json!(63);
    schema["pattern"] = json!(format!("^[A-Za-z0-9][A-Za-z0-9{punctuation}]*$"));
    if let Some(default) = default {
        schema["default"] = json!(default);
    }
    schema
}

fn table(description: &str, properties: Value, required: &[&str]) -> Value {
    json!({
        "description": description,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// Returns the schema of a table with the key `type`, which must be `type_name`.
fn variant(type_name: &str, description: &str, properties: Value, required: &[&str]) -> Value {
    let mut schema = table(description, properties, required);
    schema["properties"]["type"] = json!({ "const": type_name });
    let mut all_required = vec!["type"];
    all_required.extend(required);
    schema["required"] = json!(all_required);
    schema
}
