//! Starting a [`Definition`]: a start first removes the containers and files that killed commands have left, then looks
//! up images and layers, and then builds and starts the server.

use std::time::Duration;

use ociman::{Backend, CommandError, ContainerState};

use super::reap::{self, LateStarts};
use crate::model::session::Name;
use crate::model::{Liveness, Step, label};
use crate::postgres::tls;
use crate::server::boot::refuse_reserved;
use crate::server::{Boot, Definition, Server, StartError, WithServerError, refuse_remote_folder, resolve};
use crate::session::{Request, Session};
use crate::state::{Folders, MachineSecret, secret};
use crate::state::{handover, record};

impl Definition {
    /// Starts a session: a named server that outlives this process. [`Session::stop`] ends it. Once `ttl` is over, the
    /// next command removes it; without a `ttl` it has no time limit.
    ///
    /// # Errors
    /// Returns [`StartError::SessionExists`] if a session of this name runs, and another [`StartError`] if the start
    /// fails for another reason. A failed start leaves nothing behind.
    pub async fn start_session(&self, name: &Name, ttl: Option<Duration>) -> Result<Session, StartError> {
        start_requested(self, Request::new(name.clone(), ttl)).await
    }

    /// Builds every missing layer, without leaving a server running.
    ///
    /// # Errors
    /// Returns an error if a layer can't be built. The layers that were finished before the error are kept.
    pub async fn populate_cache(&self) -> Result<(), StartError> {
        prepare(self, None).await?.populate().await?;
        self.observer.begin(Step::Stopped);
        Ok(())
    }

    /// Starts a server. [`Server::stop`] removes it, and so does dropping the value, unless the server is a session.
    ///
    /// # Errors
    /// Returns an error if the server can't be started. Nothing is left behind then, nor if the future is dropped.
    pub async fn start(&self) -> Result<Server, StartError> {
        let Some(name) = &self.session_name else {
            let server = prepare(self, None).await?.start().await?;
            self.observer.begin(Step::Ready);
            return Ok(server);
        };
        let session = self.start_session(name, None).await?;
        let attached = Server::attach(&session, &self.folders);
        if attached.is_err() {
            // The caller can't use the session. The error of `attach` is reported rather than one of this stop.
            let _ = session.stop().await;
        }
        Ok(attached?)
    }

    /// Starts a server, runs a closure with it, and removes the server, even if the closure fails.
    ///
    /// # Errors
    /// Returns the error of the start, of the closure or of the removal. If several fail, the first one in this order.
    pub async fn with_server<T, E>(
        &self,
        body: impl AsyncFnOnce(&Server) -> Result<T, E>,
    ) -> Result<T, WithServerError<E>> {
        let server = self.start().await.map_err(WithServerError::Start)?;
        let result = body(&server).await;
        let stopped = server.stop().await;
        let value = result.map_err(WithServerError::Body)?;
        stopped.map_err(WithServerError::Stop)?;
        Ok(value)
    }
}

/// Does everything that comes before the first container: validates, reads the seeds, removes leftovers, and looks up
/// the images.
async fn prepare<'a>(definition: &'a Definition, request: Option<&'a Request>) -> Result<Boot<'a>, StartError> {
    refuse_reserved(definition)?;
    let seeds = definition.read_seeds().await.map_err(StartError::LoadSeeds)?;
    let secret = MachineSecret::load_or_create(&definition.folders)?;
    let look_up = async |backend: &Backend| {
        refuse_remote_folder(backend, definition.transparent_workdir.as_ref())?;
        reap::reap_recorded(&definition.folders, backend, LateStarts::Hurry).await;
        resolve::look_up(definition, backend, &seeds).await
    };
    let (backend, found) = definition.on_backend(look_up).await?;
    Ok(Boot::new(definition, request, backend, secret, seeds, found))
}

/// Starts a session, if its name is not taken.
pub(super) async fn start_requested(definition: &Definition, request: Request) -> Result<Session, StartError> {
    let backend = definition.find_backend().await?;
    let definition = definition.clone().backend(backend.clone());
    // A start that was killed, and a session that has expired, no longer keep the name.
    reap::reap_recorded(&definition.folders, &backend, LateStarts::Hurry).await;
    refuse_existing(&definition.folders, &backend, &request.name).await?;
    let start = async || prepare(&definition, Some(&request)).await?.start().await;
    let server = match start().await {
        Err(StartError::Run(CommandError::NameTaken { .. })) => {
            // Another process has started a container of this name. If that process has been killed, or its start has
            // failed since, the name is free again.
            reap::reap_recorded(&definition.folders, &backend, LateStarts::Hurry).await;
            refuse_existing(&definition.folders, &backend, &request.name).await?;
            match start().await {
                Err(StartError::Run(CommandError::NameTaken { .. })) => {
                    return Err(StartError::SessionExists { name: request.name.clone() });
                }
                started => started?,
            }
        }
        started => started?,
    };
    let session = server.become_session(&backend, &request).await?;
    definition.observer.begin(Step::Ready);
    Ok(session)
}

/// Starts a session from its definition, including all seeds, in place of the session that the request replaces.
pub(super) async fn start_in_place(definition: &Definition, request: &Request) -> Result<Session, StartError> {
    let boot = prepare(definition, Some(request)).await?;
    let backend = boot.backend().clone();
    boot.start().await?.become_session(&backend, request).await
}

/// Checks that a session name is free. A session that runs or is being started keeps its name. A session that has
/// expired or whose server has ended is removed, which frees the name.
///
/// # Errors
/// Returns [`StartError::SessionExists`] if the name is taken by a session. If a container that is not a session has
/// the name, it is left alone, and the error is [`CommandError::NameTaken`].
pub(super) async fn refuse_existing(folders: &Folders, backend: &Backend, name: &Name) -> Result<(), StartError> {
    if handover::is_noted(folders, backend, name) && handover::is_there(folders, backend, name).await {
        return Err(StartError::SessionExists { name: name.clone() });
    }
    let exists = || StartError::SessionExists { name: name.clone() };
    let container = backend.container(name.container_name().clone());
    match Session::running(backend, name).await.map_err(StartError::FindSession)? {
        Some(session) if session.has_expired() => {
            container.remove_force_if(&session.summary().id).await.map_err(StartError::Run)?;
            tls::forget_session(folders, backend.kind(), session.credential());
            return Ok(());
        }
        Some(_) => return Err(exists()),
        None => {}
    }
    let info = match container.inspect().await {
        Ok(info) => info,
        Err(CommandError::ContainerNotFound { .. }) => return Ok(()),
        Err(error) => return Err(StartError::Run(error)),
    };
    if info.labels.get(&label::SESSION_KEY).is_none() {
        return Err(StartError::Run(CommandError::NameTaken { name: container.name().to_string() }));
    }
    // If another user started the container, there is no record of it here, but its labels name the owner.
    let is_dead = || matches!(label::owner(&info.labels), Ok(Some(owner)) if owner.liveness() == Liveness::Dead);
    match info.state {
        _ if record::is_being_started(folders, &container) => Err(exists()),
        ContainerState::Exited => {
            container.remove_force_if(&info.id).await.map_err(StartError::Run)?;
            if let Some(credential) = secret::credential(&info.labels) {
                tls::forget_session(folders, backend.kind(), credential);
            }
            Ok(())
        }
        ContainerState::Created if is_dead() => container.remove_force_if(&info.id).await.map_err(StartError::Run),
        _ => Err(exists()),
    }
}
