//! Exchanges, queues and bindings: the methods that declare, delete and bind, with the names and
//! texts of RabbitMQ (reference/amqp.md A.3, A.5).

mod arguments;
mod churn;
mod exchanges;
mod faults;
mod kinds;
mod queues;
#[cfg(test)]
mod tests;

use crate::accounts::{Right, Rights};
use crate::codec::ReplyCode;
use crate::fault::Fault;
use crate::ledger::Ledger;
pub(crate) use arguments::{type_name, value_of};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use churn::Churn;
pub(crate) use faults::{Named, describe, fault};
use gantry_core::vhosts::{TopologyError, VirtualHost};
use gantry_core::{Client, LeaseSession};
pub(crate) use queues::integer;
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
    /// What its user may do.
    rights: Arc<Rights>,
    /// Where it is noted what has no effect.
    ledger: Arc<Ledger>,
    churn: Arc<Churn>,
}

impl Topology {
    /// Of a connection that has opened `host`, and may do everything.
    #[must_use]
    pub fn new(client: Client, host: Arc<VirtualHost>, connection: LeaseSession) -> Self {
        Self {
            client,
            rights: Rights::unlimited(host.name()),
            ledger: Arc::default(),
            churn: Arc::default(),
            host,
            connection,
        }
    }

    /// The same of a user who may do no more than that.
    #[must_use]
    pub fn limited_to(self, rights: Arc<Rights>) -> Self {
        Self { rights, ..self }
    }

    /// The same, which notes there what it grants without effect, and which queues it declares.
    #[must_use]
    pub fn noting_in(self, ledger: &Arc<Ledger>, churn: &Arc<Churn>) -> Self {
        Self {
            ledger: Arc::clone(ledger),
            churn: Arc::clone(churn),
            ..self
        }
    }

    /// # Errors
    /// The user may not.
    fn check_right(&self, right: Right, named: Named<'_>) -> Result<(), Fault> {
        self.rights.check(&self.host, right, named)
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
