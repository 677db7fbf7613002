//! Attaching to a session. The connection parameters are computed from the session's labels and this user's secret.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use ociman::{ContainerState, Kind, System};

use super::boot::SOCKET_IN_CONTAINER;
use super::boot::tls::ca_file_in_container;
use super::error::AttachError;
use super::running::{Hold, InContainer, Server};
use crate::database::{Databases, ServerLifetime};
use crate::model::{Observer, label};
use crate::postgres::endpoint::{ConnectionParameters, Endpoint, PORT};
use crate::postgres::host_image::{Installation, Installations};
use crate::postgres::tls::{CaFile, TlsParameters, replaced_authority};
use crate::session::Session;
use crate::state::{Folders, MachineSecret, MadeWith};

impl Server {
    /// Attaches to the server of a session. Neither dropping nor stopping the value removes the session.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use pg_ephemeral_core::{Definition, Folders, Server, session_name};
    ///
    /// let session = Definition::new()?.start_session(&session_name!("review"), None).await?;
    /// let server = Server::attach(&session, &Folders::of_user()?)?;
    /// server.connect().await?.batch_execute("create table t (a int)").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns an error if the session is paused, was started with another secret, or has invalid labels. Does not
    /// check whether the server accepts connections.
    pub fn attach(session: &Session, folders: &Folders) -> Result<Self, AttachError> {
        if session.summary().state == ContainerState::Paused {
            return Err(AttachError::Paused { session: session.name().clone() });
        }
        let labels = &session.summary().labels;
        let text = |key: ociman::label::Key| {
            let value = labels.get(&key).map(ToString::to_string);
            value.ok_or_else(|| AttachError::MissingLabel { session: session.name().clone(), key })
        };
        if session.made_with(folders)? == MadeWith::AnotherSecret {
            return Err(AttachError::AnotherSecret { session: session.name().clone() });
        }
        let credential = text(label::CREDENTIAL_KEY).or_else(|_| text(label::NONCE_KEY))?;
        let password = MachineSecret::load_or_create(folders)?.server_password(&credential);
        let (user, database) = (text(label::SUPERUSER_USER_KEY)?, text(label::SUPERUSER_DATABASE_KEY)?);
        let parameters = |endpoint| ConnectionParameters {
            endpoint,
            user: user.clone(),
            password: password.clone(),
            database: database.clone(),
            tls: None,
        };
        let port = session.summary().ports.first();
        let port = port.ok_or_else(|| AttachError::NoPort { session: session.name().clone() })?;
        let (address, port) = (port.published.ip(), port.published.port());
        let backend = session.container().backend();
        let address = match backend.remote_host() {
            Some(_) => {
                backend.address().map_err(|source| AttachError::Address { session: session.name().clone(), source })?
            }
            // A port that is published on all addresses is also published on the loopback address.
            None if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            None => address,
        };
        let ssl = label::ssl(labels)
            .map_err(|source| AttachError::Label { session: session.name().clone(), source: Box::new(source) })?;
        let tls = match ssl {
            Some(ssl) => {
                let labelled = text(label::SSL_CA_CERT_PEM_KEY)?;
                Some((
                    ssl.hostname,
                    replaced_authority(folders, backend.kind(), session.identity()).unwrap_or(labelled),
                ))
            }
            None => None,
        };
        let ca_file = tls.as_ref().map(|(_, pem)| CaFile::write(folders, pem)).transpose()?;
        let verified = |parameters, ca_file: Option<PathBuf>| ConnectionParameters {
            tls: tls.clone().zip(ca_file).map(|((hostname, ca_cert_pem), ca_file)| TlsParameters {
                hostname,
                ca_cert_pem,
                ca_file,
            }),
            ..parameters
        };
        let is_host = session.container().backend().kind() == Kind::Host;
        let in_container = || InContainer {
            socket: parameters(Endpoint::Socket { folder: SOCKET_IN_CONTAINER.into(), port: PORT }),
            loopback: verified(
                parameters(Endpoint::Tcp { address: Ipv4Addr::LOCALHOST.into(), port: PORT }),
                Some(ca_file_in_container()),
            ),
        };
        let image = text(label::IMAGE_KEY)?;
        let programs = if is_host {
            let installations = Installations::find(folders)?;
            let same =
                |found: &&Installation| found.reference().is_some_and(|reference| reference.to_string() == image);
            installations.all().iter().find(same).map(|found| found.bin.clone())
        } else {
            None
        };
        let from_here =
            verified(parameters(Endpoint::Tcp { address, port }), ca_file.as_ref().map(|file| file.path().to_owned()));
        Ok(Self {
            hold: Hold::Attached(session.container().clone()),
            databases: Databases::new(from_here.clone(), ServerLifetime::Attached),
            from_here,
            in_container: (!is_host).then(in_container),
            ca_file,
            programs,
            executor: Arc::new(System),
            observer: Observer::default(),
        })
    }
}
