//! Enabling TLS on a server. The server starts without TLS and receives its private key over its first connection, so
//! that the key is never in an argument, variable, label, image or log. The key is sent as a setting of that
//! connection, written to a file in a folder that commits do not include, read by the server, and removed. The
//! configuration that enables TLS is in the same folder, not in the data folder, so that a layer committed from the
//! server starts without TLS.

use std::path::PathBuf;
use std::time::Duration;

use ociman::label::Labels;
use ociman::{Kind, RunSpec};
use tokio_postgres::Client;

use super::launch::Launched;
use super::{Boot, SOCKET_ON_HOST};
use crate::model::{SslConfig, SslHostname, label};
use crate::postgres::connect;
use crate::postgres::endpoint::{ConnectionParameters, Endpoint};
use crate::postgres::tls::{self, CaFile, Certificates, NAMES_IN_CONTAINERS, TlsParameters};
use crate::server::error::StartError;
use crate::server::running::Server;
use crate::session::Session;
use crate::state::Folders;

/// The folder for the key in a container. It is in memory, so commits do not include it.
const FOLDER_IN_CONTAINER: &str = "/dev/shm/pg-ephemeral";
/// The pause between checks whether a server that can't be reached over TCP has enabled TLS.
const PAUSE: Duration = Duration::from_millis(2);

/// Sets the key and the certificate authority as settings, which are only in the memory of one database session.
const TAKE: &str = "SELECT pg_catalog.set_config('pg_ephemeral.server', $1, false), \
    pg_catalog.set_config('pg_ephemeral.authority', $2, false)";

/// The TLS certificates of one server.
#[derive(Debug)]
pub(super) struct ServerTls {
    hostname: SslHostname,
    certificates: Certificates,
    ca_file: CaFile,
}

impl ServerTls {
    /// Returns the parameters with which clients on this machine verify the server.
    pub(super) fn seen_here(&self) -> TlsParameters {
        self.seen_at(self.ca_file.path().to_owned())
    }

    /// Returns the parameters with which clients inside the container verify the server.
    pub(super) fn seen_in_container(&self) -> TlsParameters {
        self.seen_at(ca_file_in_container())
    }

    fn seen_at(&self, ca_file: PathBuf) -> TlsParameters {
        let ca_cert_pem = self.certificates.ca_cert_pem.clone();
        TlsParameters { hostname: self.hostname.clone(), ca_cert_pem, ca_file }
    }

    pub(super) fn labels(&self) -> Labels {
        Labels::from_iter([
            (label::SSL_HOSTNAME_KEY, label::value(self.hostname.as_str())),
            (label::SSL_CA_CERT_PEM_KEY, label::value(&self.certificates.ca_cert_pem)),
        ])
    }

    pub(super) fn into_ca_file(self) -> CaFile {
        self.ca_file
    }
}

/// Returns the path of the file with the certificate authority inside the server's container. Every user there can read
/// it.
pub(in crate::server) fn ca_file_in_container() -> PathBuf {
    PathBuf::from(FOLDER_IN_CONTAINER).join("ca.pem")
}

impl Boot<'_> {
    pub(super) fn prepare_tls(&self, ssl: &SslConfig) -> Result<ServerTls, StartError> {
        let more: &[&str] = if self.definition.cross_container_access { &NAMES_IN_CONTAINERS } else { &[] };
        let certificates = Certificates::generate(&ssl.hostname, more)?;
        let ca_file = CaFile::write(&self.definition.folders, &certificates.ca_cert_pem)?;
        Ok(ServerTls { hostname: ssl.hostname.clone(), certificates, ca_file })
    }

    /// Makes the server start with a configuration file outside of the data folder, which includes that of the data
    /// folder, and a copy of the data folder's `pg_hba.conf`.
    pub(super) fn ready_for_tls(&self, spec: RunSpec) -> RunSpec {
        let (program, folder, data) = match &self.resolved.installation {
            Some(installation) => {
                (installation.bin.join("postgres").to_string_lossy().into_owned(), "$OCIMAN_ROOT/run", "../data")
            }
            None => ("postgres".to_owned(), FOLDER_IN_CONTAINER, "$PGDATA"),
        };
        let script = format!(
            "folder={folder}\n\
             rm -rf \"$folder\" && mkdir -m 755 \"$folder\" && umask 077\n\
             cp \"$PGDATA/pg_hba.conf\" \"$folder/pg_hba.conf\"\n\
             echo \"include '{data}/postgresql.conf'\" >\"$folder/postgresql.conf\"\n\
             exec \"$0\" -c \"config_file=$folder/postgresql.conf\" -c \"hba_file=$folder/pg_hba.conf\" \
             -c \"ssl_cert_file=$folder/server.pem\" -c \"ssl_key_file=$folder/server.pem\" \"$@\""
        );
        spec.entrypoint(["sh", "-e", "-c", &script, &program])
    }

    /// Sends the server its key, enables TLS, and waits until the server uses it. From then on, the server refuses TCP
    /// connections without TLS.
    pub(super) async fn enable_tls(&self, client: &Client, launched: &Launched) -> Result<(), StartError> {
        let Some(tls) = &launched.tls else { return Ok(()) };
        let kind = self.backend.kind();
        hand_key_over(client, kind, &tls.certificates).await?;
        self.wait_for_tls(launched, tls).await?;
        remove_key(client, kind).await
    }

    async fn wait_for_tls(&self, launched: &Launched, tls: &ServerTls) -> Result<(), StartError> {
        let limit = self.definition.wait_available_timeout;
        let mut parameters = self.parameters(launched.endpoint.clone(), launched.own_password.clone());
        match &launched.endpoint {
            Endpoint::Tcp { .. } => {
                parameters.tls = Some(tls.seen_here());
                self.wait_with(launched, &parameters, limit).await.map(drop)
            }
            Endpoint::Socket { .. } => match tokio::time::timeout(limit, until_on(&parameters)).await {
                Ok(on) => on,
                Err(_) => {
                    let log = self.log_tail(launched.guard.container()).await;
                    let source = connect::ConnectError::Unreachable(std::io::ErrorKind::TimedOut.into());
                    Err(StartError::TimedOut { limit, log, source })
                }
            },
        }
    }
}

impl Server {
    /// Enables TLS on a session's server that was started again and so has lost its key. The server gets a new key from
    /// a new certificate authority, whose certificate replaces the old one in the same file. `client` is connected
    /// without TLS.
    pub(crate) async fn turn_tls_on_again(
        &self,
        client: &Client,
        session: &Session,
        folders: &Folders,
    ) -> Result<(), StartError> {
        let Some(tls) = self.connection().tls.clone() else { return Ok(()) };
        let certificates = Certificates::generate(&tls.hostname, &NAMES_IN_CONTAINERS)?;
        let ca_cert_pem = certificates.ca_cert_pem.clone();
        let kind = self.backend();
        tls::replace_authority(folders, kind, session.identity(), &ca_cert_pem)?;
        hand_key_over(client, kind, &certificates).await?;
        let parameters =
            ConnectionParameters { tls: Some(TlsParameters { ca_cert_pem, ..tls }), ..self.connection().clone() };
        self.wait_with(&parameters).await?;
        remove_key(client, kind).await
    }
}

/// Sends a server its key, and makes the server read it.
async fn hand_key_over(client: &Client, kind: Kind, certificates: &Certificates) -> Result<(), StartError> {
    let library = "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'ssl_library'";
    let library = client.query_opt(library, &[]).await.map_err(StartError::TurnTlsOn)?;
    if library.is_some_and(|row| row.get::<_, &str>(0).is_empty()) {
        return Err(StartError::BuiltWithoutTls);
    }
    client.batch_execute(connect::DISABLE_LOGGING_SQL).await.map_err(StartError::TurnTlsOn)?;
    let pem = [certificates.server_pem.expose(), certificates.ca_cert_pem.as_str()];
    client.query_one(TAKE, &[&pem[0], &pem[1]]).await.map_err(StartError::TurnTlsOn)?;
    client.batch_execute(&hand_over_sql(folder_of(kind))).await.map_err(StartError::TurnTlsOn)
}

/// Removes the key file. The server must have read it before.
async fn remove_key(client: &Client, kind: Kind) -> Result<(), StartError> {
    client.batch_execute(&remove_key_sql(folder_of(kind))).await.map_err(StartError::TurnTlsOn)
}

/// Returns the folder in which the server finds its key and its configuration.
fn folder_of(kind: Kind) -> &'static str {
    if kind == Kind::Host { SOCKET_ON_HOST } else { FOLDER_IN_CONTAINER }
}

/// Waits until TLS is on, by opening new connections, because only a new connection is sure to see the reloaded
/// configuration.
async fn until_on(parameters: &ConnectionParameters) -> Result<(), StartError> {
    loop {
        let client = connect::connect(parameters).await.map_err(StartError::Connect)?;
        let row = client.query_one("SHOW ssl", &[]).await.map_err(StartError::TurnTlsOn)?;
        if row.get::<_, &str>(0) == "on" {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Returns the SQL that writes the settings of the database session to files. The SQL itself does not contain the key.
/// It also changes all `host` rules in `pg_hba.conf` to `hostssl`.
fn hand_over_sql(folder: &str) -> String {
    let lines = |setting: &str| {
        format!(
            "SELECT pg_catalog.regexp_split_to_table(pg_catalog.current_setting('pg_ephemeral.{setting}'), \
             pg_catalog.chr(10))"
        )
    };
    // The commands use full paths and no `cd`, which fails if the server has no access to a parent folder.
    format!(
        "COPY ({}) TO PROGRAM 'umask 077 && cat >{folder}/server.pem'; \
         COPY ({}) TO PROGRAM 'umask 077 && cat >{folder}/ca.pem && chmod 644 {folder}/ca.pem && \
         sed \"s/^[[:space:]]*host[[:space:]]/hostssl /\" {folder}/pg_hba.conf >{folder}/rules && \
         mv {folder}/rules {folder}/pg_hba.conf && echo \"ssl = on\" >>{folder}/postgresql.conf'; \
         SELECT pg_catalog.pg_reload_conf()",
        lines("server"),
        lines("authority"),
    )
}

/// Returns the SQL that removes the key file. The server keeps the key in memory, even if it reloads its configuration
/// later.
fn remove_key_sql(folder: &str) -> String {
    format!("COPY (SELECT 1 WHERE false) TO PROGRAM 'rm {folder}/server.pem'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sql_statements_contain_parameters_instead_of_the_key() {
        for folder in [FOLDER_IN_CONTAINER, SOCKET_ON_HOST] {
            let said = [
                hand_over_sql(folder),
                remove_key_sql(folder),
                connect::DISABLE_LOGGING_SQL.to_owned(),
                TAKE.to_owned(),
            ]
            .concat();
            assert!(!said.contains("BEGIN") && !said.contains('\n'), "{said}");
            assert!(said.contains("umask 077") && said.contains(&format!("rm {folder}/server.pem")));
        }
    }
}
