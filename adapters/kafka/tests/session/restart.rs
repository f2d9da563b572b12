//! What a client finds again after the broker was killed.

use crate::fetch::records;
use crate::peer::{Host, batch, name};
use crate::produce::{numbered, produce, producer_id};
use crate::topics::create;
use gantry_core::batch::Codec;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};

async fn metadata(host: &Host, topic: &str) -> MetadataResponse {
    let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![asked]))
        .with_allow_auto_topic_creation(false);
    host.connect().call(12, &request).await
}

#[tokio::test]
async fn acknowledged_records_topics_and_the_cluster_id_survive_a_kill() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 3).await;
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
        produce(&mut peer, "t", 2, batch(&["a", "b"], codec)).await;
    }
    let stored = records(&mut peer, "t", 2, 0).await;
    let again = host.after_kill();
    let mut peer = again.connect();
    assert_eq!(metadata(&again, "t").await, metadata(&host, "t").await);
    assert_eq!(records(&mut peer, "t", 2, 0).await, stored);
    let part = produce(&mut peer, "t", 2, batch(&["c"], Codec::None)).await;
    assert_eq!((part.error_code, part.base_offset), (0, 6));
}

#[tokio::test]
async fn an_idempotent_producer_goes_on_after_a_kill() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let id = producer_id(&mut peer).await;
    for sequence in 0..7 {
        let part = produce(&mut peer, "t", 0, numbered(id, sequence)).await;
        assert_eq!(
            (part.error_code, part.base_offset),
            (0, i64::from(sequence))
        );
    }
    let again = host.after_kill();
    let mut peer = again.connect();
    for (sequence, expected) in [
        (6, (0, 6)),
        (2, (0, 2)),
        (8, (45, -1)),
        (7, (0, 7)),
        (1, (45, -1)),
    ] {
        let part = produce(&mut peer, "t", 0, numbered(id, sequence)).await;
        assert_eq!(
            (part.error_code, part.base_offset),
            expected,
            "sequence {sequence}"
        );
    }
    assert_ne!(
        producer_id(&mut peer).await,
        id,
        "no id is handed out twice"
    );
}
