//! Class 60: messages.

use super::methods;
use crate::codec::{ShortString, Table};

methods! {
    Qos = 60 10 {
        /// In bytes; only 0, no limit, is implemented by anyone.
        prefetch_size: u32,
        /// 0 is no limit.
        prefetch_count: u16,
        global: bool,
    }
    QosOk = 60 11 {}
    Consume = 60 20 {
        ticket: u16,
        queue: ShortString,
        consumer_tag: ShortString,
        no_local: bool,
        no_ack: bool,
        exclusive: bool,
        no_wait: bool,
        arguments: Table,
    }
    ConsumeOk = 60 21 {
        consumer_tag: ShortString,
    }
    /// From the server, to clients with the capability `consumer_cancel_notify` only.
    Cancel = 60 30 {
        consumer_tag: ShortString,
        no_wait: bool,
    }
    CancelOk = 60 31 {
        consumer_tag: ShortString,
    }
    /// Content follows.
    Publish = 60 40 {
        ticket: u16,
        exchange: ShortString,
        routing_key: ShortString,
        mandatory: bool,
        immediate: bool,
    }
    /// Content follows.
    Return = 60 50 {
        reply_code: u16,
        reply_text: ShortString,
        exchange: ShortString,
        routing_key: ShortString,
    }
    /// Content follows. A consumer keeps one and changes what differs from message to message.
    Deliver = 60 60 {
        consumer_tag: ShortString,
        delivery_tag: u64,
        redelivered: bool,
        exchange: ShortString,
        routing_key: ShortString,
    }
    Get = 60 70 {
        ticket: u16,
        queue: ShortString,
        no_ack: bool,
    }
    /// Content follows.
    GetOk = 60 71 {
        delivery_tag: u64,
        redelivered: bool,
        exchange: ShortString,
        routing_key: ShortString,
        /// Those that are ready after this one.
        message_count: u32,
    }
    GetEmpty = 60 72 {
        cluster_id: ShortString,
    }
    Ack = 60 80 {
        delivery_tag: u64,
        multiple: bool,
    }
    Reject = 60 90 {
        delivery_tag: u64,
        requeue: bool,
    }
    RecoverAsync = 60 100 {
        requeue: bool,
    }
    Recover = 60 110 {
        requeue: bool,
    }
    RecoverOk = 60 111 {}
    Nack = 60 120 {
        delivery_tag: u64,
        multiple: bool,
        requeue: bool,
    }
}
