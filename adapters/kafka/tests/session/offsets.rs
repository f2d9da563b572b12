//! Where partitions begin, end and pass a time.

use crate::peer::{Host, Peer, batch_at, name};
use crate::produce::produce;
use crate::topics::create;
use gantry_core::batch::Codec;
use gantry_core::model::Timestamp;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{ListOffsetsRequest, OffsetForLeaderEpochRequest};

fn request(topic: &str, asked: &[(i32, i64)]) -> ListOffsetsRequest {
    let partitions = asked.iter().map(|(partition, timestamp)| {
        ListOffsetsPartition::default()
            .with_partition_index(*partition)
            .with_timestamp(*timestamp)
    });
    let topic = ListOffsetsTopic::default()
        .with_name(name(topic))
        .with_partitions(partitions.collect());
    ListOffsetsRequest::default().with_topics(vec![topic])
}

/// Code, offset and timestamp.
async fn listed(peer: &mut Peer, version: i16, timestamp: i64) -> (i16, i64, i64) {
    let response = peer.call(version, &request("t", &[(0, timestamp)])).await;
    let part = &response.topics[0].partitions[0];
    (part.error_code, part.offset, part.timestamp)
}

#[tokio::test]
async fn special_timestamps_answer_as_kafka_does_and_in_their_versions_only() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    for version in 1..=11 {
        assert_eq!(
            listed(&mut peer, version, -1).await,
            (0, 0, -1),
            "v{version}"
        );
        assert_eq!(
            listed(&mut peer, version, 5).await,
            (0, -1, -1),
            "v{version}"
        );
    }
    assert_eq!(
        listed(&mut peer, 7, -3).await,
        (0, -1, -1),
        "an empty partition"
    );
    for (at, values) in [(1_000, ["a", "b"]), (500, ["c", "d"]), (3_000, ["e", "f"])] {
        let records = batch_at(&values, Codec::None, Timestamp::from_millis(at));
        produce(&mut peer, "t", 0, records).await;
    }
    for version in 1..=11 {
        assert_eq!(
            listed(&mut peer, version, -1).await,
            (0, 6, -1),
            "v{version}"
        );
        assert_eq!(
            listed(&mut peer, version, -2).await,
            (0, 0, -1),
            "v{version}"
        );
        let since = |first: i16, answer| {
            if version >= first {
                answer
            } else {
                (35, -1, -1)
            }
        };
        assert_eq!(
            listed(&mut peer, version, -3).await,
            since(7, (0, 5, 3_001))
        );
        assert_eq!(listed(&mut peer, version, -4).await, since(8, (0, 0, -1)));
        assert_eq!(listed(&mut peer, version, -5).await, since(9, (0, -1, -1)));
        assert_eq!(listed(&mut peer, version, -6).await, since(11, (0, -1, -1)));
        assert_eq!(listed(&mut peer, version, -7).await, (35, -1, -1));
    }
}

#[tokio::test]
async fn a_time_finds_the_first_record_at_or_after_it_with_its_own_time() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    for (at, values) in [(1_000, ["a", "b"]), (500, ["c", "d"]), (3_000, ["e", "f"])] {
        let records = batch_at(&values, Codec::Lz4, Timestamp::from_millis(at));
        produce(&mut peer, "t", 0, records).await;
    }
    assert_eq!(listed(&mut peer, 5, 0).await, (0, 0, 1_000));
    assert_eq!(listed(&mut peer, 5, 1_001).await, (0, 1, 1_001));
    assert_eq!(
        listed(&mut peer, 5, 1_002).await,
        (0, 4, 3_000),
        "time may go back"
    );
    assert_eq!(listed(&mut peer, 5, 3_001).await, (0, 5, 3_001));
    assert_eq!(listed(&mut peer, 5, 3_002).await, (0, -1, -1));
}

#[tokio::test]
async fn a_partition_named_twice_gets_one_refusal() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 2).await;
    let asked = [(0, -1), (1, -1), (0, -2), (7, -1)];
    let response = peer.call(5, &request("t", &asked)).await;
    let codes: Vec<_> = response.topics[0]
        .partitions
        .iter()
        .map(|part| (part.partition_index, part.error_code))
        .collect();
    assert_eq!(codes, [(0, 42), (1, 0), (7, 3)]);
    let response = peer.call(5, &request("nowhere", &[(0, -1)])).await;
    assert_eq!(response.topics[0].partitions[0].error_code, 3);
}

#[tokio::test]
async fn the_only_epoch_ends_at_the_end() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let records = batch_at(&["a", "b"], Codec::None, Timestamp::from_millis(1));
    produce(&mut peer, "t", 0, records).await;
    let ask = |topic: &str, current: i32, epoch: i32| {
        let part = OffsetForLeaderPartition::default()
            .with_partition(0)
            .with_current_leader_epoch(current)
            .with_leader_epoch(epoch);
        let topic = OffsetForLeaderTopic::default()
            .with_topic(name(topic))
            .with_partitions(vec![part]);
        OffsetForLeaderEpochRequest::default().with_topics(vec![topic])
    };
    for version in 2..=4 {
        for (topic, current, epoch, expected) in [
            ("t", -1, 0, (0, 0, 2)),
            ("t", 0, 0, (0, 0, 2)),
            ("t", 0, 3, (0, -1, -1)),
            ("t", 1, 0, (75, -1, -1)),
            ("nowhere", 0, 0, (3, -1, -1)),
        ] {
            let response = peer.call(version, &ask(topic, current, epoch)).await;
            let part = &response.topics[0].partitions[0];
            let answer = (part.error_code, part.leader_epoch, part.end_offset);
            assert_eq!(answer, expected, "v{version}");
        }
    }
}
