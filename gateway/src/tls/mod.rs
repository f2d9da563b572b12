//! TLS on the port of plaintext, told apart by a connection's first byte: stock RocketMQ clients
//! are told to use it by a switch and not by another port.

mod config;
#[cfg(test)]
mod tests;

pub(crate) use config::{Config, Mode};

use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// The first byte of a handshake. No remoting frame begins with it: it would be 369 MB long.
const HANDSHAKE: u8 = 0x16;

/// Lets connections of one protocol in, with TLS or without.
#[derive(Debug)]
pub(crate) struct Gate {
    secured: Option<Secured>,
}

struct Secured {
    acceptor: TlsAcceptor,
    takes_plaintext: bool,
    handshakes: Semaphore,
    handshake_timeout: Duration,
}

impl std::fmt::Debug for Secured {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut secured = formatter.debug_struct("Secured");
        secured.field("takes_plaintext", &self.takes_plaintext);
        secured.finish_non_exhaustive()
    }
}

/// A connection that may be served.
#[derive(Debug)]
pub(crate) enum Admitted {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

impl Gate {
    /// A gate as `config` wants it, whose keys begin with `section` in errors.
    ///
    /// # Errors
    /// A file cannot be read or does not hold what it should, or TLS is wanted without one.
    pub(crate) fn new(section: &str, config: &Config) -> Result<Self> {
        let (certificate, key) = match (&config.certificate, &config.key) {
            _ if config.mode == Mode::Disabled => return Ok(Self { secured: None }),
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) if config.mode == Mode::Permissive => return Ok(Self { secured: None }),
            (None, _) => bail!("{section}.tls.certificate is not set"),
            (Some(_), None) => bail!("{section}.tls.key is not set"),
        };
        let secured = Secured {
            acceptor: acceptor(section, certificate, key)?,
            takes_plaintext: config.mode == Mode::Permissive,
            handshakes: Semaphore::new(config.handshakes_max.clamp(1, Semaphore::MAX_PERMITS)),
            handshake_timeout: Duration::from_millis(config.handshake_timeout_ms),
        };
        Ok(Self {
            secured: Some(secured),
        })
    }

    /// Waits for the first byte, for at most `patience`, and for the handshake it may begin. A
    /// connection that says nothing is plaintext, whose driver closes it.
    ///
    /// # Errors
    /// The handshake failed or took too long, or plaintext is not taken: the connection is over.
    pub(crate) async fn admit(&self, stream: TcpStream, patience: Duration) -> Result<Admitted> {
        let Some(secured) = &self.secured else {
            return Ok(Admitted::Plain(stream));
        };
        let mut first = [0];
        let seen = timeout(patience, stream.peek(&mut first)).await;
        let count = seen.context("nothing was sent")??;
        if count == 0 || first != [HANDSHAKE] {
            ensure!(secured.takes_plaintext, "plaintext where only TLS is taken");
            return Ok(Admitted::Plain(stream));
        }
        let shaken = timeout(secured.handshake_timeout, secured.shake_hands(stream)).await;
        let stream = shaken.context("the handshake took too long")??;
        Ok(Admitted::Secured(Box::new(stream)))
    }
}

impl Secured {
    async fn shake_hands(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>> {
        let _turn = self.handshakes.acquire().await?;
        self.acceptor.accept(stream).await.context("the handshake")
    }
}

fn acceptor(section: &str, certificate: &Path, key: &Path) -> Result<TlsAcceptor> {
    let named = |key: &str, file: &Path| format!("{section}.tls.{key}: {}", file.display());
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .with_context(|| named("certificate", certificate))?;
    ensure!(
        !chain.is_empty(),
        "{}: there is no certificate in it",
        named("certificate", certificate)
    );
    let private = PrivateKeyDer::from_pem_file(key).with_context(|| named("key", key))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .with_context(|| format!("{section}.tls: certificate and key"))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
