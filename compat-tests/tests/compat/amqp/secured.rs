//! AMQP in TLS, and users who are known by their certificates.

use super::session::{Kind, Session};
use compat_tests::gantry::Gantry;
use compat_tests::http::Request;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

/// Files of an authority, of the server's certificate, and of a client's called `anna`.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| fs::write(directory.path().join(name), text);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        write("ca.pem", authority.pem()).unwrap();
        for (name, role) in [("localhost", "server"), ("anna", "client")] {
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            params
                .distinguished_name
                .push(DnType::OrganizationName, "steps");
            let key = KeyPair::generate().unwrap();
            let made = params.signed_by(&key, &authority).unwrap();
            write(&format!("{role}.pem"), made.pem()).unwrap();
            write(&format!("{role}.key"), key.serialize_pem()).unwrap();
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// A server that knows clients by them.
    fn start(&self, more: &[&str]) -> Gantry {
        let files = [
            ("certificate", "server.pem"),
            ("key", "server.key"),
            ("client_ca", "ca.pem"),
        ];
        let files = files.map(|(key, file)| format!("amqp.tls.{key}={}", self.path(file)));
        let settings: Vec<_> = files.iter().map(String::as_str).collect();
        Gantry::start(&[&settings, more].concat()).unwrap()
    }

    /// How a client connects in TLS.
    fn terms(&self, gantry: &Gantry, is_certified: bool, is_external: bool) -> Vec<String> {
        let mut terms = vec![
            format!("amqp={}", gantry.amqp().unwrap()),
            format!("authority={}", self.path("ca.pem")),
            format!("external={is_external}"),
        ];
        if is_certified {
            terms.push(format!("certificate={}", self.path("client.pem")));
            terms.push(format!("key={}", self.path("client.key")));
        }
        terms
    }
}

fn manage(gantry: &Gantry, method: &str, path: &str, body: &Value) -> Value {
    let request = Request {
        method,
        path,
        login: Some(("guest", "guest")),
        body: &body.to_string(),
    };
    let answer = request
        .send(&gantry.endpoint("management").unwrap())
        .unwrap();
    assert!(answer.status < 300, "{path}: {answer:?}");
    answer.json()
}

/// A user without a password, who may do everything.
fn create_user(gantry: &Gantry, name: &str) {
    let name = name.replace('=', "%3D").replace(',', "%2C");
    let account = json!({ "password_hash": "", "tags": "" });
    manage(gantry, "PUT", &format!("/api/users/{name}"), &account);
    let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
    manage(gantry, "PUT", &format!("/api/permissions/%2F/{name}"), &all);
}

fn connect(session: &mut Session, terms: &[String]) {
    let terms: Vec<_> = terms.iter().map(String::as_str).collect();
    session.tell("connect", &terms);
}

fn refused(session: &mut Session, terms: &[String]) -> String {
    let terms: Vec<_> = terms.iter().map(String::as_str).collect();
    session.refused("connect", &terms).text
}

/// Publishes something and gets it back.
fn use_it(session: &mut Session) {
    session.tell("open", &["mode=confirm"]);
    session.tell("declare-queue", &["name=q", "exclusive=true"]);
    session.tell("publish", &["key=q", "count=1"]);
    assert_eq!(session.tell("get", &["queue=q"]).name(), "got");
}

#[test]
fn pika_is_known_by_its_certificate() {
    if !Kind::Pika.is_ready() {
        return;
    }
    let files = Files::new();
    let gantry = files.start(&["amqp.protocol.certificate_login_from=common_name"]);
    let mut session = Session::start(Kind::Pika);
    let certified = files.terms(&gantry, true, true);
    let told = refused(&mut session, &certified);
    assert!(told.contains("EXTERNAL"), "there is no such user: {told}");
    create_user(&gantry, "anna");
    connect(&mut session, &certified);
    use_it(&mut session);
    let open = manage(&gantry, "GET", "/api/connections", &Value::Null);
    let open = &open[0];
    assert_eq!(open["user"], "anna");
    assert_eq!(open["auth_mechanism"], "EXTERNAL");
    assert_eq!(open["ssl"], true);
    assert_eq!(open["peer_cert_subject"], "O=steps,CN=anna");
    session.tell("disconnect", &[]);
    // Who has none says a password, and may not say EXTERNAL.
    connect(&mut session, &files.terms(&gantry, false, false));
    use_it(&mut session);
    session.tell("disconnect", &[]);
    let told = refused(&mut session, &files.terms(&gantry, false, true));
    assert!(
        told.contains("EXTERNAL") || told.contains("mechanism"),
        "{told}"
    );
}

#[test]
fn pika_comes_in_only_with_a_certificate_where_one_is_required() {
    if !Kind::Pika.is_ready() {
        return;
    }
    let files = Files::new();
    let settings = [
        "amqp.tls.mode=enforcing",
        "amqp.tls.client_certificate=required",
    ];
    let gantry = files.start(&settings);
    create_user(&gantry, "O=steps,CN=anna");
    let mut session = Session::start(Kind::Pika);
    refused(&mut session, &files.terms(&gantry, false, false));
    refused(&mut session, &[format!("amqp={}", gantry.amqp().unwrap())]);
    for is_external in [false, true] {
        connect(&mut session, &files.terms(&gantry, true, is_external));
        use_it(&mut session);
        session.tell("disconnect", &[]);
    }
}
