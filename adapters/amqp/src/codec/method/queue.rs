//! Class 50: queues and their bindings.

use super::methods;
use crate::codec::{ShortString, Table};

methods! {
    Declare = 50 10 {
        ticket: u16,
        queue: ShortString,
        passive: bool,
        durable: bool,
        exclusive: bool,
        auto_delete: bool,
        no_wait: bool,
        arguments: Table,
    }
    DeclareOk = 50 11 {
        queue: ShortString,
        /// Those that are ready.
        message_count: u32,
        consumer_count: u32,
    }
    Bind = 50 20 {
        ticket: u16,
        queue: ShortString,
        exchange: ShortString,
        routing_key: ShortString,
        no_wait: bool,
        arguments: Table,
    }
    BindOk = 50 21 {}
    Purge = 50 30 {
        ticket: u16,
        queue: ShortString,
        no_wait: bool,
    }
    PurgeOk = 50 31 {
        message_count: u32,
    }
    Delete = 50 40 {
        ticket: u16,
        queue: ShortString,
        if_unused: bool,
        if_empty: bool,
        no_wait: bool,
    }
    DeleteOk = 50 41 {
        message_count: u32,
    }
    Unbind = 50 50 {
        ticket: u16,
        queue: ShortString,
        exchange: ShortString,
        routing_key: ShortString,
        arguments: Table,
    }
    UnbindOk = 50 51 {}
}
