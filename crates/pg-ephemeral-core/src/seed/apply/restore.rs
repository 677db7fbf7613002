//! Restores dumps with pg_restore or psql.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ociman::command::ExitStatus;

use super::psql_output::{PsqlOutput, without_socket};
use super::run_sql::PSQL_OPTIONS;
use crate::io::child::OutputStream;
use crate::io::content::Content;
use crate::postgres::client::{ClientCommand, ClientProgramError, ClientPrograms, Keep, Operand};
use crate::postgres::connect::{ConnectError, connect_for_set_up};
use crate::postgres::endpoint::ConnectionParameters;
use crate::seed::dump::{Dump, DumpForm, RoleNames, SkipExisting};
use crate::seed::events::{ApplyEvent, EventSink};

/// A shell script that prints the number of objects in an archive, and then restores it. The last argument is the
/// archive. In the list of pg_restore, the lines of objects begin with a digit and comments with a semicolon.
const RESTORE: &str = r#"
for archive do true; done
list=$(pg_restore --list "$archive") || exit
printf 'objects: %s\n' "$(printf '%s\n' "$list" | grep -c '^[0-9]')"
exec pg_restore "$@"
"#;

/// How many lines of an error are kept at most.
const MOST_LINES: usize = 60;

/// An error while restoring a dump.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The server refused something in the dump.
    #[error("{message}")]
    Refused {
        /// The line of a plain dump, from 1, if it is known.
        line: Option<u64>,
        /// The message of pg_restore or psql, which contains that of the server.
        message: String,
    },
    /// The server does not have roles that the dump needs.
    #[error("the dump needs roles that the server does not have: {}", roles.join(", "))]
    MissingRoles {
        /// The missing roles, sorted.
        roles: Vec<String>,
        /// Whether the dump is an archive. For archives, pg_restore can leave out owners and privileges.
        is_archive: bool,
    },
    /// An extension that the dump needs is not installed where the server runs.
    #[error("the dump needs the extension {extension}, which is not installed where the server runs")]
    MissingExtension {
        /// The extension.
        extension: String,
    },
    /// The archive was made by a pg_dump that is newer than pg_restore.
    #[error("the archive was made by a pg_dump that is newer than the server's pg_restore: {message}")]
    NewerArchive {
        /// The message of pg_restore.
        message: String,
    },
    /// pg_restore or psql failed without a message.
    #[error("{program} ended with {status}")]
    Silent {
        /// The program.
        program: &'static str,
        /// The exit status.
        status: ExitStatus,
    },
    /// The program could not be run.
    #[error(transparent)]
    Program(#[from] ClientProgramError),
    /// The connection for listing the server's roles could not be made.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server's roles could not be listed.
    #[error("failed to list the server's roles")]
    Roles(#[source] tokio_postgres::Error),
    /// A file has changed since its hash was computed.
    #[error("{} changed while it was in use", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl RestoreError {
    /// Returns what the user can do about the error, if anything.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::MissingRoles { is_archive: true, .. } => Some(
                "set `owner = \"drop\"` in the seed to restore without owners and privileges, or create the roles in an \
                 earlier seed"
                    .to_owned(),
            ),
            Self::MissingRoles { is_archive: false, .. } => Some(
                "create the roles in an earlier seed, or dump with `pg_dump --format=custom` and set `owner = \"drop\"`"
                    .to_owned(),
            ),
            Self::MissingExtension { .. } => Some(
                "use an image that has it, or install it by an earlier seed with `type = \"container-script\"`; on the \
                 host backend install its package on this machine"
                    .to_owned(),
            ),
            Self::NewerArchive { .. } => {
                Some("set `image` to that version of PostgreSQL or a later one, or dump with an older pg_dump".to_owned())
            }
            Self::Refused { message, .. } if message.contains("unrecognized configuration parameter") => Some(
                "the dump may be of a later version of PostgreSQL than the server: set `image` to that version".to_owned(),
            ),
            Self::Changed { .. } => Some("run it again once nothing writes to the dump".to_owned()),
            Self::Program(error) => error.hint(),
            _ => None,
        }
    }
}

/// Restores a dump into the instance's database, or into the databases that the dump itself names.
///
/// # Errors
/// Returns an error if the dump can't be restored, or if one of its files has changed.
pub(super) async fn restore(
    programs: &mut ClientPrograms<'_>,
    dump: &Dump,
    connection: &ConnectionParameters,
    events: &EventSink,
) -> Result<(), RestoreError> {
    let restored = match &dump.form {
        DumpForm::Plain(content) => run_plain(programs, dump, content, connection, events).await,
        DumpForm::Archive(..) | DumpForm::Folder(_) => run_archive(programs, dump, connection, events).await,
    };
    let error = match restored {
        Ok(()) => {
            return match dump.changed_file() {
                Some(path) => Err(RestoreError::Changed { path: path.to_owned() }),
                None => Ok(()),
            };
        }
        Err(error) => error,
    };
    match &error {
        RestoreError::Refused { message, .. } if has_missing_role(message) => {
            let mut roles = needed_roles(programs, dump).await?;
            for known in known_roles(connection).await? {
                roles.remove(&known);
            }
            if roles.is_empty() {
                return Err(error);
            }
            let is_archive = !matches!(dump.form, DumpForm::Plain(_));
            Err(RestoreError::MissingRoles { roles: roles.into_iter().collect(), is_archive })
        }
        RestoreError::Refused { message, .. } => Err(match missing_extension(message) {
            Some(extension) => RestoreError::MissingExtension { extension },
            None if message.contains("unsupported version (") => {
                RestoreError::NewerArchive { message: message.clone() }
            }
            None => error,
        }),
        _ => Err(error),
    }
}

async fn run_plain(
    programs: &mut ClientPrograms<'_>,
    dump: &Dump,
    content: &Content,
    connection: &ConnectionParameters,
    events: &EventSink,
) -> Result<(), RestoreError> {
    let (role, database) = (connection.user.clone(), connection.database.clone());
    let total = content.size();
    let content = content.clone().filtered(move |reader| Box::new(SkipExisting::new(reader, &role, &database)));
    let command = ClientCommand {
        program: "psql",
        arguments: PSQL_OPTIONS.map(str::to_owned).to_vec(),
        folder: &dump.folder,
        operand: Operand::Stream { content: &content, path: None },
        files: &[],
        keep: Keep::Errors,
    };
    let mut output = PsqlOutput::new(events);
    let mut read = |bytes| events.send(ApplyEvent::Copied { bytes, total });
    let status = programs.run(&command, &mut read, &mut |line| output.take(line)).await?;
    if status.success() {
        output.succeed();
        return Ok(());
    }
    match output.fail() {
        Some(message) => {
            Err(RestoreError::Refused { line: message.place.map(|(_, line)| line), message: message.text })
        }
        None => Err(RestoreError::Silent { program: "psql", status }),
    }
}

async fn run_archive(
    programs: &mut ClientPrograms<'_>,
    dump: &Dump,
    connection: &ConnectionParameters,
    events: &EventSink,
) -> Result<(), RestoreError> {
    let mut arguments = vec!["-c".to_owned(), one_line(RESTORE), "sh".to_owned()];
    arguments.extend(["--exit-on-error", "--verbose"].map(str::to_owned));
    arguments.push(format!("--dbname={}", connection.database));
    arguments.extend(dump.restore_options());
    let (operand, files) = operand(dump);
    let command =
        ClientCommand { program: "sh", arguments, folder: &dump.folder, operand, files, keep: Keep::Everything };
    let (mut total, mut objects) = (0, 0);
    let mut message: Vec<String> = Vec::new();
    let mut take = |line: &str| {
        if let Some(count) = line.strip_prefix("objects: ") {
            total = count.trim().parse().unwrap_or(0);
        } else if is_progress(line) {
            message.clear();
            if is_object(line) {
                objects = u64::min(objects + 1, total);
                events.send(ApplyEvent::Restored { objects, total });
            }
        } else {
            if line.starts_with("pg_restore: warning: ") {
                events.send(ApplyEvent::Output { stream: OutputStream::Stderr, line });
            }
            if message.len() < MOST_LINES {
                message.push(without_socket(line));
            }
        }
    };
    let status = programs.run(&command, &mut |_| {}, &mut take).await?;
    if status.success() {
        return Ok(());
    }
    let message = message.join("\n").trim().to_owned();
    if message.is_empty() {
        return Err(RestoreError::Silent { program: "pg_restore", status });
    }
    Err(RestoreError::Refused { line: None, message })
}

/// Returns the operand of pg_restore, and the files that it opens.
fn operand(dump: &Dump) -> (Operand<'_>, &[crate::postgres::client::MirroredFile]) {
    match &dump.form {
        DumpForm::Folder(files) => (Operand::Folder { path: &dump.path }, files),
        DumpForm::Plain(content) | DumpForm::Archive(content, _) => (Operand::File { content, path: &dump.path }, &[]),
    }
}

/// Joins the lines of a shell script into one, because arguments must not contain line breaks.
fn one_line(script: &str) -> String {
    script.trim().lines().collect::<Vec<_>>().join("; ")
}

/// Returns `true` if a line of pg_restore's output only reports progress.
fn is_progress(line: &str) -> bool {
    const WORDS: [&str; 9] = [
        "connecting to database",
        "creating ",
        "processing ",
        "executing ",
        "launching item",
        "finished item",
        "entering main parallel loop",
        "finished main parallel loop",
        "implied ",
    ];
    line.strip_prefix("pg_restore: ").is_some_and(|rest| WORDS.iter().any(|word| rest.starts_with(word)))
}

/// Returns `true` if a line of pg_restore's output stands for one object of its list.
fn is_object(line: &str) -> bool {
    let rest = line.strip_prefix("pg_restore: ").unwrap_or_default();
    ["creating ", "processing data for table ", "executing "].iter().any(|word| rest.starts_with(word))
}

fn has_missing_role(message: &str) -> bool {
    message.lines().any(|line| line.contains("ERROR:  role \"") && line.ends_with("does not exist"))
}

fn missing_extension(message: &str) -> Option<String> {
    message.lines().find_map(|line| {
        if let Some((_, rest)) = line.split_once("ERROR:  extension \"")
            && let Some(name) = rest.strip_suffix("\" is not available")
        {
            return Some(name.to_owned());
        }
        let (_, path) = line.split_once("could not open extension control file \"")?;
        let file = path.split_once(".control\"")?.0;
        Some(file.rsplit('/').next().unwrap_or(file).to_owned())
    })
}

/// Returns every role that the dump's statements name.
async fn needed_roles(programs: &mut ClientPrograms<'_>, dump: &Dump) -> Result<BTreeSet<String>, RestoreError> {
    let mut roles = RoleNames::default();
    if let DumpForm::Plain(content) = &dump.form {
        let mut pieces = content.pieces();
        let mut lines = crate::io::child::Lines::default();
        while let Some(piece) = pieces.recv().await {
            let piece = piece.map_err(|source| ClientProgramError::Read { path: dump.path.clone(), source })?;
            lines.take(&piece.bytes, |line| roles.take(line));
        }
        lines.finish(|line| roles.take(line));
        return Ok(roles.finish());
    }
    let (operand, files) = operand(dump);
    let arguments = ["--schema-only", "--file=-"].map(str::to_owned).to_vec();
    let command = ClientCommand {
        program: "pg_restore",
        arguments,
        folder: &dump.folder,
        operand,
        files,
        keep: Keep::Everything,
    };
    programs.run(&command, &mut |_| {}, &mut |line| roles.take(line)).await?;
    Ok(roles.finish())
}

async fn known_roles(connection: &ConnectionParameters) -> Result<Vec<String>, RestoreError> {
    let client = connect_for_set_up(connection).await?;
    let rows = client.query("SELECT rolname::text FROM pg_catalog.pg_roles", &[]).await;
    rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect()).map_err(RestoreError::Roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_extension_is_recognised_by_the_messages_of_all_versions() {
        let old = "pg_restore: error: could not execute query: ERROR:  could not open extension control file \
                   \"/usr/share/postgresql/13/extension/postgis.control\": No such file or directory";
        let new = "ERROR:  extension \"postgis\" is not available\nDETAIL:  …";
        assert_eq!(missing_extension(old).as_deref(), Some("postgis"));
        assert_eq!(missing_extension(new).as_deref(), Some("postgis"));
        assert_eq!(missing_extension("ERROR:  extension \"postgis\" already exists"), None);
    }

    #[test]
    fn a_missing_role_is_distinguished_from_other_missing_objects() {
        assert!(has_missing_role("pg_restore: error: could not execute query: ERROR:  role \"a b\" does not exist"));
        assert!(!has_missing_role("ERROR:  relation \"role\" does not exist"));
    }
}
