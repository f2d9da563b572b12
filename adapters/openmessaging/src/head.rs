//! What a message says beside its body, in OpenMessaging's names: the specification's header,
//! extension header and properties. As JSON it is the envelope of batches and of what is received.

use crate::binary::HeaderField;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use utoipa::ToSchema;

type Text<'a> = Option<Cow<'a, str>>;

/// A message's header. What the broker alone says is ignored when it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Message)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct Head<'a> {
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) message_id: Text<'a>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) destination: Text<'a>,
    /// Milliseconds since 1970, as all times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) born_timestamp: Option<i64>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) born_host: Text<'a>,
    /// The broker's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) store_timestamp: Option<i64>,
    /// The broker's.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) store_host: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expire_time: Option<i64>,
    /// 1 to 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) priority: Option<u8>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) compression: Text<'a>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) trace_id: Text<'a>,
    /// W3C's.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) traceparent: Text<'a>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) transaction_id: Text<'a>,
    /// Whose a half message is, which one with a transactionId becomes.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) producer_group: Text<'a>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) message_key: Text<'a>,
    /// The key when it is no text.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) message_key_base64: Text<'a>,
    /// All headers of Kafka's, when properties cannot hold each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) headers: Option<Vec<HeaderField>>,
    /// The body is null, and not empty.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) null_body: bool,
    /// RocketMQ's one tag, AMQP's routing key.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) tag: Text<'a>,
    /// Milliseconds from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay_time: Option<u64>,
    /// When it is to be delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deliver_time: Option<i64>,
    /// 1 is answered from the disk, 0 from memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) durability: Option<u8>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) correlation_id: Text<'a>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) reply_to: Text<'a>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) content_type: Text<'a>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) content_encoding: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partition: Option<u32>,
    /// The broker's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<u64>,
    /// The broker's: 1 for the first time it is handed out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delivery_count: Option<u32>,
    /// The broker's: what acknowledges it.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) receipt_handle: Text<'a>,
    /// The application's own, in their order.
    #[serde(skip_serializing_if = "Pairs::is_empty")]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub(crate) properties: Pairs<'a>,
    /// The body when it is text.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) body: Text<'a>,
    /// The body when it is not.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) body_base64: Text<'a>,
}

impl<'a> Head<'a> {
    /// The body that an envelope holds, a slice of `source` where it stands there as it is.
    pub(crate) fn take_body(&mut self, source: &Bytes) -> Result<Bytes, &'static str> {
        match (self.body.take(), self.body_base64.take()) {
            (Some(_), Some(_)) => Err("a message has body or bodyBase64, not both"),
            (Some(Cow::Borrowed(text)), None) => Ok(source.slice_ref(text.as_bytes())),
            (Some(Cow::Owned(text)), None) => Ok(text.into()),
            (None, Some(text)) => STANDARD
                .decode(text.as_bytes())
                .map(Bytes::from)
                .map_err(|_| "bodyBase64 is no base64"),
            (None, None) => Ok(Bytes::new()),
        }
    }

    /// Puts a body into the envelope.
    pub(crate) fn put_body(&mut self, body: &'a [u8]) {
        match std::str::from_utf8(body) {
            Ok(text) => self.body = Some(text.into()),
            Err(_) => self.body_base64 = Some(STANDARD.encode(body).into()),
        }
    }
}

/// Names with their values, a JSON object. Values that are numbers or truth values are text here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs<'a>(pub(crate) Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl Pairs<'_> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Pairs<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object of texts")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((Borrowable(name), Scalar(value))) = map.next_entry()? {
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// Text that stays where it is when it has no escapes.
#[derive(Deserialize)]
struct Borrowable<'a>(#[serde(borrow)] Cow<'a, str>);

fn text<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
    let text = Option::<Borrowable<'a>>::deserialize(deserializer)?;
    Ok(text.map(|Borrowable(text)| text))
}

/// A text, a number or a truth value, as text.
struct Scalar<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Cow<'de, str>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a text, a number or a truth value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(text.into())
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(text.to_owned().into())
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(value.to_string().into())
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(value.to_string().into())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(value.to_string().into())
            }

            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(value.to_string().into())
            }
        }
        deserializer.deserialize_any(Visitor).map(Self)
    }
}
