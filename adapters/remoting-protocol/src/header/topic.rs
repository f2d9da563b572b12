use super::header;

header! {
    /// `GET_ROUTEINFO_BY_TOPIC` (105).
    RouteRequest<'a> {
        /// Absent is answered like an unknown topic named `null`.
        topic: Option<&'a str> = "topic",
        /// Whether only standard JSON may be answered.
        accept_standard_json_only: bool = "acceptStandardJsonOnly" or false,
    }
}

header! {
    /// `GET_TOPIC_STATS_INFO` (202), `DELETE_TOPIC_IN_BROKER` (215),
    /// `DELETE_TOPIC_IN_NAMESRV` (216), `GET_TOPIC_CONFIG` (351).
    TopicRequest<'a> {
        /// The topic.
        topic: &'a str = "topic",
    }
}

header! {
    /// `UPDATE_AND_CREATE_TOPIC` (17).
    CreateTopic<'a> {
        /// The topic.
        topic: &'a str = "topic",
        /// The template's name; stock tools say `TBW102`.
        default_topic: Option<&'a str> = "defaultTopic",
        /// Queues consumers read.
        read_queues: i32 = "readQueueNums",
        /// Queues producers write.
        write_queues: i32 = "writeQueueNums",
        /// Read 4, write 2, inherit 1.
        permission: i32 = "perm",
        /// `SINGLE_TAG` or `MULTI_TAG`.
        filter_type: Option<&'a str> = "topicFilterType",
        /// RocketMQ's `topicSysFlag`.
        sys_flag: i32 = "topicSysFlag" or 0,
        /// Whether the topic is ordered.
        is_ordered: bool = "order" or false,
        /// `+name=value,-name`: what to set and what to remove.
        attributes: Option<&'a str> = "attributes",
    }
}
