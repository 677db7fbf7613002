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

use super::endpoint::{ConnectionParameters, Endpoint};
use crate::postgres::tls::Connector;

/// The shortest and the longest pause between two attempts. In between it is a tenth of the time already waited, so
/// that waiting adds a tenth at most.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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

    /// What the server said, or else what went wrong.
    pub(crate) fn server_message(&self) -> String {
        let said = match self {
            Self::Refused(error) => error.as_db_error().map(|error| error.message().to_owned()),
            Self::Unreachable(_) | Self::Authority(_) => None,
        };
        said.unwrap_or_else(|| self.to_string())
    }

    /// Whether the server takes the password for a wrong one, which it also says of one that has expired.
    pub(crate) fn is_unknown_password(&self) -> bool {
        match self {
            Self::Refused(error) => error.code() == Some(&SqlState::INVALID_PASSWORD),
            Self::Unreachable(_) | Self::Authority(_) => false,
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
            let error = match tokio::time::timeout_at(deadline, connect_for_set_up(parameters)).await {
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

/// Settings under which this crate's own statements mean what they say, and stay out of the log, whatever a seed has set
/// for the superuser or for the database: options of a connection are stronger than both.
pub(crate) const SET_UP_OPTIONS: &str = "-c role=none -c search_path=pg_catalog -c default_transaction_read_only=off \
    -c default_transaction_deferrable=off -c default_transaction_isolation=read\\ committed -c statement_timeout=0 \
    -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c standard_conforming_strings=on \
    -c session_preload_libraries= -c local_preload_libraries= -c log_statement=none -c log_min_duration_statement=-1 \
    -c log_min_error_statement=panic";

/// The same for what PostgreSQL has since version 14. A server refuses options that it does not know.
const SET_UP_OPTIONS_SINCE_14: &str = "-c idle_session_timeout=0";
/// The same for what PostgreSQL has since version 17.
const SET_UP_SINCE_17: &str = "SET transaction_timeout = 0";

/// Connects once, for a client of the user's: under the settings that hold for the superuser and the database.
///
/// # Errors
/// [`ConnectError`].
pub(crate) async fn connect(parameters: &ConnectionParameters) -> Result<Client, ConnectError> {
    connect_with(parameters, Config::new()).await.map(|(client, _)| client)
}

/// Connects once, for this crate's own statements.
///
/// # Errors
/// [`ConnectError`].
pub(crate) async fn connect_for_set_up(parameters: &ConnectionParameters) -> Result<Client, ConnectError> {
    let with = |options: &str| {
        let mut config = Config::new();
        config.options(options);
        connect_with(parameters, config)
    };
    let connected = match with(&format!("{SET_UP_OPTIONS} {SET_UP_OPTIONS_SINCE_14}")).await {
        Err(ConnectError::Refused(error)) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => {
            with(SET_UP_OPTIONS).await
        }
        connected => connected,
    };
    let (client, version) = connected?;
    if version >= 17 {
        client.batch_execute(SET_UP_SINCE_17).await.map_err(ConnectError::Refused)?;
    }
    Ok(client)
}

/// A connection, and the major version of the server.
async fn connect_with(parameters: &ConnectionParameters, mut config: Config) -> Result<(Client, u32), ConnectError> {
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
        Endpoint::Socket { folder, port } => {
            let path = folder.join(format!(".s.PGSQL.{port}"));
            let stream = UnixStream::connect(path).await.map_err(ConnectError::Unreachable)?;
            log_in(&config, stream, NoTls).await
        }
    }
}

async fn log_in<S, T>(config: &Config, stream: S, tls: T) -> Result<(Client, u32), ConnectError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect_raw(stream, tls).await.map_err(ConnectError::Refused)?;
    let version = connection.parameter("server_version").map_or(0, major_version);
    // It ends with the client; its error is the client's as well.
    tokio::spawn(connection);
    Ok((client, version))
}

/// The major version in a server's description of its version, such as `15.3 (Debian 15.3-1)` or `18beta1`.
fn major_version(version: &str) -> u32 {
    let digits = version.split(|character: char| !character.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Keeps what is said next out of the log, whatever the server's parameters: statements, their durations, plans, and
/// above all the values of their parameters. Not every version and every module has each of these. It must be a
/// transaction of its own, since whether a transaction is sampled for the log is decided when it begins.
pub(crate) const BE_QUIET: &str = "\
    SELECT pg_catalog.set_config(name, value, false) FROM (VALUES \
        ('log_statement', 'none'), ('log_min_duration_statement', '-1'), ('log_min_duration_sample', '-1'), \
        ('log_transaction_sample_rate', '0'), ('log_duration', 'off'), ('log_min_error_statement', 'panic'), \
        ('log_parameter_max_length', '0'), ('log_parameter_max_length_on_error', '0'), \
        ('debug_print_parse', 'off'), ('debug_print_rewritten', 'off'), ('debug_print_plan', 'off'), \
        ('debug_print_raw_parse', 'off'), ('auto_explain.log_min_duration', '-1'), ('pgaudit.log', 'none')\
    ) AS quiet (name, value) WHERE pg_catalog.current_setting(name, true) IS NOT NULL";

/// Gives a role a password. What the server stores for it is in no log.
pub(crate) async fn set_password(client: &Client, user: &str, verifier: &str) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(BE_QUIET).await?;
    client.batch_execute(&set_password_sql(user, verifier)).await
}

/// SQL that gives a role a password, which it does not show.
pub(crate) fn set_password_sql(user: &str, verifier: &str) -> String {
    format!("ALTER ROLE {} PASSWORD '{verifier}'", quote_identifier(user))
}

/// A name as SQL takes it.
pub(crate) fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::major_version;

    #[test]
    fn the_major_version_is_the_first_number() {
        assert_eq!(major_version("15.3 (Debian 15.3-1)"), 15);
        assert_eq!(major_version("18beta1"), 18);
        assert_eq!(major_version("9.6.24"), 9);
        assert_eq!(major_version("unknown"), 0);
    }
}
