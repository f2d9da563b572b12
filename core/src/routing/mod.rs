//! Where a message published to an exchange goes: AMQP's exchanges and bindings, as RabbitMQ reads
//! them. Names only: nothing here keeps a message, waits or knows whether a queue exists.

mod arguments;
mod consistent_hash;
mod exchange;
mod header_match;
mod matcher;
mod router;
mod topic_trie;

pub use arguments::{Arguments, Value};
pub use exchange::{Binding, Destination, ExchangeKind, ExchangeSpec, HashOn};
pub use matcher::{IllegalBinding, Routable};
pub use router::{BindError, Inequivalent, Removed, Router};

#[cfg(test)]
mod tests;
