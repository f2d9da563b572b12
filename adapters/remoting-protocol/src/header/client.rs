use super::header;

header! {
    /// `GET_CONSUMER_LIST_BY_GROUP` (38), `NOTIFY_CONSUMER_IDS_CHANGED` (40, ours to a client),
    /// `GET_CONSUMER_CONNECTION_LIST` (203).
    GroupRequest<'a> {
        /// The group.
        group: &'a str = "consumerGroup",
    }
}

header! {
    /// `UNREGISTER_CLIENT` (35).
    UnregisterClient<'a> {
        /// The client that goes.
        client_id: &'a str = "clientID",
        /// As a producer of this group.
        producer_group: Option<&'a str> = "producerGroup",
        /// As a consumer of this group.
        consumer_group: Option<&'a str> = "consumerGroup",
    }
}

header! {
    /// The answer to `HEART_BEAT` (34).
    HeartbeatResponse {
        /// Whether the client may leave unchanged subscriptions out.
        is_v2_supported: bool = "IS_SUPPORT_HEART_BEAT_V2" or false,
        /// Whether the client must send its subscriptions in full.
        is_subscription_changed: bool = "IS_SUB_CHANGE" or false,
    }
}

header! {
    /// `RECALL_MESSAGE` (370).
    RecallMessage<'a> {
        /// The message's topic.
        topic: &'a str = "topic",
        /// What the send was answered with.
        handle: &'a str = "recallHandle",
    }
}

header! {
    /// The answer to 370.
    RecallResponse<'a> {
        /// The `UNIQ_KEY` of the message that was taken back.
        message_id: &'a str = "msgId",
    }
}

header! {
    /// `CONSUMER_SEND_MSG_BACK` (36).
    SendMessageBack<'a> {
        /// Where the message lies in the commit log, in bytes.
        offset: i64 = "offset",
        /// The group that could not consume it.
        group: &'a str = "group",
        /// Negative: to the dead letter queue at once. 0: the broker chooses.
        delay_level: i32 = "delayLevel",
        /// The id the client saw.
        origin_message_id: Option<&'a str> = "originMsgId",
        /// The topic it came from.
        origin_topic: Option<&'a str> = "originTopic",
        /// RocketMQ's unit mode.
        unit_mode: bool = "unitMode" or false,
        /// Attempts before the dead letter queue; counts from version 3.4.9 on.
        max_reconsume_times: Option<i32> = "maxReconsumeTimes",
    }
}
