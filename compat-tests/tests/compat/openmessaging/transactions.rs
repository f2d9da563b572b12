//! Transactions over HTTP, as the others see them.

use super::http::{Http, told};
use super::{produce, pull};
use crate::librdkafka;
use compat_tests::gantry::Gantry;
use serde_json::json;

#[test]
fn a_transaction_outlives_a_kill_and_then_kafka_reads_its_message() {
    let mut gantry = Gantry::start(&[]).unwrap();
    let fields = [("x-oms-h-transactionId", "tx"), ("x-oms-partition", "0")];
    let half = produce(&gantry, "t", &fields, b"half");
    let handle = half.field("x-oms-transactionhandle").unwrap().to_owned();
    produce(&gantry, "t", &fields[1..], b"whole");
    let bodies = |gantry: &Gantry| -> Vec<_> {
        let records = librdkafka::read_all(&gantry.kafka().unwrap(), &["t"]);
        let values = records
            .iter()
            .map(|record| librdkafka::as_message(record).value);
        values.flatten().collect()
    };
    assert_eq!(bodies(&gantry), [b"whole"]);
    gantry.kill().unwrap();
    gantry.restart_with(&[]).unwrap();
    assert_eq!(bodies(&gantry), [b"whole"]);

    let http = Http::of(&gantry);
    let open = told(http.get("/v1/transactions"), 200);
    assert_eq!(open["transactions"][0]["transactionHandle"], handle);
    let commit = json!({"transactionHandles": [handle]});
    told(http.post("/v1/transactions:commit", &commit), 200);
    assert_eq!(bodies(&gantry), [&b"whole"[..], b"half"]);
    told(http.post("/v1/transactions:commit", &commit), 207);
    for body in [&b"whole"[..], b"half"] {
        assert_eq!(
            pull(&gantry, "t", "c", &[("x-oms-waitMills", "1000")]).body,
            body
        );
    }
}
