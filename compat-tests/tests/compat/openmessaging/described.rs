//! schemathesis at what `/openapi.json` describes: no answer is a server's mistake, and each has a
//! status, a type and a form that the document has.

use super::http::Http;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use serde_json::json;

/// Requests of each kind for each operation.
const EXAMPLES: &str = "--max-examples=12";
const CHECKS: &str = "--checks=not_a_server_error,status_code_conformance,\
    content_type_conformance,response_headers_conformance,response_schema_conformance,\
    unsupported_method";

/// Asks what it likes of a gateway; with `names`, of what is there.
fn ask(gantry: &Gantry, names: &str) {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("schemathesis.toml");
    std::fs::write(&settings, names).unwrap();
    let document = format!(
        "http://{}/openapi.json",
        gantry.endpoint("openmessaging").unwrap()
    );
    let output = clients::schemathesis()
        .current_dir(folder.path())
        .arg("--config-file")
        .arg(&settings)
        .args(["run", &document, EXAMPLES, CHECKS, "--seed=1"])
        // A stream has no end.
        .args(["--exclude-path-regex", "stream$"])
        .args(["--request-timeout=20", "--generation-database=none"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaint}");
}

#[test]
fn every_answer_is_one_that_is_described() {
    if !ready(&[Installed::Python]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&["openmessaging.protocol.wait_ms_max=20"]).unwrap();
    let http = Http::of(&gantry);
    for place in ["/v1", "/v1/namespaces/shop"] {
        let put = http.put(&format!("{place}/destinations/orders"), &json!({}));
        assert_eq!(put.status(), 201);
        let receive = format!("{place}/subscriptions/orders/messages:receive");
        http.post(&receive, &json!({"source": "orders"}));
    }
    ask(&gantry, "");
    ask(
        &gantry,
        "[parameters]\n\"path.name\" = \"orders\"\n\"path.namespace\" = \"shop\"\n",
    );
    assert_eq!(http.get("/readyz").status(), 200);
}
