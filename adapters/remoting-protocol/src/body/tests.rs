use super::{
    CheckClientRequest, ClusterInfo, ConsumeFromWhere, ConsumeType, ConsumerIdList, HeartbeatData,
    KvTable, LockBatchRequest, LockBatchResponse, MessageModel, Style, TopicConfig, TopicRouteData,
    TopicStats, decode, encode, fuzz_bodies,
};
use crate::codec::{Command, decode as decode_frame};
use crate::testdata::{connections, mutations};
use crate::{FRAME_BYTES_MAX, RequestCode};
use bytes::BytesMut;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::HashMap;
use std::fmt::Debug;

/// A body with the request it is of.
struct Exchange {
    request: Command,
    answer: Command,
    is_from_go_client: bool,
}

fn frames(bytes: &[u8]) -> Vec<Command> {
    let mut buffer = BytesMut::from(bytes);
    std::iter::from_fn(move || decode_frame(&mut buffer, FRAME_BYTES_MAX).unwrap()).collect()
}

fn exchanges(code: RequestCode) -> Vec<Exchange> {
    let connections = connections();
    let mut exchanges = Vec::new();
    for client in connections
        .iter()
        .filter(|connection| connection.name.ends_with("c2s.bin"))
    {
        let name = client.name.replace("c2s", "s2c");
        let server = connections.iter().find(|other| other.name == name).unwrap();
        let mut answers: HashMap<i32, Command> = frames(&server.bytes)
            .into_iter()
            .filter(|answer| answer.flag.is_response())
            .map(|answer| (answer.opaque, answer))
            .collect();
        for request in frames(&client.bytes) {
            if !request.flag.is_response() && request.request_code() == code {
                exchanges.push(Exchange {
                    answer: answers.remove(&request.opaque).unwrap_or_default(),
                    request,
                    is_from_go_client: client.is_from_go_client(),
                });
            }
        }
    }
    assert!(!exchanges.is_empty(), "{code:?}");
    exchanges
}

/// Checks that `body` is read, and written again byte for byte.
fn same<T: Serialize + DeserializeOwned + Debug>(body: &[u8], style: Style) -> T {
    let value: T = decode(body).unwrap();
    assert_eq!(
        std::str::from_utf8(&encode(&value, style)).unwrap(),
        std::str::from_utf8(body).unwrap()
    );
    value
}

#[test]
fn recorded_routes_are_written_again_byte_for_byte() {
    let mut styles = [0; 2];
    for exchange in exchanges(RequestCode::GetRouteInfoByTopic) {
        if exchange.answer.body.is_empty() {
            continue;
        }
        // Clients before 4.9.4 get fastjson's keys.
        let is_standard = exchange.request.version >= crate::peer::version::V4_9_4;
        let style = if is_standard {
            Style::Standard
        } else {
            Style::Fastjson
        };
        let route: TopicRouteData = same(&exchange.answer.body, style);
        assert_eq!(route.broker_datas[0].broker_addrs[&0], "127.0.0.1:20911");
        assert_eq!(route.queue_datas[0].broker_name, "broker-a");
        styles[usize::from(is_standard)] += 1;
    }
    assert!(styles.iter().all(|count| *count > 5), "{styles:?}");
}

#[test]
fn recorded_answers_of_a_broker_are_written_again_byte_for_byte() {
    for exchange in exchanges(RequestCode::GetBrokerClusterInfo) {
        let cluster: ClusterInfo = same(&exchange.answer.body, Style::Fastjson);
        assert_eq!(cluster.cluster_addr_table["DefaultCluster"], ["broker-a"]);
    }
    for exchange in exchanges(RequestCode::GetConsumerListByGroup) {
        if exchange.answer.code == 0 {
            let list: ConsumerIdList = same(&exchange.answer.body, Style::Fastjson);
            assert!(!list.consumer_id_list.is_empty());
        }
    }
    for exchange in exchanges(RequestCode::LockBatchQueues) {
        same::<LockBatchResponse>(&exchange.answer.body, Style::Fastjson);
    }
    for exchange in exchanges(RequestCode::GetTopicConfig) {
        same::<TopicConfig>(&exchange.answer.body, Style::Fastjson);
    }
}

/// Java's maps have no order, so these are compared as values.
#[test]
fn recorded_tables_keep_their_entries() {
    for exchange in exchanges(RequestCode::GetTopicStatsInfo) {
        let stats: TopicStats = decode(&exchange.answer.body).unwrap();
        assert_eq!(stats.offset_table.len(), 4);
        assert!(
            stats
                .offset_table
                .keys()
                .all(|queue| queue.topic == "CapJ5sync")
        );
        let written = encode(&stats, Style::Fastjson);
        assert_eq!(written.len(), exchange.answer.body.len());
        assert_eq!(decode::<TopicStats>(&written), Ok(stats));
    }
    for exchange in exchanges(RequestCode::GetBrokerRuntimeInfo) {
        let info: KvTable = decode(&exchange.answer.body).unwrap();
        assert_eq!(info.table["brokerActive"], "true");
        assert_eq!(
            encode(&info, Style::Fastjson).len(),
            exchange.answer.body.len()
        );
    }
}

#[test]
fn recorded_requests_of_clients_are_read() {
    for exchange in exchanges(RequestCode::HeartBeat) {
        let heartbeat: HeartbeatData = if exchange.is_from_go_client {
            decode(&exchange.request.body).unwrap()
        } else {
            same(&exchange.request.body, Style::Fastjson)
        };
        assert!(heartbeat.client_id.unwrap().contains('@'));
        for consumer in &heartbeat.consumer_data_set {
            for subscription in &consumer.subscription_data_set {
                let hashes: Vec<_> = subscription
                    .tags_set
                    .iter()
                    .map(|tag| crate::record::java_hash(tag))
                    .collect();
                let mut codes = subscription.code_set.clone();
                codes.sort_unstable();
                let mut sorted = hashes.clone();
                sorted.sort_unstable();
                assert_eq!(codes, sorted, "{subscription:?}");
            }
        }
    }
    for code in [RequestCode::LockBatchQueues, RequestCode::UnlockBatchQueues] {
        for exchange in exchanges(code) {
            let lock: LockBatchRequest = if exchange.is_from_go_client {
                decode(&exchange.request.body).unwrap()
            } else {
                same(&exchange.request.body, Style::Fastjson)
            };
            assert!(
                lock.mq_set
                    .iter()
                    .all(|queue| queue.broker_name == "broker-a")
            );
        }
    }
}

/// What `rocketmq-client-cpp` sends: enumerations as ordinals, versions as text.
#[test]
fn a_heartbeat_of_the_cpp_client_is_read() {
    let body = b"{\"clientID\":\"2340-127.0.0.1@DEFAULT\",\"consumerDataSet\":[{\"consumeFromWhere\":0,\"consumeType\":1,\"groupName\":\"g1\",\"messageModel\":1,\"subscriptionDataSet\":[{\"subString\":\"*\",\"subVersion\":\"1795599558073\",\"topic\":\"%RETRY%g1\"},{\"subString\":\"*\",\"subVersion\":\"1795599558073\",\"topic\":\"t1\"}]}]}\n";
    let heartbeat: HeartbeatData = decode(body).unwrap();
    let [consumer] = heartbeat.consumer_data_set.as_slice() else {
        panic!("{heartbeat:?}");
    };
    assert_eq!(
        consumer.consume_from_where,
        ConsumeFromWhere::ConsumeFromLastOffset
    );
    assert_eq!(consumer.consume_type, ConsumeType::ConsumePassively);
    assert_eq!(consumer.message_model, MessageModel::Clustering);
    assert_eq!(
        consumer.subscription_data_set[1].sub_version,
        1_795_599_558_073
    );
    let unknown = br#"{"consumerDataSet":[{"messageModel":9}]}"#;
    assert!(decode::<HeartbeatData>(unknown).is_err());
}

#[test]
fn a_check_of_a_subscription_is_read() {
    let body = br#"{"clientId":"192.0.2.2@15886#7","group":"cgSqlJ4sync","subscriptionData":{"classFilterMode":false,"codeSet":[],"expressionType":"SQL92","subString":"num > 3","subVersion":1795441232491,"tagsSet":[],"topic":"CapJ4sync"}}"#;
    let check: CheckClientRequest = same(body, Style::Fastjson);
    assert_eq!(check.subscription_data.sub_string, "num > 3");
}

#[test]
fn damaged_bodies_never_panic() {
    for connection in connections() {
        for command in frames(&connection.bytes) {
            if command.body.starts_with(b"{") {
                mutations(&command.body, 8, fuzz_bodies);
            }
        }
    }
}
