use super::header;

header! {
    /// `POP_MESSAGE` (200050). Numbers a client leaves out are 0.
    PopRequest<'a> {
        /// The group.
        group: &'a str = "consumerGroup",
        /// The topic.
        topic: &'a str = "topic",
        /// The queue, -1 for all.
        queue_id: i32 = "queueId" or 0,
        /// Messages wanted at most.
        max_messages: i32 = "maxMsgNums" or 0,
        /// How long the messages are the client's, in milliseconds.
        invisible_ms: i64 = "invisibleTime" or 0,
        /// How long to hold the request when there is nothing, in milliseconds from `born_at`.
        poll_ms: i64 = "pollTime" or 0,
        /// The client's clock, in milliseconds.
        born_at: i64 = "bornTime" or 0,
        /// Where a group without progress starts: 0 at the oldest message, 1 at the newest.
        init_mode: i32 = "initMode" or 0,
        /// `TAG` (the default) or `SQL92`.
        expression_type: Option<&'a str> = "expType",
        /// The subscription's text.
        expression: Option<&'a str> = "exp",
        /// One batch of a queue at a time.
        is_ordered: bool = "order" or false,
        /// A client that asks again with the same one gets the same batch.
        attempt_id: Option<&'a str> = "attemptId",
    }
}

header! {
    /// The answer to 200050, all of it also in refusals.
    PopResponse<'a> {
        /// When the messages were handed out, in milliseconds.
        pop_time: i64 = "popTime",
        /// As asked for.
        invisible_ms: i64 = "invisibleTime",
        /// Part of the receipt handles.
        revive_queue: i32 = "reviveQid",
        /// Messages left for later.
        rest: i64 = "restNum",
        /// See [`crate::pop::OffsetInfo`].
        start_offsets: Option<&'a str> = "startOffsetInfo",
        /// See [`crate::pop::OffsetInfo`].
        message_offsets: Option<&'a str> = "msgOffsetInfo",
        /// See [`crate::pop::OffsetInfo`].
        order_counts: Option<&'a str> = "orderCountInfo",
    }
}

header! {
    /// `ACK_MESSAGE` (200051), and `CHANGE_MESSAGE_INVISIBLETIME` (200053).
    ReceiptRequest<'a> {
        /// The group.
        group: &'a str = "consumerGroup",
        /// The topic.
        topic: &'a str = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// A [`crate::pop::ReceiptHandle`].
        handle: &'a str = "extraInfo",
        /// The message.
        offset: i64 = "offset",
        /// 200053: the new time from now on, in milliseconds.
        invisible_ms: Option<i64> = "invisibleTime",
        /// 200053, 5.5: the attempt is not to count.
        is_suspended: bool = "suspend" or false,
    }
}

header! {
    /// The answer to 200053.
    ChangeInvisibleResponse {
        /// Part of the new receipt handle.
        pop_time: i64 = "popTime",
        /// As asked for.
        invisible_ms: i64 = "invisibleTime",
        /// Part of the new receipt handle.
        revive_queue: i32 = "reviveQid",
    }
}

header! {
    /// `PEEK_MESSAGE` (200052).
    PeekRequest<'a> {
        /// The group.
        group: &'a str = "consumerGroup",
        /// The topic.
        topic: &'a str = "topic",
        /// The queue, -1 for all.
        queue_id: i32 = "queueId" or 0,
        /// Messages wanted at most.
        max_messages: i32 = "maxMsgNums" or 0,
    }
}

header! {
    /// `NOTIFICATION` (200054), and `POLLING_INFO` (200055), which has no times.
    NotificationRequest<'a> {
        /// The group.
        group: &'a str = "consumerGroup",
        /// The topic.
        topic: &'a str = "topic",
        /// The queue, -1 for all.
        queue_id: i32 = "queueId" or 0,
        /// How long to hold the request when there is nothing, in milliseconds from `born_at`.
        poll_ms: i64 = "pollTime" or 0,
        /// The client's clock, in milliseconds.
        born_at: i64 = "bornTime" or 0,
        /// The client pops in order.
        is_ordered: bool = "order" or false,
        /// As in [`PopRequest`].
        attempt_id: Option<&'a str> = "attemptId",
    }
}

header! {
    /// The answer to 200054.
    NotificationResponse {
        /// There is something to pop.
        has_message: bool = "hasMsg",
        /// Too many wait already.
        is_polling_full: bool = "pollingFull",
    }
}

header! {
    /// The answer to 200055.
    PollingInfoResponse {
        /// Who waits for the queue.
        polling_count: i32 = "pollingNum",
    }
}
