//! This crate's own connections: waiting until a server answers, and the first words spoken to it. Nothing of the
//! caller's `PG*` environment is read.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::{Client, Config, NoTls};

use super::endpoint::{ConnectionParameters, Endpoint, PORT};
use crate::tls::Connector;

/// The shortest and the longest pause between two attempts. In between it is a tenth of the time already waited, so
/// that waiting adds a tenth at most.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens, or the other end hung up.
    #[error("reach the server")]
    Unreachable(#[source] io::Error),
    /// What is known of the server's certificate authority can't be used.
    #[error("use the server's certificate authority")]
    Authority(#[source] io::Error),
    /// The server refused, or the conversation broke.
    #[error("log in")]
    Refused(#[source] tokio_postgres::Error),
}

impl ConnectError {
    /// Whether a server that is on its way up looks like this.
    fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Authority(_) => false,
            Self::Refused(error) => match error.code() {
                Some(state) => *state == SqlState::CANNOT_CONNECT_NOW,
                // The engine's port forwarding accepts before the server does, and then hangs up.
                None => true,
            },
        }
    }

    /// Whether the password was not the right one.
    pub(crate) fn is_wrong_password(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Authority(_) => false,
            Self::Refused(error) => {
                matches!(error.code(), Some(state) if *state == SqlState::INVALID_PASSWORD || *state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
            }
        }
    }
}

/// How waiting for a server ended without one.
#[derive(Debug)]
pub(crate) enum WaitEnd<D> {
    /// The server is gone.
    Died(D),
    /// The time is over; the last attempt failed so.
    TimedOut(ConnectError),
    /// The server is up and refuses.
    Refused(ConnectError),
}

/// Tries to connect until it works, the server refuses for good, `death` resolves, or the time is over.
pub(crate) async fn until_ready<D>(
    parameters: &ConnectionParameters,
    limit: Duration,
    death: impl Future<Output = D>,
) -> Result<Client, WaitEnd<D>> {
    let begin = Instant::now();
    let deadline = begin + limit;
    let attempts = async {
        loop {
            let error = match tokio::time::timeout_at(deadline, connect(parameters)).await {
                Ok(Ok(client)) => return Ok(client),
                Ok(Err(error)) => error,
                Err(_) => ConnectError::Unreachable(io::ErrorKind::TimedOut.into()),
            };
            if !error.is_passing() {
                return Err(WaitEnd::Refused(error));
            }
            let pause = (begin.elapsed() / 10).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            if Instant::now() + pause >= deadline {
                return Err(WaitEnd::TimedOut(error));
            }
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        biased;
        ended = attempts => ended,
        died = death => Err(WaitEnd::Died(died)),
    }
}

/// Connects once.
pub(crate) async fn connect(parameters: &ConnectionParameters) -> Result<Client, ConnectError> {
    let mut config = Config::new();
    config
        .user(&parameters.user)
        .password(parameters.password.expose())
        .dbname(&parameters.database)
        .application_name("pg-ephemeral")
        .ssl_mode(SslMode::Disable);
    match &parameters.endpoint {
        Endpoint::Tcp { address, port } => {
            let stream = TcpStream::connect((*address, *port)).await.map_err(ConnectError::Unreachable)?;
            stream.set_nodelay(true).map_err(ConnectError::Unreachable)?;
            match &parameters.tls {
                Some(tls) => {
                    let connector = Connector::new(tls).map_err(ConnectError::Authority)?;
                    log_in(config.ssl_mode(SslMode::Require), stream, connector).await
                }
                None => log_in(&config, stream, NoTls).await,
            }
        }
        Endpoint::Socket { folder } => {
            let path = folder.join(format!(".s.PGSQL.{PORT}"));
            let stream = UnixStream::connect(path).await.map_err(ConnectError::Unreachable)?;
            log_in(&config, stream, NoTls).await
        }
    }
}

async fn log_in<S, T>(config: &Config, stream: S, tls: T) -> Result<Client, ConnectError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect_raw(stream, tls).await.map_err(ConnectError::Refused)?;
    // It ends with the client; its error is the client's as well.
    tokio::spawn(connection);
    Ok(client)
}

/// SQL that gives a role a password, in a form that shows neither in the log nor on the wire.
pub(crate) fn set_password_sql(user: &str, verifier: &str) -> String {
    let user = quote_identifier(user);
    format!("SET log_statement = 'none'; SET log_min_duration_statement = -1; ALTER ROLE {user} PASSWORD '{verifier}'")
}

/// A name as SQL takes it.
pub(crate) fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
