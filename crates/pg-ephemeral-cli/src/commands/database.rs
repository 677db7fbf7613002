//! `database …`: manages copies of the seeded database on a session's server. A copy stays until it is dropped.

use clap::error::ErrorKind;
use indicatif::HumanBytes;
use pg_ephemeral_core::database::{DatabaseInfo, Name};
use pg_ephemeral_core::owner::Liveness;
use pg_ephemeral_core::{Server, session};
use serde::Serialize;

use super::context::Context;
use super::session::find::attach_for_output;
use crate::args::{DatabaseArguments, DatabaseCommand, Format, Global};
use crate::output::{Failure, print_json, print_line, print_table, tell, wrong_usage};

/// A database that was created or reset, as `--format json` shows it.
#[derive(Debug, Serialize)]
struct View<'a> {
    /// The session.
    session: &'a str,
    /// The name of the database.
    name: &'a str,
}

/// Runs one of the commands.
pub(crate) async fn run(global: &Global, arguments: &DatabaseArguments) -> Result<(), Failure> {
    let Some(session) = &arguments.session else {
        wrong_usage(ErrorKind::MissingRequiredArgument, "of which session? It is named by `--session <NAME>`")
    };
    let context = Context::load(global)?;
    let server = attach_for_output(&context, session).await?;
    match &arguments.command {
        DatabaseCommand::Create { name } => create(global, &server, session, name.as_ref()).await,
        DatabaseCommand::List => list(global, &server).await,
        DatabaseCommand::Url { name } => url(server, name).await,
        DatabaseCommand::Drop { name } => {
            server.drop_database(name).await?;
            tell(global, &format!("database {name} is dropped"));
            Ok(())
        }
        DatabaseCommand::Reset { name } => {
            server.reset_database(name).await?;
            match global.format {
                Format::Json => print_json(&View { session: session.as_str(), name }),
                _ => print_line(&format!("database {name} is back at its seeds")),
            }
        }
    }
}

async fn create(global: &Global, server: &Server, session: &session::Name, name: Option<&Name>) -> Result<(), Failure> {
    let name = match name {
        Some(name) => name.clone(),
        None => Name::random().map_err(Failure::new)?,
    };
    server.create_database(&name).await?;
    match global.format {
        Format::Json => print_json(&View { session: session.as_str(), name: name.as_str() }),
        _ => print_line(name.as_str()),
    }
}

async fn list(global: &Global, server: &Server) -> Result<(), Failure> {
    let databases = server.list_databases().await?;
    match global.format {
        Format::Json => print_json(&databases),
        _ => print_table(["NAME", "OF A PROCESS", "CONNECTIONS", "SIZE"], databases.into_iter().map(row)),
    }
}

fn row(database: DatabaseInfo) -> [String; 4] {
    let owner = match database.owner {
        None => "no",
        Some(Liveness::Alive) => "yes",
        Some(Liveness::Dead) => "that is dead",
        Some(Liveness::Foreign) => "of another machine",
    };
    let size = HumanBytes(u64::try_from(database.size).unwrap_or_default());
    [database.name, owner.to_owned(), database.connections.to_string(), size.to_string()]
}

async fn url(server: Server, name: &str) -> Result<(), Failure> {
    let url = server.database_url(name).await?;
    print_line(url.expose())
}
