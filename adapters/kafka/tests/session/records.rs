//! DeleteRecords.

use crate::peer::{Host, Peer, batch, name};
use crate::produce::produce;
use crate::topics::{create, create_with};
use gantry_core::batch::Codec;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{DeleteRecordsRequest, ListOffsetsRequest};

/// Code and low watermark.
async fn cut(
    peer: &mut Peer,
    version: i16,
    topic: &str,
    partition: i32,
    before: i64,
) -> (i16, i64) {
    let partition = DeleteRecordsPartition::default()
        .with_partition_index(partition)
        .with_offset(before);
    let topic = DeleteRecordsTopic::default()
        .with_name(name(topic))
        .with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(1000);
    let response = peer.call(version, &request).await;
    let part = &response.topics[0].partitions[0];
    (part.error_code, part.low_watermark)
}

async fn earliest(peer: &mut Peer) -> i64 {
    let partition = ListOffsetsPartition::default()
        .with_partition_index(0)
        .with_timestamp(-2);
    let topic = ListOffsetsTopic::default()
        .with_name(name("t"))
        .with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_topics(vec![topic]);
    peer.call(7, &request).await.topics[0].partitions[0].offset
}

#[tokio::test]
async fn a_partition_begins_where_its_records_were_cut() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    for _ in 0..5 {
        produce(&mut peer, "t", 0, batch(&["a", "b"], Codec::None)).await;
    }
    // A cut within a batch counts too, and none goes back.
    for (version, before, low) in [(0, 1, 1), (1, 5, 5), (2, 3, 5)] {
        assert_eq!(cut(&mut peer, version, "t", 0, before).await, (0, low));
        assert_eq!(earliest(&mut peer).await, low);
    }
    assert_eq!(
        cut(&mut peer, 2, "t", 0, 11).await,
        (1, -1),
        "beyond the end"
    );
    assert_eq!(cut(&mut peer, 2, "t", 0, -2).await, (1, -1));
    assert_eq!(
        cut(&mut peer, 2, "t", 1, 0).await,
        (3, -1),
        "no such partition"
    );
    assert_eq!(cut(&mut peer, 2, "none", 0, 0).await, (3, -1));
    assert_eq!(cut(&mut peer, 2, "t", 0, -1).await, (0, 10), "all of it");
    assert_eq!(earliest(&mut peer).await, 10);
    drop(peer);
    let mut peer = host.after_kill().connect();
    assert_eq!(earliest(&mut peer).await, 10);
}

#[tokio::test]
async fn what_is_only_compacted_is_not_cut() {
    let host = Host::new();
    let mut peer = host.connect();
    create_with(&mut peer, "t", &[("cleanup.policy", "compact")]).await;
    assert_eq!(cut(&mut peer, 2, "t", 0, -1).await, (44, -1));
}
