//! [`Seeded`]: a seeded database on a server that another process started, described by environment variables.

use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use ociman::Secret;

use super::error::DatabaseError;
use super::pool::{Databases, ServerLifetime};
use super::{Database, handed};
use crate::model::{SslHostname, SslHostnameError};
use crate::postgres::endpoint::{ConnectionParameters, Endpoint};
use crate::postgres::tls::TlsParameters;

/// A seeded database on a server that another process started.
///
/// `pg-ephemeral run-env` and `pg-ephemeral session run-env` set environment variables for the program that they run.
/// From these variables, all processes of that program can make copies of the same database for their tests.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // pg-ephemeral host run-env -- cargo test
/// let seeded = pg_ephemeral_core::database::Seeded::of_environment()?;
/// let database = seeded.database().await?;
/// database.connect().await?.batch_execute("delete from books").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Seeded {
    databases: Databases,
    connection: ConnectionParameters,
}

/// Why the environment variables do not describe a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// A variable is not set, or is not valid UTF-8.
    #[error("failed to find the server: {name} is not set")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// `PGPORT` is not a port number.
    #[error("failed to find the server: PGPORT is {value:?}")]
    Port {
        /// The value of `PGPORT`.
        value: String,
    },
    /// The host name of the server could not be resolved.
    #[error("failed to find the server {host}")]
    Host {
        /// The host name.
        host: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The host name is not one that a certificate can be made for.
    #[error("failed to check the server {host}")]
    Hostname {
        /// The host name.
        host: String,
        /// Why it is not valid.
        #[source]
        source: SslHostnameError,
    },
    /// The certificate of the server's certificate authority could not be read.
    #[error("failed to read {}", path.display())]
    Authority {
        /// The file of the certificate.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

impl EnvironmentError {
    /// Returns what the user can do about the error, if anything is known to help.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        matches!(self, Self::Missing { .. }).then_some("run it by `pg-ephemeral host run-env -- COMMAND`")
    }
}

impl Seeded {
    /// Returns the database that `PGHOST`, `PGHOSTADDR`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`, `PGSSLMODE`
    /// and `PGSSLROOTCERT` describe, as `run-env` sets them. Does not connect to it.
    ///
    /// # Errors
    /// Returns an error if a required variable is missing or invalid, if the host name can't be resolved, or if the
    /// file named by `PGSSLROOTCERT` can't be read.
    pub fn of_environment() -> Result<Self, EnvironmentError> {
        Self::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let required = |name: &'static str| variable(name).ok_or(EnvironmentError::Missing { name });
        let (host, port) = (required("PGHOST")?, required("PGPORT")?);
        let port = port.parse().map_err(|_| EnvironmentError::Port { value: port })?;
        let tls = match variable("PGSSLROOTCERT").filter(|_| variable("PGSSLMODE").as_deref() == Some("verify-full")) {
            Some(file) => Some(checked(&host, Path::new(&file))?),
            None => None,
        };
        let endpoint = if host.starts_with('/') {
            Endpoint::Socket { folder: host.into(), port }
        } else {
            let address = variable("PGHOSTADDR").unwrap_or_else(|| host.clone());
            Endpoint::Tcp { address: address_of(&address, port)?, port }
        };
        let connection = ConnectionParameters {
            endpoint,
            user: required("PGUSER")?,
            password: Secret::new(required("PGPASSWORD")?),
            database: required("PGDATABASE")?,
            tls,
        };
        Ok(Self { databases: Databases::new(connection.clone(), ServerLifetime::Attached), connection })
    }

    /// Returns a private copy of the database, as [`Server::database`](crate::Server::database) does.
    ///
    /// # Errors
    /// Returns an error if the server can't be reached or the copy can't be made.
    pub async fn database(&self) -> Result<Database, DatabaseError> {
        let databases = self.databases.clone();
        handed(&self.databases, &self.connection, async move { databases.take().await }).await
    }
}

fn address_of(host: &str, port: u16) -> Result<IpAddr, EnvironmentError> {
    let failed = |source| EnvironmentError::Host { host: host.to_owned(), source };
    let mut addresses = (host, port).to_socket_addrs().map_err(failed)?;
    let first = addresses.next().ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
    Ok(first.ip())
}

fn checked(host: &str, file: &Path) -> Result<TlsParameters, EnvironmentError> {
    let hostname: SslHostname =
        host.parse().map_err(|source| EnvironmentError::Hostname { host: host.to_owned(), source })?;
    let ca_cert_pem = ociman::files::read_to_string(file)
        .map_err(|source| EnvironmentError::Authority { path: file.to_owned(), source })?;
    Ok(TlsParameters { hostname, ca_cert_pem, ca_file: file.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [(&str, &str); 5] = [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", "5433"),
        ("PGUSER", "me"),
        ("PGPASSWORD", "secret"),
        ("PGDATABASE", "shop"),
    ];

    fn of(changes: &[(&str, &str)]) -> Result<Seeded, EnvironmentError> {
        let variables: std::collections::HashMap<&str, &str> =
            WHOLE.into_iter().chain(changes.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
        let removed: Vec<&str> = changes.iter().filter(|(_, value)| value.is_empty()).map(|(name, _)| *name).collect();
        Seeded::of(|name| variables.get(name).filter(|_| !removed.contains(&name)).map(|value| (*value).to_owned()))
    }

    #[test]
    fn the_variables_that_run_env_sets_describe_the_server() {
        let seeded = of(&[]).unwrap();
        assert_eq!(seeded.connection.endpoint, Endpoint::Tcp { address: [127, 0, 0, 1].into(), port: 5433 });
        assert_eq!((seeded.connection.user.as_str(), seeded.connection.database.as_str()), ("me", "shop"));
        let inside = of(&[("PGHOST", "/run/postgresql")]).unwrap();
        assert_eq!(inside.connection.endpoint, Endpoint::Socket { folder: "/run/postgresql".into(), port: 5433 });
    }

    #[test]
    fn with_tls_the_host_name_is_verified_and_the_address_is_connected_to() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "an authority").unwrap();
        let path = file.path().to_str().unwrap();
        let tls = [("PGSSLMODE", "verify-full"), ("PGSSLROOTCERT", path)];
        let name = [("PGHOST", "db.example.com"), ("PGHOSTADDR", "127.0.0.2")];
        let seeded = of(&[tls, name].concat()).unwrap();
        assert_eq!(seeded.connection.endpoint, Endpoint::Tcp { address: [127, 0, 0, 2].into(), port: 5433 });
        let checked = seeded.connection.tls.unwrap();
        assert_eq!(
            (checked.hostname.to_string().as_str(), checked.ca_cert_pem.as_str()),
            ("db.example.com", "an authority")
        );
        let missing = [("PGSSLMODE", "verify-full"), ("PGSSLROOTCERT", "/nosuch")];
        assert!(matches!(of(&missing), Err(EnvironmentError::Authority { .. })));
        let wrong = [("PGHOST", "not a name"), ("PGHOSTADDR", "127.0.0.1")];
        assert!(matches!(of(&[tls, wrong].concat()), Err(EnvironmentError::Hostname { .. })));
    }

    #[test]
    fn a_missing_or_invalid_variable_is_an_error_that_names_it() {
        for (name, _) in WHOLE {
            let error = of(&[(name, "")]).unwrap_err();
            assert!(matches!(error, EnvironmentError::Missing { name: missing } if missing == name), "{error:?}");
            assert!(error.hint().unwrap().contains("run-env"));
        }
        assert!(matches!(of(&[("PGPORT", "x")]), Err(EnvironmentError::Port { .. })));
        assert!(matches!(of(&[("PGHOST", "no name")]), Err(EnvironmentError::Host { .. })));
    }
}
