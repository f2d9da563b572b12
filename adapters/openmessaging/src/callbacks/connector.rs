//! Connections to receivers: only to addresses that may be called, whatever their names lead to.

use super::config::Config;
use super::target::Place;
use axum::http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreachable {
    /// No address of the host may be called.
    #[error("{0} has no address that openmessaging.protocol.callbacks.allow lets be called")]
    Forbidden(String),
    /// The host has no address.
    #[error("{0}")]
    Unknown(String),
    /// It cannot be connected to.
    #[error("{0}")]
    Failed(String),
}

/// Makes them.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    config: Arc<Config>,
    /// Read when the first receiver is called by https.
    trusted: Arc<OnceLock<Result<Arc<ClientConfig>, String>>>,
}

impl Connector {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config: Arc::new(config),
            trusted: Arc::default(),
        }
    }

    /// The addresses of a host that may be called; at least one.
    ///
    /// # Errors
    /// There is none.
    pub(crate) async fn addresses(&self, place: &Place) -> Result<Vec<SocketAddr>, Unreachable> {
        let found = lookup_host((place.host.as_str(), place.port)).await;
        let found = found.map_err(|error| {
            Unreachable::Unknown(format!("{} cannot be resolved: {error}", place.host))
        })?;
        let is_allowed = |address: &SocketAddr| {
            let mut allowed = self.config.allow.iter();
            allowed.any(|one| one.permits(&place.host, address.ip()))
        };
        let allowed: Vec<_> = found.filter(is_allowed).collect();
        if allowed.is_empty() {
            return Err(Unreachable::Forbidden(place.host.clone()));
        }
        Ok(allowed)
    }

    async fn connect(self, uri: Uri) -> Result<Stream, Unreachable> {
        let none = || Unreachable::Unknown(format!("{uri} has no host"));
        let place = Place::of(&uri).ok_or_else(none)?;
        let addresses = self.addresses(&place).await?;
        let stream = TcpStream::connect(addresses.as_slice()).await;
        let stream = stream.map_err(|error| {
            Unreachable::Failed(format!("{} cannot be connected to: {error}", place.host))
        })?;
        // What a request is made of goes out at once; a socket that cannot do that is slower.
        let _ = stream.set_nodelay(true);
        if !place.is_secured {
            return Ok(Stream::over(stream));
        }
        let trusted = self.trusted.get_or_init(|| trust(&self.config));
        let trusted = trusted.clone().map_err(Unreachable::Failed)?;
        let name = ServerName::try_from(place.host.clone())
            .map_err(|error| Unreachable::Failed(format!("{}: {error}", place.host)))?;
        let secured = TlsConnector::from(trusted).connect(name, stream).await;
        let secured = secured.map_err(|error| {
            Unreachable::Failed(format!("{} makes no TLS connection: {error}", place.host))
        })?;
        Ok(Stream::over(secured))
    }
}

/// Whose certificates are trusted: those of the setting, or the machine's.
fn trust(config: &Config) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = &config.ca {
        let wrong = |error: &dyn std::fmt::Display| format!("callbacks.ca: {error}");
        let certificates = CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| wrong(&error))?;
            roots.add(certificate).map_err(|error| wrong(&error))?;
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "a root certificate of this machine cannot be read");
        }
        roots.add_parsable_certificates(found.certs);
    }
    if roots.is_empty() {
        return Err("there is no root certificate to trust: set callbacks.ca".to_owned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl tower::Service<Uri> for Connector {
    type Response = Stream;
    type Error = Unreachable;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Unreachable>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unreachable>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // The client may finish a connection for later whose request has another one by now.
        let patience = Duration::from_millis(self.config.timeout_ms_max);
        let connected = timeout(patience, self.clone().connect(uri));
        let late = |_| {
            Err(Unreachable::Failed(
                "the connection took too long".to_owned(),
            ))
        };
        Box::pin(async move { connected.await.unwrap_or_else(late) })
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// A connection, secured or not.
pub(crate) struct Stream(TokioIo<Box<dyn Socket>>);

impl Stream {
    fn over(socket: impl Socket + 'static) -> Self {
        Self(TokioIo::new(Box::new(socket)))
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }
}
