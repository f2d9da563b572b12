use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder};

/// Longer than any test waits for what is to happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate for localhost with its key, and a client that trusts it.
struct Identity {
    roots: RootCertStore,
    directory: TempDir,
    connector: TlsConnector,
}

impl Identity {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("cert.pem"), made.cert.pem()).unwrap();
        let key = made.signing_key.serialize_pem();
        std::fs::write(directory.path().join("key.pem"), key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let anonymous = trusting(roots.clone()).with_no_client_auth();
        Self {
            roots,
            directory,
            connector: TlsConnector::from(Arc::new(anonymous)),
        }
    }

    fn trusting(&self) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        trusting(self.roots.clone())
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.directory.path().join(name))
    }

    fn config(&self, mode: Mode) -> Config {
        Config {
            mode,
            certificate: self.file("cert.pem"),
            key: self.file("key.pem"),
            ..Config::default()
        }
    }

    fn gate(&self, mode: Mode) -> Gate {
        Gate::new("remoting", &self.config(mode)).unwrap()
    }
}

fn trusting(roots: RootCertStore) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
}

/// A connection as both ends have it.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

async fn shake_hands(identity: &Identity, gate: &Gate) -> Result<Admitted> {
    let (client, server) = pair().await;
    let name = ServerName::try_from("localhost").unwrap();
    let connect = identity.connector.connect(name, client);
    let (client, admitted) = tokio::join!(connect, gate.admit(server, PATIENCE));
    let Ok(Admitted::Secured(mut stream)) = admitted else {
        return admitted;
    };
    let mut client = client?;
    client.write_all(b"ping").await.unwrap();
    client.flush().await.unwrap();
    let mut said = [0; 4];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"ping");
    Ok(Admitted::Secured(stream))
}

/// Who signs clients' certificates, and a client's.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap());
        Self {
            issuer: issuer.unwrap(),
        }
    }

    /// The same client with a certificate of `name`.
    fn certify(&self, identity: &Identity, name: &str) -> TlsConnector {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let trusting = identity.trusting();
        let config = trusting.with_client_auth_cert(vec![made.der().clone()], private);
        TlsConnector::from(Arc::new(config.unwrap()))
    }
}

#[tokio::test]
async fn clients_are_known_by_the_certificates_that_were_signed_for_them() {
    let mut identity = Identity::new();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let signers = identity.directory.path().join("ca.pem");
    std::fs::write(&signers, authority.issuer.pem()).unwrap();
    let config = Config {
        client_ca: Some(signers),
        ..identity.config(Mode::Enforcing)
    };
    let optional = Gate::new("amqp", &config).unwrap();
    let required = Config {
        client_certificate: ClientCertificate::Required,
        ..config
    };
    let required = Gate::new("amqp", &required).unwrap();
    let anybody = shake_hands(&identity, &optional).await.unwrap();
    assert_eq!(anybody.secured(), Some(None));
    assert!(shake_hands(&identity, &required).await.is_err());
    identity.connector = authority.certify(&identity, "anna");
    for gate in [&optional, &required] {
        let anna = shake_hands(&identity, gate).await.unwrap();
        let subject = anna.secured().unwrap().unwrap();
        assert_eq!(subject.common_name.as_deref(), Some("anna"));
    }
    identity.connector = stranger.certify(&identity, "anna");
    for gate in [&optional, &required] {
        assert!(shake_hands(&identity, gate).await.is_err());
    }
}

async fn say(gate: &Gate, bytes: &[u8]) -> Result<Admitted> {
    let (mut client, server) = pair().await;
    client.write_all(bytes).await.unwrap();
    gate.admit(server, PATIENCE).await
}

#[tokio::test]
async fn each_mode_takes_what_it_should() {
    let identity = Identity::new();
    let frame = b"\0\0\0\x10rest";
    for (mode, takes_tls, takes_plaintext) in [
        (Mode::Permissive, true, true),
        (Mode::Enforcing, true, false),
    ] {
        let gate = identity.gate(mode);
        let secured = shake_hands(&identity, &gate).await;
        assert_eq!(
            matches!(secured, Ok(Admitted::Secured(_))),
            takes_tls,
            "{mode:?}"
        );
        let plain = say(&gate, frame).await;
        assert_eq!(
            matches!(plain, Ok(Admitted::Plain(_))),
            takes_plaintext,
            "{mode:?}"
        );
    }
    // The protocol's own decoder refuses the handshake then.
    let gate = identity.gate(Mode::Disabled);
    let plain = say(&gate, &[HANDSHAKE, 3, 1]).await;
    assert!(matches!(plain, Ok(Admitted::Plain(_))));
}

#[tokio::test]
async fn plaintext_keeps_its_first_byte() {
    let gate = Identity::new().gate(Mode::Permissive);
    let Ok(Admitted::Plain(mut stream)) = say(&gate, b"\0\0").await else {
        panic!("plaintext");
    };
    let mut first = [9; 2];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(first, [0, 0]);
}

#[tokio::test]
async fn a_broken_or_halting_handshake_is_the_end() {
    let identity = Identity::new();
    let config = Config {
        handshake_timeout_ms: 20,
        handshakes_max: 1,
        ..identity.config(Mode::Permissive)
    };
    let gate = Gate::new("remoting", &config).unwrap();
    let garbage = say(&gate, b"\x16\x03\x01\0\x05hello and more").await;
    assert!(garbage.is_err());
    let (mut client, server) = pair().await;
    client.write_all(&[HANDSHAKE]).await.unwrap();
    let error = gate.admit(server, PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    let (_client, server) = pair().await;
    let error = gate
        .admit(server, Duration::from_millis(5))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("nothing"), "{error}");
}

#[test]
fn settings_that_do_not_fit_say_which() {
    let identity = Identity::new();
    let complaint = |config: Config| Gate::new("namesrv", &config).unwrap_err().to_string();
    let whole = identity.config(Mode::Enforcing);
    let nothing = Config {
        certificate: None,
        key: None,
        ..whole.clone()
    };
    assert!(complaint(nothing.clone()).contains("namesrv.tls.certificate"));
    let permissive = Config {
        mode: Mode::Permissive,
        ..nothing
    };
    assert!(Gate::new("namesrv", &permissive).unwrap().secured.is_none());
    let no_key = Config {
        key: None,
        ..whole.clone()
    };
    assert!(complaint(no_key).contains("namesrv.tls.key"));
    let missing = Config {
        certificate: identity.file("nowhere"),
        ..whole.clone()
    };
    assert!(complaint(missing).contains("namesrv.tls.certificate"));
    let swapped = Config {
        certificate: whole.key.clone(),
        key: whole.certificate.clone(),
        ..whole.clone()
    };
    assert!(complaint(swapped).contains("namesrv.tls"));
    let other = Identity::new();
    let foreign = Config {
        key: other.file("key.pem"),
        ..whole.clone()
    };
    assert!(complaint(foreign).contains("namesrv.tls"));
    let nobody_signs = Config {
        client_certificate: ClientCertificate::Required,
        ..whole.clone()
    };
    assert!(complaint(nobody_signs).contains("namesrv.tls.client_ca"));
    let no_authority = Config {
        client_ca: whole.key.clone(),
        ..whole
    };
    assert!(complaint(no_authority).contains("namesrv.tls.client_ca"));
}
