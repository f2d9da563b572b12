use super::header;
use crate::codec::Text;

header! {
    /// `PUSH_REPLY_MESSAGE_TO_CLIENT` (326), ours to a client: the answer to a message it sent.
    PushReply<'a> {
        /// The group of who answers.
        producer_group: &'a str = "producerGroup",
        /// The topic of answers.
        topic: &'a str = "topic",
        /// What the answer's sender gave to make the topic from.
        default_topic: &'a str = "defaultTopic",
        /// And with how many queues.
        default_topic_queues: i32 = "defaultTopicQueueNums",
        /// The queue the answer was sent to.
        queue_id: i32 = "queueId",
        /// RocketMQ's flag bits of a message.
        sys_flag: i32 = "sysFlag",
        /// When the answer was made, milliseconds.
        born_timestamp: i64 = "bornTimestamp",
        /// The application's own 32 bits.
        flag: i32 = "flag",
        /// The property area.
        properties: Option<Text> = "properties",
        /// Attempts so far.
        reconsume_times: i32 = "reconsumeTimes" or 0,
        /// RocketMQ's unit mode.
        unit_mode: bool = "unitMode" or false,
        /// Who answered, `ip:port`.
        born_host: &'a str = "bornHost",
        /// The broker, `ip:port`.
        store_host: &'a str = "storeHost",
        /// When the broker had it, milliseconds.
        store_timestamp: i64 = "storeTimestamp",
    }
}
