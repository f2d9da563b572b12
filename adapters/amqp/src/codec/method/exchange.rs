//! Class 40: exchanges and, as RabbitMQ extends it, bindings between them.

use super::methods;
use crate::codec::{ShortString, Table};

methods! {
    Declare = 40 10 {
        ticket: u16,
        exchange: ShortString,
        /// The specification's `type`.
        kind: ShortString,
        passive: bool,
        durable: bool,
        auto_delete: bool,
        internal: bool,
        no_wait: bool,
        arguments: Table,
    }
    DeclareOk = 40 11 {}
    Delete = 40 20 {
        ticket: u16,
        exchange: ShortString,
        if_unused: bool,
        no_wait: bool,
    }
    DeleteOk = 40 21 {}
    Bind = 40 30 {
        ticket: u16,
        destination: ShortString,
        source: ShortString,
        routing_key: ShortString,
        no_wait: bool,
        arguments: Table,
    }
    BindOk = 40 31 {}
    Unbind = 40 40 {
        ticket: u16,
        destination: ShortString,
        source: ShortString,
        routing_key: ShortString,
        no_wait: bool,
        arguments: Table,
    }
    /// Not 41.
    UnbindOk = 40 51 {}
}
