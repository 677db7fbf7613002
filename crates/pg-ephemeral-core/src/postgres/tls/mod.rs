//! TLS between clients and a server: certificates made for one server, the file with their certificate authority, and
//! the TLS client of this crate's own connections. `server::boot::tls` passes the key to the server.

mod ca_file;
mod certificate;
mod connector;

pub use ca_file::CaFileError;
pub(crate) use ca_file::{
    CaFile, ServerIdentity, forget_session, replace_authority, replaced_authority, session_ca_file,
};
pub use certificate::CertificateError;
pub(crate) use certificate::{Certificates, NAMES_IN_CONTAINERS};
pub(crate) use connector::Connector;

use std::net::IpAddr;
use std::path::PathBuf;

use crate::model::SslHostname;

/// The values with which a client verifies a server's identity (`sslmode=verify-full`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsParameters {
    /// The host name in the server's certificate.
    pub hostname: SslHostname,
    /// The certificate of the authority that signed the server's certificate, as PEM. Each server has its own
    /// authority.
    pub ca_cert_pem: String,
    /// The path of a file with the authority's certificate, as the client sees it.
    pub ca_file: PathBuf,
}

impl TlsParameters {
    /// Returns `true` if the host name stands for this address on every machine. If so, a client does not need
    /// `PGHOSTADDR`.
    pub(crate) fn leads_to(&self, address: IpAddr) -> bool {
        match self.hostname.as_ip() {
            Some(named) => named == address,
            None => self.hostname.as_str().eq_ignore_ascii_case("localhost") && address.is_loopback(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_localhost_and_the_address_itself_need_no_hostaddr() {
        let leads = |hostname: &str, address: &str| {
            let hostname = hostname.parse().unwrap();
            TlsParameters { hostname, ca_cert_pem: String::new(), ca_file: PathBuf::new() }
                .leads_to(address.parse().unwrap())
        };
        assert!(leads("localhost", "127.0.0.1") && leads("LocalHost", "::1") && leads("10.0.0.7", "10.0.0.7"));
        assert!(!leads("localhost", "10.0.0.7") && !leads("db.example.com", "127.0.0.1") && !leads("::1", "127.0.0.1"));
    }
}
