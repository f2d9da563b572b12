//! What brokers say to NameServers, and hear from them.

use super::header;

header! {
    /// `REGISTER_BROKER` (103).
    RegisterBroker<'a> {
        /// The broker's name, shared by a master and its slaves.
        broker_name: &'a str = "brokerName",
        /// `ip:port` for clients.
        broker_addr: &'a str = "brokerAddr",
        /// The cluster's name.
        cluster_name: &'a str = "clusterName",
        /// `ip:port` for slaves.
        ha_server_addr: &'a str = "haServerAddr",
        /// 0 is the master.
        broker_id: i64 = "brokerId",
        /// 5.x: milliseconds of silence after which the broker counts as gone.
        heartbeat_timeout_millis: Option<i64> = "heartbeatTimeoutMillis",
        /// 5.x: whether a slave stands in for a master that is gone; 4.x says nothing.
        enable_acting_master: Option<bool> = "enableActingMaster",
        /// Whether the body is a zlib stream.
        compressed: bool = "compressed" or false,
        /// Of the body as sent, see [`crate::body::registration_crc`]; 0 is none.
        body_crc32: i32 = "bodyCrc32" or 0,
        /// 5.x: the zone clients may ask for.
        zone_name: Option<&'a str> = "__ZONE_NAME",
        /// Between Gantry's own parts: topics this broker no longer has, between commas. Stock
        /// NameServers forget a topic only when a tool tells them to.
        deleted_topics: Option<&'a str> = "gantryDeletedTopics",
    }
}

header! {
    /// The answer to `REGISTER_BROKER` (103): whom a slave follows.
    Registered<'a> {
        /// `ip:port` for slaves.
        ha_server_addr: Option<&'a str> = "haServerAddr",
        /// `ip:port` for clients.
        master_addr: Option<&'a str> = "masterAddr",
    }
}

header! {
    /// `UNREGISTER_BROKER` (104), `QUERY_DATA_VERSION` (322).
    BrokerIdentity<'a> {
        /// The broker's name.
        broker_name: &'a str = "brokerName",
        /// `ip:port` for clients.
        broker_addr: &'a str = "brokerAddr",
        /// The cluster's name.
        cluster_name: &'a str = "clusterName",
        /// 0 is the master.
        broker_id: i64 = "brokerId",
    }
}

header! {
    /// The answer to `QUERY_DATA_VERSION` (322).
    DataVersionChanged {
        /// Whether the NameServer knows the broker's topics in another version, or not at all.
        changed: bool = "changed",
    }
}

header! {
    /// `BROKER_HEARTBEAT` (904). More fields are for controllers.
    BrokerHeartbeat<'a> {
        /// The cluster's name.
        cluster_name: &'a str = "clusterName",
        /// `ip:port` for clients.
        broker_addr: &'a str = "brokerAddr",
        /// The broker's name.
        broker_name: &'a str = "brokerName",
    }
}

header! {
    /// `GET_BROKER_MEMBER_GROUP` (901).
    MemberGroupRequest<'a> {
        /// The cluster's name.
        cluster_name: &'a str = "clusterName",
        /// The name a master and its slaves share.
        broker_name: &'a str = "brokerName",
    }
}

header! {
    /// `NOTIFY_MIN_BROKER_ID_CHANGE` (905), from a NameServer to a broker.
    MinBrokerId<'a> {
        /// The smallest id there is now.
        min_broker_id: i64 = "minBrokerId",
        /// The name the group shares.
        broker_name: &'a str = "brokerName",
        /// Who has the smallest id.
        min_broker_addr: Option<&'a str> = "minBrokerAddr",
        /// Who is gone.
        offline_broker_addr: Option<&'a str> = "offlineBrokerAddr",
        /// Where the one with the smallest id serves slaves.
        ha_broker_addr: Option<&'a str> = "haBrokerAddr",
    }
}

header! {
    /// The answer to `WIPE_WRITE_PERM_OF_BROKER` (205).
    PermissionsWiped {
        /// Topics of the broker.
        count: i32 = "wipeTopicCount",
    }
}

header! {
    /// The answer to `ADD_WRITE_PERM_OF_BROKER` (327).
    PermissionsAdded {
        /// Topics of the broker.
        count: i32 = "addTopicCount",
    }
}
