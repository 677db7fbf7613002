//! The address of an engine, read from the same variables and files that the engine's own program reads, so that the
//! engine need not be contacted. This module knows addresses, but not what is done at them.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::Kind;

/// The variables that select the engine of Docker's program.
const DOCKER: [&str; 5] = ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH"];
/// The variables that select the service of Podman's program.
const PODMAN: [&str; 3] = ["CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINER_SSHKEY"];
/// Docker's context for the engine of this machine.
const DEFAULT_CONTEXT: &str = "default";

/// The environment variables, with their values, that make an engine's program use one engine of several. Without any
/// variables, that is the engine of this machine.
pub type Selection = BTreeMap<String, String>;

/// Returns every variable that can make the program use another engine.
pub(crate) fn selecting(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Docker => &DOCKER,
        Kind::Podman => &PODMAN,
        Kind::Host => &[],
    }
}

/// Returns the variables to set for a selection, after [all others](selecting) have been removed.
pub(crate) fn to_set(kind: Kind, selection: &Selection) -> Selection {
    let mut selection = selection.clone();
    if kind == Kind::Docker && selection.is_empty() {
        // Docker's configuration file may select another context.
        selection.insert("DOCKER_CONTEXT".to_owned(), DEFAULT_CONTEXT.to_owned());
    }
    selection
}

/// The address of one engine, as the environment selects it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Address {
    pub(crate) selection: Selection,
    /// The URL of the engine's service; `None` if the program needs none.
    pub(crate) endpoint: Option<String>,
}

impl Address {
    /// Returns the address that the program finds with these variables.
    pub(crate) fn of(kind: Kind, variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let (chooser, endpoint) = match kind {
            Kind::Docker => docker(&variable),
            Kind::Podman => podman(&variable),
            Kind::Host => (None, None),
        };
        let Some((name, value)) = chooser else { return Self::default() };
        let mut selection = Selection::from([(name.to_owned(), value)]);
        if matches!(name, "DOCKER_HOST" | "CONTAINER_HOST") {
            let beside = ["DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH", "CONTAINER_SSHKEY"];
            let beside = beside.iter().filter(|name| selecting(kind).contains(name));
            selection.extend(beside.filter_map(|name| Some(((*name).to_owned(), variable(name)?))));
        }
        Self { selection, endpoint }
    }

    /// Returns the host name or address of the engine's machine, or `None` if that is this machine. A loopback address
    /// counts as this machine, because virtual machines that share folders and ports with it are reached that way.
    pub(crate) fn remote_host(&self) -> Option<&str> {
        match endpoint(self.endpoint.as_deref()?) {
            Endpoint::Tcp(host) | Endpoint::Ssh(host) if !is_loopback(host) => Some(host),
            _ => None,
        }
    }

    /// Returns the address at which ports published on the engine's machine are reached. Looks up names and asks SSH
    /// for its host aliases; both may block.
    pub(crate) fn resolve(&self) -> io::Result<IpAddr> {
        let Some(host) = self.remote_host() else { return Ok(Ipv4Addr::LOCALHOST.into()) };
        let endpoint = endpoint(self.endpoint.as_deref().unwrap_or_default());
        match endpoint {
            Endpoint::Ssh(_) => look_up(&ssh_host_name(host).unwrap_or_else(|| host.to_owned())),
            _ => look_up(host),
        }
    }

    /// Returns `true` if the engine's root is an ordinary user. Podman without a service is rootless unless the caller
    /// is root. A service is rootless unless root owns its socket.
    pub(crate) fn is_rootless(&self, kind: Kind) -> bool {
        match (self.endpoint.as_deref().map(endpoint), kind) {
            (Some(Endpoint::Socket(path)), _) => path.metadata().is_ok_and(|socket| socket.uid() != 0),
            (None, Kind::Podman) => !rustix::process::geteuid().is_root(),
            _ => false,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Endpoint<'a> {
    Socket(&'a Path),
    Tcp(&'a str),
    Ssh(&'a str),
    Other,
}

/// Parses the location in a URL. Like Docker, takes a URL without a scheme for TCP.
fn endpoint(url: &str) -> Endpoint<'_> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("tcp", url));
    match scheme {
        "unix" => Endpoint::Socket(Path::new(rest)),
        "tcp" | "http" | "https" => host_of(rest).map_or(Endpoint::Other, Endpoint::Tcp),
        "ssh" => host_of(rest).map_or(Endpoint::Other, Endpoint::Ssh),
        _ => Endpoint::Other,
    }
}

/// Returns the host of `[user[:password]@]host[:port][/path]`.
fn host_of(rest: &str) -> Option<&str> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let host = match place.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.0,
        None => place.split(':').next().unwrap_or_default(),
    };
    (!host.is_empty()).then_some(host)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns the first address of a host, IPv4 before IPv6, because engines publish ports on IPv4 more often.
fn look_up(host: &str) -> io::Result<IpAddr> {
    let mut found: Vec<IpAddr> = (host, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
    found.sort_by_key(IpAddr::is_ipv6);
    found.first().copied().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
}

/// Returns the host name that SSH's own configuration gives for a host, or `None` if SSH is not installed or gives
/// none.
fn ssh_host_name(host: &str) -> Option<String> {
    let mut command = Command::new("ssh");
    let output = command.args(["-G", "--", host]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("hostname ")).map(|name| name.trim().to_owned())
}

type Chosen = (Option<(&'static str, String)>, Option<String>);

fn docker(variable: &dyn Fn(&str) -> Option<String>) -> Chosen {
    if let Some(host) = variable("DOCKER_HOST") {
        return (Some(("DOCKER_HOST", host.clone())), Some(host));
    }
    let home = variable("HOME").map(|home| Path::new(&home).join(".docker"));
    let Some(folder) = variable("DOCKER_CONFIG").map(PathBuf::from).or(home) else { return (None, None) };
    let context = variable("DOCKER_CONTEXT").or_else(|| current_context(&folder));
    match context.filter(|name| name != DEFAULT_CONTEXT && !name.is_empty()) {
        Some(name) => {
            let endpoint = endpoint_of_context(&folder, &name);
            (Some(("DOCKER_CONTEXT", name)), endpoint)
        }
        None => (None, None),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DockerConfig {
    current_context: Option<String>,
}

fn current_context(folder: &Path) -> Option<String> {
    let text = crate::files::read(&folder.join("config.json")).ok()?;
    serde_json::from_slice::<DockerConfig>(&text).ok()?.current_context
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerContext {
    name: String,
    endpoints: BTreeMap<String, DockerEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEndpoint {
    host: Option<String>,
}

/// Returns the endpoint of a Docker context. Docker stores each context in a folder whose name is a hash.
fn endpoint_of_context(folder: &Path, name: &str) -> Option<String> {
    let all = std::fs::read_dir(folder.join("contexts/meta")).ok()?;
    let all = all.flatten().filter_map(|entry| crate::files::read(&entry.path().join("meta.json")).ok());
    let mut all = all.filter_map(|text| serde_json::from_slice::<DockerContext>(&text).ok());
    all.find(|context| context.name == name)?.endpoints.remove("docker")?.host
}

fn podman(variable: &dyn Fn(&str) -> Option<String>) -> Chosen {
    if let Some(host) = variable("CONTAINER_HOST") {
        return (Some(("CONTAINER_HOST", host.clone())), Some(host));
    }
    let Some(name) = variable("CONTAINER_CONNECTION") else { return (None, None) };
    let home = variable("HOME").map(|home| Path::new(&home).join(".config"));
    let folder = variable("XDG_CONFIG_HOME").map(PathBuf::from).or(home).map(|folder| folder.join("containers"));
    let connections = variable("PODMAN_CONNECTIONS_CONF").map(PathBuf::from);
    let connections = connections.or_else(|| Some(folder.as_ref()?.join("podman-connections.json")));
    let settings = variable("CONTAINERS_CONF").map(PathBuf::from);
    let settings = settings.or_else(|| Some(folder.as_ref()?.join("containers.conf")));
    let found = connections.and_then(|path| connection(&path, &name));
    let endpoint = found.or_else(|| settings.and_then(|path| destination(&path, &name)));
    (Some(("CONTAINER_CONNECTION", name)), endpoint)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PodmanConnections {
    connection: PodmanConnectionList,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PodmanConnectionList {
    #[serde(default)]
    connections: BTreeMap<String, PodmanConnection>,
}

#[derive(Deserialize)]
struct PodmanConnection {
    #[serde(alias = "URI")]
    uri: String,
}

/// Returns the URL of a connection from the file that Podman uses since version 5.
fn connection(path: &Path, name: &str) -> Option<String> {
    let all: PodmanConnections = serde_json::from_slice(&crate::files::read(path).ok()?).ok()?;
    all.connection.connections.into_iter().find(|(key, _)| key == name).map(|(_, one)| one.uri)
}

#[derive(Deserialize)]
struct ContainersConf {
    engine: Option<ContainersEngine>,
}

#[derive(Deserialize)]
struct ContainersEngine {
    #[serde(default)]
    service_destinations: BTreeMap<String, PodmanConnection>,
}

/// Returns the URL of a connection from the file that Podman used before version 5.
fn destination(path: &Path, name: &str) -> Option<String> {
    let conf: ContainersConf = toml::from_str(&crate::files::read_to_string(path).ok()?).ok()?;
    conf.engine?.service_destinations.remove(name).map(|one| one.uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(kind: Kind, variables: &[(&str, &str)]) -> Address {
        Address::of(kind, |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    fn at(url: &str) -> Address {
        address(Kind::Docker, &[("DOCKER_HOST", url)])
    }

    #[test]
    fn without_variables_the_engine_is_on_this_machine() {
        for kind in Kind::ALL {
            let here = address(kind, &[("DOCKER_HOST", ""), ("CONTAINER_HOST", "")]);
            assert_eq!(here, Address::default());
            assert_eq!(here.remote_host(), None);
            assert_eq!(here.resolve().unwrap(), Ipv4Addr::LOCALHOST);
        }
    }

    #[test]
    fn the_host_of_a_url_is_the_machine() {
        for (url, host) in [
            ("tcp://10.0.0.7:2375", Some("10.0.0.7")),
            ("10.0.0.7:2375", Some("10.0.0.7")),
            ("tcp://build.example.com", Some("build.example.com")),
            ("tcp://[2001:db8::1]:2376", Some("2001:db8::1")),
            ("https://build.example.com:2376/prefix", Some("build.example.com")),
            ("ssh://build.example.com", Some("build.example.com")),
            ("ssh://me@build.example.com:2222/run/user/1000/podman/podman.sock", Some("build.example.com")),
            ("ssh://me:p@ss@[2001:db8::1]:22/x", Some("2001:db8::1")),
            ("unix:///var/run/docker.sock", None),
            ("npipe:////./pipe/docker_engine", None),
            ("fd://3", None),
            ("tcp://localhost:2375", None),
            ("tcp://127.0.0.1:2375", None),
            ("tcp://127.8.0.1:2375", None),
            ("tcp://[::1]:2375", None),
            ("ssh://core@127.0.0.1:53000/run/podman/podman.sock", None),
            ("tcp://", None),
            ("tcp://[::1", None),
        ] {
            assert_eq!(at(url).remote_host(), host, "{url}");
        }
    }

    #[test]
    fn ports_are_reached_at_the_address_of_the_machine() {
        assert_eq!(at("tcp://10.0.0.7:2375").resolve().unwrap(), IpAddr::from([10, 0, 0, 7]));
        assert_eq!(at("tcp://[2001:db8::1]:2375").resolve().unwrap(), "2001:db8::1".parse::<IpAddr>().unwrap());
        assert_eq!(at("ssh://me@10.0.0.7").resolve().unwrap(), IpAddr::from([10, 0, 0, 7]));
        assert_eq!(at("unix:///run/docker.sock").resolve().unwrap(), Ipv4Addr::LOCALHOST);
        assert_eq!(at("tcp://localhost:1").resolve().unwrap(), Ipv4Addr::LOCALHOST);
        assert!(at("tcp://no such name:2375").resolve().is_err());
    }

    #[test]
    fn each_engine_has_its_own_variables() {
        let both = [("DOCKER_HOST", "tcp://a:1"), ("CONTAINER_HOST", "tcp://b:1"), ("CONTAINER_SSHKEY", "/key")];
        assert_eq!(address(Kind::Docker, &both).remote_host(), Some("a"));
        let podman = address(Kind::Podman, &both);
        assert_eq!(podman.remote_host(), Some("b"));
        let selection = [("CONTAINER_HOST", "tcp://b:1"), ("CONTAINER_SSHKEY", "/key")];
        assert_eq!(podman.selection, selection.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!(address(Kind::Host, &both), Address::default());
    }

    fn write(path: PathBuf, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_docker_context_selects_the_engine_in_its_file() {
        let home = tempfile::tempdir().unwrap();
        let home_text = home.path().to_str().unwrap();
        let folder = home.path().join(".docker");
        let context = |name: &str, host: &str| {
            format!(
                r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":false}}}}}}"#
            )
        };
        write(folder.join("contexts/meta/aa/meta.json"), &context("far", "ssh://me@far.example.com"));
        write(folder.join("contexts/meta/bb/meta.json"), &context("near", "unix:///run/user/1000/docker.sock"));
        let with = |name: &str, value: &str| address(Kind::Docker, &[("HOME", home_text), (name, value)]);
        assert_eq!(with("DOCKER_CONTEXT", "far").remote_host(), Some("far.example.com"));
        assert_eq!(with("DOCKER_CONTEXT", "near").remote_host(), None);
        assert_eq!(with("DOCKER_CONTEXT", "default"), Address::default());
        assert_eq!(with("DOCKER_HOST", "tcp://other:1").remote_host(), Some("other"));
        assert_eq!(with("X", ""), Address::default());
        write(folder.join("config.json"), r#"{"auths":{},"currentContext":"far"}"#);
        let current = with("X", "");
        assert_eq!(current.remote_host(), Some("far.example.com"));
        assert_eq!(current.selection, Selection::from([("DOCKER_CONTEXT".to_owned(), "far".to_owned())]));
        assert_eq!(with("DOCKER_CONTEXT", "default"), Address::default());
        assert_eq!(with("DOCKER_CONTEXT", "gone").endpoint, None);
    }

    #[test]
    fn a_podman_connection_selects_the_engine_in_its_file() {
        let home = tempfile::tempdir().unwrap();
        let home_text = home.path().to_str().unwrap();
        let folder = home.path().join(".config/containers");
        let with = |name: &str| address(Kind::Podman, &[("HOME", home_text), ("CONTAINER_CONNECTION", name)]);
        write(
            folder.join("containers.conf"),
            "[engine]\nruntime = \"crun\"\n[engine.service_destinations.old]\nuri = \"tcp://old.example.com:1\"\n",
        );
        assert_eq!(with("old").remote_host(), Some("old.example.com"));
        write(
            folder.join("podman-connections.json"),
            r#"{"Connection":{"Default":"new","Connections":{"new":{"URI":"ssh://me@new.example.com:22/x","Identity":"/k"}}}}"#,
        );
        assert_eq!(with("new").remote_host(), Some("new.example.com"));
        assert_eq!(with("old").remote_host(), Some("old.example.com"));
        assert_eq!(with("none").endpoint, None);
        assert_eq!(address(Kind::Podman, &[("HOME", home_text)]), Address::default());
    }

    #[test]
    fn a_service_is_rootless_if_an_ordinary_user_owns_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sock");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let ours = at(&format!("unix://{}", path.display()));
        assert_eq!(ours.is_rootless(Kind::Docker), !rustix::process::geteuid().is_root());
        assert!(!at("unix:///no/such/socket").is_rootless(Kind::Docker));
        assert!(!Address::default().is_rootless(Kind::Docker));
        assert_eq!(Address::default().is_rootless(Kind::Podman), !rustix::process::geteuid().is_root());
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(1000), None).unwrap();
            assert!(ours.is_rootless(Kind::Podman));
        }
    }

    #[test]
    fn selecting_the_engine_of_this_machine_overrides_the_users_context() {
        assert!(to_set(Kind::Podman, &Selection::new()).is_empty());
        assert_eq!(to_set(Kind::Docker, &Selection::new())["DOCKER_CONTEXT"], "default");
        let far = at("tcp://a:1").selection;
        assert_eq!(to_set(Kind::Docker, &far), far);
    }
}
