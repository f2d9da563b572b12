//! Receivers that are called by https.

use super::receiver::{Receiver, Reply, status};
use super::{Api, local};
use axum::serve::Listener;
use serde_json::json;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

struct Secured {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, peer) = self.listener.accept().await.unwrap();
            // Who does not trust the certificate ends the handshake.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

#[tokio::test]
async fn a_receiver_is_called_by_https_when_its_certificate_is_trusted_and_of_its_name() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let secured = Secured {
        listener,
        acceptor: TlsAcceptor::from(Arc::new(config)),
    };
    let wanted = Reply::Status(200, vec![("webhook-allowed-origin", "*".to_owned())]);
    let mut receiver = Receiver::on((secured, address), wanted, |_| status(200));
    let url = format!("https://localhost:{}/hook", address.port());
    let trusted = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(trusted.path(), made.cert.pem()).unwrap();
    let mut config = local();
    config.callbacks.ca = Some(trusted.path().to_owned());
    let mut api = Api::new(config);
    api.produce("t", &[], "hello").await;
    let set = api.set("c", json!({"source": "t", "url": url})).await;
    assert_eq!(set.status, 201, "{}", String::from_utf8_lossy(&set.body));
    assert_eq!(receiver.delivery().await.text(), "hello");
    // Of another name.
    let other = format!("https://127.0.0.1:{}/hook", address.port());
    let set = api.set("c", json!({"source": "t", "url": other})).await;
    assert_eq!(set.statuses(), (424, "1418"));
    // Of nobody this machine trusts.
    api.stop().await;
    let mut api = Api::over(api.broker, api.home, local());
    let set = api.set("c", json!({"source": "t", "url": url})).await;
    assert_eq!(set.statuses(), (424, "1418"));
    api.stop().await;
}
