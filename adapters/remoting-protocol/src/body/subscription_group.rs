use super::DataVersion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A consumer group's settings: the body of `UPDATE_AND_CREATE_SUBSCRIPTIONGROUP` (200) and the
/// answer to `GET_SUBSCRIPTIONGROUP_CONFIG` (352).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SubscriptionGroupConfig {
    /// 5.x: free settings.
    pub attributes: BTreeMap<String, String>,
    /// The broker id the group is told to pull from.
    pub broker_id: i64,
    /// Whether members that do not share messages may pull.
    pub consume_broadcast_enable: bool,
    /// Whether the group may pull at all.
    pub consume_enable: bool,
    /// Long obsolete.
    pub consume_from_min_enable: bool,
    /// Whether POP gives the messages of a queue one after the other.
    pub consume_message_orderly: bool,
    /// How long a message may be consumed, in minutes.
    pub consume_timeout_minute: i32,
    /// The group.
    pub group_name: String,
    /// When a message is tried again.
    pub group_retry_policy: GroupRetryPolicy,
    /// RocketMQ's `groupSysFlag`.
    pub group_sys_flag: i32,
    /// Whether members are told of those who come and go.
    pub notify_consumer_ids_changed_enable: bool,
    /// Attempts before a message becomes a dead letter.
    pub retry_max_times: i32,
    /// Queues of the group's retry topic.
    pub retry_queue_nums: i32,
    /// 5.x: what the group subscribes to, when an operator says so.
    pub subscription_data_set: Option<Vec<SimpleSubscription>>,
    /// The broker id a group far behind is told to pull from.
    pub which_broker_when_consume_slowly: i64,
}

impl Default for SubscriptionGroupConfig {
    fn default() -> Self {
        Self {
            attributes: BTreeMap::new(),
            broker_id: 0,
            consume_broadcast_enable: true,
            consume_enable: true,
            consume_from_min_enable: true,
            consume_message_orderly: false,
            consume_timeout_minute: 15,
            group_name: String::new(),
            group_retry_policy: GroupRetryPolicy::default(),
            group_sys_flag: 0,
            notify_consumer_ids_changed_enable: true,
            retry_max_times: 16,
            retry_queue_nums: 1,
            subscription_data_set: None,
            which_broker_when_consume_slowly: 1,
        }
    }
}

impl SubscriptionGroupConfig {
    /// What a group has that nobody has given settings.
    #[must_use]
    pub fn of_group(group: &str) -> Self {
        Self {
            group_name: group.to_owned(),
            ..Self::default()
        }
    }
}

/// When a message that was not consumed is tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GroupRetryPolicy {
    /// Counts for [`RetryPolicyType::Customized`]; absent, RocketMQ's delay levels do.
    pub customized_retry_policy: Option<CustomizedRetryPolicy>,
    /// Counts for [`RetryPolicyType::Exponential`].
    pub exponential_retry_policy: Option<ExponentialRetryPolicy>,
    /// Which of them counts.
    #[serde(rename = "type")]
    pub policy_type: RetryPolicyType,
}

/// Which kind of retry policy counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RetryPolicyType {
    /// Delays that grow by a factor.
    Exponential,
    /// A list of delays.
    #[default]
    Customized,
}

/// Delays one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CustomizedRetryPolicy {
    /// Milliseconds before each attempt; the last one holds for all that follow.
    pub next: Vec<i64>,
}

/// Delays that grow by a factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExponentialRetryPolicy {
    /// The first delay, in milliseconds.
    pub initial: i64,
    /// The longest delay, in milliseconds.
    pub max: i64,
    /// What each delay is multiplied by.
    pub multiplier: i64,
}

impl Default for ExponentialRetryPolicy {
    fn default() -> Self {
        Self {
            initial: 5_000,
            max: 7_200_000,
            multiplier: 2,
        }
    }
}

/// What a group subscribes to, as an operator says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SimpleSubscription {
    /// The expression.
    pub expression: Option<String>,
    /// `TAG` or `SQL92`.
    pub expression_type: Option<String>,
    /// The topic.
    pub topic: String,
    /// Grows with each change.
    pub version: i64,
}

/// The body of `UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST` (225).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SubscriptionGroupList {
    /// The groups.
    pub group_config_list: Vec<SubscriptionGroupConfig>,
}

/// The answer to `GET_ALL_SUBSCRIPTIONGROUP_CONFIG` (201).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SubscriptionGroupTable {
    /// Changes with every group.
    pub data_version: DataVersion,
    /// Bits of what a group may not do with a topic, by group and topic.
    pub forbidden_table: BTreeMap<String, BTreeMap<String, i32>>,
    /// By name.
    pub subscription_group_table: BTreeMap<String, SubscriptionGroupConfig>,
}

/// The answer to `UPDATE_AND_GET_GROUP_FORBIDDEN` (353).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GroupForbidden {
    /// The group.
    pub group: String,
    /// Whether the group may read the topic.
    pub readable: bool,
    /// The topic.
    pub topic: String,
}
