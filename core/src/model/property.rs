//! Names shared by all protocols: properties of RocketMQ's text area and system topics.

/// Space-separated index keys of a message; Kafka's record key.
pub const KEYS: &str = "KEYS";
/// The one tag of a message.
pub const TAGS: &str = "TAGS";
/// The producer's own message id.
pub const UNIQ_KEY: &str = "UNIQ_KEY";
/// `false`: the producer does not wait for the flush.
pub const WAIT: &str = "WAIT";
/// Delay level, 1 to 18 by default.
pub const DELAY: &str = "DELAY";
/// How many messages a batch record holds (RocketMQ's inner batch).
pub const INNER_NUM: &str = "INNER_NUM";
/// Base queue offset of RocketMQ's inner batch.
pub const INNER_BASE: &str = "INNER_BASE";
/// Further queues a record is indexed in: for each 16 characters, base64 of the queue's number and
/// of the record's offset there.
pub const DISPATCH: &str = "__DISPATCH";
/// The same as RocketMQ has it: comma-separated names of topics, whose queue 0 it is.
pub const INNER_MULTI_DISPATCH: &str = "INNER_MULTI_DISPATCH";
/// Comma-separated queue offsets, one for each name of [`INNER_MULTI_DISPATCH`].
pub const INNER_MULTI_QUEUE_OFFSET: &str = "INNER_MULTI_QUEUE_OFFSET";
/// CRC-32 of the record before this property, 10 decimal digits, least significant first.
pub const CRC32: &str = "__CRC32#";

/// Base64 without padding of a record key that is no legal property value (binary, or with
/// `\x01` or `\x02`); `=` for the empty key.
pub const KEY_BASE64: &str = "__KEY_B64";
/// Base64 without padding of the ordered header list, written as in a Kafka record; present when
/// the plain properties cannot carry it whole.
pub const HEADERS_BASE64: &str = "__HEADERS_B64";
/// `1`: the body is null, not empty (a Kafka tombstone).
pub const NULL_BODY: &str = "__NULL_BODY";
/// Base64 without padding of what AMQP's consumers are to get: the exchange and the routing key as
/// short strings, then the properties as they stand in a content header.
pub const AMQP_BASE64: &str = "__AMQP_B64";
/// What begins the name of a CloudEvent's attribute, as Kafka's binding has it.
pub const CLOUD_EVENT: &str = "ce_";
/// The topic that a message was produced to of which this is a copy in the topic of a queue.
pub const ORIGIN: &str = "__ORIGIN";
/// How many headers did not fit the property area, even as [`HEADERS_BASE64`].
pub const HEADERS_CUT: &str = "__HEADERS_CUT";
/// How many bytes a record key has that did not fit the property area.
pub const KEY_CUT: &str = "__KEY_CUT";
/// How a body is compressed (`zlib`, `lz4`, `zstd`, or the type's number) that did not decompress
/// for a reader of another protocol, and so is handed over as it is.
pub const BODY_COMPRESSION: &str = "__BODY_COMPRESSION";

/// Which record of a queue that is not to be read, but relayed, this record is the outcome of:
/// the queue's number and the offset, with a colon between them. With it in the log the outcome
/// and its being settled are one write.
pub const SETTLES: &str = "__SETTLES";
/// Messages that a group is done with once this record is in the log, comma-separated: each the
/// queue's number, a colon, and the first and the last offset with a hyphen between them.
pub const CONSUMES: &str = "__CONSUMES";
/// The group of [`CONSUMES`]; without it, it is a work queue's, which has its topic's name.
pub const CONSUMES_FOR: &str = "__CONSUMES_FOR";

/// The topic a message goes to once its time has come, or its transaction is committed.
pub const REAL_TOPIC: &str = "REAL_TOPIC";
/// The queue of [`REAL_TOPIC`].
pub const REAL_QUEUE: &str = "REAL_QID";
/// Delay in seconds.
pub const TIMER_DELAY_SEC: &str = "TIMER_DELAY_SEC";
/// Delay in milliseconds.
pub const TIMER_DELAY_MS: &str = "TIMER_DELAY_MS";
/// Time of delivery, milliseconds since the epoch.
pub const TIMER_DELIVER_MS: &str = "TIMER_DELIVER_MS";
/// The same, as the clients of Alibaba's ONS say it.
pub const START_DELIVER_TIME: &str = "__STARTDELIVERTIME";
/// Every name by which a message asks to be delivered later.
pub const DELAYS: [&str; 5] = [
    DELAY,
    TIMER_DELAY_SEC,
    TIMER_DELAY_MS,
    TIMER_DELIVER_MS,
    START_DELIVER_TIME,
];

/// Whether a message asks by the property `name` to be delivered later.
#[must_use]
pub fn is_delay(name: &str) -> bool {
    DELAYS.contains(&name)
}

/// When a waiting message is due, milliseconds since the epoch.
pub const TIMER_OUT_MS: &str = "TIMER_OUT_MS";
/// When a waiting message began to wait, milliseconds since the epoch.
pub const TIMER_ENQUEUE_MS: &str = "TIMER_ENQUEUE_MS";

/// `true`: the message waits for the end of its transaction.
pub const TRANSACTION_PREPARED: &str = "TRAN_MSG";
/// The group of the producer that is asked how a transaction ended.
pub const PRODUCER_GROUP: &str = "PGROUP";
/// How long a transaction is left alone before anybody is asked how it ended, in seconds.
pub const CHECK_IMMUNITY_SECONDS: &str = "CHECK_IMMUNITY_TIME_IN_SECONDS";

/// Whether the broker alone writes and reads the property `name`, so that no other protocol's
/// reader is shown it.
#[must_use]
pub fn is_internal(name: &str) -> bool {
    matches!(
        name,
        CRC32
            | INNER_NUM
            | INNER_BASE
            | DISPATCH
            | INNER_MULTI_DISPATCH
            | INNER_MULTI_QUEUE_OFFSET
            | SETTLES
            | CONSUMES
            | CONSUMES_FOR
    )
}

/// Whether a native broker or client acts on the property `name` of a message it reads, so that
/// another protocol's header of that name must not become one. Names an application may set on
/// purpose (tag, id, delay, tracing, request and reply) are not among them.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    // Most headers have lower-case names.
    if name
        .bytes()
        .next()
        .is_some_and(|first| first.is_ascii_lowercase())
    {
        return false;
    }
    is_internal(name)
        || matches!(
            name,
            KEYS | KEY_BASE64
                | HEADERS_BASE64
                | AMQP_BASE64
                | ORIGIN
                | NULL_BODY
                | HEADERS_CUT
                | KEY_CUT
                | BODY_COMPRESSION
                | "RETRY_TOPIC"
                | "RECONSUME_TIME"
                | "MAX_RECONSUME_TIMES"
                | "ORIGIN_MESSAGE_ID"
                | "ORIGIN_GROUP"
                | "DLQ_ORIGIN_TOPIC"
                | "DLQ_ORIGIN_MESSAGE_ID"
                | REAL_TOPIC
                | REAL_QUEUE
                | TRANSACTION_PREPARED
                | PRODUCER_GROUP
                | "TRANSACTION_CHECK_TIMES"
                | CHECK_IMMUNITY_SECONDS
                | "TRAN_PREPARED_QUEUE_OFFSET"
                | "__transactionId__"
                | "POP_CK"
                | "POP_CK_OFFSET"
                | "1ST_POP_TIME"
                | "MIN_OFFSET"
                | "MAX_OFFSET"
                | "CONSUME_START_TIME"
                | "DUP_INFO"
                | "REDIRECT"
                | "FORWARD_QUEUE_ID"
                | "TRANSFER_FLAG"
                | "CORRECTION_FLAG"
                | "MQ2_FLAG"
        )
}

/// Topics whose name starts so are hidden from other protocols' listings.
pub const SYSTEM_TOPIC_PREFIXES: &[&str] = &[
    "%RETRY%",
    "%DLQ%",
    "%LMQ%",
    "%QUEUE%",
    "rmq_sys_",
    "RMQ_SYS_",
    "GANTRY_SYS_",
];
/// Topics hidden from other protocols' listings by their whole name.
pub const SYSTEM_TOPICS: &[&str] = &[
    "SCHEDULE_TOPIC_XXXX",
    "TBW102",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
    "BenchmarkTest",
    GIVEN_UP_TOPIC,
];
/// The topic of messages that wait for their time.
pub const TIMER_TOPIC: &str = "rmq_sys_wheel_timer";
/// The topic of messages that wait for the end of their transaction.
pub const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";

/// RocketMQ's topic of notes that a transaction has ended. Nothing is written to it here; the log
/// of a store that was imported has some.
pub const OP_TOPIC: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
/// The topic of messages whose transactions nobody ended.
pub const GIVEN_UP_TOPIC: &str = "TRANS_CHECK_MAX_TIME_TOPIC";

/// Whether the records of `topic` wait for an outcome, and are kept until they have one, however
/// old.
#[must_use]
pub fn is_waiting_topic(topic: &str) -> bool {
    matches!(topic, TIMER_TOPIC | HALF_TOPIC)
}

/// The topic of the state machine's records.
pub const STATE_TOPIC: &str = "GANTRY_SYS_STATE";
