use super::header;

header! {
    /// `PULL_MESSAGE` (11), `LITE_PULL_MESSAGE` (361).
    PullRequest<'a> {
        /// The group.
        group: &'a str = "consumerGroup",
        /// The topic.
        topic: &'a str = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// The first message wanted; any number comes.
        queue_offset: i64 = "queueOffset",
        /// Messages wanted at most; 0 and less mean one.
        max_messages: i32 = "maxMsgNums",
        /// See [`PullSysFlag`].
        sys_flag: i32 = "sysFlag",
        /// Progress to store when [`PullSysFlag::has_commit`].
        commit_offset: i64 = "commitOffset",
        /// How long to hold the request when there is nothing, in milliseconds.
        suspend_timeout_ms: i64 = "suspendTimeoutMillis",
        /// The subscription's text, when [`PullSysFlag::has_subscription`].
        subscription: Option<&'a str> = "subscription",
        /// The version of the subscription the heartbeat brought.
        subscription_version: i64 = "subVersion",
        /// `TAG` (the default) or `SQL92`.
        expression_type: Option<&'a str> = "expressionType",
    }
}

impl PullRequest<'_> {
    /// The request's flags.
    #[must_use]
    pub const fn flags(&self) -> PullSysFlag {
        PullSysFlag(self.sys_flag)
    }
}

/// The flag bits of a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullSysFlag(i32);

impl PullSysFlag {
    /// Bit 1: `commitOffset` counts.
    #[must_use]
    pub const fn has_commit(self) -> bool {
        self.0 & 1 != 0
    }

    /// Bit 2: the request may be held.
    #[must_use]
    pub const fn may_suspend(self) -> bool {
        self.0 & 2 != 0
    }

    /// Bit 4: the subscription is in the request, not in the heartbeat.
    #[must_use]
    pub const fn has_subscription(self) -> bool {
        self.0 & 4 != 0
    }

    /// Bit 8: the subscription is a Java class for a filter server, gone since RocketMQ 5.
    #[must_use]
    pub const fn has_class_filter(self) -> bool {
        self.0 & 8 != 0
    }

    /// Bit 16: from a lite pull consumer.
    #[must_use]
    pub const fn is_lite(self) -> bool {
        self.0 & 16 != 0
    }
}

header! {
    /// The answer to a pull. Codes 0, 19, 20 and 21 need all of it, or Java clients throw.
    PullResponse {
        /// The broker id to pull from next, 0 for the master.
        suggested_broker_id: i64 = "suggestWhichBrokerId",
        /// Where to go on.
        next_offset: i64 = "nextBeginOffset",
        /// The queue's first message.
        min_offset: i64 = "minOffset",
        /// One past the queue's last message.
        max_offset: i64 = "maxOffset",
        /// The topic's `topicSysFlag`; 5.x brokers say it.
        topic_sys_flag: Option<i32> = "topicSysFlag",
        /// The group's `groupSysFlag`; 5.x brokers say it.
        group_sys_flag: Option<i32> = "groupSysFlag",
    }
}
