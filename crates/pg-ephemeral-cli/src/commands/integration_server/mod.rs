//! `integration-server`: provides a server to a program of any language. That program, the caller, starts this program
//! as a child and talks to it over two file descriptors. `docs/integration-protocol.md` describes the protocol.

use std::collections::HashMap;
use std::io;
use std::pin::pin;

use pg_ephemeral_core::server::ConnectionParameters;
use pg_ephemeral_core::{Database, DatabaseError, Endpoint, Server};
use serde::{Deserialize, Serialize};

use super::context::Context;
use crate::args::{Descriptor, Global};
use crate::output::{Failure, Progress};
use crate::process::{Signals, until_signal};

mod channels;

use channels::{Channels, Said, WAITING_LINES};

/// The version of the protocol. It increases with every change that breaks callers written for the previous version.
const PROTOCOL_VERSION: u32 = 1;

/// The first line of the result, which tells how the server is reached. The answer to `create-database` has the same
/// format.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    database: &'a str,
    user: &'a str,
    password: &'a str,
    endpoint: EndpointView,
    ssl_mode: &'static str,
    ssl_root_cert: Option<String>,
    /// The application name that clients should use. Always `null`, because there is no setting for it.
    application_name: Option<&'a str>,
    url: &'a str,
    protocol_version: u32,
}

#[derive(Debug, Serialize)]
struct EndpointView {
    /// The name or address to connect to, which the server's certificate must match.
    host: String,
    /// The address to connect to if `host` is a name that does not resolve to it.
    host_address: Option<String>,
    port: u16,
}

/// The answer to a command that failed. Also the only line of the result if the start of the server failed.
#[derive(Debug, Serialize)]
struct Refused {
    error: String,
    hint: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Request {
    command: String,
    /// The name of a database, for commands that need one.
    database: Option<String>,
}

/// The answer to `drop-database`.
#[derive(Debug, Serialize)]
struct Dropped<'a> {
    dropped: &'a str,
}

/// The server, and the databases that were created for the caller.
struct Service<'a> {
    server: &'a Server,
    databases: HashMap<String, Database>,
}

/// Serves the caller until it is done, and returns the exit status.
pub(crate) async fn run(
    global: &Global,
    result: &Descriptor,
    control: &Descriptor,
    progress: &Progress,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let mut channels = Channels::open(result, control).map_err(Failure::new)?;
    let ended = serve(global, &mut channels, progress, signals).await;
    if let Err(failure @ Failure::Error { .. }) = &ended {
        // The caller may have gone and read no answer.
        let _ = channels.answer(&Refused { error: failure.in_one_line(), hint: failure.hint().map(str::to_owned) });
    }
    ended.map(|()| 0)
}

async fn serve(
    global: &Global,
    channels: &mut Channels,
    progress: &Progress,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let definition = progress.watch(Context::load(global)?.definition()?);
    let mut early = Vec::new();
    let server = {
        let mut start = pin!(definition.start());
        loop {
            tokio::select! {
                biased;
                event = signals.next() => return Err(Failure::Interrupted { signal: event.number }),
                server = &mut start => break server?,
                said = channels.said(), if early.len() < WAITING_LINES => match said {
                    Said::Stop => return Ok(()),
                    said => early.push(said),
                },
            }
        }
    };
    progress.time("serve");
    let ended = converse(&server, early, channels, signals).await;
    server.stop().await?;
    ended
}

/// Writes how the server is reached, then answers commands until the caller is done. The commands in `early`, which
/// arrived before the server was started, are answered first.
async fn converse(
    server: &Server,
    early: Vec<Said>,
    channels: &mut Channels,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let url = server.url();
    let ready = ready(server.connection(), url.expose());
    channels.answer(&ready).map_err(|error| Failure::with_cause("write the result", error))?;
    let mut service = Service { server, databases: HashMap::new() };
    let mut early = early.into_iter();
    loop {
        let said = match early.next() {
            Some(said) => said,
            None => until_signal(signals, channels.said()).await?,
        };
        if said == Said::Stop {
            return Ok(());
        }
        // A signal stops the server at once, even while a command is being answered.
        let answered = tokio::select! {
            biased;
            event = signals.next() => return Err(Failure::Interrupted { signal: event.number }),
            answered = service.carry_out(&said, channels) => answered,
        };
        answered.map_err(|error| Failure::with_cause("write the answer", error))?;
    }
}

impl Service<'_> {
    /// Executes one command and writes its answer.
    async fn carry_out(&mut self, said: &Said, channels: &mut Channels) -> io::Result<()> {
        let Said::Line(line) = said else {
            return channels.answer(&refused("read the command: the line is longer than 1 MiB"));
        };
        let request = match serde_json::from_slice::<Request>(line) {
            Ok(request) => request,
            Err(error) => return channels.answer(&refused(format!("read the command: {error}"))),
        };
        match (request.command.as_str(), request.database) {
            ("create-database", None) => self.create_database(channels).await,
            ("drop-database", Some(name)) => self.drop_database(&name, channels).await,
            ("create-database", Some(_)) => channels.answer(&refused("create-database takes no name")),
            ("drop-database", None) => channels.answer(&refused("drop-database takes the name of a database")),
            (command, _) => {
                channels.answer(&refused(format!("protocol version {PROTOCOL_VERSION} has no command {command:?}")))
            }
        }
    }

    async fn create_database(&mut self, channels: &mut Channels) -> io::Result<()> {
        match self.server.database().await {
            Ok(database) => {
                let url = database.url();
                let told = channels.answer(&ready(database.connection(), url.expose()));
                self.databases.insert(database.name().to_owned(), database);
                told
            }
            Err(error) => channels.answer(&refused_for(error)),
        }
    }

    async fn drop_database(&mut self, name: &str, channels: &mut Channels) -> io::Result<()> {
        let Some(database) = self.databases.remove(name) else {
            return channels.answer(&refused(format!("there is no database {name:?} of yours")));
        };
        match database.close().await {
            Ok(()) => channels.answer(&Dropped { dropped: name }),
            Err(error) => channels.answer(&refused_for(error)),
        }
    }
}

fn refused(error: impl Into<String>) -> Refused {
    Refused { error: error.into(), hint: None }
}

fn refused_for(error: DatabaseError) -> Refused {
    let failure = Failure::from(error);
    Refused { error: failure.in_one_line(), hint: failure.hint().map(str::to_owned) }
}

fn ready<'a>(connection: &'a ConnectionParameters, url: &'a str) -> Ready<'a> {
    let variables = connection.environment();
    let variable = |name: &str| {
        let variable = variables.iter().find(|variable| variable.name == name)?;
        match &variable.value {
            ociman::VariableValue::Plain(value) => Some(value.clone()),
            ociman::VariableValue::Secret(_) => None,
        }
    };
    let port = match connection.endpoint {
        Endpoint::Tcp { port, .. } => port,
        Endpoint::Socket { .. } => variable("PGPORT").and_then(|port| port.parse().ok()).unwrap_or_default(),
    };
    let ssl_root_cert = variable("PGSSLROOTCERT");
    Ready {
        database: &connection.database,
        user: &connection.user,
        password: connection.password.expose(),
        endpoint: EndpointView {
            host: variable("PGHOST").unwrap_or_default(),
            host_address: variable("PGHOSTADDR"),
            port,
        },
        ssl_mode: if ssl_root_cert.is_some() { "verify-full" } else { "disable" },
        ssl_root_cert,
        application_name: None,
        url,
        protocol_version: PROTOCOL_VERSION,
    }
}
