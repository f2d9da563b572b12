//! From `basic.publish` to the record core appends: what RabbitMQ checks, in its order, and where
//! the message goes.

mod batch;
mod dead_letters;
mod keys;
mod routable;
#[cfg(test)]
mod tests;

use crate::accounts::{Right, Rights};
use crate::codec::method::basic;
use crate::codec::table::TableBuilder;
use crate::codec::{Content, PropertyList, ReplyCode, ShortString, TableView, Value};
use crate::consuming::{REPLY_TO, Replies, is_reply_address};
use crate::fault::Fault;
use crate::message::{Delivered, MessageFault, Published};
use crate::topology::{LIFE_MS_MAX, Named, describe, fault};
pub(crate) use batch::{Batch, Stored};
use bytes::Bytes;
pub(crate) use dead_letters::AmqpQueueProtocol;
use gantry_core::batch::crc32c;
use gantry_core::model::{QueueId, Timestamp, property};
use gantry_core::routing::ExchangeSpec;
use gantry_core::vhosts::{
    DeadLetter, Home, Overflow, Route, TopologyError, VirtualHost, WorkQueue,
};
use gantry_core::{Client, Payload, ProduceItem, Topic};
use keys::Keys;
use routable::Headers;
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::sync::Arc;

/// Further queues of one record. Their numbers stand in its properties, 16 bytes each, where the
/// message's own have to fit, too.
const FURTHER_QUEUES_MAX: usize = 1_024;
/// For which an exchange of the kind `x-delayed-message` lets a message wait, in milliseconds.
const DELAY: &str = "x-delay";

/// Who publishes.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// As whom core is asked.
    pub client: Client,
    /// Where its exchanges are.
    pub host: Arc<VirtualHost>,
    /// The user's name, which `user-id` must be.
    pub user: Arc<str>,
    /// What the user may do.
    pub rights: Arc<Rights>,
    /// Where answers go.
    pub replies: Arc<Replies>,
    /// The connection's peer.
    pub from: SocketAddr,
}

/// A message on its way to the log.
#[derive(Clone, Debug, Default)]
pub struct Routed {
    /// What to produce: one record for as many queues as it can name; none where nobody could ever
    /// read it.
    pub items: SmallVec<[ProduceItem; 1]>,
    /// The queues it will be in, to be dispatched once it is appended.
    pub queues: Vec<Arc<WorkQueue>>,
    /// No queue is for it.
    pub is_unrouted: bool,
    /// A queue is for it that is full and does not take it.
    pub is_refused: bool,
    /// What becomes of it then.
    pub letters: Vec<DeadLetter>,
    /// It is an answer, for that address.
    pub reply: Option<(ShortString, Delivered)>,
}

impl Publisher {
    /// Checks and routes a message that came `at`; those of `before` are published first. Answers
    /// to it go to `answers_to`, if anybody waits for them.
    ///
    /// # Errors
    /// A channel's or a connection's fault.
    pub(crate) fn route(
        &self,
        method: &basic::Publish,
        content: &Content,
        at: Timestamp,
        (before, answers_to): (&Batch, Option<&ShortString>),
    ) -> Result<Routed, Fault> {
        if method.immediate {
            return Err(Fault::new(ReplyCode::NotImplemented, "immediate=true"));
        }
        let exchange = method.exchange.as_str();
        let rights = &self.rights;
        rights.check(&self.host, Right::Write, Named::Exchange(exchange))?;
        let spec = self.find_exchange(exchange)?;
        let list = content
            .properties
            .list()
            .map_err(|fault| refused(format!("invalid message: {fault}")))?;
        self.check(&list)?;
        let keys = Keys::of(method.routing_key.as_str(), list.headers)?;
        let all_keys = keys.all();
        rights.check_keys(&self.host, Right::Write, exchange, &all_keys)?;
        if exchange.is_empty() && is_reply_address(method.routing_key.as_str()) {
            return Ok(self.answer(&method.routing_key, content));
        }
        let headers = Headers(&list);
        let route = self.host.route(exchange, &all_keys, &headers);
        let mut route = route.map_err(|error| self.fault(exchange, error))?;
        let is_unrouted = route.queues.is_empty();
        let refusing = self.withhold(&mut route, before);
        let asks = list.reply_to == Some(REPLY_TO.as_bytes());
        let address = if asks {
            let text = "fast reply consumer does not exist";
            let address = answers_to.ok_or_else(|| refused(text.to_owned()))?;
            Some(address.as_bytes())
        } else {
            list.reply_to
        };
        let list = PropertyList {
            reply_to: address,
            ..list
        };
        let changed = keys.without_blind(&list);
        let changed = changed.or_else(|| asks.then(|| list.encode()));
        let properties = changed.as_ref().unwrap_or(&content.properties);
        let published = Published {
            exchange,
            routing_key: method.routing_key.as_str(),
            properties,
            body: content.body.clone(),
            from: self.from,
            at,
        };
        if let Some(delay) = Self::delay(&spec, &list) {
            return self.later(&published, &list, delay, route);
        }
        if list.expiration.is_some() {
            route.queues.iter().for_each(|queue| queue.expect_mortals());
        }
        let letters = refusing
            .iter()
            .filter(|queue| queue.rules().overflow == Overflow::RejectPublishDeadLetter);
        let letters = letters.filter_map(|queue| self.letter(queue, &published));
        Ok(Routed {
            is_unrouted,
            is_refused: !refusing.is_empty(),
            letters: letters.collect(),
            ..item_of(&self.client, &published, route, list.priority)?
        })
    }

    /// An answer, which goes to the channel that asked.
    fn answer(&self, address: &ShortString, content: &Content) -> Routed {
        let delivered = Delivered {
            exchange: Bytes::new(),
            routing_key: address.clone().into_bytes(),
            properties: content.properties.clone(),
            body: content.body.clone(),
        };
        Routed {
            is_unrouted: !self.replies.is_open(address),
            reply: Some((address.clone(), delivered)),
            ..Routed::default()
        }
    }

    /// Takes the queues out of a route that are full and do not take more.
    fn withhold(&self, route: &mut Route, before: &Batch) -> Vec<Arc<WorkQueue>> {
        let is_full = |queue: &mut Arc<WorkQueue>| {
            let rules = queue.rules();
            rules.may_refuse() && self.client.is_full(queue, before.count_for(queue))
        };
        route.queues.extract_if(.., is_full).collect()
    }

    /// What becomes of a message that a queue does not take.
    fn letter(&self, queue: &WorkQueue, published: &Published<'_>) -> Option<DeadLetter> {
        let delivered = Delivered {
            exchange: Bytes::copy_from_slice(published.exchange.as_bytes()),
            routing_key: Bytes::copy_from_slice(published.routing_key.as_bytes()),
            properties: published.properties.clone(),
            body: published.body.clone(),
        };
        let protocol = AmqpQueueProtocol::new(self.client.clone());
        protocol.refused(&self.host, queue, &delivered, published)
    }

    fn find_exchange(&self, name: &str) -> Result<ExchangeSpec, Fault> {
        match self.client.find_exchange(&self.host, name) {
            None => Err(self.fault(name, TopologyError::NoExchange(name.into()))),
            Some(spec) if spec.is_internal => {
                let what = describe(&self.host, Named::Exchange(name));
                let text = format!("cannot publish to internal {what}");
                Err(Fault::new(ReplyCode::AccessRefused, text))
            }
            Some(spec) => Ok(spec),
        }
    }

    /// How long a message waits before its exchange routes it.
    fn delay(exchange: &ExchangeSpec, list: &PropertyList<'_>) -> Option<i64> {
        let asked = table(list.headers).get(DELAY)?.integer()?;
        (exchange.is_delayed && asked > 0).then_some(asked)
    }

    /// A message that waits before its exchange routes it. Its header tells consumers that it has.
    fn later(
        &self,
        published: &Published<'_>,
        list: &PropertyList<'_>,
        delay: i64,
        route: Route,
    ) -> Result<Routed, Fault> {
        let most = self.client.config().timers.delay_ms_max;
        if delay.unsigned_abs() > most {
            let text = format!("invalid {DELAY} '{delay}': {{value_too_large,{delay}}}");
            return Err(refused(text));
        }
        let mut headers = TableBuilder::new();
        headers.copy_without(table(list.headers), &[DELAY]);
        headers.put(DELAY, Value::I64(-delay));
        let headers = headers.build();
        let list = PropertyList {
            headers: Some(headers.view()),
            ..*list
        };
        let published = Published {
            properties: &list.encode(),
            ..published.clone()
        };
        if route.home == Home::Queue {
            let text = "messages of this exchange cannot wait: no topic can have its name";
            return Err(refused(text.to_owned()));
        }
        let is_unrouted = route.queues.is_empty();
        let route = Route {
            queues: Vec::new(),
            ..route
        };
        let mut routed = item_of(&self.client, &published, route, list.priority)?;
        routed.is_unrouted = is_unrouted;
        if let Some(ProduceItem {
            payload: Payload::Message(message),
            ..
        }) = routed.items.first_mut()
        {
            let delay = delay.to_string();
            let asks = [(property::TIMER_DELAY_MS, delay.as_str())];
            let properties = message.properties.rewritten(|_| false, &asks);
            message.properties = properties.map_err(|error| refused(error.to_string()))?;
        }
        Ok(routed)
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
}

/// What is to be produced of a message that goes where `route` says.
///
/// # Errors
/// It cannot be kept.
fn item_of(
    client: &Client,
    published: &Published<'_>,
    route: Route,
    priority: Option<u8>,
) -> Result<Routed, Fault> {
    let queues = route.queues;
    let home = match route.home {
        // A stream that is the topic has it once.
        Home::Topic(name) if queues.iter().any(|queue| *queue.topic().name() == name) => None,
        Home::Topic(name) => client.exchange_topic(&name).ok(),
        Home::Queue => None,
    };
    let own = home.map(|topic| {
        let queue = queue_of(&topic, published.routing_key);
        (topic, queue)
    });
    let targets = queues
        .iter()
        .map(|queue| (Arc::clone(queue.topic()), queue.queue_for(priority)));
    let mut targets = own.into_iter().chain(targets).peekable();
    if targets.peek().is_none() {
        return Ok(Routed {
            queues,
            ..Routed::default()
        });
    }
    let message = published.to_message().map_err(|fault| match fault {
        MessageFault::Properties(fault) => refused(format!("invalid message: {fault}")),
        MessageFault::TooLarge(_) => refused(fault.to_string()),
    })?;
    let mut items = SmallVec::new();
    while let Some((topic, queue)) = targets.next() {
        items.push(ProduceItem {
            topic,
            queue,
            payload: Payload::Message(message.clone()),
            also: targets.by_ref().take(FURTHER_QUEUES_MAX).collect(),
        });
    }
    Ok(Routed {
        items,
        queues,
        ..Routed::default()
    })
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
