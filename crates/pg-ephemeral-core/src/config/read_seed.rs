//! Reads one seed of `database.toml`.

use std::path::PathBuf;

use super::reader::Table;
use crate::model::seed::spec::{CacheStrategy, CsvTable, DumpOptions, DumpOwner, DumpSection, SeedSpec};

/// Reads the seed that a table describes. If the table is invalid, adds the problems and returns `None`.
pub(super) fn seed(mut table: Table<'_, '_>) -> Option<SeedSpec> {
    let type_name = table.require_choice("type", &SeedSpec::TYPE_NAMES)?;
    if !matches!(type_name, "script" | "command") {
        table.refuse("cache", "only seeds of type script and command have one");
    }
    let seed = match type_name {
        "sql-file" => sql_file(&mut table),
        "sql-statement" => sql_statement(&mut table),
        "dump" => dump(&mut table),
        "csv-file" => csv_file(&mut table),
        "script" => script(&mut table),
        "command" => command(&mut table),
        _ => container_script(&mut table),
    };
    table.finish();
    seed
}

fn sql_file(table: &mut Table<'_, '_>) -> Option<SeedSpec> {
    let path = path(table);
    let git_revision = table.parsed("git_revision");
    let files = table.parsed_array("files");
    Some(SeedSpec::SqlFile { path: path?, git_revision, files })
}

fn sql_statement(table: &mut Table<'_, '_>) -> Option<SeedSpec> {
    Some(SeedSpec::SqlStatement { statement: table.require_text("statement")?.to_owned() })
}

fn dump(table: &mut Table<'_, '_>) -> Option<SeedSpec> {
    let path = path(table);
    let jobs = table.positive("jobs");
    let owner = table.choice("owner", &DumpOwner::NAMES);
    let owner = owner.map(|name| if name == DumpOwner::Drop.as_str() { DumpOwner::Drop } else { DumpOwner::Keep });
    let names = table.choices("sections", &DumpSection::ALL.map(DumpSection::as_str));
    let sections = DumpSection::ALL.into_iter().filter(|section| names.contains(&section.as_str())).collect();
    Some(SeedSpec::Dump { path: path?, options: DumpOptions { jobs, owner, sections } })
}

fn csv_file(table: &mut Table<'_, '_>) -> Option<SeedSpec> {
    let path = path(table);
    let target = csv_table(table);
    let delimiter = table.parsed("delimiter").unwrap_or_default();
    Some(SeedSpec::CsvFile { path: path?, table: target?, delimiter })
}

fn csv_table(table: &mut Table<'_, '_>) -> Option<CsvTable> {
    let path = table.path.join("table");
    let mut table = table.require("table")?.table(path, table.problems)?;
    let schema = table.require_parsed("schema");
    let name = table.require_parsed("table");
    table.finish();
    Some(CsvTable { schema: schema?, table: name? })
}

fn script(table: &mut Table<'_, '_>) -> Option<SeedSpec> {
    let script = table.require_text("script");
    let files = table.parsed_array("files");
    let cache = cache(table);
    Some(SeedSpec::Script { script: script?.to_owned(), files, cache: cache? })
}

fn command(table: &mut Table<'_, '_>) -> Option<SeedSpec> {
    let command = table.require_text("command");
    let arguments = table.strings("arguments");
    let files = table.parsed_array("files");
    let cache = cache(table);
    Some(SeedSpec::Command { command: command?.to_owned(), arguments, files, cache: cache? })
}

fn container_script(table: &mut Table<'_, '_>) -> Option<SeedSpec> {
    let script = table.require_text("script");
    let files = table.parsed_array("files");
    Some(SeedSpec::ContainerScript { script: script?.to_owned(), files })
}

fn path(table: &mut Table<'_, '_>) -> Option<PathBuf> {
    table.require_text("path").map(PathBuf::from)
}

fn cache(table: &mut Table<'_, '_>) -> Option<CacheStrategy> {
    let path = table.path.join("cache");
    let Some(entry) = table.take("cache") else {
        return Some(CacheStrategy::default());
    };
    let mut table = entry.table(path, table.problems)?;
    let strategy = match table.require_choice("type", &CacheStrategy::TYPE_NAMES)? {
        "none" => Some(CacheStrategy::None),
        "key-command" => key_command(&mut table),
        "key-script" => {
            table.require_text("script").map(|script| CacheStrategy::KeyScript { script: script.to_owned() })
        }
        _ => Some(CacheStrategy::CommandHash),
    };
    table.finish();
    strategy
}

fn key_command(table: &mut Table<'_, '_>) -> Option<CacheStrategy> {
    let command = table.require_text("command");
    let arguments = table.strings("arguments");
    Some(CacheStrategy::KeyCommand { command: command?.to_owned(), arguments })
}
