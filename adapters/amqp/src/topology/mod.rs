//! Exchanges, queues and bindings: the methods that declare, delete and bind, with the names and
//! texts of RabbitMQ (reference/amqp.md A.3, A.5).

mod arguments;
mod exchanges;
mod faults;
mod kinds;
mod queues;
#[cfg(test)]
mod tests;

use crate::codec::ReplyCode;
use crate::fault::Fault;
pub(crate) use arguments::{type_name, value_of};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub(crate) use faults::{Named, fault};

use faults::describe;
use gantry_core::vhosts::{TopologyError, VirtualHost};
use gantry_core::{Client, LeaseSession};
use std::borrow::Cow;
use std::sync::Arc;

/// What names begin with that only the server gives.
const RESERVED_PREFIX: &str = "amq.";
/// Longest a message, a queue's messages or a queue may be told to live, in milliseconds: ten years
/// of 365 days, as RabbitMQ has it.
pub(crate) const LIFE_MS_MAX: u64 = 315_360_000_000;

/// One connection's hand in a virtual host.
#[derive(Clone, Debug)]
pub struct Topology {
    client: Client,
    host: Arc<VirtualHost>,
    /// Whose exclusive queues are.
    connection: LeaseSession,
}

impl Topology {
    /// Of a connection that has opened `host`.
    #[must_use]
    pub const fn new(client: Client, host: Arc<VirtualHost>, connection: LeaseSession) -> Self {
        Self {
            client,
            host,
            connection,
        }
    }

    /// Deletes what the connection has to itself.
    ///
    /// # Errors
    /// A failed store.
    pub fn end(&self) -> Result<(), Fault> {
        let ended = self.client.delete_queues_of(&self.host, self.connection);
        ended.map_err(|error| self.fault(Named::Queue(""), error))
    }

    fn describe(&self, named: Named<'_>) -> String {
        describe(&self.host, named)
    }

    fn fault(&self, named: Named<'_>, error: TopologyError) -> Fault {
        fault(&self.host, named, error)
    }
}

/// A name that nobody had before: `prefix` and 22 characters.
pub(crate) fn made_up_name(client: &Client, prefix: &str) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(client.unique_id()))
}

/// A name without line ends, which RabbitMQ strips.
fn stripped(name: &str) -> Cow<'_, str> {
    if name.contains(['\r', '\n']) {
        name.replace(['\r', '\n'], "").into()
    } else {
        name.into()
    }
}

fn on_default_exchange() -> Fault {
    let text = "operation not permitted on the default exchange";
    Fault::new(ReplyCode::AccessRefused, text)
}
