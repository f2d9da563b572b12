use super::{RequestHeader, WriteValue};
use crate::codec::{
    Command, FieldError, FieldWriter, Fields, Text, WriteFields, parse_i32, parse_i64,
};
use crate::{RequestCode, record::MessageId};

/// `SEND_MESSAGE` (10) with long names, `SEND_MESSAGE_V2` (310) and `SEND_BATCH_MESSAGE` (320)
/// with one letter a field. Read in one pass, since there is one a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendRequest<'a> {
    /// The producer's group.
    pub producer_group: &'a str,
    /// The topic.
    pub topic: &'a str,
    /// The topic to create it from; stock clients say `TBW102`.
    pub default_topic: &'a str,
    /// Queues to create it with.
    pub default_topic_queues: i32,
    /// The queue; negative: any.
    pub queue_id: i32,
    /// RocketMQ's flag bits of a message.
    pub sys_flag: i32,
    /// The producer's clock in milliseconds.
    pub born_timestamp: i64,
    /// The application's own 32 bits.
    pub flag: i32,
    /// The property area, shared with the frame.
    pub properties: Text,
    /// Attempts so far.
    pub reconsume_times: i32,
    /// RocketMQ's unit mode.
    pub unit_mode: bool,
    /// Attempts before the dead letter queue.
    pub max_reconsume_times: Option<i32>,
    /// Whether the body is a batch, see [`crate::record::sub_messages`].
    pub is_batch: bool,
    /// The broker the client thinks it talks to.
    pub broker_name: Option<&'a str>,
}

/// A field of a send, whatever its name on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    ProducerGroup,
    Topic,
    DefaultTopic,
    DefaultTopicQueues,
    QueueId,
    SysFlag,
    BornTimestamp,
    Flag,
    Properties,
    ReconsumeTimes,
    UnitMode,
    MaxReconsumeTimes,
    IsBatch,
    BrokerName,
}

/// In the order Java writes the letters.
const FIELDS: [(Field, &str, &str); 14] = [
    (Field::ProducerGroup, "a", "producerGroup"),
    (Field::Topic, "b", "topic"),
    (Field::DefaultTopic, "c", "defaultTopic"),
    (Field::DefaultTopicQueues, "d", "defaultTopicQueueNums"),
    (Field::QueueId, "e", "queueId"),
    (Field::SysFlag, "f", "sysFlag"),
    (Field::BornTimestamp, "g", "bornTimestamp"),
    (Field::Flag, "h", "flag"),
    (Field::Properties, "i", "properties"),
    (Field::ReconsumeTimes, "j", "reconsumeTimes"),
    (Field::UnitMode, "k", "unitMode"),
    (Field::MaxReconsumeTimes, "l", "maxReconsumeTimes"),
    (Field::IsBatch, "m", "batch"),
    (Field::BrokerName, "n", "bname"),
];

/// The first eight fields of the table must be there.
const REQUIRED: u32 = 0xFF;

impl<'a> SendRequest<'a> {
    /// Reads the header in the form the request's code says: only 10 has long names.
    ///
    /// # Errors
    /// A required field is missing or ill-typed.
    pub fn of(command: &'a Command) -> Result<Self, FieldError> {
        match command.request_code() {
            RequestCode::SendMessage => Self::long(&command.fields),
            _ => Self::short(&command.fields),
        }
    }

    /// Reads one-letter names.
    ///
    /// # Errors
    /// A required field is missing or ill-typed.
    pub fn short(fields: &'a Fields) -> Result<Self, FieldError> {
        Self::read_named(fields, false, |name| match name {
            [letter] => FIELDS.get(usize::from(letter.checked_sub(b'a')?)),
            _ => None,
        })
    }

    /// Reads long names.
    ///
    /// # Errors
    /// A required field is missing or ill-typed.
    pub fn long(fields: &'a Fields) -> Result<Self, FieldError> {
        Self::read_named(fields, true, |name| {
            FIELDS.iter().find(|(_, _, long)| long.as_bytes() == name)
        })
    }

    fn read_named(
        fields: &'a Fields,
        is_long: bool,
        find: impl Fn(&[u8]) -> Option<&'static (Field, &'static str, &'static str)>,
    ) -> Result<Self, FieldError> {
        let mut header = Self::default();
        let mut seen = 0u32;
        for (name, value) in fields.iter_bytes() {
            if let Some((field, short, long)) = find(name) {
                header.set(*field, value, fields, if is_long { long } else { short })?;
                seen |= 1 << (*field as u32);
            }
        }
        if seen & REQUIRED == REQUIRED {
            return Ok(header);
        }
        let missing = FIELDS
            .iter()
            .find(|(field, _, _)| seen & (1 << (*field as u32)) == 0);
        // The table starts with the required ones, so the first missing field is one of them.
        Err(FieldError::Missing(missing.map_or(
            "topic",
            |(_, short, long)| {
                if is_long { long } else { short }
            },
        )))
    }

    fn set(
        &mut self,
        field: Field,
        value: &'a [u8],
        fields: &Fields,
        name: &'static str,
    ) -> Result<(), FieldError> {
        let text = || std::str::from_utf8(value).map_err(|_| FieldError::NotUtf8(name));
        let int = || parse_i32(value).ok_or_else(|| FieldError::not_a_number(name, value));
        let is_true = value.eq_ignore_ascii_case(b"true");
        match field {
            Field::ProducerGroup => self.producer_group = text()?,
            Field::Topic => self.topic = text()?,
            Field::DefaultTopic => self.default_topic = text()?,
            Field::DefaultTopicQueues => self.default_topic_queues = int()?,
            Field::QueueId => self.queue_id = int()?,
            Field::SysFlag => self.sys_flag = int()?,
            Field::BornTimestamp => {
                self.born_timestamp =
                    parse_i64(value).ok_or_else(|| FieldError::not_a_number(name, value))?;
            }
            Field::Flag => self.flag = int()?,
            Field::Properties => {
                self.properties = fields.share(value).ok_or(FieldError::NotUtf8(name))?;
            }
            Field::ReconsumeTimes => self.reconsume_times = int()?,
            Field::UnitMode => self.unit_mode = is_true,
            Field::MaxReconsumeTimes => self.max_reconsume_times = Some(int()?),
            Field::IsBatch => self.is_batch = is_true,
            Field::BrokerName => self.broker_name = Some(text()?),
        }
        Ok(())
    }
}

impl<'a> RequestHeader<'a> for SendRequest<'a> {
    /// One-letter names, as all but 10 have them.
    fn read(fields: &'a Fields) -> Result<Self, FieldError> {
        Self::short(fields)
    }
}

/// One-letter names.
impl WriteFields for SendRequest<'_> {
    fn write_fields(&self, out: &mut FieldWriter<'_>) {
        for (field, name, _) in FIELDS {
            match field {
                Field::ProducerGroup => out.text(name, self.producer_group),
                Field::Topic => out.text(name, self.topic),
                Field::DefaultTopic => out.text(name, self.default_topic),
                Field::DefaultTopicQueues => out.int(name, self.default_topic_queues),
                Field::QueueId => out.int(name, self.queue_id),
                Field::SysFlag => out.int(name, self.sys_flag),
                Field::BornTimestamp => out.int(name, self.born_timestamp),
                Field::Flag => out.int(name, self.flag),
                Field::Properties => out.text(name, &self.properties),
                Field::ReconsumeTimes => out.int(name, self.reconsume_times),
                Field::UnitMode => out.bool(name, self.unit_mode),
                Field::MaxReconsumeTimes => self.max_reconsume_times.write_value(name, out),
                Field::IsBatch => out.bool(name, self.is_batch),
                Field::BrokerName => self.broker_name.write_value(name, out),
            }
        }
    }
}

/// The answer to a send of code 0, 10, 11 or 12. Any other code has no header but the last two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendResponse<'a> {
    /// Where each message lies; a batch has one a message.
    pub message_ids: &'a [MessageId],
    /// The queue.
    pub queue_id: i32,
    /// The first message's offset in the queue.
    pub queue_offset: i64,
    /// The message's `UNIQ_KEY`, of a batch the envelope's.
    pub transaction_id: Option<&'a str>,
    /// Stock brokers say `DefaultRegion`.
    pub region: &'a str,
    /// Whether clients should trace.
    pub is_traced: bool,
    /// Takes a delayed message back, see [`crate::record::RecallHandle`].
    pub recall_handle: Option<String>,
}

impl WriteFields for SendResponse<'_> {
    fn write_fields(&self, out: &mut FieldWriter<'_>) {
        out.int("queueId", self.queue_id);
        self.transaction_id.write_value("transactionId", out);
        match self.message_ids {
            [id] => out.display("msgId", id),
            ids => out.display("msgId", &Joined(ids)),
        }
        out.bool("TRACE_ON", self.is_traced);
        out.text("MSG_REGION", self.region);
        out.int("queueOffset", self.queue_offset);
        if let Some(handle) = &self.recall_handle {
            out.text("recallHandle", handle);
        }
    }
}

struct Joined<'a>(&'a [MessageId]);

impl std::fmt::Display for Joined<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, id) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str(",")?;
            }
            id.fmt(formatter)?;
        }
        Ok(())
    }
}
