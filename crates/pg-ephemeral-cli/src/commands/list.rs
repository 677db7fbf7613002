//! `list`: prints the servers that pg-ephemeral has started.

use ociman::{ContainerState, ContainerSummary, Kind};
use pg_ephemeral_core::label;
use pg_ephemeral_core::reap::{LateStarts, reap_recorded};
use serde::Serialize;

use super::backends::working_backends;
use super::context::Context;
use crate::args::{Format, Global};
use crate::output::{Failure, print_json, print_table};

/// A server, as `list --format json` shows it.
#[derive(Debug, Serialize)]
struct ListedServer {
    /// The name of the server's container.
    name: String,
    /// The backend that the server runs on.
    backend: &'static str,
    /// The server's instance.
    instance: Option<String>,
    /// The server's base image.
    image: Option<String>,
    /// The name of the session; `null` if the server is no session.
    session: Option<String>,
    /// `created`, `running`, `paused`, `exited` or `unknown`.
    state: &'static str,
    /// The ID of the process that owns the server.
    owner_pid: Option<u32>,
    /// The server's port on this machine, if published.
    port: Option<u16>,
}

pub(crate) async fn run(global: &Global) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let mut servers = Vec::new();
    for backend in working_backends(&context).await? {
        reap_recorded(&context.folders, &backend, LateStarts::Hurry).await;
        let keys = [label::INSTANCE_KEY, label::IMAGE_KEY, label::SESSION_KEY, label::OWNER_KEY];
        let containers = backend.list(&[label::ours()], &keys).await?;
        servers.extend(containers.iter().map(|container| listed(backend.kind(), container)));
    }
    match global.format {
        Format::Json => print_json(&servers),
        _ => {
            let rows = servers.into_iter().map(|server| {
                let port = server.port.map(|port| port.to_string());
                let owner = server.owner_pid.map(|pid| pid.to_string());
                [
                    server.name,
                    server.backend.to_owned(),
                    server.instance.unwrap_or_default(),
                    server.image.unwrap_or_default(),
                    server.session.unwrap_or_default(),
                    server.state.to_owned(),
                    owner.unwrap_or_default(),
                    port.unwrap_or_default(),
                ]
            });
            print_table(["NAME", "BACKEND", "INSTANCE", "IMAGE", "SESSION", "STATE", "OWNER", "PORT"], rows)
        }
    }
}

fn listed(backend: Kind, container: &ContainerSummary) -> ListedServer {
    let text = |key| container.labels.get(&key).map(ToString::to_string);
    ListedServer {
        name: container.name.clone(),
        backend: backend.as_str(),
        instance: text(label::INSTANCE_KEY),
        image: text(label::IMAGE_KEY),
        session: text(label::SESSION_KEY),
        state: match container.state {
            ContainerState::Created => "created",
            ContainerState::Running => "running",
            ContainerState::Paused => "paused",
            ContainerState::Exited => "exited",
            ContainerState::Unknown => "unknown",
        },
        owner_pid: label::owner(&container.labels).ok().flatten().map(|owner| owner.pid),
        port: container.ports.first().map(|binding| binding.published.port()),
    }
}
