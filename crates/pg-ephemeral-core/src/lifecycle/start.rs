//! Starting what a [`Definition`] describes: what killed commands have left is removed, then images and layers are looked up,
//! and then the server is built and started.

use std::time::Duration;

use ociman::{Backend, CommandError, ContainerState};

use super::reap::{self, Patience};
use crate::model::session::Name;
use crate::model::{Liveness, Step, label};
use crate::postgres::tls;
use crate::server::boot::refuse_reserved;
use crate::server::{Boot, Definition, Server, StartError, WithServerError, refuse_remote_folder, resolve};
use crate::session::{Request, Session};
use crate::state::{Folders, MachineSecret, secret};
use crate::state::{handover, record};

impl Definition {
    /// Starts a session: a server with a name, that outlives this process. It ends by [`Session::stop`], or by the next
    /// command once `ttl` is over.
    ///
    /// # Errors
    /// [`StartError::SessionExists`] when a session of this name runs, and everything else that a start can end with.
    /// Nothing is left behind then.
    pub async fn start_session(&self, name: &Name, ttl: Option<Duration>) -> Result<Session, StartError> {
        start_requested(self, Request::new(name.clone(), ttl)).await
    }

    /// Builds every layer that is missing, and starts no server beyond that.
    ///
    /// # Errors
    /// [`StartError`]; the layers that were done by then stay.
    pub async fn populate_cache(&self) -> Result<(), StartError> {
        prepare(self, None).await?.populate().await?;
        self.observer.begin(Step::Stopped);
        Ok(())
    }

    /// Starts a server. It is removed by [`Server::stop`], and when the value is dropped, unless it is a session.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left behind then, nor when the future is dropped.
    pub async fn start(&self) -> Result<Server, StartError> {
        let Some(name) = &self.session_name else {
            let server = prepare(self, None).await?.start().await?;
            self.observer.begin(Step::Ready);
            return Ok(server);
        };
        let session = self.start_session(name, None).await?;
        let attached = Server::attach(&session, &self.folders);
        if attached.is_err() {
            // The caller could not do anything with it; why it is no use is the better error.
            let _ = session.stop().await;
        }
        Ok(attached?)
    }

    /// Starts a server, runs a closure with it and removes it, whatever becomes of the closure.
    ///
    /// # Errors
    /// What the start, the closure or the removal ends with, in this order.
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

/// Everything before the first container.
async fn prepare<'a>(definition: &'a Definition, request: Option<&'a Request>) -> Result<Boot<'a>, StartError> {
    refuse_reserved(definition)?;
    let seeds = definition.read_seeds().await.map_err(StartError::LoadSeeds)?;
    let secret = MachineSecret::load_or_create(&definition.folders)?;
    let look_up = async |backend: &Backend| {
        refuse_remote_folder(backend, definition.transparent_workdir.as_ref())?;
        reap::reap_recorded(&definition.folders, backend, Patience::Hurry).await;
        resolve::look_up(definition, backend, &seeds).await
    };
    let (backend, found) = definition.on_backend(look_up).await?;
    Ok(Boot::new(definition, request, backend, secret, seeds, found))
}

/// Starts a session of a name that nobody has.
pub(super) async fn start_requested(definition: &Definition, request: Request) -> Result<Session, StartError> {
    let backend = definition.find_backend().await?;
    let definition = definition.clone().backend(backend.clone());
    // What a killed start left, and a session whose time is over, have the name no longer.
    reap::reap_recorded(&definition.folders, &backend, Patience::Hurry).await;
    refuse_existing(&definition.folders, &backend, &request.name).await?;
    let start = async || prepare(&definition, Some(&request)).await?.start().await;
    let server = match start().await {
        Err(StartError::Run(CommandError::NameTaken { .. })) => {
            // Somebody was faster; but it may be a killed start that came late, or one that has failed since.
            reap::reap_recorded(&definition.folders, &backend, Patience::Hurry).await;
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

/// Starts a session from what its definition says, seeds and all, in the place of the one that the request names.
pub(super) async fn start_in_place(definition: &Definition, request: &Request) -> Result<Session, StartError> {
    let boot = prepare(definition, Some(request)).await?;
    let backend = boot.backend().clone();
    boot.start().await?.become_session(&backend, request).await
}

/// A session that runs keeps its name, and so does one that is being started. One whose time is over or whose server has
/// ended gives it up. Somebody else's container is left alone.
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
    // Where the records are another user's, the labels tell whose start it is.
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
