//! Both versions of HTTP within TLS, as client and server agree on (ALPN).

use super::produce;
use compat_tests::gantry::Gantry;
use http_body_util::BodyExt as _;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::fs;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A server with a certificate of its own.
fn start() -> (Gantry, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("cert"), directory.path().join("key"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let settings = [
        format!("openmessaging.tls.certificate={}", certificate.display()),
        format!("openmessaging.tls.key={}", key.display()),
    ];
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    (Gantry::start(&settings).unwrap(), made.cert.der().clone())
}

/// A connection whose client speaks `protocols`, the best first.
async fn connect(
    gantry: &Gantry,
    trusted: &CertificateDer<'static>,
    protocols: &[&str],
) -> TokioIo<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|&name| name.into()).collect();
    let address = gantry.endpoint("openmessaging").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await.unwrap();
    let agreed = stream.get_ref().1.alpn_protocol();
    assert_eq!(agreed, Some(protocols[0].as_bytes()));
    TokioIo::new(stream)
}

/// The specification's pull.
fn pull() -> Request<String> {
    Request::get("https://localhost/oms")
        .header("host", "localhost")
        .header("x-oms-version", "1.0.0")
        .header("x-oms-source", "t")
        .header("x-oms-consumerId", "c")
        .header("x-oms-waitMills", "30000")
        .body(String::new())
        .unwrap()
}

#[tokio::test]
async fn http_2_is_agreed_on_within_tls() {
    let (gantry, trusted) = start();
    let stream = connect(&gantry, &trusted, &["h2", "http/1.1"]).await;
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    // Who speaks plaintext shares the port.
    produce(&gantry, "t", &[], b"hello");
    let pulled = client.send_request(pull()).await.unwrap();
    assert_eq!(
        (pulled.status().as_u16(), pulled.version()),
        (200, Version::HTTP_2)
    );
    assert_eq!(pulled.headers()["x-oms-status"], "1200");
    let body = pulled.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "hello");
    drop(client);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn http_1_is_agreed_on_within_tls() {
    let (gantry, trusted) = start();
    let stream = connect(&gantry, &trusted, &["http/1.1"]).await;
    let (mut client, connection) = http1::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    produce(&gantry, "t", &[], b"hello");
    let pulled = client.send_request(pull()).await.unwrap();
    assert_eq!(
        (pulled.status().as_u16(), pulled.version()),
        (200, Version::HTTP_11)
    );
    let body = pulled.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "hello");
    drop(client);
    connection.await.unwrap().unwrap();
}
