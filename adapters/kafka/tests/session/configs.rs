//! Settings of topics, altered and described again.

use crate::peer::{Host, Peer};
use crate::topics::{create, create_with};
use kafka_protocol::messages::alter_configs_request::{
    AlterConfigsResource as ReplacedResource, AlterableConfig as Replacement,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{
    AlterConfigsRequest, ApiVersionsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
};
use kafka_protocol::protocol::StrBytes;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

const INVALID_TOPIC: i16 = 17;
const UNKNOWN_TOPIC: i16 = 3;
const INVALID_CONFIG: i16 = 40;
const INVALID_REQUEST: i16 = 42;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn change(name: &str, operation: i8, value: Option<&str>) -> AlterableConfig {
    AlterableConfig::default()
        .with_name(text(name))
        .with_config_operation(operation)
        .with_value(value.map(text))
}

fn resource(kind: i8, name: &str, changes: Vec<AlterableConfig>) -> AlterConfigsResource {
    AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(changes)
}

async fn alter(peer: &mut Peer, version: i16, resources: Vec<AlterConfigsResource>) -> Vec<i16> {
    let request = IncrementalAlterConfigsRequest::default().with_resources(resources);
    let response = peer.call(version, &request).await;
    let responses = response.responses.iter();
    responses.map(|response| response.error_code).collect()
}

async fn alter_topic(peer: &mut Peer, name: &str, operation: i8, value: Option<&str>) -> i16 {
    let changes = vec![change(name, operation, value)];
    alter(peer, 1, vec![resource(TOPIC, "t", changes)]).await[0]
}

async fn replace(
    peer: &mut Peer,
    version: i16,
    settings: &[(&str, Option<&str>)],
    validate_only: bool,
) -> i16 {
    let settings = settings.iter().map(|(name, value)| {
        Replacement::default()
            .with_name(text(name))
            .with_value(value.map(text))
    });
    let resource = ReplacedResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text("t"))
        .with_configs(settings.collect());
    let request = AlterConfigsRequest::default()
        .with_resources(vec![resource])
        .with_validate_only(validate_only);
    peer.call(version, &request).await.responses[0].error_code
}

/// A setting's value, and whether it is the topic's own.
async fn described(peer: &mut Peer, name: &str) -> (String, bool) {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text("t"))
        .with_configuration_keys(Some(vec![text(name)]));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let response = peer.call(4, &request).await;
    let setting = &response.results[0].configs[0];
    let value = setting.value.as_deref().unwrap().to_owned();
    (value, setting.config_source == 1)
}

#[tokio::test]
async fn a_setting_is_added_and_deleted() {
    let host = Host::new();
    let mut peer = host.connect();
    create_with(&mut peer, "t", &[("flush.messages", "1")]).await;
    let default = described(&mut peer, "retention.ms").await;
    assert!(!default.1);
    for version in 0..=1 {
        let set = vec![
            change("retention.ms", SET, Some("1000")),
            change("min.insync.replicas", SET, Some("1")),
        ];
        let answered = alter(&mut peer, version, vec![resource(TOPIC, "t", set)]).await;
        assert_eq!(answered, [0]);
        let now = described(&mut peer, "retention.ms").await;
        assert_eq!(now, ("1000".to_owned(), true));
        let delete = vec![change("retention.ms", DELETE, None)];
        let answered = alter(&mut peer, version, vec![resource(TOPIC, "t", delete)]).await;
        assert_eq!(answered, [0]);
        assert_eq!(described(&mut peer, "retention.ms").await, default);
    }
    let kept = described(&mut peer, "flush.messages").await;
    assert_eq!(kept, ("1".to_owned(), true), "what is not named stays");
}

#[tokio::test]
async fn lists_grow_and_shrink() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 3).await;
    let policy = "cleanup.policy";
    assert_eq!(
        alter_topic(&mut peer, policy, APPEND, Some("compact")).await,
        0
    );
    assert_eq!(described(&mut peer, policy).await.0, "delete,compact");
    assert_eq!(
        alter_topic(&mut peer, policy, APPEND, Some("compact")).await,
        0
    );
    assert_eq!(described(&mut peer, policy).await.0, "delete,compact");
    assert_eq!(
        alter_topic(&mut peer, policy, SUBTRACT, Some("delete")).await,
        0
    );
    assert_eq!(described(&mut peer, policy).await.0, "compact");
    let no_list = alter_topic(&mut peer, "retention.ms", APPEND, Some("1")).await;
    assert_eq!(no_list, INVALID_CONFIG);
}

#[tokio::test]
async fn replacing_all_settings_resets_what_is_not_named() {
    let host = Host::new();
    let mut peer = host.connect();
    create_with(&mut peer, "t", &[("retention.ms", "5"), ("flush.ms", "7")]).await;
    let settings = [("retention.bytes", Some("100"))];
    assert_eq!(replace(&mut peer, 0, &settings, true).await, 0);
    assert_eq!(
        described(&mut peer, "retention.ms").await.0,
        "5",
        "only validated"
    );
    for version in 0..=2 {
        assert_eq!(replace(&mut peer, version, &settings, false).await, 0);
        let bytes = described(&mut peer, "retention.bytes").await;
        assert_eq!(bytes, ("100".to_owned(), true));
        assert!(!described(&mut peer, "retention.ms").await.1);
        assert!(!described(&mut peer, "flush.ms").await.1);
    }
    let refused = [
        (("nonsense", Some("1")), INVALID_CONFIG),
        (("retention.ms", Some("soon")), INVALID_CONFIG),
        (("retention.ms", None), INVALID_REQUEST),
    ];
    for (setting, code) in refused {
        assert_eq!(replace(&mut peer, 2, &[setting], false).await, code);
    }
    assert!(
        described(&mut peer, "retention.bytes").await.1,
        "nothing changed"
    );
}

#[tokio::test]
async fn what_cannot_be_altered_is_refused_with_kafkas_codes() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let set = || vec![change("retention.ms", SET, Some("1000"))];
    let resources = vec![
        resource(TOPIC, "missing", set()),
        resource(TOPIC, "not legal", set()),
        resource(BROKER, "1", set()),
        resource(BROKER, "", set()),
        resource(8, "1", set()),
        resource(TOPIC, "t", set()),
    ];
    let codes = alter(&mut peer, 1, resources).await;
    let expected = [
        UNKNOWN_TOPIC,
        INVALID_TOPIC,
        INVALID_REQUEST,
        INVALID_REQUEST,
        INVALID_REQUEST,
        0,
    ];
    assert_eq!(codes, expected, "each resource for itself");
    let twice = vec![resource(TOPIC, "t", set()), resource(TOPIC, "t", set())];
    assert_eq!(alter(&mut peer, 1, twice).await, [INVALID_REQUEST; 2]);
    let changes = [
        (change("nonsense", SET, Some("1")), INVALID_CONFIG),
        (change("nonsense", DELETE, None), INVALID_CONFIG),
        (change("retention.ms", SET, Some("-2")), INVALID_CONFIG),
        (change("retention.ms", SET, None), INVALID_REQUEST),
        (change("retention.ms", 9, Some("1")), INVALID_REQUEST),
    ];
    for (change, code) in changes {
        let good = self::change("flush.ms", SET, Some("1"));
        let resource = resource(TOPIC, "t", vec![good, change.clone()]);
        assert_eq!(
            alter(&mut peer, 1, vec![resource]).await,
            [code],
            "{change:?}"
        );
    }
    assert!(
        !described(&mut peer, "flush.ms").await.1,
        "all of a topic or nothing"
    );
    let doubled = [set(), set()].concat();
    let doubled = vec![resource(TOPIC, "t", doubled)];
    assert_eq!(alter(&mut peer, 1, doubled).await, [INVALID_REQUEST]);
}

#[tokio::test]
async fn both_are_advertised() {
    let host = Host::new();
    let mut peer = host.connect();
    let response = peer
        .call(
            3,
            &ApiVersionsRequest::default()
                .with_client_software_name(text("t"))
                .with_client_software_version(text("1")),
        )
        .await;
    let range = |key: i16| {
        let apis = &response.api_keys;
        let api = apis.iter().find(|api| api.api_key == key).unwrap();
        (api.min_version, api.max_version)
    };
    assert_eq!((range(33), range(44)), ((0, 2), (0, 1)));
}
