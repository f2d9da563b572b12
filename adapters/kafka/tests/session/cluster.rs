//! What a client learns of the cluster.

use crate::peer::{Host, Peer, name};
use crate::topics::create;
use gantry_core::model::{TopicName, TopicSpec};
use gantry_kafka::{Config, Server, Session};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeClusterRequest, FindCoordinatorRequest, MetadataRequest,
};
use kafka_protocol::protocol::StrBytes;
use std::net::{Ipv4Addr, SocketAddr};
use uuid::Uuid;

fn asked(topic: &str) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_name(Some(name(topic)))
}

#[tokio::test]
async fn every_version_names_the_broker_and_all_visible_topics() {
    let host = Host::new();
    let mut peer = host.connect();
    let id = create(&mut peer, "a.b_c-1", 2).await;
    for hidden in ["%RETRY%g", "rmq_sys_x", "with|bar"] {
        let hidden = TopicName::new(hidden).unwrap();
        let client = host.broker.anonymous();
        client
            .create_topic(&hidden, TopicSpec::with_queues(1))
            .unwrap();
    }
    for version in 0..=13 {
        let all = if version == 0 { Some(Vec::new()) } else { None };
        let request = MetadataRequest::default().with_topics(all);
        let response = peer.call(version, &request).await;
        assert_eq!(response.brokers.len(), 1);
        assert_eq!(
            (response.brokers[0].port, &*response.brokers[0].host),
            (9092, "127.0.0.1")
        );
        if version >= 1 {
            assert_eq!(response.controller_id, response.brokers[0].node_id);
        }
        assert_eq!(response.topics.len(), 1, "v{version}");
        let topic = &response.topics[0];
        assert_eq!(topic.name.as_deref().map(|name| &**name), Some("a.b_c-1"));
        assert_eq!(topic.topic_id, if version >= 10 { id } else { Uuid::nil() });
        assert_eq!(topic.partitions.len(), 2);
        for (index, part) in (0..).zip(&topic.partitions) {
            assert_eq!(
                (part.partition_index, part.leader_id),
                (index, response.brokers[0].node_id)
            );
            assert_eq!(part.replica_nodes, [part.leader_id]);
            assert_eq!(part.isr_nodes, [part.leader_id]);
        }
        if version >= 1 {
            let none = MetadataRequest::default().with_topics(Some(Vec::new()));
            assert!(peer.call(version, &none).await.topics.is_empty());
        }
    }
}

#[tokio::test]
async fn an_unknown_topic_is_created_only_when_everybody_agrees() {
    let host = Host::new();
    let mut peer = host.connect();
    let ask = |topic: &str, create: bool| {
        MetadataRequest::default()
            .with_topics(Some(vec![asked(topic)]))
            .with_allow_auto_topic_creation(create)
    };
    let code = |response: kafka_protocol::messages::MetadataResponse| response.topics[0].error_code;
    assert_eq!(code(peer.call(9, &ask("t", false)).await), 3);
    assert_eq!(code(peer.call(9, &ask("a b", true)).await), 17);
    assert_eq!(code(peer.call(9, &ask("SELF_TEST_TOPIC", true)).await), 3);
    let response = peer.call(9, &ask("t", true)).await;
    assert_eq!(
        (
            response.topics[0].error_code,
            response.topics[0].partitions.len()
        ),
        (0, 4)
    );
    assert_eq!(
        code(peer.call(3, &ask("old", true)).await),
        0,
        "older versions always ask for it"
    );
    let mut core = gantry_core::Config::default();
    core.topics.auto_create = false;
    let host = Host::with(core, Config::default());
    let mut peer = host.connect();
    assert_eq!(code(peer.call(9, &ask("t", true)).await), 3);
}

#[tokio::test]
async fn topics_are_described_by_id() {
    let host = Host::new();
    let mut peer = host.connect();
    let id = create(&mut peer, "t", 1).await;
    for version in 12..=13 {
        let by_id = |id| {
            MetadataRequestTopic::default()
                .with_name(None)
                .with_topic_id(id)
        };
        let request = MetadataRequest::default().with_topics(Some(vec![
            by_id(id),
            by_id(Uuid::from_u128(5)),
            by_id(Uuid::nil()),
        ]));
        let response = peer.call(version, &request).await;
        let codes: Vec<_> = response
            .topics
            .iter()
            .map(|topic| topic.error_code)
            .collect();
        assert_eq!(codes, [0, 100, 100]);
        assert_eq!(
            response.topics[0].name.as_deref().map(|name| &**name),
            Some("t")
        );
        assert!(response.topics[1].name.is_none());
    }
}

#[tokio::test]
async fn the_cluster_id_is_kept() {
    let host = Host::new();
    let again = Server::new(host.broker.clone(), Config::default()).unwrap();
    let mut other = Peer {
        session: Session::new(again, SocketAddr::from((Ipv4Addr::LOCALHOST, 2))),
    };
    let request = DescribeClusterRequest::default().with_endpoint_type(1);
    let first = host.connect().call(1, &request).await.cluster_id;
    assert!(!first.is_empty());
    assert_eq!(other.call(1, &request).await.cluster_id, first);
}

#[tokio::test]
async fn this_broker_is_the_cluster_and_every_groups_coordinator() {
    let host = Host::new();
    let mut peer = host.connect();
    for version in 0..=2 {
        let request = DescribeClusterRequest::default().with_endpoint_type(1);
        let response = peer.call(version, &request).await;
        assert_eq!(
            (response.error_code, response.brokers.len()),
            (0, 1),
            "v{version}"
        );
        assert_eq!(response.controller_id, response.brokers[0].broker_id);
    }
    let controllers = DescribeClusterRequest::default().with_endpoint_type(2);
    assert_eq!(peer.call(1, &controllers).await.error_code, 115);
    let group = StrBytes::from_static_str("g");
    for version in 0..=3 {
        let request = FindCoordinatorRequest::default().with_key(group.clone());
        let response = peer.call(version, &request).await;
        assert_eq!(
            (response.error_code, response.port),
            (0, 9092),
            "v{version}"
        );
    }
    for version in 4..=6 {
        let request = FindCoordinatorRequest::default()
            .with_coordinator_keys(vec![group.clone(), group.clone()]);
        let response = peer.call(version, &request).await;
        let ports: Vec<_> = response
            .coordinators
            .iter()
            .map(|found| (found.error_code, found.port))
            .collect();
        assert_eq!(ports, [(0, 9092), (0, 9092)], "v{version}");
        let transactions = request.with_key_type(1);
        let response = peer.call(version, &transactions).await;
        assert_eq!(response.coordinators[0].error_code, 42);
    }
}

#[tokio::test]
async fn what_is_served_is_told_in_every_version() {
    let host = Host::new();
    let mut peer = host.connect();
    for version in 0..=4 {
        let request = if version >= 3 {
            ApiVersionsRequest::default()
                .with_client_software_name(StrBytes::from_static_str("tests"))
                .with_client_software_version(StrBytes::from_static_str("1.0"))
        } else {
            ApiVersionsRequest::default()
        };
        let response = peer.call(version, &request).await;
        assert_eq!(response.error_code, 0);
        let range = |key| {
            let row = response
                .api_keys
                .iter()
                .find(|row| row.api_key == key)
                .unwrap();
            (row.min_version, row.max_version)
        };
        assert_eq!((range(0), range(1), range(3)), ((0, 13), (4, 18), (0, 13)));
        assert_eq!((range(2), range(18), range(22)), ((1, 11), (0, 4), (0, 5)));
        assert!(response.supported_features.is_empty() && response.finalized_features.is_empty());
    }
    let unnamed = peer.call(3, &ApiVersionsRequest::default()).await;
    assert_eq!((unnamed.error_code, unnamed.api_keys.len()), (42, 0));
}
