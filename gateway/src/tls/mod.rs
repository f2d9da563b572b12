//! TLS on the port of plaintext, told apart by a connection's first byte: stock RocketMQ clients
//! are told to use it by a switch and not by another port.

mod config;
mod subject;
#[cfg(test)]
mod tests;

pub(crate) use config::{ClientCertificate, Config, Mode};
pub(crate) use subject::Subject;

use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
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

impl Admitted {
    /// Whether it came in TLS, and who the certificate is of that the client has shown.
    pub(crate) fn secured(&self) -> Option<Option<Subject>> {
        match self {
            Self::Plain(_) => None,
            Self::Secured(stream) => {
                let (_, session) = stream.get_ref();
                let shown = session.peer_certificates().and_then(<[_]>::first);
                Some(shown.and_then(|shown| Subject::of(shown)))
            }
        }
    }
}

impl Gate {
    /// A gate as `config` wants it, whose keys begin with `section` in errors.
    ///
    /// # Errors
    /// A file cannot be read or does not hold what it should, or TLS is wanted without one.
    pub(crate) fn new(section: &str, config: &Config) -> Result<Self> {
        Self::with_protocols(section, config, &[])
    }

    /// The same for HTTP, whose clients choose its version within the handshake (ALPN).
    ///
    /// # Errors
    /// As [`Gate::new`].
    pub(crate) fn of_http(section: &str, config: &Config) -> Result<Self> {
        Self::with_protocols(section, config, &[b"h2", b"http/1.1"])
    }

    fn with_protocols(section: &str, config: &Config, protocols: &[&[u8]]) -> Result<Self> {
        let (certificate, key) = match (&config.certificate, &config.key) {
            _ if config.mode == Mode::Disabled => return Ok(Self { secured: None }),
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) if config.mode == Mode::Permissive => return Ok(Self { secured: None }),
            (None, _) => bail!("{section}.tls.certificate is not set"),
            (Some(_), None) => bail!("{section}.tls.key is not set"),
        };
        let secured = Secured {
            acceptor: acceptor(section, config, (certificate, key), protocols)?,
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

fn acceptor(
    section: &str,
    config: &Config,
    (certificate, key): (&Path, &Path),
    protocols: &[&[u8]],
) -> Result<TlsAcceptor> {
    let chain = certificates(section, "certificate", certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).with_context(|| named(section, "key", key))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match &config.client_ca {
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(section, "client_ca", authorities)? {
                let added = roots.add(root);
                added.with_context(|| named(section, "client_ca", authorities))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match config.client_certificate {
                ClientCertificate::Required => verifier,
                ClientCertificate::Optional => verifier.allow_unauthenticated(),
            };
            builder.with_client_cert_verifier(verifier.build()?)
        }
        None => {
            ensure!(
                config.client_certificate == ClientCertificate::Optional,
                "{section}.tls.client_ca is not set"
            );
            builder.with_no_client_auth()
        }
    };
    let made = builder.with_single_cert(chain, private);
    let mut made = made.with_context(|| format!("{section}.tls: certificate and key"))?;
    made.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(made)))
}

fn certificates(section: &str, key: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .with_context(|| named(section, key, file))?;
    ensure!(
        !all.is_empty(),
        "{}: there is no certificate in it",
        named(section, key, file)
    );
    Ok(all)
}

fn named(section: &str, key: &str, file: &Path) -> String {
    format!("{section}.tls.{key}: {}", file.display())
}
