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
/// Comma-separated names of the further queues a record is indexed in.
pub const INNER_MULTI_DISPATCH: &str = "INNER_MULTI_DISPATCH";
/// Comma-separated queue offsets, one for each name of [`INNER_MULTI_DISPATCH`].
pub const INNER_MULTI_QUEUE_OFFSET: &str = "INNER_MULTI_QUEUE_OFFSET";
/// CRC-32 of the record before this property, 10 decimal digits, least significant first.
pub const CRC32: &str = "__CRC32#";

/// Base64 of a record key that is no legal property value (empty, binary, or with `\x01` `\x02`).
pub const KEY_BASE64: &str = "__KEY_B64";
/// Base64 of the ordered header list, present when the plain properties cannot carry it whole.
pub const HEADERS_BASE64: &str = "__HEADERS_B64";
/// `1`: the body is null, not empty (a Kafka tombstone).
pub const NULL_BODY: &str = "__NULL_BODY";

/// Topics whose name starts so are hidden from other protocols' listings.
pub const SYSTEM_TOPIC_PREFIXES: &[&str] = &[
    "%RETRY%",
    "%DLQ%",
    "%LMQ%",
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
];
/// The topic of the state machine's records.
pub const STATE_TOPIC: &str = "GANTRY_SYS_STATE";
