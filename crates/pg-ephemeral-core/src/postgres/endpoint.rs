//! Connection parameters of a server: as environment variables, as a URL, and for this crate's own client.

use std::net::IpAddr;
use std::path::PathBuf;

use ociman::{Secret, Variable};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::postgres::tls::TlsParameters;

/// The address of a server, as a client reaches it. A client in a container may need another endpoint than a client on
/// this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP address.
    Tcp {
        /// The IP address.
        address: IpAddr,
        /// The port.
        port: u16,
    },
    /// A Unix socket in a folder.
    Socket {
        /// The folder, as the client sees it.
        folder: PathBuf,
        /// The port number in the name of the socket file, such as `.s.PGSQL.5432`.
        port: u16,
    },
}

/// The port that servers in containers listen on, and the port number in the names of their sockets.
pub(crate) const PORT: u16 = 5432;

impl Endpoint {
    /// Returns the port, or the port number in the name of the socket file.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Tcp { port, .. } | Self::Socket { port, .. } => *port,
        }
    }
}

/// Everything that a client needs to connect to a server.
#[derive(Debug, Clone)]
pub struct ConnectionParameters {
    /// The address of the server.
    pub endpoint: Endpoint,
    /// The role to log in as.
    pub user: String,
    /// The password of the role.
    pub password: Secret,
    /// The database to connect to.
    pub database: String,
    /// The values with which the client verifies the server; `None` if the server does not use TLS. Connections over a
    /// socket ignore them.
    pub tls: Option<TlsParameters>,
}

/// Returns the variables with which PostgreSQL's own clients connect over a socket that needs no password. The folder
/// of the socket (`PGHOST`) is not among them.
pub(crate) fn socket_environment(parameters: &ConnectionParameters, port: u16) -> Vec<Variable> {
    vec![
        Variable::plain("PGPORT", port.to_string()),
        Variable::plain("PGUSER", &parameters.user),
        Variable::plain("PGDATABASE", &parameters.database),
    ]
}

/// The characters to percent-encode in a URL: all except the unreserved characters of RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl ConnectionParameters {
    /// Returns the environment variables that PostgreSQL's own clients read, and `DATABASE_URL`. Variables that hold
    /// the password are marked as secret.
    pub fn environment(&self) -> Vec<Variable> {
        let (host, address, port) = match (&self.endpoint, &self.tls) {
            (Endpoint::Tcp { address, port }, None) => (address.to_string(), None, *port),
            (Endpoint::Tcp { address, port }, Some(tls)) => {
                (tls.hostname.to_string(), (!tls.leads_to(*address)).then_some(address), *port)
            }
            (Endpoint::Socket { folder, port }, _) => (folder.to_string_lossy().into_owned(), None, *port),
        };
        let mut variables = vec![Variable::plain("PGHOST", host)];
        variables.extend(address.map(|address| Variable::plain("PGHOSTADDR", address.to_string())));
        variables.extend([
            Variable::plain("PGPORT", port.to_string()),
            Variable::plain("PGUSER", &self.user),
            Variable::plain("PGDATABASE", &self.database),
            Variable::secret("PGPASSWORD", self.password.clone()),
        ]);
        match self.tls_over_tcp() {
            Some(tls) => variables.extend([
                Variable::plain("PGSSLMODE", "verify-full"),
                Variable::plain("PGSSLROOTCERT", tls.ca_file.to_string_lossy()),
            ]),
            None => variables.push(Variable::plain("PGSSLMODE", "disable")),
        }
        variables.push(Variable::secret("DATABASE_URL", self.url()));
        variables
    }

    /// Returns the TLS parameters if the endpoint is TCP. Connections over a socket do not use TLS.
    pub(crate) fn tls_over_tcp(&self) -> Option<&TlsParameters> {
        match self.endpoint {
            Endpoint::Tcp { .. } => self.tls.as_ref(),
            Endpoint::Socket { .. } => None,
        }
    }

    /// Returns the connection URI in libpq's format. It contains the password.
    pub fn url(&self) -> Secret {
        let encode = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
        let user = encode(&self.user);
        let password = encode(self.password.expose());
        let database = encode(&self.database);
        Secret::new(match &self.endpoint {
            Endpoint::Tcp { address, port } => {
                let (host, query) = match &self.tls {
                    None => (in_url(&address.to_string()), "sslmode=disable".to_owned()),
                    Some(tls) => {
                        let ca_file = encode(&tls.ca_file.to_string_lossy());
                        let address = match tls.leads_to(*address) {
                            true => String::new(),
                            false => format!("&hostaddr={}", encode(&address.to_string())),
                        };
                        let query = format!("sslmode=verify-full&sslrootcert={ca_file}{address}");
                        (in_url(tls.hostname.as_str()), query)
                    }
                };
                format!("postgresql://{user}:{password}@{host}:{port}/{database}?{query}")
            }
            Endpoint::Socket { folder, port } => {
                let folder = encode(&folder.to_string_lossy());
                format!("postgresql://{user}:{password}@/{database}?host={folder}&port={port}")
            }
        })
    }
}

/// Formats a host for a URL: an IPv6 address gets brackets.
fn in_url(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(endpoint: Endpoint) -> ConnectionParameters {
        ConnectionParameters {
            endpoint,
            user: "me@work".to_owned(),
            password: Secret::new("p/w"),
            database: "my db".to_owned(),
            tls: None,
        }
    }

    fn over_tls(hostname: &str) -> ConnectionParameters {
        let ca_cert_pem = "pem".to_owned();
        let tls = TlsParameters { hostname: hostname.parse().unwrap(), ca_cert_pem, ca_file: "/a b/ca.pem".into() };
        let endpoint = Endpoint::Tcp { address: [127, 0, 0, 1].into(), port: 5433 };
        ConnectionParameters { tls: Some(tls), ..parameters(endpoint) }
    }

    fn plain(parameters: &ConnectionParameters, name: &str) -> Option<String> {
        let variables = parameters.environment();
        variables.iter().find(|variable| variable.name == name).map(|variable| variable.expose().to_owned())
    }

    #[test]
    fn clients_over_tls_get_the_hostname_and_also_the_address_if_the_name_does_not_resolve_to_it() {
        for (hostname, address, url_host) in [
            ("localhost", None, "localhost"),
            ("db.example.com", Some("127.0.0.1"), "db.example.com"),
            ("127.0.0.1", None, "127.0.0.1"),
            ("::1", Some("127.0.0.1"), "[::1]"),
        ] {
            let tls = over_tls(hostname);
            assert_eq!(plain(&tls, "PGHOST").as_deref(), Some(hostname));
            assert_eq!(plain(&tls, "PGHOSTADDR").as_deref(), address);
            assert_eq!(plain(&tls, "PGSSLMODE").as_deref(), Some("verify-full"));
            assert_eq!(plain(&tls, "PGSSLROOTCERT").as_deref(), Some("/a b/ca.pem"));
            let told = address.map(|address| format!("&hostaddr={address}")).unwrap_or_default();
            let query = format!("sslmode=verify-full&sslrootcert=%2Fa%20b%2Fca.pem{told}");
            let url = format!("postgresql://me%40work:p%2Fw@{url_host}:5433/my%20db?{query}");
            assert_eq!(plain(&tls, "DATABASE_URL"), Some(url));
        }
    }

    #[test]
    fn connections_over_a_socket_do_not_use_tls() {
        let socket = ConnectionParameters {
            endpoint: Endpoint::Socket { folder: "/run/x".into(), port: PORT },
            ..over_tls("db")
        };
        let without = ConnectionParameters { tls: None, ..socket.clone() };
        assert_eq!(socket.environment(), without.environment());
    }

    #[test]
    fn reserved_characters_in_a_url_are_percent_encoded() {
        let tcp = parameters(Endpoint::Tcp { address: [127, 0, 0, 1].into(), port: 5433 });
        assert_eq!(tcp.url().expose(), "postgresql://me%40work:p%2Fw@127.0.0.1:5433/my%20db?sslmode=disable");
        let socket = parameters(Endpoint::Socket { folder: "/run/x".into(), port: PORT });
        assert_eq!(socket.url().expose(), "postgresql://me%40work:p%2Fw@/my%20db?host=%2Frun%2Fx&port=5432");
    }

    #[test]
    fn only_variables_that_hold_the_password_are_secret() {
        let tcp = parameters(Endpoint::Tcp { address: [127, 0, 0, 1].into(), port: 5433 });
        let shown = format!("{:?}", tcp.environment());
        assert!(!shown.contains("p/w") && !shown.contains("p%2Fw"), "{shown}");
        let names: Vec<_> = tcp.environment().into_iter().map(|variable| variable.name).collect();
        assert_eq!(names, ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSWORD", "PGSSLMODE", "DATABASE_URL"]);
    }
}
