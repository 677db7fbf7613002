//! Starting the server of a session from an image that contains its complete state. No layers are looked up or built,
//! and no seeds are applied.

use std::collections::BTreeSet;

use ociman::{Backend, CommandError, Kind, Reference, Secret};

use super::boot::Boot;
use super::boot::launch::{Libraries, Role};
use super::definition::{Definition, Reach};
use super::error::StartError;
use super::resolve::Resolved;
use super::running::{Hold, Server};
use crate::layer::Chain;
use crate::model::{ClusterLocale, InstanceName, SeedHash};
use crate::postgres::host_image::{Installation, Installations};
use crate::seed::ReadSeeds;
use crate::session::{Request, Session};
use crate::state::MachineSecret;

/// A session to start, and the image to start its server from.
pub(crate) struct StartFromImage {
    /// The settings of the server.
    pub(crate) definition: Definition,
    /// The session.
    pub(crate) request: Request,
    pub(crate) backend: Backend,
    /// The base image, for the labels.
    pub(crate) base: Reference,
    /// The image to start from.
    pub(crate) image: Reference,
    /// The key of the image's content.
    pub(crate) key: SeedHash,
    /// See [`Resolved::data_volume`].
    pub(crate) data_volume: Option<String>,
    /// The superuser's password in the image.
    pub(crate) password: Secret,
}

impl Server {
    /// Starts a session from an image.
    pub(crate) async fn start_from_image(start: StartFromImage) -> Result<Session, StartError> {
        let StartFromImage { definition, request, backend, base, image, key, data_volume, password } = start;
        let mut found = Resolved::given(base, Chain::new(key), data_volume, definition.instance.clone());
        if backend.kind() == Kind::Host && definition.ssl_config.is_some() {
            // With TLS, a script starts the server's program, and needs to know where the program is installed.
            let installations = Installations::find(&definition.folders)?;
            let same = |installation: &&Installation| installation.reference().as_ref() == Some(&found.image);
            found.installation = installations.all().iter().find(same).cloned();
        }
        let secret = MachineSecret::load_or_create(&definition.folders)?;
        let boot = Boot::new(&definition, Some(&request), backend.clone(), secret, ReadSeeds::default(), found);
        let running =
            boot.boot_image(&image, &password, Reach::Published, Role::Server, Libraries::Loaded, None).await?;
        let server = boot.hand_over(running).await?;
        server.become_session(&backend, &request).await
    }

    /// Releases the server from its guard, so that it outlives this process as the session that it was started for.
    pub(crate) async fn become_session(self, backend: &Backend, request: &Request) -> Result<Session, StartError> {
        let container = self.container().name().to_string();
        let gone = || StartError::Watch(CommandError::ContainerNotFound { container: container.clone() });
        let find = async || {
            let found = Session::running(backend, &request.name).await.map_err(StartError::FindSession)?;
            found.ok_or_else(gone)
        };
        let name = request.name.container_name();
        match (self.hold, &request.inherited.replaces) {
            (Hold::Owned(guard), Some(replaced)) => {
                // From here on, the handover note decides what happens to the container if this process is killed.
                let successor = guard.release(name, request.lifetime())?;
                replaced.write_ready()?;
                replaced.give_way_to(&successor).await.map_err(StartError::Run)?;
                find().await
            }
            (Hold::Owned(guard), None) => {
                let session = find().await?;
                // There is no await after this line. If the future is dropped before it, the session does not exist,
                // and afterwards it does.
                guard.release(name, request.lifetime())?;
                Ok(session)
            }
            (Hold::Attached(_), _) => find().await,
        }
    }
}

impl Resolved {
    /// Creates the value from known facts, without asking a backend.
    fn given(image: Reference, chain: Chain, data_volume: Option<String>, instance: InstanceName) -> Self {
        Self {
            image,
            chain,
            present: BTreeSet::new(),
            deep: BTreeSet::new(),
            data_volume,
            installation: None,
            instance,
            // The image contains a cluster already, so no locale is needed to create one.
            locale: ClusterLocale::default(),
        }
    }
}
