//! Parses the JSON output of the engines into typed values. Every function returns `None` for a shape that it does not
//! know. Unknown fields are ignored, because every version of an engine adds some.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::label::{Key, Labels, Value};
use crate::{
    ContainerInfo, ContainerState, ContainerSummary, EngineInfo, ImageInfo, ImageSummary, PortBinding, Reference,
    Version,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawVersion {
    client: RawVersionPart,
    server: Option<RawVersionPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawVersionPart {
    version: String,
}

pub(super) fn version(text: &str) -> Option<Version> {
    let raw: RawVersion = serde_json::from_str(text.trim()).ok()?;
    Some(Version { client: raw.client.version, server: raw.server.map(|part| part.version) })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerInfo {
    docker_root_dir: Option<PathBuf>,
    #[serde(default)]
    security_options: Option<Vec<String>>,
}

pub(super) fn docker_info(text: &str) -> Option<EngineInfo> {
    let raw: DockerInfo = serde_json::from_str(text.trim()).ok()?;
    let is_rootless = raw.security_options.unwrap_or_default().iter().any(|option| option == "name=rootless");
    Some(EngineInfo { storage: raw.docker_root_dir, is_rootless, endpoint: None })
}

#[derive(Deserialize)]
struct PodmanInfo {
    host: PodmanHost,
    store: PodmanStore,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodmanHost {
    #[serde(default)]
    service_is_remote: bool,
    remote_socket: Option<PodmanSocket>,
    #[serde(default)]
    security: PodmanSecurity,
}

#[derive(Deserialize)]
struct PodmanSocket {
    path: Option<String>,
}

#[derive(Deserialize, Default)]
struct PodmanSecurity {
    #[serde(default)]
    rootless: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodmanStore {
    graph_root: Option<PathBuf>,
}

pub(super) fn podman_info(text: &str) -> Option<EngineInfo> {
    let raw: PodmanInfo = serde_json::from_str(text.trim()).ok()?;
    let socket = raw.host.remote_socket.and_then(|socket| socket.path);
    Some(EngineInfo {
        storage: raw.store.graph_root,
        is_rootless: raw.host.security.rootless,
        endpoint: socket.filter(|_| raw.host.service_is_remote),
    })
}

/// Returns the `--format` of Docker's `ps`. Docker prints all labels of a container as one text that can't be split
/// again, so each label is requested by name.
pub(super) fn docker_list_format(labels: &[Key]) -> String {
    let values: Vec<String> = labels.iter().map(|key| format!("{{{{json (.Label {:?})}}}}", key.as_str())).collect();
    format!(
        r#"{{"id":{{{{json .ID}}}},"names":{{{{json .Names}}}},"state":{{{{json .State}}}},"ports":{{{{json .Ports}}}},"labels":[{}]}}"#,
        values.join(",")
    )
}

#[derive(Deserialize)]
struct DockerListed {
    id: String,
    names: String,
    state: String,
    ports: String,
    labels: Vec<String>,
}

pub(super) fn docker_list(text: &str, keys: &[Key]) -> Option<Vec<ContainerSummary>> {
    lines::<DockerListed>(text)?
        .into_iter()
        .map(|raw| {
            let labels = keys.iter().cloned().zip(raw.labels);
            Some(ContainerSummary {
                id: raw.id,
                name: raw.names.split(',').next()?.to_owned(),
                labels: known_labels(labels),
                state: state(&raw.state),
                ports: docker_ports(&raw.ports),
            })
        })
        .collect()
}

/// Parses ports such as `127.0.0.1:4000->5432/tcp, [::1]:4000->5432/tcp, 80/tcp`. Ports without an arrow are not
/// published.
fn docker_ports(text: &str) -> Vec<PortBinding> {
    text.split(", ")
        .filter_map(|entry| {
            let (published, container) = entry.split_once("->")?;
            let container = container.strip_suffix("/tcp")?.parse().ok()?;
            let (address, port) = published.rsplit_once(':')?;
            let address = address.trim_start_matches('[').trim_end_matches(']');
            let published = SocketAddr::new(address.parse().ok()?, port.parse().ok()?);
            Some(PortBinding { container, published })
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PodmanListed {
    id: String,
    names: Vec<String>,
    state: String,
    labels: Option<BTreeMap<String, String>>,
    ports: Option<Vec<PodmanPort>>,
}

#[derive(Deserialize)]
struct PodmanPort {
    host_ip: String,
    container_port: u16,
    host_port: u16,
    protocol: String,
    /// How many consecutive ports, starting with these, are published alike. Older versions don't report a range.
    #[serde(default = "one_port")]
    range: u16,
}

fn one_port() -> u16 {
    1
}

impl PodmanPort {
    /// Returns each port of the range separately. A range that goes beyond the last port number ends there.
    fn bindings(&self) -> impl Iterator<Item = PortBinding> {
        // Zero means one port, too.
        (0..self.range.max(1)).map_while(|offset| {
            let container = self.container_port.checked_add(offset)?;
            binding(container, &self.host_ip, self.host_port.checked_add(offset)?)
        })
    }
}

pub(super) fn podman_list(text: &str, keys: &[Key]) -> Option<Vec<ContainerSummary>> {
    array::<PodmanListed>(text)?
        .into_iter()
        .map(|raw| {
            let mut all = raw.labels.unwrap_or_default();
            let asked = keys.iter().filter_map(|key| Some((key.clone(), all.remove(key.as_str())?)));
            let labels = known_labels(asked);
            let ports = raw.ports.unwrap_or_default();
            Some(ContainerSummary {
                id: raw.id,
                name: raw.names.into_iter().next()?,
                labels,
                state: state(&raw.state),
                ports: ports.iter().filter(|port| port.protocol == "tcp").flat_map(PodmanPort::bindings).collect(),
            })
        })
        .collect()
}

fn known_labels(pairs: impl IntoIterator<Item = (Key, String)>) -> Labels {
    pairs
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(key, value)| Some((key, value.parse::<Value>().ok()?)))
        .collect()
}

fn state(text: &str) -> ContainerState {
    match text.to_lowercase().as_str() {
        "running" | "restarting" => ContainerState::Running,
        "paused" => ContainerState::Paused,
        "created" | "configured" | "initialized" => ContainerState::Created,
        "exited" | "stopped" | "dead" => ContainerState::Exited,
        _ => ContainerState::Unknown,
    }
}

fn binding(container: u16, address: &str, port: u16) -> Option<PortBinding> {
    let address: IpAddr = match address {
        "" => Ipv4Addr::UNSPECIFIED.into(),
        address => address.parse().ok()?,
    };
    Some(PortBinding { container, published: SocketAddr::new(address, port) })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawContainer {
    id: String,
    name: String,
    image: String,
    config: RawConfig,
    state: RawState,
    network_settings: Option<RawNetwork>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct RawConfig {
    labels: Option<BTreeMap<String, String>>,
    env: Option<Vec<String>>,
    volumes: Option<BTreeMap<String, serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawState {
    status: String,
    exit_code: Option<i32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawNetwork {
    ports: Option<BTreeMap<String, Option<Vec<RawBinding>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawBinding {
    host_ip: String,
    host_port: String,
}

pub(super) fn containers(text: &str) -> Option<Vec<ContainerInfo>> {
    array::<RawContainer>(text)?.into_iter().map(container).collect()
}

fn container(raw: RawContainer) -> Option<ContainerInfo> {
    let state = state(&raw.state.status);
    let ports = raw.network_settings.and_then(|network| network.ports).unwrap_or_default();
    Some(ContainerInfo {
        id: raw.id,
        name: raw.name.trim_start_matches('/').parse().ok()?,
        labels: all_labels(raw.config.labels),
        state,
        exit_code: raw.state.exit_code.filter(|_| state == ContainerState::Exited),
        ports: ports.into_iter().flat_map(|(port, bindings)| published(&port, bindings.unwrap_or_default())).collect(),
        environment: raw.config.env.unwrap_or_default(),
        image_id: raw.image,
    })
}

fn published(port: &str, bindings: Vec<RawBinding>) -> Vec<PortBinding> {
    let Some(container) = port.strip_suffix("/tcp").and_then(|port| port.parse().ok()) else { return Vec::new() };
    bindings.iter().filter_map(|raw| binding(container, &raw.host_ip, raw.host_port.parse().ok()?)).collect()
}

fn all_labels(raw: Option<BTreeMap<String, String>>) -> Labels {
    Labels::from_untrusted(raw.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawImage {
    id: String,
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
    #[serde(rename = "RootFS")]
    root_fs: RawRootFs,
    os: String,
    architecture: String,
    config: Option<RawConfig>,
    size: Option<u64>,
    created: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawRootFs {
    layers: Option<Vec<String>>,
}

pub(super) fn images(text: &str) -> Option<Vec<ImageInfo>> {
    let images = array::<RawImage>(text)?;
    Some(images.into_iter().map(image).collect())
}

fn image(raw: RawImage) -> ImageInfo {
    let config = raw.config.unwrap_or_default();
    let mut names = raw.repo_tags.unwrap_or_default();
    names.extend(raw.repo_digests.unwrap_or_default());
    ImageInfo {
        id: raw.id,
        diff_ids: raw.root_fs.layers.unwrap_or_default(),
        os: raw.os,
        architecture: raw.architecture,
        labels: all_labels(config.labels),
        environment: config.env.unwrap_or_default(),
        volumes: config.volumes.unwrap_or_default().into_keys().collect(),
        names,
        size: raw.size.unwrap_or_default(),
        created: raw.created.as_deref().and_then(time_of_making),
    }
}

/// Parses a time of RFC 3339 in any time zone. Returns `None` for the epoch and for Go's zero time (the year 1), which
/// builds write to hide their time.
fn time_of_making(text: &str) -> Option<SystemTime> {
    let time = SystemTime::from(text.parse::<jiff::Timestamp>().ok()?);
    (time > UNIX_EPOCH).then_some(time)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    #[serde(rename = "ID")]
    id: String,
    repository: String,
    tag: String,
}

pub(super) fn docker_images(text: &str) -> Option<Vec<ImageSummary>> {
    let images = lines::<DockerImage>(text)?;
    Some(images.into_iter().filter_map(|raw| summary(raw.id, &format!("{}:{}", raw.repository, raw.tag))).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PodmanImage {
    id: String,
    names: Option<Vec<String>>,
}

pub(super) fn podman_images(text: &str) -> Option<Vec<ImageSummary>> {
    let images = array::<PodmanImage>(text)?;
    let named = images.into_iter().flat_map(|raw| {
        let names = raw.names.unwrap_or_default();
        names.into_iter().filter_map(move |name| summary(raw.id.clone(), &name))
    });
    let mut all: Vec<_> = named.collect();
    // Podman lists an image with several names once for each name, and each time with all names.
    all.sort_by(|a, b| a.reference.cmp(&b.reference));
    all.dedup();
    Some(all)
}

/// Returns one name of an image, or `None` if the image has no name, which listings show as `<none>`.
fn summary(id: String, name: &str) -> Option<ImageSummary> {
    let reference: Reference = name.parse().ok()?;
    Some(ImageSummary { id, reference: reference.canonical() })
}

fn array<T: DeserializeOwned>(text: &str) -> Option<Vec<T>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Vec::new());
    }
    serde_json::from_str::<Option<Vec<T>>>(text).ok().map(Option::unwrap_or_default)
}

fn lines<T: DeserializeOwned>(text: &str) -> Option<Vec<T>> {
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn podman_ports(port: &str) -> Vec<(u16, String)> {
        let text = format!(r#"[{{"Id": "x", "Names": ["a"], "State": "running", "Ports": [{port}]}}]"#);
        let ports = podman_list(&text, &[]).unwrap().remove(0).ports;
        ports.iter().map(|port| (port.container, port.published.to_string())).collect()
    }

    #[test]
    fn the_storage_and_rootless_mode_of_an_engine_are_read() {
        let docker =
            r#"{"DockerRootDir":"/var/lib/docker","SecurityOptions":["name=seccomp,profile=default","name=rootless"]}"#;
        let docker = docker_info(docker).unwrap();
        assert_eq!((docker.storage, docker.is_rootless), (Some("/var/lib/docker".into()), true));
        assert!(!docker_info(r#"{"DockerRootDir":"/x","SecurityOptions":null}"#).unwrap().is_rootless);
        let podman = |remote| {
            let text = r#"{"host":{"serviceIsRemote":REMOTE,"remoteSocket":{"path":"/run/x.sock"},"security":{"rootless":false}},
                "store":{"graphRoot":"/var/lib/containers/storage"}}"#;
            podman_info(&text.replace("REMOTE", remote)).unwrap()
        };
        assert_eq!(podman("false").endpoint, None);
        assert_eq!(podman("true").endpoint.as_deref(), Some("/run/x.sock"));
        assert_eq!(podman("true").storage, Some("/var/lib/containers/storage".into()));
        assert_eq!(podman_info("{}"), None);
    }

    #[test]
    fn every_port_of_a_range_that_podman_lists_is_read() {
        let start = r#""host_ip": "127.0.0.1", "container_port": 5432, "host_port": 4000, "protocol""#;
        let three: Vec<_> = (0..3).map(|offset| (5432 + offset, format!("127.0.0.1:{}", 4000 + offset))).collect();
        assert_eq!(podman_ports(&format!(r#"{{{start}: "tcp", "range": 3}}"#)), three);
        assert_eq!(podman_ports(&format!(r#"{{{start}: "tcp", "range": 1}}"#)), three[..1]);
        assert_eq!(podman_ports(&format!(r#"{{{start}: "tcp", "range": 0}}"#)), three[..1]);
        assert_eq!(podman_ports(&format!(r#"{{{start}: "tcp"}}"#)), three[..1]);
        assert!(podman_ports(&format!(r#"{{{start}: "udp", "range": 3}}"#)).is_empty());
    }

    #[test]
    fn a_range_ends_with_the_last_port_number() {
        let port = r#"{"host_ip": "", "container_port": 1, "host_port": 65534, "protocol": "tcp", "range": 65535}"#;
        assert_eq!(podman_ports(port), [(1, "0.0.0.0:65534".to_owned()), (2, "0.0.0.0:65535".to_owned())]);
    }

    #[test]
    fn the_creation_time_of_an_image_is_read_in_every_time_zone() {
        let expected = Some(UNIX_EPOCH + Duration::from_millis(1_767_225_600_250));
        assert_eq!(time_of_making("2026-01-01T00:00:00.25Z"), expected);
        assert_eq!(time_of_making("2026-01-01T02:00:00.250000000+02:00"), expected);
    }

    #[test]
    fn an_image_that_hides_its_creation_time_has_none() {
        for text in ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "", "yesterday"] {
            assert_eq!(time_of_making(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_image_without_a_creation_time_is_read() {
        let text = r#"[{"Id": "x", "RootFS": {"Layers": []}, "Os": "linux", "Architecture": "amd64"}]"#;
        assert_eq!(images(text).unwrap()[0].created, None);
    }
}
