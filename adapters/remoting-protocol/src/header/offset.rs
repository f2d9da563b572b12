use super::header;

header! {
    /// `QUERY_CONSUMER_OFFSET` (14).
    QueryConsumerOffset<'a> {
        /// The group.
        group: &'a str = "consumerGroup",
        /// The topic.
        topic: &'a str = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// `false`: a group without progress wants code 22 rather than an offset of 0.
        set_zero_if_not_found: bool = "setZeroIfNotFound" or true,
    }
}

header! {
    /// `UPDATE_CONSUMER_OFFSET` (15).
    UpdateConsumerOffset<'a> {
        /// The group.
        group: &'a str = "consumerGroup",
        /// The topic.
        topic: &'a str = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// The next message the group wants. Absent is its own refusal, code 29.
        commit_offset: Option<i64> = "commitOffset",
    }
}

header! {
    /// `GET_MAX_OFFSET` (30), `GET_MIN_OFFSET` (31), `GET_EARLIEST_MSG_STORETIME` (32).
    QueueRequest<'a> {
        /// The topic.
        topic: &'a str = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
    }
}

header! {
    /// `SEARCH_OFFSET_BY_TIMESTAMP` (29).
    SearchOffset<'a> {
        /// The topic.
        topic: &'a str = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// Milliseconds since 1970.
        timestamp: i64 = "timestamp",
        /// `LOWER` (the default) or `UPPER`: the first or the last message of that time.
        boundary: Option<&'a str> = "boundaryType",
    }
}

header! {
    /// The answer to 14, 29, 30 and 31.
    OffsetResponse {
        /// An offset in messages.
        offset: i64 = "offset",
    }
}

header! {
    /// The answer to 32.
    TimestampResponse {
        /// Milliseconds since 1970, -1 for none.
        timestamp: i64 = "timestamp",
    }
}

header! {
    /// `VIEW_MESSAGE_BY_ID` (33).
    ViewMessage {
        /// Where the message lies in the commit log, in bytes.
        offset: i64 = "offset",
    }
}
