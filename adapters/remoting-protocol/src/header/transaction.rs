use super::header;

header! {
    /// `END_TRANSACTION` (37).
    EndTransaction<'a> {
        /// The producer's group.
        group: &'a str = "producerGroup",
        /// The topic the message is bound for.
        topic: Option<&'a str> = "topic",
        /// The half message's offset in the half topic.
        half_offset: i64 = "tranStateTableOffset",
        /// Where it lies in the commit log, in bytes.
        position: i64 = "commitLogOffset",
        /// One of the constants below.
        outcome: i32 = "commitOrRollback",
        /// Whether the broker asked.
        is_from_check: bool = "fromTransactionCheck" or false,
        /// The client's id of the message.
        message_id: Option<&'a str> = "msgId",
        /// The same.
        transaction_id: Option<&'a str> = "transactionId",
    }
}

impl EndTransaction<'_> {
    /// The producer does not know yet.
    pub const UNKNOWN: i32 = 0;
    /// The message is to be delivered.
    pub const COMMIT: i32 = 8;
    /// The message is not to be delivered.
    pub const ROLLBACK: i32 = 12;
}

header! {
    /// `CHECK_TRANSACTION_STATE` (39), ours to a producer; the body is the half message with the
    /// topic and queue it is bound for.
    CheckTransaction<'a> {
        /// The half topic.
        topic: Option<&'a str> = "topic",
        /// The broker that asks.
        broker_name: Option<&'a str> = "bname",
        /// The half message's offset in the half topic.
        half_offset: i64 = "tranStateTableOffset",
        /// Where it lies in the commit log, in bytes.
        position: i64 = "commitLogOffset",
        /// The client's id of the message.
        message_id: Option<&'a str> = "msgId",
        /// The same.
        transaction_id: Option<&'a str> = "transactionId",
        /// The broker's id of the message.
        offset_message_id: Option<&'a str> = "offsetMsgId",
    }
}

header! {
    /// `RESUME_CHECK_HALF_MESSAGE` (323).
    ResumeCheck<'a> {
        /// The topic of messages that were given up.
        topic: Option<&'a str> = "topic",
        /// The broker's id of one of them.
        message_id: &'a str = "msgId",
    }
}
