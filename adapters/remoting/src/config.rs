//! The broker role's names and limits.

use crate::acl::AclConfig;
use gantry_remoting_protocol::FRAME_BYTES_MAX;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};

/// What operators may set; filled by the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The cluster this broker says it belongs to.
    pub cluster_name: String,
    /// The broker's name: clients sort queues by it and name it in every request.
    pub broker_name: String,
    /// Where clients reach this broker; part of every offset message id. The gateway fills it in.
    #[serde(skip)]
    pub advertised_address: SocketAddr,
    /// The region noted in every message (`MSG_REGION`), for traces.
    pub region: String,
    /// Whether producers are told to trace (`TRACE_ON`).
    pub trace_on: bool,
    /// Whether producers may take delayed messages back (`recallMessageEnable`).
    pub recall_enabled: bool,
    /// Queues of a topic created by sending to it, unless the producer asks for fewer.
    pub auto_create_queues: u32,
    /// Largest body of a message or a batch of them (RocketMQ's `maxMessageSize`); a smaller
    /// `topics.message_bytes_max` counts as well.
    pub message_bytes_max: usize,
    /// Most bytes of a frame, its length field included.
    pub frame_bytes_max: usize,
    /// Most messages of one pull answer, whatever the client asks for.
    pub pull_messages_max: u32,
    /// Most bytes of one pull answer, but always one message.
    pub pull_bytes_max: usize,
    /// Whether consumers may filter by SQL92 expressions (RocketMQ's `enablePropertyFilter`).
    pub property_filter_enabled: bool,
    /// Longest time a pull is held for want of messages, whatever the client asks for,
    /// milliseconds.
    pub pull_hold_max_ms: u64,
    /// Pulls held for want of messages on one connection.
    pub held_pulls_per_connection_max: usize,
    /// Most messages one POP may ask for.
    pub pop_messages_max: u32,
    /// POPs held for want of messages for one queue of a group, or for all of a topic's.
    pub held_pops_per_queue_max: usize,
    /// The same of all groups and queues together.
    pub held_pops_max: usize,
    /// Topics of groups for which it may be set whether they are pulled or popped.
    pub request_modes_max: usize,
    /// A group without progress begins at offset 0, not at the end, of a queue whose oldest
    /// message is at most this many bytes of log away (RocketMQ: 40 % of the machine's memory).
    pub new_group_replay_bytes_max: u64,
    /// A client that sent no heartbeat for longer is gone, milliseconds.
    pub client_expiry_ms: u64,
    /// Groups one connection may consume and produce for.
    pub groups_per_connection_max: usize,
    /// Consumer groups that may be given settings of their own.
    pub subscription_groups_max: usize,
    /// Pairs of topic and group whose traffic is counted one by one.
    pub counted_groups_max: usize,
    /// Answers of one client that tools may wait for at a time.
    pub calls_per_connection_max: usize,
    /// The broker moves a group by itself when an operator resets it (RocketMQ 5's default);
    /// otherwise the group's members are told to (RocketMQ 4's way), and one must be online.
    pub server_side_reset: bool,
    /// Queues whose progress an operator has set and that their group has not taken up yet.
    pub pending_resets_max: usize,
    /// Topics one consumer group may subscribe to.
    pub subscriptions_per_group_max: usize,
    /// Queue locks one group may hold.
    pub locks_per_group_max: usize,
    /// Who may ask for something, of the broker and of the NameServer.
    pub acl: AclConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cluster_name: "DefaultCluster".to_owned(),
            broker_name: "gantry".to_owned(),
            advertised_address: SocketAddr::from((Ipv4Addr::LOCALHOST, 10_911)),
            region: "DefaultRegion".to_owned(),
            trace_on: true,
            recall_enabled: true,
            auto_create_queues: 8,
            message_bytes_max: 4 << 20,
            frame_bytes_max: FRAME_BYTES_MAX,
            pull_messages_max: 32,
            pull_bytes_max: 256 * 1024,
            property_filter_enabled: true,
            pull_hold_max_ms: 60_000,
            held_pulls_per_connection_max: 20_000,
            pop_messages_max: 32,
            held_pops_per_queue_max: 1_024,
            held_pops_max: 100_000,
            request_modes_max: 100_000,
            new_group_replay_bytes_max: 4 * 1024 * 1024 * 1024,
            client_expiry_ms: 120_000,
            groups_per_connection_max: 4_096,
            subscription_groups_max: 100_000,
            counted_groups_max: 20_000,
            calls_per_connection_max: 64,
            server_side_reset: true,
            pending_resets_max: 100_000,
            subscriptions_per_group_max: 10_000,
            locks_per_group_max: 100_000,
            acl: AclConfig::default(),
        }
    }
}
