//! POP: messages one by one (200050), acknowledged (200051, 200151) or kept for longer (200053).

use super::connection::{Connection, broker, succeeded};
use crate::body::MessageId;
use crate::clock;
use crate::target::Target;
use anyhow::{Result, bail};
use gantry_remoting_protocol::body::{
    self, BatchAck, BatchAckRequest, Style, SubscriptionGroupConfig,
};
use gantry_remoting_protocol::header::{
    ChangeInvisibleResponse, PopRequest, PopResponse, ReceiptRequest,
};
use gantry_remoting_protocol::pop::{ReceiptHandle, bits_of};
use gantry_remoting_protocol::record::records;
use gantry_remoting_protocol::{NoFields, RequestCode, ResponseCode};

/// All queues.
const ANY_QUEUE: i32 = -1;

/// A member of a group that pops. Brokers that try messages again in another topic than their own
/// are not understood.
#[derive(Debug)]
pub(crate) struct PopConsumer {
    connection: Connection,
    topic: String,
    group: String,
}

/// A message that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct Popped {
    pub(crate) id: MessageId,
    pub(crate) queue: u32,
    pub(crate) offset: i64,
    /// The first time is 1.
    pub(crate) attempt: u16,
    handle: ReceiptHandle,
}

/// Makes the group known, whose messages become dead letters when they were handed out
/// `attempts_max` times.
pub(crate) async fn create_group(target: &Target, group: &str, attempts_max: u16) -> Result<()> {
    let config = SubscriptionGroupConfig {
        retry_max_times: i32::from(attempts_max.saturating_sub(1)),
        ..SubscriptionGroupConfig::of_group(group)
    };
    let body = body::encode(&config, Style::Standard);
    let mut connection = Connection::open(&broker(&target.address).await?).await?;
    let code = RequestCode::UpdateAndCreateSubscriptionGroup;
    succeeded(&connection.ask_with(code, &NoFields, &body).await?)
}

impl PopConsumer {
    pub(crate) async fn open(target: &Target, group: &str) -> Result<Self> {
        Ok(Self {
            connection: Connection::open(&broker(&target.address).await?).await?,
            topic: target.topic.clone(),
            group: group.to_owned(),
        })
    }

    /// Waits up to `poll_ms` for up to `count` messages, which are this consumer's for `hold_ms`.
    pub(crate) async fn pop(
        &mut self,
        count: u16,
        hold_ms: u32,
        poll_ms: u32,
    ) -> Result<Vec<Popped>> {
        let request = PopRequest {
            group: &self.group,
            topic: &self.topic,
            queue_id: ANY_QUEUE,
            max_messages: i32::from(count),
            invisible_ms: i64::from(hold_ms),
            poll_ms: i64::from(poll_ms),
            born_at: clock::millis(clock::now()),
            init_mode: 0,
            expression_type: Some("TAG"),
            expression: Some("*"),
            is_ordered: false,
            attempt_id: None,
        };
        let answer = self
            .connection
            .ask(RequestCode::PopMessage, &request)
            .await?;
        match answer.response_code() {
            ResponseCode::Success => {}
            ResponseCode::PollingTimeout | ResponseCode::PullNotFound => return Ok(Vec::new()),
            code => bail!(
                "{}: {}",
                code.name(),
                answer.remark.as_deref().unwrap_or_default()
            ),
        }
        let fields: PopResponse<'_> = answer.header()?;
        let popped = records(answer.body.clone()).map(|record| {
            let record = record?;
            let offset = record.queue_offset;
            Ok(Popped {
                id: MessageId::of(&record.body),
                queue: u32::try_from(record.queue_id)?,
                offset,
                attempt: u16::try_from(record.reconsume_times)?.saturating_add(1),
                handle: ReceiptHandle {
                    start_offset: offset,
                    pop_time: fields.pop_time,
                    invisible_ms: fields.invisible_ms,
                    revive_queue: fields.revive_queue,
                    retry: ReceiptHandle::of_topic_itself(),
                    broker_name: "broker".to_owned(),
                    queue_id: record.queue_id,
                    offset,
                },
            })
        });
        popped.collect()
    }

    /// Whether the broker has taken the acknowledgement; it may have had it before.
    pub(crate) async fn ack(&mut self, popped: &Popped) -> Result<bool> {
        let handle = popped.handle.to_string();
        let request = receipt(&self.group, &self.topic, popped, &handle, None);
        let answer = self
            .connection
            .ask(RequestCode::AckMessage, &request)
            .await?;
        Ok(answer.response_code() == ResponseCode::Success)
    }

    /// Acknowledges what one pop gave of one queue. The answer says of no message whether its
    /// receipt was still good.
    pub(crate) async fn batch_ack(&mut self, popped: &[&Popped]) -> Result<()> {
        let offsets: Vec<i64> = popped.iter().map(|popped| popped.offset).collect();
        let start = offsets.iter().min().copied().unwrap_or(0);
        let handles = popped.iter().map(|popped| &popped.handle);
        let acks = handles.take(1).map(|handle| BatchAck {
            bits: bits_of(&offsets, start),
            consumer_group: self.group.clone(),
            invisible_ms: handle.invisible_ms,
            pop_time: handle.pop_time,
            queue_id: handle.queue_id,
            retry: handle.retry.clone(),
            revive_queue: handle.revive_queue,
            start_offset: start,
            topic: self.topic.clone(),
        });
        let request = BatchAckRequest {
            acks: acks.collect(),
            broker_name: "broker".to_owned(),
        };
        let body = body::encode(&request, Style::Standard);
        let code = RequestCode::BatchAckMessage;
        succeeded(&self.connection.ask_with(code, &NoFields, &body).await?)
    }

    /// Has the message for `hold_ms` from now on, if the receipt is still good; `popped` gets the
    /// new one.
    pub(crate) async fn extend(&mut self, popped: &mut Popped, hold_ms: u32) -> Result<bool> {
        let handle = popped.handle.to_string();
        let request = receipt(
            &self.group,
            &self.topic,
            popped,
            &handle,
            Some(i64::from(hold_ms)),
        );
        let code = RequestCode::ChangeMessageInvisibleTime;
        let answer = self.connection.ask(code, &request).await?;
        if answer.response_code() != ResponseCode::Success {
            return Ok(false);
        }
        let fields: ChangeInvisibleResponse = answer.header()?;
        popped.handle.pop_time = fields.pop_time;
        popped.handle.invisible_ms = fields.invisible_ms;
        popped.handle.revive_queue = fields.revive_queue;
        Ok(true)
    }
}

fn receipt<'a>(
    group: &'a str,
    topic: &'a str,
    popped: &Popped,
    handle: &'a str,
    invisible_ms: Option<i64>,
) -> ReceiptRequest<'a> {
    ReceiptRequest {
        group,
        topic,
        queue_id: popped.handle.queue_id,
        handle,
        offset: popped.offset,
        invisible_ms,
        is_suspended: false,
    }
}
