//! What there is, as JSON with RabbitMQ's names. Numbers that are not counted are left out.

use crate::rates::{Figure, Measured, Subject};
use crate::server::Management;
use crate::values::{json_of_arguments, json_of_table};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gantry_amqp::registry::{ChannelMode, OpenChannel, OpenConnection, OpenConsumer, Traffic};
use gantry_core::Error;
use gantry_core::batch::crc32c;
use gantry_core::model::QueueId;
use gantry_core::routing::{Binding, Destination, ExchangeSpec};
use gantry_core::vhosts::{VirtualHost, WorkQueue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

/// What this process calls itself, as Erlang's nodes are called.
pub(crate) const NODE: &str = "gantry@localhost";
/// What stays as it is in the key of a binding.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Messages that went over something, and how fast.
const MESSAGES: [&str; 3] = ["publish", "deliver_get", "ack"];
/// Bytes that did.
const OCTETS: [&str; 2] = ["recv_oct", "send_oct"];
/// Messages in queues.
const DEPTHS: [&str; 3] = ["messages", "messages_ready", "messages_unacknowledged"];

/// The figures of [`MESSAGES`].
fn messages(traffic: Traffic) -> [Figure; 3] {
    [
        ("publish", traffic.published),
        ("deliver_get", traffic.delivered),
        ("ack", traffic.acknowledged),
    ]
}

/// `message_stats`
fn message_stats(measured: &Measured) -> Value {
    let mut stats = Map::new();
    measured.write(&MESSAGES, &mut stats);
    Value::Object(stats)
}

/// How many messages are in queues.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Depth {
    pub(crate) ready: u64,
    pub(crate) unacknowledged: u64,
}

impl Depth {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            ready: self.ready + other.ready,
            unacknowledged: self.unacknowledged + other.unacknowledged,
        }
    }

    /// The figures of [`DEPTHS`].
    fn figures(self) -> [Figure; 3] {
        [
            ("messages", self.ready + self.unacknowledged),
            ("messages_ready", self.ready),
            ("messages_unacknowledged", self.unacknowledged),
        ]
    }
}

impl Management {
    /// # Errors
    /// The queue is gone.
    pub(crate) fn depth(&self, queue: &WorkQueue) -> Result<Depth, Error> {
        let counts = self.amqp.client().queue_counts(queue)?;
        Ok(Depth {
            ready: counts.ready,
            unacknowledged: counts.leased,
        })
    }

    /// Of all queues of a virtual host; one that goes meanwhile counts no more.
    pub(crate) fn depth_of(&self, host: &VirtualHost) -> Depth {
        let queues = host.queues();
        let depths = queues.iter().filter_map(|queue| self.depth(queue).ok());
        depths.fold(Depth::default(), Depth::plus)
    }

    fn measure(&self, of: Subject, figures: &[Figure]) -> Measured {
        self.rates.measure(of, figures, self.amqp.now())
    }

    /// Messages in queues, and those that went over connections.
    pub(crate) fn totals(&self, of: Subject, depth: Depth, traffic: Traffic) -> (Value, Value) {
        let figures = [depth.figures(), messages(traffic)].concat();
        let measured = self.measure(of, &figures);
        let mut totals = Map::new();
        measured.write(&DEPTHS, &mut totals);
        (Value::Object(totals), message_stats(&measured))
    }

    /// A virtual host's messages, and what went over its connections.
    pub(crate) fn write_totals(&self, host: &VirtualHost, into: &mut Map<String, Value>) {
        let all = self.amqp.registry().connections();
        let its = all.iter().filter(|one| one.vhost == *host.name());
        let (traffic, octets) = its.fold(
            (Traffic::default(), [0, 0]),
            |(traffic, [received, sent]), one| {
                let octets = one.octets();
                let sums = [received + octets.received, sent + octets.sent];
                (traffic.plus(one.traffic()), sums)
            },
        );
        let [received, sent] = octets;
        let octets = [("recv_oct", received), ("send_oct", sent)];
        let depth = self.depth_of(host).figures();
        let figures = [&depth[..], &messages(traffic), &octets].concat();
        let measured = self.measure(Subject::Vhost(host.name().clone()), &figures);
        measured.write(&DEPTHS, into);
        measured.write(&OCTETS, into);
        into.insert("message_stats".to_owned(), message_stats(&measured));
    }

    /// How many messages a queue ever had, whatever became of them.
    fn published(&self, queue: &WorkQueue) -> u64 {
        let topic = queue.topic();
        let ranges = (0..topic.queue_count()).filter_map(|id| {
            let range = self.amqp.client().offset_range(topic, QueueId::new(id));
            range.ok()
        });
        ranges.map(|range| range.end.get()).sum()
    }

    /// A queue; `None` when it goes meanwhile.
    pub(crate) fn queue(&self, queue: &WorkQueue) -> Option<Value> {
        let spec = queue.spec();
        let host = self.amqp.client().virtual_host(queue.vhost())?;
        let ruling = host.queue_ruling(queue);
        let mut fields = Map::new();
        let published = [("publish", self.published(queue))];
        let figures = [&self.depth(queue).ok()?.figures()[..], &published].concat();
        let subject = Subject::Queue(queue.vhost().clone(), queue.name().clone());
        let measured = self.measure(subject, &figures);
        measured.write(&DEPTHS, &mut fields);
        fields.insert("message_stats".to_owned(), message_stats(&measured));
        let consumers = queue.consumer_count();
        let rest = json!({
            "name": &**queue.name(),
            "vhost": &**queue.vhost(),
            "type": queue.kind().name(),
            "durable": spec.is_durable,
            "auto_delete": spec.is_auto_delete,
            "exclusive": spec.is_exclusive,
            "arguments": json_of_arguments(&spec.arguments),
            "consumers": consumers,
            "consumer_capacity": if consumers > 0 { 1 } else { 0 },
            "consumer_utilisation": if consumers > 0 { 1 } else { 0 },
            "effective_policy_definition": ruling.settings,
            "exclusive_consumer_tag": null,
            "head_message_timestamp": null,
            "node": NODE,
            "leader": NODE,
            "members": [NODE],
            "operator_policy": ruling.operator_policy,
            "policy": ruling.policy,
            "recoverable_slaves": null,
            "single_active_consumer_tag": null,
            "state": "running",
        });
        extend(&mut fields, rest);
        if queue.rules().is_stream() {
            let readers = json!({ "online": [NODE], "readers": { NODE: consumers } });
            extend(&mut fields, readers);
        }
        if let Some(owner) = queue.owner() {
            let all = self.amqp.registry().connections();
            let owner = all.iter().find(|connection| connection.session == owner);
            if let Some(owner) = owner {
                fields.insert("owner_pid_details".to_owned(), connection_details(owner));
            }
        }
        Some(Value::Object(fields))
    }

    /// A queue with who consumes from it.
    pub(crate) fn queue_with_consumers(&self, queue: &WorkQueue) -> Option<Value> {
        let mut described = self.queue(queue)?;
        let consumers = self.consumers(|connection, consumer| {
            connection.vhost == *queue.vhost() && consumer.queue == *queue.name()
        });
        if let Value::Object(fields) = &mut described {
            fields.insert("consumer_details".to_owned(), consumers.into());
            fields.insert("deliveries".to_owned(), json!([]));
            fields.insert("incoming".to_owned(), json!([]));
        }
        Some(described)
    }

    /// Consumers of a kind.
    pub(crate) fn consumers(
        &self,
        is_meant: impl Fn(&OpenConnection, &OpenConsumer) -> bool,
    ) -> Vec<Value> {
        let mut all = Vec::new();
        for connection in self.amqp.registry().connections() {
            for channel in connection.channels() {
                let consumers = channel.consumers().into_iter();
                let meant = consumers.filter(|consumer| is_meant(&connection, consumer));
                all.extend(meant.map(|one| self.consumer(&connection, &channel, &one)));
            }
        }
        all
    }
}

fn extend(fields: &mut Map<String, Value>, rest: Value) {
    if let Value::Object(rest) = rest {
        fields.extend(rest);
    }
}

/// An exchange.
pub(crate) fn exchange(vhost: &str, name: &str, spec: &ExchangeSpec) -> Value {
    json!({
        "arguments": json_of_arguments(&spec.arguments),
        "auto_delete": spec.is_auto_delete,
        "durable": spec.is_durable,
        "internal": spec.is_internal,
        "name": name,
        "type": spec.type_name(),
        "user_who_performed_action": "gantry",
        "vhost": vhost,
    })
}

/// The parts of a binding that definitions have as well.
pub(crate) fn bound(vhost: &str, binding: &Binding) -> Value {
    let (destination, kind) = match &binding.destination {
        Destination::Queue(name) => (name, "queue"),
        Destination::Exchange(name) => (name, "exchange"),
    };
    json!({
        "source": &*binding.source,
        "vhost": vhost,
        "destination": &**destination,
        "destination_type": kind,
        "routing_key": &*binding.key,
        "arguments": json_of_arguments(&binding.arguments),
    })
}

/// A binding.
pub(crate) fn binding(vhost: &str, binding: &Binding) -> Value {
    let mut described = bound(vhost, binding);
    if let Value::Object(fields) = &mut described {
        fields.insert("properties_key".to_owned(), properties_key(binding).into());
    }
    described
}

/// What tells bindings between the same ends apart. What is behind the tilde is opaque to clients.
pub(crate) fn properties_key(binding: &Binding) -> String {
    let key = utf8_percent_encode(&binding.key, UNRESERVED).to_string();
    if binding.arguments.iter().next().is_none() {
        return if key.is_empty() { "~".to_owned() } else { key };
    }
    let arguments = json_of_arguments(&binding.arguments).to_string();
    let hash = crc32c(arguments.as_bytes()).to_be_bytes();
    format!("{key}~{}", URL_SAFE_NO_PAD.encode(hash))
}

/// All bindings of a virtual host, those to the default exchange first.
pub(crate) fn bindings(host: &VirtualHost) -> Vec<Binding> {
    let queues = host.queues();
    let mut all: Vec<_> = queues.iter().map(|queue| by_name(queue)).collect();
    for (name, _) in host.exchanges() {
        all.extend(host.bindings_of(&name));
    }
    all
}

/// The binding every queue has.
pub(crate) fn by_name(queue: &WorkQueue) -> Binding {
    Binding {
        source: "".into(),
        destination: Destination::Queue(queue.name().clone()),
        key: (&**queue.name()).into(),
        arguments: gantry_core::routing::Arguments::default(),
    }
}

fn connection_details(connection: &OpenConnection) -> Value {
    json!({
        "name": connection.name(),
        "peer_host": connection.peer.ip().to_string(),
        "peer_port": connection.peer.port(),
    })
}

impl Management {
    /// A connection.
    pub(crate) fn connection(&self, connection: &OpenConnection) -> Value {
        let tuned = connection.tuned;
        let heartbeat = tuned.and_then(|tuned| tuned.heartbeat);
        let secured = connection.secured.as_ref();
        let certificate = secured.and_then(|secured| secured.certificate.as_ref());
        let octets = connection.octets();
        let bytes = [("recv_oct", octets.received), ("send_oct", octets.sent)];
        let figures = [&messages(connection.traffic())[..], &bytes].concat();
        let measured = self.measure(Subject::Connection(connection.name().to_owned()), &figures);
        let mut described = json!({
            "auth_mechanism": connection.mechanism,
            "channel_max": tuned.map(|tuned| tuned.channel_max),
            "channels": connection.channels().len(),
            "client_properties": json_of_table(connection.client.table().view()),
            "connected_at": connection.opened_at.millis(),
            "frame_max": tuned.map(|tuned| tuned.frame_max.bytes()),
            "host": connection.local.ip().to_string(),
            "message_stats": message_stats(&measured),
            "name": connection.name(),
            "node": NODE,
            "peer_host": connection.peer.ip().to_string(),
            "peer_port": connection.peer.port(),
            "port": connection.local.port(),
            "protocol": "AMQP 0-9-1",
            "recv_cnt": octets.reads,
            "send_cnt": octets.writes,
            "ssl": connection.secured.is_some(),
            "peer_cert_subject": certificate.map(|certificate| &certificate.subject),
            "state": if connection.is_blocked() { "blocked" } else { "running" },
            "timeout": heartbeat.map_or(0, |interval| interval.as_secs()),
            "type": "network",
            "user": &*connection.user,
            "user_who_performed_action": &*connection.user,
            "vhost": &*connection.vhost,
        });
        if let Value::Object(fields) = &mut described {
            measured.write(&OCTETS, fields);
            if let Some(name) = connection.client.text("connection_name") {
                fields.insert("user_provided_name".to_owned(), name.into());
            }
        }
        described
    }

    /// A channel.
    pub(crate) fn channel(&self, connection: &OpenConnection, channel: &OpenChannel) -> Value {
        let name = channel_name(connection, channel);
        let measured = self.measure(Subject::Channel(name), &messages(channel.traffic()));
        json!({
            "confirm": channel.mode() == ChannelMode::Confirming,
            "connection_details": connection_details(connection),
            "consumer_count": channel.consumer_count(),
            "global_prefetch_count": channel.global_prefetch(),
            "message_stats": message_stats(&measured),
            "messages_unacknowledged": channel.unacknowledged(),
        "messages_unconfirmed": channel.unconfirmed(),
            "name": channel_name(connection, channel),
            "node": NODE,
            "number": channel.number,
            "prefetch_count": channel.prefetch(),
            "state": "running",
            "transactional": channel.mode() == ChannelMode::Transacting,
            "user": &*connection.user,
            "user_who_performed_action": &*connection.user,
            "vhost": &*connection.vhost,
        })
    }
}

/// As RabbitMQ names a channel.
pub(crate) fn channel_name(connection: &OpenConnection, channel: &OpenChannel) -> String {
    format!("{} ({})", connection.name(), channel.number)
}

impl Management {
    /// A consumer.
    pub(crate) fn consumer(
        &self,
        connection: &OpenConnection,
        channel: &OpenChannel,
        consumer: &OpenConsumer,
    ) -> Value {
        let arguments = match consumer.priority {
            0 => json!({}),
            priority => json!({ "x-priority": priority }),
        };
        json!({
            "arguments": arguments,
            "ack_required": !consumer.is_unacknowledged,
            "active": true,
            "activity_status": "up",
            "channel_details": {
                "connection_name": connection.name(),
                "name": channel_name(connection, channel),
                "node": NODE,
                "number": channel.number,
                "peer_host": connection.peer.ip().to_string(),
                "peer_port": connection.peer.port(),
                "user": &*connection.user,
            },
            "consumer_tag": consumer.tag,
            "consumer_timeout": self.amqp.consumer_timeout_ms(&connection.vhost, &consumer.queue),
            "exclusive": consumer.is_exclusive,
            "prefetch_count": consumer.prefetch.unwrap_or(0),
            "queue": { "name": &*consumer.queue, "vhost": &*connection.vhost },
        })
    }
}
