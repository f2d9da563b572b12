//! Class 30: a relic of 0-8 that some clients still ask.

use super::methods;
use crate::codec::ShortString;

methods! {
    Request = 30 10 {
        realm: ShortString,
        exclusive: bool,
        passive: bool,
        active: bool,
        write: bool,
        read: bool,
    }
    RequestOk = 30 11 {
        /// RabbitMQ's is 1, and means nothing.
        ticket: u16,
    }
}
