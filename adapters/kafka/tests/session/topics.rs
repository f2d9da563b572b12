//! Topics made, grown, described and deleted.

use crate::peer::{Host, Peer, name};
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeConfigsRequest, MetadataRequest,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn creatable(topic: &str, partitions: i32) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
}

async fn create_one(peer: &mut Peer, topic: CreatableTopic) -> CreatableTopicResult {
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(1000);
    peer.call(7, &request).await.topics[0].clone()
}

/// Creates a topic and answers its id.
pub async fn create(peer: &mut Peer, topic: &str, partitions: i32) -> Uuid {
    let created = create_one(peer, creatable(topic, partitions)).await;
    assert_eq!(created.error_code, 0);
    created.topic_id
}

/// Creates a topic of one partition with settings.
pub async fn create_with(peer: &mut Peer, topic: &str, settings: &[(&str, &str)]) {
    let settings = settings
        .iter()
        .map(|(name, value)| setting(name, Some(value)));
    let topic = creatable(topic, 1).with_configs(settings.collect());
    assert_eq!(create_one(peer, topic).await.error_code, 0);
}

fn setting(name: &str, value: Option<&str>) -> CreatableTopicConfig {
    CreatableTopicConfig::default()
        .with_name(text(name))
        .with_value(value.map(text))
}

/// Code and number of partitions.
async fn described(peer: &mut Peer, topic: &str) -> (i16, usize) {
    let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![asked]))
        .with_allow_auto_topic_creation(false);
    let response = peer.call(9, &request).await;
    (
        response.topics[0].error_code,
        response.topics[0].partitions.len(),
    )
}

#[tokio::test]
async fn every_version_creates_and_deletes() {
    let host = Host::new();
    let mut peer = host.connect();
    for version in 2..=7 {
        let topic = format!("t{version}");
        let request = CreateTopicsRequest::default().with_topics(vec![
            creatable(&topic, 3).with_configs(vec![setting("retention.ms", Some("1000"))]),
        ]);
        let response = peer.call(version, &request).await;
        let created = &response.topics[0];
        assert_eq!(created.error_code, 0, "v{version}");
        if version >= 5 {
            assert_eq!((created.num_partitions, created.replication_factor), (3, 1));
            let settings = created.configs.as_ref().unwrap();
            let retention = settings
                .iter()
                .find(|setting| &*setting.name == "retention.ms");
            assert_eq!(retention.unwrap().value.as_deref(), Some("1000"));
            assert_eq!(settings.len(), 33);
        }
        assert_eq!(created.topic_id.is_nil(), version < 7);
        assert_eq!(described(&mut peer, &topic).await, (0, 3));
    }
    for version in 1..=6 {
        let topic = format!("t{}", version + 1);
        let request = if version >= 6 {
            let state = DeleteTopicState::default().with_name(Some(name(&topic)));
            DeleteTopicsRequest::default().with_topics(vec![state])
        } else {
            DeleteTopicsRequest::default().with_topic_names(vec![name(&topic)])
        };
        let response = peer.call(version, &request).await;
        assert_eq!(response.responses[0].error_code, 0, "v{version}");
        assert_eq!(described(&mut peer, &topic).await, (3, 0));
        let again = peer.call(version, &request).await;
        assert_eq!(again.responses[0].error_code, 3);
    }
}

#[tokio::test]
async fn what_cannot_be_created_is_refused_with_kafkas_codes() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "there", 1).await;
    let assigned = |brokers: &[i32]| {
        let assignments = (0..).zip(brokers).map(|(index, broker)| {
            CreatableReplicaAssignment::default()
                .with_partition_index(index)
                .with_broker_ids(vec![BrokerId(*broker)])
        });
        creatable("a", -1)
            .with_replication_factor(-1)
            .with_assignments(assignments.collect())
    };
    let cases = [
        (creatable("there", 1), 36),
        (creatable("", 1), 17),
        (creatable("..", 1), 17),
        (creatable("../x", 1), 17),
        (creatable("a\0b", 1), 17),
        (creatable("%RETRY%g", 1), 17),
        (creatable("SCHEDULE_TOPIC_XXXX", 1), 17),
        (creatable(&"x".repeat(30_000), 1), 17),
        (creatable("a", 0), 37),
        (creatable("a", -2), 37),
        (creatable("a", i32::MAX), 37),
        (creatable("a", 1).with_replication_factor(3), 38),
        (creatable("a", 1).with_replication_factor(0), 38),
        (
            creatable("a", 1).with_configs(vec![setting("retention.ms", None)]),
            40,
        ),
        (
            creatable("a", 1).with_configs(vec![setting("nonsense", Some("1"))]),
            40,
        ),
        (
            creatable("a", 1).with_configs(vec![setting("retention.ms", Some("soon"))]),
            40,
        ),
        (assigned(&[2]), 39),
        (assigned(&[1]).with_num_partitions(1), 42),
    ];
    for (topic, code) in cases {
        let what = format!("{:.40} {}", &*topic.name, topic.num_partitions);
        assert_eq!(
            create_one(&mut peer, topic).await.error_code,
            code,
            "{what}"
        );
    }
    assert_eq!(
        described(&mut peer, "a").await,
        (3, 0),
        "none of it was created"
    );
    let twice =
        CreateTopicsRequest::default().with_topics(vec![creatable("b", 1), creatable("b", 2)]);
    let response = peer.call(7, &twice).await;
    assert_eq!(response.topics.len(), 1);
    assert_eq!(response.topics[0].error_code, 42);
    let assigned = create_one(&mut peer, assigned(&[1, 1, 1])).await;
    assert_eq!((assigned.error_code, assigned.num_partitions), (0, 3));
}

#[tokio::test]
async fn defaults_are_filled_in_and_validation_creates_nothing() {
    let host = Host::new();
    let mut peer = host.connect();
    let open = creatable("t", -1).with_replication_factor(-1);
    let request = CreateTopicsRequest::default()
        .with_topics(vec![open.clone()])
        .with_validate_only(true);
    let response = peer.call(7, &request).await;
    assert_eq!(
        (
            response.topics[0].error_code,
            response.topics[0].num_partitions
        ),
        (0, 4)
    );
    assert_eq!(described(&mut peer, "t").await, (3, 0));
    assert_eq!(create_one(&mut peer, open).await.num_partitions, 4);
}

#[tokio::test]
async fn topics_are_deleted_by_id_too() {
    let host = Host::new();
    let mut peer = host.connect();
    let id = create(&mut peer, "t", 1).await;
    let by = |name: Option<&str>, id| {
        let state = DeleteTopicState::default()
            .with_name(name.map(crate::peer::name))
            .with_topic_id(id);
        DeleteTopicsRequest::default().with_topics(vec![state])
    };
    let code =
        |response: kafka_protocol::messages::DeleteTopicsResponse| response.responses[0].error_code;
    assert_eq!(code(peer.call(6, &by(Some("t"), id)).await), 42);
    assert_eq!(code(peer.call(6, &by(None, Uuid::from_u128(9))).await), 100);
    assert_eq!(
        code(
            peer.call(6, &by(Some("GANTRY_SYS_STATE"), Uuid::nil()))
                .await
        ),
        3
    );
    let response = peer.call(6, &by(None, id)).await;
    let deleted = &response.responses[0];
    assert_eq!(
        (
            deleted.error_code,
            deleted.name.as_deref().map(|name| &**name)
        ),
        (0, Some("t"))
    );
    assert_ne!(
        create(&mut peer, "t", 1).await,
        id,
        "a topic made anew has another id"
    );
}

#[tokio::test]
async fn partitions_grow_and_never_shrink() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 2).await;
    let to = |topic: &str, count: i32| {
        CreatePartitionsTopic::default()
            .with_name(name(topic))
            .with_count(count)
            .with_assignments(None)
    };
    let here = |brokers: &[i32]| {
        let assignments = brokers.iter().map(|broker| {
            CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(*broker)])
        });
        Some(assignments.collect::<Vec<_>>())
    };
    let cases = [
        (to("t", 2), 37),
        (to("t", 1), 37),
        (to("t", -1), 37),
        (to("nowhere", 5), 3),
        (to("t", 4).with_assignments(here(&[1])), 39),
        (to("t", 4).with_assignments(here(&[1, 9])), 39),
        (to("t", 4).with_assignments(here(&[1, 1])), 0),
    ];
    for version in 0..=3 {
        for (topic, code) in &cases {
            let request = CreatePartitionsRequest::default()
                .with_topics(vec![topic.clone()])
                .with_validate_only(true);
            let response = peer.call(version, &request).await;
            assert_eq!(response.results[0].error_code, *code, "{topic:?}");
        }
        assert_eq!(described(&mut peer, "t").await, (0, 2));
    }
    let request =
        CreatePartitionsRequest::default().with_topics(vec![to("t", 5), to("nowhere", 1)]);
    let response = peer.call(3, &request).await;
    let codes: Vec<_> = response
        .results
        .iter()
        .map(|result| result.error_code)
        .collect();
    assert_eq!(codes, [0, 3], "every topic is answered");
    assert_eq!(described(&mut peer, "t").await, (0, 5));
}

#[tokio::test]
async fn settings_are_described_with_where_they_come_from() {
    let host = Host::new();
    let mut peer = host.connect();
    create_with(
        &mut peer,
        "t",
        &[("cleanup.policy", "compact"), ("retention.ms", "-1")],
    )
    .await;
    let ask = |kind: i8, name: &str, keys: Option<&[&str]>| {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(keys.map(|keys| keys.iter().map(|key| text(key)).collect()));
        DescribeConfigsRequest::default().with_resources(vec![resource])
    };
    for version in 1..=4 {
        let response = peer.call(version, &ask(2, "t", None)).await;
        let result = &response.results[0];
        assert_eq!(
            (result.error_code, result.configs.len()),
            (0, 33),
            "v{version}"
        );
        let of = |name: &str| {
            let setting = result
                .configs
                .iter()
                .find(|setting| &*setting.name == name)
                .unwrap();
            (
                setting.value.as_deref().unwrap().to_owned(),
                setting.config_source,
            )
        };
        assert_eq!(of("cleanup.policy"), ("compact".into(), 1));
        assert_eq!(of("retention.ms"), ("-1".into(), 1));
        assert_eq!(of("flush.ms"), ("9223372036854775807".into(), 5));
    }
    let response = peer
        .call(4, &ask(2, "t", Some(&["retention.ms", "nonsense"])))
        .await;
    assert_eq!(response.results[0].configs.len(), 1);
    let synonyms = ask(2, "t", Some(&["retention.ms"])).with_include_synonyms(true);
    let response = peer.call(4, &synonyms).await;
    assert_eq!(response.results[0].configs[0].synonyms.len(), 1);
    let response = peer.call(4, &ask(4, "1", None)).await;
    let names: Vec<_> = response.results[0]
        .configs
        .iter()
        .map(|setting| setting.name.to_string())
        .collect();
    for name in [
        "auto.create.topics.enable",
        "default.replication.factor",
        "message.max.bytes",
    ] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
    for (kind, name, code) in [
        (2, "nowhere", 3),
        (2, "a b", 17),
        (4, "9", 42),
        (99, "x", 42),
    ] {
        let response = peer.call(4, &ask(kind, name, None)).await;
        assert_eq!(response.results[0].error_code, code, "{kind} {name}");
    }
}
