//! Exchanges, queues and bindings: the methods that declare, delete and bind, with the names and
//! texts of RabbitMQ (reference/amqp.md A.3, A.5).

mod arguments;
mod exchanges;
mod queues;
#[cfg(test)]
mod tests;

use crate::codec::ReplyCode;
use crate::fault::Fault;
use gantry_core::vhosts::{TopologyError, VirtualHost};
use gantry_core::{Client, LeaseSession};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// What names begin with that only the server gives.
const RESERVED_PREFIX: &str = "amq.";

/// One connection's hand in a virtual host.
#[derive(Clone, Debug)]
pub struct Topology {
    client: Client,
    host: Arc<VirtualHost>,
    /// Whose exclusive queues are.
    connection: LeaseSession,
}

/// Something that has a name, as errors name it.
#[derive(Clone, Copy)]
enum Named<'a> {
    Exchange(&'a str),
    Queue(&'a str),
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

    /// `queue 'q' in vhost '/'`
    fn describe(&self, named: Named<'_>) -> impl fmt::Display + use<> {
        let host = self.host.name();
        match named {
            Named::Exchange(name) => format!("exchange '{name}' in vhost '{host}'"),
            Named::Queue(name) => format!("queue '{name}' in vhost '{host}'"),
        }
    }

    /// Why something could not be done to what is `named`.
    fn fault(&self, named: Named<'_>, error: TopologyError) -> Fault {
        let (code, text) = match error {
            TopologyError::NoVirtualHost(_) => {
                let text = format!("vhost {} not found", self.host.name());
                (ReplyCode::NotAllowed, text)
            }
            TopologyError::NoExchange(name) => {
                let what = self.describe(Named::Exchange(&name));
                (ReplyCode::NotFound, format!("no {what}"))
            }
            TopologyError::NoQueue(name) => {
                let what = self.describe(Named::Queue(&name));
                (ReplyCode::NotFound, format!("no {what}"))
            }
            TopologyError::Inequivalent(difference) => {
                let what = self.describe(named);
                let text = format!(
                    "inequivalent arg '{}' for {what}: received {} but current is {}",
                    difference.argument, difference.received, difference.current
                );
                let code = match difference.argument {
                    "exclusive" => ReplyCode::ResourceLocked,
                    _ => ReplyCode::PreconditionFailed,
                };
                (code, text)
            }
            TopologyError::Locked(name) => {
                let what = self.describe(Named::Queue(&name));
                let text = format!(
                    "cannot obtain exclusive access to locked {what}. It could be originally \
                     declared on another connection or the exclusive property value does not \
                     match that of the original declaration."
                );
                (ReplyCode::ResourceLocked, text)
            }
            TopologyError::IllegalBinding(illegal) => {
                (ReplyCode::PreconditionFailed, illegal.to_string())
            }
            TopologyError::InUse(_) => {
                let what = self.describe(named);
                (ReplyCode::PreconditionFailed, format!("{what} in use"))
            }
            TopologyError::NotEmpty(_) => {
                let what = self.describe(named);
                (ReplyCode::PreconditionFailed, format!("{what} not empty"))
            }
            TopologyError::Store(error) => return error.into(),
        };
        Fault::new(code, text)
    }
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
