//! The TLS client of this crate's own connections, for `tokio-postgres` over `tokio-rustls`. It trusts only the
//! certificate authority of one server, and checks the server's host name.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::TlsParameters;

/// A TLS connector for one server.
pub(crate) struct Connector {
    inner: TlsConnector,
    name: ServerName<'static>,
}

impl Connector {
    pub(crate) fn new(parameters: &TlsParameters) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        let certificate =
            CertificateDer::from_pem_slice(parameters.ca_cert_pem.as_bytes()).map_err(io::Error::other)?;
        roots.add(certificate).map_err(io::Error::other)?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(parameters.hostname.to_string()).map_err(io::Error::other)?;
        Ok(Self { inner: TlsConnector::from(Arc::new(config)), name })
    }
}

impl<S> TlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { Ok(Stream(self.inner.connect(self.name, stream).await?)) })
    }
}

/// An encrypted connection to a server.
pub(crate) struct Stream<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    /// Returns no channel binding. The authority has signed only this server's certificate, so a binding would add
    /// nothing.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    use super::*;
    use crate::postgres::tls::Certificates;

    /// Runs a TLS handshake for the host name `name` between a client that trusts the authority of `trusted` and a
    /// server with the certificate of `served`. Returns the client's result.
    async fn agree(trusted: &Certificates, served: &Certificates, name: &str) -> Result<(), String> {
        let pem = served.server_pem.expose().as_bytes();
        let chain = vec![CertificateDer::from_pem_slice(pem).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let (here, there) = tokio::io::duplex(1 << 16);
        let hostname = name.parse().unwrap();
        let parameters =
            TlsParameters { hostname, ca_cert_pem: trusted.ca_cert_pem.clone(), ca_file: "/nosuch".into() };
        let connector = Connector::new(&parameters).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let (met, _) = tokio::join!(connector.connect(here), acceptor.accept(there));
        met.map(drop).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn only_the_names_in_the_certificate_are_accepted() {
        let made = Certificates::generate(&"db.example.com".parse().unwrap(), &["host.docker.internal"]).unwrap();
        for name in ["db.example.com", "DB.example.com", "host.docker.internal"] {
            agree(&made, &made, name).await.unwrap();
        }
        for name in ["localhost", "example.com", "x.db.example.com", "127.0.0.1", "host.containers.internal"] {
            let error = agree(&made, &made, name).await.unwrap_err();
            assert!(error.contains("not valid for name"), "{name}: {error}");
        }
    }

    #[tokio::test]
    async fn an_address_is_accepted_as_a_name() {
        for name in ["127.0.0.1", "::1"] {
            let made = Certificates::generate(&name.parse().unwrap(), &[]).unwrap();
            agree(&made, &made, name).await.unwrap();
            assert!(agree(&made, &made, "localhost").await.is_err());
        }
    }

    #[tokio::test]
    async fn the_authority_of_another_server_with_the_same_name_is_not_trusted() {
        let hostname = "localhost".parse().unwrap();
        let [one, other] = [(); 2].map(|()| Certificates::generate(&hostname, &[]).unwrap());
        assert!(agree(&one, &other, "localhost").await.is_err());
        agree(&other, &other, "localhost").await.unwrap();
    }

    #[test]
    fn an_invalid_certificate_of_the_authority_is_an_error() {
        let hostname = "localhost".parse().unwrap();
        let ca_cert_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
        assert!(Connector::new(&TlsParameters { hostname, ca_cert_pem, ca_file: "/nosuch".into() }).is_err());
    }
}
