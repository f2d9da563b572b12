use super::header;

header! {
    /// `PUT_KV_CONFIG` (100).
    KvEntry<'a> {
        /// Such as `ORDER_TOPIC_CONFIG`.
        namespace: &'a str = "namespace",
        /// Within the namespace.
        key: &'a str = "key",
        /// Replaces what was there.
        value: &'a str = "value",
    }
}

header! {
    /// `GET_KV_CONFIG` (101), `DELETE_KV_CONFIG` (102).
    KvKey<'a> {
        /// Such as `ORDER_TOPIC_CONFIG`.
        namespace: &'a str = "namespace",
        /// Within the namespace.
        key: &'a str = "key",
    }
}

header! {
    /// The answer to `GET_KV_CONFIG` (101).
    KvValue<'a> {
        /// Absent when there is none.
        value: Option<&'a str> = "value",
    }
}

header! {
    /// `GET_KVLIST_BY_NAMESPACE` (219).
    KvNamespace<'a> {
        /// Such as `ORDER_TOPIC_CONFIG`.
        namespace: &'a str = "namespace",
    }
}

header! {
    /// `GET_TOPICS_BY_CLUSTER` (224).
    ClusterRequest<'a> {
        /// The cluster's name.
        cluster: &'a str = "cluster",
    }
}

header! {
    /// `WIPE_WRITE_PERM_OF_BROKER` (205), `ADD_WRITE_PERM_OF_BROKER` (327).
    BrokerRequest<'a> {
        /// The broker's name.
        broker_name: &'a str = "brokerName",
    }
}

header! {
    /// `DELETE_TOPIC_IN_NAMESRV` (216).
    RemoveTopic<'a> {
        /// The topic.
        topic: &'a str = "topic",
        /// Only from the brokers of this cluster.
        cluster_name: Option<&'a str> = "clusterName",
    }
}
