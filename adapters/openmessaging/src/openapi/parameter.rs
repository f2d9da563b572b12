//! What requests say beside their body: header fields and queries.

use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};

/// What a value may be.
#[derive(Clone)]
pub(super) enum Kind {
    Text,
    /// A whole number of these.
    Number(i64, i64),
    OneOf(&'static [&'static str]),
}

/// A field of a request, or of an answer's header.
#[derive(Clone)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: ParameterIn,
    pub(super) kind: Kind,
    pub(super) what: &'static str,
    pub(super) is_required: bool,
}

impl Parameter {
    pub(super) const fn path(name: &'static str, what: &'static str) -> Self {
        Self::at(ParameterIn::Path, name, Kind::Text, what)
    }

    pub(super) const fn query(name: &'static str, kind: Kind, what: &'static str) -> Self {
        Self::at(ParameterIn::Query, name, kind, what)
    }

    pub(super) const fn field(name: &'static str, kind: Kind, what: &'static str) -> Self {
        Self::at(ParameterIn::Header, name, kind, what)
    }

    pub(super) const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    const fn at(place: ParameterIn, name: &'static str, kind: Kind, what: &'static str) -> Self {
        Self {
            name,
            place,
            kind,
            what,
            is_required: false,
        }
    }

    pub(super) fn schema(&self) -> RefOr<Schema> {
        let object = ObjectBuilder::new();
        let object = match &self.kind {
            Kind::Text => {
                let is_path = self.place == ParameterIn::Path;
                object
                    .schema_type(Type::String)
                    .min_length(is_path.then_some(1))
            }
            Kind::Number(least, most) => object
                .schema_type(Type::Integer)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
                .minimum(Some(*least))
                .maximum(Some(*most)),
            Kind::OneOf(values) => object
                .schema_type(Type::String)
                .enum_values(Some(values.iter().copied())),
        };
        object.build().into()
    }
}

const TIME: Kind = Kind::Number(0, i64::MAX);
const COUNT: Kind = Kind::Number(0, i64::MAX);

/// The version of the specification, where a request must say it.
pub(super) const VERSION: Parameter = Parameter::field(
    "x-oms-version",
    Kind::OneOf(&["1.0.0", "1.0", "1"]),
    "The specification's version",
);

/// What a message says beside its body (E.1).
pub(super) const MESSAGE: &[Parameter] = &[
    Parameter::field(
        "x-oms-h-messageId",
        Kind::Text,
        "A second one of it within a while is not appended",
    ),
    Parameter::field(
        "x-oms-h-bornTimestamp",
        TIME,
        "When it was made, ms since 1970",
    ),
    Parameter::field(
        "x-oms-h-bornHost",
        Kind::Text,
        "Where it was made, host:port",
    ),
    Parameter::field("x-oms-h-expireTime", TIME, "When it is over, ms since 1970"),
    Parameter::field("x-oms-h-priority", Kind::Number(1, 10), "5 when not said"),
    Parameter::field(
        "x-oms-h-compression",
        Kind::Text,
        "How the body is compressed",
    ),
    Parameter::field(
        "x-oms-h-delayTime",
        COUNT,
        "When it is to be delivered, ms from now",
    ),
    Parameter::field("x-oms-h-deliverTime", TIME, "The same, ms since 1970"),
    Parameter::field(
        "x-oms-h-durability",
        Kind::Number(0, 1),
        "1 is answered from the disk",
    ),
    Parameter::field("x-oms-h-messageKey", Kind::Text, "Its key"),
    Parameter::field(
        "x-oms-messageKeyBase64",
        Kind::Text,
        "Its key, when that is no text",
    ),
    Parameter::field(
        "x-oms-headers",
        Kind::Text,
        "A JSON list of headers that properties cannot hold",
    ),
    Parameter::field(
        "x-oms-nullBody",
        Kind::OneOf(&["true", "false"]),
        "The body is null, and not empty",
    ),
    Parameter::field("x-oms-h-traceId", Kind::Text, "Its trace"),
    Parameter::field(
        "x-oms-h-transactionId",
        Kind::Text,
        "It waits for the end of its transaction",
    ),
    Parameter::field("x-oms-producerGroup", Kind::Text, "Whose transaction it is"),
    Parameter::field("x-oms-h-correlationId", Kind::Text, "What it is about"),
    Parameter::field(
        "x-oms-h-tag",
        Kind::Text,
        "RocketMQ's tag, AMQP's routing key",
    ),
    Parameter::field("x-oms-h-replyTo", Kind::Text, "Where an answer is to go"),
    Parameter::field(
        "x-oms-partition",
        Kind::Number(0, u32::MAX as i64),
        "The partition it is to be in",
    ),
    Parameter::field(
        "x-oms-properties",
        Kind::Text,
        "A JSON object of properties, their case kept",
    ),
    Parameter::field("traceparent", Kind::Text, "W3C's"),
];

/// Where a message went.
pub(super) const SENT: &[Parameter] = &[
    Parameter::field("x-oms-h-messageId", Kind::Text, ""),
    Parameter::field("x-oms-partition", COUNT, ""),
    Parameter::field("x-oms-offset", COUNT, ""),
    Parameter::field("x-oms-recallHandle", Kind::Text, ""),
    Parameter::field("x-oms-transactionHandle", Kind::Text, ""),
];

/// A pull of the specification.
pub(super) const PULL: &[Parameter] = &[
    Parameter::field("x-oms-consumerId", Kind::Text, "The consumer: a group").required(),
    Parameter::field("x-oms-source", Kind::Text, "The destination to pull from").required(),
    Parameter::field(
        "x-oms-ack",
        Kind::OneOf(&["true", "false"]),
        "true leases it until it is acknowledged",
    ),
    Parameter::field("x-oms-waitMills", COUNT, "How long to wait for one, ms"),
    Parameter::field(
        "x-oms-invisibleMillis",
        COUNT,
        "How long it is the consumer's, ms",
    ),
    Parameter::field("x-oms-filter", Kind::Text, "Tags, or an SQL92 expression"),
    Parameter::field("x-oms-filterType", FILTER_TYPE, "What the filter is"),
];

pub(super) const FILTER_TYPE: Kind = Kind::OneOf(&["TAG", "SQL92"]);

/// Where to look at messages.
pub(super) const LOOK: &[Parameter] = &[
    Parameter::query(
        "partition",
        Kind::Number(0, u32::MAX as i64),
        "All when not said",
    ),
    Parameter::query("offset", COUNT, "The first one, of the partition"),
    Parameter::query(
        "timestamp",
        TIME,
        "The first one stored then, ms since 1970",
    ),
    Parameter::query("key", Kind::Text, "Those of a key only"),
    Parameter::query("limit", Kind::Number(1, 256), "How many at most"),
    Parameter::query(
        "cursor",
        Kind::Text,
        "Where an answer before this one ended",
    ),
];

/// How long an answer may take.
pub(super) const ASK: &[Parameter] = &[Parameter::query(
    "timeoutMillis",
    COUNT,
    "How long to wait for it, ms",
)];

/// Which transactions are open.
pub(super) const OPEN: &[Parameter] = &[
    Parameter::query("producerGroup", Kind::Text, "Whose; those of who said none"),
    Parameter::query("limit", Kind::Number(1, 256), "How many at most"),
    Parameter::query("cursor", COUNT, "Where an answer before this one ended"),
];

/// A live stream.
pub(super) const STREAM: &[Parameter] = &[
    Parameter::query("source", Kind::Text, "The destination").required(),
    Parameter::query("filter", Kind::Text, "Tags, or an SQL92 expression"),
    Parameter::query("filterType", FILTER_TYPE, "What the filter is"),
    Parameter::query(
        "ack",
        Kind::OneOf(&["auto", "manual"]),
        "manual waits for answers",
    ),
    Parameter::query("credit", COUNT, "Of manual: messages that may be out"),
    Parameter::field(
        "last-event-id",
        Kind::Text,
        "The last event that the client had",
    ),
];
