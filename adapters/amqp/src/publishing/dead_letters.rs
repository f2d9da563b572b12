//! Dead letters: what RabbitMQ writes about a message's death, and where it goes then.

use super::{item_of, keys::Keys, routable::Headers, table};
use crate::codec::table::{ArrayBuilder, TableBuilder};
use crate::codec::{PropertyList, Table, TableView, Value};
use crate::message::{Delivered, Published};
use gantry_core::model::{Message, Timestamp, property};
use gantry_core::record::RecordView;
use gantry_core::vhosts::{
    DeadLetter, DeadLetterExchange, Death, QueueProtocol, VirtualHost, WorkQueue,
};
use gantry_core::{Client, MessageView};
use std::sync::Arc;

const DEATHS: &str = "x-death";
const FIRST: [&str; 3] = [
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
];
const COPIES: &str = "CC";

/// Makes dead letters as RabbitMQ does.
#[derive(Debug)]
pub(crate) struct AmqpQueueProtocol {
    client: Client,
}

impl AmqpQueueProtocol {
    pub(crate) const fn new(client: Client) -> Self {
        Self { client }
    }

    /// The dead letter of a message that a queue does not take because it is full.
    pub(super) fn refused(
        &self,
        host: &VirtualHost,
        queue: &WorkQueue,
        delivered: &Delivered,
        published: &Published<'_>,
    ) -> Option<DeadLetter> {
        let dead = Dead {
            delivered,
            from: published.from,
            death: Death::MaxLength,
            at: published.at,
        };
        self.bury(host, queue, queue.rules().dead_letters.as_ref()?, &dead)
    }

    fn bury(
        &self,
        host: &VirtualHost,
        queue: &WorkQueue,
        to: &DeadLetterExchange,
        dead: &Dead<'_>,
    ) -> Option<DeadLetter> {
        host.exchange(&to.exchange)?;
        let list = dead.delivered.properties.list().ok()?;
        let own_key = std::str::from_utf8(&dead.delivered.routing_key).ok()?;
        let headers = dead.headers(queue, &list, to.routing_key.is_some());
        let list = PropertyList {
            headers: Some(headers.view()),
            expiration: None,
            ..list
        };
        let key = to.routing_key.as_deref().unwrap_or(own_key);
        let keys = Keys::of(key, Some(headers.view())).ok()?;
        let mut route = host
            .route(&to.exchange, &keys.all(), &Headers(&list))
            .ok()?;
        if dead.death != Death::Rejected {
            let deaths = deaths_of(headers.view());
            route
                .queues
                .retain(|target| !is_cycle(target.name(), &deaths));
        }
        if route.queues.is_empty() {
            return None;
        }
        let published = Published {
            exchange: &to.exchange,
            routing_key: key,
            properties: &list.encode(),
            body: dead.delivered.body.clone(),
            from: dead.from,
            at: dead.at,
        };
        match item_of(&self.client, &published, route, list.priority) {
            Ok(routed) => Some(DeadLetter {
                items: routed.items.into_vec(),
                queues: routed.queues,
            }),
            Err(fault) => {
                tracing::warn!(%fault, queue = &**queue.name(), "a dead letter cannot be kept");
                None
            }
        }
    }
}

impl QueueProtocol for AmqpQueueProtocol {
    fn dead_letter(
        &self,
        host: &VirtualHost,
        queue: &WorkQueue,
        message: &MessageView,
        death: Death,
        at: Timestamp,
    ) -> DeadLetter {
        let record = RecordView::parse(&message.bytes).ok();
        let letter = record
            .zip(queue.rules().dead_letters.as_ref())
            .and_then(|(record, to)| {
                let message = record.to_message();
                let dead = Dead {
                    delivered: &Delivered::of(&message, record.topic()),
                    from: message.born_host,
                    death,
                    at,
                };
                self.bury(host, queue, to, &dead)
            });
        letter.unwrap_or(DeadLetter {
            items: Vec::new(),
            queues: Vec::new(),
        })
    }

    fn route(&self, host: &VirtualHost, exchange: &str, message: &Message) -> Vec<Arc<WorkQueue>> {
        let delivered = Delivered::of(message, exchange);
        let key = std::str::from_utf8(&delivered.routing_key).unwrap_or_default();
        let list = delivered.properties.list().unwrap_or_default();
        // Only AMQP's publishers mean `CC` so.
        let is_own = message.properties.value(property::AMQP_BASE64).is_some();
        let headers = list.headers.filter(|_| is_own);
        let keys = Keys::of(key, headers).map_or_else(|_| vec![key], |keys| keys.all());
        let routed = host.route(exchange, &keys, &Headers(&list));
        let mut queues = routed.map(|route| route.queues).unwrap_or_default();
        // What is produced to the topic of a queue's name is for that queue.
        let named = host.queue(exchange).filter(|queue| queue.spec().is_kept());
        if let Some(named) = named
            && !queues.iter().any(|known| Arc::ptr_eq(known, &named))
        {
            queues.push(named);
        }
        queues
    }

    fn life_ms(&self, record: &RecordView) -> Option<u64> {
        let properties = record.properties();
        // What other protocols call so is theirs.
        properties.value(property::AMQP_BASE64)?;
        properties.value("expiration")?.parse().ok()
    }
}

/// A message that died.
struct Dead<'a> {
    delivered: &'a Delivered,
    from: std::net::SocketAddr,
    death: Death,
    at: Timestamp,
}

impl Dead<'_> {
    /// The headers it has as a dead letter.
    fn headers(&self, queue: &WorkQueue, list: &PropertyList<'_>, has_own_key: bool) -> Table {
        let before = table(list.headers);
        let mut headers = TableBuilder::new();
        let is_first = before.get(DEATHS).is_none();
        let dropped: &[&str] = if has_own_key {
            &[DEATHS, COPIES]
        } else {
            &[DEATHS]
        };
        headers.copy_without(before, dropped);
        let mut deaths = ArrayBuilder::new();
        let deaths_before = deaths_of(before);
        let same = deaths_before
            .iter()
            .position(|death| is_same(*death, queue.name(), reason(self.death)));
        let newest = self.entry(
            queue,
            list,
            same.and_then(|at| deaths_before.get(at)).copied(),
        );
        deaths.push(Value::Table(newest.view()));
        for (at, death) in deaths_before.iter().enumerate() {
            if Some(at) != same {
                deaths.push(Value::Table(*death));
            }
        }
        headers.put(DEATHS, Value::Array(deaths.view()));
        if is_first {
            let values = [
                &self.delivered.exchange[..],
                queue.name().as_bytes(),
                reason(self.death).as_bytes(),
            ];
            for (name, value) in FIRST.iter().zip(values) {
                headers.put(name, Value::LongString(value));
            }
        }
        headers.build()
    }

    /// What `x-death` says of this death; `before` is what it said of the same.
    fn entry(
        &self,
        queue: &WorkQueue,
        list: &PropertyList<'_>,
        before: Option<TableView<'_>>,
    ) -> Table {
        let mut entry = TableBuilder::new();
        if let Some(before) = before {
            let count = before.get("count").and_then(Value::integer).unwrap_or(0);
            entry.put("count", Value::I64(count.saturating_add(1)));
            entry.copy_without(before, &["count"]);
            return entry.build();
        }
        let mut keys = ArrayBuilder::new();
        keys.push(Value::LongString(&self.delivered.routing_key));
        if let Some(Value::Array(copies)) = table(list.headers).get(COPIES) {
            for key in copies.iter() {
                keys.push(key);
            }
        }
        let seconds = u64::try_from(self.at.millis() / 1_000).unwrap_or(0);
        entry.put("count", Value::I64(1));
        entry.put("reason", Value::LongString(reason(self.death).as_bytes()));
        entry.put("queue", Value::LongString(queue.name().as_bytes()));
        entry.put("time", Value::Timestamp(seconds));
        entry.put("exchange", Value::LongString(&self.delivered.exchange));
        entry.put("routing-keys", Value::Array(keys.view()));
        if let Some(expiration) = list.expiration {
            entry.put("original-expiration", Value::LongString(expiration));
        }
        entry.build()
    }
}

const fn reason(death: Death) -> &'static str {
    match death {
        Death::Rejected => REJECTED,
        Death::Expired => "expired",
        Death::MaxLength => "maxlen",
        Death::DeliveryLimit => "delivery_limit",
    }
}

const REJECTED: &str = "rejected";

/// What a message says of its deaths, the newest first.
fn deaths_of(headers: TableView<'_>) -> Vec<TableView<'_>> {
    let Some(Value::Array(deaths)) = headers.get(DEATHS) else {
        return Vec::new();
    };
    let tables = deaths.iter().filter_map(|death| match death {
        Value::Table(table) => Some(table),
        _ => None,
    });
    tables.collect()
}

fn is_same(death: TableView<'_>, queue: &str, reason: &str) -> bool {
    let says = |name, text: &str| death.get(name).and_then(Value::text) == Some(text);
    says("queue", queue) && says("reason", reason)
}

/// Whether a message has come from a queue back to it without anybody having rejected it.
fn is_cycle(queue: &Arc<str>, deaths: &[TableView<'_>]) -> bool {
    let text =
        |death: &TableView<'_>, name| death.get(name).and_then(Value::text).map(String::from);
    let is_queue = |death: &TableView<'_>| text(death, "queue").as_deref() == Some(&**queue);
    let Some(last) = deaths.iter().position(is_queue) else {
        return false;
    };
    let mut since = deaths.iter().take(last + 1);
    since.all(|death| text(death, "reason").as_deref() != Some(REJECTED))
}
