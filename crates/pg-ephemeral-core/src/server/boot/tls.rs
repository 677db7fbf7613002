//! How a server comes to speak TLS. It starts without, and gets its key over its first connection, so that no argument,
//! variable, label, image or log ever holds it: as a setting of that one session, which is written where a commit
//! finds nothing, read by the server, and removed again. All that makes the server use it stands beside it and not in
//! the data folder: a layer of its files would start without TLS.

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

/// In a container: in its memory, which no commit holds.
const FOLDER_IN_CONTAINER: &str = "/dev/shm/pg-ephemeral";
/// How long to wait between two looks at whether a server that can't be reached by TCP has turned TLS on.
const PAUSE: Duration = Duration::from_millis(2);

/// A setting is in the memory of one session only.
const TAKE: &str = "SELECT pg_catalog.set_config('pg_ephemeral.server', $1, false), \
    pg_catalog.set_config('pg_ephemeral.authority', $2, false)";

/// What one server is to speak TLS with.
#[derive(Debug)]
pub(super) struct ServerTls {
    hostname: SslHostname,
    certificates: Certificates,
    ca_file: CaFile,
}

impl ServerTls {
    /// How clients of this machine make sure of the server.
    pub(super) fn seen_here(&self) -> TlsParameters {
        self.seen_at(self.ca_file.path().to_owned())
    }

    /// How clients inside its container do.
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

/// The certificate authority's file inside the server's container, which every user there can read.
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

    /// Lets the server start from a configuration and rules of its own that only refer to those of its data folder.
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

    /// Gives a server its key, lets it speak TLS and nothing else over TCP, and waits until it does.
    pub(super) async fn turn_tls_on(&self, client: &Client, launched: &Launched) -> Result<(), StartError> {
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
                    let log = self.last_words(launched.guard.container()).await;
                    let source = connect::ConnectError::Unreachable(std::io::ErrorKind::TimedOut.into());
                    Err(StartError::TimedOut { limit, log, source })
                }
            },
        }
    }
}

impl Server {
    /// Lets the server of a session speak TLS that was started again and has lost its key. It gets a new key, of a new
    /// authority, whose certificate clients find where they found the last one. `client` is connected without TLS.
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

/// Gives a server its key, and makes it read that.
async fn hand_key_over(client: &Client, kind: Kind, certificates: &Certificates) -> Result<(), StartError> {
    let library = "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'ssl_library'";
    let library = client.query_opt(library, &[]).await.map_err(StartError::TurnTlsOn)?;
    if library.is_some_and(|row| row.get::<_, &str>(0).is_empty()) {
        return Err(StartError::BuiltWithoutTls);
    }
    client.batch_execute(connect::BE_QUIET).await.map_err(StartError::TurnTlsOn)?;
    let pem = [certificates.server_pem.expose(), certificates.ca_cert_pem.as_str()];
    client.query_one(TAKE, &[&pem[0], &pem[1]]).await.map_err(StartError::TurnTlsOn)?;
    client.batch_execute(&hand_over_sql(folder_of(kind))).await.map_err(StartError::TurnTlsOn)
}

/// Removes the file of the key, once the server has read it.
async fn remove_key(client: &Client, kind: Kind) -> Result<(), StartError> {
    client.batch_execute(&remove_key_sql(folder_of(kind))).await.map_err(StartError::TurnTlsOn)
}

/// Where the server finds its key and its configuration.
fn folder_of(kind: Kind) -> &'static str {
    if kind == Kind::Host { SOCKET_ON_HOST } else { FOLDER_IN_CONTAINER }
}

/// A new connection sees what the server has read anew, once it has.
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

/// SQL that writes down what the session was told. It holds no key itself. Rules for any connection become rules for
/// those that are encrypted.
fn hand_over_sql(folder: &str) -> String {
    let lines = |setting: &str| {
        format!(
            "SELECT pg_catalog.regexp_split_to_table(pg_catalog.current_setting('pg_ephemeral.{setting}'), \
             pg_catalog.chr(10))"
        )
    };
    // Paths as they are: the folders above may be closed to the server, and then a shell can't change to a folder.
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

/// The server keeps what it has read, also when it is told to read its configuration once more.
fn remove_key_sql(folder: &str) -> String {
    format!("COPY (SELECT 1 WHERE false) TO PROGRAM 'rm {folder}/server.pem'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_in_sql_has_a_place_for_the_key_and_not_the_key() {
        for folder in [FOLDER_IN_CONTAINER, SOCKET_ON_HOST] {
            let said =
                [hand_over_sql(folder), remove_key_sql(folder), connect::BE_QUIET.to_owned(), TAKE.to_owned()].concat();
            assert!(!said.contains("BEGIN") && !said.contains('\n'), "{said}");
            assert!(said.contains("umask 077") && said.contains(&format!("rm {folder}/server.pem")));
        }
    }
}
