//! Published ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use ociman::{CommandError, Kind, Network, PublishedPort};

use super::expect::{Outcome, equal, holds, refused, some};
use super::stage::Stage;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const INSIDE: u16 = 5432;

fn publish(port: Option<u16>) -> PublishedPort {
    PublishedPort { container: INSIDE, address: ADDRESS, port }
}

/// Returns a port that was free a moment ago.
fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((ADDRESS, 0))?.local_addr()?.port())
}

/// On the host backend only the process itself could choose a port, so the backend has no port to report.
pub(super) async fn a_port_chosen_by_the_engine_is_reported(stage: Arc<Stage>) -> Outcome {
    let spec = stage.idle("a")?.port(publish(None));
    if stage.kind() == Kind::Host {
        return match stage.backend().run(&spec).await {
            Ok(container) => equal("published port", container.published_port(INSIDE).await?, None),
            Err(_) => Ok(()),
        };
    }
    let container = stage.run(&spec).await?;
    let published = some("the published port", container.published_port(INSIDE).await?)?;
    equal("address", published.ip(), ADDRESS)?;
    holds("the port is a number", published.port() != 0, &published)?;
    equal("another port", container.published_port(INSIDE + 1).await?, None)?;
    let again = some("the port asked for again", container.published_port(INSIDE).await?)?;
    equal("the port stays", again, published)
}

pub(super) async fn a_port_chosen_by_the_caller_is_reported(stage: Arc<Stage>) -> Outcome {
    let port = free_port()?;
    let container = stage.run(&stage.idle("a")?.port(publish(Some(port)))).await?;
    let published = container.published_port(INSIDE).await?;
    equal("published port", published, Some(SocketAddr::new(ADDRESS, port)))
}

pub(super) async fn a_listing_reports_the_same_ports_as_an_inspection(stage: Arc<Stage>) -> Outcome {
    let second = PublishedPort { container: 7777, address: ADDRESS, port: Some(free_port()?) };
    let spec = stage.idle("a")?.port(publish(Some(free_port()?))).port(second);
    let container = stage.run(&spec).await?;
    let mut inspected = container.inspect().await?.ports;
    let mut listed = some("the container", stage.backend().list(&[stage.filter()?], &[]).await?.pop())?.ports;
    inspected.sort_by_key(|binding| binding.container);
    listed.sort_by_key(|binding| binding.container);
    equal("number of ports", inspected.len(), 2)?;
    equal("listed ports", listed, inspected)
}

/// The host backend need not refuse the port, because the process itself binds it.
pub(super) async fn a_port_taken_by_a_process_is_refused_and_nothing_is_left(stage: Arc<Stage>) -> Outcome {
    let listener = TcpListener::bind((ADDRESS, 0))?;
    let spec = stage.idle("a")?.port(publish(Some(listener.local_addr()?.port())));
    let result = stage.backend().run(&spec).await;
    if stage.kind() == Kind::Host && result.is_ok() {
        return Ok(());
    }
    refused("a taken port", result, "PortTaken", |error| matches!(error, CommandError::PortTaken { .. }))?;
    equal("the container is there", stage.is_there(&spec.name).await?, false)
}

/// The host backend need not refuse the port, because the process itself binds it.
pub(super) async fn a_port_taken_by_a_container_is_refused_and_nothing_is_left(stage: Arc<Stage>) -> Outcome {
    let port = free_port()?;
    stage.run(&stage.idle("a")?.port(publish(Some(port)))).await?;
    let spec = stage.idle("b")?.port(publish(Some(port)));
    let result = stage.backend().run(&spec).await;
    if stage.kind() == Kind::Host && result.is_ok() {
        return Ok(());
    }
    refused("a taken port", result, "PortTaken", |error| matches!(error, CommandError::PortTaken { .. }))?;
    equal("the container is there", stage.is_there(&spec.name).await?, false)
}

pub(super) async fn a_port_is_free_again_after_removal(stage: Arc<Stage>) -> Outcome {
    let port = free_port()?;
    let mut first = stage.run(&stage.idle("a")?.port(publish(Some(port)))).await?;
    first.remove_force().await?;
    let second = stage.run(&stage.idle("b")?.port(publish(Some(port)))).await?;
    equal("published port", second.published_port(INSIDE).await?, Some(SocketAddr::new(ADDRESS, port)))
}

pub(super) async fn a_container_without_a_network_publishes_nothing(stage: Arc<Stage>) -> Outcome {
    let mut spec = stage.idle("a")?;
    spec.network = Network::None;
    let container = stage.run(&spec).await?;
    equal("ports", container.inspect().await?.ports, Vec::new())
}
