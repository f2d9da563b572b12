//! Messages by key or by the client's own id: 12.

use crate::error::Refusal;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use bytes::Bytes;
use gantry_core::model::Timestamp;
use gantry_core::record::RecordView;
use gantry_remoting_protocol::codec::{FieldWriter, WriteFields};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};

/// Most messages of one answer, whatever the client asks for (`maxMsgsNumBatch`).
const MESSAGES_MAX: usize = 64;
/// How many stock brokers look for when a client asks by its own id (`defaultQueryMaxNum`).
const BY_ID_MAX: usize = 32;

/// How far the index goes: always to the newest message.
struct IndexedTo {
    time: i64,
    position: i64,
}

impl WriteFields for IndexedTo {
    fn write_fields(&self, out: &mut FieldWriter<'_>) {
        out.int("indexLastUpdateTimestamp", self.time);
        out.int("indexLastUpdatePhyoffset", self.position);
    }
}

/// 12: the messages of a topic with a key, in the order they were stored.
pub(crate) fn by_key(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let fields = &command.fields;
    let topic: &str = fields.value("topic")?;
    let key: &str = fields.value("key")?;
    let asked: i32 = fields.value("maxNum")?;
    let from: i64 = fields.value("beginTimestamp")?;
    let to: i64 = fields.value("endTimestamp")?;
    let is_by_id = fields.text("_UNIQUE_KEY_QUERY") == Some("true");
    let asked = usize::try_from(asked).unwrap_or(0);
    let limit = if is_by_id {
        BY_ID_MAX
    } else {
        asked.min(MESSAGES_MAX)
    };
    let times = Timestamp::from_millis(from)..Timestamp::from_millis(to.saturating_add(1));

    let found = role.client.query_key(topic, key, &times, limit);
    // The newest come first, and are sent last.
    let mut found: Vec<RecordView> = found
        .iter()
        .rev()
        .filter_map(|message| RecordView::parse(&message.bytes).ok())
        .collect();
    found.sort_by_key(RecordView::position);
    let Some(last) = found.last() else {
        let remark = "can not find message, maybe time range not correct";
        return Err(Refusal::new(ResponseCode::QueryNotFound, remark));
    };
    let header = IndexedTo {
        time: last.stored_at().millis(),
        position: last.position().get().cast_signed(),
    };
    let mut room = role.config.pull_bytes_max;
    let mut body: Vec<Bytes> = Vec::new();
    for record in found {
        if record.bytes().len() > room && !body.is_empty() {
            break;
        }
        room = room.saturating_sub(record.bytes().len());
        body.push(record.bytes().clone());
    }
    let answer = Answer::OK.with_fields(&header);
    Ok(Frame::with_body(command.reply_to(), &answer, body).into())
}
