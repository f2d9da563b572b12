//! A message of HTTP as core's, and core's as HTTP has it (docs/mapping.md).

use crate::error::Refusal;
use crate::head::Head;
use axum::http::HeaderMap;
use bytes::Bytes;
use gantry_core::Durability;
use gantry_core::model::{Message, Properties, SysFlag, Timestamp, property};
use gantry_core::record::RecordView;
use std::borrow::Cow;
use std::net::SocketAddr;

/// Properties of what has a header of its own here.
const EXPIRES: &str = "EXPIRE_TIME";
const PRIORITY: &str = "_SYS_MSG_PRIORITY_";
const TRACE: &str = "TRACE_ID";
const TRACEPARENT: &str = "traceparent";
const TRANSACTION: &str = "TRANSACTION_ID";
const DURABILITY: &str = "DURABILITY";
const COMPRESSION: &str = "COMPRESSION";
const BORN_HOST: &str = "BORN_HOST";
const CORRELATION: &str = "correlation-id";
/// RocketMQ's name of the same.
const CORRELATION_ROCKETMQ: &str = "CORRELATION_ID";
const REPLY_TO: &str = "reply-to";
const CONTENT_TYPE: &str = "content-type";
const CONTENT_ENCODING: &str = "content-encoding";

/// What a message is of that does not say (1 to 10).
const PRIORITY_DEFAULT: u8 = 5;
const PRIORITY_MAX: u8 = 10;

/// Compressions by name, their flags, and the names of HTTP's content coding.
const COMPRESSIONS: [(&str, i32, &str); 5] = [
    ("gzip", 0x300, "gzip"),
    ("zlib", 0x300, "deflate"),
    ("deflate", 0x300, "deflate"),
    ("lz4", 0x100, "lz4"),
    ("zstd", 0x200, "zstd"),
];
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

impl Head<'_> {
    /// The message core keeps.
    ///
    /// # Errors
    /// What of it cannot be.
    pub(crate) fn to_message(
        &self,
        id: &str,
        body: Bytes,
        (peer, now): (SocketAddr, Timestamp),
    ) -> Result<Message, Refusal> {
        let born_host = self.born_host.as_deref();
        let address = born_host.and_then(|host| host.parse().ok());
        let (flag, compression) = self.compression()?;
        let numbers = [
            (EXPIRES, self.expire_time.map(|time| time.to_string())),
            (PRIORITY, self.priority()?.map(|level| level.to_string())),
            (
                property::TIMER_DELAY_MS,
                self.delay().map(|delay| delay.to_string()),
            ),
            (
                property::TIMER_DELIVER_MS,
                self.deliver_time.map(|time| time.to_string()),
            ),
            (DURABILITY, self.durability.map(|level| level.to_string())),
        ];
        let texts = [
            (property::KEYS, self.message_key.as_deref()),
            (property::TAGS, self.tag.as_deref()),
            (property::UNIQ_KEY, Some(id)),
            (BORN_HOST, born_host.filter(|_| address.is_none())),
            (COMPRESSION, compression),
            (TRACE, self.trace_id.as_deref()),
            (TRACEPARENT, self.traceparent.as_deref()),
            (TRANSACTION, self.transaction_id.as_deref()),
            (CORRELATION, self.correlation_id.as_deref()),
            (REPLY_TO, self.reply_to.as_deref()),
            (CONTENT_TYPE, self.content_type.as_deref()),
            (CONTENT_ENCODING, self.kept_encoding()),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let numbers = numbers
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let own = self
            .properties
            .0
            .iter()
            .map(|(name, value)| (&**name, &**value));
        if let Some((name, _)) = own.clone().find(|(name, _)| property::is_reserved(name)) {
            return Err(Refusal::parameter(format!(
                "property {name} is the broker's own"
            )));
        }
        let binary = self.binary(&body)?;
        // A key that is told in base64 and is text stands among these.
        let binary = binary.iter().map(|(name, value)| (*name, &**value));
        let properties = Properties::from_pairs(texts.chain(numbers).chain(own).chain(binary));
        let properties = properties.map_err(|error| Refusal::parameter(error.to_string()))?;
        Ok(Message {
            properties,
            sys_flag: SysFlag::from_bits(flag),
            born_host: address.unwrap_or(peer),
            ..Message::new(
                body,
                self.born_timestamp.map_or(now, Timestamp::from_millis),
            )
        })
    }

    /// How far the message must have come before its producer hears of it.
    ///
    /// # Errors
    /// It is neither 0 nor 1.
    pub(crate) fn wanted_durability(&self) -> Result<Durability, Refusal> {
        match self.durability {
            None => Ok(Durability::Configured),
            Some(0) => Ok(Durability::Appended),
            Some(1) => Ok(Durability::Flushed),
            Some(other) => {
                let text = format!("durability is 0 or 1, not {other}");
                Err(Refusal::parameter(text))
            }
        }
    }

    fn priority(&self) -> Result<Option<u8>, Refusal> {
        match self.priority {
            Some(priority) if !(1..=PRIORITY_MAX).contains(&priority) => {
                let text = format!("priority is 1 to {PRIORITY_MAX}, not {priority}");
                Err(Refusal::parameter(text))
            }
            priority => Ok(priority),
        }
    }

    fn delay(&self) -> Option<u64> {
        self.delay_time.filter(|delay| *delay > 0)
    }

    /// The flag of the compression, or its name when it has none.
    fn compression(&self) -> Result<(i32, Option<&str>), Refusal> {
        let named = self.compression.as_deref();
        // The small numbers of the Java API are RocketMQ's.
        let named = match named {
            Some("0" | "none" | "identity") => None,
            Some("1") => Some("lz4"),
            Some("2") => Some("zstd"),
            Some("3") => Some("zlib"),
            named => named,
        };
        let coded = || {
            let coding = self.content_encoding.as_deref()?;
            let row = COMPRESSIONS.iter().find(|(_, _, coded)| *coded == coding)?;
            Some(row.0)
        };
        let Some(name) = named.or_else(coded) else {
            return Ok((0, None));
        };
        if name.len() > 32 {
            return Err(Refusal::parameter("the compression's name is too long"));
        }
        let known = COMPRESSIONS
            .iter()
            .find(|(known, _, _)| known.eq_ignore_ascii_case(name));
        Ok(match known {
            Some((_, kind, _)) => (SysFlag::COMPRESSED | kind, None),
            None => (0, Some(name)),
        })
    }

    /// A content coding that is no compression known here stays with the message.
    fn kept_encoding(&self) -> Option<&str> {
        let coding = self.content_encoding.as_deref()?;
        let is_known = COMPRESSIONS.iter().any(|(_, _, coded)| *coded == coding);
        (!is_known).then_some(coding)
    }
}

/// A message as it is handed out.
#[derive(Debug)]
pub(crate) struct Handed {
    record: RecordView,
    message: Message,
}

impl Handed {
    /// Of a record's bytes.
    ///
    /// # Errors
    /// They are none.
    pub(crate) fn of(bytes: &Bytes) -> Result<Self, Refusal> {
        let record = RecordView::parse(bytes)
            .map_err(|error| gantry_core::Error::Storage(error.to_string()))?;
        let message = record.to_message();
        Ok(Self { record, message })
    }

    /// The topic it is of, or bound for.
    pub(crate) fn topic(&self) -> &str {
        self.record.topic()
    }

    /// Its place in its topic.
    pub(crate) fn offset(&self) -> u64 {
        self.record.queue_offset().get()
    }

    /// Whether it is not to be handed out any more.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        let expires = self.message.properties.value(EXPIRES);
        let expires = expires.and_then(|text| text.parse().ok());
        expires.is_some_and(|time: i64| time <= now.millis())
    }

    /// Length of its body as it is stored.
    pub(crate) fn body_bytes(&self) -> usize {
        self.message.body.len()
    }

    /// Its body, and whether that is as it is stored although it is compressed: only who says by
    /// Accept-Encoding that it can take it so gets it so.
    pub(crate) fn body(&self, asking: Option<&HeaderMap>) -> (Bytes, Option<&'static str>) {
        let Some((name, coding)) = self.compression() else {
            return (self.message.body.clone(), None);
        };
        let accepts = |fields: &HeaderMap| {
            let all = fields.get_all(axum::http::header::ACCEPT_ENCODING);
            let mut codings = all.iter().filter_map(|value| value.to_str().ok());
            codings.any(|list| accepts(list, coding))
        };
        if asking.is_some_and(accepts) {
            return (self.message.body.clone(), Some(name));
        }
        match gantry_core::convert::plain_body(&self.message) {
            Ok(plain) => (plain.into_owned(), None),
            // It is no such compression after all.
            Err(_) => (self.message.body.clone(), Some(name)),
        }
    }

    fn compression(&self) -> Option<(&'static str, &'static str)> {
        let flags = self.message.sys_flag;
        if !flags.has(SysFlag::COMPRESSED) {
            return None;
        }
        let kind = match flags.bits() & SysFlag::COMPRESSION_TYPE {
            0x100 => "lz4",
            0x200 => "zstd",
            _ if self.message.body.starts_with(GZIP_MAGIC) => "gzip",
            _ => "zlib",
        };
        let row = COMPRESSIONS.iter().find(|(name, _, _)| *name == kind)?;
        Some((row.0, row.2))
    }

    /// With its body, which [`Handed::body`] told.
    pub(crate) fn envelope<'a>(
        &'a self,
        destination: &str,
        body: &'a [u8],
        compression: Option<&'static str>,
    ) -> Head<'a> {
        let mut head = self.head(destination, compression);
        head.put_body(body);
        head
    }

    /// What it says, its body being compressed or not as [`Handed::body`] told.
    pub(crate) fn head(&self, destination: &str, compression: Option<&'static str>) -> Head<'_> {
        let mut head = Head {
            destination: Some(Cow::Owned(destination.to_owned())),
            born_timestamp: Some(self.message.born_at.millis()),
            born_host: Some(self.message.born_host.to_string().into()),
            store_timestamp: Some(self.record.stored_at().millis()),
            store_host: Some(self.record.store_host().to_string().into()),
            priority: Some(PRIORITY_DEFAULT),
            partition: Some(self.record.queue().get()),
            offset: Some(self.offset()),
            ..Head::default()
        };
        for (name, value) in self.message.properties.iter() {
            head.take_property(name, value);
        }
        head.put_binary(&self.message);
        if let Some(name) = compression {
            let row = COMPRESSIONS.iter().find(|(known, _, _)| *known == name);
            head.compression = Some(name.into());
            head.content_encoding = row.map(|row| row.2.into());
        }
        head
    }
}

impl<'a> Head<'a> {
    fn take_property(&mut self, name: &'a str, value: &'a str) {
        let text = Some(Cow::Borrowed(value));
        match name {
            property::KEYS => self.message_key = text,
            property::TAGS => self.tag = text,
            property::UNIQ_KEY => self.message_id = text,
            EXPIRES => self.expire_time = value.parse().ok(),
            PRIORITY => self.priority = value.parse().ok().or(self.priority),
            property::TIMER_DELAY_MS => self.delay_time = value.parse().ok(),
            property::TIMER_DELIVER_MS => self.deliver_time = value.parse().ok(),
            property::TIMER_OUT_MS | property::TIMER_ENQUEUE_MS => {}
            DURABILITY => self.durability = value.parse().ok(),
            BORN_HOST => self.born_host = text,
            COMPRESSION => self.compression = text,
            TRACE => self.trace_id = text,
            TRACEPARENT => self.traceparent = text,
            TRANSACTION => self.transaction_id = text,
            CORRELATION => self.correlation_id = text,
            CORRELATION_ROCKETMQ if self.correlation_id.is_none() => self.correlation_id = text,
            REPLY_TO => self.reply_to = text,
            CONTENT_TYPE => self.content_type = text,
            CONTENT_ENCODING => self.content_encoding = text,
            name if property::is_reserved(name) || property::is_internal(name) => {}
            name => self.properties.0.push((name.into(), value.into())),
        }
    }
}

/// Whether a list as Accept or Accept-Encoding has a name, and not with the weight 0.
pub(crate) fn accepts(list: &str, coding: &str) -> bool {
    list.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_meant = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let is_refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        is_meant && !is_refused
    })
}
