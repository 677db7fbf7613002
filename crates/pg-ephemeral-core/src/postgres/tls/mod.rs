//! TLS between clients and one server: certificates that are made for it alone, the file that tells clients of their
//! authority, and this crate's own end of a conversation. That the server gets its key is the business of
//! `server::tls`.

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

/// How a client makes sure that a server is the one that was started for it (`sslmode=verify-full`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsParameters {
    /// The name in the server's certificate.
    pub hostname: SslHostname,
    /// The certificate of the authority that signed it, as PEM. There is one authority for each server.
    pub ca_cert_pem: String,
    /// A file with the same, as the client sees it.
    pub ca_file: PathBuf,
}

impl TlsParameters {
    /// Whether a client that only knows the name finds its way to this address, on any machine: then it needs no
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
    fn only_localhost_and_the_address_itself_need_no_address() {
        let leads = |hostname: &str, address: &str| {
            let hostname = hostname.parse().unwrap();
            TlsParameters { hostname, ca_cert_pem: String::new(), ca_file: PathBuf::new() }
                .leads_to(address.parse().unwrap())
        };
        assert!(leads("localhost", "127.0.0.1") && leads("LocalHost", "::1") && leads("10.0.0.7", "10.0.0.7"));
        assert!(!leads("localhost", "10.0.0.7") && !leads("db.example.com", "127.0.0.1") && !leads("::1", "127.0.0.1"));
    }
}
