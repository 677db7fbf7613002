//! This crate's own connections: waits until a server accepts connections, and connects with settings for set-up
//! statements. The caller's `PG*` environment variables are not read.

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

/// The shortest and the longest pause between two attempts. Within these limits, a pause is a tenth of the time waited
/// so far, so that the pauses delay a connection by a tenth at most.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// An error while connecting to a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No server listens at the endpoint, or the other side closed the connection.
    #[error("failed to reach the server")]
    Unreachable(#[source] io::Error),
    /// The certificate of the server's certificate authority can't be used.
    #[error("failed to use the server's certificate authority")]
    Authority(#[source] io::Error),
    /// The server refused the connection, or the connection broke during the log-in.
    #[error("failed to log in")]
    Refused(#[source] tokio_postgres::Error),
}

impl ConnectError {
    /// Returns `true` if a server that is still starting can cause this error.
    fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Authority(_) => false,
            Self::Refused(error) => match error.code() {
                Some(state) => *state == SqlState::CANNOT_CONNECT_NOW,
                // An engine's port forwarding accepts connections before the server does, and then closes them.
                None => true,
            },
        }
    }

    /// Returns the message of the server, or the text of this error if there is none.
    pub(crate) fn server_message(&self) -> String {
        let said = match self {
            Self::Refused(error) => error.as_db_error().map(|error| error.message().to_owned()),
            Self::Unreachable(_) | Self::Authority(_) => None,
        };
        said.unwrap_or_else(|| self.to_string())
    }

    /// Returns `true` if the server reports a wrong password. It reports an expired password the same way.
    pub(crate) fn is_unknown_password(&self) -> bool {
        match self {
            Self::Refused(error) => error.code() == Some(&SqlState::INVALID_PASSWORD),
            Self::Unreachable(_) | Self::Authority(_) => false,
        }
    }

    /// Returns `true` if the server reports a wrong password, or that the role may not log in (SQLSTATE 28P01 or
    /// 28000).
    pub(crate) fn is_wrong_password(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Authority(_) => false,
            Self::Refused(error) => {
                matches!(error.code(), Some(state) if *state == SqlState::INVALID_PASSWORD || *state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
            }
        }
    }
}

/// The reason why waiting for a server ended without a connection.
#[derive(Debug)]
pub(crate) enum WaitEnd<D> {
    /// The server ended.
    Died(D),
    /// The time limit was reached. Contains the error of the last attempt.
    TimedOut(ConnectError),
    /// The server is running and refuses the connection.
    Refused(ConnectError),
}

/// Tries to connect until a connection succeeds, the server refuses it for good, `death` resolves, or `limit` has
/// passed.
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

/// The connection options for this crate's own statements. A seed may have changed settings of the superuser or the
/// database. Connection options take precedence over both, so that the statements work as written and stay out of the
/// log.
pub(crate) const SET_UP_OPTIONS: &str = "-c role=none -c search_path=pg_catalog -c default_transaction_read_only=off \
    -c default_transaction_deferrable=off -c default_transaction_isolation=read\\ committed -c statement_timeout=0 \
    -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c standard_conforming_strings=on \
    -c session_preload_libraries= -c local_preload_libraries= -c log_statement=none -c log_min_duration_statement=-1 \
    -c log_min_error_statement=panic";

/// Like [`SET_UP_OPTIONS`], for a parameter that exists since PostgreSQL 14. A server refuses options that it does not
/// know.
const SET_UP_OPTIONS_SINCE_14: &str = "-c idle_session_timeout=0";
/// Like [`SET_UP_OPTIONS`], for a parameter that exists since PostgreSQL 17, as a statement.
const SET_UP_SINCE_17: &str = "SET transaction_timeout = 0";

/// Connects once, for the user's statements: the settings of the superuser and of the database apply.
///
/// # Errors
/// Returns a [`ConnectError`] if the connection can't be made.
pub(crate) async fn connect(parameters: &ConnectionParameters) -> Result<Client, ConnectError> {
    connect_with(parameters, Config::new()).await.map(|(client, _)| client)
}

/// Connects once, for this crate's own statements, with [`SET_UP_OPTIONS`].
///
/// # Errors
/// Returns a [`ConnectError`] if the connection can't be made.
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

/// Connects, and returns the client and the major version of the server.
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
    // The task ends when the client is dropped. The client returns the errors of the connection, too.
    tokio::spawn(connection);
    Ok((client, version))
}

/// Returns the major version in a server's version string, such as `15.3 (Debian 15.3-1)` or `18beta1`; 0 if there is
/// none.
fn major_version(version: &str) -> u32 {
    let digits = version.split(|character: char| !character.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// SQL that keeps the following statements out of the server's log, whatever the server's parameters: their text,
/// durations and plans, and above all the values of their parameters. It sets only parameters that the server has,
/// because some depend on the version or on a module. It must run in a transaction of its own, because the server
/// decides at the start of a transaction whether to log it as a sample.
pub(crate) const DISABLE_LOGGING_SQL: &str = "\
    SELECT pg_catalog.set_config(name, value, false) FROM (VALUES \
        ('log_statement', 'none'), ('log_min_duration_statement', '-1'), ('log_min_duration_sample', '-1'), \
        ('log_transaction_sample_rate', '0'), ('log_duration', 'off'), ('log_min_error_statement', 'panic'), \
        ('log_parameter_max_length', '0'), ('log_parameter_max_length_on_error', '0'), \
        ('debug_print_parse', 'off'), ('debug_print_rewritten', 'off'), ('debug_print_plan', 'off'), \
        ('debug_print_raw_parse', 'off'), ('auto_explain.log_min_duration', '-1'), ('pgaudit.log', 'none')\
    ) AS quiet (name, value) WHERE pg_catalog.current_setting(name, true) IS NOT NULL";

/// Sets the password of a role. The verifier, which the server stores, does not appear in the log.
pub(crate) async fn set_password(client: &Client, user: &str, verifier: &str) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(DISABLE_LOGGING_SQL).await?;
    client.batch_execute(&set_password_sql(user, verifier)).await
}

/// Returns SQL that sets the password of a role. The SQL contains the verifier, not the password.
pub(crate) fn set_password_sql(user: &str, verifier: &str) -> String {
    format!("ALTER ROLE {} PASSWORD '{verifier}'", quote_identifier(user))
}

/// Quotes a name as an SQL identifier.
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
