//! Stock clients that were told to use TLS, on the ports everybody uses.

use crate::name_servers::try_to_produce_and_consume;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::remoting::ask;

const CLUSTER_INFO: u32 = 106;
/// The switch of all stock clients, which trust any certificate unless told otherwise.
const SWITCH: &str = "-Dtls.enable=true";

/// The settings of a server with a certificate of its own, and where its files are.
fn secured(mode: &str) -> (Vec<String>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (directory.path().join("cert"), directory.path().join("key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let settings = ["namesrv", "remoting"].map(|section| {
        [
            format!("{section}.tls.mode={mode}"),
            format!("{section}.tls.certificate={}", certificate.display()),
            format!("{section}.tls.key={}", key.display()),
        ]
    });
    (settings.concat(), directory)
}

fn start(settings: &[String]) -> Gantry {
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    Gantry::start(&settings).unwrap()
}

#[test]
fn stock_clients_send_and_consume_where_only_tls_is_taken() {
    let versions = clients::ROCKETMQ_CLIENTS.iter();
    let versions: Vec<_> = versions
        .map(|version| Installed::Rocketmq(version))
        .collect();
    if !ready(&versions).unwrap() {
        return;
    }
    let (settings, _files) = secured("enforcing");
    let gantry = start(&settings);
    let names = gantry.namesrv().unwrap();
    assert!(ask(&names, CLUSTER_INFO, &[]).is_err(), "plaintext");
    for version in clients::ROCKETMQ_CLIENTS {
        let topic = format!("secured-{}", version.replace('.', "-"));
        let took = try_to_produce_and_consume(version, &names, &topic, Some(SWITCH));
        assert_eq!(took.unwrap().len(), 1);
    }
}

#[test]
fn clients_with_and_without_tls_share_the_ports() {
    let version = clients::NEWEST_ROCKETMQ;
    if !ready(&[Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let (settings, _files) = secured("permissive");
    let gantry = start(&settings);
    let names = gantry.namesrv().unwrap();
    for (topic, option) in [("secured", Some(SWITCH)), ("plain", None)] {
        let took = try_to_produce_and_consume(version, &names, topic, option);
        assert_eq!(took.unwrap().len(), 1);
    }
}
