//! Half messages (310), the ends of their transactions (37), and the broker's questions (39).

use super::connection::{Connection, broker, succeeded};
use super::send::properties;
use crate::body::MessageId;
use crate::clock;
use crate::ledger::Decision;
use crate::target::Target;
use anyhow::{Context as _, Result, ensure};
use gantry_remoting_protocol::body::{self, HeartbeatData, ProducerData, Style};
use gantry_remoting_protocol::header::{CheckTransaction, EndTransaction, SendRequest};
use gantry_remoting_protocol::record::{self, Record};
use gantry_remoting_protocol::{Command, NoFields, RequestCode, ResponseCode, Text};
use std::time::Duration;

/// The flag of a message that waits for the end of its transaction.
const PREPARED: i32 = 0x4;

/// A member of a group of producers, for its topic's broker to ask.
#[derive(Debug)]
pub(crate) struct TransactionProducer {
    connection: Connection,
    topic: String,
    group: String,
    client_id: String,
}

/// A half message, as ends name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Half {
    pub(crate) id: MessageId,
    offset: i64,
    position: i64,
    transaction: String,
}

impl TransactionProducer {
    /// Connects, and tells the broker that it is there.
    pub(crate) async fn open(target: &Target, group: &str, client_id: String) -> Result<Self> {
        let connection = Connection::open(&broker(&target.address).await?).await?;
        let mut producer = Self {
            connection,
            topic: target.topic.clone(),
            group: group.to_owned(),
            client_id,
        };
        producer.beat().await?;
        Ok(producer)
    }

    /// Says that it is still there.
    pub(crate) async fn beat(&mut self) -> Result<()> {
        let heartbeat = HeartbeatData {
            client_id: Some(self.client_id.clone()),
            producer_data_set: vec![ProducerData {
                group_name: self.group.clone(),
            }],
            ..HeartbeatData::default()
        };
        let body = body::encode(&heartbeat, Style::Standard);
        let code = RequestCode::HeartBeat;
        succeeded(&self.connection.ask_with(code, &NoFields, &body).await?)
    }

    /// Sends a half message with the body `body`; the answer, if it is not that it was refused.
    pub(crate) async fn send(
        &mut self,
        id: MessageId,
        queue: u32,
        born_ns: u64,
        body: &[u8],
    ) -> Result<Option<Half>> {
        let group = &self.group;
        let own = properties(id);
        let header = SendRequest {
            producer_group: group,
            topic: &self.topic,
            default_topic: "TBW102",
            default_topic_queues: 4,
            queue_id: i32::try_from(queue)?,
            sys_flag: PREPARED,
            born_timestamp: clock::millis(born_ns),
            properties: Text::from(format!(
                "{own}\u{2}TRAN_MSG\u{1}true\u{2}PGROUP\u{1}{group}"
            )),
            ..SendRequest::default()
        };
        let code = RequestCode::SendMessageV2;
        let answer = self.connection.ask_with(code, &header, body).await?;
        match answer.response_code() {
            // Turned away before anything was appended.
            ResponseCode::SystemBusy | ResponseCode::FlowControl => return Ok(None),
            _ => succeeded(&answer)?,
        }
        let message: record::MessageId = answer.fields.text("msgId").context("no id")?.parse()?;
        let transaction = answer.fields.text("transactionId");
        let offset: Option<i64> = answer.fields.value("queueOffset")?;
        Ok(Some(Half {
            id,
            offset: offset.context("no offset")?,
            position: message.offset,
            transaction: transaction.unwrap_or_default().to_owned(),
        }))
    }

    /// What the broker asks for within `wait`: the half messages whose transactions it knows
    /// nothing of.
    pub(crate) async fn asked(&mut self, wait: Duration) -> Result<Option<Half>> {
        let request = self.connection.asked(wait).await?;
        let is_question =
            |request: &Command| request.request_code() == RequestCode::CheckTransactionState;
        request
            .filter(is_question)
            .map(|question| half_of(&question))
            .transpose()
    }

    /// Tells the broker, as stock clients do, without an answer. `None`: it is not decided yet.
    pub(crate) async fn tell(
        &mut self,
        half: &Half,
        decision: Option<Decision>,
        is_asked: bool,
    ) -> Result<()> {
        let header = end_of(&self.topic, &self.group, half, decision, is_asked);
        let code = RequestCode::EndTransaction;
        self.connection.tell(code, &header).await
    }

    /// Tells the broker and waits for its answer: whether it took the decision. It takes only the
    /// first.
    pub(crate) async fn end(
        &mut self,
        half: &Half,
        decision: Decision,
        is_asked: bool,
    ) -> Result<bool> {
        let header = end_of(&self.topic, &self.group, half, Some(decision), is_asked);
        let code = RequestCode::EndTransaction;
        let answer = self.connection.ask(code, &header).await?;
        Ok(answer.response_code() == ResponseCode::Success)
    }
}

fn end_of<'a>(
    topic: &'a str,
    group: &'a str,
    half: &'a Half,
    decision: Option<Decision>,
    is_asked: bool,
) -> EndTransaction<'a> {
    EndTransaction {
        group,
        topic: Some(topic),
        half_offset: half.offset,
        position: half.position,
        outcome: match decision {
            None => EndTransaction::UNKNOWN,
            Some(Decision::Commit) => EndTransaction::COMMIT,
            Some(Decision::Rollback) => EndTransaction::ROLLBACK,
        },
        is_from_check: is_asked,
        message_id: Some(&half.transaction),
        transaction_id: Some(&half.transaction),
    }
}

/// The half message a question is about.
fn half_of(question: &Command) -> Result<Half> {
    let header: CheckTransaction<'_> = question.header()?;
    let record = Record::decode(&mut question.body.clone())?;
    let id = MessageId::of(&record.body);
    ensure!(
        id != MessageId::FOREIGN,
        "a question about what is not ours"
    );
    Ok(Half {
        id,
        offset: header.half_offset,
        position: header.position,
        transaction: header.transaction_id.unwrap_or_default().to_owned(),
    })
}
