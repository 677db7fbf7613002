//! Where a server is reached and with which words: connection parameters as an environment, as a URL, and for this
//! crate's own client.

use std::net::IpAddr;
use std::path::PathBuf;

use ociman::{Secret, Variable};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::postgres::tls::TlsParameters;

/// Where a server listens, seen from one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// TCP.
    Tcp {
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
    },
    /// A socket in a folder.
    Socket {
        /// The folder, as the client sees it.
        folder: PathBuf,
        /// The number in the socket's name.
        port: u16,
    },
}

/// The port in every container, and the number in the name of its socket.
pub(crate) const PORT: u16 = 5432;

impl Endpoint {
    /// The port, or the number in the socket's name.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Tcp { port, .. } | Self::Socket { port, .. } => *port,
        }
    }
}

/// Everything a client needs to connect.
#[derive(Debug, Clone)]
pub struct ConnectionParameters {
    /// Where.
    pub endpoint: Endpoint,
    /// As whom.
    pub user: String,
    /// With which password.
    pub password: Secret,
    /// To which database.
    pub database: String,
    /// How the server is made sure of, when it speaks TLS. Over a socket nobody does.
    pub tls: Option<TlsParameters>,
}

/// The variables by which PostgreSQL's own clients reach a socket that lets them in without a password, but for its folder.
pub(crate) fn socket_environment(parameters: &ConnectionParameters, port: u16) -> Vec<Variable> {
    vec![
        Variable::plain("PGPORT", port.to_string()),
        Variable::plain("PGUSER", &parameters.user),
        Variable::plain("PGDATABASE", &parameters.database),
    ]
}

/// What stays as it is in a URL (RFC 3986, unreserved characters).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl ConnectionParameters {
    /// The variables that PostgreSQL's own clients read, and `DATABASE_URL`. What holds the password is secret.
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

    /// How the server is made sure of, over this endpoint.
    pub(crate) fn tls_over_tcp(&self) -> Option<&TlsParameters> {
        match self.endpoint {
            Endpoint::Tcp { .. } => self.tls.as_ref(),
            Endpoint::Socket { .. } => None,
        }
    }

    /// The connection URI of libpq's form, with the password.
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

/// A host as a URL takes it.
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
    fn over_tls_the_name_is_the_host_and_the_address_is_told_where_the_name_does_not_lead_there() {
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
    fn over_a_socket_there_is_no_tls() {
        let socket = ConnectionParameters {
            endpoint: Endpoint::Socket { folder: "/run/x".into(), port: PORT },
            ..over_tls("db")
        };
        let without = ConnectionParameters { tls: None, ..socket.clone() };
        assert_eq!(socket.environment(), without.environment());
    }

    #[test]
    fn a_url_quotes_what_would_end_a_part() {
        let tcp = parameters(Endpoint::Tcp { address: [127, 0, 0, 1].into(), port: 5433 });
        assert_eq!(tcp.url().expose(), "postgresql://me%40work:p%2Fw@127.0.0.1:5433/my%20db?sslmode=disable");
        let socket = parameters(Endpoint::Socket { folder: "/run/x".into(), port: PORT });
        assert_eq!(socket.url().expose(), "postgresql://me%40work:p%2Fw@/my%20db?host=%2Frun%2Fx&port=5432");
    }

    #[test]
    fn only_what_holds_the_password_is_secret() {
        let tcp = parameters(Endpoint::Tcp { address: [127, 0, 0, 1].into(), port: 5433 });
        let shown = format!("{:?}", tcp.environment());
        assert!(!shown.contains("p/w") && !shown.contains("p%2Fw"), "{shown}");
        let names: Vec<_> = tcp.environment().into_iter().map(|variable| variable.name).collect();
        assert_eq!(names, ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSWORD", "PGSSLMODE", "DATABASE_URL"]);
    }
}
