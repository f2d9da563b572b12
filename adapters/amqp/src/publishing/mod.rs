//! From `basic.publish` to the record core appends: what RabbitMQ checks, in its order, and where
//! the message goes.

mod batch;
mod keys;
mod routable;
#[cfg(test)]
mod tests;

use crate::codec::method::basic;
use crate::codec::{Content, PropertyList, ReplyCode, TableView};
use crate::fault::Fault;
use crate::message::{MessageFault, Published};
use crate::topology::{LIFE_MS_MAX, Named, fault};
pub(crate) use batch::{Batch, Stored};
use gantry_core::batch::crc32c;
use gantry_core::model::{QueueId, Timestamp};
use gantry_core::vhosts::{Home, Route, TopologyError, VirtualHost, WorkQueue};
use gantry_core::{Client, Payload, ProduceItem, Topic};
use keys::Keys;
use routable::Headers;
use std::net::SocketAddr;
use std::sync::Arc;

/// Who publishes.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// As whom core is asked.
    pub client: Client,
    /// Where its exchanges are.
    pub host: Arc<VirtualHost>,
    /// The user's name, which `user-id` must be.
    pub user: Arc<str>,
    /// The connection's peer.
    pub from: SocketAddr,
}

/// A message on its way to the log.
#[derive(Clone, Debug)]
pub struct Routed {
    /// What to produce; none where nobody could ever read it.
    pub item: Option<ProduceItem>,
    /// The queues it will be in, to be dispatched once it is appended. Empty: it is not routed.
    pub queues: Vec<Arc<WorkQueue>>,
}

impl Publisher {
    /// Checks and routes a message that came `at`.
    ///
    /// # Errors
    /// A channel's or a connection's fault.
    pub fn route(
        &self,
        method: &basic::Publish,
        content: &Content,
        at: Timestamp,
    ) -> Result<Routed, Fault> {
        if method.immediate {
            return Err(Fault::new(ReplyCode::NotImplemented, "immediate=true"));
        }
        let exchange = method.exchange.as_str();
        self.check_exchange(exchange)?;
        let list = content
            .properties
            .list()
            .map_err(|fault| refused(format!("invalid message: {fault}")))?;
        self.check(&list)?;
        let keys = Keys::of(method.routing_key.as_str(), list.headers)?;
        let headers = Headers(&list);
        let route = self.host.route(exchange, &keys.all(), &headers);
        let route = route.map_err(|error| self.fault(exchange, error))?;
        let blind = keys.without_blind(&list);
        let properties = blind.as_ref().unwrap_or(&content.properties);
        let published = Published {
            exchange,
            routing_key: method.routing_key.as_str(),
            properties,
            body: content.body.clone(),
            from: self.from,
            at,
        };
        self.item(&published, route)
    }

    fn check_exchange(&self, name: &str) -> Result<(), Fault> {
        match self.host.exchange(name) {
            None => Err(self.fault(name, TopologyError::NoExchange(name.into()))),
            Some(spec) if spec.is_internal => {
                let host = self.host.name();
                let text =
                    format!("cannot publish to internal exchange '{name}' in vhost '{host}'");
                Err(Fault::new(ReplyCode::AccessRefused, text))
            }
            Some(_) => Ok(()),
        }
    }

    fn fault(&self, exchange: &str, error: TopologyError) -> Fault {
        fault(&self.host, Named::Exchange(exchange), error)
    }

    fn check(&self, list: &PropertyList<'_>) -> Result<(), Fault> {
        if let Some(user) = list.user_id
            && user != self.user.as_bytes()
        {
            let (user, own) = (String::from_utf8_lossy(user), &self.user);
            return Err(refused(format!(
                "user_id property set to '{user}' but authenticated user was '{own}'"
            )));
        }
        if let Some(text) = list.expiration {
            check_expiration(text)?;
        }
        match list.delivery_mode {
            None | Some(1 | 2) => Ok(()),
            Some(mode) => Err(refused(format!(
                "invalid message: {{delivery_mode_unknown,{mode}}}"
            ))),
        }
    }

    fn item(&self, published: &Published<'_>, route: Route) -> Result<Routed, Fault> {
        let home = match route.home {
            Home::Topic(name) => self.client.topic_or_create(&name, Some(1)).ok(),
            Home::Queue => None,
        };
        let queues = route.queues;
        let mut targets = queues
            .iter()
            .map(|queue| (Arc::clone(queue.topic()), QueueId::new(0)));
        let own = match home {
            Some(topic) => Some((Arc::clone(&topic), queue_of(&topic, published.routing_key))),
            None => targets.next(),
        };
        let Some((topic, queue)) = own else {
            return Ok(Routed { item: None, queues });
        };
        let also = targets.collect();
        let message = published.to_message().map_err(|fault| match fault {
            MessageFault::Properties(fault) => refused(format!("invalid message: {fault}")),
            MessageFault::TooLarge(_) => refused(fault.to_string()),
        })?;
        let item = ProduceItem {
            topic,
            queue,
            payload: Payload::Message(message),
            also,
        };
        Ok(Routed {
            item: Some(item),
            queues,
        })
    }
}

/// The queue of an exchange's topic: the same for the same routing key, so that its messages stay
/// in order.
fn queue_of(topic: &Topic, key: &str) -> QueueId {
    let hash = crc32c(key.as_bytes());
    QueueId::new(hash.checked_rem(topic.queue_count()).unwrap_or(0))
}

fn refused(text: String) -> Fault {
    Fault::new(ReplyCode::PreconditionFailed, text)
}

/// Digits of milliseconds, as RabbitMQ reads them: with a sign before and nothing behind them.
fn check_expiration(text: &[u8]) -> Result<(), Fault> {
    let text = String::from_utf8_lossy(text);
    let refuse = |why: String| Err(refused(format!("invalid expiration '{text}': {why}")));
    let (is_negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, &*text),
    };
    let end = digits.find(|digit: char| !digit.is_ascii_digit());
    let (digits, rest) = digits.split_at(end.unwrap_or(digits.len()));
    if digits.is_empty() {
        return refuse("no_integer".to_owned());
    }
    if !rest.is_empty() {
        return refuse(format!("{{leftover_string,{rest:?}}}"));
    }
    let millis = digits.parse().unwrap_or(u64::MAX);
    if is_negative && millis > 0 {
        return refuse(format!("{{value_negative,-{digits}}}"));
    }
    if millis > LIFE_MS_MAX {
        return refuse(format!("{{value_too_large,{digits}}}"));
    }
    Ok(())
}

/// The headers there are, or none.
fn table<'a>(headers: Option<TableView<'a>>) -> TableView<'a> {
    headers.unwrap_or_default()
}
