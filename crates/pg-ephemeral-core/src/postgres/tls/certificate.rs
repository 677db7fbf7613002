//! A certificate authority and the only certificate that it signs. The authority's key is dropped after this signature,
//! so that nobody can sign another certificate.

use ociman::Secret;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};

use crate::model::SslHostname;

/// The host names that Docker and Podman define in containers for the machine that the engine runs on.
pub(crate) const NAMES_IN_CONTAINERS: [&str; 2] = ["host.docker.internal", "host.containers.internal"];
/// The longest common name of a certificate, in bytes (RFC 5280).
const LONGEST_COMMON_NAME: usize = 64;

/// An error while making a certificate.
#[derive(Debug, thiserror::Error)]
#[error("failed to make a certificate for {hostname}")]
#[non_exhaustive]
pub struct CertificateError {
    /// The host name.
    pub hostname: SslHostname,
    /// The cause.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The certificates and the key that a server and its clients need for TLS.
#[derive(Debug, Clone)]
pub(crate) struct Certificates {
    /// The authority's certificate, as PEM.
    pub(crate) ca_cert_pem: String,
    /// The server's certificate and its private key, as PEM.
    pub(crate) server_pem: Secret,
}

impl Certificates {
    /// Generates a new authority, and a server certificate for `hostname` and the DNS names in `more`.
    pub(crate) fn generate(hostname: &SslHostname, more: &[&str]) -> Result<Self, CertificateError> {
        Self::try_generate(hostname, more)
            .map_err(|source| CertificateError { hostname: hostname.clone(), source: Box::new(source) })
    }

    fn try_generate(hostname: &SslHostname, more: &[&str]) -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "pg-ephemeral, for one server");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let ca_cert_pem = authority.self_signed(&authority_key)?.pem();

        let mut server = CertificateParams::default();
        server.subject_alt_names = names(hostname, more)?;
        // Clients before PostgreSQL 15 look for an IP address only in the common name.
        if hostname.as_str().len() <= LONGEST_COMMON_NAME {
            server.distinguished_name.push(DnType::CommonName, hostname.as_str());
        }
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let server_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = server.signed_by(&server_key, &Issuer::new(authority, authority_key))?.pem();
        Ok(Self { ca_cert_pem, server_pem: Secret::new(certificate + &server_key.serialize_pem()) })
    }
}

fn names(hostname: &SslHostname, more: &[&str]) -> Result<Vec<SanType>, rcgen::Error> {
    let first = match hostname.as_ip() {
        Some(address) => SanType::IpAddress(address),
        None => SanType::DnsName(Ia5String::try_from(hostname.as_str())?),
    };
    let mut names = vec![first];
    for &name in more.iter().filter(|name| !name.eq_ignore_ascii_case(hostname.as_str())) {
        names.push(SanType::DnsName(Ia5String::try_from(name)?));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_share_neither_authority_nor_key() {
        let hostname = "localhost".parse().unwrap();
        let [one, other] = [(); 2].map(|()| Certificates::generate(&hostname, &[]).unwrap());
        assert_ne!(one.ca_cert_pem, other.ca_cert_pem);
        assert_ne!(one.server_pem.expose(), other.server_pem.expose());
    }

    #[test]
    fn the_authority_s_certificate_and_the_debug_output_contain_no_private_key() {
        let made = Certificates::generate(&"localhost".parse().unwrap(), &[]).unwrap();
        assert_eq!(made.ca_cert_pem.matches("-----BEGIN").count(), 1);
        assert!(made.ca_cert_pem.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(!format!("{made:?}").contains("PRIVATE KEY"));
        assert!(made.server_pem.expose().contains("-----BEGIN PRIVATE KEY-----"));
    }

    #[test]
    fn a_certificate_can_be_made_for_a_long_name_and_for_an_address_of_both_kinds() {
        let long = vec!["a".repeat(60); 4].join(".");
        for hostname in [long.as_str(), "db", "127.0.0.1", "::1", "host.docker.internal"] {
            Certificates::generate(&hostname.parse().unwrap(), &NAMES_IN_CONTAINERS).unwrap();
        }
    }
}
