//! Commands that tell about servers and backends, as text or as JSON, and `gc`.

use std::io::Write;
use std::sync::Arc;

use comfy_table::{Table, presets};
use ociman::{Backend, ContainerState, ContainerSummary, Kind, System};
use pg_ephemeral_core::choose::{self, effective_choice};
use pg_ephemeral_core::config::BackendChoice;
use pg_ephemeral_core::doctor;
use pg_ephemeral_core::reap::{Patience, Reaped, reap_labelled, reap_recorded};
use pg_ephemeral_core::{Folders, label, layer, snapshot};
use rustix::termios::tcgetwinsize;
use serde::Serialize;

use crate::arguments::{Format, Global};
use crate::context::Context;
use crate::failure::Failure;
use crate::progress::say;
use crate::spinner;

/// One server, as `list --format json` shows it.
#[derive(Debug, Serialize)]
struct ListedServer {
    /// Name of its container.
    name: String,
    /// The backend it runs on.
    backend: &'static str,
    /// Its instance.
    instance: Option<String>,
    /// Its base image.
    image: Option<String>,
    /// Its session, when it is one.
    session: Option<String>,
    /// `created`, `running`, `paused`, `exited` or `unknown`.
    state: &'static str,
    /// The process it belongs to.
    owner_pid: Option<u32>,
    /// Its port on this machine, when it is published.
    port: Option<u16>,
}

pub(crate) async fn list(global: &Global) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let mut servers = Vec::new();
    for backend in working_backends(global, &context).await? {
        reap_recorded(&context.folders, &backend, Patience::Hurry).await;
        let keys = [label::INSTANCE_KEY, label::IMAGE_KEY, label::SESSION_KEY, label::OWNER_KEY];
        let containers = backend.list(&[label::ours()], &keys).await?;
        servers.extend(containers.iter().map(|container| listed(backend.kind(), container)));
    }
    match global.format {
        Format::Json => print_json(&servers),
        _ => {
            let rows = servers.into_iter().map(|server| {
                let port = server.port.map(|port| port.to_string());
                let owner = server.owner_pid.map(|pid| pid.to_string());
                [
                    server.name,
                    server.backend.to_owned(),
                    server.instance.unwrap_or_default(),
                    server.image.unwrap_or_default(),
                    server.session.unwrap_or_default(),
                    server.state.to_owned(),
                    owner.unwrap_or_default(),
                    port.unwrap_or_default(),
                ]
            });
            print_table(["NAME", "BACKEND", "INSTANCE", "IMAGE", "SESSION", "STATE", "OWNER", "PORT"], rows)
        }
    }
}

fn listed(backend: Kind, container: &ContainerSummary) -> ListedServer {
    let text = |key| container.labels.get(&key).map(ToString::to_string);
    ListedServer {
        name: container.name.clone(),
        backend: backend.as_str(),
        instance: text(label::INSTANCE_KEY),
        image: text(label::IMAGE_KEY),
        session: text(label::SESSION_KEY),
        state: match container.state {
            ContainerState::Created => "created",
            ContainerState::Running => "running",
            ContainerState::Paused => "paused",
            ContainerState::Exited => "exited",
            ContainerState::Unknown => "unknown",
        },
        owner_pid: label::owner(&container.labels).ok().flatten().map(|owner| owner.pid),
        port: container.ports.first().map(|binding| binding.published.port()),
    }
}

/// Removes leftovers on the chosen backend, or on every one that works.
pub(crate) async fn gc(global: &Global) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let mut reaped = Vec::new();
    for backend in working_backends(global, &context).await? {
        reaped.extend(reap_recorded(&context.folders, &backend, Patience::Settle).await);
        reaped.extend(reap_labelled(&context.folders, &backend).await?);
        snapshot::sweep(&backend).await?;
        if let Some(host) = backend.as_host() {
            // Sweeps what killed processes left half made; slots themselves are kept.
            host.prune_slots(|_| false).await?;
        }
    }
    match global.format {
        Format::Json => {
            let rows: Vec<_> = reaped.iter().map(removed).collect();
            print_json(&rows)
        }
        _ => {
            for one in &reaped {
                print_line(&format!("removed {} on {}", one.container, one.backend))?;
            }
            if reaped.is_empty() && !global.quiet {
                say("nothing was left behind");
            }
            Ok(())
        }
    }
}

/// One leftover, as `gc --format json` shows it.
#[derive(Debug, Serialize)]
struct Removed<'a> {
    /// The backend it was on.
    backend: &'static str,
    /// Name of its container.
    container: &'a str,
}

fn removed(reaped: &Reaped) -> Removed<'_> {
    Removed { backend: reaped.backend.as_str(), container: &reaped.container }
}

/// The chosen backend, or every one that works when the choice is automatic.
pub(crate) async fn working_backends(global: &Global, context: &Context) -> Result<Vec<Backend>, Failure> {
    let configured = context.config.backend().unwrap_or_default();
    let (choice, origin) = effective_choice(global.backend, configured)?;
    if let BackendChoice::Only(_) = choice {
        return Ok(vec![choose::backend(choice, origin, &context.folders, Arc::new(System)).await?]);
    }
    let mut working = Vec::new();
    for kind in Kind::ALL {
        working.extend(choose::attempt(kind, &context.folders, Arc::new(System)).await);
    }
    Ok(working)
}

/// The backend for a command that is about no instance.
pub(crate) async fn chosen_backend(global: &Global, context: &Context) -> Result<Backend, Failure> {
    let configured = context.config.backend().unwrap_or_default();
    let (choice, origin) = effective_choice(global.backend, configured)?;
    Ok(choose::backend(choice, origin, &context.folders, Arc::new(System)).await?)
}

/// This tool, as `meta info --format json` shows it.
#[derive(Debug, Serialize)]
struct Info {
    /// Version of pg-ephemeral.
    version: &'static str,
    /// Number of the format of layer keys: layers of another format are built anew.
    layer_format: u32,
    /// The configuration that counts here.
    config_file: Option<String>,
    /// Where secrets, locks and records are.
    state_folder: String,
    /// Where the host backend keeps images, containers and slots.
    host_state_folder: String,
}

pub(crate) fn info(global: &Global) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let info = Info {
        version: env!("CARGO_PKG_VERSION"),
        layer_format: layer::FORMAT,
        config_file: context.config.path().map(|path| path.display().to_string()),
        state_folder: context.folders.state().display().to_string(),
        host_state_folder: context.folders.host().display().to_string(),
    };
    match global.format {
        Format::Json => print_json(&info),
        _ => {
            print_line(&format!("version: {}", info.version))?;
            print_line(&format!("layer format: {}", info.layer_format))?;
            print_line(&format!("configuration: {}", info.config_file.as_deref().unwrap_or("none")))?;
            print_line(&format!("state: {}", info.state_folder))?;
            print_line(&format!("host backend's state: {}", info.host_state_folder))
        }
    }
}

/// One backend, as `platform support --format json` shows it.
#[derive(Debug, Serialize)]
struct Support {
    /// The backend.
    backend: &'static str,
    /// Whether it works here.
    works: bool,
    /// Its version, or the versions of PostgreSQL on the host.
    version: Option<String>,
    /// Why it does not work.
    reason: Option<String>,
}

pub(crate) async fn support(global: &Global) -> Result<(), Failure> {
    let folders = Folders::of_user()?;
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        rows.push(support_of(kind, &folders).await);
    }
    match global.format {
        Format::Json => print_json(&rows),
        _ => {
            for row in rows {
                let works = if row.works { "works" } else { "does not work" };
                let detail = row.version.or(row.reason).unwrap_or_default();
                print_line(&format!("{}: {works}: {detail}", row.backend))?;
            }
            Ok(())
        }
    }
}

async fn support_of(kind: Kind, folders: &Folders) -> Support {
    let found = doctor::support(kind, folders, Arc::new(System)).await.found.map(|(_, version)| version);
    let (version, reason) = match found {
        Ok(version) => (Some(version), None),
        Err(reason) => (None, Some(reason)),
    };
    Support { backend: kind.as_str(), works: version.is_some(), version, reason }
}

pub(crate) fn print_table<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Result<(), Failure> {
    let columns =
        tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    let rows: Vec<[String; N]> = rows.map(|row| row.map(without_control)).collect();
    print_line(&arranged(header, &rows, columns))
}

/// Labels of containers and images may be anybody's: no terminal obeys what stands in them.
pub(crate) fn without_control(value: String) -> String {
    if !value.contains(char::is_control) {
        return value;
    }
    let escape = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    value.chars().map(escape).collect()
}

/// A table, or where a terminal is too narrow for it, a line for each value, with an empty line between the rows.
fn arranged<const N: usize>(header: [&str; N], rows: &[[String; N]], columns: Option<usize>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table.add_rows(rows);
    let table = table.trim_fmt();
    let is_too_wide = |columns| table.lines().any(|line| line.chars().count() > columns);
    if rows.is_empty() || !columns.is_some_and(is_too_wide) {
        return table;
    }
    let width = header.iter().map(|name| name.len()).max().unwrap_or_default();
    let record = |row: &[String; N]| {
        let values = header.iter().zip(row).filter(|(_, value)| !value.is_empty());
        values.map(|(name, value)| format!("{name:width$}  {value}\n")).collect::<String>()
    };
    rows.iter().map(record).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::new)?;
    print_line(&text)
}

/// One line of a result, on standard output.
pub(crate) fn print_line(line: &str) -> Result<(), Failure> {
    print_bytes(format!("{line}\n").as_bytes())
}

/// A result as it is, on standard output.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    spinner::clear();
    match std::io::stdout().lock().write_all(bytes) {
        // Whoever reads has read enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::with_cause("write the result to standard output", error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_a_value_are_escaped() {
        assert_eq!(without_control("a\u{1b}[2Jb\r".to_owned()), r"a\u{1b}[2Jb\r");
        assert_eq!(without_control("è".to_owned()), "è");
    }

    #[test]
    fn a_table_that_a_terminal_is_too_narrow_for_has_a_line_for_each_value() {
        let rows = [["review", "16", ""], ["x", "", "50000"]].map(|row| row.map(str::to_owned));
        let header = ["NAME", "IMAGE", "PORT"];
        let table = " NAME    IMAGE  PORT\n review  16\n x              50000";
        assert_eq!(arranged(header, &rows, None), table);
        assert_eq!(arranged(header, &rows, Some(21)), table);
        assert_eq!(arranged(header, &rows, Some(15)), "NAME   review\nIMAGE  16\n\nNAME   x\nPORT   50000");
        assert_eq!(arranged(header, &[], Some(5)), " NAME  IMAGE  PORT");
    }
}
