//! Starting a session's server from an image that holds all it is to have: nothing is looked up, built or seeded.

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

/// A session that is to be, and what its server is started from.
pub(crate) struct StartFromImage {
    /// How the server is to be.
    pub(crate) definition: Definition,
    /// The session.
    pub(crate) request: Request,
    pub(crate) backend: Backend,
    /// The base image, for the labels.
    pub(crate) base: Reference,
    /// What it is started from.
    pub(crate) image: Reference,
    /// What names the content of that image.
    pub(crate) key: SeedHash,
    /// See [`Resolved::data_volume`].
    pub(crate) data_volume: Option<String>,
    /// The password that is in the image.
    pub(crate) password: Secret,
}

impl Server {
    /// Starts a session from an image.
    pub(crate) async fn start_from_image(start: StartFromImage) -> Result<Session, StartError> {
        let StartFromImage { definition, request, backend, base, image, key, data_volume, password } = start;
        let mut found = Resolved::given(base, Chain::new(key), data_volume, definition.instance.clone());
        if backend.kind() == Kind::Host && definition.ssl_config.is_some() {
            // Its program is started by a script then, and not by its image.
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

    /// Lets the server go, so that it lives on as the session it was started for.
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
                // From here on a note tells what is to become of the container.
                let successor = guard.release(name, request.lifetime())?;
                replaced.write_ready()?;
                replaced.give_way_to(&successor).await.map_err(StartError::Run)?;
                find().await
            }
            (Hold::Owned(guard), None) => {
                let session = find().await?;
                // From here on nothing waits: whoever gives the start up before has no session, and afterwards it is there.
                guard.release(name, request.lifetime())?;
                Ok(session)
            }
            (Hold::Attached(_), _) => find().await,
        }
    }
}

impl Resolved {
    /// What is known without a look.
    fn given(image: Reference, chain: Chain, data_volume: Option<String>, instance: InstanceName) -> Self {
        Self {
            image,
            chain,
            present: BTreeSet::new(),
            deep: BTreeSet::new(),
            data_volume,
            installation: None,
            instance,
            // It has a cluster already.
            locale: ClusterLocale::default(),
        }
    }
}
